"""A registered pair at coarse resolution, on which the checks of the verdict compare the images. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

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
        moving: values of the moving image under no transform ("start"), the "alignment" alone if it is known, and the whole "result"
            (z, y, x).
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
    alignment: sitk.Transform | None,
) -> CoarsePair:
    """Return a registered pair at coarse resolution.

    Args:
        images: fixed and moving, 3D float32.
        masks: of the images, on their grids.
        field: the result, from fixed to moving points.
        alignment: the transform before the deformation; None if it is not known.
    """
    spacing = float(np.prod(ImageGrid.of(images[0]).extent) / _VOXELS) ** (1 / 3)
    fixed, moving = (downsampled(without_outliers(image), spacing) for image in images)
    grid, array = ImageGrid.of(fixed), sitk.GetArrayFromImage(fixed)
    seen = foreground(array.astype(np.float64))
    body = np.ones(array.shape, bool) if seen is None else seen
    if masks[0] is not None:
        within = sitk.GetArrayFromImage(resample(masks[0], grid, interpolation="nearest")) > 0
        body = within if not (body & within).any() else body & within
    known = ImageGrid.of(images[1]).to_image(np.ones(ImageGrid.of(images[1]).shape, np.uint8)) if masks[1] is None else masks[1]
    background = float(sitk.GetArrayViewFromImage(moving).min())
    coarse = field.resampled(grid)
    moved = float(np.median(coarse.lengths()[body]))
    transforms: dict[str, sitk.Transform | None] = {"start": None, "result": coarse.to_transform()}
    if alignment is not None:
        transforms["alignment"] = alignment
    drawn = {name: sitk.GetArrayFromImage(resample(moving, grid, each, "linear", background)) for name, each in transforms.items()}
    inside = {name: sitk.GetArrayFromImage(resample(known, grid, each, "nearest")) > 0 for name, each in transforms.items()}
    return CoarsePair(grid, array, body, moved, drawn, inside)
