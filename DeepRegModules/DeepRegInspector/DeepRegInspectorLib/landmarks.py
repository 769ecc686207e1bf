"""Errors of landmark pairs: the n-th fixed point corresponds to the n-th moving point.

Positions are world coordinates, RAS mm.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from slicer.i18n import tr as _

from deepreg_engine.metrics.landmarks import LandmarkErrors
from deepreg_slicer.errors import NodeError
from deepreg_slicer.parents import parentTransform
from deepreg_slicer.transforms import sampling
from deepreg_slicer.volumes import mapPoints
from DeepRegInspectorLib.mapping import FixedToMoving, belowTransform, checkNotBelow, contains, gridOf, ownGrid

#: Begin of the description of a moving point that was proposed and not yet reviewed.
PROPOSED = "proposed"


@dataclass(frozen=True)
class Pairs(LandmarkErrors):
    """Landmark pairs of two lists and their errors.

    Args:
        names: of the fixed points.
        notes: of the moving points: confidence of a proposal.
        unpaired: number of points of the longer list that have no partner.
    """

    names: list[str]
    notes: list[str]
    unpaired: int = 0

    def figures(self) -> dict[str, Any]:
        """All figures as plain data, see ``DeepRegInspectorLogic.landmarkErrors``."""
        before, after, outliers = self.distances_before, self.distances, self.outliers
        errorsBefore, errors = self.before, self.after
        each = [
            {
                "name": name,
                "fixed": self.fixed[n].tolist(),
                "moving": self.moving[n].tolist(),
                "before_mm": float(before[n]),
                "after_mm": None if self.outside[n] else float(after[n]),
                "error_before_mm": errorsBefore[n].tolist(),
                "error_mm": None if self.outside[n] else errors[n].tolist(),
                "used": bool(self.used[n]),
                "outlier": bool(outliers[n]),
            }
            for n, name in enumerate(self.names)
        ]
        return {
            **self.summary(),
            "outlier_limit_mm": self.outlier_limit,
            "outside_field": int(self.outside.sum()),
            "unpaired": self.unpaired,
            "each": each,
        }


def definedIndices(node: Any) -> list[int]:
    """Return the numbers of the placed points, in order."""
    if node is None:
        return []
    placed = node.PositionDefined
    return [number for number in range(node.GetNumberOfControlPoints()) if node.GetNthControlPointPositionStatus(number) == placed]


def positions(node: Any, indices: list[int], above: vtk.vtkAbstractTransform | None) -> np.ndarray:
    """Return world positions (N, 3) of points; ``above`` takes the coordinates of the list to the world."""
    points = np.array([node.GetNthControlPointPosition(number) for number in indices], dtype=np.float64).reshape(-1, 3)
    return mapPoints(above, points) if len(points) else points


def outsideOf(transform: Any, points: np.ndarray, fixedVolume: Any = None) -> np.ndarray:
    """Which fixed points (N, 3), RAS mm, have a displacement that is not known (N,), bool.

    These are points outside a displacement grid of the transform. A transform that is neither linear nor a displacement grid is known
    where it is sampled, which is over the fixed volume.
    """
    outside = FixedToMoving(transform).outside(points)
    if fixedVolume is not None and transform is not None and not transform.IsTransformToWorldLinear() and ownGrid(transform) is None:
        outside |= ~contains(sampling(gridOf(fixedVolume)), points)
    return outside


def pairsOf(fixed: Any, moving: Any, transform: Any, fixedVolume: Any = None, others: Iterable[Any] = ()) -> Pairs:
    """Landmark pairs of two lists under a transform.

    Args:
        fixed, moving: point lists; either may be None.
        transform: the node; None is the identity.
        fixedVolume: see :func:`outsideOf`.
        others: further transforms that are measured; the moving list may be below one of them.
    """
    if fixed is moving:
        moving = None  # one list has no pairs
    first, second = definedIndices(fixed), definedIndices(moving)
    count = min(len(first), len(second))
    names = [fixed.GetNthControlPointLabel(number) for number in first[:count]]
    here = positions(fixed, first[:count], parentTransform(fixed)) if count else np.empty((0, 3))
    there = positions(moving, second[:count], belowTransform(moving, transform, others)) if count else np.empty((0, 3))
    mapped = FixedToMoving(transform)(here) if count else here
    outside = outsideOf(transform, here, fixedVolume) if count else np.zeros(0, dtype=bool)
    used = np.array([bool(fixed.GetNthControlPointSelected(number)) for number in first[:count]], dtype=bool)
    notes = [moving.GetNthControlPointDescription(number) for number in second[:count]]
    return Pairs(here, there, mapped, outside, used, names, notes, abs(len(first) - len(second)))


def landmarkErrors(transform: Any, fixed: Any, moving: Any, fixedVolume: Any = None, others: Iterable[Any] = ()) -> dict[str, Any]:
    """Return figures of landmark pairs, see :func:`pairsOf` and :meth:`Pairs.figures`.

    Raises:
        NodeError: if a point has no partner, or the fixed points are below a transform that is measured.
    """
    checkNotBelow(fixed, (transform, *others), "fixed_landmarks")
    pairs = pairsOf(fixed, moving, transform, fixedVolume, others)
    if fixed is moving:
        raise NodeError(_("the fixed and the moving landmarks are the same list"), _("choose another"), "moving_landmarks")
    if pairs.unpaired or not len(pairs):
        counts = len(definedIndices(fixed)), len(definedIndices(moving))
        raise NodeError(
            _("there are {fixed} fixed but {moving} moving landmarks").format(fixed=counts[0], moving=counts[1]),
            _("each needs its partner"),
        )
    return pairs.figures()


def asCsv(pairs: Pairs) -> str:
    """Return the table as CSV: positions RAS mm, errors mm."""
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
            "outside",
            "note",
        ]
    )
    texts = zip(pairs.names, pairs.notes, pairs.used, pairs.outliers, pairs.outside, strict=True)
    columns = (pairs.fixed, pairs.moving, pairs.distances_before, pairs.distances, pairs.before, pairs.after)
    numbers = np.column_stack(columns)
    for row, (name, note, *flags) in zip(numbers, texts, strict=True):
        writer.writerow([name, *("" if np.isnan(value) else f"{value:.4f}" for value in row), *(int(flag) for flag in flags), note])
    return stream.getvalue()
