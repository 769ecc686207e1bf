"""ctkComboBox: a combo box with a default text."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPaintEvent, QPalette, QWheelEvent
from PySide6.QtWidgets import QAbstractScrollArea, QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration, integer


@slicer_widget
class ctkComboBox(QComboBox):
    """Shows ``defaultText`` and ``defaultIcon`` while nothing is selected, or always with ``forceDefault``."""

    NeverScroll, AlwaysScroll, ScrollWithFocus, ScrollWithNoVScrollBar = range(4)

    returnRelease = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._default_text = ""
        self._default_icon = QIcon()
        self._force_default = False
        self._elide_mode = Qt.TextElideMode.ElideNone
        self._wheel = self.AlwaysScroll

    def defaultText(self) -> str:
        return self._default_text

    def setDefaultText(self, text: str) -> None:
        self._default_text = text
        self.updateGeometry()
        self.update()

    def defaultIcon(self) -> QIcon:
        return self._default_icon

    def setDefaultIcon(self, icon: QIcon) -> None:
        self._default_icon = icon
        self.updateGeometry()
        self.update()

    def forceDefault(self) -> bool:
        return self._force_default

    def setForceDefault(self, force: bool) -> None:
        self._force_default = bool(force)
        self.updateGeometry()
        self.update()

    def elideMode(self) -> Qt.TextElideMode:
        return self._elide_mode

    def setElideMode(self, mode: Qt.TextElideMode) -> None:
        self._elide_mode = enumeration(Qt.TextElideMode, mode)
        self.update()

    def scrollWheelEffect(self) -> int:
        return self._wheel

    def setScrollWheelEffect(self, effect: int) -> None:
        """Set when the mouse wheel changes the selection."""
        self._wheel = integer(effect)
        policy = Qt.FocusPolicy
        self.setFocusPolicy(policy.StrongFocus if self._wheel == self.ScrollWithFocus else policy.WheelFocus)

    def currentUserDataAsString(self) -> str:
        data = self.itemData(self.currentIndex())
        return "" if data is None else str(data)

    def setCurrentUserDataAsString(self, text: str) -> None:
        """Select the first item with this user data."""
        for index in range(self.count()):
            data = self.itemData(index)
            if ("" if data is None else str(data)) == text:
                self.setCurrentIndex(index)
                return

    def wheelEvent(self, event: QWheelEvent) -> None:
        scroll = self._wheel == self.AlwaysScroll
        if self._wheel == self.ScrollWithFocus:
            scroll = self.hasFocus()
        elif self._wheel == self.ScrollWithNoVScrollBar:
            scroll = not self._within_scrolled_area()
        if scroll:
            super().wheelEvent(event)
        else:
            event.ignore()

    def _within_scrolled_area(self) -> bool:
        above = self.parentWidget()
        while above is not None:
            if isinstance(above, QAbstractScrollArea) and above.verticalScrollBar().isVisible():
                return True
            above = above.parentWidget()
        return False

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        super().keyReleaseEvent(event)
        if event.key() in (Qt.Key.Key_Enter, Qt.Key.Key_Return):
            self.returnRelease.emit()

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        if self._default_text and (self.count() == 0 or self._force_default):
            option = QStyleOptionComboBox()
            self.initStyleOption(option)
            icon = 0 if self._default_icon.isNull() else self.iconSize().width() + 4
            content = QSize(self.fontMetrics().horizontalAdvance(self._default_text) + icon, self.fontMetrics().height() + 2)
            hint = hint.expandedTo(self.style().sizeFromContents(QStyle.ContentsType.CT_ComboBox, option, content, self))
        return hint

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.Text))
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        if self.currentIndex() == -1 or self._force_default:
            option.currentText = self._default_text
            option.currentIcon = self._default_icon
        field = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self).width()
        option.currentText = option.fontMetrics.elidedText(option.currentText, self._elide_mode, room)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
