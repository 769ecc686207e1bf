"""The menu for all landmarks: outliers, partners, import and export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_engine.errors import EngineError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.points import PointList, read_list, write_points
from deepreg_slicer.engine_texts import engineText, sentence
from deepreg_slicer.landmarks import definedNumbers, pointList
from deepreg_slicer.wording import counted
from DeepRegInspectorLib import views
from DeepRegInspectorLib.landmarks import asCsv, newPoint, pairing
from DeepRegInspectorLib.mapping import FLIP
from DeepRegInspectorLib.sections.base import Section

_FILES = _("Points (*.csv *.fcsv *.mrk.json *.json)")


class LandmarkFilesSection(Section):
    """The menu of the button More.

    Attributes:
        actions: of the menu, by name.
    """

    name = "landmarkFiles"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        menu = qt.QMenu(self.ui.pointsMenuButton)
        self.actions: dict[str, Any] = {}
        for name, title, slot in (
            ("exclude", _("Exclude outliers"), lambda: self.context.sections["landmarks"].excludeOutliers()),
            ("propose", _("Propose missing partners"), lambda: self.context.sections["picking"].proposeMissing()),
            ("importFixed", _("Import fixed landmarks..."), lambda: self._onImport("fixed")),
            ("importMoving", _("Import moving landmarks..."), lambda: self._onImport("moving")),
            ("exportFixed", _("Export fixed landmarks..."), lambda: self._onExport("fixed")),
            ("exportMoving", _("Export moving landmarks..."), lambda: self._onExport("moving")),
            ("exportTable", _("Export table..."), self._onExportTable),
        ):
            action = menu.addAction(title)
            action.connect("triggered()", slot)
            self.actions[name] = action
        columns = menu.addAction(_("Show all columns"))
        columns.checkable = True
        columns.connect("toggled(bool)", lambda on: self.context.sections["landmarks"].table.showAll(bool(on)))
        self.actions["columns"] = columns
        self.ui.pointsMenuButton.setMenu(menu)
        self.ui.pointsMenuButton.setPopupMode(qt.QToolButton.InstantPopup)

    def enable(self) -> None:
        fixed, moving = definedNumbers(self.node.fixedPoints), definedNumbers(self.node.movingPoints)
        pairs = self.context.sections["landmarks"].pairs
        self.actions["exclude"].setEnabled(bool((pairs.outliers & pairs.used).any()))
        self.actions["propose"].setEnabled(self.context.volumes() and bool(self._missing()))
        self.actions["exportFixed"].setEnabled(bool(fixed))
        self.actions["exportMoving"].setEnabled(bool(moving))
        self.actions["exportTable"].setEnabled(bool(len(pairs)))

    def _missing(self) -> list[tuple[int, int]]:
        """Return fixed points without a partner, see :class:`Pairing`."""
        fixed, moving = self.node.fixedPoints, self.node.movingPoints
        return [] if fixed is moving else pairing(fixed, moving).missing

    def _onImport(self, side: str, path: str | None = None) -> None:
        path = path or qt.QFileDialog.getOpenFileName(None, _("Import landmarks"), "", _FILES)
        if not path:
            return
        with slicer.util.tryWithErrorDisplay(_("The landmarks cannot be imported.")):
            self.importPoints(side, path)

    def importPoints(self, side: str, path: str) -> None:
        """Replace the points of a list by those of a file: CSV (LPS), .fcsv or .mrk.json. Points without a position keep their place.

        Raises:
            RuntimeError: if the file cannot be used.
        """
        notes: list[str] = []
        try:
            found = read_list(path, f"{side} landmarks", notes)
        except EngineError as error:
            raise RuntimeError(engineText(error.line())) from error
        slicer.mrmlScene.SaveStateForUndo()
        node = dict(zip(("fixed", "moving"), self.context.sections["landmarks"].lists(), strict=True))[side]
        state = node.StartModify()
        try:
            node.RemoveAllControlPoints()
            back = None
            if node.GetParentTransformNode() is not None:
                back = vtk.vtkGeneralTransform()
                node.GetParentTransformNode().GetTransformFromWorld(back)
            for position, name, defined in zip(found.positions * FLIP, found.names(), found.defined, strict=True):
                if not defined:
                    newPoint(node, name)
                    continue
                place = back.TransformPoint(position.tolist()) if back is not None else position.tolist()
                node.AddControlPoint(vtk.vtkVector3d(*place), name)
        finally:
            node.EndModify(state)
        views.assign(self.node.fixedPoints, self.node.movingPoints, self.node.vectors)
        self.context.refresh()
        text = counted(
            int(found.defined.sum()),
            _("{count} point was read from {path} into {name}."),
            _("{count} points were read from {path} into {name}."),
        ).format(path=path, name=node.GetName())
        missing = int((~found.defined).sum())
        if missing:
            notes.append(_("points without a position, which keep their place: {count}").format(count=missing))
        self.context.showStatus(" ".join([text, *(sentence(note) for note in notes)]))

    def _onExport(self, side: str, path: str | None = None) -> None:
        path = path or qt.QFileDialog.getSaveFileName(None, _("Export landmarks"), f"{side}.csv", _FILES)
        if path:
            with slicer.util.tryWithErrorDisplay(_("The landmarks cannot be exported.")):
                self.exportPoints(side, path)

    def exportPoints(self, side: str, path: str) -> None:
        """Write a list, world coordinates, as CSV (LPS), .fcsv or .mrk.json. Points without a position keep their place.

        Raises:
            RuntimeError: if that cannot be done.
        """
        node = self.node.fixedPoints if side == "fixed" else self.node.movingPoints
        points = pointList(node)
        try:
            write_points(path, PointList(points.positions[: points.placed], points.labels[: points.placed]))
        except EngineError as error:
            raise RuntimeError(engineText(error.line())) from error
        text = counted(
            int(points.defined.sum()),
            _("{count} point of {name} was written to {path}."),
            _("{count} points of {name} were written to {path}."),
        )
        self.context.showStatus(text.format(path=path, name=node.GetName()))

    def _onExportTable(self) -> None:
        path = qt.QFileDialog.getSaveFileName(None, _("Export table"), "landmark_errors.csv", _("CSV (*.csv)"))
        if path:
            with slicer.util.tryWithErrorDisplay(_("The table cannot be exported.")):
                self.exportTable(path)

    def exportTable(self, path: str) -> None:
        """Write the table as CSV.

        Raises:
            RuntimeError: if that cannot be done; an existing file is kept.
        """
        text = asCsv(self.context.sections["landmarks"].pairs)
        try:
            with FileGroup() as files:
                files.add(path, lambda name: Path(name).write_text(text, encoding="utf-8"))
        except EngineError as error:
            raise RuntimeError(engineText(error.line())) from error
        self.context.showStatus(_("The table was written to {path}.").format(path=path))
