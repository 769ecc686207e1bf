"""Smooth displacement functions as sums of Gaussians, and their fit to displacements at points.

The function of least norm that fits displacements d_m with weights c_m is ``u(x) = sum_m G(x, y_m) w_m`` with
``(G + lambda C^-1) W = D`` (regularisation theory; Myronenko and Song, TPAMI 2010, eq. 18). G is factored as ``L L'`` by a Cholesky
factorisation with pivots, which stops when the remainder of G is negligible: for kernels that are wide compared with the distance of the
points, a few hundred columns are sufficient for any number of points. Only the pivots then have Gaussians.

A Gaussian is the product of its factors along three axes, so that a sum of Gaussians on a grid is a few small matrix products, exact at
every voxel and as fast as a small convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from deepreg_engine.arrays import array_of, new_tensor
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.solvers.neighbours import squared_distances

# The factorisation stops when no point has more than this share of its variance left. Above this number of points a larger share is
# sufficient, and halves the number of Gaussians.
_TOLERANCE, _TOLERANCE_OF_MANY, _MANY = 1e-6, 1e-4, 200
# A ridge above this share of all weights exceeds the rounding errors of float32 in the normal matrix.
_SINGLE = 1e-4
# Entries of a product of matrices that are made at once.
_BLOCK = 24_000_000


@dataclass(frozen=True)
class Kernel:
    """A mixture of Gaussians with weights that sum to 1.

    Args:
        widths: standard deviations (beta), mm.
        shares: one for each width; equal by default.
    """

    widths: tuple[float, ...]
    shares: tuple[float, ...] = ()

    def parts(self) -> list[tuple[float, float]]:
        """Return the pairs of share and width."""
        shares = self.shares or (1.0 / len(self.widths),) * len(self.widths)
        return list(zip(shares, self.widths, strict=False))

    def of(self, squares: Tensor) -> Tensor:
        """Return values at squared distances."""
        # Processors are much slower for results below the smallest normal number.
        terms = (share * torch.exp((squares * (-0.5 / width**2)).clamp(min=-80.0)) for share, width in self.parts())
        return cast(Tensor, sum(terms))

    def matrix(self, first: Tensor, second: Tensor) -> Tensor:
        """Return G (N, M) between points (N, 3) and (M, 3)."""
        centre = first.mean(0)
        return self.of(squared_distances(first - centre, second - centre))


@dataclass(frozen=True)
class Factor:
    """G approximately as L L'.

    Args:
        columns: L (M, R).
        pivots: indices (R,) of the points that carry the Gaussians.
    """

    columns: Tensor
    pivots: Tensor

    def coefficients(self, inner: Tensor) -> Tensor:
        """Return the coefficients (R, 3) of the Gaussians at the pivots that make the function L a, for a (R, 3)."""
        return torch.linalg.solve_triangular(self.columns[self.pivots].T, inner, upper=True)


def factorise(kernel: Kernel, points: Tensor, limit: int = 2000, tolerance: float | None = None) -> Factor:
    """Return the pivoted Cholesky factorisation of G at points (M, 3), in float64; differentiable for a fixed choice of pivots.

    Args:
        kernel: the kernel.
        points: positions of the samples, mm.
        limit: of the rank.
        tolerance: share of a point's variance at which the factorisation ends; by default 1e-6, or 1e-4 for more than 200 points.
    """
    points = points.double()
    if tolerance is None:
        tolerance = _TOLERANCE if len(points) <= _MANY else _TOLERANCE_OF_MANY
    factor = _pivoted(kernel, points.detach(), limit, tolerance)
    if not (torch.is_grad_enabled() and points.requires_grad):
        return factor
    chosen = points[factor.pivots]
    lower = torch.linalg.cholesky(kernel.matrix(chosen, chosen))
    return Factor(torch.linalg.solve_triangular(lower, kernel.matrix(chosen, points), upper=False).T, factor.pivots)


def _pivoted(kernel: Kernel, points: Tensor, limit: int, tolerance: float) -> Factor:
    count = len(points)
    limit = min(limit, count)
    left = torch.ones(count, dtype=torch.float64, device=points.device)
    rows = torch.zeros(min(limit, 64), count, dtype=torch.float64, device=points.device)
    pivots: list[int] = []
    while len(pivots) < limit:
        pivot = int(left.argmax())
        most = float(left[pivot])
        if most < tolerance:
            break
        rank = len(pivots)
        if rank == len(rows):
            rows = torch.cat([rows, torch.zeros(min(len(rows), limit - rank), count, dtype=torch.float64, device=points.device)])
        column = kernel.of(((points - points[pivot]) ** 2).sum(1))
        column = (column - rows[:rank, pivot] @ rows[:rank]) / most**0.5
        column[pivots] = 0.0
        rows[rank] = column
        left = (left - column**2).clamp(min=0.0)
        left[pivot] = 0.0
        pivots.append(pivot)
    return Factor(rows[: len(pivots)].T.contiguous(), torch.tensor(pivots, device=points.device))


def weighted_fit(factor: Factor, weights: Tensor, weighted_values: Tensor, ridge: Tensor | float) -> Tensor:
    """Return the a (R, 3) that minimises ``sum_m c_m |(L a)_m - d_m|^2 + ridge |a|^2``.

    Args:
        factor: L.
        weights: c (M,), not negative.
        weighted_values: c d (M, 3), so that a point with weight 0 needs no value.
        ridge: lambda.
    """
    columns = factor.columns
    if not torch.is_grad_enabled() and float(ridge) > _SINGLE * float(weights.sum()):
        single = columns.float()
        normal = (single.T @ (single * weights.float()[:, None])).double()
    else:
        normal = columns.T @ (columns * weights[:, None])
    # The ridge may be so small compared with the data that the matrix is numerically singular.
    floor = 1e-12 * normal.diagonal().max().clamp(min=1e-30)
    normal = normal + (ridge + floor) * torch.eye(columns.shape[1], dtype=columns.dtype, device=columns.device)
    return torch.cholesky_solve(columns.T @ weighted_values, torch.linalg.cholesky(normal))


@dataclass(frozen=True)
class Term:
    """A sum of Gaussians: ``u(x) = sum_r G(x, y_r) w_r``.

    Args:
        kernel: G.
        centres: y (R, 3), mm.
        coefficients: w (R, 3), mm.
    """

    kernel: Kernel
    centres: Tensor
    coefficients: Tensor


@dataclass(frozen=True)
class SmoothMap:
    """A map x -> A x + b + sums of Gaussians, of LPS points, mm, float64.

    Args:
        matrix: A (3, 3).
        offset: b (3,).
        terms: the sums.
    """

    matrix: Tensor
    offset: Tensor
    terms: tuple[Term, ...] = ()

    @classmethod
    def identity(cls) -> SmoothMap:
        """Return the map x -> x."""
        return cls(torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))

    def scaled(self, factor: float) -> SmoothMap:
        """Return the same map of points that are multiplied by a factor, as of another unit of length."""
        terms = (
            Term(
                Kernel(tuple(factor * width for width in each.kernel.widths), each.kernel.shares),
                factor * each.centres,
                factor * each.coefficients,
            )
            for each in self.terms
        )
        return SmoothMap(self.matrix, factor * self.offset, tuple(terms))

    def __call__(self, points: Tensor) -> Tensor:
        """Map points (N, 3) to (N, 3)."""
        points = points.to(self.matrix)
        moved = points @ self.matrix.T + self.offset
        for term in self.terms:
            rows = max(1, _BLOCK // max(1, len(term.centres)))
            moved = moved + torch.cat([term.kernel.matrix(part, term.centres) @ term.coefficients for part in points.split(rows)])
        return moved

    @torch.no_grad()
    def displacements(self, grid: ImageGrid) -> np.ndarray:
        """Return displacements (3, z, y, x), LPS mm, at the voxels of a grid, float32."""
        device = self.matrix.device
        # In the grid's own axes, where the position of a voxel is index times spacing, the Gaussians are isotropic too.
        rotation = new_tensor(np.array(grid.direction).reshape(3, 3), dtype=torch.float64, device=device)
        origin = torch.tensor(grid.origin, dtype=torch.float64, device=device)
        axes = [torch.arange(n, dtype=torch.float64, device=device) * s for n, s in zip(grid.size, grid.spacing, strict=True)]
        excess = self.matrix.double() - torch.eye(3, dtype=torch.float64, device=device)
        along = [(excess @ rotation)[:, n, None] * axes[n] for n in range(3)]
        constant = (excess @ origin + self.offset.double())[:, None] + along[0]
        field = (constant[:, None, None, :] + along[1][:, None, :, None] + along[2][:, :, None, None]).float()
        for term in self.terms:
            _add_gaussians(field, term, (term.centres.double() - origin) @ rotation, axes)
        return array_of(field)


def _add_gaussians(field: Tensor, term: Term, centres: Tensor, axes: list[Tensor]) -> None:
    """Add a term, whose centres are given in the grid's axes, to a field (3, z, y, x)."""
    for share, width in term.kernel.parts():
        # Along an axis some tens of profiles represent all Gaussians: the sum over the centres is computed for these, not for voxels.
        (x, of_x), (y, of_y), (z, of_z) = (_profiles(axis, centres[:, n], width) for n, axis in enumerate(axes))
        right = torch.einsum("pr,rc->rcp", of_x, share * term.coefficients.double()).reshape(len(centres), -1)
        rows = max(1, _BLOCK // max(1, len(of_y) * len(centres)))
        parts = [torch.einsum("sr,qr->sqr", some, of_y).reshape(-1, len(centres)) @ right for some in of_z.split(rows)]
        core = torch.cat(parts).reshape(len(of_z), len(of_y), 3, len(of_x)).float()
        planes = torch.einsum("zs,sqcp->zqcp", z, core)
        lines = torch.einsum("yq,zqcp->czyp", y, planes)
        field.view(-1, len(x)).addmm_(lines.reshape(-1, lines.shape[-1]), x.T)


def _profiles(axis: Tensor, centres: Tensor, width: float) -> tuple[Tensor, Tensor]:
    """Return Gaussians at centres (R,) on an axis (n,) as profiles (n, p), float32, times their amounts (p, R), exact to float32."""
    gaussians = _along(axis, centres, width)
    # Sums of Gaussians at this distance represent all Gaussians between them, to 1e-9.
    reach, step = 4.0 * width, 0.5 * width
    spaced = torch.arange(float(axis[0]) - reach, float(axis[-1]) + reach + step, step, dtype=axis.dtype, device=axis.device)
    profiles = torch.linalg.qr(_along(axis, spaced, width) if len(spaced) < len(centres) else gaussians).Q
    return profiles.float(), profiles.T @ gaussians


def _along(axis: Tensor, centres: Tensor, width: float) -> Tensor:
    return torch.exp((-0.5 * ((axis[:, None] - centres[None]) / width) ** 2).clamp(min=-80.0))
