"""Training examples for a network that names structures: cubes of labelled scans, posed, bent and seen as another person's might be.

What a few scans do not show has to be made up, or the network knows these people only: other poses and sizes, organs shifted against each
other, other scanners, and structures that are brighter or darker than here, as contrast medium, fat and bowel contents make them (structure by
structure, as far as labels tell them apart).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deepreg_engine.geometry.sampling import identity
from deepreg_engine.training.looks import Chance, mapped, nearest_labels
from deepreg_engine.training.supply import ScanExamples
from deepreg_engine.training.training_scans import TrainingScan

# Standard deviations: of turns and stretches, and of shears.
_POSE, _SHEAR = 0.15, 0.05
# Bends: values along an edge of the cube, and largest standard deviation, in mm.
_BENDS = ((4, 9.0), (8, 4.5))
# Shares of examples: whose middle lies on a structure, whose structures have other intensities, that are blurred.
_ON_STRUCTURES, _RECOLOURED, _BLURRED = 0.7, 0.8, 0.3
# Standard deviation of the distance of an example's middle from the structure's voxel, mm; and the share of a cube that at least lies inside.
_AROUND, _INSIDE = 24.0, 0.35


@dataclass(frozen=True)
class LabelExample:
    """One training example.

    Args:
        image: intensities (z, y, x).
        labels: as in the scan (z, y, x).
    """

    image: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> LabelExample:
        """The same on a device."""
        return LabelExample(self.image.to(device), self.labels.to(device))


class LabelExamples(ScanExamples):
    """Draws examples by number."""

    def __getitem__(self, number: int) -> LabelExample:
        return _Draw(self._options, self._generator(number)).example(self._scans)


class _Draw(Chance):
    """One example."""

    def example(self, scans: list[TrainingScan]) -> LabelExample:
        scan, edge = scans[self.pick(len(scans))], self._options.size
        linear = self.linear(_POSE) @ (torch.eye(3, dtype=torch.float64) + _SHEAR * self.normal(3, 3))
        index = identity((edge,) * 3, torch.zeros(1)).double() - 0.5 * (edge - 1)
        places = (mapped(linear, self._middle(scan), index) + self._bend(edge, scan.grid.spacing[0])).float()
        structures = self._options.structures if self.uniform(0.0, 1.0) < _RECOLOURED else 0.0
        image, share = self.look(scan, places, structures), self.uniform(0.0, 1.0)
        if self.uniform(0.0, 1.0) < _BLURRED:
            image = torch.lerp(image, F.avg_pool3d(image[None], 3, 1, 1, count_include_pad=False)[0], share)
        return LabelExample(image, nearest_labels(scan.labels, places))

    def _middle(self, scan: TrainingScan) -> Tensor:
        """Voxel around which an example is cut out: about on a structure, rare ones as often as large ones, or anywhere."""
        size = torch.tensor(scan.grid.size, dtype=torch.float64)
        present = scan.labels.unique()
        present = present[present > 0]
        if self.uniform(0.0, 1.0) < _ON_STRUCTURES and len(present):
            found = (scan.labels == present[self.pick(len(present))]).nonzero()
            middle = found[self.pick(len(found))].flip(0).double() + _AROUND / scan.grid.spacing[0] * self.normal(3)
        else:
            middle = torch.rand(3, generator=self.generator, dtype=torch.float64) * size
        margin = (_INSIDE * self._options.size * torch.ones_like(size)).minimum(0.5 * size)
        return middle.maximum(margin).minimum(size - margin)

    def _bend(self, edge: int, spacing: float) -> Tensor:
        """A smooth displacement (3, z, y, x), voxels."""
        field = torch.zeros(3, edge, edge, edge)
        for count, largest in _BENDS:
            coarse = self.uniform(0.0, largest / spacing) * self.normal(1, 3, count, count, count).float()
            field += F.interpolate(coarse, size=(edge,) * 3, mode="trilinear", align_corners=True)[0]
        return field.double()
