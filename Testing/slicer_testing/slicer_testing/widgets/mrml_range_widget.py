"""A range with the unit of its quantity, and a menu for its limits."""

from __future__ import annotations

from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QMenu, QToolButton, QWidget, QWidgetAction

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_range_widget import ctkRangeWidget
from slicer_testing.widgets.mrml_icons import icon
from slicer_testing.widgets.mrml_unit_aware import FollowsUnit


@slicer_widget
class qMRMLRangeWidget(FollowsUnit, ctkRangeWidget):
    """A range widget whose button sets the limits and whether the handles move together."""

    _disabled_without_scene = False

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        menu = QMenu(self)
        limits = QWidget(menu)
        row = QHBoxLayout(limits)
        self._limits = QDoubleSpinBox(limits), QDoubleSpinBox(limits)
        for box, prefix in zip(self._limits, ("Min: ", "Max: "), strict=True):
            box.setPrefix(prefix)
            box.setRange(-1e6, 1e6)
            row.addWidget(box)
            box.valueChanged.connect(self._on_limits)
        limits_action = QWidgetAction(menu)
        limits_action.setDefaultWidget(limits)
        menu.addAction(limits_action)
        symmetric = menu.addAction("Symmetric handles")
        symmetric.setCheckable(True)
        symmetric.toggled.connect(self.setSymmetricMoves)
        button = QToolButton(self)
        button.setIcon(icon("more"))
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.layout().addWidget(button, 0, 3)
        self.rangeChanged.connect(self._show_limits)
        self._show_limits()

    def _show_limits(self, *_: float) -> None:
        for box, limit in zip(self._limits, (self.minimum(), self.maximum()), strict=True):
            blocked = box.blockSignals(True)
            box.setRange(-max(abs(limit), 1e6), max(abs(limit), 1e6))
            box.setValue(limit)
            box.blockSignals(blocked)

    def _on_limits(self) -> None:
        self.setRange(self._limits[0].value(), self._limits[1].value())
