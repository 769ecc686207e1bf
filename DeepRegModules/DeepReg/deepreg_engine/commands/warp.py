"""``warp``: apply a transform to an image, a label map or points."""

from __future__ import annotations

import argparse
import sys

import SimpleITK as sitk

from deepreg_engine.commands.parsing import examples, paragraph
from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import (
    IMAGE_SUFFIXES,
    LABEL_SUFFIXES,
    add_image,
    read_labels,
    read_volume,
    resample,
    warp_intensities,
    warp_labels,
)
from deepreg_engine.geometry.label_like import label_note
from deepreg_engine.geometry.points import POINT_SUFFIXES, PointSet, add_points, read_points
from deepreg_engine.geometry.segments import lost_names_note
from deepreg_engine.geometry.transform_files import field_grid, read_transform
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.metrics.mapping import map_points, outside_field

_ABOUT = """
Apply a transform (a displacement field, or any ITK transform) to an image, a label map or points. Images are resampled onto the grid
of the reference, so that the moving image matches the fixed one. Points are mapped in the opposite direction, as in ITK: a fixed point x
is mapped to its moving point x + u(x). To map moving points to the fixed image, use the inverse that register --inverse writes.
"""

_EXAMPLES = (
    "warp --transform b_to_a.nrrd --image b.nii.gz --output b_on_a.nii.gz",
    "warp --transform b_to_a.nrrd --image b_organs.nii.gz --labels --output b_organs_on_a.nii.gz",
    "warp --transform b_to_a.tfm --image b.nii.gz --reference a.nii.gz --output b_on_a.nii.gz",
    "warp --transform b_to_a.nrrd --points a.mrk.json --output a_in_b.mrk.json",
)


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("warp", help="apply a transform", description=paragraph(_ABOUT), epilog=examples(*_EXAMPLES))
    parser.add_argument("--transform", required=True, metavar="T", help="displacement field or ITK transform (required)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--image", metavar="M", help="image or label map to warp")
    what.add_argument("--points", metavar="P", help="points to map: .csv, .mrk.json or .fcsv")
    parser.add_argument("--reference", metavar="F", help="image whose grid the result gets (default: the field's; an affine has none)")
    parser.add_argument("--labels", action="store_true", help="the image is a label map: nearest neighbour, 0 outside")
    parser.add_argument("--interpolation", metavar="HOW", choices=("linear", "nearest", "cubic"), help="linear (default), nearest or cubic")
    parser.add_argument("--output", required=True, metavar="W", help="file to write: an image or points, as the input is (required)")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Warp an image, a label map or points, and write the result.

    Raises:
        ParameterError: if the options contradict each other.
        InputError: if a file cannot be used, or the transform maps no part of it.
        OutputError: if the result cannot be written.
    """
    images = LABEL_SUFFIXES if options.labels else IMAGE_SUFFIXES
    check_suffix("output", options.output, POINT_SUFFIXES if options.points else images)
    check_outputs({"output": options.output}, [options.transform, options.image, options.points, options.reference])
    for name in ("reference", "labels", "interpolation"):
        if options.points and getattr(options, name):
            raise ParameterError("reference, labels and interpolation are for images", "leave them out for points", name)
    if options.labels and options.interpolation not in (None, "nearest"):
        message = f"labels and {options.interpolation} interpolation contradict each other"
        raise ParameterError(message, "label maps are warped by nearest", "interpolation")
    notes: list[str] = []
    transform = read_transform(options.transform, notes=notes)
    with FileGroup() as files:
        if options.points:
            _warp_points(files, transform, options, notes)
        else:
            add_image(files, options.output, _warped_image(transform, options, notes))
    sys.stderr.write("".join(f"note: {note}\n" for note in notes))
    sys.stdout.write(f"written: {options.output}\n")


def _warped_image(transform: sitk.Transform, options: argparse.Namespace, notes: list[str]) -> sitk.Image:
    if options.reference:
        grid = ImageGrid.of(read_volume(options.reference, "reference image", notes))
    else:
        grid = field_grid(transform)
        if grid is None:
            raise InputError(
                f"the transform {options.transform} has no grid of its own", "give the reference image whose grid to use", "reference"
            )
    if options.labels:
        image = read_labels(options.image, notes=notes)
        warped = warp_labels(image, grid, transform)
        note = lost_names_note(image, options.output, "segments")
        notes += [note] if note else []
    else:
        image = read_volume(options.image, notes=notes)
        interpolation = options.interpolation or "linear"
        if interpolation != "nearest" and (note := label_note(image, f"image {options.image}")):
            notes.append(f"{note} (--labels)")
        warped = warp_intensities(image, grid, transform, interpolation)
    _check_reached(image, warped, transform, options.image)
    return warped


def _check_reached(image: sitk.Image, warped: sitk.Image, transform: sitk.Transform, path: str) -> None:
    """Raise InputError if no point of the result lies inside the image, which then belongs to another scan."""
    values = sitk.GetArrayViewFromImage(warped)
    if values.min() != values.max():
        return
    everywhere = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    everywhere.CopyInformation(image)
    if not sitk.GetArrayFromImage(resample(everywhere, ImageGrid.of(warped), transform, "nearest")).any():
        raise InputError(f"the transform takes no point of the result into the image {path}", "check that they belong together", "image")


def _warp_points(files: FileGroup, transform: sitk.Transform, options: argparse.Namespace, notes: list[str]) -> None:
    points = read_points(options.points, notes=notes)
    outside = int(outside_field(transform, points.positions).sum())
    if outside == len(points):
        raise InputError(
            f"no point of {options.points} lies in the displacement field", "check that they belong to it and to its frame", "points"
        )
    if outside:
        notes.append(f"{outside} of {len(points)} points lie outside the displacement field and stay where they are")
    add_points(files, options.output, PointSet(map_points(transform, points.positions), points.labels))
