"""Reading the inputs of a registration."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.composition import linear_matrix
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import check_intensities, read_labels, read_mask, read_volume
from deepreg_engine.geometry.point_clouds import read_cloud
from deepreg_engine.geometry.points import PointPair, read_pairs, read_points
from deepreg_engine.geometry.transform_files import read_transform
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.jobs.request import Request
from deepreg_engine.methods.base import Inputs, required
from deepreg_engine.methods.common.place import check_place
from deepreg_engine.metrics.overlap import shared_labels

# A linear transform with a smaller determinant is degenerate: the file is damaged.
_SMALLEST_DETERMINANT = 1e-6


def read_inputs(request: Request) -> Inputs:
    """The contents of all input files of a request.

    Raises:
        InputError: if a file cannot be used.
    """
    inputs, path = Inputs(), request.path
    if path("fixed"):
        inputs.fixed = check_intensities(read_volume(path("fixed"), "fixed image", inputs.notes), "fixed image", path("fixed"))
        inputs.moving_original = read_volume(path("moving"), "moving image", inputs.notes)
        inputs.moving = check_intensities(inputs.moving_original, "moving image", path("moving"))
        inputs.fixed_mask = _mask(path("fixed_mask"), inputs.fixed, "fixed mask", inputs.notes)
        inputs.moving_mask = _mask(path("moving_mask"), inputs.moving, "moving mask", inputs.notes)
    if path("fixed_points"):
        options = request.options
        fixed, moving = (
            read_cloud(path(f"{side}_points"), f"{side} points", options.source, options.source_spacing, inputs.notes)
            for side in ("fixed", "moving")
        )
        inputs.clouds = fixed, moving
    inputs.guides = _landmarks(request, inputs, "{side} guide landmarks", "{side}_landmarks")
    inputs.landmarks = _landmarks(request, inputs, "{side} check landmarks", "test_{side}_landmarks")
    _read_labels(request, inputs)
    if path("warp_points"):
        inputs.warp_points = read_points(path("warp_points"), "points to transform")
    if request.initial:
        inputs.initial = _initial(request.initial, inputs.notes)
    return inputs


def _mask(path: str, image: sitk.Image, role: str, notes: list[str]) -> sitk.Image | None:
    if not path:
        return None
    mask, note = read_mask(path, ImageGrid.of(image), role)
    notes += [note] if note else []
    return mask


def _landmarks(request: Request, inputs: Inputs, name: str, option: str) -> PointPair | None:
    """Pairs of landmarks; ``name`` and ``option``, with the side inserted, name them in notes and errors."""
    fixed, moving = (request.path(option.format(side=side)) for side in ("fixed", "moving"))
    if not (fixed and moving):
        return None
    pairs = read_pairs(fixed, moving, option.format(side="moving"))
    inputs.notes += check_place(name, [points.positions for points in pairs], (inputs.fixed, inputs.moving), option)
    return pairs


def _read_labels(request: Request, inputs: Inputs) -> None:
    if request.path("moving_labels"):
        inputs.moving_labels = read_labels(request.path("moving_labels"), "moving labels", inputs.notes)
    if request.path("fixed_labels"):
        inputs.labels = (
            read_labels(request.path("fixed_labels"), "fixed labels", inputs.notes),
            required(inputs.moving_labels, "moving labels"),
        )
        shared_labels(*inputs.labels)  # refuses maps without a common label before the run
    inputs.more_labels = [read_labels(path, "moving labels", inputs.notes) for path, _ in request.warp_labels]
    if request.path("label_names"):
        inputs.label_names = read_label_names(request.path("label_names"))


def _initial(path: str, notes: list[str]) -> sitk.Transform:
    transform = read_transform(path, "initial transform", notes)
    matrix = linear_matrix(transform)
    if matrix is not None and abs(np.linalg.det(matrix)) < _SMALLEST_DETERMINANT:
        raise InputError(f"the initial transform {path} maps all points onto a plane", "compute it again", "initial")
    return transform
