"""ctkCollapsibleGroupBox: a group box that can be closed."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QGroupBox, QStyle, QStyleOption, QStyleOptionGroupBox, QStylePainter, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_collapsible_children import CollapsibleChildren

_COMPLEX = QStyle.ComplexControl.CC_GroupBox


@slicer_widget
class ctkCollapsibleGroupBox(CollapsibleChildren, QGroupBox):
    """A group box with an arrow instead of the check box. It is checked while it is open."""

    def __init__(self, *arguments: object) -> None:
        """Make a group box.

        Args:
            arguments: the title, which is optional, and the parent.
        """
        QGroupBox.__init__(self, next((one for one in arguments if isinstance(one, QWidget)), None))
        self._collapsed_height = 14
        self._open_size = QSize()
        self._open_maximum_height = self.maximumHeight()
        self.setTitle(next((one for one in arguments if isinstance(one, str)), ""))
        self.setCheckable(True)
        self.toggled.connect(self._expand)

    def collapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, collapsed: bool) -> None:
        """Hide or show the contents."""
        self.setChecked(not collapsed)

    def collapsedHeight(self) -> int:
        return self._collapsed_height

    def setCollapsedHeight(self, height: int) -> None:
        """Set the height that remains below the title when the box is closed."""
        self._collapsed_height = int(height)

    def _is_collapsed(self) -> bool:
        return not self.isChecked()

    def _expand(self, expand: bool) -> None:
        if not expand:
            self._open_size = self.size()
        self._update_children()
        if expand:
            self.setMaximumHeight(self._open_maximum_height)
            self.resize(self._open_size)
            return
        self._open_maximum_height = self.maximumHeight()
        option = QStyleOptionGroupBox()
        self.initStyleOption(option)
        label = self.style().subControlRect(_COMPLEX, option, QStyle.SubControl.SC_GroupBoxLabel, self)
        self.setMaximumHeight(label.height() + self._collapsed_height)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionGroupBox()
        self.initStyleOption(option)
        box = QStyle.SubControl.SC_GroupBoxCheckBox
        arrow = QStyleOption()
        arrow.initFrom(self)
        arrow.rect = self.style().subControlRect(_COMPLEX, option, box, self)
        # The check box keeps its space, but is not drawn.
        hidden = QStyleOptionGroupBox(option)
        hidden.subControls = option.subControls
        frame_only = QStyle.SubControl.SC_GroupBoxFrame
        title_rect = self.style().subControlRect(_COMPLEX, option, QStyle.SubControl.SC_GroupBoxLabel, self)
        hidden.subControls = frame_only
        hidden.text = ""
        painter.drawComplexControl(_COMPLEX, hidden)
        primitive = QStyle.PrimitiveElement
        painter.drawPrimitive(primitive.PE_IndicatorArrowDown if self.isChecked() else primitive.PE_IndicatorArrowRight, arrow)
        painter.drawItemText(title_rect, int(self.alignment().value), self.palette(), self.isEnabled(), self.title(), self.foregroundRole())
        painter.end()
