"""Provenance of a result: its volumes, how and when it was made, and its figures. Attributes of its node, saved with the scene."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from deepreg_engine.methods.registry import find_method
from deepreg_slicer.engine_texts import engineText, sentence

PREFIX = "DeepReg."
#: Attribute of results that are transforms: the matrix (4, 4) of their linear part, from fixed to moving points, LPS mm, as JSON.
LINEAR_PART = f"{PREFIX}LinearPart"


def record(node: Any, output: str, request: Any, report: dict[str, Any], fixed: Any, moving: Any, names: dict[str, str]) -> None:
    """Write the provenance of a result into its node."""
    values = {
        # As used: the request may leave them to the engine.
        "Method": str(report.get("method", request.method)),
        "Output": output,
        "Preset": str(report.get("preset", request.preset)),
        "Parameters": json.dumps(report.get("parameters", request.parameters), sort_keys=True),
        "Engine": str(report.get("engine", "")),
        "Created": str(report.get("created", "")),
        "Device": str(report.get("device", "")),
        "Fixed": names.get("fixed", ""),
        "Moving": names.get("moving", ""),
    }
    if output == "transform":
        values["Report"] = json.dumps(_kept(report), separators=(",", ":"))
    for name, value in values.items():
        node.SetAttribute(PREFIX + name, value)
    node.SetAttribute(LINEAR_PART, _linearPart(output, report))
    if output == "inverse" and "inverse" in report:
        node.SetAttribute(PREFIX + "WorstRoundTripMm", f"{report['inverse']['worst_round_trip_mm']:.4g}")
    for role, other in (("deepRegFixed", fixed), ("deepRegMoving", moving)):
        node.SetNodeReferenceID(role, other.GetID() if other is not None else None)


def _linearPart(output: str, report: dict[str, Any]) -> str | None:
    """Return the linear part of a result as JSON; None for results that are no transforms, or if it is not known."""
    matrix = (report.get("linear_part") or {}).get("matrix")
    if matrix is None or output not in ("transform", "alignment", "inverse", "deformation", "iterations"):
        return None
    found = np.array(matrix, dtype=np.float64)
    if output == "inverse":
        found = np.linalg.inv(found)
    return json.dumps((np.eye(4) if output == "deformation" else found).tolist())


def _kept(report: dict[str, Any]) -> dict[str, Any]:
    """Return the report without the paths of temporary files."""
    kept = {name: value for name, value in report.items() if name not in ("outputs", "iterations")}
    kept["inputs"] = {
        name: {key: value for key, value in entry.items() if key != "file"}
        for name, entry in report.get("inputs", {}).items()
        if isinstance(entry, dict)
    }
    return kept


def readReport(node: Any) -> dict[str, Any] | None:
    """Return the report that a transform node carries; None for other nodes."""
    text = node.GetAttribute(PREFIX + "Report") if node is not None else None
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _beforeAndAfter(report: dict[str, Any]) -> tuple[list[float | None], list[float | None]]:
    """Return mean landmark error (mm) and mean Dice, each before and after; None for what was not measured."""
    landmarks, overlap = report.get("landmarks") or {}, report.get("overlap") or {}
    return (
        [(landmarks.get(stage) or {}).get("mean") for stage in ("before", "after")],  # None if all landmarks lie outside the field
        [(overlap.get(f"mean_{stage}") or {}).get("dice") for stage in ("before", "after")],
    )


def motionOf(linear: dict[str, Any], beyond: dict[str, Any]) -> str:
    """Return shift and rotation of a transform and the deformation beyond them, from the sections of a report."""
    text = _("shift {shift:.1f} mm, rotation {angle:.1f}\u00b0; deformation beyond: mean {mean:.1f} mm, 95 % {percentile:.1f} mm")
    if linear.get("mirrored"):
        text = _(
            "MIRRORED, shift {shift:.1f} mm, rotation {angle:.1f}\u00b0; deformation beyond: mean {mean:.1f} mm, 95 % {percentile:.1f} mm"
        )
    return text.format(shift=linear["shift_mm"], angle=linear["rotation_degrees"], mean=beyond["mean"], percentile=beyond["percentile95"])


def summaryOf(report: dict[str, Any], seconds: float) -> str:
    """Return one short line: time, alignment and deformation beyond it, folding, the measured errors, and the number of notes."""
    parts = [_("{seconds:.1f} s").format(seconds=seconds)]
    regularity = report.get("regularity")
    if report.get("linear_part") and report.get("deformation"):
        parts.append(motionOf(report["linear_part"], report["deformation"]))
    if regularity:
        parts.append(_("folding {percent:.2f} %").format(percent=regularity["folding_percent"]))
    errors, overlaps = _beforeAndAfter(report)
    if None not in errors:
        parts.append(_("landmarks {before:.1f} \u2192 {after:.1f} mm").format(before=errors[0], after=errors[1]))
    if None not in overlaps:
        parts.append(_("Dice {before:.2f} \u2192 {after:.2f}").format(before=overlaps[0], after=overlaps[1]))
    if report.get("inverse"):
        parts.append(_("inverse within {worst:.2f} mm").format(worst=report["inverse"]["worst_round_trip_mm"]))
    if report.get("notes"):
        parts.append(_("notes in the log: {count}").format(count=len(report["notes"])))
    return " \u00b7 ".join(parts)


def chosenOf(report: dict[str, Any]) -> list[str]:
    """Return a list with a line on the automatic choice of method and preset; it is empty if nothing was chosen automatically."""
    chosen = report.get("suggestion")
    if not chosen:
        return []
    method = find_method(chosen["method"])
    title = next((preset.title for preset in method.presets if preset.name == chosen["preset"]), chosen["preset"])
    text = _("Chosen automatically: {method}, preset {preset}: {reason}")
    return [sentence(text.format(method=engineText(method.title), preset=engineText(title), reason=engineText(chosen["reason"])))]


def notesOf(report: dict[str, Any]) -> list[str]:
    """Return the notes of a report as lines for the user."""
    return [_("Note: {text}").format(text=sentence(note)) for note in report.get("notes", [])]
