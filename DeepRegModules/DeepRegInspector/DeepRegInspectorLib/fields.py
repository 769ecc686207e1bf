"""Maps of the deformation beyond the alignment: length of the displacement and Jacobian determinant; inverse consistency."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from deepreg_engine.geometry.beyond import LinearPart
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.metrics.landmarks import summarize
from deepreg_slicer.beyond import Linear, linearPartOf
from deepreg_slicer.errors import NodeError
from deepreg_slicer.nrrd import Geometry
from DeepRegInspectorLib.mapping import FLIP, FixedToMoving, contains, gridOf, imageGrid, ownGrid

#: Maximal number of points at which a transform without a grid of its own is sampled.
MOST_SAMPLES = 2_000_000
_PIECE = 20_000
_SLAB = 200_000


@dataclass
class Maps:
    """A deformation on a grid.

    Args:
        geometry: the grid.
        lengths: of the displacement beyond the linear part (z, y, x), mm.
        jacobian: its determinant (z, y, x): 1 is no change of volume, 0 or less a fold.
        own: whether the grid is the transform's own.
        linear: the linear part.
        whole: of the whole transform: mean, percentile95 and max of its length, mm.
    """

    geometry: Geometry
    lengths: np.ndarray
    jacobian: np.ndarray
    own: bool
    linear: Linear
    whole: dict[str, float]

    @property
    def centre(self) -> np.ndarray:
        """Middle of the grid, RAS mm."""
        return FLIP * imageGrid(self.geometry).centre

    @property
    def volumeRatio(self) -> float:
        """Determinant of the linear part."""
        return float(np.linalg.det(self.linear.matrix[:3, :3]))

    @property
    def folded(self) -> int:
        """Number of voxels with a determinant of 0 or less."""
        return int(np.count_nonzero(self.jacobian <= 0.0))

    def figures(self) -> dict[str, Any]:
        """Return the figures as plain data: Jacobian and "displacement_mm" of the whole transform, "linear_part", and "deformation" beyond
        it."""
        jacobian = self.jacobian * self.volumeRatio
        return {
            "voxels": int(jacobian.size),
            "folded": self.folded,
            "folding_percent": 100.0 * self.folded / jacobian.size,
            "min_jacobian": float(jacobian.min()),
            "mean_jacobian": float(jacobian.mean(dtype=np.float64)),
            "max_jacobian": float(jacobian.max()),
            "displacement_mm": self.whole,
            "linear_part": {"source": self.linear.source, **self.linear.parts(self.centre).to_dict()},
            "deformation": {
                **_summary(self.lengths),
                "min_jacobian": float(self.jacobian.min()),
                "mean_jacobian": float(self.jacobian.mean(dtype=np.float64)),
                "max_jacobian": float(self.jacobian.max()),
            },
            "size": list(self.geometry.size),
            "spacing": [float(s) for s in self.geometry.spacing],
            "own_grid": self.own,
        }


def _summary(lengths: np.ndarray) -> dict[str, float]:
    """Return mean, 95th percentile and maximum of lengths, mm."""
    return {"mean": float(lengths.mean(dtype=np.float64)), "percentile95": float(np.percentile(lengths, 95)), "max": float(lengths.max())}


def mapsOf(transform: Any, fixed: Any) -> Generator[float, None, Maps]:
    """Compute displacement and Jacobian of a transform beyond its linear part: on its own grid, else on that of the fixed volume, coarser
    if that is large.

    Raises:
        NodeError: if it has neither, or cannot be evaluated everywhere.
    """
    own = ownGrid(transform)
    if own is not None:
        vectors, geometry = own
    else:
        if fixed is None:
            raise NodeError(
                _("the transform {name} has no grid of its own").format(name=transform.GetName()), _("choose the fixed volume"), "fixed"
            )
        geometry = coarser(gridOf(fixed), MOST_SAMPLES)
        vectors = yield from _sampled(transform, geometry)
    if not np.isfinite(vectors).all():
        raise NodeError(_("the transform {name} cannot be evaluated everywhere").format(name=transform.GetName()), _("choose another"))
    linear = linearPartOf(transform, geometry)
    if linear is None:
        raise NodeError(_("the transform {name} cannot be inverted").format(name=transform.GetName()), _("choose another"))
    part = LinearPart(np.diag([*FLIP, 1.0]) @ linear.matrix @ np.diag([*FLIP, 1.0]), linear.source)
    grid = imageGrid(geometry)
    depth = grid.shape[0]
    lengths, jacobian, whole = (np.empty(grid.shape, dtype=np.float32) for _number in range(3))
    step = max(1, _SLAB // (grid.shape[1] * grid.shape[2]))
    for start in range(0, depth, step):
        stop = min(start + step, depth)
        low, high = max(start - 1, 0), min(stop + 1, depth)
        slab = np.moveaxis(vectors[low:high] * FLIP, -1, 0)
        total = DisplacementField(slab, grid.cropped((0, 0, low), (*grid.size[:2], high)))
        field = part.beyond(total)
        whole[start:stop] = total.lengths()[start - low : stop - low]
        jacobian[start:stop] = field.jacobian_determinant()[start - low : stop - low]
        lengths[start:stop] = field.lengths()[start - low : stop - low]
        yield stop / depth
    return Maps(geometry, lengths, jacobian, own is not None, linear, _summary(whole))


def figuresOf(transform: Any, fixed: Any) -> dict[str, Any]:
    """Return the figures of a transform, see :meth:`Maps.figures` and :func:`mapsOf`; waits for them."""
    work = mapsOf(transform, fixed)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value.figures()


def _sampled(transform: Any, geometry: Geometry) -> Generator[float, None, np.ndarray]:
    mapping, matrix = FixedToMoving(transform), geometry.ijkToRas()
    vectors = np.empty((geometry.voxels, 3), dtype=np.float32)
    for start in range(0, geometry.voxels, _PIECE):
        number = np.arange(start, min(start + _PIECE, geometry.voxels))
        points = np.stack(np.unravel_index(number, geometry.size, order="F"), axis=1) @ matrix[:3, :3].T + matrix[:3, 3]
        vectors[number] = mapping(points) - points
        yield start / geometry.voxels
    return vectors.reshape(*geometry.size[::-1], 3)


def coarser(geometry: Geometry, most: int) -> Geometry:
    """Return a grid over the same region with at most ``most`` voxels."""
    if geometry.voxels <= most:
        return geometry
    extent = np.array(geometry.spacing) * (np.array(geometry.size) - 1)
    step = np.maximum(np.array(geometry.spacing), 1e-6)
    while True:
        size = np.maximum(2, np.ceil(extent / step - 1e-6).astype(int) + 1)
        if np.prod(size, dtype=np.int64) <= most:
            break
        step = np.where(step <= step.min() * 1.0001, step * 1.1, step)  # the finest axis first, so that voxels become more isotropic
    centre = np.array(geometry.origin) + geometry.direction @ (extent / 2.0)
    spacing = extent / (size - 1)
    origin = centre - geometry.direction @ (extent / 2.0)
    return Geometry(tuple(size.tolist()), tuple(spacing.tolist()), tuple(origin.tolist()), geometry.direction)


def asImage(array: np.ndarray) -> vtk.vtkImageData:
    """Return an array (z, y, x) as image data without a geometry."""
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    return image


def probe(mapping: FixedToMoving, point: np.ndarray, linear: Linear | None = None, step: float = 1.0) -> tuple[np.ndarray, float]:
    """Return the displacement (3,), RAS mm, beyond a linear part, and its Jacobian determinant at a fixed point; without a linear part
    those of the whole transform."""
    point = np.asarray(point, dtype=np.float64)
    determinant = float(np.linalg.det(mapping.linear(point, step)))
    moved = mapping(point[None])[0]
    if linear is None:
        return moved - point, determinant
    return linear.beyond(point, moved), determinant / float(np.linalg.det(linear.matrix[:3, :3]))


def inverseConsistency(forward: Any, backward: Any, fixed: Any, most: int = 200_000) -> dict[str, Any]:
    """Measure the inverse consistency of two transforms at the voxels of the fixed volume, mm.

    Args:
        forward: transform node that aligns the moving volume with the fixed one.
        backward: transform node of the other direction.
        fixed: volume whose voxels are tested.

    Returns:
        "points" and "outside": number of points that were measured, and that leave the grid of the inverse; "mean", "median",
        "percentile95" and "max" of their distances from themselves, mm.
    """
    geometry = coarser(gridOf(fixed), most)
    index = np.stack(np.unravel_index(np.arange(geometry.voxels), geometry.size, order="F"), axis=1)
    matrix = geometry.ijkToRas()
    points = index @ matrix[:3, :3].T + matrix[:3, 3]
    there = FixedToMoving(forward)(points)
    own = ownGrid(backward)
    inside = contains(own[1], there) if own is not None else np.ones(len(points), dtype=bool)
    if not inside.any():
        raise NodeError(_("the two transforms have no region in common"), _("choose the inverse that belongs to the transform"), "inverse")
    found = summarize(FixedToMoving(backward)(there[inside]) - points[inside])
    figures = {key: found[key] for key in ("mean", "median", "percentile95", "max")}
    return {"points": found["count"], "outside": int((~inside).sum()), **figures}
