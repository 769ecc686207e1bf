"""Errors of landmark pairs: the n-th fixed point belongs to the n-th moving point.

World coordinates, RAS mm, as the application shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from deepreg_engine.metrics.landmarks import LandmarkErrors, outlier_limit
from deepreg_slicer.volumes import NodeError, mapPoints
from DeepRegInspectorLib.mapping import FixedToMoving, belowTransform

#: In the description of a moving point that was found and not yet looked at.
PROPOSED = "proposed"


@dataclass
class Pairs:
    """Landmark pairs and what became of them.

    Args:
        names: of the fixed points.
        fixed, moving: (N, 3).
        before: (N, 3): fixed minus moving.
        after: (N, 3): mapped fixed minus moving.
        used: (N,), bool: those that count.
        notes: of the moving points: confidence of a proposal.
        unpaired: points of the longer list that have no partner.
    """

    names: list[str]
    fixed: np.ndarray
    moving: np.ndarray
    before: np.ndarray
    after: np.ndarray
    used: np.ndarray
    notes: list[str]
    unpaired: int = 0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def distancesBefore(self) -> np.ndarray:
        return np.linalg.norm(self.before, axis=1)

    @property
    def distances(self) -> np.ndarray:
        return np.linalg.norm(self.after, axis=1)

    @property
    def limit(self) -> float:
        """Errors above this are outliers, mm: median + 3 x 1.4826 x median absolute deviation of those that count."""
        return outlier_limit(self.distances[self.used])

    @property
    def outliers(self) -> np.ndarray:
        return self.distances > self.limit

    def summary(self) -> dict[str, Any]:
        """Figures before and after over the pairs that count, mm; None without any."""
        stages = {"before": self.before[self.used], "after": self.after[self.used]}
        return {name: LandmarkErrors(vectors).summary() if len(vectors) else None for name, vectors in stages.items()}

    def figures(self) -> dict[str, Any]:
        """All in plain numbers, those of each pair too."""
        before, after, outliers = self.distancesBefore, self.distances, self.outliers
        each = [
            {
                "name": name,
                "fixed": self.fixed[n].tolist(),
                "moving": self.moving[n].tolist(),
                "before_mm": float(before[n]),
                "after_mm": float(after[n]),
                "error_before_mm": self.before[n].tolist(),
                "error_mm": self.after[n].tolist(),
                "used": bool(self.used[n]),
                "outlier": bool(outliers[n]),
            }
            for n, name in enumerate(self.names)
        ]
        return {**self.summary(), "outlier_limit_mm": self.limit, "unpaired": self.unpaired, "each": each}


def definedIndices(node: Any) -> list[int]:
    """Numbers of the points that are placed, in order."""
    if node is None:
        return []
    placed = node.PositionDefined
    return [number for number in range(node.GetNumberOfControlPoints()) if node.GetNthControlPointPositionStatus(number) == placed]


def positions(node: Any, indices: list[int], transform: Any = None) -> np.ndarray:
    """World positions (N, 3) of some points; with a transform, those below it."""
    points = np.array([node.GetNthControlPointPosition(number) for number in indices], dtype=np.float64).reshape(-1, 3)
    return mapPoints(belowTransform(node, transform), points) if len(points) else points


def pairsOf(fixed: Any, moving: Any, transform: Any) -> Pairs:
    """Landmark pairs of two lists under a transform.

    Args:
        fixed, moving: point lists; either may be None.
        transform: the node; None compares as it is.
    """
    if fixed is moving:
        moving = None  # no pairs, but a mistake
    first, second = definedIndices(fixed), definedIndices(moving)
    count = min(len(first), len(second))
    names = [fixed.GetNthControlPointLabel(number) for number in first[:count]]
    here = positions(fixed, first[:count]) if count else np.empty((0, 3))
    there = positions(moving, second[:count], transform) if count else np.empty((0, 3))
    mapped = FixedToMoving(transform)(here) if count else here
    used = np.array([bool(fixed.GetNthControlPointSelected(number)) for number in first[:count]], dtype=bool)
    notes = [moving.GetNthControlPointDescription(number) for number in second[:count]]
    return Pairs(names, here, there, here - there, mapped - there, used, notes, abs(len(first) - len(second)))


def landmarkErrors(transform: Any, fixed: Any, moving: Any) -> dict[str, Any]:
    """Figures of landmark pairs, see :meth:`Pairs.figures`.

    Raises:
        NodeError: if there is not a partner for each point.
    """
    pairs = pairsOf(fixed, moving, transform)
    if fixed is moving:
        raise NodeError("the fixed and the moving landmarks are the same list: choose another")
    if pairs.unpaired or not len(pairs):
        counts = len(definedIndices(fixed)), len(definedIndices(moving))
        raise NodeError(f"there are {counts[0]} fixed but {counts[1]} moving landmarks: each needs its partner")
    return pairs.figures()


def asCsv(pairs: Pairs) -> str:
    """The table as CSV: positions RAS mm, errors mm."""
    import csv
    import io

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    axes = ("R", "A", "S")
    writer.writerow(
        [
            "name",
            *(f"fixed {a}" for a in axes),
            *(f"moving {a}" for a in axes),
            "before (mm)",
            "after (mm)",
            *(f"before {a} (mm)" for a in axes),
            *(f"after {a} (mm)" for a in axes),
            "used",
            "outlier",
            "note",
        ]
    )
    for entry, note in zip(pairs.figures()["each"], pairs.notes):
        numbers = [*entry["fixed"], *entry["moving"], entry["before_mm"], entry["after_mm"], *entry["error_before_mm"], *entry["error_mm"]]
        writer.writerow([entry["name"], *(f"{number:.4f}" for number in numbers), int(entry["used"]), int(entry["outlier"]), note])
    return stream.getvalue()
