"""Correlation layer: the costs of displacing each control point by each label.

    cost(k, d) = sum_c (F_c(k) - M_c(k + d))^2                       (Heinrich, MICCAI 2019, section 2)

Written out, the square is a product, ``|F|^2 - 2 F.M + |M|^2``, so the layer is one matrix product per row of control
points instead of one interpolation per control point and label. :func:`correlate` needs lattices that are commensurate:
control points a whole number of displacement steps apart. :func:`correlate_anywhere` takes any positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

# Rows of control points (all of one z and y) that one product takes: on a CPU the costs of a row fit into the cache; on a GPU the number of
# kernel launches matters more.
_ROWS = {"cpu": 1}
_ROWS_ELSEWHERE = 32


def lattice_size(controls: Sequence[int], ratio: int, radius: int) -> tuple[int, int, int]:
    """Return the size (z, y, x) of the moving lattice that :func:`correlate` reads."""
    z, y, x = ((n - 1) * ratio + 2 * radius + 1 for n in controls)
    return z, y, x


def correlate(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    ratio: int,
    radius: int,
    ceiling: torch.Tensor | None = None,
    penalty: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the sum of squared feature differences for every control point and displacement.

        c(k, d) = sum_c (F_c(k) - M_c(k + d))^2 = |F(k)|^2 - 2 F(k).M(k + d) + |M(k + d)|^2

    Args:
        fixed: features at the control points (C, Kz, Ky, Kx).
        moving: features on a lattice whose spacing is the displacement step (C, Z, Y, X), of :func:`lattice_size`;
            control point k with label d = -radius .. radius reads the lattice at ``ratio * k + radius + d``.
        ratio: control point spacing in displacement steps.
        radius: largest displacement in steps; L = 2 radius + 1 labels an axis.
        ceiling: upper limit of the costs of each control point (Kz, Ky, Kx), which makes them robust; none by default.
        penalty: cost of displacements to each lattice point (Z, Y, X), for positions that must not be matched.

    Returns:
        (Kz, Ky, L, L, L, Kx), the labels in the order z, y, x.
    """
    channels, *controls = fixed.shape
    if moving.shape != (channels, *lattice_size(controls, ratio, radius)):
        raise ValueError(f"a moving lattice of {tuple(moving.shape)} does not fit {tuple(fixed.shape)}, ratio {ratio}, radius {radius}")
    # The cost is the product of (-2 F, 1, |F|^2) and (M, |M|^2 + penalty, 1).
    one_fixed, one_moving = torch.ones_like(fixed[:1]), torch.ones_like(moving[:1])
    left = torch.cat([-2.0 * fixed, one_fixed, fixed.square().sum(0, keepdim=True)])
    norm = moving.square().sum(0, keepdim=True)
    right = torch.cat([moving, norm if penalty is None else norm + penalty[None], one_moving])
    cost = _BandedProduct.apply(left, right, ratio, radius, None if ceiling is None or ceiling.requires_grad else ceiling)
    if ceiling is not None and (ceiling.requires_grad or cost.requires_grad):
        cost = torch.minimum(cost, ceiling[:, :, None, None, None, :])
    return cost


class _BandedProduct(torch.autograd.Function):
    """``out[kz, ky, d, kx] = sum_j left[j, k] * right[j, ratio * k + d]``, by one matrix product a row.

    The product of a row (J, Kx) with its window (J, L * L * X) has more columns than the required band, which is a strided view of it. This
    is still many times faster than gathering windows.
    """

    @staticmethod
    def forward(ctx, left, right, ratio, radius, ceiling):  # noqa: ANN001, ANN205 - torch's signature
        ctx.save_for_backward(left, right)
        ctx.lattice = ratio, radius
        planes, rows, columns = left.shape[1:]
        labels = 2 * radius + 1
        weights = left.permute(1, 2, 0, 3).contiguous()  # kz, ky, j, kx
        points = right.permute(1, 2, 3, 0).contiguous()  # z, y, x, j
        out = left.new_empty(planes, rows, labels, labels, labels, columns)
        # With gradients, the upper limit is applied afterwards, as an operation that autograd records.
        truncated = None if left.requires_grad or right.requires_grad else ceiling
        for z in range(planes):
            for start, stop in _blocks(rows, left.device):
                product = _row_products(points, weights[z, start:stop], z, start, ratio, labels)
                band = _band(product, labels, ratio, columns)
                if truncated is not None:
                    torch.minimum(band, truncated[z, start:stop, None, None, None, :], out=out[z, start:stop])
                else:
                    out[z, start:stop] = band
        return out

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        left, right = ctx.saved_tensors
        return *_banded_gradients(gradient, left, right, ctx.lattice[0], ctx.needs_input_grad[:2]), None, None, None


