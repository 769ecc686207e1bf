"""The smooth displacement field that best agrees with local evidence.

    u = argmin  1/2 sum_k (u_k - m_k)^T W_k (u_k - m_k)  +  lambda E(u),
    E(u) = 1/2 sum  u_xx^2 + u_yy^2 + u_zz^2 + 2 u_xy^2 + 2 u_xz^2 + 2 u_yz^2

E is the bending energy of a thin plate (Wahba, Spline Models for Observational Data, 1990) in finite differences inside the grid: an affine
field has no cost, so that the field is extrapolated linearly where evidence is missing. The linear
system is solved by conjugate gradients, preconditioned by the same problem with uniform W, which the cosine transform diagonalises.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import cast

import torch

# Indices, among the 6 stored values, of the entries of a control point's symmetric 3x3 matrix.
_SYMMETRIC = ((0, 1, 2), (1, 3, 4), (2, 4, 5))


def bending_gradient(field: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the bending energy E at a field (3, z, y, x); linear in the field. Spacing 1 along each axis."""
    total = torch.zeros_like(field)
    for axis in (1, 2, 3):
        count = field.shape[axis] - 2
        if count < 1:
            continue
        below, at, above = (field.narrow(axis, first, count) for first in range(3))
        second = torch.sub(below + above, at, alpha=2.0)
        for first, factor in ((0, 1.0), (1, -2.0), (2, 1.0)):
            total.narrow(axis, first, count).add_(second, alpha=factor)
    for first in (1, 2):
        slope = field.diff(dim=first)
        mixed = torch.zeros_like(slope)
        for second in range(first + 1, 4):
            _add_adjoint(mixed, slope.diff(dim=second), second, 2.0)
        _add_adjoint(total, mixed, first, 1.0)
    return total


def _add_adjoint(total: torch.Tensor, difference: torch.Tensor, axis: int, factor: float) -> None:
    """Add the transpose of ``diff`` along an axis, of a difference, times a factor."""
    count = difference.shape[axis]
    if count:
        total.narrow(axis, 0, count).sub_(difference, alpha=factor)
        total.narrow(axis, 1, count).add_(difference, alpha=factor)


def bending_energy(field: torch.Tensor) -> torch.Tensor:
    """Return the E of a field (3, z, y, x), a scalar."""
    return 0.5 * (field * bending_gradient(field)).sum()


