"""Texts that describe an explanation."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.provenance import PREFIX

_TITLES = {"dense": _("Dense Registration"), "points": _("Point Registration"), "descent": _("Descent Registration")}


def methodText(subject: Any) -> str:
    """Return the method of a result, and what can be explained."""
    if not subject.own:
        return _("This transform does not name the method that made it. It is explained by {title} with default parameters.").format(
            title=_TITLES[subject.method]
        )
    preset = subject.transform.GetAttribute(PREFIX + "Preset")
    made = _("Made by {title}").format(title=_TITLES[subject.method]) + (_(", preset {preset}").format(preset=preset) if preset else "")
    return (
        made
        + {
            "dense": _(": probabilities of other displacements, relative to the result."),
            "points": _(": probabilities of the partners of the points, given the result."),
            "descent": _(": the features that it compares, and its iterations."),
        }[subject.method]
    )


def notesTexts(notes: Iterable[str]) -> list[str]:
    """Return a sentence for each note on how the inputs of an explanation were read, as HTML."""
    return [html.escape(_("Note: {note}.").format(note=engineText(note))) for note in notes]


def stageTitle(stage: dict[str, Any]) -> str:
    """Return the title of a set of displacements."""
    name = _("Fine") if stage["name"] == "fine" else stage["name"][:1].upper() + stage["name"][1:]
    return _("{name}: \u00b1 {range} mm in steps of {step} mm").format(
        name=name, range=_number(stage["range_mm"]), step=_number(stage["step_mm"])
    )


def probabilitiesText(answer: dict[str, Any]) -> str:
    """Describe the probabilities of displacements at a point."""
    likeliest, expected = (np.array(answer[name]) * (-1.0, -1.0, 1.0) for name in ("likeliest", "expected"))
    away = float(np.linalg.norm(likeliest))
    if away < 1e-6:
        first = _("The result is the most probable of {labels:,} displacements: {peak:.0f} %.").format(
            labels=answer["stage"]["labels"], peak=100.0 * answer["peak"]
        )
    else:
        first = _("The most probable position is {away:.1f} mm from the result ({way}): {peak:.0f} %, the result {own:.0f} %.").format(
            away=away, way=_way(likeliest), peak=100.0 * answer["peak"], own=100.0 * answer["at_result"]
        )
    second = _("Expected {length:.1f} mm from the result ({way}), \u00b1\u00a0{deviation:.1f}\u00a0mm.").format(
        length=np.linalg.norm(expected), way=_way(expected), deviation=answer["deviation_mm"]
    )
    third = _("Uncertainty {bits:.1f} of at most {most:.1f} bits: as uncertain as among {count:.0f} equally probable positions.").format(
        bits=answer["bits"], most=answer["most_bits"], count=2.0 ** answer["bits"]
    )
    return "<br>".join((first, second, third))


def partnersText(answer: dict[str, Any], rows: np.ndarray) -> str:
    """Describe the possible partners of a point in a table.

    Args:
        answer: of the worker.
        rows: position (RAS mm), distance (mm) and probability of each (K, 5), the most probable first.
    """
    head = _("Point {number}, {distance:.1f} mm from the position: confidence {confidence:.2f}.").format(
        number=answer["number"] + 1, distance=answer["distance_mm"], confidence=answer["confidence"]
    )
    titles = "".join(_cell(title) for title in (_("partner"), _("mm from the result"), _("probability")))
    lines = "".join(
        f"<tr><td align='right'>{number}</td>{_cell(f'{row[3]:.1f}')}{_cell(f'{100.0 * row[4]:.0f} %')}</tr>"
        for number, row in enumerate(rows, start=1)
    )
    rest = _("Other partners or none: {rest:.0f} %.").format(rest=100.0 * max(0.0, 1.0 - float(rows[:, 4].sum())))
    return f"{head}<table><tr>{titles}</tr>{lines}</table>{rest}"


def _number(value: float) -> str:
    """Return a length with at most one digit after the decimal point."""
    return f"{value:.0f}" if value >= 9.95 or abs(value - round(value)) < 0.05 else f"{value:.1f}"


def _cell(text: str) -> str:
    return f"<td align='right'>&nbsp;&nbsp;{text}</td>"


def _way(vector: np.ndarray) -> str:
    return ", ".join(f"{name} {value:+.1f}" for name, value in zip("RAS", np.round(vector, 1) + 0.0, strict=True))
