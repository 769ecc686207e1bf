"""A dense displacement field, the result of every registration.

Contract: a fixed point x maps to the moving point ``x + u(x)``; u is in millimetres along the LPS axes, whatever the
direction of the grid. This is ITK's resampling direction, so an image is warped by sampling the moving image there.

Between voxel centres u is interpolated linearly; outside the grid it is zero. Both hold for ITK's ``DisplacementFieldTransform`` too, so
that SimpleITK, ANTs and this class map every point alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample

# Slabs of about this many voxels bound the temporary memory of point-wise work on large grids.
_SLAB_VOXELS = 2_000_000
# A voxel has nine derivatives: slabs this small stay in the cache.
_DERIVATIVE_SLAB_VOXELS = 100_000


@dataclass(frozen=True)
class Statistics:
    """Length of the displacement over the grid, mm."""

    mean: float
    median: float
    percentile95: float
    maximum: float


class DisplacementField:
    """Displacements in LPS millimetres on an :class:`ImageGrid`.

    Args:
        vectors: (3, z, y, x), components in the order x, y, z; kept as float32.
        grid: the voxel centres at which they are sampled.

    Raises:
        InputError: if a displacement is not finite.
    """

    def __init__(self, vectors: np.ndarray, grid: ImageGrid) -> None:
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if vectors.shape != (3, *grid.shape):
            raise ValueError(f"displacements of shape {vectors.shape} do not fit a grid of shape {grid.shape}")
        if not np.isfinite(vectors).all():
            raise InputError("the displacement field holds values that are not finite", "compute it again")
        self.vectors = vectors
        self.grid = grid

    # ------------------------------------------------------------- conversions

    @classmethod
    def zeros(cls, grid: ImageGrid) -> DisplacementField:
        """Return a field of zeros, the identity."""
        return cls(np.zeros((3, *grid.shape), dtype=np.float32), grid)

    @classmethod
    def from_transform(cls, transform: sitk.Transform, grid: ImageGrid) -> DisplacementField:
        """Return a SimpleITK transform, sampled at the voxels of a grid."""
        image = sitk.TransformToDisplacementField(transform, sitk.sitkVectorFloat32, grid.size, grid.origin, grid.spacing, grid.direction)
        return cls.from_image(image)

    @classmethod
    def from_image(cls, image: sitk.Image) -> DisplacementField:
        """Return the field that a 3D SimpleITK image with three components (LPS mm) holds.

        Raises:
            InputError: if it is not 3D or has another number of components.
        """
        if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 3:
            raise InputError("a displacement field is a 3D image with three components")
        return cls(np.moveaxis(sitk.GetArrayViewFromImage(image), -1, 0), ImageGrid.of(image))

    def to_image(self) -> sitk.Image:
        """Return a SimpleITK image of three float components, LPS mm."""
        return self.grid.to_image(np.ascontiguousarray(np.moveaxis(self.vectors, 0, -1)), vector=True)

    def to_transform(self) -> sitk.DisplacementFieldTransform:
        """Return the same mapping as a SimpleITK transform."""
        return sitk.DisplacementFieldTransform(sitk.Cast(self.to_image(), sitk.sitkVectorFloat64))

    def resampled(self, grid: ImageGrid) -> DisplacementField:
        """Return the field on another grid: linear interpolation, and nearest-neighbour extrapolation beyond its own grid.

        A registration computes on a working grid that may end a fraction of a voxel before the image does; extrapolation avoids a step
        there.
        """
        if grid.same_as(self.grid, 1e-6):
            return self
        resampler = sitk.ResampleImageFilter()
        resampler.SetSize(grid.size)
        resampler.SetOutputSpacing(grid.spacing)
        resampler.SetOutputOrigin(grid.origin)
        resampler.SetOutputDirection(grid.direction)
        resampler.SetInterpolator(sitk.sitkLinear)
        resampler.SetUseNearestNeighborExtrapolator(True)
        return DisplacementField.from_image(resampler.Execute(self.to_image()))

    # ----------------------------------------------------------------- mapping

    def at(self, points: np.ndarray, extend: bool = False) -> np.ndarray:
        """Return displacements (N, 3), mm, at LPS points (N, 3), mm.

        Args:
            points: where to evaluate the field.
            extend: whether to extrapolate with the nearest displacement outside the grid, instead of zero.
        """
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        values = sample_linear(self.vectors, self.grid.physical_to_index(points))
        if not extend:
            values[~self.grid.contains(points)] = 0.0
        return values

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Map fixed LPS points (N, 3), mm, to their moving points (N, 3)."""
        return np.asarray(points, dtype=np.float64).reshape(-1, 3) + self.at(points)

    def warp_image(self, moving: sitk.Image, interpolation: str = "linear", default: float = 0.0) -> sitk.Image:
        """Return the moving image resampled onto the field's grid.

        Args:
            moving: a 3D image.
            interpolation: "linear", "cubic", or "nearest" for labels.
            default: value outside the moving image.
        """
        return resample(moving, self.grid, self.to_transform(), interpolation, default)

    def then(self, second: DisplacementField) -> DisplacementField:
        """Return the composition x -> second(self(x)), on this field's grid: u1(x) + u2(x + u1(x))."""
        vectors = np.empty_like(self.vectors)
        for part, points in self._slabs():
            first = np.moveaxis(self.vectors[:, part], 0, -1).reshape(-1, 3)
            total = first + second.at(points + first)
            vectors[:, part] = np.moveaxis(total.reshape(-1, *self.grid.shape[1:], 3), -1, 0)
        return DisplacementField(vectors, self.grid)

    # --------------------------------------------------------------- measuring

    def jacobian_determinant(self) -> np.ndarray:
        """Return the determinant of d(x + u)/dx (z, y, x), the local change of volume: 1 without a change, 0 or less at a fold.

        Derivatives are central differences (one-sided at the faces) along the axes of the grid, converted to LPS by the direction matrix.
        ITK's own filter leaves out that matrix, and is wrong on oblique grids.
        """
        to_physical = self.grid.index_to_physical_matrix
        scale = float(1.0 / np.linalg.det(to_physical))
        determinant = np.empty(self.grid.shape, dtype=np.float32)
        depth = self.grid.shape[0]
        for part in self._slab_slices(_DERIVATIVE_SLAB_VOXELS):
            start, stop = max(part.start - 1, 0), min(part.stop + 1, depth)
            gradient = index_gradient(self.vectors[:, start:stop], np.float32)[:, :, part.start - start : part.stop - start]
            # d (x + u)_c / d x_a = sum_b (P_cb + d u_c / d index_b) (P^-1)_ba, and the determinant of P^-1 is a factor.
            gradient += to_physical.astype(np.float32)[:, :, None, None, None]
            np.multiply(_determinant(gradient), scale, out=determinant[part])
        return determinant

    def lengths(self) -> np.ndarray:
        """Return the length of the displacement (z, y, x), mm."""
        return np.sqrt(np.einsum("czyx,czyx->zyx", self.vectors, self.vectors))

    def statistics(self) -> Statistics:
        """Return mean, median, 95th percentile and maximum of the displacement's length, mm."""
        lengths = self.lengths()
        median, percentile95 = np.percentile(lengths, [50, 95])
        return Statistics(float(lengths.mean(dtype=np.float64)), float(median), float(percentile95), float(lengths.max()))

    # ------------------------------------------------------------------- slabs

    def _slab_slices(self, voxels: int = _SLAB_VOXELS) -> Iterator[slice]:
        step = max(1, voxels // max(1, self.grid.shape[1] * self.grid.shape[2]))
        for start in range(0, self.grid.shape[0], step):
            yield slice(start, min(start + step, self.grid.shape[0]))

    def _slabs(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield the slabs of slices, each with the LPS points (N, 3) of its voxels."""
        for part in self._slab_slices():
            slab = self.grid.cropped((0, 0, part.start), (*self.grid.size[:2], part.stop))
            yield part, slab.points().reshape(-1, 3)


def sample_linear(volume: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return trilinear values (N, C) of a volume (C, z, y, x) at continuous indices (N, 3), x, y, z; clamped to the faces."""
    from scipy import ndimage  # here: its import takes a third of a second, which commands without points avoid

    coordinates = np.ascontiguousarray(np.asarray(index)[:, ::-1].T)
    values = np.empty((coordinates.shape[1], volume.shape[0]), dtype=np.float64)
    for channel in range(volume.shape[0]):
        ndimage.map_coordinates(volume[channel], coordinates, output=values[:, channel], order=1, mode="nearest")
    return values


def index_gradient(vectors: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """Return derivatives (3, 3, z, y, x) of vectors (3, z, y, x): [component, index axis x, y, z], per voxel."""
    gradient = np.zeros((3, 3, *vectors.shape[1:]), dtype=dtype)
    vectors = vectors.astype(dtype, copy=False)
    for axis in range(3):
        if vectors.shape[3 - axis] > 1:
            gradient[:, axis] = np.gradient(vectors, axis=3 - axis)
    return gradient


def _determinant(matrices: np.ndarray) -> np.ndarray:
    """Return the determinants of matrices (3, 3, ...), by the rule of Sarrus, which is faster than LAPACK for millions of them."""
    (a, b, c), (d, e, f), (g, h, i) = matrices
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
