"""What a discrete stage compares: both images' features on the lattices of control points and displacements, and the costs they give.

A control point is a patch of voxels. Costs are in units of the mean mismatch: of what a control point's features have in common with those
of a random place of the moving image. They can be asked for all control points at once, as a registration does, or for a box of them, as
an explanation does; both are the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.plan import PATCH, Search, control_counts
from deepreg_engine.solvers.correlation import correlate, lattice_size
from deepreg_engine.solvers.mean_field import PUBLISHED_WEIGHTS

# How steeply a control point's say falls with the share of its labels that leave the moving image: it should know both sides.
_KNOWN_POWER = 4
# Cost, in mean mismatches, of a displacement out of the moving image, on top of that to its faces: without it what is not seen
# would look better than a true partner in another person or modality, with the ceiling it would be worse than any partner.
_UNSEEN = 0.1
# Cost of a displacement that lands outside the moving mask; above every ceiling.
_FORBIDDEN = 1e4
# Slices of the lattice of displacements that are cut into patches at once where memory is spared.
_SLAB = 8
# Of larger lattices an eighth is enough to know the mean over all places.
_MANY = 600_000

Counts = tuple[int, int, int]


@dataclass(frozen=True)
class Weights:
    """What makes displacement probabilities of squared feature differences (Heinrich, MICCAI 2019, section 2).

        c0 = a1 + a0 |f_F - f_M|^2,   s = MF(MC(c0)),   c1 = a4 + a2 c0 + a3 s,   p = softmax(-a5 MF(MC(c1)))

    Args:
        scale: a0; None for costs in units of the mean mismatch, which have a ceiling.
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
        """The published weights, or those of the parameters."""
        if parameters.search_weights == "published":
            scale, offset, *mixing, sharpness = PUBLISHED_WEIGHTS
            return cls(scale, offset, tuple(mixing), sharpness)
        return cls(None, 0.0, (1.0, parameters.message_weight, 0.0), parameters.sharpness)


@dataclass
class Lattices:
    """Both images on the lattices of a box of control points.

    Args:
        fixed: patches at the control points (PATCH^3 C, Kz, Ky, Kx).
        moving: patches wherever a displacement may lead (PATCH^3 C, Z, Y, X).
        inside: the share in which these are known (Z, Y, X).
        penalty: what it costs to land there, beside the mismatch (Z, Y, X).
        wanted: the share of each control point in the fixed mask (Kz, Ky, Kx); None without one.
    """

    fixed: torch.Tensor
    moving: torch.Tensor
    inside: torch.Tensor
    penalty: torch.Tensor
    wanted: torch.Tensor | None


