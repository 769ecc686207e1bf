"""The interface of all features of images, so that every solver can use every feature; and joined features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from deepreg_engine.features.registry import Feature
from deepreg_engine.geometry.sampling import identity


class Extractor:
    """Base of all features of images.

    An extractor takes an image (z, y, x) on cubic voxels with their spacing in mm, and returns features (C, z, y, x) on the same voxels.
    A feature that needs voxels of a certain size sets ``finest`` and implements :meth:`at` instead of :meth:`__call__`.

    Attributes:
        kind: the feature's registration, with its static attributes.
        name: for reports: of the model, or of the handcrafted feature.
        channels: C.
        reach: voxels around a voxel from which its features are computed; closer to a face of the image, they depend on the padding.
        finest: voxel size that the feature needs, mm; 0 if it takes voxels of any size.
    """

    kind: Feature
    name: str
    channels: int
    reach: int = 0
    finest: float = 0.0

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Extractor:
        """Return the extractor of a model, see :meth:`Feature.load`."""
        raise NotImplementedError

    def of_modality(self, modality: str) -> Extractor:
        """Return the extractor for images of a modality ("ct", "mr", "other" or "auto"); most features treat all alike."""
        return self

    @property
    def parts(self) -> tuple[Extractor, ...]:
        """The features that are joined in this one; itself, if none are."""
        return (self,)

    @property
    def kept(self) -> float:
        """Voxel size at which features are computed once and kept in memory, mm; 0 if they are not."""
        return self.finest if self.kind.keeps else 0.0

    def __call__(self, volume: Tensor, spacing: float) -> Tensor:
        """Return features (C, z, y, x) of an image (z, y, x) with cubic voxels of ``spacing`` mm."""
        return self.at(volume, spacing, identity(volume.shape, volume))

    def at(self, volume: Tensor, spacing: float, index: Tensor) -> Tensor:
        """Return the features (C, ...) of an image at continuous indices (3, ...), components x, y, z; called only where ``finest`` is
        above 0."""
        raise NotImplementedError


class Joined(Extractor):
    """Several features side by side, each scaled to the same total variance, so that each has the same weight in a comparison.

    Args:
        parts: at least two; those that follow the warp come first.
    """

    def __init__(self, *parts: Extractor) -> None:
        self._parts = tuple(sorted(parts, key=lambda part: not part.kind.follows_warp))
        self.name = "+".join(part.name for part in parts)
        self.channels = sum(part.channels for part in parts)
        self.reach = max(part.reach for part in parts)
        self.kind = Feature(
            self.name,
            self.name,
            channels=self.channels,
            follows_warp=all(part.kind.follows_warp for part in parts),
            hounsfield=any(part.kind.hounsfield for part in parts),
            ceiling=min(part.kind.ceiling for part in parts),
            robust=all(part.kind.robust for part in parts),
        )

    @property
    def parts(self) -> tuple[Extractor, ...]:
        return self._parts

    @property
    def kept(self) -> float:
        return max(part.kept for part in self._parts)

    def __call__(self, volume: Tensor, spacing: float) -> Tensor:
        return torch.cat([balanced(part(volume, spacing))[0] for part in self._parts])


def balanced(features: Tensor) -> tuple[Tensor, float]:
    """Return features (C, z, y, x) scaled so that the sum of their variances is 1, and the scale."""
    scale = float(features.flatten(1).var(1).sum().clamp(min=1e-12).rsqrt())
    return features * scale, scale
