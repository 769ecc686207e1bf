"""The report of a result: nodes are written to files, and the worker measures, draws and writes the page."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from deepreg_engine.geometry.points import PointSet, write_points
from deepreg_slicer.engine_texts import pageLanguage, translationTable
from deepreg_slicer.errors import NodeError
from deepreg_slicer.grid_transforms import writeTransform
from deepreg_slicer.labels import writeComparison
from deepreg_slicer.provenance import readReport
from deepreg_slicer.volumes import snapshot, worldGeometry, writeVolume
from deepreg_slicer.worker_task import WorkerTask
from DeepRegInspectorLib.landmarks import pairsOf
from DeepRegInspectorLib.mapping import FLIP, checkNotBelow, leftOut, ownGrid

#: Entries of the run's report that the engine's report uses; the others are large or measured again.
_OF_RUN = (
    "method",
    "preset",
    "parameters",
    "engine",
    "created",
    "device",
    "features",
    "alignment",
    "seconds",
    "notes",
    "inverse",
    "inputs",
)


@dataclass
class ReportInputs:
    """The inputs of a report.

    Args:
        transform: aligns the moving volume with the fixed one when it is applied to it.
        fixedVolume, movingVolume: the volumes.
        fixedPoints, movingPoints: point lists; pairs whose fixed point is not selected are excluded.
        fixedLabels, movingLabels: segmentations, or label maps.
        inverse: transform of the other direction.
        title: of the page.
        patientName: on the page; "" shows none, and hides the patient's name wherever it occurs.
        position: of the slices, RAS mm; None for the default.
        limits: of the traffic lights: key to green and amber.
    """

    transform: Any
    fixedVolume: Any
    movingVolume: Any
    fixedPoints: Any = None
    movingPoints: Any = None
    fixedLabels: Any = None
    movingLabels: Any = None
    inverse: Any = None
    title: str = ""
    patientName: str = ""
    position: Any = None
    limits: Mapping[str, Any] = field(default_factory=dict)


def figuresFiles(path: str) -> tuple[str, str]:
    """Return the paths of the files with the figures of a page: JSON and CSV."""
    stem = os.path.splitext(path)[0]
    return f"{stem}_figures.json", f"{stem}_figures.csv"


def patientsOf(*nodes: Any) -> tuple[str, list[str]]:
    """Return the name of the patient of nodes, "" if it is not known; and all names and numbers of their patients in the scene."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    found, names = [], []
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node) if hierarchy is not None and node is not None else 0
        patient = hierarchy.GetItemAncestorAtLevel(item, constants.GetDICOMLevelPatient()) if item else 0
        if not patient:
            continue
        name = hierarchy.GetItemAttribute(patient, constants.GetDICOMPatientNameAttributeName())
        number = hierarchy.GetItemAttribute(patient, constants.GetDICOMPatientIDAttributeName())
        found += [text for text in (name, number, hierarchy.GetItemName(patient)) if text]
        names.append(name or hierarchy.GetItemName(patient))
    return next((name for name in names if name), ""), list(dict.fromkeys(found))


