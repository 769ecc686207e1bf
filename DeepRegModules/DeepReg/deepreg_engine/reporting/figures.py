"""The figures of a report as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.beyond import SplitField
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.geometry.transform_files import field_grid
from deepreg_engine.metrics.bins import error_bins
from deepreg_engine.metrics.consistency import inverse_consistency
from deepreg_engine.metrics.landmarks import check_reached, landmark_errors
from deepreg_engine.metrics.report import evaluation_report
from deepreg_engine.metrics.structures import structure_table

_ERROR_BINS = 20
_JACOBIAN_BINS = 48


@dataclass
class Pair:
    """The inputs of a report.

    Args:
        fixed, moving: scalar 3D images.
        transform: maps fixed points to moving points, LPS mm.
        inverse: maps moving points to fixed points.
        landmarks: fixed and moving, in pairs.
        labels: fixed and moving label maps, each on its own grid.
        label_names: of the labels.
        alignment: matrix (4, 4) of the registration's linear alignment, fixed to moving; None if it is not known.
        mask: on the fixed grid: the region where the deformation is measured.
        notes: for the reader; measuring appends to them.
    """

    fixed: sitk.Image
    moving: sitk.Image
    transform: sitk.Transform
    inverse: sitk.Transform | None = None
    landmarks: tuple[PointSet, PointSet] | None = None
    labels: tuple[sitk.Image, sitk.Image] | None = None
    label_names: dict[int, str] | None = None
    alignment: np.ndarray | None = None
    mask: sitk.Image | None = None
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclass
class Measured:
    """The measurements, and the maps for the pictures.

    Args:
        figures: see :func:`measure`.
        split: the transform on the grid on which it was measured: linear part and deformation beyond it.
        jacobian: determinant of the deformation there (z, y, x).
        maps: further maps of the deformation there (z, y, x), by their names.
    """

    figures: dict
    split: SplitField
    jacobian: np.ndarray
    maps: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


def measure(pair: Pair, maps: Mapping[str, Callable[[DisplacementField], np.ndarray]] | None = None) -> Measured:
    """Measure a registration.

    Args:
        pair: the inputs.
        maps: further maps of the deformation: name to the function that computes them (z, y, x).

    Returns:
        Figures: those of the sections that :func:`evaluation_report` gives; "inverse_consistency" if there is an inverse; "histograms" of
        the deformation's Jacobian and of the landmarks' errors; "maps": mean, median, percentile95 and max of each further map;
        "measured_on": the grid of displacement and regularity, and whether it is the transform's own. Each landmark pair has a flag
        "outlier", and the landmarks have the "outlier_limit_mm".

    Raises:
        InputError: if no landmark lies in the displacement field, or the inverse does not belong to the transform; and as the metrics do.
    """
    own = field_grid(pair.transform)
    grid = own or ImageGrid.of(pair.fixed)
    if pair.landmarks is not None:
        check_reached(pair.transform, pair.landmarks[0])
    split = SplitField.of(DisplacementField.from_transform(pair.transform, grid), pair.alignment, pair.transform)
    mask = _on(pair.mask, grid, pair)
    figures = evaluation_report(
        pair.transform,
        (ImageGrid.of(pair.fixed), ImageGrid.of(pair.moving)),
        landmarks=pair.landmarks,
        labels=pair.labels,
        label_names=pair.label_names,
        mask=mask,
        field=split,
        notes=pair.notes,
    )
    deformation = split.deformation
    jacobian = split.jacobian
    if pair.inverse is not None:
        figures["inverse_consistency"] = inverse_consistency(pair.transform, pair.inverse, ImageGrid.of(pair.fixed), _inside(pair.mask))
    if pair.labels is not None:
        figures["structures"] = structure_table(split, pair.labels[1], pair.labels[0], pair.label_names)
    figures["measured_on"] = {
        "size": list(grid.size),
        "spacing": list(grid.spacing),
        "own_grid": own is not None,
        "masked": mask is not None,
    }
    inside = _inside(mask)
    region = ... if inside is None else inside
    computed = {name: compute(deformation) for name, compute in (maps or {}).items()}
    figures["maps"] = {name: _statistics(values[region]) for name, values in computed.items()}
    figures["histograms"] = {"jacobian": _jacobian_histogram(jacobian[region])}
    if pair.landmarks is not None:
        figures["histograms"]["landmark_error"] = _mark_outliers(figures["landmarks"], pair.transform, pair.landmarks)
    return Measured(figures, split, jacobian, computed)


def _inside(mask: sitk.Image | None) -> np.ndarray | None:
    return None if mask is None else sitk.GetArrayViewFromImage(mask) != 0


def _mark_outliers(landmarks: dict, transform: sitk.Transform, pairs: tuple[PointSet, PointSet]) -> dict:
    """Add the limit of outliers to the figures of landmarks, and a flag to each pair; return the histogram of their errors."""
    errors = landmark_errors(transform, *(side.positions for side in pairs))
    landmarks["outlier_limit_mm"] = errors.outlier_limit
    for entry, outlier in zip(landmarks["each"], errors.outliers, strict=True):
        entry["outlier"] = bool(outlier)
    known = [entry for entry in landmarks["each"] if entry["after_mm"] is not None]
    before, after = (np.array([entry[f"{stage}_mm"] for entry in known]) for stage in ("before", "after"))
    return error_histogram(before, after)


def _on(mask: sitk.Image | None, grid: ImageGrid, pair: Pair) -> sitk.Image | None:
    """Return the mask on the grid of the deformation."""
    if mask is None or ImageGrid.of(mask).same_as(grid):
        return mask
    moved = resample(mask, grid, None, "nearest")
    if not sitk.GetArrayViewFromImage(moved).any():
        pair.notes.append("the mask lies outside the grid of the transform: the deformation was measured on the whole grid")
        return None
    return moved


def _statistics(values: np.ndarray) -> dict:
    median, percentile95 = np.percentile(values, [50, 95])
    return {"mean": values.mean(dtype=np.float64), "median": median, "percentile95": percentile95, "max": values.max()}


def _jacobian_histogram(values: np.ndarray) -> dict:
    """Return the number of voxels by determinant: of 0 or less, in bins of equal width above 0, and beyond the last bin."""
    top = float(np.clip(np.ceil(4.0 * np.percentile(values, 99.9)) / 4.0 + 0.25, 2.0, 6.0))
    positive = values[values > 0]
    counts, edges = np.histogram(positive, bins=_JACOBIAN_BINS, range=(0.0, top))
    return {
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "folded": int(values.size - positive.size),
        "beyond": int((positive > top).sum()),
    }


def error_histogram(before: np.ndarray, after: np.ndarray) -> dict:
    """Return the number of landmark pairs by error, mm, before and after; and "beyond", the number of errors before above the last bin."""
    edges, beyond = error_bins(before, after, _ERROR_BINS)
    return {
        "edges": edges.tolist(),
        **{name: np.histogram(values, edges)[0].tolist() for name, values in (("before", before), ("after", after))},
        "beyond": beyond,
    }
