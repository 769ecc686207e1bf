"""Regularised iterative descent: one step of the Descent method.

With residual r = F - M o (id + u) and J the mean gradient of both sides' features, the voxels around each control point give

    s = (sum w J J^T + alpha I)^-1 sum w J r,      u <- K_e * (s' + u o (id + s')),   s' = K_f * limit(s)

The sums run over voxels ``window`` apart, as are the field's control points: features are computed from patches, so that neighbouring
voxels differ little. Steps are limited to one voxel; K_f ("fluid") smooths them, K_e ("elastic") smooths the whole field. The local system
is that of Lucas and Kanade; steps that are smoothed twice are those of demons (Vercauteren, Pennec, Perchant, Ayache, NeuroImage 2009;
Cachier et al., CVIU 2003). Everything is differentiable, so that features can be learned through it (Blendowski, Hansen, Heinrich, Medical
Image Analysis 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deepreg_engine.geometry.sampling import compose, identity, sample, separable
from deepreg_engine.solvers.gauss_newton import control_shape, equations_at, robust_weights, spread
from deepreg_engine.solvers.neighbourhood import Neighbourhood

# Radius of a Gaussian, in standard deviations.
_REACH = 3.0
# Share of the mean curvature added everywhere, so that the step is zero, not undefined, without any image structure.
_LEAST = 1e-9


@dataclass(frozen=True)
class Regularity:
    """How steps are regularised.

    Args:
        window: distance of the control points, and of the voxels that the sums run over.
        spread: standard deviation of the Gaussian w, voxels.
        damping: alpha, as a share of the mean curvature of the image (a third of the mean trace of sum w J J^T).
        fluid: standard deviation of the Gaussian on each step, voxels.
        elastic: standard deviation of the Gaussian on the field, voxels.
        longest: upper limit of the length of a step, voxels.
        robustness: residual at which a voxel's weight is a quarter, as a share of the mean; 0 weights all voxels equally.
    """

    window: int = 2
    spread: float = 2.0
    damping: float = 0.05
    fluid: float = 2.0
    elastic: float = 1.0
    longest: float = 1.0
    robustness: float = 0.0


def descent_step(
    fixed: Tensor | Neighbourhood, moving: Tensor | Neighbourhood, regularity: Regularity, weights: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the step of one iteration, before it is smoothed.

        s = (sum w J J^T + alpha I)^-1 sum w J r,   r = F - M o (id + u)

    Args:
        fixed: features F (C, z, y, x), or their values and slopes at every ``window``-th voxel.
        moving: features of the moving image, warped by the present field (C, z, y, x), or their values and slopes likewise.
        regularity: see :class:`Regularity`.
        weights: w, not negative, of each voxel (z, y, x) or of every ``window``-th; 1 by default.

    Returns:
        s (3, Kz, Ky, Kx) in voxels, components x, y, z, at control points ``window`` voxels apart; the curvature sum w J J^T of
        each (6, Kz, Ky, Kx); and the mean squared residual of every ``window``-th voxel along each axis.
    """
    window = regularity.window
    fixed, moving = (side if isinstance(side, Neighbourhood) else Neighbourhood.of(side, window) for side in (fixed, moving))
    system, force, residual = equations_at(fixed, moving)
    trust = weights if weights is None or weights.shape == residual.shape else at_lattice(weights, window)
    if regularity.robustness > 0:
        robust = robust_weights(residual, regularity.robustness)
        trust = robust if trust is None else robust * trust
    gathered = torch.cat([system, force])
    if trust is not None:
        gathered = gathered * trust
    gathered = smooth(_covering(gathered, fixed.shape, window), regularity.spread / window)
    system, force = gathered[:6], gathered[6:]
    curvature = (system[0] + system[3] + system[5]).mean().detach() / 3.0
    return solve(system, force, regularity.damping * curvature + _LEAST), system, residual


def at_lattice(volume: Tensor, window: int) -> Tensor:
    """Return every ``window``-th voxel along the last three axes, from the first on."""
    every = slice(None, None, window)
    return volume[..., every, every, every]


def _covering(lattice: Tensor, shape: Sequence[int], window: int) -> Tensor:
    """Return values at every ``window``-th voxel (n, z, y, x), as values at control points, of which the last may lie beyond the grid."""
    missing = [k - n for k, n in zip(control_shape(shape, window), lattice.shape[1:], strict=True)]
    if any(missing):
        lattice = F.pad(lattice[None], (0, missing[2], 0, missing[1], 0, missing[0]), mode="replicate")[0]
    return lattice


