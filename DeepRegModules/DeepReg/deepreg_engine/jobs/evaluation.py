"""The evaluation of a transform of any origin, from files to a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine import __version__
from deepreg_engine.errors import InputError
from deepreg_engine.geometry.beyond import SplitField
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_mask, read_volume
from deepreg_engine.geometry.label_pairs import LabelPair
from deepreg_engine.geometry.point_readings import check_place
from deepreg_engine.geometry.transform_files import field_grid, kept_alignment, read_transform
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.jobs.pair_files import check_pairs, read_label_pair, read_landmark_pair
from deepreg_engine.methods.common.affine import overlap
from deepreg_engine.metrics.landmarks import check_reached
from deepreg_engine.metrics.report import evaluation_report, to_json
from deepreg_engine.metrics.structures import structure_table


@dataclass(frozen=True)
class EvaluationRequest:
    """What to evaluate.

    Args:
        transform: maps fixed points to moving points.
        fixed_landmarks, moving_landmarks: corresponding points.
        fixed_labels, moving_labels: label maps in which the same structure has the same number.
        label_names: file with the names of the labels.
        mask: of the fixed image: where the deformation is measured.
        reference: image on whose grid the deformation is measured; needed for a transform without a grid of its own.
        report: the figures (.json), to write.
    """

    transform: str
    fixed_landmarks: str | None = None
    moving_landmarks: str | None = None
    fixed_labels: str | None = None
    moving_labels: str | None = None
    label_names: str | None = None
    mask: str | None = None
    reference: str | None = None
    report: str | None = None


def run_evaluation(request: EvaluationRequest) -> dict[str, Any]:
    """Measure a transform; returns what the JSON file holds.

    Raises:
        EngineError: if an input cannot be used; then nothing is written.
    """
    check_suffix("report", request.report, (".json",))
    check_outputs({"report": request.report}, [path for name, path in vars(request).items() if name != "report"])
    check_pairs(landmarks=(request.fixed_landmarks, request.moving_landmarks), labels=(request.fixed_labels, request.moving_labels))
    notes: list[str] = []
    transform = read_transform(request.transform, notes=notes)
    landmarks = read_landmark_pair(request.fixed_landmarks, request.moving_landmarks, notes)
    labels, names = read_label_pair(request.fixed_labels, request.moving_labels, request.label_names, notes)
    grid = _grid(request, transform, labels, notes)
    if landmarks:
        known = grid if request.reference or field_grid(transform) else None
        where = "the reference image" if request.reference else "the displacement field"
        notes += check_place("landmarks", [points.positions for points in landmarks], (known, None), "{side}_landmarks", (where, ""))
        check_reached(transform, landmarks[0])
    field = mask = None
    if grid:
        field = SplitField.of(DisplacementField.from_transform(transform, grid), kept_alignment(request.transform), transform)
        if request.mask:
            mask, note = read_mask(request.mask, grid)
            notes += [note] if note else []
    elif request.mask or not landmarks:
        advice = "give an image on whose grid to measure" if request.mask else "give a reference image, landmarks or labels to measure it"
        raise InputError(f"the transform {request.transform} has no grid of its own", advice, "reference")
    report: dict[str, Any] = {"engine": f"deepreg-engine {__version__}", "transform": request.transform, "notes": notes}
    report.update(evaluation_report(transform, landmarks=landmarks, labels=labels, label_names=names, mask=mask, field=field, notes=notes))
    if field is not None and labels is not None:
        report["structures"] = structure_table(field, labels[1], labels[0], names)
    if request.report:
        with FileGroup() as files:
            files.add_text(request.report, to_json(report))
    return report


def _grid(request: EvaluationRequest, transform: sitk.Transform, labels: LabelPair | None, notes: list[str]) -> ImageGrid | None:
    """Return the grid on which the deformation is measured; None without one."""
    own = field_grid(transform)
    if request.reference:
        grid = ImageGrid.of(read_volume(request.reference, "reference image", notes))
        if own and overlap(own, grid, np.zeros(3)) == 0.0:
            raise InputError(
                f"the field {request.transform} and the reference image do not overlap", "check that they belong together", "reference"
            )
        return grid
    return ImageGrid.of(labels[0]) if own is None and labels else own
