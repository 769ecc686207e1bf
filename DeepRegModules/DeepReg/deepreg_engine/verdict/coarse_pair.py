"""A registered pair at coarse resolution, on which the checks of the verdict compare the images. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.features.local_match import trilinear
from deepreg_engine.geometry.body import foreground
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample, without_outliers
from deepreg_engine.methods.common.coarse import downsampled

# Number of voxels of the coarse grid; finer images than the pair's are not made.
_VOXELS = 30_000


@dataclass(frozen=True)
class CoarsePair:
    """Both images on a coarse grid of the fixed one.

    Args:
        grid: the coarse grid.
        fixed: values (z, y, x).
        body: where the fixed image shows the patient (z, y, x), bool; within the fixed mask if there is one.
        moving: values (z, y, x) of the moving image without a transform ("start"), under the "alignment" if it is known, and the "result".
        moved_mm: median length of the displacements in the body, mm.
        inside: where the moving image is known under each of them (z, y, x), bool.
    """

    grid: ImageGrid
    fixed: np.ndarray
    body: np.ndarray
    moved_mm: float
    moving: dict[str, np.ndarray]
    inside: dict[str, np.ndarray]


def coarse_pair(
    images: tuple[sitk.Image, sitk.Image],
    masks: tuple[sitk.Image | None, sitk.Image | None],
    field: DisplacementField,
    alignment: sitk.Transform | None = None,
) -> CoarsePair:
    """Return a registered pair at coarse resolution.

    Args:
        images: fixed and moving, 3D float32.
        masks: of the images, on their grids.
        field: the result, from fixed to moving points.
        alignment: the linear transform before the deformation.
    """
    spacing = float(np.prod(ImageGrid.of(images[0]).extent) / _VOXELS) ** (1 / 3)
    fixed, moving = (downsampled(without_outliers(image), spacing) for image in images)
    grid, array = ImageGrid.of(fixed), sitk.GetArrayFromImage(fixed)
    seen = foreground(array.astype(np.float64))
    body = np.ones(array.shape, bool) if seen is None else seen
    if masks[0] is not None:
        within = sitk.GetArrayFromImage(resample(masks[0], grid, interpolation="nearest")) > 0
        body = within if not (body & within).any() else body & within
    points = grid.points().reshape(-1, 3)
    coarse = DisplacementField(_vectors_at(field, points).T.reshape(3, *grid.shape).astype(np.float32), grid)
    background = float(sitk.GetArrayViewFromImage(moving).min())
    drawn, inside = {}, {}
    aligned = None if alignment is None else DisplacementField.from_transform(alignment, grid)
    for name, each in (("start", None), ("alignment", aligned), ("result", coarse)):
        if name == "alignment" and each is None:
            continue
        transform = None if each is None else each.to_transform()
        drawn[name] = sitk.GetArrayFromImage(resample(moving, grid, transform, "linear", background))
        targets = points if each is None else points + each.vectors.reshape(3, -1).T
        inside[name] = ImageGrid.of(images[1]).contains(targets).reshape(grid.shape)
        if masks[1] is not None:
            inside[name] &= sitk.GetArrayFromImage(resample(masks[1], grid, transform, "nearest")) > 0
    return CoarsePair(grid, array, body, float(np.median(coarse.lengths()[body])), drawn, inside)


def _vectors_at(field: DisplacementField, points: np.ndarray) -> np.ndarray:
    """Return displacements (N, 3) at points (N, 3), mm, zero outside the field.

    Only what is needed is read: resampling by SimpleITK copies the field, which takes seconds for a large one.
    """
    index = field.grid.physical_to_index(points)
    values = np.column_stack([trilinear(component, index)[0] for component in field.vectors])
    return np.where(field.grid.contains(points)[:, None], values, 0.0)
