"""ctkExpandButton and ctkFontButton."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QPushButton, QStyle, QToolButton, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration


@slicer_widget
class ctkExpandButton(QToolButton):
    """A double arrow that is checked to show more; it points in the opposite direction while it is checked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mirror = False
        self._orientation = Qt.Orientation.Horizontal
        self.setAutoRaise(True)
        self.setCheckable(True)
        self.toggled.connect(self._show_icon)
        self._show_icon()

    def mirrorOnExpand(self) -> bool:
        return self._mirror

    def setMirrorOnExpand(self, mirror: bool) -> None:
        self._mirror = bool(mirror)
        self._show_icon()

    def orientation(self) -> Qt.Orientation:
        return self._orientation

    def setOrientation(self, orientation: Qt.Orientation) -> None:
        self._orientation = enumeration(Qt.Orientation, orientation)
        self._show_icon()

    def _show_icon(self, *_checked: object) -> None:
        turned = self._mirror and self.isChecked()
        arrows = Qt.ArrowType
        if self._orientation == Qt.Orientation.Vertical:
            self.setArrowType(arrows.UpArrow if turned else arrows.DownArrow)
        else:
            self.setArrowType(arrows.NoArrow)
            extension = QStyle.StandardPixmap.SP_ToolBarHorizontalExtensionButton
            icon = self.style().standardIcon(extension)
            if turned or icon.isNull():
                self.setArrowType(arrows.LeftArrow if turned else arrows.RightArrow)
            else:
                self.setIcon(icon)


@slicer_widget
class ctkFontButton(QPushButton):
    """A button that shows a font's name in the font."""

    currentFontChanged = Signal(QFont)

    def __init__(self, *arguments: object) -> None:
        """Make a button.

        Args:
            arguments: a font, which is optional, and the parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self._format = "family-size"
        self._font = QFont(next((one for one in arguments if isinstance(one, QFont)), self.font()))
        self._show_font()

    def currentFont(self) -> QFont:
        return QFont(self._font)

    def setCurrentFont(self, font: QFont) -> None:
        if font == self._font:
            return
        self._font = QFont(font)
        self._show_font()
        self.currentFontChanged.emit(QFont(font))

    def fontTextFormat(self) -> str:
        return self._format

    def setFontTextFormat(self, text_format: str) -> None:
        """Set the format of the font's name: "family", "style", "size" and other text."""
        self._format = text_format
        self._show_font()

    def _show_font(self) -> None:
        style = ", ".join(name for name, on in (("Bold", self._font.bold()), ("Italic", self._font.italic())) if on) or "Normal"
        text = self._format.replace("family", "\0").replace("style", style).replace("size", str(self._font.pointSize()))
        self.setText(text.replace("\0", self._font.family()))
        self.setFont(self._font)
