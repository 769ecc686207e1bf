"""Regularisation of a cost volume: min-convolution over displacements, mean field over control points.

    s  = MF(MC(c0))
    c1 = a4 + a2 c0 + a3 s,   s2 = MF(MC(c1)),   and so on            (Heinrich, MICCAI 2019, section 2)

MC lets neighbouring control points differ by a step of displacement: minimum over 3^3 labels (the volume replicated at
its faces), then twice the average over 3^3. MF averages, for each label, over the control points around: twice the average
over 3^3, replicated at the faces. Both are separable: three passes along one axis each replace one over 27 or 125 neighbours.

Two extensions of the paper: control points may have weights (a mask, the share of their labels within the moving image), and MF is then a
weighted average that ignores control points without evidence; and the number of passes is free.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from deepreg_engine.geometry.sampling import separable

# Published weights a0 .. a5 (multimodallearning/pdd_net, trained with Obelisk features).
PUBLISHED_WEIGHTS = (1.1337, 0.0761, 1.0533, -0.7469, 0.0728, 1.1337)
# Twice a moving average of three.
_SMOOTHING = (1.0, 2.0, 3.0, 2.0, 1.0)
# Values of a cost volume that one pass over rows takes at a time: on a CPU few enough to stay in the cache.
_BLOCK_VALUES = {"cpu": 1 << 17}
_BLOCK_VALUES_ELSEWHERE = 1 << 25


def min_convolution(cost: torch.Tensor) -> torch.Tensor:
    """Return the MC of every control point's costs.

        MC(c)(k, d) = avg_3 avg_3 min over |d' - d| <= 1 of c(k, d')

    Args:
        cost: (..., Lz, Ly, Lx, K).

    Returns:
        The same shape. Equals, for each control point, two ``avg_pool3d(., 3, stride=1)`` after a minimum pool of 3 on
        the volume replicated by 3 at each face.
    """
    if torch.is_grad_enabled() and cost.requires_grad:
        return _RecomputedMinConvolution.apply(cost)
    flat = cost.reshape(-1, *cost.shape[-4:])
    out = torch.empty_like(flat)
    for block in _row_blocks(flat):
        _min_convolve(flat[block], out[block])
    return out.view(cost.shape)


class _RecomputedMinConvolution(torch.autograd.Function):
    """The gradient flows to the label that was the minimum; the backward pass recomputes it, block by block."""

    @staticmethod
    def forward(ctx, cost):  # noqa: ANN001, ANN205 - torch's signature
        ctx.save_for_backward(cost)
        return min_convolution(cost.detach())

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        (cost,) = ctx.saved_tensors
        flat = cost.detach().reshape(-1, *cost.shape[-4:])
        incoming = gradient.reshape(flat.shape)
        out = torch.empty_like(flat)
        for block in _row_blocks(flat):
            out[block] = _min_convolution_gradient(flat[block], incoming[block])
        return out.view(cost.shape)


def _min_convolve(rows: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
    """Return the MC of (R, Lz, Ly, Lx, K)."""
    for axis in (1, 2, 3):
        rows = _running_minimum(rows, axis)
    for axis in (3, 2, 1):
        rows = _running_sum(_running_sum(rows, axis), axis)
    # Two sums of three along three axes: 9^3 of the average.
    return rows * (1.0 / 729.0) if out is None else torch.mul(rows, 1.0 / 729.0, out=out)


def _min_convolution_gradient(rows: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Return gradient with respect to the costs (R, Lz, Ly, Lx, K), given that of their MC. Four times as fast as autograd."""
    stages = [rows]
    for axis in (1, 2):
        stages.append(_running_minimum(stages[-1], axis))
    for axis in (1, 2, 3):  # a sum's adjoint is a sum over the gradient between zeros
        ends = gradient.new_zeros([4 if index == axis else n for index, n in enumerate(gradient.shape)])
        gradient = _running_sum(_running_sum(torch.cat([ends, gradient, ends], dim=axis), axis), axis)
    gradient = gradient * (1.0 / 729.0)
    for axis, values in zip((3, 2, 1), reversed(stages), strict=True):
        gradient = _running_minimum_gradient(values, axis, gradient)
    return gradient


