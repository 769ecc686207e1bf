"""Instance optimisation on the features: Gauss-Newton steps, with an accuracy of a fraction of a voxel.

    E(u) = 1/2 sum_x w(x) mean_c (F_c(x) - M_c(x + u(x)))^2 + lambda E_bend(u)

Linearised around the present field, each voxel gives a 3x3 system, ``H = mean_c g_c g_c^T`` and ``b = mean_c g_c r_c`` with
residual r = F - M and g the mean gradient of both images' features (Thirion's symmetric force, as in Vercauteren et al.,
"Diffeomorphic demons", NeuroImage 2009). They are summed at control points with linear weights, and the update is the smooth field that
minimises them together with the bending energy of the whole deformation. Voxels with a large residual have lower weights (Geman and
McClure's weight, squared), so that structures without a counterpart exert little force.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from deepreg_engine.geometry.sampling import separable
from deepreg_engine.solvers.neighbourhood import Neighbourhood
from deepreg_engine.solvers.smoothness import bending_gradient, smooth_field

# Voxels of one slab, all channels: a slab then stays in the cache during all its sums.
_SLAB_VALUES = {"cpu": 1 << 19}
_SLAB_VALUES_ELSEWHERE = 1 << 27
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def normal_equations(fixed: torch.Tensor, moving: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the local systems of two feature volumes on one grid.

    Args:
        fixed: F (C, z, y, x).
        moving: M, already warped, (C, z, y, x).

    Returns:
        H (6, z, y, x), the entries xx, xy, xz, yy, yz, zz, per voxel squared; b (3, z, y, x); and the mean squared residual
        (z, y, x).
    """
    depth = fixed.shape[1]
    step = _slices_of_a_slab(fixed, moving)
    parts = []
    for start in range(0, depth, step):
        stop = min(start + step, depth)
        low, high = max(start - 1, 0), min(stop + 1, depth)
        parts.append(_slab_equations(fixed[:, low:high], moving[:, low:high], start - low, stop - low))
    return _together(parts)


def equations_at(fixed: Neighbourhood, moving: Neighbourhood) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the local systems at the voxels of a neighbourhood, as :func:`normal_equations`."""
    values = fixed.values, moving.values
    depth = values[0].shape[1]
    step = _slices_of_a_slab(*values)
    parts = []
    for start in range(0, depth, step):
        slab = slice(start, min(start + step, depth))
        gradients = [one[:, slab] + other[:, slab] for one, other in zip(fixed.slopes, moving.slopes, strict=True)]
        parts.append(_equations(gradients, values[0][:, slab] - values[1][:, slab]))
    return _together(parts)


def _slices_of_a_slab(fixed: torch.Tensor, moving: torch.Tensor) -> int:
    """Return the slices of a slab that stays in the cache; all where gradients are recorded."""
    if torch.is_grad_enabled() and (fixed.requires_grad or moving.requires_grad):
        return fixed.shape[1]
    limit = _SLAB_VALUES.get(fixed.device.type, _SLAB_VALUES_ELSEWHERE)
    return max(1, limit // max(1, fixed[:, 0].numel()))


def _together(parts: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    system, residual = (torch.cat(pieces, dim=axis) for pieces, axis in zip(zip(*parts, strict=True), (1, 0), strict=True))
    return system[:6], system[6:], residual


def _slab_equations(fixed: torch.Tensor, moving: torch.Tensor, start: int, stop: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return H and b (9, z, y, x), and the residual, of the slices start .. stop of a slab with its neighbours."""
    both = fixed + moving
    inner = both[:, start:stop]
    gradients = [_central(inner, 3), _central(inner, 2), _central(both, 1)[:, start:stop]]
    return _equations(gradients, fixed[:, start:stop] - moving[:, start:stop])


