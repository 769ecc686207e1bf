"""``phantom``: make a pair of synthetic scans with exact truth."""

from __future__ import annotations

import argparse
import sys

from deepreg_engine.commands.parsing import paragraph
from deepreg_engine.errors import ParameterError
from deepreg_engine.phantoms import ANATOMIES, MODALITY_PAIRS, make_pair, write_pair

_ABOUT = """
Make a pair of scans of a synthetic patient: fixed and moving image with organs, vessels, texture, noise and bias of their own, the
label maps, corresponding landmarks, a body mask, and the exact displacement field between them (truth.nrrd, as a registration's
result). The same arguments give the same files. The fixed image lies oblique, its voxels are anisotropic, and the images differ
in size: as in life.
"""

_EXAMPLES = """examples:
  deepreg-engine phantom abdomen --output phantom
  deepreg-engine phantom thorax --seed 3 --output breathing
  deepreg-engine phantom abdomen --modality-pair mr-ct --output mr_ct
  deepreg-engine register dense --fixed phantom/fixed.nii.gz --moving phantom/moving.nii.gz --transform phantom/t.nrrd
  deepreg-engine evaluate --transform phantom/t.nrrd --fixed-landmarks phantom/fixed_landmarks.csv \\
      --moving-landmarks phantom/moving_landmarks.csv"""


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser("phantom", help="make a pair of synthetic scans", description=paragraph(_ABOUT), epilog=_EXAMPLES)
    parser.add_argument("anatomy", metavar="<anatomy>", choices=ANATOMIES, help=", ".join(ANATOMIES))
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the files; made if it is missing")
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="patient, deformation and noise (default: 0)")
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
    parser.set_defaults(run=run, parser=parser)


def _seed(text: str) -> int:
    if not text.strip().isdigit():
        raise argparse.ArgumentTypeError(f"the seed {text!r} is not a whole number of 0 or more")
    return int(text)


def run(options: argparse.Namespace) -> None:
    """Make and write a pair."""
    if options.modality_pair and "-" not in options.modality_pair:
        raise ParameterError(f"{options.modality_pair!r} is not a modality pair", f"there are {', '.join(MODALITY_PAIRS)}")
    pair = make_pair(options.anatomy, options.seed, options.modality_pair, options.detail, options.patients)
    paths = write_pair(pair, options.output)
    lines = [f"{options.anatomy}, {pair.modality_pair}, seed {pair.seed}: {len(pair.label_names)} labels, {len(pair.fixed_landmarks)} landmarks"]
    truth = pair.truth_statistics()
    if truth:
        lines.append(
            f"displacement: mean {truth['mean']:.1f} mm, largest {truth['max']:.1f} mm; "
            f"Jacobian {truth['min_jacobian']:.2f} to {truth['max_jacobian']:.2f}"
        )
    lines.append("written: " + "  ".join(str(path) for path in paths.values()))
    sys.stdout.write("\n".join(lines) + "\n")
