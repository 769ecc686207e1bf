"""Errors of landmark pairs of two lists; positions are world coordinates, RAS mm."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from slicer.i18n import tr as _

from deepreg_engine.errors import EngineError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.point_pairs import Pairing, paired
from deepreg_engine.geometry.point_readings import check_place
from deepreg_engine.geometry.point_sets import PointList
from deepreg_engine.metrics.landmarks import LandmarkErrors, misread_note
from deepreg_slicer.engine_texts import sentence
from deepreg_slicer.errors import NodeError
from deepreg_slicer.landmarks import checkPairs, pointList
from deepreg_slicer.parents import parentTransform
from deepreg_slicer.transforms import sampling
from deepreg_slicer.volumes import mapPoints, snapshot, worldGeometry
from DeepRegInspectorLib.mapping import FLIP, FixedToMoving, belowTransform, checkNotBelow, contains, gridOf, imageGrid, leftOut, ownGrid

#: Beginning of the description of a moving point that was proposed and is not yet accepted; its pair is in no figure.
PROPOSED = "proposed"
#: Description of such a point that was dragged to another position.
CORRECTED = f"{PROPOSED}, corrected"


@dataclass(frozen=True)
class Pairs(LandmarkErrors):
    """Landmark pairs of two lists and their errors.

    Args:
        names: of the fixed points.
        notes: of the moving points: confidence of a proposal.
        indices: numbers of both points in their lists.
        unpaired: number of points of both lists that have no partner.
        remarks: sentences on how the points were paired.

    Pairs whose partner is proposed and not yet accepted are not used.
    """

    names: list[str]
    notes: list[str]
    indices: list[tuple[int, int]]
    unpaired: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def proposed(self) -> np.ndarray:
        """Mask (N,) of the pairs whose partner is proposed and not yet accepted."""
        return np.array([note.startswith(PROPOSED) for note in self.notes], dtype=bool)

    def figures(self) -> dict[str, Any]:
        """Return all figures as plain data, see ``DeepRegInspectorLogic.landmarkErrors``."""
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
            "proposed": int(self.proposed.sum()),
            "notes": list(self.remarks),
            "each": each,
        }


def pairing(fixed: Any, moving: Any) -> Pairing:
    """Return which points of two lists correspond: by their labels if these agree, else by their order. Either list may be None."""
    empty = PointList(np.empty((0, 3)), ())
    return paired(*(empty if node is None else pointList(node) for node in (fixed, moving)), partial=True)


def positions(node: Any, indices: list[int], above: vtk.vtkAbstractTransform | None) -> np.ndarray:
    """Return world positions (N, 3) of points; ``above`` takes the coordinates of the list to the world."""
    points = np.array([node.GetNthControlPointPosition(number) for number in indices], dtype=np.float64).reshape(-1, 3)
    return mapPoints(above, points) if len(points) else points


def newPoint(node: Any, label: str, place: int = -1) -> int:
    """Add a point that is not placed yet, and return its number.

    Args:
        node: the list.
        label: of the point.
        place: its index in the list; a shorter list is filled with points without a position. -1 appends it.
    """
    while node.GetNumberOfControlPoints() < place:
        newPoint(node, "")
    index = node.AddControlPoint(vtk.vtkVector3d(0.0, 0.0, 0.0), label)
    node.UnsetNthControlPointPosition(index)
    return index


def outsideOf(transform: Any, points: np.ndarray, fixedVolume: Any = None) -> np.ndarray:
    """Return which fixed points (N, 3), RAS mm, have a displacement that is not known (N,), bool.

    These are points outside a displacement grid of the transform. A transform that is neither linear nor a displacement grid is known only
    over the fixed volume, where it is sampled.
    """
    outside = FixedToMoving(transform).outside(points)
    if fixedVolume is not None and transform is not None and not transform.IsTransformToWorldLinear() and ownGrid(transform) is None:
        outside |= ~contains(sampling(gridOf(fixedVolume)), points)
    return outside


def pairsOf(fixed: Any, moving: Any, transform: Any, fixedVolume: Any = None, others: Iterable[Any] = ()) -> Pairs:
    """Return the landmark pairs of two lists under a transform.

    Args:
        fixed, moving: point lists; either may be None.
        transform: the node; None is the identity.
        fixedVolume: see :func:`outsideOf`.
        others: further transforms that are measured; the moving list may be below one of them.
    """
    if fixed is moving:
        moving = None  # a single list has no pairs
    found = pairing(fixed, moving)
    first, second = found.fixed.tolist(), found.moving.tolist()
    count = len(first)
    names = [fixed.GetNthControlPointLabel(number) for number in first]
    here = positions(fixed, first, parentTransform(fixed)) if count else np.empty((0, 3))
    there = positions(moving, second, belowTransform(moving, transform, others)) if count else np.empty((0, 3))
    mapped = FixedToMoving(transform)(here) if count else here
    outside = outsideOf(transform, here, fixedVolume) if count else np.zeros(0, dtype=bool)
    used = np.array([bool(fixed.GetNthControlPointSelected(number)) for number in first], dtype=bool)
    notes = [moving.GetNthControlPointDescription(number) for number in second]
    used &= np.array([not note.startswith(PROPOSED) for note in notes], dtype=bool)
    indices = list(zip(first, second, strict=True))
    remarks = tuple(sentence(note) for note in found.notes)
    return Pairs(here, there, mapped, outside, used, names, notes, indices, found.unpaired, remarks)


def volumeGrid(volume: Any, transform: Any = None, others: Iterable[Any] = ()) -> ImageGrid | None:
    """Return the grid (LPS mm) of a volume in the world, a moving one without the transform that is measured; None without a usable one."""
    if volume is None:
        return None
    try:
        return imageGrid(worldGeometry(snapshot(volume, leftOut(volume, transform, others)))[0])
    except NodeError:
        return None


def misreadRemarks(
    pairs: Pairs, transform: Any, fixedVolume: Any = None, movingVolume: Any = None, others: Iterable[Any] = ()
) -> tuple[str, ...]:
    """Return sentences on pairs that lie outside the volumes, or seem to be in another frame, unit or order, as the engine notes them.

    Args:
        pairs: their errors under the transform.
        transform: the node; None is the identity.
        fixedVolume, movingVolume: in which the points should lie; either may be None.
        others: further transforms that are measured; the moving volume may be below one of them.
    """
    if not len(pairs):
        return ()
    fixed, moving = pairs.fixed * FLIP, pairs.moving * FLIP
    grids = (volumeGrid(fixedVolume), volumeGrid(movingVolume, transform, others))
    mapping = FixedToMoving(transform)

    def errors(one: np.ndarray, two: np.ndarray) -> LandmarkErrors:
        outside = outsideOf(transform, one * FLIP, fixedVolume)
        return LandmarkErrors(one, two, mapping(one * FLIP) * FLIP, outside, np.ones(len(one), dtype=bool))

    try:
        notes = check_place("landmarks", (fixed, moving), grids)
    except EngineError as error:
        notes = [f"{error.message}: {error.advice}"]
    notes.append(misread_note(errors, fixed, moving, grids))
    return tuple(sentence(note) for note in notes if note)


def landmarkErrors(transform: Any, fixed: Any, moving: Any, fixedVolume: Any = None, others: Iterable[Any] = ()) -> dict[str, Any]:
    """Return figures of landmark pairs, see :func:`pairsOf` and :meth:`Pairs.figures`.

    Raises:
        NodeError: if a point has no partner, or the fixed points are below a transform that is measured.
    """
    checkNotBelow(fixed, (transform, *others), "fixed_landmarks")
    if fixed is moving:
        raise NodeError(_("the fixed and the moving landmarks are the same list"), _("choose another"), "moving_landmarks")
    checkPairs((fixed.GetName(), fixed), (moving.GetName(), moving), "moving_landmarks")
    pairs = pairsOf(fixed, moving, transform, fixedVolume, others)
    figures = pairs.figures()
    return {**figures, "notes": [*figures["notes"], *misreadRemarks(pairs, transform, fixedVolume)]}


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
