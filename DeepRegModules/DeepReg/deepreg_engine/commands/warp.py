"""``warp``: apply a transform to an image, a label map or points."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import SimpleITK as sitk

from deepreg_engine.commands.parsing import examples, paragraph
from deepreg_engine.commands.tables import structure_lines
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
from deepreg_engine.jobs.apply import ApplyRequest, Warping, run_apply
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.metrics.mapping import map_points, outside_field

_ABOUT = """
Apply a transform (a displacement field, or any ITK transform) to an image, a label map or points; or to many files at once. Images are
resampled onto the grid of the reference, so that the moving image matches the fixed one. With --points, points are mapped in the opposite
direction, as in ITK: a fixed point x is mapped to its moving point x + u(x).
"""

_MANY = """
Many files: each option with two names, INPUT and OUTPUT, can be given several times; all outputs are written, or none. Points, curves and
models of the moving side are mapped to the fixed side by the inverse, whose error is printed. For segmentations a table lists for each
structure: volume before and after, shift of its centre beyond the alignment, Jacobian, and Dice with --fixed-labels.
"""

_EXAMPLES = (
    "warp --transform b_to_a.nrrd --image b.nii.gz --output b_on_a.nii.gz",
    "warp --transform b_to_a.nrrd --image b_organs.nii.gz --labels --output b_organs_on_a.nii.gz",
    "warp --transform b_to_a.tfm --image b.nii.gz --reference a.nii.gz --output b_on_a.nii.gz",
    "warp --transform b_to_a.nrrd --points a.mrk.json --output a_in_b.mrk.json",
    "warp --transform b_to_a.nrrd --file b.nii.gz b_on_a.nii.gz --dose dose.nrrd dose_on_a.nrrd --file b.seg.nrrd b_on_a.seg.nrrd "
    "--file b.mrk.json b_on_a.mrk.json --structures changes.csv",
)
# Options with an input and an output: name, kind, side, help.
_FILES = (
    ("file", "", "moving", "any file: an image, label map, points or model, recognised by its ending and content"),
    ("volume", "image", "moving", "an image: linear interpolation; its background outside"),
    ("ct", "ct", "moving", "a CT: linear interpolation; air (-1024 HU) outside"),
    ("dose", "dose", "moving", "a dose: linear interpolation; 0 outside"),
    ("segmentation", "labels", "moving", "a label map: nearest neighbour; keeps names and colours (.seg.nrrd)"),
    ("moving-points", "points", "moving", "points or curves (.csv, .mrk.json, .fcsv) to map from the moving to the fixed side"),
    ("fixed-points", "points", "fixed", "points or curves to map from the fixed to the moving side"),
    ("model", "model", "moving", "a surface (.vtk, .vtp, .stl, .ply) to map from the moving to the fixed side"),
)


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    epilog = f"{paragraph(_MANY)}\n\n{examples(*_EXAMPLES)}"
    parser = commands.add_parser("warp", help="apply a transform", description=paragraph(_ABOUT), epilog=epilog)
    parser.add_argument("--transform", required=True, metavar="T", help="displacement field or ITK transform (required)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--image", metavar="M", help="image or label map to warp")
    what.add_argument("--points", metavar="P", help="points to map: .csv, .mrk.json or .fcsv")
    parser.add_argument("--reference", metavar="F", help="image whose grid the result gets (default: the field's; an affine has none)")
    parser.add_argument("--labels", action="store_true", help="the image is a label map: nearest neighbour, 0 outside")
    parser.add_argument("--interpolation", metavar="HOW", choices=("linear", "nearest", "cubic"), help="linear (default), nearest or cubic")
    parser.add_argument("--output", metavar="W", help="file to write for --image or --points: an image or points, as the input is")
    many = parser.add_argument_group("many files")
    for name, _kind, _side, text in _FILES:
        many.add_argument(f"--{name}", nargs=2, action="append", default=[], metavar=("INPUT", "OUTPUT"), help=text)
    many.add_argument("--inverse", metavar="I", help="transform of the other direction, for points (default: it is computed)")
    many.add_argument("--fixed-labels", metavar="A", help="label map of the fixed image, the partner of the segmentations")
    many.add_argument("--label-names", metavar="JSON", help='names of the labels: {"1": "liver", ...}')
    many.add_argument("--structures", metavar="OUT.csv", help="the table of the structures")
    many.add_argument("--report", metavar="OUT.json", help="the files, the table and the notes")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Warp an image, a label map or points, and write the result.

    Raises:
        ParameterError: if the options contradict each other.
        InputError: if a file cannot be used, or the transform maps no part of it.
        OutputError: if the result cannot be written.
    """
    if _is_for_many(options):
        _apply_to_many(options)
        return
    images = LABEL_SUFFIXES if options.labels else IMAGE_SUFFIXES
    check_suffix("output", options.output, POINT_SUFFIXES if options.points else images)
    check_outputs({"output": options.output}, [options.transform, options.image, options.points, options.reference])
    for name in ("reference", "labels", "interpolation"):
        if options.points and getattr(options, name):
            raise ParameterError("reference, labels and interpolation are for images", "leave them out for points", name)
    if options.labels and options.interpolation not in (None, "nearest"):
        message = f"labels and {options.interpolation} interpolation contradict each other"
        raise ParameterError(message, "use nearest, or leave the interpolation out", "interpolation")
    notes: list[str] = []
    transform = read_transform(options.transform, notes=notes)
    with FileGroup() as files:
        if options.points:
            _warp_points(files, transform, options, notes)
        else:
            add_image(files, options.output, _warped_image(transform, options, notes))
    sys.stderr.write("".join(f"note: {note}\n" for note in notes))
    sys.stdout.write(f"written: {options.output}\n")


