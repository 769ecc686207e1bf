"""Recipes: options of a training under a name. No torch."""

from __future__ import annotations

from typing import Any

from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.training.options import DenseTraining, DescentTraining, PointTraining

#: Options of each method.
TRAININGS: dict[str, type[Parameters]] = {"dense": DenseTraining, "points": PointTraining, "descent": DescentTraining}
_QUICK = "a few minutes on two cores, to see whether the scans can be learned from"
_PRESETS: dict[str, list[tuple[str, str, str, dict[str, Any]]]] = {
    "dense": [
        ("quick", "Quick try", _QUICK, {"steps": 250, "spacing": 4.0, "size": 48, "width": 12}),
        ("standard", "Standard", "a network that names structures: about half an hour on two cores, minutes on a GPU", {}),
        (
            "any-contrast",
            "Any contrast",
            "names structures whatever their contrast: more than every other look has made-up intensities; about an hour on two cores, "
            "minutes on a GPU",
            {"contrast": 0.6, "steps": 4000},
        ),
        (
            "search",
            "Through the search",
            "features that are learned through the search itself, as published, instead of structures' names",
            {"network": "context", "steps": 2000, "width": 24},
        ),
    ],
    "points": [
        ("quick", "Quick try", _QUICK, {"steps": 200, "batch": 2}),
        ("standard", "Standard", "about half an hour on two cores, minutes on a GPU", {}),
    ],
    "descent": [
        ("quick", "Quick try", _QUICK, {"steps": 250, "phantoms": 0, "size": 32}),
        ("standard", "Standard", "about three quarters of an hour on two cores", {}),
        (
            "similarity",
            "Self-similarity",
            "the few numbers of a descriptor like MIND, in some minutes: sharper than a network, but it does not look around",
            {"network": "similarity", "rate": 0.03, "steps": 600},
        ),
        (
            "tissue",
            "CT tissue",
            "the few numbers of a descriptor of CT, in less than ten minutes: self-similarity beside tissue classes by HU",
            {"network": "tissue", "rate": 0.03, "steps": 600, "phantoms": 10},
        ),
    ],
}


def training_presets(method: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Recipes of a method: name, title, what it is for, and the options in which it differs from the defaults.

    Raises:
        ParameterError: if there is no such method.
    """
    check_method(method)
    return _PRESETS[method]


def check_method(method: str) -> None:
    """Raise ParameterError if features of that method cannot be trained."""
    if method not in TRAININGS:
        raise ParameterError(f"there is no training {method!r}", f"there are {', '.join(TRAININGS)}")