def solve(system: Tensor, force: Tensor, alpha: Tensor | float) -> Tensor:
    """Return (A + alpha I)^-1 b of each point.

    Args:
        system: A (6, ...), the entries xx, xy, xz, yy, yz, zz of positive semi-definite matrices.
        force: b (3, ...).
        alpha: positive.

    Returns:
        (3, ...).
    """
    xx, xy, xz, yy, yz, zz = system[0] + alpha, system[1], system[2], system[3] + alpha, system[4], system[5] + alpha
    # Cofactors of the symmetric matrix.
    cxx, cxy, cxz = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    cyy, cyz, czz = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * cxx + xy * cxy + xz * cxz
    x, y, z = force
    return torch.stack([cxx * x + cxy * y + cxz * z, cxy * x + cyy * y + cyz * z, cxz * x + cyz * y + czz * z]) / determinant


def limited(step: Tensor, longest: float) -> Tensor:
    """Return steps (3, ...) with their lengths limited; their directions do not change."""
    length = step.square().sum(0, keepdim=True).clamp(min=1e-20).sqrt()
    return step * (longest / length).clamp(max=1.0)


def smooth(volume: Tensor, sigma: float, straight: bool = False) -> Tensor:
    """Return a Gaussian over a volume (C, z, y, x).

    Args:
        volume: the values.
        sigma: standard deviation, in samples; 0 changes nothing.
        straight: the padding beyond the faces: mirrored values, or linearly extrapolated ones (point reflection, so that fields that are
            linear in space, such as rotations and scalings, do not change).
    """
    if sigma <= 0:
        return volume
    z, y, x = (_gaussian(n, sigma, straight, volume) for n in volume.shape[1:])
    return separable(volume, (z, y, x))


def _gaussian(count: int, sigma: float, straight: bool, like: Tensor) -> Tensor:
    """Return the matrix (count, count) of a Gaussian along an axis."""
    reach = max(1, int(_REACH * sigma + 0.5))
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    matrix = torch.zeros(count, count, dtype=torch.float64)
    rows = torch.arange(count)
    for offset, weight in zip(range(-reach, reach + 1), kernel.tolist(), strict=True):
        place = rows + offset
        inside = (place >= 0) & (place < count)
        matrix[rows[inside], place[inside]] += weight
        for beyond, face in ((place < 0, 0), (place >= count, count - 1)):
            if straight:  # 2 v(face) - v(mirrored); what lies further than the other face ends there
                mirrored = (2 * face - place).clamp(0, count - 1)
                ratio = ((place - face).abs() / (mirrored - face).abs().clamp(min=1)).to(torch.float64)
                matrix[rows[beyond], face] += weight * (1.0 + ratio[beyond])
                matrix[rows[beyond], mirrored[beyond]] -= weight * ratio[beyond]
            else:
                mirrored = (-1 - place if face == 0 else 2 * count - 1 - place).clamp(0, count - 1)
                matrix[rows[beyond], mirrored[beyond]] += weight
    return matrix.to(like.device, like.dtype)


def descend(field: Tensor, step: Tensor, regularity: Regularity) -> Tensor:
    """Return the field after a step.

    Args:
        field: u (3, z, y, x), voxels.
        step: s (3, Kz, Ky, Kx), of :func:`descent_step`.
        regularity: see :class:`Regularity`.

    Returns:
        K_e * (s' + u o (id + s')) (3, z, y, x), voxels, with s' = K_f * limit(s).
    """
    window, shape = regularity.window, field.shape[1:]
    step = smooth(limited(step, regularity.longest), regularity.fluid / window)
    if window == 1:
        return smooth(compose(step, field), regularity.elastic, straight=True)
    # Computed at the control points; the change is interpolated between them by splines.
    controls = _straight_controls(field, window)
    place = identity(step.shape[1:], field) * float(window)
    moved = controls + step + (sample(field, place + step) - sample(field, place))
    return field + spread(smooth(moved, regularity.elastic / window, straight=True) - controls, shape, window)


def _straight_controls(field: Tensor, spacing: int) -> Tensor:
    """Return the values of a field (n, z, y, x) at its control points; linearly extrapolated beyond the grid."""
    for axis, count in zip((1, 2, 3), control_shape(field.shape[1:], spacing), strict=True):
        place = torch.arange(count, device=field.device) * spacing
        last = field.shape[axis] - 1
        values = field.index_select(axis, place.clamp(max=last))
        beyond = int(place[-1]) - last
        if beyond > 0 and last > 0:
            slope = field.narrow(axis, last, 1) - field.narrow(axis, last - 1, 1)
            values = torch.cat([values.narrow(axis, 0, count - 1), values.narrow(axis, count - 1, 1) + beyond * slope], dim=axis)
        field = values
    return field
