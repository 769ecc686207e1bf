"""Features for Dense from a few labelled scans of synthetic patients, compared with MIND on other synthetic patients.

    python Testing/benchmarks/few_scans.py --folder FOLDER [--train 6] [--test 4] [--set NAME=VALUE ...] [--features NAME ...]
    python Testing/benchmarks/few_scans.py --step

The folder keeps scans and training; a second call resumes them. ``--step`` times training steps at 16^3 control points and 11^3
displacements instead.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "DeepRegModules" / "DeepReg"))

import numpy as np
import SimpleITK as sitk

# Other patients than those of demonstrations and trainings of shipped models.
FIRST_PATIENT = 2000
MODEL = "{model}"
# Parts of the method that are compared: the discrete search as in the paper, and the whole method.
WHOLE = "and refinement"
PARTS = {"search alone": {"refinement_iterations": "0"}, WHOLE: {}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, help="for scans and training")
    parser.add_argument("--train", type=int, default=6, help="patients to learn from")
    parser.add_argument("--test", type=int, default=4, help="patients to test on, all ordered pairs")
    parser.add_argument("--detail", type=float, default=1.0, help="voxels per mm relative to the usual")
    parser.add_argument("--set", action="append", default=[], help="option of the training")
    parser.add_argument("--parameters", action="append", default=[], help="parameter of the registrations")
    parser.add_argument("--features", nargs="+", default=["mind", MODEL, f"mind+{MODEL}"], help=f"{MODEL} stands for the learned model")
    parser.add_argument("--refinement", default="same", help="features of the refinement after a search with the learned features alone")
    parser.add_argument(
        "--moving", default="ct", choices=("ct", "mr"), help="modality of the moving scans; those that are learned from are CT"
    )
    parser.add_argument("--step", action="store_true", help="time training steps")
    parser.add_argument("--device", default="auto", help="device of training and registrations")
    parser.add_argument("--workers", type=int, help="processes that make examples (default: as many as suit the device)")
    parser.add_argument("--gpu-memory", type=float, metavar="GB", help="refuse more of a GPU's memory than that, as a smaller one would")
    options = parser.parse_args()
    import torch

    if options.gpu_memory and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(options.gpu_memory * 1e9 / torch.cuda.mem_get_info()[1])
    if options.step:
        time_steps()
        time_label_steps()
        return
    if options.folder is None:
        parser.error("give a --folder, or --step")
    patients = make_patients(options)
    compare(options, patients, learn(options, patients))


def make_patients(options: argparse.Namespace) -> list[str]:
    """Names of the scans, made where they are missing."""
    from deepreg_engine.phantoms.population import make_volunteer, write_population

    names = [f"abdomen_{FIRST_PATIENT + number:04d}" for number in range(options.train + options.test)]
    for folder, modality, some in (("scans", "ct", names), ("mr", "mr", names[options.train :] if options.moving == "mr" else [])):
        scans = options.folder / folder
        if not all((scans / kind / f"{name}.nii.gz").is_file() for name in some for kind in ("images", "labels")):
            options.folder.mkdir(parents=True, exist_ok=True)
            write_population((make_volunteer("abdomen", int(name[-4:]), modality, options.detail) for name in some), scans)
    return names


def learn(options: argparse.Namespace, patients: list[str]) -> str:
    """The model's file."""
    from deepreg_engine.jobs.training import run_training
    from deepreg_engine.methods.common.parameters import parse_settings
    from deepreg_engine.training.base import TrainingRequest

    request = TrainingRequest(
        "dense",
        [str(options.folder / "scans")],
        str(options.folder / "training"),
        parse_settings(options.set),
        leave_out=patients[options.train :],
        modality="ct",
        device=options.device,
        workers=options.workers,
    )
    begun = time.perf_counter()
    result = run_training(request, lambda share, stage: print(f"\r{share:5.1%} {stage[:150]:150s}", end="", file=sys.stderr))
    taken = f", at most {result['device_memory'] / 1e9:.2f} GB of its memory" if result.get("device_memory") else ""
    print(
        f"\nlearned from {options.train} patients in {result['seconds']:.0f} s ({time.perf_counter() - begun:.0f} s now)"
        f" on {result['device']}{taken}, best {result['best']}"
    )
    return result["model"]