def expected_labels(probability: torch.Tensor, moving: torch.Tensor, ratio: int) -> torch.Tensor:
    """Return expected values at the displaced control points: ``out(c, k) = sum_d p(k, d) M_c(k + d)``.

    Args:
        probability: (Kz, Ky, L, L, L, Kx).
        moving: values on a lattice whose spacing is the displacement step (C, Z, Y, X), of :func:`lattice_size`.
        ratio: control point spacing in displacement steps.

    Returns:
        (C, Kz, Ky, Kx).
    """
    return _BandedSum.apply(probability, moving, ratio)


class _BandedSum(torch.autograd.Function):
    """``out[j, k] = sum_d p[k, d] * right[j, ratio * k + d]``: the gradients of :class:`_BandedProduct` are such sums, and the reverse."""

    @staticmethod
    def forward(ctx, probability, right, ratio):  # noqa: ANN001, ANN205 - torch's signature
        ctx.save_for_backward(probability, right)
        ctx.ratio = ratio
        left = right.new_zeros(right.shape[0], *probability.shape[:2], probability.shape[5])
        return _banded_gradients(probability, left, right, ratio, (True, False))[0]

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        probability, right = ctx.saved_tensors
        ratio, radius = ctx.ratio, (probability.shape[2] - 1) // 2
        own = _BandedProduct.apply(gradient, right.detach(), ratio, radius, None) if ctx.needs_input_grad[0] else None
        other = _banded_gradients(probability, gradient, right, ratio, (False, True))[1] if ctx.needs_input_grad[1] else None
        return own, other, None


