"""Reading the inputs of a registration."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError, concerning
from deepreg_engine.geometry.composition import linear_matrix
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import check_intensities, read_labels, read_mask, read_volume
from deepreg_engine.geometry.label_like import label_note
from deepreg_engine.geometry.point_clouds import read_cloud
from deepreg_engine.geometry.points import PointPair, read_pairs, read_points
from deepreg_engine.geometry.transform_files import read_transform
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.jobs.label_pairs import joined
from deepreg_engine.jobs.request import Request
from deepreg_engine.methods.base import Inputs, required
from deepreg_engine.methods.common.lengths import unit_note
from deepreg_engine.methods.common.place import check_place, misread_note
from deepreg_engine.metrics.overlap import shared_labels

# A linear transform with a smaller determinant is degenerate: the file is damaged.
_SMALLEST_DETERMINANT = 1e-6


def read_inputs(request: Request) -> Inputs:
    """Return the contents of all input files of a request.

    Raises:
        InputError: if a file cannot be used.
    """
    inputs, path = Inputs(), request.path
    if path("fixed"):
        with concerning("fixed"):
            fixed = read_volume(path("fixed"), "fixed image", inputs.notes)
            _note_labels(fixed, "fixed", inputs.notes)
            inputs.fixed = check_intensities(fixed, "fixed image", path("fixed"))
        with concerning("moving"):
            inputs.moving_original = read_volume(path("moving"), "moving image", inputs.notes)
            _note_labels(inputs.moving_original, "moving", inputs.notes)
            inputs.moving = check_intensities(inputs.moving_original, "moving image", path("moving"))
        note = unit_note(ImageGrid.of(inputs.fixed), ImageGrid.of(inputs.moving))
        inputs.notes += [note] if note else []
        inputs.fixed_mask = _mask(request, "fixed_mask", inputs.fixed, inputs.notes)
        inputs.moving_mask = _mask(request, "moving_mask", inputs.moving, inputs.notes)
    if path("fixed_points"):
        inputs.clouds = _cloud(request, "fixed", inputs.notes), _cloud(request, "moving", inputs.notes)
    inputs.guides = _landmarks(request, inputs, "guide", "{side}_landmarks")
    inputs.landmarks = _landmarks(request, inputs, "check", "test_{side}_landmarks")
    _read_labels(request, inputs)
    if path("warp_points"):
        with concerning("warp_points"):
            inputs.warp_points = read_points(path("warp_points"), "points to transform", inputs.notes)
    if request.initial:
        with concerning("initial"):
            inputs.initial = _initial(request.initial, inputs.notes)
    return inputs


def _mask(request: Request, name: str, image: sitk.Image, notes: list[str]) -> sitk.Image | None:
    if not request.path(name):
        return None
    with concerning(name):
        mask, note = read_mask(request.path(name), ImageGrid.of(image), name.replace("_", " "))
    notes += [note] if note else []
    return mask


def _cloud(request: Request, side: str, notes: list[str]) -> np.ndarray:
    name, options = f"{side}_points", request.options
    with concerning(name):
        return read_cloud(request.path(name), f"{side} points", options.source, options.source_spacing, notes)


def _landmarks(request: Request, inputs: Inputs, kind: str, option: str) -> PointPair | None:
    """Return the pairs of landmarks; ``kind``, and ``option`` with the side inserted, name them in notes and errors."""
    fixed, moving = (request.path(option.format(side=side)) for side in ("fixed", "moving"))
    if not (fixed and moving):
        return None
    pairs = read_pairs(fixed, moving, option, f"{kind} landmarks", inputs.notes)
    inputs.notes += check_place(f"{{side}} {kind} landmarks", [points.positions for points in pairs], (inputs.fixed, inputs.moving), option)
    if inputs.fixed is not None and inputs.moving is not None:
        note = misread_note(f"{kind} landmarks", [points.positions for points in pairs], inputs.images)
        inputs.notes += [note] if note else []
    return pairs


def _read_labels(request: Request, inputs: Inputs) -> None:
    path = request.path
    inputs.more_labels = [read_labels(file, "moving labels", inputs.notes) for file, _ in request.warp_labels]
    if path("moving_labels"):
        with concerning("moving_labels"):
            inputs.moving_labels = read_labels(path("moving_labels"), "moving labels", inputs.notes)
    if path("fixed_labels"):
        with concerning("fixed_labels"):
            fixed = read_labels(path("fixed_labels"), "fixed labels", inputs.notes)
        inputs.labels, names = joined(fixed, required(inputs.moving_labels, "moving labels"), inputs.notes)
        inputs.label_names = names or None
        shared_labels(*inputs.labels)  # raises an error before the run if the maps have no common label
    if path("label_names"):
        with concerning("label_names"):
            inputs.label_names = read_label_names(path("label_names"))


def _note_labels(image: sitk.Image, side: str, notes: list[str]) -> None:
    """Add a note if an image seems to be a label map."""
    note = label_note(image, f"{side} image")
    notes += [note] if note else []


def _initial(path: str, notes: list[str]) -> sitk.Transform:
    transform = read_transform(path, "initial transform", notes)
    matrix = linear_matrix(transform)
    if matrix is not None and abs(np.linalg.det(matrix)) < _SMALLEST_DETERMINANT:
        raise InputError(f"the initial transform {path} maps all points onto a plane", "compute it again", "initial")
    return transform