def _running_minimum_gradient(rows: torch.Tensor, axis: int, gradient: torch.Tensor) -> torch.Tensor:
    """Return the gradient of :func:`_running_minimum`, which goes to the value that was the least, the first of equal ones."""
    count = rows.shape[axis]
    first, last = rows.narrow(axis, 0, 1), rows.narrow(axis, count - 1, 1)
    padded = torch.cat([first] * 3 + [rows] + [last] * 3, dim=axis)
    places = count + 4
    one, two, three = (padded.narrow(axis, offset, places) for offset in range(3))
    best = torch.minimum(two, three)
    is_one = one <= best
    is_two = (two <= three).logical_and_(~is_one)
    out = torch.zeros_like(padded)
    part = gradient * is_one
    out.narrow(axis, 0, places).add_(part)
    rest = gradient - part
    part = gradient * is_two
    out.narrow(axis, 1, places).add_(part)
    out.narrow(axis, 2, places).add_(rest.sub_(part))
    inner = out.narrow(axis, 3, count).clone()
    inner.narrow(axis, 0, 1).add_(out.narrow(axis, 0, 3).sum(axis, keepdim=True))
    inner.narrow(axis, count - 1, 1).add_(out.narrow(axis, count + 3, 3).sum(axis, keepdim=True))
    return inner


