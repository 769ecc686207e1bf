"""The grid of voxel centres of an image in patient space.

Contract: ``physical = origin + direction @ (spacing * index)``, index in the order x, y, z, physical in LPS mm. Arrays
over a grid have the shape (z, y, x), x fastest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from deepreg_engine.errors import InputError

if TYPE_CHECKING:  # panels plan registrations on grids; loading SimpleITK would delay their opening
    import SimpleITK as sitk

# ITK refuses directions that deviate more from orthonormal; files written in single precision deviate less.
_ORTHONORMAL_TOLERANCE = 1e-3


@dataclass(frozen=True)
class ImageGrid:
    """A regular, possibly oblique grid of voxel centres.

    Args:
        size: number of voxels along x, y, z.
        spacing: distance of neighbouring voxel centres along the grid's axes, mm.
        origin: centre of the first voxel, LPS mm.
        direction: 3x3, its columns are the grid's axes in LPS; orthonormal, of either handedness.

    Raises:
        InputError: if a size or spacing is not positive, the origin not finite, or the direction not orthonormal.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        freeze = object.__setattr__
        freeze(self, "size", tuple(int(n) for n in self.size))
        freeze(self, "spacing", tuple(float(s) for s in self.spacing))
        freeze(self, "origin", tuple(float(o) for o in self.origin))
        freeze(self, "direction", tuple(float(d) for d in np.asarray(self.direction, dtype=np.float64).ravel()))
        if [len(values) for values in (self.size, self.spacing, self.origin, self.direction)] != [3, 3, 3, 9]:
            raise InputError("a grid needs three sizes, spacings and origins and a 3x3 direction")
        if min(self.size) < 1:
            raise InputError(f"a grid of {self.size} voxels is empty")
        if not (np.all(np.isfinite(self.spacing)) and min(self.spacing) > 0):
            raise InputError(f"the voxel spacing {self.spacing} mm is not positive")
        if not np.all(np.isfinite(self.origin)):
            raise InputError(f"the origin {self.origin} mm is not finite")
        axes = self.axes
        if not np.allclose(axes.T @ axes, np.eye(3), atol=_ORTHONORMAL_TOLERANCE):
            raise InputError("the direction matrix is not orthonormal", "resample the image to orthogonal axes first")

    # ------------------------------------------------------------- other grids

    @classmethod
    def of(cls, image: sitk.Image) -> ImageGrid:
        """Return the grid of a 3D SimpleITK image."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    @classmethod
    def around(cls, lower: np.ndarray, upper: np.ndarray, spacing: float) -> ImageGrid:
        """Return the axis-aligned grid of the given spacing (mm) that covers the box from lower to upper (LPS mm)."""
        lower, upper = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
        size = np.maximum(np.ceil((upper - lower) / spacing - 1e-9).astype(int) + 1, 2)
        origin = (lower + upper) / 2 - spacing * (size - 1) / 2
        return cls(triple(size), (spacing, spacing, spacing), triple(origin))

    def resampled(self, spacing: ArrayLike) -> ImageGrid:
        """Return the grid at another spacing (mm, one for all axes or one each), with the same axes and centre, covering at least as
        much."""
        spacing = np.broadcast_to(np.asarray(spacing, dtype=np.float64), 3)
        reach = np.array(self.spacing) * (np.array(self.size) - 1)
        size = np.ceil(reach / spacing - 1e-6).astype(int) + 1
        return self._centred(np.maximum(size, 2), spacing)

    def padded(self, voxels: ArrayLike) -> ImageGrid:
        """Return the grid with that many more voxels at both ends of each axis, fewer if negative; one number or one per axis."""
        pad = np.broadcast_to(np.asarray(voxels, dtype=int), 3)
        return self._centred(np.array(self.size) + 2 * pad, np.array(self.spacing))

    def cropped(self, start: ArrayLike, stop: ArrayLike) -> ImageGrid:
        """Return the part from index ``start`` up to, but not including, ``stop`` (x, y, z)."""
        start, stop = np.asarray(start, dtype=int), np.asarray(stop, dtype=int)
        origin = self.index_to_physical(start[None].astype(np.float64))[0]
        return ImageGrid(triple(stop - start), self.spacing, triple(origin), self.direction)

    def _centred(self, size: np.ndarray, spacing: np.ndarray) -> ImageGrid:
        origin = self.centre - self.axes @ (spacing * (size - 1) / 2)
        return ImageGrid(triple(size), triple(spacing), triple(origin), self.direction)

    def to_image(self, array: np.ndarray, vector: bool = False) -> sitk.Image:
        """Return a SimpleITK image of an array over this grid: (z, y, x), or (z, y, x, components) with ``vector``."""
        if array.shape[:3] != self.shape:
            raise ValueError(f"an array of shape {array.shape} does not fit a grid of shape {self.shape}")
        import SimpleITK as sitk

        image = sitk.GetImageFromArray(array, isVector=vector)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    # --------------------------------------------------------------- measuring

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an array over the grid: (z, y, x)."""
        x, y, z = self.size
        return z, y, x

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.size, dtype=np.int64))

    @property
    def axes(self) -> np.ndarray:
        """The direction as a 3x3 array; its columns are the axes x, y, z of the grid in LPS."""
        return np.array(self.direction).reshape(3, 3)

    @property
    def index_to_physical_matrix(self) -> np.ndarray:
        """The matrix (3, 3) that converts a step in voxels to a step in LPS mm: direction times spacing."""
        return self.axes * np.array(self.spacing)

    @property
    def centre(self) -> np.ndarray:
        """Middle of the grid, LPS mm."""
        middle = (np.array(self.size) - 1) / 2
        return np.array(self.origin) + self.index_to_physical_matrix @ middle

    @property
    def extent(self) -> np.ndarray:
        """Lengths of the field of view along the grid's axes, mm, from face to face."""
        return np.array(self.size) * np.array(self.spacing)

    def index_to_physical(self, index: np.ndarray) -> np.ndarray:
        """Convert continuous indices (N, 3), x, y, z, to LPS points (N, 3) in mm."""
        return np.asarray(index, dtype=np.float64) @ self.index_to_physical_matrix.T + np.array(self.origin)

    def physical_to_index(self, points: np.ndarray) -> np.ndarray:
        """Convert LPS points (N, 3) in mm to continuous indices (N, 3), x, y, z."""
        offset = np.asarray(points, dtype=np.float64) - np.array(self.origin)
        return offset @ np.linalg.inv(self.index_to_physical_matrix).T

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Return the mask (N,) of the LPS points (N, 3) inside the grid, as in ITK: indices from -1/2 up to, but not including, size -
        1/2."""
        index = self.physical_to_index(points)
        return np.all((index >= -0.5) & (index < np.array(self.size) - 0.5), axis=1)

    def corners(self) -> np.ndarray:
        """Return the eight outermost voxel centres (8, 3), LPS mm."""
        ends = [(0, n - 1) for n in self.size]
        index = np.array([(x, y, z) for z in ends[2] for y in ends[1] for x in ends[0]], dtype=np.float64)
        return self.index_to_physical(index)

    def points(self) -> np.ndarray:
        """Return all voxel centres (z, y, x, 3), LPS mm, double precision."""
        z, y, x = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in self.shape), indexing="ij")
        return self.index_to_physical(np.stack([x, y, z], axis=-1).reshape(-1, 3)).reshape(*self.shape, 3)

    def same_as(self, other: ImageGrid, tolerance: float = 1e-3) -> bool:
        """Return whether both have the same size and no corner differs by more than ``tolerance`` voxels."""
        if self.size != other.size:
            return False
        return bool(np.abs(self.physical_to_index(other.corners()) - self.physical_to_index(self.corners())).max() <= tolerance)

    def describe(self) -> str:
        """Return size and spacing as a short phrase for messages and reports."""
        size = " x ".join(str(n) for n in self.size)
        spacing = " x ".join(f"{s:.3g}" for s in self.spacing)
        return f"{size} voxels of {spacing} mm"

    def to_dict(self) -> dict:
        """Return size, spacing, origin and direction as lists, for a report."""
        return {"size": list(self.size), "spacing": list(self.spacing), "origin": list(self.origin), "direction": list(self.direction)}


def triple(values: Iterable[Any]) -> tuple[Any, Any, Any]:
    """Return three values as a tuple; raises ValueError for any other number."""
    x, y, z = values
    return x, y, z
