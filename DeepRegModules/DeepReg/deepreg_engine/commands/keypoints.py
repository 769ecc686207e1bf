"""``keypoints``: find Förstner keypoints of an image."""

from __future__ import annotations

import argparse
import sys
import textwrap

from deepreg_engine.commands.parsing import examples, paragraph
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import check_intensities, read_mask, read_volume
from deepreg_engine.geometry.points import POINT_SUFFIXES, PointSet, add_points
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.methods.common.parameters import parse_settings
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.registry import find_method

_ABOUT = """
Find Förstner keypoints of an image: points, such as bifurcations of vessels, that can be located in every direction. They are written in
LPS mm, the most distinct first.
"""
_EXAMPLES = (
    "keypoints --image ct.nii.gz --mask lungs.nii.gz --output keypoints.csv",
    "keypoints --image ct.nii.gz --set keypoint_count=4000 --set keypoint_distance=4 --output keypoints.mrk.json",
)
# Groups of the Points method's parameters that keypoints have.
_GROUPS = ("Keypoints", "Lengths")


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    lines = [
        f"  {entry.name} = {entry.default:g} [{entry.range_text()}]\n{textwrap.indent(textwrap.fill(entry.help, 70), ' ' * 6)}"
        for entry in PointsParameters.describe()
        if entry.group in _GROUPS
    ]
    epilog = examples(*_EXAMPLES) + "\n\nparameters for --set:\n" + "\n".join(lines)
    parser = commands.add_parser("keypoints", help="find distinct points of an image", description=paragraph(_ABOUT), epilog=epilog)
    parser.add_argument("--image", required=True, metavar="I", help="image: NIfTI, NRRD, MetaImage, DICOM folder (required)")
    parser.add_argument("--mask", metavar="A", help="where keypoints are searched: the organ")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one parameter, see below")
    parser.settings = frozenset(entry.name for entry in PointsParameters.describe() if entry.group in _GROUPS)
    parser.add_argument("--output", required=True, metavar="P", help=f"file to write: {', '.join(POINT_SUFFIXES)} (required)")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Find the keypoints and write them."""
    check_suffix("output", options.output, POINT_SUFFIXES)
    check_outputs({"output": options.output}, [options.image, options.mask])
    parameters = PointsParameters().replaced(parse_settings(options.set))
    notes: list[str] = []
    image = check_intensities(read_volume(options.image, notes=notes), "image", options.image)
    mask, note = read_mask(options.mask, ImageGrid.of(image)) if options.mask else (None, "")
    parameters, remarks = find_method("points").fitted(parameters, ImageGrid.of(image))
    from deepreg_engine.methods.points.keypoints import image_keypoints

    points, _ = image_keypoints(image, mask, parameters)
    with FileGroup() as files:
        add_points(files, options.output, PointSet(points))
    for text in filter(None, [*notes, note, *remarks]):
        sys.stderr.write(f"note: {text}\n")
    sys.stdout.write(f"keypoints: {len(points)}; written: {options.output}\n")
