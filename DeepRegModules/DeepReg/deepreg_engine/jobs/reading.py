"""Reading the inputs of a registration."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError, concerning
from deepreg_engine.geometry.composition import linear_matrix
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_labels, read_mask
from deepreg_engine.geometry.label_pairs import joined
from deepreg_engine.geometry.point_clouds import read_cloud
from deepreg_engine.geometry.points import PointPair, read_points
from deepreg_engine.geometry.transform_files import read_transform
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.jobs.pair_files import read_image_pair, read_landmark_pair
from deepreg_engine.jobs.request import Request
from deepreg_engine.methods.base import Inputs, required
from deepreg_engine.methods.common.lengths import with_factor
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
        (_, inputs.moving_original), (inputs.fixed, inputs.moving) = read_image_pair(path("fixed"), path("moving"), inputs.notes)
        inputs.fixed_mask = _mask(request, "fixed_mask", inputs.fixed, inputs.notes)
        inputs.moving_mask = _mask(request, "moving_mask", inputs.moving, inputs.notes)
    if path("fixed_points"):
        inputs.clouds = _clouds(request, inputs)
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


def _clouds(request: Request, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Return both point clouds; the default distance of points that are sampled from label maps is multiplied by the length scale."""
    options, default = request.options, type(request.options)().source_spacing
    factor = 1.0 if inputs.fixed is None else _factor(request, ImageGrid.of(inputs.fixed))

    def spacing(positions: np.ndarray, voxel: float = 0.0) -> float:
        nonlocal factor
        if options.source_spacing != default:
            return options.source_spacing
        if inputs.fixed is None and not found:  # these are the fixed points, which give the factor where there is no image
            factor = _factor(request, positions)
        # Points that are nearer than two voxels show the steps between voxels.
        return max(factor, min(1.0, 2.0 * voxel / default)) * options.source_spacing

    found: list[np.ndarray] = []
    for side in ("fixed", "moving"):
        name = f"{side}_points"
        with concerning(name):
            cloud = read_cloud(request.path(name), f"{side} points", options.source, spacing, inputs.notes)
        if not found:
            spacing(cloud)
        found.append(cloud)
    return found[0], found[1]


def _factor(request: Request, fixed: ImageGrid | np.ndarray) -> float:
    """Return the length scale (:mod:`deepreg_engine.methods.common.lengths`) for a fixed image's grid or for fixed points (N, 3), mm."""
    return with_factor(request.parameters, request.method.presets, fixed).length_scale


def _landmarks(request: Request, inputs: Inputs, kind: str, option: str) -> PointPair | None:
    """Return the pairs of landmarks; ``kind``, and ``option`` with the side inserted, name them in notes and errors."""
    fixed, moving = (request.path(option.format(side=side)) for side in ("fixed", "moving"))
    return read_landmark_pair(fixed, moving, inputs.notes, (inputs.fixed, inputs.moving), f"{kind} landmarks", option)


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


def _initial(path: str, notes: list[str]) -> sitk.Transform:
    transform = read_transform(path, "initial transform", notes)
    matrix = linear_matrix(transform)
    if matrix is not None and abs(np.linalg.det(matrix)) < _SMALLEST_DETERMINANT:
        raise InputError(f"the initial transform {path} maps all points onto a plane", "compute it again", "initial")
    return transform
