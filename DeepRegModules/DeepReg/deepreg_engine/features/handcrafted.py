"""Features of images without learned weights: MIND, and the image itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from deepreg_engine.features import registry
from deepreg_engine.features.extractor import Extractor
from deepreg_engine.features.mind import CHANNELS, mind_ssc

_PERCENTILES = (0.01, 0.99)
_SAMPLES = 100_000


class Mind(Extractor):
    """MIND-SSC, see :mod:`mind`.

    Args:
        radius: of the patches, voxels.
        dilation: distance of the neighbours, voxels.
    """

    kind = registry.MIND
    name = "mind"
    channels = CHANNELS

    def __init__(self, radius: int = 1, dilation: int = 2) -> None:
        self._radius, self._dilation = radius, dilation
        self.reach = radius + dilation

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Mind:
        return cls(settings["mind_radius"], settings["mind_dilation"])

    def __call__(self, volume: Tensor, spacing: float) -> Tensor:
        return mind_ssc(volume, self._radius, self._dilation)


class Intensity(Extractor):
    """The image itself, scaled to 0 .. 1 between the 1st and the 99th percentile of the first image. The second image is scaled by the same
    values: both must have the same calibration."""

    kind = registry.INTENSITY
    name = "intensity"
    channels = 1

    def __init__(self) -> None:
        self._window: tuple[float, float] | None = None

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Intensity:
        return cls()

    def __call__(self, volume: Tensor, spacing: float) -> Tensor:
        if self._window is None:
            sample = volume.flatten()[:: max(1, volume.numel() // _SAMPLES)].float()
            low, high = torch.quantile(sample, torch.tensor(_PERCENTILES, device=volume.device)).tolist()
            self._window = low, max(high - low, 1e-6)
        low, width = self._window
        return ((volume - low) / width).clamp(0.0, 1.0)[None]
