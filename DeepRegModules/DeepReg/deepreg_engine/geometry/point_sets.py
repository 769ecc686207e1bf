"""Points in memory: sets of points, and lists in which some points have no position. LPS millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PointSet:
    """Named points.

    Args:
        positions: (N, 3), LPS mm.
        labels: N names; "1", "2", ... by default.
    """

    positions: np.ndarray
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        positions = np.asarray(self.positions, dtype=np.float64).reshape(-1, 3)
        object.__setattr__(self, "positions", positions)
        labels = tuple(str(name) for name in self.labels) or tuple(str(n + 1) for n in range(len(positions)))
        if len(labels) != len(positions):
            raise ValueError(f"{len(labels)} names for {len(positions)} points")
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.positions)


#: Corresponding fixed and moving points.
PointPair = tuple[PointSet, PointSet]


@dataclass(frozen=True)
class PointList:
    """The rows of a list of points, some of which may have no position; landmarks correspond by their order.

    Args:
        positions: (N, 3), LPS mm; NaN for a point without a position.
        labels: N names; "" for a point without a name.
        breaks: numbers of points that have blank lines before them in the file.
    """

    positions: np.ndarray
    labels: tuple[str, ...]
    breaks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", np.asarray(self.positions, dtype=np.float64).reshape(-1, 3))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def defined(self) -> np.ndarray:
        """Mask (N,) of the points that have a position."""
        return np.any(~np.isnan(self.positions), axis=1)

    @property
    def placed(self) -> int:
        """The number of points up to the last one with a position.

        Spreadsheets add empty rows at the end; Slicer adds the point that the user is about to place.
        """
        return int(np.flatnonzero(self.defined).max(initial=-1)) + 1

    def names(self) -> tuple[str, ...]:
        """Return the names; points without one are numbered from "1"."""
        return tuple(label or str(number + 1) for number, label in enumerate(self.labels))

    def chosen(self, places: np.ndarray) -> PointSet:
        """Return the points at some indices, as a set."""
        names = self.names()
        return PointSet(self.positions[places], tuple(names[place] for place in places))

    def points(self) -> PointSet:
        """Return the points that have a position."""
        return self.chosen(np.flatnonzero(self.defined))
