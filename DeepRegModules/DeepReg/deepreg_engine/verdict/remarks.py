"""Notes of a run that make its result bad or doubtful: each by words that the note has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from deepreg_engine.verdict.checks import Check


@dataclass(frozen=True)
class Remark:
    """A kind of note.

    Args:
        name: its identifier.
        title: for readers.
        words: expression that is found in such notes, and in no others.
        level: "check" or "bad".
        reason: what it means; "" takes the note's own words up to the first colon or semicolon.
        next_step: what to do.
    """

    name: str
    title: str
    words: str
    level: str
    reason: str
    next_step: str


_SAME_PART = "check that both images show the same part of the body of the same kind of patient"
REMARKS = (
    Remark(
        "mirrored",
        "Orientation",
        "agrees much better when it is",
        "bad",
        "",
        "check the orientation in the files of both images, and register again",
    ),
    Remark(
        "turned",
        "Orientation",
        "to fit the fixed one; check the orientation",
        "check",
        "",
        "check the orientation in the files of both images",
    ),
    Remark("no alignment", "Alignment", "no alignment of the images was found", "bad", "no alignment of the images was found", _SAME_PART),
    Remark("implausible", "Alignment", "the images could not be aligned", "bad", "the images could not be aligned", _SAME_PART),
    Remark(
        "stretch",
        "Alignment",
        "fits best but is implausible",
        "check",
        "one image seems to have another scale",
        "check the voxel spacing of both images",
    ),
    Remark("agree little", "Alignment", "the images agree little after the alignment", "check", "the images agree little", _SAME_PART),
    Remark(
        "label map",
        "Kind of image",
        "image seems to be a label map",
        "check",
        "an image seems to be a label map",
        "give the scan as the image, and the label map as labels",
    ),
    Remark(
        "units",
        "Kind of image",
        "is for CT in HU, and",
        "check",
        "the features are for CT in HU, and an image is not in HU",
        "choose a preset or features for these images",
    ),
    Remark(
        "alignment alone",
        "Deformation",
        "with the deformation the images agreed less",
        "check",
        "no deformation was found that makes the images agree better, so the result is the alignment",
        _SAME_PART,
    ),
    Remark(
        "few keypoints",
        "Keypoints",
        "too few keypoints to show a deformation reliably",
        "check",
        "an image has few keypoints",
        "give a mask of the organ, or use the Dense method",
    ),
    Remark(
        "ultrasound",
        "Kind of image",
        "ultrasound and the other image were registered automatically",
        "check",
        "ultrasound is not registered reliably with other images",
        "compare structures before and after, or register landmarks or surfaces with the Points method",
    ),
    Remark(
        "exchanged labels",
        "Structures",
        "label maps seem to be exchanged",
        "check",
        "the label maps seem to be exchanged",
        "check which label map belongs to which image",
    ),
)


def remark_checks(notes: Iterable[str]) -> list[Check]:
    """Return one check for each kind of note that is among the notes of a run."""
    notes, found = list(notes), []
    for remark in REMARKS:
        note = next((note for note in notes if re.search(remark.words, note)), None)
        if note is not None:
            reason = remark.reason or re.split("[;:]", note)[0]
            found.append(Check(f"note {remark.name}", remark.level, reason, remark.next_step, title=remark.title))
    return found