class SearchCosts:
    """One discrete stage, seen from a field.

    Args:
        data: the images at the level's resolution.
        field: (3, z, y, x), voxels: where displacements are counted from.
        search: the stage.
        padding: voxels around the grid that its displacements may reach, see :func:`plan.padding_voxels`.
        truncation: ceiling of a cost, as a share of the mismatch that chance would give.
        weights: a0 and a1 of the costs; by default they are in units of the mean mismatch.
        sparing: keep features only, not the patches of them, which take several times the memory: boxes will be asked for, not everything.
    """

    def __init__(
        self,
        data: LevelData,
        field: torch.Tensor,
        search: Search,
        padding: int,
        truncation: float,
        weights: Weights | None = None,
        sparing: bool = False,
    ) -> None:
        self.search, self._weights = search, weights
        self.counts: Counts = control_counts(data.grid, search.control)
        self._padding, self._truncation = padding, truncation
        self._moving, self._known, self._mask = data.warped(field, padding)
        self._fixed, self._fixed_mask = data.fixed_features(), data.fixed_mask
        self._whole: Lattices | None = None
        if sparing:
            wanted, fixed = self._wanted((0, 0, 0), self.counts), patches(self._fixed, self.counts, search.control, (0, 0, 0))
            self._moments = self._moments_in_slabs()
        else:
            self._whole = self._lattices((0, 0, 0), self.counts)
            wanted, fixed = self._whole.wanted, self._whole.fixed
            self._moments = _moments(self._whole.moving, self._whole.inside)
        mismatch = _mean_mismatch(fixed, *self._moments)
        #: Mean mismatch, in squared differences of patches.
        self.unit = mean_over(mismatch, wanted).clamp(min=1e-12)

    def costs(self, low: Counts = (0, 0, 0), high: Counts | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Costs of the control points from ``low`` up to, not including, ``high`` (z, y, x); all by default.

        Returns:
            Costs (Kz, Ky, L, L, L, Kx) in mean mismatches, or with the published weights, and the confidence of the control points (Kz, Ky, Kx): the share of their
            labels that are known, and of their patch that is in the fixed mask, to a power.
        """
        high = self.counts if high is None else high
        counts = tuple(stop - start for start, stop in zip(low, high))
        everything = low == (0, 0, 0) and high == self.counts
        lattices = self._whole if everything and self._whole is not None else self._lattices(low, counts)
        self._whole = None if everything else self._whole  # it is large, and asked for once
        search, unit, inside, penalty, wanted = self.search, self.unit, lattices.inside, lattices.penalty, lattices.wanted
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

        confidence, labels = inside, 2 * search.radius + 1
        for axis in range(3):
            confidence = confidence.unfold(axis, labels, search.ratio).mean(-1)
        confidence = confidence.clamp(min=1e-3) ** _KNOWN_POWER
        if wanted is not None:
            confidence = confidence * wanted.clamp(min=1e-3) ** _KNOWN_POWER
        return cost, confidence

    def _lattices(self, low: Counts, counts: Counts) -> Lattices:
        search = self.search
        fixed = patches(self._fixed, counts, search.control, tuple(index * search.control for index in low))
        size = lattice_size(counts, search.ratio, search.radius)
        moving, inside, penalty = self._seen(tuple(index * search.ratio for index in low), size)
        return Lattices(fixed, moving, inside, penalty, self._wanted(low, counts))

    def _seen(self, low: Counts, size: Counts, every: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Patches of the moving image, the share in which they are known, and the penalty, of a box of the lattice of displacements.

        Args:
            low: first point of the box.
            size: points of the box.
            every: distance of its points, in points of the lattice.
        """
        search = self.search
        start, step = tuple(self._padding - search.step * search.radius + index * search.step for index in low), search.step * every
        moving = patches(self._moving, size, step, start)
        inside = patches(self._known[None], size, step, start).mean(0)
        penalty = _UNSEEN * (1.0 - inside)
        if self._mask is not None:
            allowed = patches(self._mask[None], size, step, start).mean(0)
            penalty = torch.where(allowed > 0.5, penalty, _FORBIDDEN)
            inside = inside * (allowed > 0.5)
        return moving, inside, penalty

    def _wanted(self, low: Counts, counts: Counts) -> torch.Tensor | None:
        if self._fixed_mask is None:
            return None
        control = self.search.control
        return patches(self._fixed_mask[None], counts, control, tuple(index * control for index in low)).mean(0)

    def _moments_in_slabs(self) -> tuple[torch.Tensor, float]:
        size = lattice_size(self.counts, self.search.ratio, self.search.radius)
        every = 2 if size[0] * size[1] * size[2] > _MANY else 1
        depth, *across = ((n - 1) // every + 1 for n in size)
        mean, square, total = 0.0, 0.0, 0.0
        for start in range(0, depth, _SLAB):
            moving, inside, _ = self._seen((every * start, 0, 0), (min(_SLAB, depth - start), *across), every)
            flat, weights = moving.flatten(1), inside.flatten()
            mean, total = mean + flat @ weights, total + weights.sum()
            square += sum(float(channel.square() @ weights) for channel in flat)
        total = total.clamp(min=1e-6)
        return mean / total, square / float(total)


def first_control() -> float:
    """Voxel of the first control point of a search: the middle of its patch."""
    return 0.5 * (PATCH - 1)


def control_grid(grid: ImageGrid, search: Search, counts: Counts) -> ImageGrid:
    """The control points of a search as a grid."""
    origin = grid.index_to_physical(np.full((1, 3), first_control()))[0]
    return ImageGrid(counts[::-1], tuple(s * search.control for s in grid.spacing), tuple(origin), grid.direction)


def mean_mismatch(fixed: torch.Tensor, moving: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Expected squared difference of each fixed feature vector with a random moving one (z, y, x).

    Args:
        fixed: (C, z, y, x).
        moving: (C, ...), another grid.
        weights: of the moving voxels.
    """
    return _mean_mismatch(fixed, *_moments(moving, weights))


def mean_over(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Mean of values (z, y, x) over a mask of shares, or over all if there is none."""
    if mask is None or not bool(mask.any()):
        return values.mean()
    return (values * mask).sum() / mask.sum()


def _moments(moving: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Weighted mean (C,) and mean square of feature vectors (C, ...)."""
    flat, share = moving.flatten(1), weights.flatten() / weights.sum().clamp(min=1e-6)
    return flat @ share, sum(float(channel.square() @ share) for channel in flat)


def _mean_mismatch(fixed: torch.Tensor, mean: torch.Tensor, square: float) -> torch.Tensor:
    return (fixed.square().sum(0) - 2.0 * torch.tensordot(mean, fixed, dims=1) + square).clamp(min=0.0)


def patches(volume: torch.Tensor, counts: Counts, step: int, start: Counts) -> torch.Tensor:
    """Patches of PATCH^3 voxels as channels.

    Args:
        volume: (C, z, y, x); beyond its end it goes on with its last slices.
        counts: number of patches along z, y, x.
        step: between patches, voxels.
        start: first voxel of the first patch.

    Returns:
        (PATCH^3 C, *counts).
    """
    needed = [(k - 1) * step + PATCH for k in counts]
    first = [min(begin, n - 1) for begin, n in zip(start, volume.shape[1:])]
    volume = volume[(slice(None), *(slice(begin, begin + n) for begin, n in zip(first, needed)))]
    missing = [n - there for n, there in zip(needed, volume.shape[1:])]
    if any(missing):
        volume = F.pad(volume[None], (0, missing[2], 0, missing[1], 0, missing[0]), mode="replicate")[0]
    parts = []
    for z in range(PATCH):
        for y in range(PATCH):
            for x in range(PATCH):
                index = tuple(slice(offset, offset + (k - 1) * step + 1, step) for offset, k in zip((z, y, x), counts))
                parts.append(volume[(slice(None), *index)])
    return torch.cat(parts)
