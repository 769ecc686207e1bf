"""What DICOM tags and attributes of nodes say of an image's content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from deepreg_engine.content.description import BODY_PARTS

#: Keywords of the DICOM elements that are read, and their tags.
TAGS = {
    "Modality": "0008|0060",
    "BodyPartExamined": "0018|0015",
    "ProtocolName": "0018|1030",
    "SeriesDescription": "0008|103e",
    "StudyDescription": "0008|1030",
    "EchoTime": "0018|0081",
    "RepetitionTime": "0018|0080",
    "InversionTime": "0018|0082",
    "ScanningSequence": "0018|0020",
    "SequenceName": "0018|0024",
}
_MODALITIES = {
    "CT": "ct",
    "MR": "mr",
    "US": "us",
    "IVUS": "us",
    "PT": "pet",
    "PET": "pet",
    "NM": "unknown",
    "SEG": "labels",
    "RTSTRUCT": "labels",
}
# Words of protocols, in the languages of scanners' manuals, that name one body part.
_WORDS = {
    "head": r"head|brain|skull|cranium|cerebr\w*|neuro\w*|orbits?|pituitary|hippocamp\w*|kopf|sch(?:ae|ä)del|hirn|tête|cerveau|cabeza",
    "chest": r"chest|thorax|thoracic|lungs?|pulmon\w*|lunge|heart|cardiac|breast|mediastinum|rib|torax",
    "abdomen": r"abdomen|abdominal|liver|leber|kidneys?|pancreas|spleen|renal|hepat\w*|oberbauch",
    "pelvis": r"pelvis|pelvic|prostate?|prostata|becken|bladder|uterus|rectum|hips?",
    "extremity": r"extremity|knee|leg|arm|hand|foot|ankle|wrist|elbow|shoulder|femur|tibia|thigh|knie",
    "whole body": r"whole[ _-]?body|wholebody|ganzk(?:oe|ö)rper",
}
_TRUNK = ("chest", "abdomen", "pelvis")
# Echo, repetition and inversion times in ms that separate the contrasts of spin-echo and gradient-echo sequences.
_LONG_ECHO, _LONG_INVERSION, _SHORT_ECHO, _SHORT_REPETITION = 60.0, 1500.0, 30.0, 1300.0


@dataclass(frozen=True)
class Stated:
    """What is stated of an image, with "" for what is not.

    Args:
        modality, contrast, body_part: see :class:`Content`.
        reasons: by whom, for each that is stated.
        by_name: whether only the name of the file or the node states them.
    """

    modality: str = ""
    contrast: str = ""
    body_part: str = ""
    reasons: tuple[str, ...] = ()
    by_name: bool = False


def stated(hints: Mapping[str, str]) -> Stated:
    """Return what hints state.

    Args:
        hints: names as in :data:`TAGS`, with or without ``DICOM.`` before them, or the tags themselves; "name" is that of the file or node.
    """
    known = _by_keyword(hints)
    modality = _MODALITIES.get(known.get("Modality", "").upper(), "")
    reasons = [f"DICOM states the modality {known['Modality']}"] if modality else []
    part = ""
    for name in ("BodyPartExamined", "ProtocolName", "SeriesDescription", "StudyDescription"):
        part = body_part_of(known.get(name, ""))
        if part:
            reasons.append(f"DICOM states {known[name].strip()} ({name})")
            break
    contrast = ""
    if modality in ("", "mr"):
        contrast, reason = _contrast(known)
        reasons += [reason] if reason else []
    if not modality and not part and not contrast:
        return _of_name(hints.get("name", ""))
    return Stated(modality, contrast, part, tuple(reasons))


def body_part_of(text: str) -> str:
    """Return the body part that words name; several parts of the trunk are "trunk"; "" if there is none, or if they contradict."""
    found = [part for part, words in _WORDS.items() if re.search(rf"(?<![a-z])(?:{words})(?![a-z])", text.lower())]
    if len(found) > 1 and all(part in _TRUNK for part in found):
        return "trunk"
    if re.search(r"(?<![a-z])(?:tap|cap|trunk|torso)(?![a-z])", text.lower()):
        return "trunk"
    return found[0] if len(found) == 1 and found[0] in BODY_PARTS else ""


def _contrast(known: Mapping[str, str]) -> tuple[str, str]:
    """Return the contrast of MR by its times or by the words of its protocol, and why."""
    echo, repetition, inversion = (_number(known.get(name, "")) for name in ("EchoTime", "RepetitionTime", "InversionTime"))
    if echo is not None:
        times = f"echo time {echo:g} ms"
        if echo >= _LONG_ECHO:
            fluid = inversion is not None and inversion >= _LONG_INVERSION
            return ("flair", f"{times}, inversion time {inversion:g} ms") if fluid else ("t2", times)
        if echo <= _SHORT_ECHO and repetition is not None and repetition <= _SHORT_REPETITION:
            return "t1", f"{times}, repetition time {repetition:g} ms"
    for name in ("SeriesDescription", "ProtocolName"):
        word = contrast_of(known.get(name, ""))
        if word:
            return word, f"DICOM states {known[name].strip()} ({name})"
    return "", ""


def contrast_of(text: str) -> str:
    """Return the contrast of MR that a text names; "" if it names none or several."""
    lower = text.lower()
    if re.search(r"flair", lower):
        return "flair"
    found = [name for name in ("t1", "t2") if re.search(rf"(?<![a-z0-9]){name}(?![0-9])", lower)]
    if not found and re.search(r"mp-?rage|bravo|spgr", lower):
        return "t1"
    return found[0] if len(found) == 1 and "*" not in lower and "t2star" not in lower else ""


def _of_name(name: str) -> Stated:
    """Return what the name of a file or node suggests, which is only a hint."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    modality = next((value for key, value in (("ct", "ct"), ("mr", "mr"), ("mri", "mr"), ("us", "us"), ("pet", "pet")) if key in words), "")
    contrast = contrast_of(name) if modality in ("", "mr") else ""
    part = body_part_of(name.replace("_", " "))
    reasons = (f"its name is {name}",) if modality or contrast or part else ()
    return Stated(modality or ("mr" if contrast else ""), contrast, part, reasons, by_name=True)


def _by_keyword(hints: Mapping[str, str]) -> dict[str, str]:
    keywords = {tag: name for name, tag in TAGS.items()}
    found = {}
    for name, value in hints.items():
        plain = str(name).removeprefix("DICOM.").strip()
        key = keywords.get(plain.lower().replace(",", "|"), plain)
        if key in TAGS and str(value).strip():
            found[key] = str(value).strip()
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
