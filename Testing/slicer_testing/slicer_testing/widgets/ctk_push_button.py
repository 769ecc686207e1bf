"""ctkPushButton: a button whose text and icon can be aligned."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QPushButton, QStyle, QStyleOptionButton, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration

_ALIGN = Qt.AlignmentFlag


@slicer_widget
class ctkPushButton(QPushButton):
    """A button with its text in the centre and its icon at the left by default; a long text can be shortened."""

    def __init__(self, *arguments: object) -> None:
        """Make a button.

        Args:
            arguments: an icon and a text, which are optional, and the parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self._text_alignment = _ALIGN.AlignHCenter | _ALIGN.AlignVCenter
        self._icon_alignment = _ALIGN.AlignLeft | _ALIGN.AlignVCenter
        self._icon_spacing = 4
        self._elide_mode = Qt.TextElideMode.ElideNone
        for one in arguments:
            if isinstance(one, str):
                self.setText(one)
            elif isinstance(one, QIcon):
                self.setIcon(one)

    def buttonTextAlignment(self) -> Qt.AlignmentFlag:
        return self._text_alignment

    def setButtonTextAlignment(self, alignment: Qt.AlignmentFlag) -> None:
        self._text_alignment = enumeration(Qt.AlignmentFlag, alignment)
        self.update()

    def iconAlignment(self) -> Qt.AlignmentFlag:
        return self._icon_alignment

    def setIconAlignment(self, alignment: Qt.AlignmentFlag) -> None:
        self._icon_alignment = enumeration(Qt.AlignmentFlag, alignment)
        self.update()

    def elideMode(self) -> Qt.TextElideMode:
        return self._elide_mode

    def setElideMode(self, mode: Qt.TextElideMode) -> None:
        """Set where a text that does not fit is shortened."""
        self._elide_mode = enumeration(Qt.TextElideMode, mode)
        self.update()
        self.updateGeometry()

    # Geometry

    def _margin(self) -> int:
        return self.style().pixelMetric(QStyle.PixelMetric.PM_ButtonMargin, None, self)

    def _shown_text(self) -> str:
        if self._elide_mode == Qt.TextElideMode.ElideNone:
            return self.text()
        room = self.width() - self.iconSize().width() - self._icon_spacing - self._margin()
        return self.fontMetrics().elidedText(self.text(), self._elide_mode, room)

    def _text_width(self) -> int:
        return self.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, self._shown_text()).width()

    def _icon_rect(self) -> QRect:
        size, button = self.iconSize(), self.rect()
        rect = QRect(QPoint(self._margin(), (button.height() - size.height()) // 2), size)
        if self._icon_alignment & _ALIGN.AlignHCenter:
            text_width = self._text_width()
            beside = bool(self.text()) and bool(self._text_alignment & _ALIGN.AlignHCenter)
            rect.moveLeft(button.width() // 2 - (size.width() + (text_width + self._icon_spacing if beside else 0)) // 2)
            if self._text_alignment & _ALIGN.AlignLeft:
                rect.moveLeft(self._margin() + text_width)
            elif self._text_alignment & _ALIGN.AlignRight:
                rect.moveRight(button.right() - self._margin() - text_width - self._icon_spacing)
        elif self._icon_alignment & _ALIGN.AlignRight:
            rect.moveLeft(button.right() - size.width() - self._icon_spacing)
        return rect

    def _hint(self, text: str) -> QSize:
        option = QStyleOptionButton()
        option.initFrom(self)
        icon = self.iconSize()
        words = self.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, text or "XXXX")
        width = icon.width() + self._icon_spacing + (words.width() if text else 0)
        content = QSize(width, max(icon.height(), words.height()))
        return self.style().sizeFromContents(QStyle.ContentsType.CT_PushButton, option, content, self)

    def sizeHint(self) -> QSize:
        return self._hint(self.text())

    def minimumSizeHint(self) -> QSize:
        return self._hint(self.text() if self._elide_mode == Qt.TextElideMode.ElideNone else "...")

    # Painting

    def _draw_icon(self, painter: QPainter, rect: QRect) -> QRect:
        """Draw the icon and return its rectangle."""
        if self.icon().isNull():
            return QRect(rect.topLeft(), QSize(0, rect.height()))
        mode = QIcon.Mode.Normal if self.isEnabled() else QIcon.Mode.Disabled
        state = QIcon.State.On if self.isChecked() else QIcon.State.Off
        painter.drawPixmap(rect, self.icon().pixmap(rect.size(), mode, state))
        return rect

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        style, option = self.style(), QStyleOptionButton()
        self.initStyleOption(option)
        style.drawControl(QStyle.ControlElement.CE_PushButtonBevel, option, painter, self)
        icon = self._draw_icon(painter, self._icon_rect())
        text, width = self._shown_text(), self._text_width()
        rect = QRect(self.rect())
        if self._text_alignment & _ALIGN.AlignHCenter:
            left = rect.width() // 2 - width // 2
            if self._icon_alignment & _ALIGN.AlignHCenter:
                left = icon.right() + self._icon_spacing
            elif self._icon_alignment & _ALIGN.AlignLeft:
                left = max(icon.right() + self._icon_spacing, left)
        elif self._text_alignment & _ALIGN.AlignRight:
            left = rect.right() - self._margin() - width
            if self._icon_alignment & _ALIGN.AlignRight:
                left = icon.left() - self._icon_spacing - width
        else:
            left = icon.right() + self._icon_spacing if self._icon_alignment & _ALIGN.AlignLeft else self._margin()
        rect.setLeft(left)
        shortcut = style.styleHint(QStyle.StyleHint.SH_UnderlineShortcut, option, self)
        mnemonic = Qt.TextFlag.TextShowMnemonic if shortcut else Qt.TextFlag.TextHideMnemonic
        flags = mnemonic.value | _ALIGN.AlignLeft.value | _ALIGN.AlignVCenter.value
        style.drawItemText(painter, rect, flags, self.palette(), self.isEnabled(), text, QPalette.ColorRole.ButtonText)
        painter.end()
