"""Spatial augmentation: random linear maps, smooth displacements, and labels at the displaced positions."""

from __future__ import annotations

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from deepreg_engine.arrays import array_of, tensor_of
from deepreg_engine.solvers.neighbours import squared_distances
from deepreg_engine.training.augmentation.draws import RandomDraws


def rotation(vector: Tensor) -> Tensor:
    """Return the rotation matrix (3, 3), float64, of a rotation vector (3,), radians."""
    return tensor_of(Rotation.from_rotvec(array_of(vector.double())).as_matrix())


def random_linear(draws: RandomDraws, deviation: float) -> Tensor:
    """Return a small random rotation and scaling (3, 3), float64.

    Args:
        draws: random numbers.
        deviation: standard deviation of the rotation vector, radians, and of the logarithms of the scales.
    """
    turn = rotation(deviation * draws.normal(3, dtype=torch.float64))
    return turn @ torch.diag(torch.exp(deviation * draws.normal(3, dtype=torch.float64).clamp(-2, 2)))


def mapped(linear: Tensor, offset: Tensor, positions: Tensor) -> Tensor:
    """Return positions (3, z, y, x) under a linear map (3, 3) and an offset (3,)."""
    return torch.einsum("ab,bzyx->azyx", linear, positions) + offset.view(3, 1, 1, 1)


def wave(draws: RandomDraws, points: Tensor, length: float, width: float) -> Tensor:
    """Return a smooth random displacement (N, 3) of points, mm: a sum of forty Gaussians with random weights.

    Args:
        draws: random numbers.
        points: (N, 3), mm.
        length: mean length of the displacement, mm.
        width: standard deviation of the Gaussians, mm.
    """
    low, high = points.amin(0), points.amax(0)
    centres = low + (high - low) * torch.rand(40, 3, generator=draws.generator)
    weights = draws.normal(40, 3)
    moved = torch.exp(squared_distances(points - low, centres - low) * (-0.5 / width**2)) @ weights
    return moved * (length / moved.norm(dim=1).mean().clamp(min=1e-6))


def nearest_labels(labels: Tensor, positions: Tensor, background: bool = True) -> Tensor:
    """Return the labels (z, y, x) of a map at continuous positions (3, z, y, x) in its voxels.

    Args:
        labels: the map.
        positions: components x, y, z.
        background: whether positions outside the map have label 0; else they have the label at the nearest face.
    """
    index = [positions[axis].round().long() for axis in range(3)]
    inner = [part.clamp(0, labels.shape[2 - axis] - 1) for axis, part in enumerate(index)]
    found = labels[inner[2], inner[1], inner[0]].long()
    if not background:
        return found
    inside = torch.stack([part == kept for part, kept in zip(index, inner, strict=True)]).all(0)
    return torch.where(inside, found, 0)