def _warpings(options: argparse.Namespace) -> list[Warping]:
    """Return the files of the options with an input and an output."""
    return [
        Warping(source, target, kind, side) for name, kind, side, _ in _FILES for source, target in getattr(options, name.replace("-", "_"))
    ]


def _is_for_many(options: argparse.Namespace) -> bool:
    """Return whether files are given by pairs of input and output.

    Raises:
        ParameterError: if options of one file and of many are mixed, or there is nothing to warp.
    """
    one = next((name for name in ("image", "points", "output", "labels", "interpolation") if getattr(options, name)), "")
    if _warpings(options) or (options.fixed_labels and not one):
        if one:
            raise ParameterError(f"{one} is for one file", "give each file with its output", one)
        return True
    more = next((name for name in ("inverse", "fixed_labels", "label_names", "structures", "report") if getattr(options, name)), "")
    if more:
        raise ParameterError(f"{more.replace('_', ' ')} is for several files", "give each file with its output", more)
    if not (options.image or options.points):
        raise ParameterError("there is nothing to warp", "give an image, points, or files with their outputs", "image")
    if not options.output:
        raise ParameterError("there is no file to write", "give its name", "output")
    return False


def _apply_to_many(options: argparse.Namespace) -> None:
    """Warp the files, write the table of their structures, and print what was done."""
    names = ("transform", "reference", "inverse", "fixed_labels", "label_names", "structures", "report")
    found = run_apply(ApplyRequest(files=_warpings(options), **{name: getattr(options, name) for name in names}))
    sys.stderr.write("".join(f"note: {note}\n" for note in found["notes"]))
    lines = [f"written: {each['output']}{_round_trip(each)}" for each in found["files"]]
    lines += structure_lines(found.get("structures", []))
    lines += [f"written: {path}" for path in (options.structures, options.report) if path]
    sys.stdout.write("\n".join(lines) + "\n")


def _round_trip(entry: dict[str, Any]) -> str:
    if "round_trip_mm" not in entry:
        return ""
    return f" ({entry['points']} points, inverse exact to {entry['round_trip_mm']:.2g} mm)"


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
        raise InputError(f"the transform maps no point of the result into the image {path}", "check that they belong together", "image")


def _warp_points(files: FileGroup, transform: sitk.Transform, options: argparse.Namespace, notes: list[str]) -> None:
    points = read_points(options.points, notes=notes)
    outside = int(outside_field(transform, points.positions).sum())
    if outside == len(points):
        raise InputError(
            f"no point of {options.points} lies in the displacement field",
            "check that they belong to it and to its coordinate system",
            "points",
        )
    if outside:
        notes.append(f"points outside the displacement field, which stay where they are: {outside} of {len(points)}")
    add_points(files, options.output, PointSet(map_points(transform, points.positions), points.labels))
