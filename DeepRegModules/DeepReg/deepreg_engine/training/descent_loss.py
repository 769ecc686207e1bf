"""Supervised descent: what a feature network is told about the steps that its features make.

The teacher's steps are known: those that the label volumes of both images make by the same formula (no dense truth is needed), and, where
the deformation itself is known, what of it is missing. The student's step s is compared with the teacher's g in two ways,

    sum (s - g)^T H (s - g) / sum (g^T H g + tr H / 12)   (labels)      mean |s - d|^2 / (|d|^2 + 1/4)   (truth)

H being the curvature of the label volumes: near a boundary it asks for direction and length across it, elsewhere for nothing.
Blendowski, Hansen, Heinrich, Medical Image Analysis 2021.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from deepreg_engine.features.contrast_net import ContrastNet
from deepreg_engine.features.similarity_net import SimilarityNet
from deepreg_engine.features.tissue_net import TissueNet
from deepreg_engine.geometry.sampling import identity, sample, warp
from deepreg_engine.solvers.descent import Regularity, descent_step, limited
from deepreg_engine.training.contrast_examples import Example

# Windows as a registration uses them: what they average out is no error of the features.
STEP = Regularity(window=2, spread=3.0, damping=0.05, fluid=0.0, elastic=0.0, longest=1.5)
SPREADS = (3.0, 6.0, 10.0)
# Voxels at the faces of an example of which nothing is asked: features are less true there.
_MARGIN = 4
# Places whose features are compared: groups of neighbours so far apart (voxels), but for those that are nearly the same place.
_CENTRES, _GROUP, _NEAR, _SAME = 48, 12, 3.0, 1.0
_TEMPERATURE = 0.25
# Squared length (voxels) that is added to that of a teacher's step: how much is right matters more where little is left to do.
_SOFT = 0.25


def features(network: ContrastNet | SimilarityNet | TissueNet, example: Example) -> tuple[Tensor, Tensor]:
    """Features (C, z, y, x) of both sides."""
    fixed = network(example.fixed[None, None], example.fixed_modality)[0]
    moving = network(example.moving[None, None], example.moving_modality)[0]
    return fixed, moving


def step_loss(
    fixed: Tensor, moving: Tensor, example: Example, field: Tensor, regularity: Regularity = STEP
) -> tuple[Tensor, dict[str, float], Tensor]:
    """The loss of one step.

    Args:
        fixed, moving: features (C, z, y, x).
        example: labels, and truth if it is known.
        field: where the descent is (3, z, y, x), voxels.
        regularity: of the steps.

    Returns:
        The loss; figures to log; and the teacher's step (3, Kz, Ky, Kx), voxels.
    """
    inside = _inside(field)
    step, _, residual = descent_step(fixed, warp(moving, field), regularity, inside)
    step = limited(step, regularity.longest)
    goal, curvature, _ = descent_step(example.fixed_labels, warp(example.moving_labels, field), regularity, inside)
    goal = limited(goal, regularity.longest)
    size = _quadratic(curvature, goal).sum() + _SOFT * curvature[[0, 3, 5]].sum() / 3.0 + 1e-9
    loss = by_labels = _quadratic(curvature, step - goal).sum() / size
    figures = {"labels": float(by_labels.detach())}
    if example.truth is not None:
        controls = tuple(slice(None, None, regularity.window) for _ in range(3))
        missing = limited((example.truth - field)[(slice(None), *controls)], regularity.longest)
        asked = inside[controls]
        step = step[(slice(None), *(slice(0, n) for n in missing.shape[1:]))]
        apart = (step - missing).square().sum(0) / (missing.square().sum(0) + _SOFT)
        by_truth = (apart * asked).sum() / asked.sum()
        loss = 0.5 * by_labels + by_truth
        figures |= {"truth": float(by_truth.detach())}
        goal = missing
    return loss, figures, goal


def teacher_step(example: Example, field: Tensor, regularity: Regularity = STEP) -> tuple[Tensor, Tensor]:
    """The step (3, Kz, Ky, Kx), voxels, that the label volumes make from a field, and their curvature (6, Kz, Ky, Kx)."""
    inside = _inside(field)
    goal, curvature, _ = descent_step(example.fixed_labels, warp(example.moving_labels, field), regularity, inside)
    return limited(goal, regularity.longest), curvature


def likeness_loss(fixed: Tensor, moving: Tensor, truth: Tensor, generator: torch.Generator) -> Tensor:
    """How badly a place is told from others, near and far, by the features of the other look (InfoNCE).

    -log of the share of the true partner's likeness among that of all places (van den Oord, Li, Vinyals, 2018), divided by what pure
    chance gives. The likeness is the exponential of what a descent lowers, the mean squared difference of features, with its sign changed.

    Args:
        fixed, moving: features (C, z, y, x).
        truth: displacement from fixed to moving (3, z, y, x), voxels.
        generator: chooses the places.
    """
    shape = torch.tensor(fixed.shape[:0:-1], dtype=torch.float32)
    low, high = torch.tensor(float(_MARGIN)), shape - 1 - _MARGIN
    centres = low + torch.rand(_CENTRES, 1, 3, generator=generator) * (high - low)
    # Groups of neighbours: the hardest to tell apart are those that lie next to each other.
    places = (centres + _NEAR * torch.randn(_CENTRES, _GROUP, 3, generator=generator)).reshape(-1, 3)
    places = places.clamp(min=low).minimum(high).to(fixed.device)
    index = places.T[:, :, None, None]
    partners = index + sample(truth, index)
    ours, theirs = (sample(side, where)[:, :, 0, 0] for side, where in ((fixed, index), (moving, partners)))
    apart = torch.cdist(places, places)
    likeness = -(ours.square().sum(0)[:, None] + theirs.square().sum(0)[None] - 2.0 * (ours.T @ theirs)) / (len(ours) * _TEMPERATURE)
    same = torch.eye(len(places), dtype=torch.bool, device=fixed.device)
    likeness = likeness.masked_fill((apart < _SAME) & ~same, float("-inf"))
    known = ((partners[:, :, 0, 0].T >= 0) & (shape.to(fixed.device) - 1 >= partners[:, :, 0, 0].T)).all(1)
    lost = -torch.log_softmax(likeness, 1).diagonal()
    return (lost * known).sum() / (known.sum().clamp(min=1) * math.log(len(places)))


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
