"""``phantom``: make a pair of synthetic scans with exact truth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deepreg_engine.commands.parsing import count, examples, paragraph, seed
from deepreg_engine.errors import OutputError
from deepreg_engine.geometry.files import check_writable
from deepreg_engine.phantoms import ANATOMIES, MODALITY_PAIRS

_ABOUT = """
Make a pair of scans of a synthetic patient: fixed and moving image with organs, vessels, texture, noise and bias of their own, the
label maps, corresponding landmarks, a body mask, and the exact displacement field between them (truth.nrrd, as a registration's
result). The same arguments give the same files. The fixed image lies oblique, its voxels are anisotropic, and the images differ
in size: as in life. With --scans it makes labelled scans of so many people instead, to learn from (see train) and to judge by.
"""

_EXAMPLES = (
    "phantom abdomen --output phantom",
    "phantom thorax --seed 3 --output breathing",
    "phantom abdomen --modality-pair mr-ct --output mr_ct",
    "phantom abdomen --scans 10 --seed 2000 --output people",
    "register dense --fixed phantom/fixed.nii.gz --moving phantom/moving.nii.gz --transform phantom/t.nrrd",
    "evaluate --transform phantom/t.nrrd --fixed-landmarks phantom/fixed_landmarks.csv --moving-landmarks phantom/moving_landmarks.csv",
)
# What a phantom's folder holds, besides its own description. Under these names a patient's files may lie there as well.
_DESCRIPTION, _FILES = "phantom.json", ("fixed*.nii.gz", "moving*.nii.gz", "*_landmarks.csv", "truth.nrrd")
_POPULATION, _SCANS = "dataset.json", ("images", "labels", "landmarks")
_MOST_SCANS = 500


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    page = {"description": paragraph(_ABOUT), "epilog": examples(*_EXAMPLES)}
    parser = commands.add_parser("phantom", help="make a pair of synthetic scans", **page)
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
        help="make labelled scans of N people, numbered from the seed on, 1 to 500; no pair",
    )
    parser.add_argument("--modality", choices=("ct", "mr"), default="ct", help="of these scans (default: ct)")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Make and write a pair."""
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

        def people():  # noqa: ANN202 - a generator of scans
            for number in range(options.scans):
                progress(number / options.scans, f"person {number + 1} of {options.scans}")
                yield make_volunteer(options.anatomy, options.seed + number, options.modality, options.detail)

        names = write_population(people(), folder)
    sys.stdout.write(f"{len(names)} scans, {options.modality}: {names[0]} to {names[-1]}\nwritten: {folder / _POPULATION}\n")


def check_folder(folder: Path, description: str = _DESCRIPTION, files: tuple[str, ...] = _FILES) -> None:
    """Make sure that a phantom can be written to a folder, and over nothing but another phantom, before it is made.

    Args:
        folder: may exist.
        description: the file by which a phantom's folder is known.
        files: what else it holds.

    Raises:
        OutputError: if not.
    """
    if not folder.exists():
        check_writable(folder)  # into its parent
    elif not folder.is_dir():
        raise OutputError(f"{folder} is a file", "give the name of a folder")
    else:
        check_writable(folder / description)
        there = sorted(path.name for pattern in files for path in folder.glob(pattern))
        if there and not (folder / description).exists():
            raise OutputError(f"{folder} holds {there[0]}, which is no phantom's", "choose another folder")