def _running_minimum(rows: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the minimum of 3 along an axis that is replicated by 3 at each end: the result is 4 longer.

    The outer two values at each end lie completely in the replicated part and equal the end values.
    """
    count = rows.shape[axis]
    first, last = rows.narrow(axis, 0, 1), rows.narrow(axis, count - 1, 1)
    pairs = torch.minimum(rows.narrow(axis, 0, count - 1), rows.narrow(axis, 1, count - 1))
    middle = torch.minimum(pairs.narrow(axis, 0, count - 2), pairs.narrow(axis, 1, count - 2))
    ends = pairs.narrow(axis, 0, 1), pairs.narrow(axis, count - 2, 1)
    return torch.cat([first, first, ends[0], middle, ends[1], last, last], dim=axis)


def _running_sum(rows: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the sum of 3 neighbours along an axis; the result is 2 shorter."""
    count = rows.shape[axis] - 2
    total = rows.narrow(axis, 0, count) + rows.narrow(axis, 1, count)
    return total.add_(rows.narrow(axis, 2, count))


def _row_blocks(rows: torch.Tensor) -> list[slice]:
    limit = _BLOCK_VALUES.get(rows.device.type, _BLOCK_VALUES_ELSEWHERE)
    step = max(1, limit // max(1, rows[0].numel()))
    return [slice(start, start + step) for start in range(0, rows.shape[0], step)]


def smoothing_matrix(count: int, like: torch.Tensor) -> torch.Tensor:
    """Return (count, count): twice the moving average of 3 along an axis replicated at its ends."""
    matrix = torch.zeros(count, count, dtype=like.dtype, device=like.device)
    reach = len(_SMOOTHING) // 2
    place = torch.arange(count, device=like.device)
    for offset, weight in enumerate(_SMOOTHING):
        column = (place + offset - reach).clamp(0, count - 1)
        matrix[place, column] += weight / sum(_SMOOTHING)
    return matrix


def mean_field(cost: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Return the MF of a cost volume, averages over control points for each label.

        MF(c)(k, d) = avg_3 avg_3 c(k, d);   with weights w: avg_3 avg_3 (w c)(k, d) / avg_3 avg_3 w(k)

    Args:
        cost: (Kz, Ky, Lz, Ly, Lx, Kx).
        weights: of each control point in the averages of its neighbours (Kz, Ky, Kx), not negative; equal by default.

    Returns:
        The same shape.
    """
    if torch.is_grad_enabled() and (cost.requires_grad or (weights is not None and weights.requires_grad)):
        return _mean_field(cost, weights)
    return _mean_field_into(cost.clone(memory_format=torch.contiguous_format), weights)


def _matrices(cost: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    z, y, x = (smoothing_matrix(n, cost) for n in (cost.shape[0], cost.shape[1], cost.shape[5]))
    return z, y, x


def _normaliser(weights: torch.Tensor, matrices: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return 1 / MF(weights), (Kz, Ky, Kx)."""
    total = separable(weights[None], matrices)[0]
    return 1.0 / total.clamp(min=torch.finfo(weights.dtype).tiny ** 0.5)


def _mean_field(cost: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Compute MF as plain differentiable products."""
    matrices = _matrices(cost)
    if weights is not None:
        cost = cost * weights[:, :, None, None, None, :]
    cost = torch.einsum("az,zylmnx->aylmnx", matrices[0], cost)
    cost = torch.einsum("by,zylmnx->zblmnx", matrices[1], cost)
    cost = cost @ matrices[2].T
    if weights is not None:
        cost = cost * _normaliser(weights, matrices)[:, :, None, None, None, :]
    return cost


def _mean_field_into(cost: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Compute MF in place, a slab at a time: no second volume is needed."""
    planes, rows, columns = cost.shape[0], cost.shape[1], cost.shape[5]
    along_z, along_y, along_x = _matrices(cost)
    step = rows if cost.device.type not in _BLOCK_VALUES else 1  # a row of costs fits a CPU's cache; elsewhere few launches matter
    for z in range(planes):
        for y in range(0, rows, step):
            lines = cost[z, y : y + step].view(min(step, rows - y), -1, columns)
            matrix = along_x.T if weights is None else weights[z, y : y + step, :, None] * along_x.T
            lines.copy_(lines @ matrix)
        plane = cost[z].view(rows, -1)
        plane.copy_(along_y @ plane)
    flat = cost.view(planes, -1)
    step = max(1, (4 << 20) // planes)
    for start in range(0, flat.shape[1], step):
        part = flat[:, start : start + step]
        part.copy_(along_z @ part)
    if weights is not None:
        scale = _normaliser(weights, (along_z, along_y, along_x))
        for z in range(planes):
            cost[z].mul_(scale[z, :, None, None, None, :])
    return cost


def regularise(
    cost: torch.Tensor,
    passes: int = 2,
    mixing: Sequence[float] | torch.Tensor = PUBLISHED_WEIGHTS[2:5],
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the regularised costs: ``passes`` times MC and MF, with c1 = a4 + a2 c0 + a3 s between them.

    Args:
        cost: c0 (Kz, Ky, Lz, Ly, Lx, Kx).
        passes: 0 leaves the cost as it is, 1 is MF(MC(c0)), 2 is the paper.
        mixing: a2, a3, a4 of ``c1 = a4 + a2 c0 + a3 s``.
        weights: of the control points (Kz, Ky, Kx), see :func:`mean_field`.

    Returns:
        s of the last pass, the same shape.
    """
    if passes == 0:
        return cost
    if not (torch.is_grad_enabled() and any(_requires_grad(value) for value in (cost, mixing, weights))):
        return _regularised_in_place(cost.contiguous(), passes, mixing, weights)
    a2, a3, a4 = mixing
    s = _mean_field(min_convolution(cost), weights)
    for _ in range(1, passes):
        s = _mean_field(min_convolution(a4 + a2 * cost + a3 * s), weights)
    return s


def _regularised_in_place(
    cost: torch.Tensor, passes: int, mixing: Sequence[float] | torch.Tensor, weights: torch.Tensor | None
) -> torch.Tensor:
    """Return :func:`regularise` of a contiguous cost volume without gradients: s is the only other volume in memory.

    Each pass overwrites s = MC(a4 + a2 c0 + a3 s), a block of rows at a time, and then s = MF(s).
    """
    a2, a3, a4 = (float(value) for value in mixing)
    s = torch.empty_like(cost)
    c0_rows, s_rows = cost.view(-1, *cost.shape[2:]), s.view(-1, *cost.shape[2:])
    for number in range(passes):
        for block in _row_blocks(c0_rows):
            c = c0_rows[block] if number == 0 else (c0_rows[block] * a2).add_(s_rows[block], alpha=a3).add_(a4)
            _min_convolve(c, s_rows[block])
        _mean_field_into(s, weights)
    return s


def _requires_grad(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad
