"""The button that shows a segmentation as surfaces."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QCursor
from PySide6.QtWidgets import QApplication, QMenu, QWidget, QWidgetAction

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_menu_button import ctkMenuButton
from slicer_testing.widgets.ctk_slider_widget import ctkSliderWidget
from slicer_testing.widgets.mrml_observation import Observations

_SURFACE, _LABELMAP = "Closed surface", "Binary labelmap"
_SMOOTHING = "Smoothing factor"
_DEFAULT_SMOOTHING = 0.5


@slicer_widget
class qMRMLSegmentationShow3DButton(ctkMenuButton):
    """A button that is checked while the segmentation has surfaces; its menu sets their smoothing.

    A negative smoothing factor stores the factor while smoothing is off.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Show 3D", parent)
        self._node: Any = None
        self._locked = False
        self._observations = Observations(self)
        self.setCheckable(True)
        self.setEnabled(False)
        menu = QMenu("Show 3D", self)
        self._smoothing = QAction("Surface smoothing", menu)
        self._smoothing.setCheckable(True)
        menu.addAction(self._smoothing)
        factor = QMenu("Smoothing factor", menu)
        self._factor = ctkSliderWidget(factor)
        self._factor.setDecimals(2)
        self._factor.setMinimum(0.0)
        self._factor.setMaximum(1.0)
        self._factor.setSingleStep(0.1)
        self._factor.setValue(_DEFAULT_SMOOTHING)
        self._factor.setTracking(False)
        action = QWidgetAction(factor)
        action.setDefaultWidget(self._factor)
        factor.addAction(action)
        menu.addMenu(factor)
        self.setMenu(menu)
        self.toggled.connect(self._on_toggled)
        self._smoothing.toggled.connect(self._on_smoothing)
        self._factor.valueChanged.connect(self._on_factor)

    def segmentationNode(self) -> Any:
        """Return the segmentation, or None."""
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        """Set the segmentation; a node of another class counts as none."""
        if node is not None and not node.IsA("vtkMRMLSegmentationNode"):
            node = None
        if node is self._node:
            return
        self._observations.drop_all()
        self._node = node
        for event in (
            vtk.vtkCommand.ModifiedEvent,
            *(getattr(slicer.vtkSegmentation, name) for name in ("SegmentAdded", "SegmentRemoved", "ContainedRepresentationNamesModified")),
        ):
            self._observations.add(node, event, self._update)
        self._update()

    def locked(self) -> bool:
        """Return whether the button is locked, independent of the segmentation."""
        return self._locked

    def setLocked(self, locked: bool) -> None:
        """Lock or unlock the button."""
        self._locked = bool(locked)
        self._update()

    def _segmentation(self) -> Any:
        return None if self._node is None else self._node.GetSegmentation()

    def _smoothing_factor(self) -> float:
        return float(self._segmentation().GetConversionParameter(_SMOOTHING) or 0.0)

    def _update(self) -> None:
        segmentation = self._segmentation()
        smoothing = _DEFAULT_SMOOTHING
        if segmentation is None:
            self.setEnabled(False)
        else:
            made_of_surfaces = segmentation.GetSourceRepresentationName() == _SURFACE
            self.setEnabled(not self._locked and segmentation.GetNumberOfSegments() > 0 and not made_of_surfaces)
            self._quietly(self, self.setChecked, segmentation.ContainsRepresentation(_SURFACE))
            smoothing = self._smoothing_factor()
        self._quietly(self._smoothing, self._smoothing.setChecked, smoothing >= 0)
        self._quietly(self._factor, self._factor.setValue, abs(smoothing))
        self._factor.setEnabled(smoothing >= 0)

    @staticmethod
    def _quietly(source: Any, write: Any, value: Any) -> None:
        blocked = source.blockSignals(True)
        write(value)
        source.blockSignals(blocked)

    def _on_toggled(self, on: bool) -> None:
        segmentation = self._segmentation()
        if segmentation is None:
            return
        modifying = self._node.StartModify()
        if on:
            display = self._node.GetDisplayNode()
            if segmentation.CreateRepresentation(_SURFACE) and display is not None:
                display.SetPreferredDisplayRepresentationName3D(_SURFACE)
                # Slices continue to show voxels.
                if segmentation.ContainsRepresentation(_LABELMAP):
                    display.SetPreferredDisplayRepresentationName2D(_LABELMAP)
        elif segmentation.GetSourceRepresentationName() != _SURFACE:
            segmentation.RemoveRepresentation(_SURFACE)
        self._node.EndModify(modifying)

    def _on_smoothing(self, on: bool) -> None:
        if self._segmentation() is not None:
            size = abs(self._smoothing_factor()) or _DEFAULT_SMOOTHING
            self._set_smoothing(size if on else -size)
            self._update()

    def _on_factor(self, value: float) -> None:
        if self._segmentation() is not None:
            self._set_smoothing(-value if self._smoothing_factor() < 0 else value)

    def _set_smoothing(self, factor: float) -> None:
        segmentation = self._segmentation()
        if factor == self._smoothing_factor():
            return
        modifying = self._node.StartModify()
        segmentation.SetConversionParameter(_SMOOTHING, f"{factor:g}")
        if segmentation.ContainsRepresentation(_SURFACE):
            QApplication.setOverrideCursor(QCursor(Qt.CursorShape.BusyCursor))
            try:
                segmentation.CreateRepresentation(_SURFACE, True)
                self._node.Modified()
            finally:
                QApplication.restoreOverrideCursor()
        self._node.EndModify(modifying)
