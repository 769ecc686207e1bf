"""The options of a slice view, which open below its bar: orientation, and volume and opacity of each layer."""

from __future__ import annotations

import slicer
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QHideEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QGridLayout, QLabel, QWidget

from slicer_testing import registry


class SliceOptions(QWidget):
    """A small window with the options of one slice view.

    Args:
        controller: the bar that it belongs to.
    """

    closed = Signal()

    def __init__(self, controller: QWidget) -> None:
        super().__init__(controller, Qt.WindowType.Popup)
        self._controller = controller
        self._updating = False
        grid = QGridLayout(self)
        self._orientation = QComboBox(self)
        self._orientation.textActivated.connect(controller.setSliceOrientation)
        grid.addWidget(QLabel("Orientation"), 0, 0)
        grid.addWidget(self._orientation, 0, 1)
        self._outline = QCheckBox("Outline", self)
        self._outline.clicked.connect(controller.showLabelOutline)
        grid.addWidget(self._outline, 0, 2)
        self._volumes = {}
        self._opacities = {}
        for row, (layer, title) in enumerate((("Label", "Label map"), ("Foreground", "Foreground"), ("Background", "Background")), 1):
            selector = registry.widget("qMRMLNodeComboBox")(self)
            selector.setObjectName(f"{layer}ComboBox")
            selector.setNodeTypes(["vtkMRMLLabelMapVolumeNode"] if layer == "Label" else ["vtkMRMLVolumeNode"])
            selector.setNoneEnabled(True)
            selector.setAddEnabled(False)
            selector.setRemoveEnabled(False)
            selector.setRenameEnabled(False)
            selector.setMinimumWidth(180)
            selector.currentNodeChanged[object].connect(lambda node, layer=layer: self._on_volume(layer, node))
            grid.addWidget(QLabel(title), row, 0)
            grid.addWidget(selector, row, 1)
            self._volumes[layer] = selector
            if layer != "Background":
                opacity = QDoubleSpinBox(self)
                opacity.setRange(0.0, 1.0)
                opacity.setSingleStep(0.1)
                grid.addWidget(opacity, row, 2)
                self._opacities[layer] = opacity
        self._opacities["Label"].valueChanged.connect(self._on_label_opacity)
        self._opacities["Foreground"].valueChanged.connect(self._on_foreground_opacity)

    def set_scene(self, scene: slicer.vtkMRMLScene | None, orientations: list[str]) -> None:
        """List the volumes of a scene, and the orientations of the slice."""
        self._updating = True
        for selector in self._volumes.values():
            selector.setMRMLScene(scene)
        self._orientation.clear()
        self._orientation.addItems(orientations)
        self._updating = False

    def update_from(self, node: slicer.vtkMRMLSliceNode, composite: slicer.vtkMRMLSliceCompositeNode | None) -> None:
        """Update the options from the slice."""
        self._updating = True
        try:
            self._orientation.setCurrentIndex(self._orientation.findText(node.GetOrientation()))
            self._outline.setChecked(bool(node.GetUseLabelOutline()))
            if composite is not None:
                for layer, selector in self._volumes.items():
                    selector.setCurrentNodeID(getattr(composite, f"Get{layer}VolumeID")() or "")
                for layer, opacity in self._opacities.items():
                    opacity.setValue(getattr(composite, f"Get{layer}Opacity")())
        finally:
            self._updating = False

    def hideEvent(self, event: QHideEvent) -> None:
        """Emit ``closed`` when a click elsewhere hides the window."""
        super().hideEvent(event)
        self.closed.emit()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Hide the window, so that it can be opened again."""
        super().closeEvent(event)
        self.closed.emit()

    def _on_volume(self, layer: str, node: slicer.vtkMRMLNode | None) -> None:
        composite = self._controller.mrmlSliceCompositeNode()
        if self._updating or composite is None:
            return
        logic = self._controller.sliceLogic()
        logic.StartSliceCompositeNodeInteraction(getattr(slicer.vtkMRMLSliceCompositeNode, f"{layer}VolumeFlag"))
        getattr(composite, f"Set{layer}VolumeID")(node.GetID() if node is not None else None)
        logic.EndSliceCompositeNodeInteraction()

    def _on_label_opacity(self, opacity: float) -> None:
        if not self._updating:
            self._controller.setLabelMapOpacity(opacity)

    def _on_foreground_opacity(self, opacity: float) -> None:
        if not self._updating:
            self._controller.setForegroundOpacity(opacity)
