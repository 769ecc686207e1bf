"""ctkMenuButton: a button with an arrow that opens a menu."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QMenu, QPushButton, QStyle, QStyleOption, QStyleOptionButton, QStylePainter, QWidget

from slicer_testing.registry import slicer_widget

_ARROW_WIDTH = 14


@slicer_widget
class ctkMenuButton(QPushButton):
    """A push button whose menu opens from the arrow at its right."""

    def __init__(self, *arguments: object) -> None:
        """Make a button.

        Args:
            arguments: the text, which is optional, and the parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self.setText(next((one for one in arguments if isinstance(one, str)), ""))
        # Qt opens a button's own menu at any press, so the menu is stored here instead.
        self._menu: QMenu | None = None

    def menu(self) -> QMenu | None:
        return self._menu

    def setMenu(self, menu: QMenu | None) -> None:
        self._menu = menu
        self.update()

    def showMenu(self) -> None:
        """Open the menu below the button without waiting for a selection."""
        if self._menu is not None:
            self._menu.popup(self.mapToGlobal(QPoint(0, self.height())))

    def _arrow_rect(self) -> QRect:
        return QRect(self.width() - _ARROW_WIDTH, 0, _ARROW_WIDTH, self.height())

    def sizeHint(self) -> QSize:
        return super().sizeHint() + QSize(_ARROW_WIDTH - 1, 0)

    def minimumSizeHint(self) -> QSize:
        return super().minimumSizeHint() + QSize(_ARROW_WIDTH - 1, 0)

    def hitButton(self, point: QPoint) -> bool:
        return not self._arrow_rect().contains(point) and super().hitButton(point)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._arrow_rect().contains(event.position().toPoint()):
            self.showMenu()
            event.accept()
            return
        super().mousePressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        painter.drawControl(QStyle.ControlElement.CE_PushButtonBevel, option)
        arrow = self._arrow_rect()
        painter.setPen(self.palette().button().color().darker(130))
        painter.drawLine(arrow.left() - 1, arrow.top() + 2, arrow.left() - 1, arrow.bottom() - 2)
        arrow_option = QStyleOption()
        arrow_option.initFrom(self)
        arrow_option.rect = arrow.adjusted(2, 2, -2, -2)
        painter.drawPrimitive(QStyle.PrimitiveElement.PE_IndicatorArrowDown, arrow_option)
        label = QRect(option.rect)
        label.setRight(arrow.left())
        option.rect = label
        painter.drawControl(QStyle.ControlElement.CE_PushButtonLabel, option)
        painter.end()
