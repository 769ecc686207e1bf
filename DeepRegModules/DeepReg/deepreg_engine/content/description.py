"""What is known of an image's content."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

MODALITIES = {
    "ct": "CT",
    "mr": "MR",
    "us": "ultrasound",
    "pet": "PET",
    "labels": "label map",
    "mask": "mask",
    "unknown": "unknown modality",
}
CONTRASTS = {"t1": "T1", "t2": "T2", "flair": "FLAIR"}
BODY_PARTS = {
    "head": "head",
    "chest": "chest",
    "abdomen": "abdomen",
    "pelvis": "pelvis",
    "trunk": "trunk",
    "whole body": "whole body",
    "extremity": "extremity",
    "organ": "crop of some centimetres",
    "unknown": "unknown body part",
}


@dataclass(frozen=True)
class Content:
    """The content of an image, as far as it is known.

    Args:
        modality: a key of :data:`MODALITIES`.
        contrast: of MR, a key of :data:`CONTRASTS`; "" if it is not known.
        body_part: a key of :data:`BODY_PARTS`.
        size_mm: extent of the body (of the structures of a label map) along x, y, z, mm.
        spacing_mm: voxel spacing along the grid's axes, mm.
        reasons: why, one plain phrase each.
        modality_certain, body_part_certain: whether each was stated, or is seen beyond doubt.
    """

    modality: str
    contrast: str
    body_part: str
    size_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    reasons: tuple[str, ...] = ()
    modality_certain: bool = False
    body_part_certain: bool = False

    @property
    def certain(self) -> bool:
        """Whether modality and body part are certain."""
        return self.modality_certain and self.body_part_certain

    @property
    def is_labels(self) -> bool:
        """Whether it is a label map or a mask."""
        return self.modality in ("labels", "mask")

    def replaced(self, **changes: Any) -> Content:
        """Return a copy with other values, such as those that a user has corrected."""
        return replace(self, **changes)

    def title(self) -> str:
        """Return modality, contrast and body part in words: "MR (T1), head"."""
        kind = MODALITIES[self.modality] + (f" ({CONTRASTS[self.contrast]})" if self.contrast else "")
        if self.is_labels or self.body_part == "unknown":
            return kind
        return f"{kind}, {BODY_PARTS[self.body_part]}"

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold; :meth:`from_json` reads it."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {**values, "certain": self.certain, "title": self.title()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Content:
        """Return the content that :meth:`to_json` has described."""
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        for name in ("size_mm", "spacing_mm", "reasons"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)
