"""Costs of the displacements of a discrete stage.

Features of both images are sampled on the lattices of control points and displacements, as patches of PATCH^3 voxels. With the
fixed patch f(x) of a control point x, the moving patch m and the mean over the moving image <.>, the costs are

    c(x, d) = min(|f(x) - m(x + d)|^2 / unit + penalty(x + d), tau <|f(x) - m|^2> / unit),   unit = mean of <|f(x) - m|^2> over x

in units of the mean mismatch of unrelated points, with a truncation tau; with the published weights they are those of :class:`Weights`.
Costs are computed for all control points, as in a registration, or for a box of them, as in an explanation, with equal results.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from deepreg_engine.geometry.image_grid import ImageGrid, triple
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.plan import PATCH, Counts, Search, control_counts
from deepreg_engine.solvers.correlation import correlate, lattice_size
from deepreg_engine.solvers.mean_field import PUBLISHED_WEIGHTS

# Exponent with which the share of a control point's displacements within the moving image determines its confidence.
_CONFIDENCE_POWER = 4
# Penalty, in mean mismatches, of a displacement out of the moving image, in addition to the mismatch with its border values. Without a
# penalty unknown surroundings fit better than the true partner in another person or modality; at the truncation they fit worse than any.
_OUTSIDE_PENALTY = 0.1
# Penalty of a displacement out of the moving mask; above every truncation.
_FORBIDDEN = 1e4
# Slices of the lattice of displacements whose patches are in memory at once, if memory is spared.
_SLAB = 8
# Larger lattices are subsampled by a factor of two along each axis to compute their mean.
_SUBSAMPLED_ABOVE = 600_000


@dataclass(frozen=True)
class Weights:
    """The weights that lead from squared feature differences to displacement probabilities (Heinrich, MICCAI 2019, section 2).

        c0 = a1 + a0 |f_F - f_M|^2,   s = MF(MC(c0)),   c1 = a4 + a2 c0 + a3 s,   p = softmax(-a5 MF(MC(c1)))

    Args:
        scale: a0; None for costs in units of the mean mismatch, which are truncated.
        offset: a1.
        mixing: a2, a3, a4.
        sharpness: a5.
    """

    scale: float | None
    offset: float
    mixing: tuple[float, float, float]
    sharpness: float

    @classmethod
    def of(cls, parameters: DenseParameters) -> Weights:
        """Return the published weights, or those of the parameters."""
        if parameters.search_weights == "published":
            a0, a1, a2, a3, a4, a5 = PUBLISHED_WEIGHTS
            return cls(a0, a1, (a2, a3, a4), a5)
        return cls(None, 0.0, (1.0, parameters.message_weight, 0.0), parameters.sharpness)


@dataclass
class Lattices:
    """Both images on the lattices of a box of control points.

    Args:
        fixed: patches at the control points (PATCH^3 C, Kz, Ky, Kx).
        moving: patches at all displaced points (PATCH^3 C, Z, Y, X).
        coverage: share of each patch that is known (Z, Y, X).
        penalty: cost of a displacement to each point, in addition to the mismatch (Z, Y, X).
        mask: share of each control point in the fixed mask (Kz, Ky, Kx); None without a mask.
    """

    fixed: torch.Tensor
    moving: torch.Tensor
    coverage: torch.Tensor
    penalty: torch.Tensor
    mask: torch.Tensor | None


class SearchCosts:
    """The costs of one discrete stage around a present field.

    Args:
        data: the images at the level's resolution.
        field: (3, z, y, x), voxels, to which displacements are added.
        search: the stage.
        padding: voxels by which displacements may exceed the grid, see :func:`plan.padding_voxels`.
        truncation: upper limit of a mismatch, relative to the mean mismatch of the control point.
        weights: a0 and a1 of the costs; None for costs in units of the mean mismatch.
        save_memory: keep only features, not their patches, which take several times the memory; for boxes of control points.
    """

    def __init__(
        self,
        data: LevelData,
        field: torch.Tensor,
        search: Search,
        padding: int,
        truncation: float,
        weights: Weights | None = None,
        save_memory: bool = False,
    ) -> None:
        self.search, self._weights = search, weights
        self.counts: Counts = control_counts(data.grid, search.control)
        self._padding, self._truncation = padding, truncation
        self._moving, self._coverage, self._moving_mask = data.warped(field, padding)
        self._fixed, self._fixed_mask = data.fixed_features(), data.fixed_mask
        self._whole: Lattices | None = None
        if save_memory:
            mask, fixed = self._mask_share((0, 0, 0), self.counts), patches(self._fixed, self.counts, search.control, (0, 0, 0))
            self._moments = self._moments_in_slabs()
        else:
            self._whole = self._lattices((0, 0, 0), self.counts)
            mask, fixed = self._whole.mask, self._whole.fixed
            self._moments = _moments(self._whole.moving, self._whole.coverage)
        mismatch = _mean_mismatch(fixed, *self._moments)
        #: Mean mismatch, in squared differences of patches.
        self.unit = mean_over(mismatch, mask).clamp(min=1e-12)

    def costs(self, low: Counts = (0, 0, 0), high: Counts | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the costs of the control points from ``low`` up to, not including, ``high`` (z, y, x); of all by default.

        Returns:
            Costs (Kz, Ky, L, L, L, Kx) in mean mismatches, and the confidence of the control points (Kz, Ky, Kx): the share of their
            displacements that is known, and of their patch that is in the fixed mask, each to the fourth power.
        """
        high = self.counts if high is None else high
        counts = triple(stop - start for start, stop in zip(low, high, strict=True))
        everything = low == (0, 0, 0) and high == self.counts
        lattices = self._whole if everything and self._whole is not None else self._lattices(low, counts)
        self._whole = None if everything else self._whole  # a large array that is used once
        search, unit, coverage, penalty, mask = self.search, self.unit, lattices.coverage, lattices.penalty, lattices.mask
        mismatch = _mean_mismatch(lattices.fixed, *self._moments)
        if self._weights is None or self._weights.scale is None:
            fixed, moving = lattices.fixed * unit.rsqrt(), lattices.moving * unit.rsqrt()
            del lattices
            cost = correlate(fixed, moving, search.ratio, search.radius, self._truncation * mismatch / unit, penalty)
        else:
            scale = self._weights.scale / PATCH**3  # the squared difference of a patch is the mean over its voxels
            fixed, moving = lattices.fixed * scale**0.5, lattices.moving * scale**0.5
            del lattices
            cost = correlate(fixed, moving, search.ratio, search.radius, penalty=penalty * (unit * scale)).add_(self._weights.offset)

        confidence, labels = coverage, 2 * search.radius + 1
        for axis in range(3):
            confidence = confidence.unfold(axis, labels, search.ratio).mean(-1)
        confidence = confidence.clamp(min=1e-3) ** _CONFIDENCE_POWER
        if mask is not None:
            confidence = confidence * mask.clamp(min=1e-3) ** _CONFIDENCE_POWER
        return cost, confidence

    def _lattices(self, low: Counts, counts: Counts) -> Lattices:
        search = self.search
        fixed = patches(self._fixed, counts, search.control, triple(index * search.control for index in low))
        size = lattice_size(counts, search.ratio, search.radius)
        moving, coverage, penalty = self._moving_patches(triple(index * search.ratio for index in low), size)
        return Lattices(fixed, moving, coverage, penalty, self._mask_share(low, counts))

    def _moving_patches(self, low: Counts, size: Counts, every: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the patches of the moving image, their coverage, and the penalty, in a box of the lattice of displacements.

        Args:
            low: first point of the box.
            size: points of the box.
            every: distance of its points, in points of the lattice.
        """
        search = self.search
        start, step = triple(self._padding - search.step * search.radius + index * search.step for index in low), search.step * every
        moving = patches(self._moving, size, step, start)
        coverage = patches(self._coverage[None], size, step, start).mean(0)
        penalty = _OUTSIDE_PENALTY * (1.0 - coverage)
        if self._moving_mask is not None:
            allowed = patches(self._moving_mask[None], size, step, start).mean(0)
            penalty = torch.where(allowed > 0.5, penalty, _FORBIDDEN)
            coverage = coverage * (allowed > 0.5)
        return moving, coverage, penalty

    def _mask_share(self, low: Counts, counts: Counts) -> torch.Tensor | None:
        """Return the share of the control points of a box in the fixed mask (Kz, Ky, Kx)."""
        if self._fixed_mask is None:
            return None
        control = self.search.control
        return patches(self._fixed_mask[None], counts, control, triple(index * control for index in low)).mean(0)

    def _moments_in_slabs(self) -> tuple[torch.Tensor, float]:
        size = lattice_size(self.counts, self.search.ratio, self.search.radius)
        every = 2 if size[0] * size[1] * size[2] > _SUBSAMPLED_ABOVE else 1
        depth, rows, columns = ((n - 1) // every + 1 for n in size)
        weight = self._moving.new_zeros(())
        mean, square = weight, 0.0
        for start in range(0, depth, _SLAB):
            moving, coverage, _ = self._moving_patches((every * start, 0, 0), (min(_SLAB, depth - start), rows, columns), every)
            flat, weights = moving.flatten(1), coverage.flatten()
            mean, weight = mean + flat @ weights, weight + weights.sum()
            square += sum(float(channel.square() @ weights) for channel in flat)
        weight = weight.clamp(min=1e-6)
        return mean / weight, square / float(weight)


def first_control() -> float:
    """Return the index, in voxels, of the first control point of a search: the centre of its patch."""
    return 0.5 * (PATCH - 1)


def control_grid(grid: ImageGrid, search: Search, counts: Counts) -> ImageGrid:
    """Return the control points of a search as a grid."""
    origin = grid.index_to_physical(np.full((1, 3), first_control()))[0]
    return ImageGrid(triple(counts[::-1]), triple(s * search.control for s in grid.spacing), triple(origin), grid.direction)


def mean_mismatch(fixed: torch.Tensor, moving: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the expected squared difference of each fixed feature vector with those of the moving image, (z, y, x).

    Args:
        fixed: (C, z, y, x).
        moving: (C, ...), on another grid.
        weights: of the moving voxels.
    """
    return _mean_mismatch(fixed, *_moments(moving, weights))


def mean_over(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return the mean of values (z, y, x), weighted by a mask of shares (z, y, x), or of all values without one."""
    if mask is None or not bool(mask.any()):
        return values.mean()
    return (values * mask).sum() / mask.sum()


def _moments(moving: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return weighted mean (C,) and mean square of feature vectors (C, ...)."""
    flat, share = moving.flatten(1), weights.flatten() / weights.sum().clamp(min=1e-6)
    return flat @ share, sum(float(channel.square() @ share) for channel in flat)


def _mean_mismatch(fixed: torch.Tensor, mean: torch.Tensor, square: float) -> torch.Tensor:
    return (fixed.square().sum(0) - 2.0 * torch.tensordot(mean, fixed, dims=1) + square).clamp(min=0.0)


def patches(volume: torch.Tensor, counts: Counts, step: int, start: Counts) -> torch.Tensor:
    """Return the patches of PATCH^3 voxels as channels.

    Args:
        volume: (C, z, y, x); outside, its last slices are repeated.
        counts: number of patches along z, y, x.
        step: distance of the patches, voxels.
        start: first voxel of the first patch.

    Returns:
        (PATCH^3 C, *counts).
    """
    needed = [(k - 1) * step + PATCH for k in counts]
    first = [min(begin, n - 1) for begin, n in zip(start, volume.shape[1:], strict=True)]
    volume = volume[(slice(None), *(slice(begin, begin + n) for begin, n in zip(first, needed, strict=True)))]
    missing = [n - present for n, present in zip(needed, volume.shape[1:], strict=True)]
    if any(missing):
        volume = F.pad(volume[None], (0, missing[2], 0, missing[1], 0, missing[0]), mode="replicate")[0]
    parts = []
    for z in range(PATCH):
        for y in range(PATCH):
            for x in range(PATCH):
                index = tuple(slice(offset, offset + (k - 1) * step + 1, step) for offset, k in zip((z, y, x), counts, strict=True))
                parts.append(volume[(slice(None), *index)])
    return torch.cat(parts)
