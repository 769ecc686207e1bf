"""Pairs of landmarks from two lists, by their order or by their labels."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.point_sets import PointList, PointPair
from deepreg_engine.texts import counted

# A label that a program has made ends in the number of the point.
_NUMBERED = re.compile(r"(.*?)(\d+)")
# Labels mostly agree if more than this share of the shorter list is in the other.
_MOST_AGREE = 0.5


@dataclass(frozen=True)
class Pairing:
    """Correspondences between two lists of points.

    Args:
        fixed, moving: indices of the points (N,) in their lists; the n-th ones correspond, and both have a position.
        missing: fixed points with a position whose partner has none: index of the point, and of its partner, -1 if it is not in the list.
        unpaired: number of points of both lists with a position whose partner has none.
        by_label: whether the points were paired by their labels.
        notes: remarks on the pairs for the user.
    """

    fixed: np.ndarray
    moving: np.ndarray
    missing: list[tuple[int, int]]
    unpaired: int
    by_label: bool
    notes: list[str]


def paired(fixed: PointList, moving: PointList, name: str = "landmarks", partial: bool = False) -> Pairing:
    """Pair the points of two lists.

    Points correspond by their labels if each label is in a list once, and most of those of one list are in the other; otherwise by their
    order. Pairs in which a point has no position, and points without a partner, are left out. Notes name what is left out, and labels
    that differ or have another order.

    Args:
        fixed, moving: the lists.
        name: of the points, for messages.
        partial: whether the partners of some points may still be missing: then the lists may differ in length, or have no pair.

    Raises:
        InputError: if the lists differ in length, or no pair has both positions; with ``partial``, neither is an error.
    """
    by_label = _by_label(fixed.labels, moving.labels)
    first, second, notes = _partners(fixed, moving, by_label, name)
    one, two = fixed.defined[first], moving.defined[second]
    both = one & two
    unpaired = int(fixed.defined.sum() + moving.defined.sum() - 2 * both.sum())
    if not partial and unpaired and max(fixed.placed, moving.placed) > min(len(fixed), len(moving)):
        message = f"there are {_counted(fixed, 'fixed')} {name} but {_counted(moving, 'moving')} {name}"
        raise InputError(message, "each needs its partner, in the same order")
    if not partial and not both.any():
        raise InputError(f"no pair of {name} has a position in both lists", "give at least one")
    if not partial and (one ^ two).any():
        count, total = int((one ^ two).sum()), int((one | two).sum())
        one = f"1 of {total} pairs of {name} has a point without a position and was left out"
        notes.append(counted(count, one, f"{count} of {total} pairs of {name} have a point without a position and were left out"))
    partners = dict(zip(first.tolist(), second.tolist(), strict=True))
    alone = np.setdiff1d(np.flatnonzero(fixed.defined), first[both]).tolist()
    missing = [(place, partners.get(place, -1)) for place in alone]
    return Pairing(first[both], second[both], missing, unpaired, by_label is not None, notes)


def _partners(
    fixed: PointList, moving: PointList, by_label: tuple[np.ndarray, np.ndarray] | None, name: str
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the indices (N,) of corresponding points in both lists, with or without a position, and notes."""
    if by_label is not None:
        notes, count, most = [], len(by_label[0]), max(len(fixed), len(moving))
        if count < min(len(fixed), len(moving)):
            one = f"1 of {most} {name} has the same label in both lists: they were paired by label, and the others left out"
            many = f"{count} of {most} {name} have the same label in both lists: they were paired by label, and the others left out"
            notes.append(counted(count, one, many))
        elif (np.diff(by_label[1]) < 0).any():
            notes.append(f"the fixed and the moving {name} have the same labels in another order: they were paired by label")
        return *by_label, notes
    places = np.arange(min(len(fixed), len(moving), max(fixed.placed, moving.placed)))
    notes = []
    differing = _differing(fixed.labels[: len(places)], moving.labels[: len(places)])
    if differing:
        which = f"{len(differing)} of {len(places)}" if len(differing) < len(places) else "the"
        one, two = differing[0]
        notes.append(f"{which} pairs of {name} have labels that differ, such as {one!r} and {two!r}: they were paired by their order")
    if fixed.breaks != moving.breaks:
        notes.append(f"blank lines between the {name} were skipped; a point without a position is a line of empty cells")
    return places, places, notes


def _counted(points: PointList, side: str) -> str:
    missing = int((~points.defined[: points.placed]).sum())
    return f"{points.placed} {side}" + (f" ({missing} of them without a position)" if missing else "")


def _by_label(fixed: tuple[str, ...], moving: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the indices of corresponding points in both lists if their labels show them, else None; see :func:`paired`."""
    one, two = ({_plain(label): place for place, label in enumerate(labels)} for labels in (fixed, moving))
    if not (_all_named(one, len(fixed)) and _all_named(two, len(moving))):
        return None
    both = [(place, two[label]) for label, place in one.items() if label in two]
    if len(both) < min(len(one), len(two)) and not (
        len(both) > _MOST_AGREE * min(len(one), len(two)) and _contradict_order(fixed, moving, both)
    ):
        return None
    first, second = np.array(both, dtype=np.int64).reshape(-1, 2).T
    return first, second


def _contradict_order(fixed: tuple[str, ...], moving: tuple[str, ...], both: list[tuple[int, int]]) -> bool:
    """Return whether labels of which some have no partner show that the points do not correspond by their order.

    They do if a label that both lists have stands at different places, or if all are numbers, of which some are missing. Numbers that
    differ by the same everywhere are those of programs that count from 0 and from 1.

    Args:
        fixed, moving: all labels.
        both: indices of each label that both lists have.
    """
    numbers = [_NUMBERED.fullmatch(label) for label in (*fixed, *moving)]
    if not all(numbers):
        return any(place != other for place, other in both)
    counts = [int(found.group(2)) for found in numbers if found is not None]
    return len({a - b for a, b in zip(counts[: len(fixed)], counts[len(fixed) :], strict=False)}) > 1


def _all_named(places: dict[str, int], count: int) -> bool:
    """Return whether ``count`` points all have different labels."""
    return len(places) == count > 0 and "" not in places


def _plain(label: str) -> str:
    return label.strip().casefold()


def _differing(fixed: tuple[str, ...], moving: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the pairs of labels that differ in more than a part that all labels of their list share, as "F-1" and "M-1" do."""
    if "" in fixed or "" in moving:
        return []
    one, two = _without_common(fixed), _without_common(moving)
    return [pair for pair, a, b in zip(zip(fixed, moving, strict=True), one, two, strict=True) if a != b]


def _without_common(labels: tuple[str, ...]) -> list[str]:
    """Return the numbers at the end of the labels, if what precedes them is the same in all; else the labels."""
    parts = [_NUMBERED.fullmatch(label) for label in labels]
    found = [part.groups() for part in parts if part is not None]
    if len(found) == len(labels) and len({name for name, _ in found}) == 1:
        return [str(int(number)) for _, number in found]
    return [_plain(label) for label in labels]


def chosen_pairs(fixed: PointList, moving: PointList, pairing: Pairing) -> PointPair:
    """Return the points of a pairing."""
    return fixed.chosen(pairing.fixed), moving.chosen(pairing.moving)
