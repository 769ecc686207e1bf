"""What chance makes of a scan in a training: another pose, another scanner, another contrast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import Tensor

from deepreg_engine.geometry.sampling import sample
from deepreg_engine.training.options import DenseTraining
from deepreg_engine.training.training_scans import TrainingScan

# Standard deviations of a CT's intensities between examinations: of the logarithm of their gain, and of their offset.
_GAIN, _OFFSET = 0.1, 0.05
# Heights of a random curve over the intensities.
_CURVE_NODES = 6


class Chance:
    """All that is random in one example.

    Args:
        options: of the training.
        generator: of the random numbers.
    """

    def __init__(self, options: DenseTraining, generator: torch.Generator) -> None:
        self._options, self.generator = options, generator

    def look(self, scan: TrainingScan, places: Tensor, structures: float = 0.0) -> Tensor:
        """A scan as a random scanner shows it.

        Args:
            scan: which.
            places: in its voxels (3, z, y, x), components x, y, z.
            structures: standard deviation of what each structure is brighter or darker than in the scan.

        Returns:
            Intensities (z, y, x).
        """
        low = [max(0, int(places[axis].amin().floor()) - 1) for axis in range(3)]
        high = [int(places[axis].amax().ceil()) + 2 for axis in range(3)]
        low = [min(first, n - 2) for first, n in zip(low, scan.grid.size)]
        box = tuple(slice(low[axis], max(high[axis], low[axis] + 2)) for axis in (2, 1, 0))
        part = scan.image[box].float()
        if structures > 0:
            shifts = structures * self.normal(int(scan.labels.max()) + 1).float()
            part = part + shifts[scan.labels[box].long()]
        shift = torch.tensor([float(first) for first in low]).view(3, 1, 1, 1)
        values = sample(part[None], places - shift)[0]
        options = self._options
        if options.contrast > 0 and self.uniform(0.0, 1.0) < options.contrast:
            values = self.curve(values)
        elif scan.modality == "ct":
            # Contrast medium and calibration differ between examinations.
            values = values * float(torch.exp(_GAIN * self.normal(1))) + _OFFSET * float(self.normal(1))
        bias = F.interpolate(
            torch.randn(1, 1, 3, 3, 3, generator=self.generator), size=tuple(values.shape), mode="trilinear", align_corners=True
        )
        if scan.modality != "ct" or options.contrast > 0:
            values = (values + 1.0) * torch.exp(self.uniform(0.0, 0.2) * bias[0, 0]) - 1.0
        noise = options.noise * self.uniform(0.0, 1.0) ** 2
        return values + noise * torch.randn(values.shape, generator=self.generator)

    def curve(self, values: Tensor) -> Tensor:
        """Another contrast of the same tissues: a random curve over the intensities, from -1 to 1 again."""
        heights = torch.rand(_CURVE_NODES, generator=self.generator)
        if self.uniform(0.0, 1.0) < 0.7:
            heights[0] = 0.0  # air is dark in most scans
        heights = (heights - heights.min()) / (heights.max() - heights.min()).clamp(min=0.1) * 2.0 - 1.0
        scaled = ((values + 1.0) * 0.5).clamp(0.0, 1.0) * (_CURVE_NODES - 1)
        lower = scaled.floor().clamp(max=_CURVE_NODES - 2)
        return torch.lerp(heights[lower.long()], heights[lower.long() + 1], scaled - lower)

    def linear(self, deviation: float) -> Tensor:
        """A small turn and stretch (3, 3)."""
        turn = torch.from_numpy(Rotation.from_rotvec(deviation * self.normal(3).numpy()).as_matrix())
        return turn @ torch.diag(torch.exp(deviation * self.normal(3).clamp(-2, 2)))

    def uniform(self, low: float, high: float) -> float:
        """Evenly between two numbers."""
        return low + (high - low) * float(torch.rand(1, generator=self.generator))

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)

    def pick(self, count: int) -> int:
        """One of so many."""
        return int(torch.randint(count, (1,), generator=self.generator))


def mapped(linear: Tensor, middle: Tensor, index: Tensor) -> Tensor:
    """Places (3, ...) that a linear map and a shift take indices to."""
    return torch.einsum("ab,bzyx->azyx", linear, index) + middle.view(3, 1, 1, 1)


def nearest_labels(labels: Tensor, places: Tensor) -> Tensor:
    """Labels at continuous places (3, ...), those beyond the scan 0."""
    size = torch.tensor(labels.shape[::-1]).view(3, 1, 1, 1)
    index = places.round().long()
    inside = ((index >= 0) & (index < size)).all(0)
    index = torch.minimum(index.clamp(min=0), size - 1)
    return torch.where(inside, labels[index[2], index[1], index[0]].long(), 0)
