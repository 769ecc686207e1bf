"""The position of the slices that a report shows, found on a coarse version of the pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.beyond import LinearPart
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import background_value, resample
from deepreg_engine.reporting.grey import VISIBLE, Window, correlation, patient_mask, scaled

# Longest side of the coarse grid, voxels.
_COARSE = 72
# Standard deviation of the smoothing before the search for the largest deformation, mm.
_WIDTH = 12.0
#: Smaller displacements beyond the linear part count as no deformation, mm.
LEAST = 0.5
# Approximate number of voxels from which the centre of a region is estimated.
_ENOUGH = 1_000_000
# Below this correlation after the registration the images have different contrasts, and their difference is meaningless.
_SAME_CONTRAST = 0.5


@dataclass
class Coarse:
    """The pair on a coarse grid over the fixed image.

    Args:
        grid: where.
        fixed, after: grey values 0 to 1 (z, y, x), of the fixed and of the warped moving image.
        before: share of the fixed image that the moving one covers before the registration.
        tissue: region of the patient that both images cover.
    """

    grid: ImageGrid
    fixed: np.ndarray
    after: np.ndarray
    before: float
    tissue: np.ndarray

    @property
    def alike(self) -> bool:
        """True if the images have the same contrast, so that a difference of grey values is meaningful."""
        seen = self.tissue & (self.fixed > VISIBLE) & (self.after > VISIBLE)  # air around the patient is dark in all images
        return correlation(self.fixed[seen], self.after[seen]) > _SAME_CONTRAST


def coarse_view(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform, windows: tuple[Window, Window]) -> Coarse:
    """Resample both images to a coarse grid."""
    full = ImageGrid.of(fixed)
    size = np.maximum(1, np.ceil(full.extent / max(float(full.extent.max()) / _COARSE, min(full.spacing))).astype(int))
    spacing = full.extent / size
    origin = full.centre - full.axes @ (spacing * (size - 1) / 2)
    grid = ImageGrid(tuple(size), tuple(spacing), tuple(origin), full.direction)
    seen = scaled(drawn(fixed, grid, None), windows[0])
    after = scaled(drawn(moving, grid, transform), windows[1])
    tissue = patient_mask(seen) & covered(moving, grid, transform)
    if not tissue.any():
        tissue = np.ones_like(tissue)
    return Coarse(grid, seen, after, float(covered(moving, grid, None).mean()), tissue)


def drawn(image: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None) -> np.ndarray:
    """Resample an image to a grid (z, y, x), float32; background outside the image."""
    return sitk.GetArrayFromImage(resample(sitk.Cast(image, sitk.sitkFloat32), grid, transform, "linear", background_value(image)))


def covered(image: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None) -> np.ndarray:
    """Return which voxels of a grid (z, y, x) lie inside an image, through a transform."""
    points = grid.points().reshape(-1, 3)
    if transform is not None:
        points += np.moveaxis(DisplacementField.from_transform(transform, grid).vectors, 0, -1).reshape(-1, 3)
    return ImageGrid.of(image).contains(points).reshape(grid.shape)


def deformation_of(coarse: Coarse, transform: sitk.Transform, linear: LinearPart) -> np.ndarray:
    """Return the displacements (N, 3), mm, of the tissue beyond the linear part of a transform."""
    return linear.beyond(DisplacementField.from_transform(transform, coarse.grid)).vectors[:, coarse.tissue].T.astype(np.float64)


def point_of_interest(coarse: Coarse, deformation: np.ndarray, mask: sitk.Image | None) -> tuple[np.ndarray, str]:
    """Return the position of the slices, LPS mm (3,), and the reason.

    It is the centre of the mask if there is one, else the tissue with the largest deformation.

    Args:
        coarse: the pair.
        deformation: (N, 3), mm: displacements of the tissue beyond the linear part, see :func:`deformation_of`; if they are small, the
            centre of the tissue is used.
        mask: on the fixed image.
    """
    if mask is not None:
        return _middle(sitk.GetArrayViewFromImage(mask) != 0, ImageGrid.of(mask)), "the centre of the mask"
    lengths = np.zeros(coarse.grid.shape)
    lengths[coarse.tissue] = np.linalg.norm(deformation, axis=1)
    if lengths.max() <= LEAST:
        return _middle(coarse.tissue, coarse.grid), "the centre of the tissue"
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(lengths, [_WIDTH / s for s in coarse.grid.spacing[::-1]], mode="constant")
    most = np.unravel_index(np.where(coarse.tissue, smooth, -1.0).argmax(), smooth.shape)
    return coarse.grid.index_to_physical(np.array([most[::-1]]))[0], "the tissue with the largest deformation"


def _middle(inside: np.ndarray, grid: ImageGrid) -> np.ndarray:
    """Return the voxel of a region nearest to its centre, LPS mm."""
    number = np.flatnonzero(inside)
    number = number[:: 1 + len(number) // _ENOUGH]
    index = np.stack(np.unravel_index(number, inside.shape)[::-1], axis=1)
    nearest = index[np.linalg.norm((index - index.mean(axis=0)) * grid.spacing, axis=1).argmin()]
    return grid.index_to_physical(nearest[None])[0]
