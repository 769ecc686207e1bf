"""Loss of supervised descent: the descent steps of the features are compared with those of a teacher.

The teacher's step g is the step of the label volumes of both images by the same formula, which needs no dense truth; where the deformation
is known, d is its remaining part. The loss of the step s of the features is

    sum (s - g)^T H (s - g) / sum (g^T H g + tr H / 12)   (labels)      mean |s - d|^2 / (|d|^2 + 1/4)   (truth)

H is the curvature of the label volumes: near a boundary it weights the component of the step across the boundary, elsewhere it is zero.
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
from deepreg_engine.training.descent.examples import Example

# Windows of a registration. Errors that average out within a window do not count as errors of the features.
STEP = Regularity(window=2, spread=3.0, damping=0.05, fluid=0.0, elastic=0.0, longest=1.5)
SPREADS = (3.0, 6.0, 10.0)
# Voxels at the faces of an example that do not count: features are less accurate there.
_MARGIN = 4
# Positions whose features are compared: groups of neighbours with a standard deviation (voxels); nearer positions than the last number are
# not negatives of each other.
_CENTRES, _GROUP, _NEAR, _SAME = 48, 12, 3.0, 1.0
_TEMPERATURE = 0.25
# Squared length (voxels) that is added to that of a teacher's step: relative errors of short steps matter less.
_SOFT = 0.25


def features(network: ContrastNet | SimilarityNet | TissueNet, example: Example) -> tuple[Tensor, Tensor]:
    """Return features (C, z, y, x) of both sides."""
    fixed = network(example.fixed[None, None], example.fixed_modality)[0]
    moving = network(example.moving[None, None], example.moving_modality)[0]
    return fixed, moving


def step_loss(
    fixed: Tensor, moving: Tensor, example: Example, field: Tensor, regularity: Regularity = STEP
) -> tuple[Tensor, dict[str, float], Tensor]:
    """Return the loss of one step.

    Args:
        fixed, moving: features (C, z, y, x).
        example: labels, and truth if it is known.
        field: displacement from which the step is made (3, z, y, x), voxels.
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
        counted = inside[controls]
        step = step[(slice(None), *(slice(0, n) for n in missing.shape[1:]))]
        apart = (step - missing).square().sum(0) / (missing.square().sum(0) + _SOFT)
        by_truth = (apart * counted).sum() / counted.sum()
        loss = 0.5 * by_labels + by_truth
        figures |= {"truth": float(by_truth.detach())}
        goal = missing
    return loss, figures, goal


def teacher_step(example: Example, field: Tensor, regularity: Regularity = STEP) -> tuple[Tensor, Tensor]:
    """Return the step (3, Kz, Ky, Kx), voxels, that the label volumes make from a field, and their curvature (6, Kz, Ky, Kx)."""
    inside = _inside(field)
    goal, curvature, _ = descent_step(example.fixed_labels, warp(example.moving_labels, field), regularity, inside)
    return limited(goal, regularity.longest), curvature


def contrastive_loss(fixed: Tensor, moving: Tensor, truth: Tensor, generator: torch.Generator) -> Tensor:
    """Return the InfoNCE loss of the features of two views (van den Oord, Li, Vinyals, 2018), relative to that of a uniform guess.

    -log of the softmax of the true partner's similarity among those of all positions, near and far. The similarity is minus the mean
    squared difference of features, which a descent lowers, divided by a temperature.

    Args:
        fixed, moving: features (C, z, y, x).
        truth: displacement from fixed to moving (3, z, y, x), voxels.
        generator: chooses the positions.
    """
    shape = torch.tensor(fixed.shape[:0:-1], dtype=torch.float32)
    low, high = torch.tensor(float(_MARGIN)), shape - 1 - _MARGIN
    centres = low + torch.rand(_CENTRES, 1, 3, generator=generator) * (high - low)
    # Groups of neighbours: positions next to each other are the hardest negatives.
    positions = (centres + _NEAR * torch.randn(_CENTRES, _GROUP, 3, generator=generator)).reshape(-1, 3)
    positions = positions.clamp(min=low).minimum(high).to(fixed.device)
    index = positions.T[:, :, None, None]
    partners = index + sample(truth, index)
    ours, theirs = (sample(side, where)[:, :, 0, 0] for side, where in ((fixed, index), (moving, partners)))
    apart = torch.cdist(positions, positions)
    similarity = -(ours.square().sum(0)[:, None] + theirs.square().sum(0)[None] - 2.0 * (ours.T @ theirs)) / (len(ours) * _TEMPERATURE)
    same = torch.eye(len(positions), dtype=torch.bool, device=fixed.device)
    similarity = similarity.masked_fill((apart < _SAME) & ~same, float("-inf"))
    known = ((partners[:, :, 0, 0].T >= 0) & (shape.to(fixed.device) - 1 >= partners[:, :, 0, 0].T)).all(1)
    entropy = -torch.log_softmax(similarity, 1).diagonal()
    return (entropy * known).sum() / (known.sum().clamp(min=1) * math.log(len(positions)))


def _quadratic(system: Tensor, vector: Tensor) -> Tensor:
    """Return v^T A v of matrices (6, ...) and vectors (3, ...)."""
    xx, xy, xz, yy, yz, zz = system
    x, y, z = vector
    return xx * x * x + yy * y * y + zz * z * z + 2.0 * (xy * x * y + xz * x * z + yz * y * z)


def _inside(field: Tensor) -> Tensor:
    """Return 1 where a voxel and its partner lie well inside (z, y, x)."""
    shape = field.shape[1:]
    position = identity(shape, field) + field
    inside = torch.ones(shape, dtype=field.dtype, device=field.device)
    own = identity(shape, field)
    for axis, count in enumerate(shape[::-1]):
        for index in (own[axis], position[axis]):
            inside *= (index >= _MARGIN) & (index <= count - 1 - _MARGIN)
    return inside
