"""Training examples for point features: real keypoints under breathing-like motion, as in a registration.

An example is a template whose points are roughly aligned, the target's points, and the true position of each template point. Motion is that
of the patient, weaker or stronger, or a random one: sums of wide Gaussians. Points are dropped on either side, so that many have no
partner, and displaced a little, as a detector does. Flips, rotations, scalings and shears make features independent of the pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deepreg_engine.arrays import new_tensor
from deepreg_engine.training.augmentation.draws import RandomDraws
from deepreg_engine.training.augmentation.spatial import wave
from deepreg_engine.training.example_loader import TrainingExample
from deepreg_engine.training.points.pairs import PointPair

# Largest number of points of each side, the default of the detector.
_TEMPLATE, _TARGET = 1500, 1800


@dataclass(frozen=True)
class Example(TrainingExample):
    """One training example, mm, float32.

    Args:
        template: the fixed scan's points (N, 3) in their own shape; their neighbourhood makes the graph of the solver.
        moved: the same after a rough alignment.
        truth: their true positions among the target's points (N, 3).
        target: the moving scan's points (M, 3).
    """

    template: Tensor
    moved: Tensor
    truth: Tensor
    target: Tensor


class PointExamples(RandomDraws):
    """An endless sequence of examples.

    Args:
        pairs: to draw from.
        generator: of all random numbers.
        independent: share of the examples with independently detected keypoints, where there are such pairs.
        error: largest mean length of the smooth error of the rough alignment, mm.
    """

    def __init__(self, pairs: list[PointPair], generator: torch.Generator, independent: float = 0.5, error: float = 10.0) -> None:
        super().__init__(generator)
        both = [*pairs, *(pair.reversed() for pair in pairs)]
        self._detected = [_tensors(p.fixed, p.partners, p.moving) for p in both if p.moving is not None]
        self._partners = [_tensors(p.fixed, p.partners) for p in both]
        self._error = error
        self._independent = independent if self._detected else 0.0

    def draw(self) -> Example:
        """Return the next example."""
        parts = self._from_detected() if self.uniform(0.0, 1.0) < self._independent else self._from_partners()
        template, truth, target = self._posed(*parts)
        return Example(template, self._aligned(template, truth), truth, target)

    def _from_detected(self) -> tuple[Tensor, Tensor, Tensor]:
        fixed, truth, target = self.choice(self._detected)
        kept = self.subset(len(fixed), min(_TEMPLATE, int(self.uniform(0.6, 1.0) * len(fixed))))
        others = self.subset(len(target), min(_TARGET, int(self.uniform(0.6, 1.0) * len(target))))
        fixed, truth, target = fixed[kept], truth[kept], target[others]
        return truth + self.uniform(0.5, 1.7) * (fixed - truth), truth, target

    def _from_partners(self) -> tuple[Tensor, Tensor, Tensor]:
        fixed, truth = self.choice(self._partners)
        if self.uniform(0.0, 1.0) < 0.3:
            shape = truth + wave(self, truth, self.uniform(3.0, 12.0), self.uniform(30.0, 80.0))
        else:
            shape = truth + self.uniform(0.5, 1.7) * (fixed - truth)
        kept = torch.rand(len(truth), generator=self.generator) < self.uniform(0.5, 0.95)
        others = torch.rand(len(truth), generator=self.generator) < self.uniform(0.5, 0.95)
        blur = self.uniform(0.3, 1.5)
        target = truth[others] + blur * self.normal(int(others.sum()), 3)
        shape = shape[kept] + 0.3 * self.normal(int(kept.sum()), 3)
        chosen, present = self.subset(len(shape), _TEMPLATE), self.subset(len(target), _TARGET)
        return shape[chosen], truth[kept][chosen], target[present]

    def _posed(self, *parts: Tensor) -> list[Tensor]:
        """Return the parts under one random rotation, shear, scaling and flip."""
        turn, shear = 0.15 * self.normal(3, 3), 0.05 * self.normal(3, 3)
        stretch = torch.tensor([self.uniform(0.8, 1.2) for _ in range(3)])
        flip = torch.tensor([1.0 if self.uniform(0.0, 1.0) < 0.5 else -1.0 for _ in range(2)] + [1.0])
        matrix = torch.linalg.matrix_exp(turn - turn.T + shear) @ torch.diag(stretch * flip)
        centre = parts[-1].mean(0)
        return [(part - centre) @ matrix.T for part in parts]

    def _aligned(self, template: Tensor, truth: Tensor) -> Tensor:
        """Return the template between its best affine alignment and the truth, with a smooth error."""
        # By normal equations in double precision: a least-squares solver may round differently at each call, and a training has to
        # be repeatable.
        best = torch.cat([template, torch.ones(len(template), 1)], 1).double()
        affine = (best @ torch.linalg.solve(best.T @ best, best.T @ truth.double())).float()
        moved = truth + self.uniform(0.0, 1.5) * (affine - truth)
        if self.uniform(0.0, 1.0) < 0.7:
            moved = moved + wave(self, moved, self.uniform(0.0, self._error), self.uniform(30.0, 100.0))
        return moved


def _tensors(*arrays: np.ndarray | None) -> tuple[Tensor, ...]:
    return tuple(new_tensor(array, dtype=torch.float32) for array in arrays)
