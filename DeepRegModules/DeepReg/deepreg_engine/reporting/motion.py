"""The alignment and the deformation beyond it, in words for the page of a report."""

from __future__ import annotations

from typing import Any

from deepreg_engine.reporting.markup import number
from deepreg_engine.texts import tr

# Smaller changes of volume are not named.
_SAME_VOLUME = 5e-4


def motion_sentences(figures: dict[str, Any]) -> list[str]:
    """Return sentences on shift and rotation, scales, a mirroring, and the deformation beyond them."""
    linear, beyond = figures["linear_part"], figures["deformation"]
    sentences = [_shift(linear)]
    if abs(linear["volume_ratio"] - 1.0) > _SAME_VOLUME:
        left, posterior, superior = (number(scale, 3) for scale in linear["scales"])
        sentences.append(
            tr(
                "Scales of the alignment: {left} left-right, {posterior} anterior-posterior, {superior} superior-inferior.",
                left=left,
                posterior=posterior,
                superior=superior,
            )
        )
    if linear["mirrored"]:
        sentences.append(tr("The alignment mirrors the image: check left and right."))
    sentences.append(
        tr(
            "Deformation beyond the alignment: mean {mean}, 95 % {percentile}, largest {largest} mm.",
            mean=number(beyond["mean"]),
            percentile=number(beyond["percentile95"]),
            largest=number(beyond["maximum"]),
        )
    )
    return sentences


def _shift(linear: dict[str, Any]) -> str:
    parts = {
        "shift": number(linear["shift_mm"], 1),
        "angle": number(linear["rotation_degrees"], 1),
        "sides": _sides(linear["shift_lps_mm"]),
    }
    if linear["source"] == "transform":
        return tr("Linear transform: shift {shift} mm ({sides}), rotation {angle}\u00b0.", **parts)
    if linear["source"] == "fitted rigid":
        return tr("Alignment (not known, rigid fit): shift {shift} mm ({sides}), rotation {angle}\u00b0.", **parts)
    if linear["source"] == "fitted affine":
        return tr("Alignment (not known, affine fit): shift {shift} mm ({sides}), rotation {angle}\u00b0.", **parts)
    return tr("Alignment: shift {shift} mm ({sides}), rotation {angle}\u00b0.", **parts)


def _sides(shift: list[float]) -> str:
    """Return a shift, LPS mm, in the words of the patient's sides."""
    left, posterior, superior = shift
    words = (
        tr("{length} left", length=number(left, 1)) if left >= 0.0 else tr("{length} right", length=number(-left, 1)),
        tr("{length} posterior", length=number(posterior, 1))
        if posterior >= 0.0
        else tr("{length} anterior", length=number(-posterior, 1)),
        tr("{length} superior", length=number(superior, 1)) if superior >= 0.0 else tr("{length} inferior", length=number(-superior, 1)),
    )
    return ", ".join(words)
