"""Registry of the features: their names, their static attributes, and their classes. It does not import torch.

A feature is added by one class, an :class:`~deepreg_engine.features.extractor.Extractor`, and one registration::

    BRIGHTNESS = register(Feature("brightness", "brightness", extractor="my_package.brightness:Brightness", channels=1))

It is then available like any other: ``register dense --features brightness``. The class is imported when the feature is first used,
so command line and panels can list features before torch is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

# Highest mismatch that the search distinguishes, as a share of the mean mismatch. A descriptor of edges differs at many places that
# correspond, so larger mismatches carry no information; probabilities of structures differ only where the structures differ.
_DESCRIPTOR_CEILING, _PROBABILITY_CEILING = 0.3, 1.0


@dataclass(frozen=True)
class Feature:
    """One kind of features.

    Args:
        name: of a handcrafted feature, as in ``--features``; of a learned one, the architecture in its models' cards.
        title: for a list of choices.
        extractor: "module:class", with a class method ``load(name, weights, settings)``; "" if nothing is computed.
        subject: "images" or "points": what the features are computed from.
        learned: whether it needs a model's weights.
        channels: C; 0 if it depends on the model's weights.
        follows_warp: whether features are computed again from each warped image; else those of the moving image are warped.
        hounsfield: whether it needs CT in Hounsfield units.
        same_contrast: whether it compares intensities, which have one meaning in both images.
        keeps: whether features are computed once, on voxels of the model's own size, and kept in memory.
        ceiling: of a mismatch in the search, as a share of the mean mismatch, unless the parameters give another.
        partner: name of the handcrafted feature that joins it in a refinement; "" for none.
        robust: whether a refinement gives voxels with a large mismatch a lower weight, because a structure may lack a counterpart.
        origin: of a handcrafted feature; that of a learned one is in the model's card.
        intended_use: likewise.
    """

    name: str
    title: str
    extractor: str = ""
    subject: str = "images"
    learned: bool = False
    channels: int = 0
    follows_warp: bool = False
    hounsfield: bool = False
    same_contrast: bool = False
    keeps: bool = False
    ceiling: float = _DESCRIPTOR_CEILING
    partner: str = ""
    robust: bool = True
    origin: str = ""
    intended_use: str = ""

    def load(self, name: str, weights: Any, settings: Any) -> Any:
        """Return the extractor, or the matcher of points, of a model; imports torch.

        Args:
            name: of the model, for reports.
            weights: name to tensor; empty for a handcrafted feature.
            settings: of the model's card; of a handcrafted feature, the parameters of the registration.

        Raises:
            InputError: if the weights belong to another architecture.
        """
        module, _, kind = self.extractor.partition(":")
        return getattr(import_module(module), kind).load(name, weights, settings)


_FEATURES: dict[str, Feature] = {}


def register(feature: Feature) -> Feature:
    """Add a feature, or replace the one of the same name; returns it."""
    _FEATURES[feature.name] = feature
    return feature


def unregister(name: str) -> None:
    """Remove a feature."""
    del _FEATURES[name]


def features(subject: str = "") -> list[Feature]:
    """Return all registered features, or those of "images" or of "points"."""
    return [feature for feature in _FEATURES.values() if subject in ("", feature.subject)]


def find(name: str) -> Feature | None:
    """Return the registered feature with this name or network architecture; None if there is none."""
    return _FEATURES.get(name)


def handcrafted(name: str) -> Feature | None:
    """Return the feature of that name if it needs no weights, else None."""
    feature = find(name)
    return None if feature is None or feature.learned else feature


def handcrafted_names(subject: str = "") -> list[str]:
    """Return the names of the features that need no weights."""
    return [feature.name for feature in features(subject) if not feature.learned]


_PACKAGE = "deepreg_engine.features"
MIND = register(
    Feature(
        "mind",
        "MIND (any contrast)",
        f"{_PACKAGE}.handcrafted:Mind",
        channels=12,
        follows_warp=True,
        origin="MIND-SSC, a formula (Heinrich et al., MICCAI 2013)",
        intended_use="any contrast, no training",
    )
)
SIMILARITY_NET = register(
    Feature(
        "similarity-net",
        "self-similarity (learned, any contrast)",
        f"{_PACKAGE}.similarity_net:SimilarityFeatures",
        learned=True,
        channels=12,
        follows_warp=True,
    )
)
TISSUE_NET = register(
    Feature(
        "tissue-net",
        "CT tissue (learned, CT alone)",
        f"{_PACKAGE}.tissue_net:TissueFeatures",
        learned=True,
        channels=28,
        follows_warp=True,
        hounsfield=True,
    )
)
INTENSITY = register(
    Feature(
        "intensity",
        "intensity (same contrast)",
        f"{_PACKAGE}.handcrafted:Intensity",
        channels=1,
        follows_warp=True,
        same_contrast=True,
        origin="the images' own grey values",
        intended_use="one modality with the same calibration",
    )
)
NORMALISED = register(
    Feature(
        "normalised",
        "locally normalised intensity (same contrast)",
        f"{_PACKAGE}.normalised:Normalised",
        channels=2,
        follows_warp=True,
        same_contrast=True,
        origin="intensities relative to their local mean and standard deviation (Cachier et al., CVIU 2003)",
        intended_use="two scans with one contrast, also of two people or scanners; no training",
    )
)
CONTRAST_NET = register(Feature("contrast-net", "features of two modalities", f"{_PACKAGE}.contrast_net:ContrastFeatures", learned=True))
CONTEXT_NET = register(Feature("context-net", "features of the surroundings", f"{_PACKAGE}.context_net:ContextFeatures", learned=True))
LABEL_NET = register(
    Feature(
        "label-net",
        "probabilities of structures",
        f"{_PACKAGE}.label_net:LabelFeatures",
        learned=True,
        keeps=True,
        ceiling=_PROBABILITY_CEILING,
        # The probabilities are constant inside a structure, and MIND also aligns what has no label. Where probabilities differ, structures
        # do not match yet, so these voxels must not lose weight.
        partner="mind",
        robust=False,
    )
)
OBELISK = register(Feature("obelisk", "Obelisk features (PDD-Net)", f"{_PACKAGE}.obelisk:ObeliskFeatures", learned=True))
EDGE_CONV = register(
    Feature("edge-conv", "shape of the surroundings", f"{_PACKAGE}.point_matcher:Matcher", subject="points", learned=True, channels=64)
)
POSITIONS = register(Feature("none", "positions alone", subject="points", origin="positions alone", intended_use="points of any kind"))
