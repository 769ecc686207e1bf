"""One run of the Points method: keypoints of images, the registration of the points, and a refinement by the Dense method."""

from __future__ import annotations

import csv
import dataclasses
import io

import numpy as np
import SimpleITK as sitk

from deepreg_engine.arrays import tensor_of
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.geometry.point_clouds import checked_clouds
from deepreg_engine.geometry.point_readings import check_place
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.methods.base import Inputs, Result, Task, required
from deepreg_engine.methods.common.affine import Alignment, orientation_notes
from deepreg_engine.methods.common.expected_error import ExpectedError, add_expected_error
from deepreg_engine.methods.common.lengths import with_factor
from deepreg_engine.methods.dense.presets import dense_preset
from deepreg_engine.methods.points.error_predictors import expected_error, map_grid
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.presets import POINTS_PRESETS
from deepreg_engine.methods.points.register import register_points
from deepreg_engine.methods.points.result import PointsResult
from deepreg_engine.progress import Progress, RunControl
from deepreg_engine.solvers.neighbours import nearest

Clouds = tuple[np.ndarray, np.ndarray]

# Lengths, mm, for a length scale of 1. Without images the field's grid is the bounding box of both clouds with a margin; its spacing, and
# its largest number of voxels.
_MARGIN, _STEP = 20.0, 2.0
_VOXELS = 8_000_000
# Capture range of the refinement: the points align the images to a few millimetres.
_REFINED_RANGE = 12.0
# Fewer keypoints of an image are noted.
_FEW = 50
# Points for which the distance to the nearest other one is computed.
_SOME = 2000
# Correspondences with a higher confidence count as confident in the report.
_CONFIDENT = 0.5
# Outputs that need no displacement field.
_OF_POINTS = ("correspondences", "fixed_keypoints", "moving_keypoints", "moved_points", "warped_points")


def run(task: Task, progress: Progress) -> Result:
    """Register the points of a task, see :meth:`deepreg_engine.methods.base.Method.register`."""
    task = dataclasses.replace(task, parameters=with_factor(task.parameters, POINTS_PRESETS, task.inputs.fixed_side))
    inputs, options, scale = task.inputs, task.options, task.parameters.length_scale
    clouds = inputs.clouds or _keypoints(task, progress)
    fixed, moving, initial, notes = checked_clouds(*clouds, task.parameters.initial, options.thin)
    notes = [*notes, *check_place("points", (fixed, moving), inputs.known_grids)]
    parameters = task.parameters.replaced({"initial": initial})
    first, last = (0.05 if inputs.clouds else 0.25), (0.5 if options.refine else 0.9)
    control, grid = task.control or RunControl(), _grid(inputs, fixed, moving, scale)

    def report(share: float, stage: str) -> None:
        progress(first + (last - first) * share, stage)

    found = register_points(fixed, moving, parameters, task.device, report, control, grid)
    progress(last, "computing the displacement field")
    matrix = sitk.AffineTransform(found.alignment[:3, :3].ravel().tolist(), found.alignment[:3, 3].tolist())
    if inputs.fixed is not None:
        notes += orientation_notes(*inputs.images, matrix, inputs.fixed_mask, inputs.moving_mask)
    result = Result(
        field=found.field(grid) if _needs_field(task) else None,
        alignment=Alignment(matrix, initial),
        stages=found.stages,
        seconds=dict(found.seconds),
        notes=[*notes, *found.notes],
        device=found.device,
        features=found.features,
        map_points=found.map_points,
        expected_error=_expected_error(inputs, found, (fixed, moving), parameters, grid),
        details={"points": _figures(found, (fixed, moving))},
        stopped=found.stopped,
    )
    if options.refine and control.finishing:
        result.stopped = result.stopped or "the registration of the points"
    elif options.refine:
        _refine(task, result, lambda share, stage: progress(last + (0.95 - last) * share, stage))
    add_expected_error(task, result)
    map_points = required(result.map_points, "map of points")
    moved = map_points(fixed)
    result.products.update(
        fixed_keypoints=PointSet(fixed),
        moving_keypoints=PointSet(moving),
        moved_points=PointSet(moved),
        correspondences=_correspondences((fixed, moving), moved, found),
    )
    if inputs.warp_points is not None:
        points = inputs.warp_points
        result.products["warped_points"] = PointSet(map_points(points.positions), points.labels)
    return result


