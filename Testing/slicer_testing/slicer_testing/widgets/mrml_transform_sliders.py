"""Sliders that translate and rotate a linear transform."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDoubleSpinBox, QFormLayout, QGroupBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_linear_transform import GLOBAL, LOCAL, matrix_to_parent, moved
from slicer_testing.widgets.mrml_slider_widget import qMRMLSliderWidget
from slicer_testing.widgets.mrml_widget import qMRMLWidget

_TOLERANCE = 1e-5


@slicer_widget
class qMRMLLinearTransformSlider(qMRMLSliderWidget):
    """One translation or rotation of a linear transform.

    A translation along the parent's axes shows the value in the matrix; all others show the movement since the last reset.
    """

    TRANSLATION_LR, TRANSLATION_PA, TRANSLATION_IS, ROTATION_LR, ROTATION_PA, ROTATION_IS = range(6)
    GLOBAL, LOCAL = GLOBAL, LOCAL

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = None
        self._type = self.TRANSLATION_LR
        self._reference = GLOBAL
        self._old = 0.0
        self._node_observed = None
        self.setQuantity("length")

    def _is_rotation(self) -> bool:
        return self._type >= self.ROTATION_LR

    def TypeOfTransform(self) -> int:
        """Return the translation or rotation that the slider changes."""
        return self._type

    def setTypeOfTransform(self, kind: int) -> None:
        """Set the translation or rotation that the slider changes."""
        self._type = int(kind)
        if self._is_rotation():
            self.setQuantity("")
            self.setSuffix("\N{DEGREE SIGN}")
        self._update()

    def CoordinateReference(self) -> int:
        """Return GLOBAL or LOCAL."""
        return self._reference

    def setCoordinateReference(self, reference: int) -> None:
        """Move along the axes of the parent (GLOBAL) or of the transform (LOCAL)."""
        self._reference = int(reference)
        self._update()

    def setMRMLTransformNode(self, node: Any) -> None:
        """Set the transform; the sliders are disabled if it is not linear."""
        if node is self._node:
            return
        if self._node is not None:
            self._observations.drop(self._node)
        self._node = node
        self._observations.add(node, slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._update)
        self._update()
        self.setEnabled(node is not None and bool(node.IsLinear()))

    def _update(self) -> None:
        if self._node is None:
            return
        self.setEnabled(bool(self._node.IsLinear()))
        if not self._node.IsLinear():
            return
        if self._is_rotation() or self._reference == LOCAL:
            self._old = self.value()
            return
        self._old = matrix_to_parent(self._node).GetElement(self._type, 3)
        self.setValue(self._old)

    def applyTransformation(self, position: float) -> None:
        """Move the transform by the movement of the slider."""
        if self._node is None or not self._node.IsLinear():
            return
        start = self._old
        axis = self._type % 3
        if not self._is_rotation() and self._reference == GLOBAL:
            start = matrix_to_parent(self._node).GetElement(axis, 3)
        by = position - start
        self._old = position
        if abs(by) <= _TOLERANCE:
            return
        if self._is_rotation():
            matrix = moved(self._node, self._reference, rotation=(axis, by))
        else:
            matrix = moved(self._node, self._reference, translation=tuple(by * (axis == each) for each in range(3)))
        self._node.SetMatrixTransformToParent(matrix)


@slicer_widget
class qMRMLTransformSliders(qMRMLWidget):
    """Three sliders for the translations, or the rotations, of a linear transform."""

    TRANSLATION, ROTATION, BOTH = range(3)
    GLOBAL, LOCAL = GLOBAL, LOCAL

    valuesChanged = Signal()
    rangeChanged = Signal(float, float)
    decimalsChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = None
        self._type = self.TRANSLATION
        self._active: list[qMRMLLinearTransformSlider] = []
        self._group = QGroupBox("Translation", self)
        self._labels = [QLabel(text, self._group) for text in ("LR", "PA", "IS")]
        self._sliders = [qMRMLLinearTransformSlider(self._group) for _ in range(3)]
        self._limits_row = QWidget(self._group)
        self._limits = [QDoubleSpinBox(self._limits_row) for _ in range(2)]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._group)
        form = QFormLayout(self._group)
        for label, slider in zip(self._labels, self._sliders, strict=True):
            form.addRow(label, slider)
            slider.valueChanged.connect(lambda value, slider=slider: self._on_slider(slider, value))
        row = QHBoxLayout(self._limits_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Min"))
        row.addWidget(self._limits[0])
        row.addStretch()
        row.addWidget(QLabel("Max"))
        row.addWidget(self._limits[1])
        form.addRow(self._limits_row)
        for box, value in zip(self._limits, (-200.0, 200.0), strict=True):
            box.setRange(-1e4, 1e4)
            box.setValue(value)
            box.valueChanged.connect(self._on_limits)
        self.setTypeOfTransform(self.TRANSLATION)
        self._on_limits()
        self.setEnabled(False)

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene with the units."""
        super().setMRMLScene(scene)
        for slider in self._sliders:
            slider.setMRMLScene(scene)
            slider.setEnabled(self._node is not None)

    def mrmlTransformNode(self) -> Any:
        """Return the transform that is moved, or None."""
        return self._node

    def setMRMLTransformNode(self, node: Any) -> None:
        """Set the transform; the sliders are disabled if it is not linear."""
        if node is not None and not (node.IsA("vtkMRMLTransformNode") and node.IsLinear()):
            node = None
        self._node = node
        for slider in self._sliders:
            slider.setMRMLTransformNode(node)
        self.setEnabled(node is not None)

    def _on_slider(self, slider: qMRMLLinearTransformSlider, position: float) -> None:
        self._active.append(slider)
        if self._type == self.ROTATION:
            # Rotations do not commute: only the slider that is being moved keeps its value.
            self.resetUnactiveSliders()
        slider.applyTransformation(position)
        self.valuesChanged.emit()
        self._active.pop()

    def reset(self) -> None:
        """Set all sliders to 0."""
        for slider in self._sliders:
            slider.reset()

    def resetUnactiveSliders(self) -> None:
        """Set the sliders that are not being moved to 0, without moving the transform."""
        for slider in self._sliders:
            if slider not in self._active:
                blocked = slider.blockSignals(True)
                slider.reset()
                slider._old = slider.value()
                slider.blockSignals(blocked)

    # -- properties

    def TypeOfTransform(self) -> int:
        """Return TRANSLATION or ROTATION."""
        return self._type

    def setTypeOfTransform(self, kind: int) -> None:
        """Set TRANSLATION or ROTATION."""
        self._type = int(kind)
        first = qMRMLLinearTransformSlider.ROTATION_LR if self._type == self.ROTATION else qMRMLLinearTransformSlider.TRANSLATION_LR
        for axis, slider in enumerate(self._sliders):
            slider.setTypeOfTransform(first + axis)

    def CoordinateReference(self) -> int:
        """Return GLOBAL or LOCAL."""
        return self._sliders[0].CoordinateReference()

    def setCoordinateReference(self, reference: int) -> None:
        """Move along the axes of the parent (GLOBAL) or of the transform (LOCAL)."""
        for slider in self._sliders:
            slider.setCoordinateReference(reference)

    def Title(self) -> str:
        """Return the title of the group."""
        return self._group.title()

    def setTitle(self, title: str) -> None:
        """Set the title of the group."""
        self._group.setTitle(title)

    def minimum(self) -> float:
        """Return the minimum of the sliders."""
        return self._limits[0].value()

    def setMinimum(self, minimum: float) -> None:
        """Set the minimum of the sliders."""
        self._limits[0].setValue(minimum)

    def maximum(self) -> float:
        """Return the maximum of the sliders."""
        return self._limits[1].value()

    def setMaximum(self, maximum: float) -> None:
        """Set the maximum of the sliders."""
        self._limits[1].setValue(maximum)

    def setRange(self, minimum: float, maximum: float) -> None:
        """Set the range of the sliders."""
        self.setMinimum(minimum)
        self.setMaximum(maximum)

    def _on_limits(self, *_: float) -> None:
        for slider in self._sliders:
            slider.setMinimum(self.minimum())
            slider.setMaximum(self.maximum())
        self.rangeChanged.emit(self.minimum(), self.maximum())

    def isMinMaxVisible(self) -> bool:
        """Return whether the limits can be edited."""
        return self._limits_row.isVisibleTo(self)

    def setMinMaxVisible(self, visible: bool) -> None:
        """Show or hide the limits."""
        self._limits_row.setVisible(bool(visible))

    def minMaxVisible(self) -> bool:
        """Return whether the limits can be edited."""
        return self.isMinMaxVisible()

    def SingleStep(self) -> float:
        """Return the step of the sliders."""
        return self._sliders[0].singleStep()

    def setSingleStep(self, step: float) -> None:
        """Set the step of the sliders."""
        for slider in self._sliders:
            slider.setSingleStep(step)

    def decimals(self) -> int:
        """Return the decimals of the sliders."""
        return self._sliders[0].decimals()

    def setDecimals(self, decimals: int) -> None:
        """Set the decimals of the sliders."""
        for slider in self._sliders:
            slider.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    def LRLabel(self) -> str:
        """Return the label of the first slider."""
        return self._labels[0].text()

    def setLRLabel(self, text: str) -> None:
        """Set the label of the first slider."""
        self._labels[0].setText(text)

    def PALabel(self) -> str:
        """Return the label of the second slider."""
        return self._labels[1].text()

    def setPALabel(self, text: str) -> None:
        """Set the label of the second slider."""
        self._labels[1].setText(text)

    def ISLabel(self) -> str:
        """Return the label of the third slider."""
        return self._labels[2].text()

    def setISLabel(self, text: str) -> None:
        """Set the label of the third slider."""
        self._labels[2].setText(text)