def _modality(volume: Any) -> str:
    """Return the modality of its DICOM series; "" without one."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(volume) if hierarchy is not None else 0
    return hierarchy.GetItemAttribute(item, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()) if item else ""


def _window(volume: Any) -> list[float] | None:
    """Return the values of black and white with which the volume is displayed."""
    display = volume.GetDisplayNode()
    if display is None or not display.IsA("vtkMRMLScalarVolumeDisplayNode"):
        return None
    low, high = float(display.GetWindowLevelMin()), float(display.GetWindowLevelMax())
    return [low, high] if np.isfinite([low, high]).all() and low < high else None


class ReportTask(WorkerTask):
    """Writes a report; its result is the content of the JSON file.

    Args:
        inputs: of the report.
        path: of the page.
        figures: whether to write its figures beside it.
    """

    operation = "report"
    exported = 0.3

    def __init__(self, inputs: ReportInputs, path: str, figures: bool) -> None:
        super().__init__()
        self._inputs, self._path, self._figures = inputs, os.path.abspath(path), figures

    def check(self) -> None:
        if self._inputs.fixedVolume is None or self._inputs.movingVolume is None:
            raise NodeError(_("a report shows both volumes"), _("choose the fixed and the moving volume"), "fixed")
        inputs = self._inputs
        sides = {
            "fixed": inputs.fixedVolume,
            "fixed_landmarks": inputs.fixedPoints,
            "fixed_labels": inputs.fixedLabels,
            "moving_labels": inputs.movingLabels,
        }
        for option, node in sides.items():
            checkNotBelow(node, [inputs.transform], option)

    def export(self) -> Generator[float, None, dict[str, Any]]:
        inputs, remarks = self._inputs, []
        arguments: dict[str, Any] = {"output": self._path, **self._names(remarks)}
        if self._figures:
            arguments["json"], arguments["csv"] = figuresFiles(self._path)
        fixed = snapshot(inputs.fixedVolume)
        moving = snapshot(inputs.movingVolume, leftOut(inputs.movingVolume, inputs.transform))
        grids = {}
        for side, shot in (("fixed", fixed), ("moving", moving)):
            arguments[side] = self.file(f"{side}.nrrd")
            grids[side] = yield from writeVolume(shot, arguments[side])
        self.progressed.emit(self.exported / 3.0, self.exporting, None)
        arguments["transform"] = yield from writeTransform(inputs.transform, worldGeometry(fixed)[0], self.file("transform"))
        if inputs.inverse is not None:
            arguments["inverse"] = yield from writeTransform(inputs.inverse, grids["moving"], self.file("inverse"))
        self.progressed.emit(2.0 * self.exported / 3.0, self.exporting, None)
        arguments.update(self._landmarks(remarks))
        if inputs.fixedLabels is not None and inputs.movingLabels is not None:
            arguments.update((yield from self._labels(remarks)))
        run = readReport(inputs.transform)
        if run is not None and "method" in run and "parameters" in run:
            arguments["run_report"] = {key: run[key] for key in _OF_RUN if key in run}
        return {**arguments, "remarks": remarks}

    def _names(self, remarks: list[str]) -> dict[str, Any]:
        """Return the arguments that need no measurement."""
        inputs = self._inputs
        _name, known = patientsOf(inputs.fixedVolume, inputs.movingVolume)
        named = {
            "fixed_name": inputs.fixedVolume.GetName(),
            "moving_name": inputs.movingVolume.GetName(),
            "transform_name": inputs.transform.GetName(),
            "fixed_modality": _modality(inputs.fixedVolume),
            "moving_modality": _modality(inputs.movingVolume),
            "fixed_window": _window(inputs.fixedVolume),
            "moving_window": _window(inputs.movingVolume),
            "patient": inputs.patientName,
            "private": [] if inputs.patientName else known,
            "limits": {key: list(pair) for key, pair in inputs.limits.items()},
            "application": f"3D Slicer {slicer.app.applicationVersion}",
            "language": pageLanguage(),
            "texts": translationTable(),
        }
        if inputs.title:
            named["title"] = inputs.title
        if inputs.position is not None:
            named["point"] = (np.asarray(inputs.position, dtype=np.float64) * FLIP).tolist()
        if inputs.transform.GetParentTransformNode() is not None:
            remarks.append(_("the transform is below another one: both together were measured"))
        return named

    def _landmarks(self, remarks: list[str]) -> dict[str, str]:
        inputs = self._inputs
        pairs = pairsOf(inputs.fixedPoints, inputs.movingPoints, inputs.transform, inputs.fixedVolume)
        used = np.flatnonzero(pairs.used)
        if proposed := int(pairs.proposed.sum()):
            text = _("landmark partners that are proposed and not accepted, and are excluded: {count} of {all}")
            remarks.append(text.format(count=proposed, all=len(pairs)))
        if (excluded := len(pairs) - len(used) - proposed) > 0:
            text = _("landmark pairs that are not selected, and are excluded: {count} of {all}")
            remarks.append(text.format(count=excluded, all=len(pairs)))
        # The file holds only samples of such a transform.
        if ownGrid(inputs.transform) is None and pairs.outside[used].any():
            text = _("landmarks outside the transform's grid, which are excluded: {count} of {all}")
            remarks.append(text.format(count=pairs.outside[used].sum(), all=len(used)))
            used = np.flatnonzero(pairs.counted)
        remarks += pairs.remarks
        if pairs.unpaired and len(pairs):
            remarks.append(_("landmarks without a partner, which are excluded: {count}").format(count=pairs.unpaired))
        if not len(used):
            return {}
        written = {}
        for side, positions in (("fixed", pairs.fixed), ("moving", pairs.moving)):
            written[f"{side}_landmarks"] = self.file(f"{side}.csv")
            write_points(written[f"{side}_landmarks"], PointSet(positions[used] * FLIP, tuple(pairs.names[number] for number in used)))
        return written

    def _labels(self, remarks: list[str]) -> Generator[float, None, dict[str, Any]]:
        fixed, moving = self._inputs.fixedLabels, self._inputs.movingLabels
        comparison = yield from writeComparison(fixed, moving, self.file("labels"))
        remarks += comparison.notes
        names = {str(value): name for value, name in comparison.names.items()}
        return {"fixed_labels": comparison.fixed, "moving_labels": comparison.moving, "label_names": names}
