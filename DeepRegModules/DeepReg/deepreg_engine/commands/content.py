"""``content``: what images show, and what is wrong with a pair."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from deepreg_engine.commands.parsing import examples, paragraph
from deepreg_engine.jobs.content import ContentRequest, run_content

_ABOUT = """
Show what an image is: modality, contrast of MR, body part, size of the body, and the reasons. They are taken from DICOM elements if there
are any, otherwise from intensities and anatomy. For two images, also show what is wrong with the pair before a registration.
"""
_EXAMPLES = ("content ct.nii.gz", "content fixed.nii.gz moving.nii.gz", "content dicom_folder --json")


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "content", help="show what images are, before a registration", description=paragraph(_ABOUT), epilog=examples(*_EXAMPLES)
    )
    parser.add_argument("fixed", metavar="FILE", help="image: NIfTI, NRRD, MetaImage, DICOM folder")
    parser.add_argument("moving", metavar="MOVING", nargs="?", help="a second image, which is to be registered to the first")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Print what the files show."""
    found = run_content(ContentRequest(options.fixed, options.moving or ""))
    for note in found["notes"]:
        sys.stderr.write(f"note: {note}\n")
    if options.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    files = [(options.fixed, found["fixed"])] + ([(options.moving, found["moving"])] if found["moving"] else [])
    lines = [line for path, content in files for line in _lines(path, content)]
    lines += [f"{concern['severity']}: {concern['message']}: {concern['advice']}" for concern in found["concerns"]]
    sys.stdout.write("\n".join(lines) + "\n")


def _lines(path: str, content: dict[str, Any]) -> list[str]:
    """Return the lines about one file."""
    size = " x ".join(f"{length:.0f}" for length in content["size_mm"])
    spacing = " x ".join(f"{length:.3g}" for length in content["spacing_mm"])
    doubt = "" if content["certain"] else " (not certain)"
    return [f"{path}: {content['title']}{doubt}", f"  {size} mm, voxels of {spacing} mm", *(f"  {reason}" for reason in content["reasons"])]
