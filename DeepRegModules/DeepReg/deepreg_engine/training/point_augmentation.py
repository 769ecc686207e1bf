"""Training examples for point features: real keypoints under breathing-like motion, as a registration meets them.

An example is a template whose points are roughly aligned, the target's points, and where each template point belongs. Motion is the
patient's own, weakened or exaggerated, or a made-up one: sums of wide Gaussians. Points are dropped on either side, so that many have no
partner, and moved a little, as a detector does. Flips, rotations, stretches and shears keep features from learning one pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deepreg_engine.solvers.neighbours import squared_distances
from deepreg_engine.training.point_pairs import PointPair

# At most so many points of each side, as a detector gives by default.
_TEMPLATE, _TARGET = 1500, 1800


@dataclass(frozen=True)
class Example:
    """One training example, mm, float32.

    Args:
        template: the fixed scan's points (N, 3) in their own shape; their neighbourhood makes the graph of the solver.
        moved: the same after a rough alignment.
        truth: where they belong among the target (N, 3).
        target: the moving scan's points (M, 3).
    """

    template: Tensor
    moved: Tensor
    truth: Tensor
    target: Tensor

    def to(self, device: torch.device) -> Example:
        """The same on a device."""
        return Example(*(part.to(device) for part in (self.template, self.moved, self.truth, self.target)))


class Examples:
    """An endless supply.

    Args:
        pairs: to draw from.
        generator: of all random numbers.
        independent: share of the examples with independently detected keypoints, where there are such pairs.
        error: the most that the rough alignment is off by a smooth error, mean over the points, mm.
    """

    def __init__(self, pairs: list[PointPair], generator: torch.Generator, independent: float = 0.5, error: float = 10.0) -> None:
        both = [*pairs, *(pair.reversed() for pair in pairs)]
        self._two = [_tensors(p.fixed, p.partners, p.moving) for p in both if p.moving is not None]
        self._one = [_tensors(p.fixed, p.partners) for p in both]
        self._error = error
        self._generator, self._independent = generator, independent if self._two else 0.0

    def draw(self) -> Example:
        """The next one."""
        if self._uniform(0.0, 1.0) < self._independent:
            fixed, truth, target = self._detected()
        else:
            fixed, truth, target = self._made()
        fixed, truth, target = self._posed(fixed, truth, target)
        return Example(fixed, self._aligned(fixed, truth), truth, target)

    # ---------------------------------------------------------------- numbers

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand(1, generator=self._generator))

    def _some(self, count: int, most: int) -> Tensor:
        return torch.randperm(count, generator=self._generator)[:most]

    def _one_of(self, things: list) -> tuple[Tensor, ...]:
        return things[int(torch.randint(len(things), (1,), generator=self._generator))]

    # ------------------------------------------------------------------ points

    def _detected(self) -> tuple[Tensor, Tensor, Tensor]:
        fixed, truth, target = self._one_of(self._two)
        kept = self._some(len(fixed), min(_TEMPLATE, int(self._uniform(0.6, 1.0) * len(fixed))))
        others = self._some(len(target), min(_TARGET, int(self._uniform(0.6, 1.0) * len(target))))
        fixed, truth, target = fixed[kept], truth[kept], target[others]
        return truth + self._uniform(0.5, 1.7) * (fixed - truth), truth, target

    def _made(self) -> tuple[Tensor, Tensor, Tensor]:
        fixed, truth = self._one_of(self._one)
        if self._uniform(0.0, 1.0) < 0.3:
            shape = truth + self.wave(truth, self._uniform(3.0, 12.0), self._uniform(30.0, 80.0))
        else:
            shape = truth + self._uniform(0.5, 1.7) * (fixed - truth)
        kept = torch.rand(len(truth), generator=self._generator) < self._uniform(0.5, 0.95)
        others = torch.rand(len(truth), generator=self._generator) < self._uniform(0.5, 0.95)
        blur = self._uniform(0.3, 1.5)
        target = truth[others] + blur * torch.randn(int(others.sum()), 3, generator=self._generator)
        shape = shape[kept] + 0.3 * torch.randn(int(kept.sum()), 3, generator=self._generator)
        chosen, present = self._some(len(shape), _TEMPLATE), self._some(len(target), _TARGET)
        return shape[chosen], truth[kept][chosen], target[present]

    def wave(self, points: Tensor, length: float, width: float) -> Tensor:
        """A smooth random displacement (N, 3) of the given mean length and width, mm."""
        low, high = points.amin(0), points.amax(0)
        centres = low + (high - low) * torch.rand(40, 3, generator=self._generator)
        weights = torch.randn(40, 3, generator=self._generator)
        moved = torch.exp(squared_distances(points - low, centres - low) * (-0.5 / width**2)) @ weights
        return moved * (length / moved.norm(dim=1).mean().clamp(min=1e-6))

    # -------------------------------------------------------------------- pose

    def _posed(self, *parts: Tensor) -> list[Tensor]:
        turn = 0.15 * torch.randn(3, 3, generator=self._generator)
        shear = 0.05 * torch.randn(3, 3, generator=self._generator)
        stretch = torch.tensor([self._uniform(0.8, 1.2) for _ in range(3)])
        flip = torch.tensor([1.0 if self._uniform(0.0, 1.0) < 0.5 else -1.0, 1.0 if self._uniform(0.0, 1.0) < 0.5 else -1.0, 1.0])
        matrix = torch.linalg.matrix_exp(turn - turn.T + shear) @ torch.diag(stretch * flip)
        centre = parts[-1].mean(0)
        return [(part - centre) @ matrix.T for part in parts]

    def _aligned(self, template: Tensor, truth: Tensor) -> Tensor:
        """Something between what the best affine map does and the truth, and off by a smooth error."""
        # By normal equations in double precision: a least-squares solver may round differently at each call, and a training has to
        # be repeatable.
        best = torch.cat([template, torch.ones(len(template), 1)], 1).double()
        affine = (best @ torch.linalg.solve(best.T @ best, best.T @ truth.double())).float()
        moved = truth + self._uniform(0.0, 1.5) * (affine - truth)
        if self._uniform(0.0, 1.0) < 0.7:
            moved = moved + self.wave(moved, self._uniform(0.0, self._error), self._uniform(30.0, 100.0))
        return moved


def _tensors(*arrays) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(array, dtype=torch.float32) for array in arrays)