def _equations(gradients: list[torch.Tensor], residual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return H and b (9, z, y, x), and the mean squared residual.

    Args:
        gradients: along x, y and z, four times the mean one of both images: (b - a) / 2 of the sum of two images is a quarter of it.
        residual: F - M (C, z, y, x).
    """
    channels = residual.shape[0]
    entries = [(gradients[i] * gradients[j]).sum(0) * (1.0 / (16.0 * channels)) for i, j in _PAIRS]
    entries += [(gradients[i] * residual).sum(0) * (1.0 / (4.0 * channels)) for i in range(3)]
    return torch.stack(entries), residual.square().mean(0)


def _central(volume: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the difference of the two neighbours along an axis (twice the derivative) of a volume (C, z, y, x); at faces twice the
    one-sided one."""
    count = volume.shape[axis]
    if count < 2:
        return torch.zeros_like(volume)
    first, last = (2.0 * (volume.narrow(axis, place + 1, 1) - volume.narrow(axis, place, 1)) for place in (0, count - 2))
    return torch.cat([first, volume.narrow(axis, 2, count - 2) - volume.narrow(axis, 0, count - 2), last], axis)


def robust_weights(residual: torch.Tensor, scale: float) -> torch.Tensor:
    """Return ``(1 + e / (scale * mean e))^-2`` of squared residuals e (z, y, x)."""
    return (1.0 + residual / (scale * residual.mean()).clamp(min=1e-12)).pow(-2)


def control_shape(shape: Sequence[int], spacing: int) -> tuple[int, int, int]:
    """Return control points (z, y, x), ``spacing`` voxels apart from the first voxel on, that cover a grid."""
    z, y, x = (max(2, math.ceil((n - 1) / spacing) + 1) for n in shape)
    return z, y, x


def spread_matrix(controls: int, voxels: int, spacing: int, like: torch.Tensor, cubic: bool = True, first: float = 0.0) -> torch.Tensor:
    """Return the interpolation (voxels, controls) along an axis, from control points at first, first + spacing, ...

    Args:
        cubic: Keys' cubic convolution (a = -1/2), which reproduces parabolas; else linear.
        first: voxel of the first control point; outside the control points, the nearest value is repeated.
    """
    place = ((torch.arange(voxels, dtype=torch.float64) - first) / spacing).clamp(0.0, controls - 1)
    lower = place.floor()
    t = place - lower
    if cubic:
        taps = {
            -1: ((-0.5 * t + 1.0) * t - 0.5) * t,
            0: (1.5 * t - 2.5) * t * t + 1.0,
            1: ((-1.5 * t + 2.0) * t + 0.5) * t,
            2: (0.5 * t - 0.5) * t * t,
        }
    else:
        taps = {0: 1.0 - t, 1: t}
    matrix = torch.zeros(voxels, controls, dtype=torch.float64)
    for offset, weight in taps.items():
        column = (lower.long() + offset).clamp(0, controls - 1)
        matrix[torch.arange(voxels), column] += weight
    return matrix.to(like.device, like.dtype)


def gather(volume: torch.Tensor, spacing: int) -> torch.Tensor:
    """Return the sums of a volume (n, z, y, x) around control points with linear weights, per ``spacing^3`` voxels."""
    if spacing == 1:
        return volume
    if spacing == 2:
        return _gather_pairs(volume)
    shape = volume.shape[1:]
    sizes = zip(control_shape(shape, spacing), shape, strict=True)
    z, y, x = (spread_matrix(k, n, spacing, volume, cubic=False).T / spacing for k, n in sizes)
    return separable(volume, (z, y, x))


def _gather_pairs(volume: torch.Tensor) -> torch.Tensor:
    """:func:`gather` for control points two voxels apart, by slices instead of matrices: three times as fast."""
    for axis in (1, 2, 3):
        count = control_shape(volume.shape[1:], 2)[axis - 1]
        even, odd = (volume[(*(slice(None),) * axis, slice(first, None, 2))] for first in (0, 1))
        shape = list(volume.shape)
        shape[axis] = count
        total = volume.new_zeros(shape)
        total.narrow(axis, 0, even.shape[axis]).add_(even)
        total.narrow(axis, 0, odd.shape[axis]).add_(odd, alpha=0.5)
        behind = min(odd.shape[axis], count - 1)
        total.narrow(axis, 1, behind).add_(odd.narrow(axis, 0, behind), alpha=0.5)
        volume = total.mul_(0.5)
    return volume


def spread(controls: torch.Tensor, shape: Sequence[int], spacing: int, first: float = 0.0) -> torch.Tensor:
    """Return a field at control points (n, Kz, Ky, Kx), the first of them at voxel ``first``, on all voxels (n, z, y, x)."""
    if spacing == 1 and first == 0.0:
        return controls
    z, y, x = (spread_matrix(k, n, spacing, controls, first=first) for k, n in zip(controls.shape[1:], shape, strict=True))
    return separable(controls, (z, y, x))


def at_controls(field: torch.Tensor, spacing: int) -> torch.Tensor:
    """Return the values of a field (n, z, y, x) at its control points; those beyond the grid take the nearest."""
    for axis, count in zip((1, 2, 3), control_shape(field.shape[1:], spacing), strict=True):
        place = (torch.arange(count, device=field.device) * spacing).clamp(max=field.shape[axis] - 1)
        field = field.index_select(axis, place)
    return field


@dataclass(frozen=True)
class Update:
    """How one update of a field is computed.

    Args:
        spacing: of the control points, in voxels.
        smoothness: lambda, in units of ``unit``, with control points one apart and displacements in control point spacings.
        unit: squared feature difference that counts as 1.
        robustness: residual at which the weight of a voxel is a quarter, relative to the mean; 0 weights all voxels equally.
        longest: upper limit of the movement of a control point, voxels.
        iterations: of conjugate gradients, at most.
        tolerance: residual, as a share of the first, at which they end.
    """

    spacing: int
    smoothness: float
    unit: float = 1.0
    robustness: float = 0.3
    longest: float = 2.0
    iterations: int = 15
    tolerance: float = 1e-3


def gauss_newton_step(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    field: torch.Tensor,
    options: Update,
    weights: torch.Tensor | None = None,
    guides: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the update of a field.

    Args:
        fixed: features (C, z, y, x).
        moving: features of the moving image, warped by the field (C, z, y, x).
        field: the present displacements (3, z, y, x), in voxels.
        options: see :class:`Update`.
        weights: of each voxel (z, y, x), not negative; 1 by default.
        guides: weight (Kz, Ky, Kx), in units of ``unit`` per squared control point spacing, and displacement (3, Kz, Ky, Kx),
            voxels, to which the guides pull the whole field.

    Returns:
        The update d (3, z, y, x), in voxels, to be composed as x -> field(d(x)); the mean squared residual of each
        voxel (z, y, x); and H of the images at the control points (6, Kz, Ky, Kx), in units of ``unit`` per squared control point spacing.
    """
    spacing, unit, smoothness = options.spacing, options.unit, options.smoothness
    system, force, residual = normal_equations(fixed, moving)
    trust = robust_weights(residual, options.robustness) if options.robustness > 0 else None
    if weights is not None:
        trust = weights if trust is None else trust * weights
    if trust is not None:
        system, force = system * trust, force * trust
    # In units of the control point spacing: displacement, and with it gradients, grow by the factor ``spacing``.
    evident = system = gather(system, spacing) * (spacing * spacing / unit)
    force = gather(force, spacing) * (spacing / unit)
    present = at_controls(field, spacing) / spacing
    evidence = force - smoothness * bending_gradient(present)
    if guides is not None:
        weight, target = guides
        none = torch.zeros_like(weight)
        system = system + torch.stack([weight, none, none, weight, none, weight])
        evidence = evidence + weight[None] * (target / spacing - present)
    update = smooth_field(system, evidence, smoothness, None, options.iterations, options.tolerance) * spacing
    length = update.detach().norm(dim=0, keepdim=True)
    update = update / (length / options.longest).clamp(min=1.0)
    return spread(update, field.shape[1:], spacing), residual, evident
