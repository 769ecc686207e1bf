"""The Descent method on images of different contrast: learned features against MIND, and peers.

    python Testing/benchmarks/contrasts.py --data FOLDER [--parts brain mr-ct prostate speed] [--oblique] [--peers --peer-python PYTHON]

- brain: T2 to T1 and FLAIR to T2 of one patient under known deformations; mean error over the body (mm), whole process and warm times.
- mr-ct: CT and MR of two people, both ways; Dice of organs that both label maps have.
- prostate: MR to ultrasound of 9 patients that ``--prostate-model`` has not learned from; mean Dice of the labels.
- speed: one resolution of 128^3 voxels, 20 iterations, 12 channels, and a whole registration of 160 x 192 x 144 voxels.

``--split FOLDER`` writes the 18 other prostate pairs to learn from, for ``train descent``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

HERE = Path(__file__).resolve().parent
ENGINE = HERE.parent.parent / "DeepRegModules" / "DeepReg"
sys.path[:0] = [str(HERE), str(ENGINE)]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from known_pairs import CONTRASTS, make_pair  # noqa: E402
from pairs import _installed  # noqa: E402

from deepreg_engine.geometry.image_grid import ImageGrid  # noqa: E402
from deepreg_engine.geometry.images import resample  # noqa: E402
from deepreg_engine.geometry.transform_files import read_field  # noqa: E402
from deepreg_engine.jobs.memory import kept_memory  # noqa: E402
from deepreg_engine.jobs.registration import run_registration  # noqa: E402
from deepreg_engine.jobs.request import make_request  # noqa: E402
from deepreg_engine.methods.descent.parameters import DescentParameters  # noqa: E402
from deepreg_engine.methods.descent.presets import descent_preset  # noqa: E402

# Labels of both people that name the same organ: CT and MR.
ORGANS = {"spleen": (1, 1), "right kidney": (2, 2), "left kidney": (3, 3), "liver": (5, 5), "stomach": (6, 6), "aorta": (52, 23)}
PROSTATE_PARAMETERS = {"initial": "geometry", "working_spacing": 0.8, "levels": 2, "fixed_modality": "other", "moving_modality": "mr"}
# Pairs from this number on are tested.
FIRST_TESTED = 18


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="folder with abdomen/, brain/ and prostate/")
    parser.add_argument(
        "--parts", nargs="+", choices=("brain", "mr-ct", "prostate", "speed"), default=["brain", "mr-ct", "prostate", "speed"]
    )
    parser.add_argument("--features", nargs="+", default=["any-contrast", "mind"], help="models, files or formulas to compare")
    parser.add_argument("--prostate-model", help="a model that has learned from the other pairs")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--oblique", action="store_true", help="also with the fixed image oblique, anisotropic and of another size")
    parser.add_argument("--peers", action="store_true", help="also run the peers that can be imported by --peer-python")
    parser.add_argument("--peer-python", default=sys.executable, help="Python in which the peers are installed")
    parser.add_argument("--set", action="append", default=[], help="parameter of the Descent method, as for register descent")
    parser.add_argument("--split", type=Path, help="only write the prostate pairs to learn from, into this folder")
    options = parser.parse_args()
    if options.split:
        _prostate(options.data, options.split)
        return
    for part in options.parts:
        {"brain": _brain, "mr-ct": _mr_ct, "prostate": _prostate_table, "speed": _speed}[part](options)


def _register(fixed: Path, moving: Path, out: Path, preset: str, features: str, settings: list[str]) -> dict:
    """One process; returns its report with the seconds of the whole process and its peak memory."""
    report = out.with_suffix(".json")
    command = [
        sys.executable,
        "-m",
        "deepreg_engine",
        "register",
        "descent",
        "--fixed",
        str(fixed),
        "--moving",
        str(moving),
        "--preset",
        preset,
        "--features",
        features,
        "--transform",
        str(out),
        "--report",
        str(report),
        "--quiet",
    ]
    command += [word for setting in settings for word in ("--set", setting)]
    begun = time.perf_counter()
    subprocess.run(command, env=dict(os.environ, PYTHONPATH=str(ENGINE)), check=True, capture_output=True)
    seconds = time.perf_counter() - begun
    return {**json.loads(report.read_text()), "process_seconds": seconds}


def _brain(options: argparse.Namespace) -> None:
    peers = _installed(options.peer_python) if options.peers else []
    heads = [f"{name}: mm | s | folding %" for name in (*options.features, *peers)]
    print("| pair | before | " + " | ".join(heads) + " |\n|---|---|" + "---|---|---|" * len(heads))
    for name, recipe in CONTRASTS.items():
        for oblique in (False, True) if options.oblique else (False,):
            for seed in options.seeds:
                pair = make_pair(name, options.data, seed, oblique)
                cells = []
                with tempfile.TemporaryDirectory() as temporary:
                    folder = Path(temporary)
                    fixed, moving = folder / "fixed.nii.gz", folder / "moving.nii.gz"
                    sitk.WriteImage(pair.fixed, str(fixed))
                    sitk.WriteImage(pair.moving, str(moving))
                    for features in options.features:
                        report = _register(fixed, moving, folder / "t.nrrd", recipe.preset, features, options.set)
                        cells.append((read_field(folder / "t.nrrd"), report["process_seconds"]))
                    for peer in peers:
                        begun = time.perf_counter()
                        command = [options.peer_python, str(HERE / "peers.py"), peer, str(fixed), str(moving), str(folder / "p.nrrd")]
                        subprocess.run(command, cwd=folder, check=True, capture_output=True)
                        cells.append((read_field(folder / "p.nrrd"), time.perf_counter() - begun))
                texts = [f"{pair.error(f):.2f} | {s:.1f} | {100 * float((f.jacobian_determinant() <= 0).mean()):.2f}" for f, s in cells]
                print(f"| {name} {seed}{', oblique' if oblique else ''} | {pair.before():.1f} | " + " | ".join(texts) + " |", flush=True)


def _dice(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform, pairs: list[tuple[int, int]]) -> list[float]:
    there = sitk.GetArrayFromImage(resample(moving, ImageGrid.of(fixed), transform, "nearest"))
    here = sitk.GetArrayFromImage(fixed)
    return [float(2.0 * ((here == a) & (there == b)).sum() / max(1, (here == a).sum() + (there == b).sum())) for a, b in pairs]


def _mr_ct(options: argparse.Namespace) -> None:
    folder = options.data / "abdomen"
    files = {"CT": ("example_ct_sm.nii.gz", "example_seg.nii.gz"), "MR": ("example_mr_sm.nii.gz", "example_seg_mr.nii.gz")}
    print("| fixed | moving | features | " + " | ".join(ORGANS) + " | mean | s | folding % |\n|" + "---|" * (len(ORGANS) + 6))
    for fixed, moving in (("CT", "MR"), ("MR", "CT")):
        labels = [sitk.ReadImage(str(folder / files[side][1])) for side in (fixed, moving)]
        ids = list(ORGANS.values()) if fixed == "CT" else [pair[::-1] for pair in ORGANS.values()]
        with tempfile.TemporaryDirectory() as temporary:
            out = Path(temporary) / "t.nrrd"
            images = [folder / files[side][0] for side in (fixed, moving)]
            rows = [("none", sitk.Transform(3, sitk.sitkIdentity), None)]
            for features in options.features:
                report = _register(*images, out, "mr-ct", features, options.set)
                if len(rows) == 1:
                    affine = sitk.AffineTransform(3)
                    matrix = np.array(report["alignment"]["matrix"])
                    affine.SetMatrix(matrix[:3, :3].ravel().tolist())
                    affine.SetTranslation(matrix[:3, 3].tolist())
                    rows.append(("affine alone", affine, None))
                field = read_field(out)
                rows.append(
                    (features, field.to_transform(), (report["process_seconds"], 100 * float((field.jacobian_determinant() <= 0).mean())))
                )
        for name, transform, cost in rows:
            found = _dice(*labels, transform, ids)
            texts = (
                [f"{value:.2f}" for value in found]
                + [f"{np.mean(found):.3f}"]
                + ([f"{cost[0]:.1f}", f"{cost[1]:.2f}"] if cost else ["-", "-"])
            )
            print(f"| {fixed} | {moving} | {name} | " + " | ".join(texts) + " |", flush=True)


def _prostate(data: Path, folder: Path, tested: bool = False) -> Path:
    """The pairs to learn from, or those to test on, in the four folders that ``train descent`` reads."""
    with tarfile.open(data / "prostate" / "paired_prostate_mr_trus.tar") as archive:
        for member in archive.getmembers():
            parts = Path(member.name).parts  # paired/train/fixed_images/case000012.nii.gz
            if not member.isfile() or not parts[-1].startswith("case"):
                continue
            if (int(parts[-1][4:10]) >= FIRST_TESTED) == tested:
                target = folder / parts[-2] / parts[-1]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.extractfile(member).read())
    return folder


def _prostate_table(options: argparse.Namespace) -> None:
    from deepreg_engine.geometry.images import check_intensities, read_volume
    from deepreg_engine.methods.common.image_pair import ImagePair
    from deepreg_engine.methods.descent.register import register_descent

    names = [*([options.prostate_model] if options.prostate_model else []), *options.features, "intensity"]
    print("| features | gland Dice before | after | all labels before | after | folding % |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = _prostate(options.data, Path(temporary), tested=True)
        cases = sorted(path.name for path in (folder / "fixed_images").iterdir())
        for name in names:
            parameters = descent_preset("mr-ct").parameters.replaced({**PROSTATE_PARAMETERS, "features": name})
            parameters = parameters.replaced(dict(setting.split("=", 1) for setting in options.set))
            gland, every, folding = [], [], []
            for case in cases:
                images = [check_intensities(read_volume(folder / f"{side}_images" / case), side) for side in ("fixed", "moving")]
                result = register_descent(ImagePair(*images), parameters, "cpu")
                separate = [_separate(folder / f"{side}_labels" / case) for side in ("fixed", "moving")]
                values = []
                for fixed, moving in zip(*separate, strict=True):
                    values.append([_dice(fixed, moving, t, [(1, 1)])[0] for t in (result.alignment.transform, result.field.to_transform())])
                gland.append(values[0])
                every += values
                folding.append(100 * float((result.field.jacobian_determinant() <= 0).mean()))
            (g0, g1), (a0, a1) = np.mean(gland, axis=0), np.mean(every, axis=0)
            print(f"| {Path(name).stem} | {g0:.3f} | {g1:.3f} | {a0:.3f} | {a1:.3f} | {max(folding):.2f} |", flush=True)


def _separate(path: Path) -> list[sitk.Image]:
    """Each label of a file with one volume a label."""
    image = sitk.ReadImage(str(path))
    if image.GetDimension() == 3:
        return [sitk.Cast(image > 0.5, sitk.sitkUInt8)]
    return [sitk.Cast(image[:, :, :, number] > 0.5, sitk.sitkUInt8) for number in range(image.GetSize()[3])]


def _speed(options: argparse.Namespace) -> None:
    import torch

    from deepreg_engine.geometry.sampling import Lookup, identity
    from deepreg_engine.solvers.descent import Regularity, descend, descent_step, smooth
    from deepreg_engine.solvers.neighbourhood import Neighbourhood

    with kept_memory(), torch.no_grad():
        fixed, moving = (smooth(torch.randn(12, 128, 128, 128, generator=torch.Generator().manual_seed(n)), 2.0) for n in (0, 1))
        field, regularity = torch.zeros(3, 128, 128, 128), Regularity()
        begun = time.perf_counter()
        place, looked_at = identity(field.shape[1:], field), Neighbourhood.of(fixed, regularity.window)
        moving = Lookup(moving)
        for _ in range(20):
            seen = Neighbourhood.sampled(moving, place + field, regularity.window)
            step, _, _ = descent_step(looked_at, seen, regularity)
            field = descend(field, step, regularity)
        print(f"one resolution, 128^3, 20 iterations, 12 channels: {time.perf_counter() - begun:.1f} s")
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        paths = []
        for name in ("fixed", "moving"):
            noise = sitk.GetImageFromArray(rng.standard_normal((144, 192, 160)).astype(np.float32))
            image = sitk.SmoothingRecursiveGaussian(noise, 4.0) * 1000.0
            paths.append(str(Path(temporary) / f"{name}.nrrd"))
            sitk.WriteImage(image, paths[-1])
        parameters: DescentParameters = descent_preset("brain-mr").parameters.replaced({"features": options.features[0]})
        request = make_request("descent", fixed=paths[0], moving=paths[1], transform=str(Path(temporary) / "t.nrrd"), parameters=parameters)
        begun = time.perf_counter()
        run_registration(request)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        seconds = time.perf_counter() - begun
        print(f"whole registration, 160 x 192 x 144, {options.features[0]}: {seconds:.1f} s, at most {peak:.2f} GiB in all")


if __name__ == "__main__":
    main()
