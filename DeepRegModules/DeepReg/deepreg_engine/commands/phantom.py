"""``phantom``: make a pair of synthetic scans with exact ground truth, or a population of labelled scans."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from deepreg_engine.commands.parsing import count, examples, paragraph, seed
from deepreg_engine.errors import OutputError
from deepreg_engine.geometry.files import check_writable
from deepreg_engine.phantoms import ANATOMIES, MODALITY_PAIRS

if TYPE_CHECKING:
    from deepreg_engine.phantoms import PhantomScan

_ABOUT = """
Make a pair of scans of a synthetic patient: fixed and moving image with organs, vessels, texture, noise and bias field, label maps,
corresponding landmarks, a body mask, and the exact displacement field between them (truth.nrrd, in the format of a registration). The
same arguments give the same files. As in clinical data, the fixed image is oblique, voxels are anisotropic and the images differ in
size. With --scans it makes labelled scans of several patients instead, for training and evaluation.
"""

_EXAMPLES = (
    "phantom abdomen --output phantom",
    "phantom thorax --seed 3 --output breathing",
    "phantom abdomen --modality-pair mr-ct --output mr_ct",
    "phantom abdomen --scans 10 --seed 2000 --output scans",
    "register dense --fixed phantom/fixed.nii.gz --moving phantom/moving.nii.gz --transform phantom/t.nrrd",
    "evaluate --transform phantom/t.nrrd --fixed-landmarks phantom/fixed_landmarks.csv --moving-landmarks phantom/moving_landmarks.csv",
)
# Description and other files in a phantom's folder. Files of a patient may have the names of the latter.
_DESCRIPTION, _FILES = "phantom.json", ("fixed*.nii.gz", "moving*.nii.gz", "*_landmarks.csv", "truth.nrrd")
_POPULATION, _SCANS = "dataset.json", ("images", "labels", "landmarks")
_MOST_SCANS = 500


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "phantom", help="make a pair of synthetic scans", description=paragraph(_ABOUT), epilog=examples(*_EXAMPLES)
    )
    parser.add_argument("anatomy", metavar="<anatomy>", choices=ANATOMIES, help=f"what to scan: {', '.join(ANATOMIES)}")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the files, made if it is missing (required)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="patient, deformation and noise (default: 0)")
    parser.add_argument(
        "--modality-pair",
        metavar="F-M",
        choices=MODALITY_PAIRS,
        help=f"fixed and moving modality: {', '.join(MODALITY_PAIRS)} (default: ct-ct, for the brain mr-mr)",
    )
    parser.add_argument("--detail", type=float, default=1.0, metavar="D", help="voxels per mm relative to the usual, 0.2 to 3 (default: 1)")
    parser.add_argument(
        "--patients", type=int, default=1, metavar="N", choices=(1, 2), help="2: the fixed scan is of another patient, without exact truth"
    )
    parser.add_argument(
        "--scans",
        type=count("scans", _MOST_SCANS),
        default=0,
        metavar="N",
        help="make labelled scans of N patients instead of a pair, numbered from the seed on, 1 to 500",
    )
    parser.add_argument("--modality", choices=("ct", "mr"), default="ct", help="modality of these scans (default: ct)")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Make and write a pair, or labelled scans."""
    if options.scans:
        _run_scans(options)
        return
    check_folder(Path(options.output))
    from deepreg_engine.phantoms import make_pair, write_pair

    pair = make_pair(options.anatomy, options.seed, options.modality_pair, options.detail, options.patients)
    paths = write_pair(pair, options.output)
    counts = f"{len(pair.label_names)} labels, {len(pair.fixed_landmarks)} landmarks"
    lines = [f"{options.anatomy}, {pair.modality_pair}, seed {pair.seed}: {counts}"]
    truth = pair.truth_statistics()
    if truth:
        lines.append(
            f"displacement: mean {truth['mean']:.1f} mm, largest {truth['max']:.1f} mm; "
            f"Jacobian {truth['min_jacobian']:.2f} to {truth['max_jacobian']:.2f}"
        )
    lines.append("written: " + "  ".join(str(path) for path in paths.values()))
    sys.stdout.write("\n".join(lines) + "\n")


def _run_scans(options: argparse.Namespace) -> None:
    """Make and write labelled scans."""
    folder = Path(options.output)
    check_folder(folder, _POPULATION, _SCANS)
    from deepreg_engine.commands.progress import ProgressBar
    from deepreg_engine.phantoms.population import make_volunteer, write_population

    with ProgressBar() as progress:

        def scans() -> Iterator[PhantomScan]:
            for number in range(options.scans):
                progress(number / options.scans, f"scan {number + 1} of {options.scans}")
                yield make_volunteer(options.anatomy, options.seed + number, options.modality, options.detail)

        names = write_population(scans(), folder)
    sys.stdout.write(f"{len(names)} scans, {options.modality}: {names[0]} to {names[-1]}\nwritten: {folder / _POPULATION}\n")


def check_folder(folder: Path, description: str = _DESCRIPTION, files: tuple[str, ...] = _FILES) -> None:
    """Check, before a phantom is made, that it can be written to a folder and that it would replace only another phantom.

    Args:
        folder: its folder, which may exist.
        description: the file that identifies a phantom's folder.
        files: patterns of its other files.

    Raises:
        OutputError: if not.
    """
    if not folder.exists():
        check_writable(folder)  # into its parent
    elif not folder.is_dir():
        raise OutputError(f"{folder} is a file", "give the name of a folder", "output")
    else:
        check_writable(folder / description)
        there = sorted(path.name for pattern in files for path in folder.glob(pattern))
        if there and not (folder / description).exists():
            raise OutputError(f"{folder} holds {there[0]}, which is no phantom's", "choose another folder", "output")
