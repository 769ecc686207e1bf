"""The contour table: what a registration does to the structures of label maps.

A structure of the moving image is warped onto the fixed image. *Before* is its volume in the moving image, *after* on the fixed grid. Its
shift is that of its centre beyond the alignment, LPS mm. The Jacobian is that of the whole transform from fixed to moving points, inside
the warped structure: its mean times the volume after is the volume before, so that below 1 the structure grows. Of a structure of the fixed
image *after* is its own volume, and *before* that of its anatomy in the moving image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.beyond import SplitField
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import warp_labels
from deepreg_engine.geometry.labels import label_array, label_counts, label_numbers
from deepreg_engine.metrics.overlap import label_boxes, label_overlap

# A change of volume up to this is none, %.
_SAME_VOLUME = 2.0
# A structure that touches the border of the field, and of which more than this is not found on the fixed grid, is cut off, %.
_CUT_OFF = 2.0
_GROWS, _SHRINKS, _KEEPS = "grows", "shrinks", "keeps its volume"
_NOWHERE = "no voxel of it lies in the displacement field: it is outside, or smaller than a voxel"
_PARTLY = "part of it lies outside the displacement field: volume after, shift and Jacobian are those of the rest"


@dataclass(frozen=True)
class _Field:
    """The transform on the grid on which structures are measured.

    Args:
        split: linear part and deformation.
        jacobian: absolute determinant of the whole transform (z, y, x).
        known: voxels (z, y, x) inside the transform's own grid.
    """

    split: SplitField
    jacobian: np.ndarray
    known: np.ndarray

    @property
    def grid(self) -> ImageGrid:
        return self.split.field.grid

    def before_alignment(self, point: np.ndarray) -> np.ndarray:
        """Return a moving point (3,), LPS mm, through the inverse of the linear part."""
        return (np.linalg.inv(self.split.linear.matrix) @ np.append(point, 1.0))[:3]


def structure_table(
    split: SplitField, moving: sitk.Image | None = None, fixed: sitk.Image | None = None, names: dict[int, str] | None = None
) -> list[dict[str, Any]]:
    """Return one row for each structure; a structure that both label maps have is one row, of the moving side.

    Args:
        split: the transform from fixed to moving points on the fixed grid.
        moving, fixed: integer label maps of the two images, in which a structure has the same value.
        names: of the labels.

    Returns:
        For each: "label", "name", "side" ("moving" or "fixed"), "before_ml", "after_ml", "change_percent", "shift_mm" and "shift_lps_mm" of
        the centre beyond the alignment, "jacobian" ("mean", "percentile5", "percentile95"), "words" ("grows", "shrinks", "keeps its
        volume"), "dice" and "hd95" (mm) with its partner, "outside_percent" (share outside the field) and "note". What is not known is
        None.

    Raises:
        InputError: if a label map is not of an integer type.
    """
    field = _on(split, split.field.grid if fixed is None else ImageGrid.of(fixed))
    rows: dict[int, dict[str, Any]] = {}
    drawn = None if moving is None else _drawn(field, moving)
    if moving is not None and drawn is not None:
        rows.update((row["label"], row) for row in _moving_rows(field, moving, drawn))
    if fixed is not None:
        for row in _fixed_rows(field, fixed):
            rows.setdefault(row["label"], row)
        for partner in [] if drawn is None else label_overlap(fixed, drawn, _shared(fixed, moving)):
            rows[partner.label].update(dice=partner.dice, hd95=partner.hd95)
    for label, row in rows.items():
        row["name"] = (names or {}).get(label, "")
    return [rows[label] for label in sorted(rows)]


def _on(split: SplitField, grid: ImageGrid) -> _Field:
    """Return the transform on a grid."""
    own = split.field.grid
    if grid.same_as(own):
        return _Field(split, np.abs(split.jacobian * np.float32(split.linear.determinant)), np.ones(grid.shape, dtype=bool))
    other = SplitField(DisplacementField.from_transform(split.field.to_transform(), grid), split.linear)
    known = own.contains(grid.points().reshape(-1, 3)).reshape(grid.shape)
    return _Field(other, np.abs(other.jacobian * np.float32(split.linear.determinant)), known)


def _drawn(field: _Field, moving: sitk.Image) -> sitk.Image:
    """Return the moving label map on the grid; 0 where the transform is not known."""
    drawn = warp_labels(moving, field.grid, field.split.field.to_transform())
    if field.known.all():
        return drawn
    return field.grid.to_image(np.where(field.known, label_array(drawn), 0).astype(label_array(drawn).dtype))


def _shared(fixed: sitk.Image, moving: sitk.Image | None) -> set[int]:
    """Return the labels other than 0 that both label maps have."""
    return set() if moving is None else label_numbers(fixed) & label_numbers(moving)


def _moving_rows(field: _Field, moving: sitk.Image, drawn: sitk.Image) -> Iterator[dict[str, Any]]:
    array, boxes = label_array(drawn), label_boxes(drawn)
    voxel = float(np.prod(moving.GetSpacing())) / 1000.0
    centres = _centres(moving)
    for label, count in sorted(label_counts(label_array(moving)).items()):
        if not label:
            continue
        before = count * voxel
        if label not in boxes:
            yield _row(label, "moving", (before, None), None, None, 100.0, _NOWHERE)
            continue
        box = boxes[label]
        inside = array[box] == label
        jacobian, centre, after = _inside(field, box, inside)
        # The Jacobian takes volumes of the warped structure back to the moving image.
        missing = 100.0 * (1.0 - float(jacobian.mean()) * after / before) if _touches(box, field) else 0.0
        outside = missing if missing > _CUT_OFF else 0.0
        shift = centre - field.before_alignment(centres[label])
        yield _row(label, "moving", (before, after), shift, jacobian, outside, _PARTLY if outside else "")


def _fixed_rows(field: _Field, fixed: sitk.Image) -> Iterator[dict[str, Any]]:
    array = label_array(fixed)
    voxel = float(np.prod(field.grid.spacing)) / 1000.0
    for label, box in sorted(label_boxes(fixed).items()):
        whole = array[box] == label
        inside = whole & field.known[box]
        total = int(np.count_nonzero(whole))
        if not inside.any():
            yield _row(label, "fixed", (None, total * voxel), None, None, 100.0, _NOWHERE)
            continue
        jacobian, centre, after = _inside(field, box, inside)
        outside = 100.0 * (1.0 - np.count_nonzero(inside) / total)
        moved = _moved_centre(field, box, inside, jacobian)
        shift = centre - field.before_alignment(moved)
        before = float(jacobian.mean()) * after
        yield _row(label, "fixed", (before, after), shift, jacobian, outside, _PARTLY if outside else "")


def _inside(field: _Field, box: tuple[slice, ...], inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return Jacobian (N,), centre (3,), LPS mm, and volume, ml, of voxels within a box."""
    jacobian = field.jacobian[box][inside].astype(np.float64)
    index = np.argwhere(inside).mean(axis=0) + [part.start for part in box]
    centre = field.grid.index_to_physical(index[None, ::-1])[0]
    return jacobian, centre, len(jacobian) * float(np.prod(field.grid.spacing)) / 1000.0


def _moved_centre(field: _Field, box: tuple[slice, ...], inside: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """Return the centre (3,), LPS mm, of the anatomy of voxels in the moving image: their moving points, weighted by their volumes."""
    index = np.argwhere(inside) + [part.start for part in box]
    points = field.grid.index_to_physical(index[:, ::-1]) + field.split.field.vectors[(slice(None), *box)][:, inside].T
    return np.average(points, axis=0, weights=jacobian if jacobian.sum() > 0 else None)


def _row(
    label: int,
    side: str,
    volumes: tuple[float | None, float | None],
    shift: np.ndarray | None,
    jacobian: np.ndarray | None,
    outside: float,
    note: str,
) -> dict[str, Any]:
    before, after = volumes
    change = None if before is None or after is None or outside or not before else 100.0 * (after / before - 1.0)
    return {
        "label": label,
        "name": "",
        "side": side,
        "before_ml": before,
        "after_ml": after,
        "change_percent": change,
        "shift_mm": None if shift is None else float(np.linalg.norm(shift)),
        "shift_lps_mm": None if shift is None else shift.tolist(),
        "jacobian": None if jacobian is None else _summary(jacobian),
        "words": "" if change is None else _KEEPS if abs(change) <= _SAME_VOLUME else _GROWS if change > 0.0 else _SHRINKS,
        "dice": None,
        "hd95": None,
        "outside_percent": float(outside),
        "note": note,
    }


def _summary(jacobian: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(jacobian, [5, 95])
    return {"mean": float(jacobian.mean()), "percentile5": float(low), "percentile95": float(high)}


def _centres(labels: sitk.Image) -> dict[int, np.ndarray]:
    """Return the centre of mass of each label but 0, LPS mm."""
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.ComputeFeretDiameterOff()
    shapes.ComputePerimeterOff()
    shapes.Execute(labels)
    return {label: np.array(shapes.GetCentroid(label)) for label in shapes.GetLabels()}


def _touches(box: tuple[slice, ...], field: _Field) -> bool:
    """Return whether a box (z, y, x) reaches a face of the grid, or a voxel where the transform is not known."""
    wider = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in box)
    faces = any(part.start == 0 or part.stop == size for part, size in zip(box, field.grid.shape, strict=True))
    return faces or not bool(field.known[wider].all())
