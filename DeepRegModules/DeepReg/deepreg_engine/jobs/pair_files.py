"""Files that come in pairs: landmarks and label maps of the fixed and the moving image."""

from __future__ import annotations

from deepreg_engine.errors import InputError, concerning
from deepreg_engine.geometry.images import read_labels
from deepreg_engine.geometry.points import PointSet, read_pairs
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.jobs.label_pairs import LabelPair, joined


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


def read_label_pair(
    fixed: str | None, moving: str | None, names: str | None = None, notes: list[str] | None = None
) -> tuple[LabelPair | None, dict[int, str] | None]:
    """Read the label maps of both images, in which a structure then has the same value, and its names.

    Args:
        fixed, moving: files; without them there are no label maps.
        names: file with names of the labels; by default those of the segments in the files.
        notes: receives notes on how they were read.

    Returns:
        The label maps, and label value to name; None for what is not given.

    Raises:
        InputError: if a file cannot be used, or no structure has its name in both.
    """
    given = read_label_names(names) if names else None
    if not (fixed and moving):
        return None, given
    with concerning("fixed_labels"):
        first = read_labels(fixed, "fixed labels", notes)
    with concerning("moving_labels"):
        second = read_labels(moving, "moving labels", notes)
    pair, own = joined(first, second, notes)
    return pair, given or own or None
