"""What a report says of its inputs, of the run that made the transform, of its model, and of the software."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import SimpleITK as sitk

from deepreg_engine import __version__
from deepreg_engine.errors import EngineError
from deepreg_engine.features.registry import handcrafted
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.transform_files import field_grid
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.models.store import feature_names, find_model
from deepreg_engine.reporting.planes import obliqueness
from deepreg_engine.reporting.private import base_name, without_paths

METHODS: dict[str, tuple[str, type[Parameters]]] = {
    "dense": ("Dense Registration", DenseParameters),
    "descent": ("Descent Registration", DescentParameters),
    "points": ("Point Registration", PointsParameters),
}
# How SimpleITK calls transforms that have no grid of vectors, and how a reader does.
_KINDS = {"CompositeTransform": "chain of transforms", "BSplineTransform": "B-spline"}
# An image whose axes are further than this from the patient's is called oblique, degrees.
_OBLIQUE = 1.0
_PACKAGES = ("numpy", "scipy", "SimpleITK", "torch")


def described_image(image: sitk.Image, name: str, modality: str) -> dict[str, Any]:
    """An image in plain data: its name, geometry and type; nothing else of its header."""
    grid = ImageGrid.of(image)
    angle = obliqueness(grid)
    return {
        "name": name,
        "modality": modality,
        "pixel_type": image.GetPixelIDTypeAsString(),
        **grid.to_dict(),
        "oblique_degrees": angle if angle > _OBLIQUE else 0.0,
    }


def described_transform(transform: sitk.Transform, name: str) -> dict[str, Any]:
    """A transform in plain data: its name, kind, and grid if it has one."""
    grid = field_grid(transform)
    own = _KINDS.get(transform.GetName(), transform.GetName())
    kind = "displacement field" if grid is not None else "linear" if transform.IsLinear() else own
    return {"name": name, "kind": kind, "grid": None if grid is None else {"size": list(grid.size), "spacing": list(grid.spacing)}}


def versions(application: str) -> dict[str, str]:
    """Software that made the report. PyTorch is named by what is installed; it is not loaded for that."""
    found = {"application": application} if application else {}
    found.update({"deepreg-engine": __version__, "Python": platform.python_version()})
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {**found, "system": platform.system()}


def described_run(run: Mapping[str, Any], fixed: sitk.Image) -> tuple[dict[str, Any], list[str]]:
    """What a registration's report says of how the transform was made, without paths.

    Returns:
        The run in plain data, and notes of what does not fit.
    """
    paths = [entry.get("file") for entry in _entries(run.get("inputs"))] + [str(path) for path in _values(run.get("outputs"))]
    method = str(run.get("method", ""))
    title, kind = METHODS.get(method, (method, None))
    parameters = run.get("parameters") if isinstance(run.get("parameters"), Mapping) else {}
    inverse = run.get("inverse") if isinstance(run.get("inverse"), Mapping) else None
    alignment = run.get("alignment") if isinstance(run.get("alignment"), Mapping) else {}
    described = {
        "method": method,
        "title": title,
        "preset": str(run.get("preset") or ""),
        "engine": str(run.get("engine", "")),
        "created": str(run.get("created", "")),
        "device": str(run.get("device", "")),
        "alignment": str(alignment.get("kind", "")),
        "seconds": (run.get("seconds") or {}).get("total") if isinstance(run.get("seconds"), Mapping) else None,
        "parameters": _parameters(parameters, kind),
        "model": _model(parameters, run),
        "refinement_features": _refinement(parameters, run),
        "inverse": {key: value for key, value in inverse.items() if isinstance(value, int | float)} if inverse else None,
        "notes": [without_paths(str(note), paths) for note in run.get("notes") or []],
    }
    notes = []
    theirs = (run.get("inputs") or {}).get("fixed") if isinstance(run.get("inputs"), Mapping) else None
    if isinstance(theirs, Mapping) and theirs.get("size") and list(theirs["size"]) != list(fixed.GetSize()):
        size = " x ".join(str(n) for n in theirs["size"])
        notes.append(f"the run was of another fixed image, of {size} voxels: method and parameters may not be those of this transform")
    return described, notes


def _entries(inputs: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in _values(inputs) if isinstance(entry, Mapping)]


def _values(group: Any) -> list[Any]:
    return list(group.values()) if isinstance(group, Mapping) else []


def _parameters(given: Mapping[str, Any], kind: type[Parameters] | None) -> list[dict[str, Any]]:
    """Each parameter: name, value, unit, default, and whether it differs from it; those that differ first."""
    known = {entry.name: entry for entry in kind.describe()} if kind is not None else {}
    listed = []
    for name, value in given.items():
        entry = known.get(name)
        default = entry.default if entry is not None else None
        listed.append(
            {
                "name": name,
                "value": _short(value),
                "unit": entry.unit if entry is not None else "",
                "default": _short(default),
                "changed": entry is None or value != default,
            }
        )
    return sorted(listed, key=lambda entry: not entry["changed"])


def _short(value: Any) -> Any:
    """The value; of a file its name."""
    return base_name(value) if isinstance(value, str) and ("/" in value or "\\" in value) else value


def _model(parameters: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any] | None:
    """The card of the features that were compared."""
    features = str(parameters.get("features") or run.get("features") or "")
    if not features:
        return None
    if len(names := feature_names(features)) > 1:
        return _joined([_card(name) for name in names])
    return _card(features)


def _refinement(parameters: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """What a refinement compared, if it is something else than the search did."""
    fine = str(run.get("refinement_features") or "")
    return (
        "" if fine in (str(run.get("features") or ""), str(parameters.get("features") or "")) else " + ".join(feature_names(_short(fine)))
    )


def _joined(cards: list[dict[str, Any]]) -> dict[str, Any]:
    """One card for features that are compared side by side."""
    said = ("architecture", "origin", "licence", "training_data", "date", "intended_use", "sha256", "problem")
    kept = {key: "; ".join(f"{card['name']}: {card[key]}" for card in cards if card.get(key)) for key in said}
    return {"name": " + ".join(card["name"] for card in cards), **{key: text for key, text in kept.items() if text}}


def _card(features: str) -> dict[str, Any]:
    if feature := handcrafted(features):
        return {"name": features, "origin": feature.origin, "training_data": "nothing was learned: no training data, no weights"}
    try:
        card = dataclasses.asdict(find_model(features).card)
    except (EngineError, AttributeError):
        return {"name": _short(features), "problem": "the model is not on this computer: there is no card of it"}
    kept = ("name", "method", "architecture", "origin", "licence", "training_data", "date", "intended_use", "figures", "sha256")
    return {key: card[key] for key in kept}
