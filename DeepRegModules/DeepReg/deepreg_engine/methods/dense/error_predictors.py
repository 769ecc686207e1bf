"""Measures from which the error of a run of the Dense method is predicted at the control points of its last refinement.

| predictor | what |
|---|---|
| search_deviation | standard deviation of the displacement in the last search, mm |
| refinement_shift | distance of the result from that of the searches, mm |
| last_update | length of the last Gauss-Newton update, mm |
| localisation | root of the trace of the inverse of H (:mod:`solvers.gauss_newton`), mm: the displacement at which the features |
|  | have changed by as much as unrelated points differ, in the direction in which they change least |
| localisation_around | the same of the mean H of 5^3 control points |
| residual, residual_around | squared difference of the features, relative to that of unrelated points; there, and of 5^3 control points |
| strain | Frobenius norm of the derivative of the displacement beyond the alignment |
| bending | second difference of the displacement between neighbouring control points, mm |
| mismatch | mean of the residual over the body |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from deepreg_engine.arrays import array_of, tensor_of
from deepreg_engine.geometry.image_grid import ImageGrid, triple
from deepreg_engine.geometry.sampling import sample
from deepreg_engine.methods.common.error_model import Predictors
from deepreg_engine.solvers.gauss_newton import at_controls, gather

# Added to the entries of H on its diagonal, per mm^2: features that change by less over a millimetre do not determine a position.
_NOTHING = 1e-5
# Control points whose mean describes the surroundings, along each axis.
_AROUND = 5


@dataclass
class Evidence:
    """The last Gauss-Newton step of the finest refinement.

    Args:
        grid: of the level.
        control: distance of its control points, voxels.
        system: H (6, Kz, Ky, Kx) of :func:`gauss_newton_step`.
        residual: mean squared difference of the features (z, y, x).
        weights: of the voxels (z, y, x).
        unit: squared difference of unrelated features.
        update: (3, z, y, x), voxels.
    """

    grid: ImageGrid
    control: int
    system: torch.Tensor
    residual: torch.Tensor
    weights: torch.Tensor
    unit: float
    update: torch.Tensor

    @property
    def control_grid(self) -> ImageGrid:
        """The control points."""
        return ImageGrid(
            triple(self.system.shape[:0:-1]), triple(self.control * s for s in self.grid.spacing), self.grid.origin, self.grid.direction
        )


def predictors(
    evidence: Evidence, field: torch.Tensor, searched: torch.Tensor, deviation: tuple[torch.Tensor, ImageGrid], inside: np.ndarray
) -> Predictors:
    """Return the predictors at the control points (Kz, Ky, Kx).

    Args:
        evidence: of the last refinement.
        field: the result (3, z, y, x), voxels of the finest level.
        searched: the field after the searches, on the same grid.
        deviation: standard deviation in the last search, mm, and its grid.
        inside: control points of the body.
    """
    control, voxel = evidence.control, evidence.grid.spacing[0]
    width = control * voxel
    information = evidence.system / width**2
    known = gather(evidence.weights[None], control).clamp(min=1e-6)
    # Voxels without a weight count as unrelated.
    residual = (gather((evidence.residual * evidence.weights)[None], control) / (known * evidence.unit))[0]
    residual = torch.where(known[0] > 0.05, residual, torch.ones_like(residual))
    result, difference = (at_controls(each, control) * voxel for each in (field, field - searched))
    lengths = (difference, at_controls(evidence.update, control) * voxel)
    values = {
        "search_deviation": _at(deviation, evidence.control_grid),
        "refinement_shift": lengths[0].norm(dim=0),
        "last_update": lengths[1].norm(dim=0),
        "localisation": localisation(information),
        "localisation_around": localisation(_around(information)),
        "residual": residual,
        "residual_around": _around(residual[None])[0],
        "strain": torch.stack([_slope(result, axis) for axis in (1, 2, 3)]).square().sum((0, 1)).sqrt() / width,
        "bending": torch.stack([_bend(result, axis) for axis in (1, 2, 3)]).square().sum((0, 1)).sqrt(),
    }
    found = {name: array_of(value.float()) for name, value in values.items()}
    shown = found["residual"][inside] if inside.any() else found["residual"]
    found["mismatch"] = np.full(found["residual"].shape, float(shown.mean()), dtype=np.float32)
    return Predictors(found, voxel)


def localisation(information: torch.Tensor) -> torch.Tensor:
    """Return the root of the trace of the inverse, mm, of matrices H (6, ...) with entries xx, xy, xz, yy, yz, zz, per mm^2."""
    xx, xy, xz, yy, yz, zz = information.double()
    xx, yy, zz = xx + _NOTHING, yy + _NOTHING, zz + _NOTHING
    minors = yy * zz - yz**2, xx * zz - xz**2, xx * yy - xy**2
    determinant = xx * minors[0] - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz)
    return (sum(minors) / determinant.clamp(min=_NOTHING**3)).sqrt().float()


def _around(values: torch.Tensor) -> torch.Tensor:
    """Return means (n, z, y, x) over the surroundings of each point, as far as they lie within the grid."""
    # Padded here: avg_pool3d refuses grids of fewer points than its window, such as a few slices.
    sums, counts = (F.avg_pool3d(F.pad(each, [_AROUND // 2] * 6), _AROUND, 1) for each in (values[None], torch.ones_like(values[None, :1])))
    return (sums / counts)[0]


def _slope(values: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the derivative of values (3, z, y, x) along an axis, per point."""
    return torch.gradient(values, dim=axis)[0]


def _bend(values: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the second differences of values (3, z, y, x) along an axis; at the faces those of the next point."""
    count = values.shape[axis]
    if count < 3:
        return torch.zeros_like(values)
    inner = values.narrow(axis, 2, count - 2) - 2.0 * values.narrow(axis, 1, count - 2) + values.narrow(axis, 0, count - 2)
    return torch.cat([inner.narrow(axis, 0, 1), inner, inner.narrow(axis, count - 3, 1)], axis)


def _at(image: tuple[torch.Tensor, ImageGrid], grid: ImageGrid) -> torch.Tensor:
    """Return a volume (z, y, x) with its grid at the points of another grid, the nearest value beyond its faces."""
    values, own = image
    index = own.physical_to_index(grid.points().reshape(-1, 3)).T.reshape(3, *grid.shape)
    return sample(values[None].float(), tensor_of(index.astype(np.float32)).to(values.device))[0]
