"""Replacement of features that need CT in Hounsfield units, for images in other units: a windowed picture, unsigned values, another
modality."""

from __future__ import annotations

import SimpleITK as sitk

from deepreg_engine.content.modality import in_hounsfield
from deepreg_engine.features.extractor import Extractor, Joined
from deepreg_engine.methods.common.parameters import SHIPPED_FEATURES, Parameters
from deepreg_engine.models.store import load_extractor


def for_units(
    extractors: tuple[Extractor, Extractor], images: tuple[sitk.Image, sitk.Image], parameters: Parameters
) -> tuple[tuple[Extractor, Extractor], list[str]]:
    """Return the extractors with self-similarity in place of features that need HU, where an image is not in HU; and notes about it.

    Args:
        extractors: two of one run.
        images: fixed and moving.
        parameters: with which features are loaded.
    """
    calibrated = next((part.name for each in extractors for part in each.parts if part.kind.hounsfield), "")
    if not calibrated:
        return extractors, []
    others = [side for side, image in zip(("fixed", "moving"), images, strict=True) if not in_hounsfield(image)]
    if not others:
        return extractors, []
    substitute = load_extractor(parameters.replaced({"features": SHIPPED_FEATURES}))
    which = f"the {others[0]} image is" if len(others) == 1 else "both images are"
    note = f"{calibrated} is for CT in HU, and {which} not in HU: {substitute.name} was compared instead"
    first, second = (_substituted(each, substitute) for each in extractors)
    return (first, second), [note]


def _substituted(extractor: Extractor, substitute: Extractor) -> Extractor:
    parts = [substitute if part.kind.hounsfield else part for part in extractor.parts]
    unique = list({part.name: part for part in parts}.values())
    return unique[0] if len(unique) == 1 else Joined(*unique)
