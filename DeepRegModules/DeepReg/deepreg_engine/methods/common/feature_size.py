"""The size of features in memory: of loaded extractors, or by their names without torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deepreg_engine.features.registry import Feature, find, handcrafted

if TYPE_CHECKING:
    from deepreg_engine.features.extractor import Extractor

# Defaults for models without a readable card: channels of the widest published network, and voxel size of a new one, mm.
_CHANNELS, _SPACING = 24, 3.0


@dataclass(frozen=True)
class FeatureSize:
    """Size of the features of a registration.

    Args:
        channels: the largest number of channels in memory at a time.
        kept: voxel size at which features are computed once and kept, mm; 0 if they are not.
    """

    channels: int
    kept: float = 0.0

    @classmethod
    def of(cls, extractors: Iterable[Extractor]) -> FeatureSize:
        """Return the size of loaded features."""
        extractors = tuple(extractors)
        return cls(max(each.channels for each in extractors), max(each.kept for each in extractors))

    @classmethod
    def named(cls, *choices: str) -> FeatureSize:
        """Return the size of features by name, without torch; each choice may join several with "+"."""
        sizes = [[_size(name.strip()) for name in choice.split("+")] for choice in choices]
        return cls(max(sum(each.channels for each in parts) for parts in sizes), max(each.kept for parts in sizes for each in parts))


def _size(name: str) -> FeatureSize:
    feature = handcrafted(name)
    if feature is not None:
        return FeatureSize(feature.channels)
    settings: dict = {}
    try:
        # Reading a card needs a package that Slicer's Python may lack before the installation, or that may be damaged.
        from deepreg_engine.models.store import find_model

        card = find_model(name).card
        known: Feature | None = find(card.architecture) if card is not None else None
        settings = card.settings if card is not None else {}
    except Exception:  # noqa: BLE001 - a damaged package raises many kinds
        known = None
    if known is None:
        return FeatureSize(_CHANNELS, _SPACING)
    kept = float(settings.get("spacing_mm", _SPACING)) if known.keeps else 0.0
    return FeatureSize(known.channels or int(settings.get("channels", _CHANNELS)), kept)
