"""Descriptions of the inputs of a report, of the run that made the transform, of its model, and of the software, as plain data."""

from __future__ import annotations

import math
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
from deepreg_engine.methods.registry import METHODS
from deepreg_engine.models.store import feature_names, find_model
from deepreg_engine.reporting.planes import obliqueness
from deepreg_engine.reporting.private import base_name, without_paths

# Names for readers of transforms without a grid of vectors, by their names in SimpleITK.
_KINDS = {"CompositeTransform": "chain of transforms", "BSplineTransform": "B-spline"}
# An image whose axes differ from those of the patient by more than this angle is oblique, degrees.
_OBLIQUE = 1.0
_PACKAGES = ("numpy", "scipy", "SimpleITK", "torch")


def described_image(image: sitk.Image, name: str, modality: str) -> dict[str, Any]:
    """Describe an image by its name, geometry and type; nothing else of its header is used."""
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
    """Describe a transform by its name, kind, and grid if it has one."""
    grid = field_grid(transform)
    own = _KINDS.get(transform.GetName(), transform.GetName())
    kind = "displacement field" if grid is not None else "linear" if transform.IsLinear() else own
    return {"name": name, "kind": kind, "grid": None if grid is None else {"size": list(grid.size), "spacing": list(grid.spacing)}}


def versions(application: str) -> dict[str, str]:
    """Return the names and versions of the software that makes the report; packages are not imported for that."""
    found = {"application": application} if application else {}
    found.update({"deepreg-engine": __version__, "Python": platform.python_version()})
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {**found, "system": platform.system()}


def described_run(
    run: Mapping[str, Any], fixed: sitk.Image, displacement: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Describe a run by the report that the registration wrote, without paths.

    Args:
        run: the report.
        fixed: the fixed image.
        displacement: lengths of the displacement field whose report is written, mm, to compare with the run's; None compares nothing.

    Returns:
        The run, and notes about contradictions to the fixed image and the transform.
    """
    inputs, parameters, alignment, inverse, seconds = (
        _group(run, name) for name in ("inputs", "parameters", "alignment", "inverse", "seconds")
    )
    method = str(run.get("method", ""))
    known = METHODS.get(method)
    described = {
        "method": method,
        "title": known.title if known else method,
        "preset": str(run.get("preset") or ""),
        "engine": str(run.get("engine", "")),
        "created": str(run.get("created", "")),
        "device": str(run.get("device", "")),
        "alignment": str(alignment.get("kind", "")),
        "seconds": seconds.get("total"),
        "parameters": _parameters(parameters, known.parameters if known else None),
        "model": _model(parameters, run),
        "refinement_features": _refinement(parameters, run),
        "inverse": {key: value for key, value in inverse.items() if isinstance(value, int | float)} or None,
        "notes": [without_paths(str(note), _paths(run)) for note in run.get("notes") or []],
    }
    return described, _contradictions(inputs, fixed) or _other_transform(_group(run, "displacement"), displacement or {})


def _paths(run: Mapping[str, Any]) -> list[str]:
    """Return the paths of the run's inputs and outputs."""
    files = [entry.get("file") for entry in _group(run, "inputs").values() if isinstance(entry, Mapping)]
    return [str(path) for path in (*files, *_group(run, "outputs").values()) if path]


def _contradictions(inputs: Mapping[str, Any], fixed: sitk.Image) -> list[str]:
    size = _group(inputs, "fixed").get("size")
    if not size or list(size) == list(fixed.GetSize()):
        return []
    voxels = " x ".join(str(n) for n in size)
    note = f"the run registered another fixed image, of {voxels} voxels: method and parameters may not be those of this transform"
    return [note]


def _other_transform(own: Mapping[str, Any], measured: Mapping[str, Any]) -> list[str]:
    """Return a note if the mean displacement of a run is not the one that was measured; 2 % may come from rounding in the file."""
    run, here = own.get("mean"), measured.get("mean")
    if not isinstance(run, int | float) or not isinstance(here, int | float) or math.isclose(run, here, rel_tol=0.02, abs_tol=0.02):
        return []
    return [f"the run's mean displacement is {run:.1f} mm, that of this transform {here:.1f} mm: the report may be that of another run"]


def _group(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the entries below a name; none if the file holds something else there."""
    group = content.get(name)
    return group if isinstance(group, Mapping) else {}


def _parameters(given: Mapping[str, Any], kind: type[Parameters] | None) -> list[dict[str, Any]]:
    """Return each parameter: name, value, unit, default, and whether it is changed from the default; changed ones first."""
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
    """Return a value; of a path its last part."""
    return base_name(value) if isinstance(value, str) and ("/" in value or "\\" in value) else value


def _model(parameters: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the card of the features that were compared."""
    features = str(parameters.get("features") or run.get("features") or "")
    if not features:
        return None
    if len(names := feature_names(features)) > 1:
        return _joined([_card(name) for name in names])
    return _card(features)


def _refinement(parameters: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Return the features of the refinement, if they differ from those of the search."""
    fine = str(run.get("refinement_features") or "")
    if fine in (str(run.get("features") or ""), str(parameters.get("features") or "")):
        return ""
    return " + ".join(feature_names(_short(fine)))


def _joined(cards: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one card for features that are combined."""
    texts = ("architecture", "origin", "licence", "training_data", "date", "intended_use", "sha256", "problem")
    kept = {key: "; ".join(f"{card['name']}: {card[key]}" for card in cards if card.get(key)) for key in texts}
    return {"name": " + ".join(card["name"] for card in cards), **{key: text for key, text in kept.items() if text}}


def _card(features: str) -> dict[str, Any]:
    if feature := handcrafted(features):
        return {"name": features, "origin": feature.origin, "training_data": "none: the features are a formula without weights"}
    try:
        card = find_model(features).card
    except EngineError:
        card = None
    if card is None:
        return {"name": _short(features), "problem": "the model is not on this computer, so its card is not available"}
    kept = ("name", "method", "architecture", "origin", "licence", "training_data", "date", "intended_use", "figures", "sha256")
    return {key: getattr(card, key) for key in kept}
