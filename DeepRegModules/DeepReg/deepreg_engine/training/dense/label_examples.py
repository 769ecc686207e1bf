"""Training examples for a segmentation network: cubes of labelled scans with spatial and intensity augmentation.

A few scans do not show all patients. Augmentation gives other poses and sizes, organs that are shifted against each other, other scanners,
and structures that are brighter or darker, as contrast medium, fat and bowel contents make them (label by label).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deepreg_engine.geometry.sampling import identity
from deepreg_engine.training.augmentation.draws import RandomDraws, interpolated
from deepreg_engine.training.augmentation.spatial import mapped, nearest_labels, random_linear
from deepreg_engine.training.dense.parameters import DenseTraining
from deepreg_engine.training.dense.scans import TrainingScan
from deepreg_engine.training.example_loader import NumberedExamples, TrainingExample

# Standard deviations: of rotations and scalings, and of shears.
_POSE, _SHEAR = 0.15, 0.05
# Deformations: nodes along an edge of the cube, and largest standard deviation, voxels.
_DEFORMATIONS = ((4, 3.0), (8, 1.5))
# Shares of examples whose centre lies on a structure, whose structures have other intensities, and that are blurred.
_ON_STRUCTURES, _RECOLOURED, _BLURRED = 0.7, 0.8, 0.3
# Standard deviation of the distance of an example's centre from the structure, voxels; least share of a cube's edge inside the scan.
_AROUND, _INSIDE = 8.0, 0.35


@dataclass(frozen=True)
class LabelExample(TrainingExample):
    """One training example.

    Args:
        image: intensities (z, y, x).
        labels: as in the scan (z, y, x).
    """

    image: Tensor
    labels: Tensor


class LabelExamples(NumberedExamples):
    """Examples of a segmentation network, by number.

    Args:
        scans: to learn from.
        options: of the training.
        seed: of all random numbers, with an example's number.
    """

    def __init__(self, scans: list[TrainingScan], options: DenseTraining, seed: int) -> None:
        super().__init__(options, seed)
        self._scans = scans

    def __getitem__(self, number: int) -> LabelExample:
        draws, options = RandomDraws(self.generator(number)), self._options
        scan, edge = draws.choice(self._scans), options.size
        linear = random_linear(draws, _POSE)
        linear = linear @ (torch.eye(3, dtype=torch.float64) + _SHEAR * draws.normal(3, 3, dtype=torch.float64))
        index = identity((edge,) * 3, torch.zeros(1)).double() - 0.5 * (edge - 1)
        centre = _centre(draws, scan, edge)
        positions = (mapped(linear, centre, index) + _deformation(draws, edge)).float()
        structures = options.structures if draws.uniform(0.0, 1.0) < _RECOLOURED else 0.0
        image, share = scan.view(draws, positions, options, structures), draws.uniform(0.0, 1.0)
        if draws.uniform(0.0, 1.0) < _BLURRED:
            image = torch.lerp(image, F.avg_pool3d(image[None], 3, 1, 1, count_include_pad=False)[0], share)
        return LabelExample(image, nearest_labels(scan.labels, positions))


def _centre(draws: RandomDraws, scan: TrainingScan, edge: int) -> Tensor:
    """Return the centre of an example (3,), voxels: near a structure, rare ones as often as frequent ones, or anywhere."""
    size = torch.tensor(scan.grid.size, dtype=torch.float64)
    present = scan.labels.unique()
    present = present[present > 0]
    if draws.uniform(0.0, 1.0) < _ON_STRUCTURES and len(present):
        found = (scan.labels == present[draws.integer(len(present))]).nonzero()
        centre = found[draws.integer(len(found))].flip(0).double()
        centre = centre + _AROUND * draws.normal(3, dtype=torch.float64)
    else:
        centre = torch.rand(3, generator=draws.generator, dtype=torch.float64) * size
    margin = (_INSIDE * edge * torch.ones_like(size)).minimum(0.5 * size)
    return centre.maximum(margin).minimum(size - margin)


def _deformation(draws: RandomDraws, edge: int) -> Tensor:
    """Return a smooth random displacement (3, z, y, x), voxels."""
    field = torch.zeros(3, edge, edge, edge)
    for count, largest in _DEFORMATIONS:
        amplitude = draws.uniform(0.0, largest)
        nodes = amplitude * draws.normal(1, 3, count, count, count, dtype=torch.float64).float()
        field += interpolated(nodes, (edge,) * 3)
    return field.double()
