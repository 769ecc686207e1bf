"""The evaluation of a registration by all available measures, as plain data and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, is_dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.beyond import SplitField
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.point_readings import Grids
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.metrics.landmarks import landmark_errors, landmark_report, misread_note
from deepreg_engine.metrics.mapping import to_transform
from deepreg_engine.metrics.overlap import overlap_note, overlap_report
from deepreg_engine.metrics.regularity import folding_note, regularity_of

# Significant digits in JSON: as many as a float32 has; a tenth of a micrometre at a hundred millimetres.
_SIGNIFICANT = 7


def evaluation_report(
    transform: sitk.Transform | None,
    grids: Grids = (None, None),
    landmarks: tuple[PointSet, PointSet] | None = None,
    labels: tuple[sitk.Image, sitk.Image] | None = None,
    label_names: dict[int, str] | None = None,
    mask: sitk.Image | None = None,
    field: SplitField | None = None,
    notes: list[str] | None = None,
) -> dict:
    """Measure a registration by everything that is given.

    Args:
        transform: maps fixed points to moving points, LPS mm; None is the identity.
        grids: of the fixed and the moving image; displacement and regularity are measured on the fixed one, and neither without a grid or a
            field.
        landmarks: fixed and moving, in pairs.
        labels: fixed and moving label maps, each on its own grid.
        label_names: names of the labels.
        mask: on the grid; regularity is measured inside.
        field: the transform sampled on the grid, with its linear part, if it exists already.
        notes: receives notes on what the measurements show of the inputs and of the result.

    Returns:
        Those of these sections for which there are inputs: "displacement" (its length over the grid, mm: mean, median, percentile95, max)
        and "regularity" of the whole transform; "linear_part" (source, matrix, and shift, rotation, scales and shear about the middle of
        the fixed image) and "deformation" beyond it (mean, median, percentile95, maximum, mm, and "regularity"); "landmarks" and "overlap".
        See :mod:`regularity`, :mod:`deepreg_engine.geometry.beyond`, :mod:`landmarks` and :mod:`overlap`.

    Raises:
        InputError: as these modules do.
    """
    report: dict = {}
    remarks: list[str] = []
    if field is None and grids[0] is not None:
        mapping = to_transform(transform)
        field = SplitField.of(DisplacementField.from_transform(mapping, grids[0]), transform=mapping)
    if field is not None:
        report.update(_motion(field, (field.field.grid if grids[0] is None else grids[0]).centre, mask))
        remarks.append(folding_note(report["regularity"]))
    if landmarks is not None:
        report["landmarks"] = landmark_report(transform, *landmarks)
        fixed, moving = (points.positions for points in landmarks)
        remarks.append(
            misread_note(lambda one, two: landmark_errors(transform, one, two), fixed, moving, _grids(grids, field and field.field, labels))
        )
    if labels is not None:
        report["overlap"] = overlap_report(transform, *labels, label_names)
        remarks.append(overlap_note(transform, *labels, report["overlap"]))
    if notes is not None:
        notes += [remark for remark in remarks if remark]
    return report


def _motion(split: SplitField, centre: np.ndarray, mask: sitk.Image | None) -> dict:
    """Return the sections "displacement", "regularity", "linear_part" and "deformation" of a transform; parts are taken about a centre."""
    lengths, beyond = split.field.statistics(), split.deformation
    jacobian = split.jacobian
    return {
        "displacement": {"mean": lengths.mean, "median": lengths.median, "percentile95": lengths.percentile95, "max": lengths.maximum},
        "regularity": regularity_of(jacobian * np.float32(split.linear.determinant), split.field.grid, mask),
        "linear_part": split.linear.to_dict(centre),
        "deformation": {**vars(beyond.statistics()), "regularity": regularity_of(jacobian, beyond.grid, mask)},
    }


def _grids(grids: Grids, field: DisplacementField | None, labels: tuple[sitk.Image, sitk.Image] | None) -> Grids:
    """Return the grids of the fixed and the moving image as far as they are known; the moving one may have the fixed one's."""
    fixed, moving = grids
    fixed = fixed or (field.grid if field is not None else ImageGrid.of(labels[0]) if labels else None)
    return fixed, moving or (ImageGrid.of(labels[1]) if labels else fixed)


def to_json(report: object) -> str:
    """Return a report as JSON text: numpy's types as plain ones, NaN and infinity as null.

    Raises:
        TypeError: on a value that JSON cannot hold.
    """
    return json.dumps(plain(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: object) -> object:
    """Return a value as JSON can hold it: numpy's types as Python's, NaN and infinity as None, floats with seven digits.

    Raises:
        TypeError: on a value that JSON cannot hold.
    """
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    return _plain_scalar(value)


def _plain_scalar(value: object) -> object:
    """Return a value that has no parts as JSON can hold it; see :func:`plain`."""
    if value is None or isinstance(value, str | int):  # also True and False
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float):
        return float(f"{value:.{_SIGNIFICANT}g}") if math.isfinite(value) else None
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
