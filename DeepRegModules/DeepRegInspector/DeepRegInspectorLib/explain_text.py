"""What is said of an explanation, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
from slicer.i18n import tr as _

from deepreg_slicer.provenance import PREFIX

_TITLES = {"dense": _("Dense Registration"), "points": _("Point Registration"), "descent": _("Descent Registration")}


def methodText(subject: Any) -> str:
    """What a result was made with, and so what is asked."""
    if not subject.own:
        return _("This transform does not say how it was made: it is looked at as {title} would, with its usual parameters.").format(
            title=_TITLES[subject.method]
        )
    preset = subject.transform.GetAttribute(PREFIX + "Preset")
    made = _("Made by {title}").format(title=_TITLES[subject.method]) + (_(", preset {preset}").format(preset=preset) if preset else "")
    return (
        made
        + {
            "dense": _(": how likely it finds other displacements than this result, seen from it."),
            "points": _(": which partners the points would choose, seen from this result."),
            "descent": _(": what it compares, and the way it took."),
        }[subject.method]
    )


def stageTitle(stage: dict[str, Any]) -> str:
    """A set of displacements, as it is offered."""
    name = _("Fine") if stage["name"] == "fine" else stage["name"][:1].upper() + stage["name"][1:]
    return _("{name}: \u00b1 {range} mm in steps of {step} mm").format(
        name=name, range=_number(stage["range_mm"]), step=_number(stage["step_mm"])
    )


def probabilitiesText(told: dict[str, Any]) -> str:
    """What is known of a point under the Dense method."""
    likeliest, expected = (np.array(told[name]) * (-1.0, -1.0, 1.0) for name in ("likeliest", "expected"))
    away = float(np.linalg.norm(likeliest))
    if away < 1e-6:
        first = _("The result itself is the likeliest of {labels:,} displacements: {peak:.0f} %.").format(
            labels=told["stage"]["labels"], peak=100.0 * told["peak"]
        )
    else:
        first = _("A place {away:.1f} mm from the result ({way}) is likelier: {peak:.0f} %, the result itself {own:.0f} %.").format(
            away=away, way=_way(likeliest), peak=100.0 * told["peak"], own=100.0 * told["at_result"]
        )
    second = _("Expected {length:.1f} mm from the result ({way}), \u00b1\u00a0{deviation:.1f}\u00a0mm.").format(
        length=np.linalg.norm(expected), way=_way(expected), deviation=told["deviation_mm"]
    )
    third = _("Entropy {bits:.1f} of {most:.1f} bits: as unsure as among {count:.0f} places alike.").format(
        bits=told["bits"], most=told["most_bits"], count=2.0 ** told["bits"]
    )
    return "<br>".join((first, second, third))


def partnersText(told: dict[str, Any], rows: np.ndarray) -> str:
    """The partners that a point considers, as a table.

    Args:
        told: what the worker says of the point.
        rows: position (RAS mm), distance (mm) and probability of each (K, 5), the likeliest first.
    """
    head = _("Point {number}, {distance:.1f} mm from the place: confidence {confidence:.2f}.").format(
        number=told["number"] + 1, distance=told["distance_mm"], confidence=told["confidence"]
    )
    titles = "".join(_cell(title) for title in (_("partner"), _("mm from the result"), _("probability")))
    lines = "".join(
        f"<tr><td align='right'>{number}</td>{_cell(f'{row[3]:.1f}')}{_cell(f'{100.0 * row[4]:.0f} %')}</tr>"
        for number, row in enumerate(rows, start=1)
    )
    rest = _("Other partners or none: {rest:.0f} %.").format(rest=100.0 * max(0.0, 1.0 - float(rows[:, 4].sum())))
    return f"{head}<table><tr>{titles}</tr>{lines}</table>{rest}"


def _number(value: float) -> str:
    """A length with no more digits than one wants to read."""
    return f"{value:.0f}" if value >= 9.95 or abs(value - round(value)) < 0.05 else f"{value:.1f}"


def _cell(text: str) -> str:
    return f"<td align='right'>&nbsp;&nbsp;{text}</td>"


def _way(vector: np.ndarray) -> str:
    return ", ".join(f"{name} {value:+.1f}" for name, value in zip("RAS", np.round(vector, 1) + 0.0))
