"""Random numbers of one training example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

_Item = TypeVar("_Item")


class RandomDraws:
    """Random draws from one generator, which depend only on its seed.

    Args:
        generator: of all random numbers.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state of the generator, for a checkpoint."""
        return {"state": self.generator.get_state()}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Set the state of the generator."""
        self.generator.set_state(state_dict["state"])

    def uniform(self, low: float, high: float) -> float:
        """Return a number that is uniformly distributed between two others."""
        return low + (high - low) * float(torch.rand(1, generator=self.generator))

    def log_uniform(self, low: float, high: float) -> float:
        """Return a number whose logarithm is uniformly distributed between two numbers."""
        return math.exp(self.uniform(low, high))

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return standard normal numbers of a shape."""
        return torch.randn(*shape, generator=self.generator, dtype=dtype)

    def integer(self, count: int) -> int:
        """Return a whole number from 0 to ``count`` - 1."""
        return int(torch.randint(count, (1,), generator=self.generator))

    def choice(self, items: Sequence[_Item]) -> _Item:
        """Return one of several items, at random."""
        return items[self.integer(len(items))]

    def subset(self, count: int, most: int) -> Tensor:
        """Return the indices of at most ``most`` of ``count`` items, in random order."""
        return torch.randperm(count, generator=self.generator)[:most]

    def smooth_noise(self, channels: int, nodes: int, shape: tuple[int, ...]) -> Tensor:
        """Return standard normal numbers at nodes^3 nodes, trilinearly interpolated to (channels, *shape)."""
        return interpolated(self.normal(1, channels, nodes, nodes, nodes), shape)


def interpolated(nodes: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return values at nodes (1, C, z, y, x), trilinearly interpolated to (C, *shape); the outer nodes lie on the faces."""
    return F.interpolate(nodes, size=shape, mode="trilinear", align_corners=True)[0]
