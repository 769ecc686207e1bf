"""The bar of a slice view: offset slider, link, visibility in 3D, fit to window, and the options of its layers."""

from __future__ import annotations

from collections.abc import Iterator

import slicer
from PySide6.QtCore import QPoint, QSize, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QToolButton, QWidget
from vtkmodules.vtkCommonCore import reference, vtkCollection, vtkStringArray
from vtkmodules.vtkCommonExecutionModel import vtkAlgorithmOutput

from slicer_testing import registry
from slicer_testing.registry import slicer_widget
from slicer_testing.views.displayable_managers import application_logic
from slicer_testing.views.slice_options import SliceOptions
from slicer_testing.views.view_widget import qMRMLViewControllerBar

Nodes = slicer.vtkMRMLSliceNode
Layers = slicer.vtkMRMLSliceCompositeNode


@slicer_widget
class qMRMLSliceControllerWidget(qMRMLViewControllerBar):
    """The bar of a slice view; it owns the slice's logic.

    The application's logic applies changes to the linked slice views as well; it is notified by the start and the end of an
    interaction.

    Args:
        parent: parent widget.
    """

    imageDataConnectionChanged = Signal(object)
    renderRequested = Signal()
    nodeAboutToBeEdited = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logics: vtkCollection | None = None
        self._connection: vtkAlgorithmOutput | None = None
        self._updating = False
        self._link = self._button("SliceLinkButton", "link", "Move all slice views together", checkable=True)
        self._link.clicked.connect(self.setSliceLink)
        self._visible = self._button("SliceVisibilityButton", "visible", "Show this slice in 3D views", checkable=True)
        self._visible.clicked.connect(self.setSliceVisible)
        self._fit = self._button("FitToWindowToolButton", "fit", "Fit the lowest volume into the view")
        self._fit.clicked.connect(self.fitSliceToBackground)
        for place, button in enumerate((self._link, self._visible, self._fit), 2):
            self._bar_layout.insertWidget(place, button)
        self._slider = registry.widget("qMRMLSliderWidget")(self._bar)
        self._slider.setObjectName("SliceOffsetSlider")
        self._slider.setTracking(False)
        self._slider.setDecimals(2)
        self._slider.setSuffix("mm")
        self._slider.setToolTip("Distance of the slice from the origin of the patient's coordinates")
        self._slider.valueChanged.connect(self._on_slider_changed)
        self._slider.valueIsChanging.connect(self._on_slider_moved)
        self._bar_layout.insertWidget(5, self._slider, 10)
        self._options: SliceOptions | None = None
        self._pin.toggled.connect(self._show_options)
        self._observations.add(self._logic, "ModifiedEvent", self._on_logic_modified)

    # The slice and its logic

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Set the scene of the bar and of the logic."""
        if scene is self._scene:
            return
        self._observations.drop(self._scene)
        if application_logic() is not None:
            self._logic.SetMRMLApplicationLogic(application_logic())
        self._logic.SetMRMLScene(scene)
        super().setMRMLScene(scene)
        if scene is not None:
            self._observations.add(scene, scene.EndBatchProcessEvent, self._update_from_node)
        self._slider.setMRMLScene(scene)

    def setMRMLSliceNode(self, node: slicer.vtkMRMLSliceNode | None) -> None:
        """Control a slice."""
        self._logic.SetSliceNode(node)
        self._set_view_node(node)
        self._on_logic_modified()

    def mrmlSliceNode(self) -> slicer.vtkMRMLSliceNode | None:
        """Return the slice."""
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> slicer.vtkMRMLSliceCompositeNode | None:
        """Return the node with the volumes that the slice shows."""
        return self._logic.GetSliceCompositeNode()

    def sliceLogic(self) -> slicer.vtkMRMLSliceLogic:
        """Return the slice's logic."""
        return self._logic

    def setSliceLogics(self, logics: vtkCollection) -> None:
        """Set the logics of all slice views, this one included."""
        self._logics = logics

    def imageDataConnection(self) -> vtkAlgorithmOutput | None:
        """Return the source of the blended image."""
        return self._connection

    def setImageDataConnection(self, connection: vtkAlgorithmOutput | None) -> None:
        """Set the source of the blended image."""
        if connection != self._connection:
            self._connection = connection
            self.imageDataConnectionChanged.emit(connection)

    def setSliceViewSize(self, size: QSize) -> None:
        """Set the size of the view in pixels."""
        if self._logic.GetSliceNode() is not None:
            self._logic.ResizeSliceNode(size.width(), size.height())

    # Name, label and colour

    def sliceViewName(self) -> str:
        """Return the layout's name of the view, such as Red."""
        node = self.mrmlSliceNode()
        return (node.GetLayoutName() or "") if node is not None else ""

    def sliceViewLabel(self) -> str:
        """Return the short name in the bar."""
        return self._label.text()

    def setSliceViewLabel(self, label: str) -> None:
        """Set the short name in the bar."""
        if self.mrmlSliceNode() is not None:
            self.mrmlSliceNode().SetLayoutLabel(label)

    def sliceViewColor(self) -> QColor:
        """Return the bar's colour."""
        node = self.mrmlSliceNode()
        return QColor.fromRgbF(*node.GetLayoutColor()) if node is not None else QColor()

    def setSliceViewColor(self, color: QColor) -> None:
        """Set the bar's colour."""
        if self.mrmlSliceNode() is not None:
            self.mrmlSliceNode().SetLayoutColor(color.redF(), color.greenF(), color.blueF())

    # Position and orientation

    def sliceOrientation(self) -> str:
        """Return the name of the slice's orientation, such as Axial."""
        node = self.mrmlSliceNode()
        return node.GetOrientation() if node is not None else ""

    def setSliceOrientation(self, orientation: str) -> None:
        """Set the orientation by the name of a preset; other names, such as Reformat, are ignored."""
        node = self.mrmlSliceNode()
        if node is None or not node.HasSliceOrientationPreset(orientation):
            return
        with self._slice_interaction(Nodes.OrientationFlag):
            node.SetOrientation(orientation)

    def sliceOffsetSlider(self) -> QWidget:
        """Return the slider."""
        return self._slider

    def setSliceOffsetRange(self, minimum: float, maximum: float) -> None:
        """Set the range of the slider."""
        self._slider.setMinimum(minimum)
        self._slider.setMaximum(maximum)

    def sliceOffsetResolution(self) -> float:
        """Return the step of the slider."""
        return self._slider.singleStep()

    def setSliceOffsetResolution(self, resolution: float) -> None:
        """Set the step of the slider."""
        self._slider.setSingleStep(resolution)

    def setSliceOffsetValue(self, offset: float) -> None:
        """Move the slice."""
        self._logic.StartSliceOffsetInteraction()
        self._logic.SetSliceOffset(offset)
        self._logic.EndSliceOffsetInteraction()

    def trackSliceOffsetValue(self, offset: float) -> None:
        """Move the slice while the slider is held."""
        self._logic.StartSliceOffsetInteraction()
        self._logic.SetSliceOffset(offset)

    def fitSliceToBackground(self) -> None:
        """Fit the view to the lowest volume."""
        node = self.mrmlSliceNode()
        if node is None:
            return
        with self._slice_interaction(Nodes.ResetFieldOfViewFlag):
            self._logic.FitSliceToBackground()
            node.UpdateMatrices()

    def rotateSliceToLowestVolumeAxes(self) -> None:
        """Rotate the slice into the planes of the lowest volume."""
        with self._slice_interaction(Nodes.RotateToBackgroundVolumePlaneFlag):
            self._logic.RotateSliceToLowestVolumeAxes()

    def setSliceLink(self, linked: bool) -> None:
        """Link or unlink all slice views."""
        for composite in self._composites():
            composite.SetLinkedControl(bool(linked))

    def setHotLinked(self, linked: bool) -> None:
        """Let linked views follow during an interaction, not only at its end."""
        for composite in self._composites():
            composite.SetHotLinkedControl(bool(linked))

    def setSliceVisible(self, visible: bool) -> None:
        """Show the slice in 3D views."""
        with self._slice_interaction(Nodes.SliceVisibleFlag):
            self.mrmlSliceNode().SetSliceVisible(bool(visible))

    # Layers

    def setForegroundOpacity(self, opacity: float) -> None:
        """Set the opacity of the foreground, from 0 to 1."""
        self._change_composite(Layers.ForegroundOpacityFlag, "SetForegroundOpacity", opacity)

    def setLabelMapOpacity(self, opacity: float) -> None:
        """Set the opacity of the label map, from 0 to 1."""
        self._change_composite(Layers.LabelOpacityFlag, "SetLabelOpacity", opacity)

    def setForegroundHidden(self, hidden: bool) -> None:
        """Hide the foreground."""
        self.setForegroundOpacity(0.0 if hidden else 1.0)

    def setLabelMapHidden(self, hidden: bool) -> None:
        """Hide the label map."""
        self.setLabelMapOpacity(0.0 if hidden else 1.0)

    def setClipToBackground(self, clip: bool) -> None:
        """Show the other layers only within the background."""
        if self.mrmlSliceCompositeNode() is not None:
            self.mrmlSliceCompositeNode().SetClipToBackgroundVolume(bool(clip))

    def setCompositing(self, mode: int) -> None:
        """Set the mode that combines the layers."""
        if self.mrmlSliceCompositeNode() is not None:
            self.mrmlSliceCompositeNode().SetCompositing(mode)

    def setCompositingToAlphaBlend(self) -> None:
        """Show the foreground over the background."""
        self.setCompositing(Layers.Alpha)

    def setCompositingToReverseAlphaBlend(self) -> None:
        """Show the background over the foreground."""
        self.setCompositing(Layers.ReverseAlpha)

    def setCompositingToAdd(self) -> None:
        """Show the sum of foreground and background."""
        self.setCompositing(Layers.Add)

    def setCompositingToSubtract(self) -> None:
        """Show the difference of foreground and background."""
        self.setCompositing(Layers.Subtract)

    def showLabelOutline(self, outline: bool) -> None:
        """Show label maps as outlines."""
        with self._slice_interaction(Nodes.LabelOutlineFlag):
            self.mrmlSliceNode().SetUseLabelOutline(bool(outline))

    def setOrientationMarkerType(self, kind: int) -> None:
        """Set the orientation marker: none, cube, human or axes."""
        self.mrmlSliceNode().SetOrientationMarkerType(kind)

    def setOrientationMarkerSize(self, size: int) -> None:
        """Set the size of the orientation marker."""
        self.mrmlSliceNode().SetOrientationMarkerSize(size)

    def setRulerType(self, kind: int) -> None:
        """Set the ruler: none, thin or thick."""
        self.mrmlSliceNode().SetRulerType(kind)

    def setRulerColor(self, color: int) -> None:
        """Set the ruler's colour: white, black or yellow."""
        self.mrmlSliceNode().SetRulerColor(color)

    def fitToWindowToolButton(self) -> QToolButton:
        """Return the button that fits the volume into the view."""
        return self._fit

    def showSliceOffsetSlider(self) -> bool:
        """Return whether the slider is visible."""
        return not self._slider.isHidden()

    def setShowSliceOffsetSlider(self, show: bool) -> None:
        """Show or hide the slider."""
        self._slider.setVisible(bool(show))

    def moreButtonVisibility(self) -> bool:
        """Return whether the button that opens the options is visible."""
        return not self._pin.isHidden()

    def setMoreButtonVisible(self, show: bool) -> None:
        """Show or hide the button that opens the options."""
        self._pin.setVisible(bool(show))

    def updateWidgetFromMRMLView(self) -> None:
        """Update the bar from the slice."""
        self._update_from_node()

    # Implementation

    def _slice_interaction(self, flags: int) -> _Interaction:
        return _Interaction(self._logic.StartSliceNodeInteraction, self._logic.EndSliceNodeInteraction, flags)

    def _change_composite(self, flag: int, setter: str, value: object) -> None:
        composite = self.mrmlSliceCompositeNode()
        if composite is None:
            return
        with _Interaction(self._logic.StartSliceCompositeNodeInteraction, self._logic.EndSliceCompositeNodeInteraction, flag):
            getattr(composite, setter)(value)

    def _composites(self) -> Iterator[slicer.vtkMRMLSliceCompositeNode]:
        """Yield the composite nodes of all views that this one can be linked with."""
        own = self.mrmlSliceCompositeNode()
        logics = [self._logics.GetItemAsObject(index) for index in range(self._logics.GetNumberOfItems())] if self._logics else []
        node = self.mrmlSliceNode()
        for logic in [logic for logic in logics if logic is not self._logic]:
            if logic.GetSliceNode() is not None and node is not None and logic.GetSliceNode().GetViewGroup() == node.GetViewGroup():
                yield logic.GetSliceCompositeNode()
        if own is not None:
            yield own

    def _on_logic_modified(self) -> None:
        self.setImageDataConnection(self._logic.GetImageDataConnection())
        # The scene may have a new composite node after it was closed; adding an observer twice has no effect.
        self._observations.add(self.mrmlSliceCompositeNode(), "ModifiedEvent", self._update_from_node)
        self._update_from_node()
        self.renderRequested.emit()

    def _on_slider_changed(self, offset: float) -> None:
        if not self._updating:
            self.setSliceOffsetValue(offset)

    def _on_slider_moved(self, offset: float) -> None:
        if not self._updating:
            self.trackSliceOffsetValue(offset)

    def _update_from_node(self) -> None:
        super()._update_from_node()
        node = self.mrmlSliceNode()
        if node is None or self._updating or (self._scene is not None and self._scene.IsBatchProcessing()):
            return
        self._updating = True
        try:
            extent = [0.0, 0.0]
            step = reference(1.0)
            if self._logic.GetSliceOffsetRangeResolution(extent, step):
                self.setSliceOffsetRange(*extent)
                self._slider.setSingleStep(abs(step.get()) or 1.0)
            self._slider.setValue(self._logic.GetSliceOffset())
            self._visible.setChecked(bool(node.GetSliceVisible()))
            composite = self.mrmlSliceCompositeNode()
            if composite is not None:
                self._link.setChecked(bool(composite.GetLinkedControl()))
            if self._options is not None:
                self._options.update_from(node, composite)
        finally:
            self._updating = False

    def _orientations(self) -> list[str]:
        names = vtkStringArray()
        self.mrmlSliceNode().GetSliceOrientationPresetNames(names)
        return [names.GetValue(index) for index in range(names.GetNumberOfValues())]

    def _show_options(self, show: bool) -> None:
        if self._options is None:
            self._options = SliceOptions(self)
            self._options.closed.connect(lambda: self._pin.setChecked(False))
        if show:
            self._options.set_scene(self._scene, self._orientations())
            self._update_from_node()
            self._options.adjustSize()
            self._options.move(self.mapToGlobal(QPoint(0, self.height())))
        self._options.setVisible(show)


class _Interaction:
    """Context manager of a change that linked views follow: starts and ends the interaction."""

    def __init__(self, start: object, end: object, flags: int) -> None:
        self._start, self._end, self._flags = start, end, flags

    def __enter__(self) -> None:
        self._start(self._flags)

    def __exit__(self, *_: object) -> None:
        self._end()
