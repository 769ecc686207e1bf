"""Supervised descent: what a feature network is told about the steps that its features make.

The teacher's steps are known: those that the label volumes of both images make by the same formula (no dense truth is needed), and, where
the deformation itself is known, what of it is missing. The student's step s is compared with the teacher's g in two ways,

    sum (s - g)^T H (s - g) / sum (g^T H g + tr H / 12)   (labels)      mean |s - d|^2 / (|d|^2 + 1/4)   (truth)

H being the curvature of the label volumes: near a boundary it asks for direction and length across it, elsewhere for nothing.
Blendowski, Hansen, Heinrich, Medical Image Analysis 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deepreg_engine.features.contrast_net import ContrastNet
from deepreg_engine.geometry.sampling import identity, warp
from deepreg_engine.learning.contrast_examples import Example
from deepreg_engine.solvers.descent import Regularity, descent_step, limited

# Windows as a registration uses them: what they average out is no error of the features.
STEP = Regularity(window=2, spread=3.0, damping=0.05, fluid=0.0, elastic=0.0, longest=1.5)
# Voxels at the faces of an example of which nothing is asked: features are less true there.
_MARGIN = 4
# Squared length (voxels) that is added to that of a teacher's step: how much is right matters more where little is left to do.
_SOFT = 0.25


def features(network: ContrastNet, example: Example) -> tuple[Tensor, Tensor]:
    """Features (C, z, y, x) of both sides."""
    fixed = network(example.fixed[None, None], example.fixed_modality)[0]
    moving = network(example.moving[None, None], example.moving_modality)[0]
    return fixed, moving


def step_loss(fixed: Tensor, moving: Tensor, example: Example, field: Tensor) -> tuple[Tensor, dict[str, float], Tensor]:
    """The loss of one step.

    Args:
        fixed, moving: features (C, z, y, x).
        example: labels, and truth if it is known.
        field: where the descent is (3, z, y, x), voxels.

    Returns:
        The loss; figures to log; and the teacher's step (3, Kz, Ky, Kx), voxels.
    """
    inside = _inside(field)
    step, _, residual = descent_step(fixed, warp(moving, field), STEP, inside)
    step = limited(step, STEP.longest)
    goal, curvature, _ = descent_step(example.fixed_labels, warp(example.moving_labels, field), STEP, inside)
    goal = limited(goal, STEP.longest)
    size = _quadratic(curvature, goal).sum() + _SOFT * curvature[[0, 3, 5]].sum() / 3.0 + 1e-9
    loss = by_labels = _quadratic(curvature, step - goal).sum() / size
    figures = {"labels": float(by_labels.detach())}
    if example.truth is not None:
        controls = tuple(slice(None, None, STEP.window) for _ in range(3))
        missing = limited((example.truth - field)[(slice(None), *controls)], STEP.longest)
        asked = inside[controls]
        step = step[(slice(None), *(slice(0, n) for n in missing.shape[1:]))]
        apart = (step - missing).square().sum(0) / (missing.square().sum(0) + _SOFT)
        by_truth = (apart * asked).sum() / asked.sum()
        # Features of the same place are to be the same: all that differs at the truth is noise of the steps.
        unlike = ((fixed - warp(moving, example.truth)).square().mean(0) * inside).sum() / (2.0 * inside.sum())
        loss = 0.5 * by_labels + by_truth + 0.2 * unlike
        figures |= {"truth": float(by_truth.detach()), "unlike": float(unlike.detach())}
        goal = missing
    return loss, figures, goal


def _quadratic(system: Tensor, vector: Tensor) -> Tensor:
    """v^T A v of matrices (6, ...) and vectors (3, ...)."""
    xx, xy, xz, yy, yz, zz = system
    x, y, z = vector
    return xx * x * x + yy * y * y + zz * z * z + 2.0 * (xy * x * y + xz * x * z + yz * y * z)


def _inside(field: Tensor) -> Tensor:
    """1 where a voxel and its partner lie well inside (z, y, x)."""
    shape = field.shape[1:]
    place = identity(shape, field) + field
    inside = torch.ones(shape, dtype=field.dtype, device=field.device)
    own = identity(shape, field)
    for axis, count in enumerate(shape[::-1]):
        for index in (own[axis], place[axis]):
            inside *= (index >= _MARGIN) & (index <= count - 1 - _MARGIN)
    return inside