def compare(options: argparse.Namespace, patients: list[str], model: str) -> None:
    """Dice of the patients not learned from."""
    from deepreg_engine.geometry.image_grid import ImageGrid
    from deepreg_engine.geometry.images import resample
    from deepreg_engine.methods.common.image_pair import ImagePair
    from deepreg_engine.methods.common.parameters import parse_settings
    from deepreg_engine.methods.dense.presets import dense_preset
    from deepreg_engine.methods.dense.register import register_dense
    from deepreg_engine.metrics.overlap import label_overlap
    from deepreg_engine.metrics.regularity import regularity

    base = dense_preset("abdomen-ct" if options.moving == "ct" else "mr-ct").parameters.replaced(parse_settings(options.parameters))

    def read(name: str, folder: str) -> tuple[sitk.Image, sitk.Image]:
        kinds = (("images", (sitk.sitkFloat32,)), ("labels", ()))
        return tuple(sitk.ReadImage(str(options.folder / folder / kind / f"{name}.nii.gz"), *kind_of) for kind, kind_of in kinds)

    tested = patients[options.train :]
    fixed_scans = {name: read(name, "scans") for name in tested}
    moving_scans = {name: read(name, "mr") for name in tested} if options.moving == "mr" else fixed_scans
    dice: dict[tuple[str, str], list] = {}
    folding: dict[tuple[str, str], list] = {}
    for one, other in itertools.permutations(tested, 2):
        (fixed, labels), (moving, moving_labels) = fixed_scans[one], moving_scans[other]
        alignment, transforms = None, {("none", ""): sitk.Transform(3, sitk.sitkIdentity)}
        for features, (part, settings) in itertools.product(options.features, PARTS.items()):
            if part == WHOLE and features == MODEL:
                settings = settings | {"refinement_features": options.refinement}
            parameters = base.replaced(settings | {"features": features.replace(MODEL, model)})
            result = register_dense(ImagePair(fixed, moving, alignment=alignment), parameters, options.device)
            alignment = result.alignment
            transforms |= {("affine", ""): alignment.transform, (features, part): result.field.to_transform()}
            folding.setdefault((features, part), []).append(regularity(result.field)["folding_percent"])
        for key, transform in transforms.items():
            moved = resample(moving_labels, ImageGrid.of(labels), transform, "nearest")
            dice.setdefault(key, []).append([overlap.dice for overlap in label_overlap(labels, moved)])
        print(f"{one} - {other}: " + ", ".join(f"{' '.join(key)} {np.nanmean(values[-1]):.3f}" for key, values in dice.items()), flush=True)
    print("\n| features | part | Dice, mean of 18 labels and all pairs | folding (%) |\n|---|---|---|---|")
    for key, values in dice.items():
        print(f"| {key[0]} | {key[1]} | {np.nanmean(values):.3f} | {max(folding.get(key, [0.0])):.3f} |")


def time_steps() -> None:
    """Seconds of a training step on this machine, and of making an example."""
    import torch

    from deepreg_engine.features.context_net import ContextNet
    from deepreg_engine.phantoms.population import make_volunteer
    from deepreg_engine.training.dense.parameters import DenseTraining
    from deepreg_engine.training.dense.scans import make_scan
    from deepreg_engine.training.dense.search_examples import SearchExamples
    from deepreg_engine.training.dense.search_loss import class_weights, training_loss

    options = DenseTraining(network="context", same=1.0, controls=16, spacing=2.0)
    patient = make_volunteer("abdomen", FIRST_PATIENT, "ct", 0.8)
    labels = sorted(patient.label_names)
    scan = make_scan("patient", sitk.Cast(patient.image, sitk.sitkFloat32), patient.labels, "ct", options.spacing, labels)
    examples, weights = SearchExamples([scan], options, 0), class_weights([scan], len(labels))
    torch.manual_seed(0)
    network, head = ContextNet(options.channels, options.width), torch.nn.Conv3d(options.channels, len(labels) + 1, 1)
    optimiser = torch.optim.AdamW([*network.parameters(), *head.parameters()])
    made, learned = {1: [], 2: []}, {1: [], 2: []}
    for number in range(16):
        begun = time.perf_counter()
        example = examples[number]
        made[example.step].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        loss, _ = training_loss(network, head, example, weights, options)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        learned[example.step].append(time.perf_counter() - begun)
    print(f"{options.controls}^3 control points, {2 * options.radius + 1}^3 displacements, {torch.get_num_threads()} threads")
    print("| displacement step | making an example, one thread (s) | a training step, median (s) |\n|---|---|---|")
    for step in (1, 2):
        print(f"| {step * 3 * options.spacing:g} mm | {np.median(made[step]):.2f} | {np.median(learned[step]):.2f} |")


def time_label_steps() -> None:
    """A step of the standard preset: its time on this machine, and its memory and operations, which are the same on all."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from deepreg_engine.features.label_net import LabelNet
    from deepreg_engine.phantoms.population import make_volunteer
    from deepreg_engine.training.dense.label_examples import LabelExamples
    from deepreg_engine.training.dense.label_training import _logits, label_loss
    from deepreg_engine.training.dense.parameters import DenseTraining
    from deepreg_engine.training.dense.scans import make_scan
    from deepreg_engine.training.dense.search_loss import class_weights

    options = DenseTraining()
    patient = make_volunteer("abdomen", FIRST_PATIENT, "ct", 0.8)
    labels = sorted(patient.label_names)
    scan = make_scan("patient", sitk.Cast(patient.image, sitk.sitkFloat32), patient.labels, "ct", options.voxel_size(), labels)
    examples, weights = LabelExamples([scan], options, 0), class_weights([scan], len(labels))
    torch.manual_seed(0)
    network = LabelNet(len(labels), options.width).to(memory_format=torch.channels_last_3d).train()
    optimiser = torch.optim.AdamW(network.parameters())
    made, learned, kept = [], [], {}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    for number in range(8):
        begun = time.perf_counter()
        example = examples[number]
        made.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        label_loss(_logits(network, example), example.labels, weights).backward()
        optimiser.step()
        optimiser.zero_grad()
        learned.append(time.perf_counter() - begun)
    with FlopCounterMode(display=False) as operations:
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            loss = label_loss(_logits(network, example), example.labels, weights)
        loss.backward()
    print(f"\nlabel network, {options.size}^3 voxels, {len(labels)} labels, {options.steps} steps, {torch.get_num_threads()} threads")
    columns = (
        "making an example, one thread (s)",
        "a training step, median (s)",
        "kept for the gradient, float32 (MiB)",
        "operations (TFLOP)",
    )
    figures = (np.median(made), np.median(learned), sum(kept.values()) / 2**20, operations.get_total_flops() / 1e12)
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    print("| " + " | ".join(f"{figure:.3g}" for figure in figures) + " |")


if __name__ == "__main__":
    main()