def apply_weights(weights: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
    """Return W u at each voxel.

    Args:
        weights: (1, ...) a scalar, (3, ...) a diagonal, or (6, ...) the entries xx, xy, xz, yy, yz, zz.
        field: (3, ...).
    """
    if weights.shape[0] in (1, 3):
        return weights * field
    rows = [sum(weights[_SYMMETRIC[row][column]] * field[column] for column in range(3)) for row in range(3)]
    return torch.stack(cast(list[torch.Tensor], rows))


def smooth_field(
    weights: torch.Tensor,
    evidence: torch.Tensor,
    smoothness: float,
    start: torch.Tensor | None = None,
    iterations: int = 30,
    tolerance: float = 1e-3,
) -> torch.Tensor:
    """Solve ``(W + lambda B) u = evidence``, B being the matrix of :func:`bending_gradient`.

    Args:
        weights: W (1, 3 or 6, z, y, x), positive semidefinite; see :func:`apply_weights`.
        evidence: W m (3, z, y, x).
        smoothness: lambda, in units of the grid's spacing.
        start: initial field of the iteration; zero by default.
        iterations: largest number of steps of conjugate gradients.
        tolerance: ends when the norm of the residual has decreased to this share.

    Returns:
        u (3, z, y, x). Differentiable in weights and evidence by the implicit function theorem.
    """
    return _SmoothField.apply(weights, evidence, float(smoothness), start, iterations, tolerance)


class _SmoothField(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weights, evidence, smoothness, start, iterations, tolerance):  # noqa: ANN001, ANN205 - torch's signature
        solution = _conjugate_gradients(weights, evidence, smoothness, start, iterations, tolerance)
        ctx.save_for_backward(weights, solution)
        ctx.settings = smoothness, iterations, tolerance
        return solution

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        weights, solution = ctx.saved_tensors
        smoothness, iterations, tolerance = ctx.settings
        # (W + lambda B) is symmetric: the adjoint is one more solve with the same matrix.
        adjoint = _conjugate_gradients(weights, gradient.contiguous(), smoothness, None, iterations, tolerance)
        outer = -adjoint[:, None] * solution[None]
        if weights.shape[0] == 1:
            slope = cast(torch.Tensor, sum(outer[axis, axis] for axis in range(3)))[None]
        elif weights.shape[0] == 3:
            slope = torch.stack([outer[axis, axis] for axis in range(3)])
        else:
            slope = torch.zeros_like(weights)
            for row in range(3):
                for column in range(3):
                    slope[_SYMMETRIC[row][column]] += outer[row, column]
        return slope, adjoint, None, None, None, None


def _conjugate_gradients(
    weights: torch.Tensor, evidence: torch.Tensor, smoothness: float, start: torch.Tensor | None, iterations: int, tolerance: float
) -> torch.Tensor:
    precondition = _Preconditioner(weights, smoothness, evidence)

    def matrix(field: torch.Tensor) -> torch.Tensor:
        return apply_weights(weights, field) + smoothness * bending_gradient(field)

    solution = torch.zeros_like(evidence) if start is None else start.clone()
    residual = evidence.clone() if start is None else evidence - matrix(solution)
    preconditioned = precondition(residual)
    direction = preconditioned.clone()
    squared = float((residual * preconditioned).sum())
    goal = squared * tolerance**2
    for _ in range(iterations):
        if squared <= goal or squared <= 0.0:
            break
        product = matrix(direction)
        curvature = float((direction * product).sum())
        if curvature <= 0.0:  # only rounding errors of float32 remain
            break
        length = squared / curvature
        solution.add_(direction, alpha=length)
        residual.sub_(product, alpha=length)
        preconditioned = precondition(residual)
        previous, squared = squared, float((residual * preconditioned).sum())
        direction = direction.mul_(squared / previous).add_(preconditioned)
    return solution


class _Preconditioner:
    """The inverse of ``w + lambda (Neumann Laplacian)^2``, w the mean weight: diagonal in the basis of cosines."""

    def __init__(self, weights: torch.Tensor, smoothness: float, like: torch.Tensor) -> None:
        shape = like.shape[1:]
        self._bases = [_cosines(n).to(like.device, like.dtype) for n in shape]
        values = [(2.0 - 2.0 * torch.cos(math.pi * torch.arange(n, dtype=like.dtype, device=like.device) / n)) for n in shape]
        laplacian = values[0][:, None, None] + values[1][None, :, None] + values[2][None, None, :]
        diagonal = weights if weights.shape[0] in (1, 3) else weights[[0, 3, 5]]
        mean = float(diagonal.mean())
        floor = torch.finfo(like.dtype).tiny ** 0.5
        self._scale = 1.0 / (max(mean, floor) + smoothness * laplacian.square())

    def __call__(self, field: torch.Tensor) -> torch.Tensor:
        return self._transform(self._transform(field, False) * self._scale, True)

    def _transform(self, field: torch.Tensor, back: bool) -> torch.Tensor:
        """Return the cosine transform along z, y and x, in the memory layout of the field."""
        z, y, x = (basis.T if back else basis for basis in self._bases)
        shape = field.shape
        field = torch.matmul(z, field.reshape(shape[0], shape[1], -1))
        field = torch.matmul(y, field.reshape(-1, shape[2], shape[3]))
        return torch.matmul(field.reshape(-1, shape[3]), x.T).reshape(shape)


@lru_cache(maxsize=64)
def _cosines(count: int) -> torch.Tensor:
    """Return the orthonormal discrete cosine transform (count, count), double precision."""
    frequency = torch.arange(count, dtype=torch.float64)
    basis = torch.cos(math.pi * frequency[:, None] * (frequency[None] + 0.5) / count) * math.sqrt(2.0 / count)
    basis[0] /= math.sqrt(2.0)
    return basis
