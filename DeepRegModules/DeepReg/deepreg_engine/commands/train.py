"""``train``: train features."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deepreg_engine.commands.parsing import examples, paragraph
from deepreg_engine.commands.progress import ProgressBar, clock
from deepreg_engine.commands.training_options import LEARNED, add_data, add_preset, make_request, preset_tables
from deepreg_engine.errors import ParameterError
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.jobs.training import train_to_file
from deepreg_engine.jobs.training_estimate import estimate_training
from deepreg_engine.training.base import TrainingRequest
from deepreg_engine.training.registry import find_trainer

_ABOUT = {
    "dense": """
Train features for the Dense method on a few labelled scans, from two on: a segmentation network, whose features are the probability of
each structure at every voxel; or, with --preset search, features that let the method's search move labels onto labels. Augmentation
changes pose, shape and intensities in each example. Hold some scans out with --validation: the weights of the best validation are written.
""",
    "points": """
Train features of points on corresponding keypoints of pairs of scans: folders or zip files with .csv or .dat files of six columns, a
point's position in one scan and in the other, in voxels. The loss is the error of a registration with the features: belief propagation,
or with --set solver=drift coherent point drift.
""",
    "descent": """
Train features that are alike in images of different contrast, by supervised descent: the descent steps of the features are compared with
those of label maps. The training data are random shapes and phantoms with random contrasts (preset tissue: synthetic patients in CT);
labelled scans of your own, from four on, add your modalities. No dense truth is needed.
""",
}
_ALL = """
The model is written with a card; the log gets a line of JSON every few steps. A training that was stopped resumes from its checkpoint with
the same result.
"""
_EXAMPLES = {
    "dense": (
        "phantom abdomen --scans 10 --output scans",
        "train dense scans --modality ct --validation abdomen_0008,abdomen_0009 --output my-ct.safetensors --checkpoint my-ct.ckpt",
        "train dense scans --preset any-contrast --set steps=400 --output any.safetensors --log any.jsonl",
    ),
    "points": (
        "train points l2r_lung_keypoints.zip empire10_keypoints.zip --spacing 1.75,1,1.25 --output my-points.safetensors",
        "train points keypoints --spacing 1,1,1 --leave-out case_007,l2r_exp007 --set steps=500 --output trial.safetensors --log t.jsonl",
    ),
    "descent": (
        "train descent --output any.safetensors --log any.jsonl --checkpoint any.ckpt",
        "train descent prostate/train --modality other --moving-modality mr --spacing 0.8 --start any-contrast --set steps=1500 "
        "--set rate=1e-3 --output prostate.safetensors",
    ),
}


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    epilog = f"{examples(_EXAMPLES['dense'][1])}\n\nEach method has its page: deepreg-engine train METHOD --help"
    parser = commands.add_parser("train", help="train features", description="Train features.", epilog=epilog)
    parser.set_defaults(parser=parser)
    methods = parser.add_subparsers(title="methods", metavar="<method>", dest="method", required=True)
    for method in _ABOUT:
        _add_method(methods, method)


def _add_method(methods: argparse._SubParsersAction, method: str) -> None:
    epilog = f"{examples(*_EXAMPLES[method])}\n\n{preset_tables(method)}"
    page = methods.add_parser(method, help=LEARNED[method], description=paragraph(_ABOUT[method] + _ALL), epilog=epilog)
    add_data(page, method, optional=method == "descent")
    add_preset(page, method)
    page.add_argument("--validation", metavar="NAMES", help="scans or pairs to hold out for validation, by the names of their files")
    page.add_argument("--name", metavar="NAME", help="of the model (default: the file's)")
    page.add_argument("--licence", metavar="TEXT", help="of the model, for the model card")
    page.add_argument("--about", metavar="TEXT", help="description of the data, for the model card")
    page.add_argument("--log", metavar="OUT.jsonl", help="training log")
    page.add_argument("--checkpoint", metavar="FILE", help="saved every few hundred steps; the training resumes from it")
    page.add_argument("--output", metavar="OUT", help="model file, .safetensors (required, but for an estimate)")
    page.add_argument("--estimate", action="store_true", help="read the scans, time a few steps, and print time and memory of a training")
    page.set_defaults(run=run, parser=page)


def run(options: argparse.Namespace) -> None:
    """Train and write the model, or print an estimate."""
    if options.estimate:
        _estimate(options)
        return
    if not options.output:
        raise ParameterError("a training needs a file for the model", "name one that ends in .safetensors", "output")
    check_suffix("output", options.output, (".safetensors",))
    check_outputs({"output": options.output, "log": options.log, "checkpoint": options.checkpoint}, options.data)
    output = Path(options.output)
    request = make_request(TrainingRequest, options, folder=str(output.with_suffix("")), name=options.name or output.stem)
    with ProgressBar() as progress:
        done = train_to_file(request, options.output, options.log, options.checkpoint, progress)
    for note in done["notes"]:
        sys.stdout.write(f"note: {note}\n")
    trainer = find_trainer(options.method)
    learned = f"{len(done['learned'])} {'scans or pairs' if trainer.kind == 'scan' else 'pairs'}" if done["learned"] else ""
    what = " and ".join(part for part in (learned, trainer.synthetic_data(request.options())) if part)
    best = f", best {done['best']['figure']} {done['best']['value']:.4g} after {done['best']['step']} steps" if done["best"] else ""
    taken = f"in {_time(done['seconds'])}{_of_device(done['device_memory'])}"
    sys.stdout.write(f"trained on {what} ({done['device']}) {taken}{best}; written: {options.output}\n")


def _estimate(options: argparse.Namespace) -> None:
    request = make_request(TrainingRequest, options, folder="")
    with ProgressBar() as progress:
        found = estimate_training(request, progress)
    for bad in found["bad"]:
        sys.stdout.write(f"cannot be used: {bad['problem']}\n")
    there = _of_device(found["device_memory"], found["free_device_memory"])
    memory = f"{found['memory'] / 1e9:.1f} GB of memory ({found['free_memory'] / 1e9:.1f} GB free){there}"
    scans = found["entries"] - len(found["bad"])
    what = f"scans or pairs: {scans}, " if scans else ""
    each = f"{found['steps']} steps of {found['step_seconds']:.2g} s"
    sys.stdout.write(f"{what}{each}: about {_time(found['seconds'])} on {found['device']}, {memory}\n")


def _time(seconds: float) -> str:
    text = clock(seconds)
    return f"{text} min" if ":" in text else text


def _of_device(taken: int | None, free: int | None = None) -> str:
    """Return a GPU's memory in words; "" without one."""
    if taken is None:
        return ""
    return f", {taken / 1e9:.1f} GB of the GPU's memory" + (f" ({free / 1e9:.1f} GB free)" if free is not None else "")