def _banded_gradients(
    gradient: torch.Tensor, left: torch.Tensor, right: torch.Tensor, ratio: int, wanted: tuple[bool, bool]
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Return the gradients of a banded product for its left (J, Kz, Ky, Kx) and right (J, Z, Y, X) factor."""
    planes, rows, columns = left.shape[1:]
    labels, width = gradient.shape[2], right.shape[3]
    weights = left.permute(1, 2, 0, 3)
    points = right.permute(1, 2, 3, 0).contiguous()
    left_gradient = torch.zeros_like(weights, memory_format=torch.contiguous_format) if wanted[0] else None
    right_gradient = torch.zeros_like(points) if wanted[1] else None
    spread = gradient.new_zeros(labels, labels, width, columns)
    band = _band(spread[None], labels, ratio, columns)[0]
    for z in range(planes):
        for y in range(rows):
            band.copy_(gradient[z, y])  # outside the band the matrix stays 0
            matrix = spread.view(-1, columns)
            window = (slice(z * ratio, z * ratio + labels), slice(y * ratio, y * ratio + labels))
            if left_gradient is not None:
                left_gradient[z, y] = points[window].reshape(matrix.shape[0], -1).T @ matrix
            if right_gradient is not None:
                right_gradient[window] += (matrix @ weights[z, y].T).view(labels, labels, width, -1)
    return (
        None if left_gradient is None else left_gradient.permute(2, 0, 1, 3),
        None if right_gradient is None else right_gradient.permute(3, 0, 1, 2),
    )


def _blocks(rows: int, device: torch.device) -> list[tuple[int, int]]:
    step = _ROWS.get(device.type, _ROWS_ELSEWHERE)
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def _row_products(points: torch.Tensor, weights: torch.Tensor, z: int, start: int, ratio: int, labels: int) -> torch.Tensor:
    """Return products (rows, L, L, X, Kx) of windows of the moving lattice with rows of control points (rows, J, Kx)."""
    slab = points[z * ratio : z * ratio + labels]
    width, channels = slab.shape[2:]
    if len(weights) == 1:
        product = torch.mm(slab[:, start * ratio : start * ratio + labels].reshape(-1, channels), weights[0])[None]
    else:
        stop = start + len(weights)
        windows = slab[:, start * ratio : (stop - 1) * ratio + labels].unfold(1, labels, ratio)  # (L, rows, X, J, L)
        product = torch.bmm(windows.permute(1, 0, 4, 2, 3).reshape(len(weights), -1, channels), weights)
    return product.view(len(weights), labels, labels, width, -1)


def _band(product: torch.Tensor, labels: int, ratio: int, columns: int) -> torch.Tensor:
    """Return the view (rows, L, L, L, Kx) of products (rows, L, L, X, Kx) at x = ratio * kx + d."""
    rows, planes, lines, places, _ = product.stride()
    shape = (product.shape[0], labels, labels, labels, columns)
    return product.as_strided(shape, (rows, planes, lines, places, ratio * places + 1), product.storage_offset())


def correlate_anywhere(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    controls: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    displacements: torch.Tensor | tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """Return the same costs for control points and displacements at any regular or irregular positions along the axes.

    The moving features are interpolated trilinearly, with the border values repeated outside, with the same result as one lookup for each
    label. Along x the
    interpolation is taken out of the sum over channels: the product F.M is linear in it, and with weights 1 - t and t

        |M(x)|^2 = (1 - t)^2 M_i.M_i + 2 t (1 - t) M_i.M_(i+1) + t^2 M_(i+1).M_(i+1).

    Args:
        fixed: features at the control points (C, Kz, Ky, Kx).
        moving: features (C, Z, Y, X).
        controls: positions of the control points along z, y, x, in voxels of ``moving``.
        displacements: the labels (L,), or one such tensor for each of z, y, x, in the same voxels.

    Returns:
        (Kz, Ky, L, L, L, Kx).
    """
    steps = displacements if isinstance(displacements, tuple) else (displacements,) * 3
    planes, rows, columns = fixed.shape[1:]
    width = moving.shape[3]
    lower, weight = _linear_weights(controls[2][:, None] + steps[2][None], width)  # (Kx, L)
    picks = torch.zeros(columns, width, len(steps[2]), dtype=moving.dtype, device=moving.device)
    picks.scatter_add_(1, lower[:, None], (1 - weight)[:, None]).scatter_add_(1, (lower + 1)[:, None], weight[:, None])
    squares = torch.zeros(2 * width, columns * len(steps[2]), dtype=moving.dtype, device=moving.device)
    flat, t = lower.reshape(1, -1), weight.reshape(1, -1)
    squares.scatter_add_(0, flat, (1 - t) ** 2).scatter_add_(0, flat + 1, t**2).scatter_add_(0, flat + width, 2 * t * (1 - t))

    norms = fixed.square().sum(0)
    out = []
    for z in range(planes):
        slab = _lerp(moving, 1, controls[0][z] + steps[0])  # (C, L, Y, X)
        for y in range(rows):
            lines = _lerp(slab, 2, controls[1][y] + steps[1])  # (C, L, L, X)
            products = torch.einsum("ck,czyx->kzyx", fixed[:, z, y], lines).flatten(1, 2) @ picks  # (Kx, LL, L)
            own = lines.square().sum(0)
            beside = torch.zeros_like(own)
            beside[..., :-1] = (lines[..., :-1] * lines[..., 1:]).sum(0)
            squared = torch.cat([own, beside], dim=-1).flatten(0, 1) @ squares  # (LL, Kx * L)
            squared = squared.view(-1, columns, len(steps[2])).transpose(1, 2)  # (LL, L, Kx)
            cost = squared - 2.0 * products.permute(1, 2, 0) + norms[z, y]
            out.append(cost.view(len(steps[0]), len(steps[1]), len(steps[2]), columns))
    return torch.stack(out).view(planes, rows, *out[0].shape)


def _linear_weights(positions: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the lower neighbour and the weight of the upper one, for positions clipped to 0 .. size - 1."""
    positions = positions.clamp(0, size - 1)
    lower = positions.floor().clamp(max=max(size - 2, 0)).long()
    return lower, positions - lower


def _lerp(volume: torch.Tensor, axis: int, positions: torch.Tensor) -> torch.Tensor:
    lower, weight = _linear_weights(positions, volume.shape[axis])
    shape = [1] * volume.ndim
    shape[axis] = -1
    return torch.lerp(volume.index_select(axis, lower), volume.index_select(axis, lower + 1), weight.view(shape))
