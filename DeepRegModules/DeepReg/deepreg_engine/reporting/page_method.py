"""The section Method of a report's page: of the run, its model, and the software."""

from __future__ import annotations

from typing import Any

from deepreg_engine.reporting.markup import number
from deepreg_engine.texts import tr, translated

# Number of parameters on paper; the screen and the JSON file have all.
_PARAMETERS = 8
# Number of letters of a checksum that are shown.
_CHECKSUM = 16

Terms = list[tuple[str, str]]


def method_terms(content: dict[str, Any]) -> tuple[Terms, Terms]:
    """Return terms and their texts in two columns: of the run, and of its model and the software."""
    run = content["run"]
    made_with = [(tr("Report made with"), _software(content["versions"]))]
    if run is None:
        return [], made_with
    left = [
        (tr("Method"), _title(run)),
        (tr("Changed parameters"), _changed(run["parameters"])),
        (tr("Run"), _circumstances(run)),
        (tr("Alignment before"), run["alignment"]),
        (tr("Inverse"), _round_trip(run["inverse"])),
    ]
    fine = [(tr("In the refinement"), run["refinement_features"])] if run["refinement_features"] else []
    return left, [*_model(run["model"]), *fine, *made_with]


def _software(versions: dict[str, str]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in versions.items() if name not in ("system", "application"))
    return ", ".join(part for part in (versions.get("application", ""), packages, versions["system"]) if part)


def _title(run: dict[str, Any]) -> str:
    title = translated(run["title"])
    return tr("{method}, preset {preset}", method=title, preset=run["preset"]) if run["preset"] else title


def _changed(parameters: list[dict[str, Any]]) -> str:
    """Return the parameters that differ from their defaults, the first of them."""
    changed = [entry for entry in parameters if entry["changed"]]
    shown = ", ".join(_setting(entry) for entry in changed[:_PARAMETERS])
    if not shown:
        return tr("none")
    more = len(changed) - _PARAMETERS
    return tr("{settings} and {count} more", settings=shown, count=more) if more > 0 else shown


def _setting(entry: dict[str, Any]) -> str:
    unit = f" {entry['unit']}" if entry["unit"] else ""
    default = "" if entry["default"] is None else f" ({tr('default {value}', value=entry['default'])})"
    return f"{entry['name']} = {entry['value']}{unit}{default}"


def _circumstances(run: dict[str, Any]) -> str:
    """Return the date of the run, the engine, the device and the duration."""
    parts = [run["created"][:16].replace("T", " "), run["engine"], run["device"]]
    if isinstance(run["seconds"], int | float):
        parts.append(f"{number(run['seconds'], 1)} s")
    return ", ".join(part for part in parts if part)


def _round_trip(inverse: dict[str, Any] | None) -> str:
    if not inverse:
        return ""
    mean, largest = number(inverse.get("mean_round_trip_mm"), 3), number(inverse.get("worst_round_trip_mm"), 3)
    return tr("round trip: mean {mean}, largest {largest} mm", mean=mean, largest=largest)


def _model(model: dict[str, Any] | None) -> Terms:
    if model is None:
        return []
    if "problem" in model:
        return [(tr("Features"), f"{model['name']}; {translated(model['problem'])}")]
    of = ", ".join(part for part in (model.get("architecture", ""), model.get("origin", ""), model.get("date", "")) if part)
    figures = "; ".join(f"{name}: {value}" for name, value in (model.get("figures") or {}).items())
    return [
        (tr("Features"), f"{model['name']} ({of})"),
        (tr("Licence"), model.get("licence", "")),
        (tr("Training data"), translated(model.get("training_data", ""))),
        (tr("Intended use"), translated(model.get("intended_use", ""))),
        (tr("Figures of the model"), figures),
        (tr("Checksum"), _cut(model.get("sha256", ""))),
    ]


def _cut(checksums: str) -> str:
    """Shorten checksums to their first letters."""
    return "; ".join(part[: part.find(":") + 2 + _CHECKSUM if ":" in part else _CHECKSUM] for part in checksums.split("; "))
