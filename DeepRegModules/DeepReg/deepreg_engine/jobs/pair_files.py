"""Files that come in pairs: landmarks and label maps of the fixed and the moving image."""

from __future__ import annotations

import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.images import read_labels
from deepreg_engine.geometry.points import PointSet, read_pairs

LabelPair = tuple[sitk.Image, sitk.Image]


def check_pairs(**pairs: tuple[str | None, str | None]) -> None:
    """Raise InputError if one side of a pair is missing.

    Args:
        pairs: kind of the files ("landmarks", "labels") to the paths of the fixed and the moving one.
    """
    for kind, paths in pairs.items():
        if bool(paths[0]) != bool(paths[1]):
            given, missing = ("fixed", "moving") if paths[0] else ("moving", "fixed")
            raise InputError(f"the {given} {kind} cannot be used without the {missing} {kind}", "give both, or none", f"{missing}_{kind}")


def read_landmark_pair(fixed: str | None, moving: str | None, notes: list[str] | None = None) -> tuple[PointSet, PointSet] | None:
    """Read corresponding landmarks, adding to ``notes``; None if there are no files."""
    return read_pairs(fixed, moving, notes=notes) if fixed and moving else None


def read_label_pair(fixed: str | None, moving: str | None, notes: list[str] | None = None) -> LabelPair | None:
    """Read the label maps of both images, adding to ``notes``; None if there are no files."""
    return (read_labels(fixed, "fixed labels", notes), read_labels(moving, "moving labels", notes)) if fixed and moving else None