def _keypoints(task: Task, progress: Progress) -> Clouds:
    """Return the keypoints of both images."""
    from deepreg_engine.methods.common.device import choose_device
    from deepreg_engine.methods.points.keypoints import image_keypoints

    inputs = task.inputs
    device, _ = choose_device(task.device)
    found, masks = [], (inputs.fixed_mask, inputs.moving_mask)
    for number, (image, mask, side) in enumerate(zip(inputs.images, masks, ("fixed", "moving"), strict=True)):
        progress(0.05 + 0.1 * number, f"finding keypoints of the {side} image")
        found.append(image_keypoints(image, mask, task.parameters, f"{side} image", device)[0])
        if mask is None and number == 0:
            inputs.notes.append("keypoints were detected in the whole image; a mask of the organ improves them")
        if len(found[number]) < min(_FEW, task.parameters.keypoint_count):
            inputs.notes.append(f"the {side} image has too few keypoints to show a deformation reliably: {len(found[number])}")
    return found[0], found[1]


def _needs_field(task: Task) -> bool:
    inputs = task.inputs
    return bool(task.outputs.difference(_OF_POINTS) or inputs.more_labels or inputs.labels or inputs.landmarks or task.options.refine)


def _grid(inputs: Inputs, fixed: np.ndarray, moving: np.ndarray, scale: float) -> ImageGrid:
    """Return the fixed image's grid; without images, one that covers both clouds."""
    if inputs.fixed is not None:
        return ImageGrid.of(inputs.fixed)
    both = np.concatenate([fixed, moving])
    low, high = both.min(0) - scale * _MARGIN, both.max(0) + scale * _MARGIN
    return ImageGrid.around(low, high, max(scale * _STEP, float((np.prod(high - low) / _VOXELS) ** (1 / 3))))


def _expected_error(inputs: Inputs, found: PointsResult, clouds: Clouds, parameters: PointsParameters, grid: ImageGrid) -> ExpectedError:
    """Return the expected error on a coarse grid, and which of its points belong to the body: the fixed mask, if there is one."""
    grid = map_grid(grid, parameters.length_scale)
    inside = None
    if inputs.fixed_mask is not None:
        inside = sitk.GetArrayFromImage(resample(inputs.fixed_mask, grid, None, "nearest", 0.0)) > 0
    return expected_error(clouds, found, parameters, grid, inside)


def _refine(task: Task, result: Result, progress: Progress) -> None:
    """Replace the field of a result by that of the Dense method, which starts from it."""
    from deepreg_engine.methods.common.image_pair import ImagePair
    from deepreg_engine.methods.dense.register import register_dense

    inputs, preset = task.inputs, task.options.refine_preset
    parameters = dense_preset(preset).parameters.replaced({"capture_range": _REFINED_RANGE, "length_scale": task.parameters.length_scale})
    start = Alignment(result.displacements.to_transform(), "points")
    pair = ImagePair(*inputs.images, inputs.fixed_mask, inputs.moving_mask, None, start)
    refined = register_dense(pair, parameters, task.device, progress, control=task.control)
    field, outside = refined.displacements, required(result.map_points, "map of points")

    def map_points(points: np.ndarray) -> np.ndarray:
        # The refinement is known on the images' grid only; outside, the map of the points continues.
        inside = field.grid.contains(points)
        return np.where(inside[:, None], field.map_points(points), outside(points))

    result.field, result.map_points, result.expected_error = field, map_points, refined.expected_error
    result.notes += refined.notes
    result.stopped = refined.stopped
    result.details["refinement"] = {
        "preset": preset,
        "parameters": parameters.to_dict(),
        "stages": refined.stages,
        "seconds": refined.seconds,
    }


def _figures(found: PointsResult, clouds: Clouds) -> dict:
    """Return the section "points" of the report."""
    distance = np.linalg.norm(found.moved - clouds[1][found.partners], axis=1)
    return {
        "fixed": len(clouds[0]),
        "moving": len(clouds[1]),
        "confident_share": float((found.confidence > _CONFIDENT).mean()),
        "median_confidence": float(np.median(found.confidence)),
        "median_distance_to_partner_mm": float(np.median(distance)),
        "moving_spacing_mm": _spacing(clouds[1]),
        "sigma_mm": found.sigma,
    }


def _spacing(points: np.ndarray) -> float:
    """Return the median distance of points (N, 3) to the nearest other one, mm, from at most :data:`_SOME` of them."""
    every, some = tensor_of(points), tensor_of(points[:: 1 + len(points) // _SOME])
    two = nearest(some, every, 2)
    return float((some[:, None] - every[two]).norm(dim=2).max(1).values.median())


def _correspondences(clouds: Clouds, moved: np.ndarray, found: PointsResult) -> str:
    """Return CSV text: fixed point, moved point and partner, LPS mm, and confidence of each correspondence."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([f"{part}_{axis}" for part in ("fixed", "moved", "partner") for axis in "xyz"] + ["confidence"])
    rows = np.column_stack([clouds[0], moved, clouds[1][found.partners], found.confidence])
    writer.writerows([[f"{value:.6f}" for value in row[:-1]] + [f"{row[-1]:.4f}"] for row in rows])
    return stream.getvalue()
