"""ctkColorPickerButton: a button that shows a colour and opens a dialog to change it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QIcon, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QColorDialog, QPushButton, QStyle, QStyleOptionButton, QStylePainter, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import integer


@slicer_widget
class ctkColorPickerButton(QPushButton):
    """A button with a colour, black by default, shown with its name or with the button's text."""

    ShowAlphaChannel, NoButtons, DontUseNativeDialog, UseCTKColorDialog = 0x1, 0x2, 0x4, 0xC

    colorChanged = Signal(QColor)
    colorNameChanged = Signal(str)

    def __init__(self, *arguments: object) -> None:
        """Make a button.

        Args:
            arguments: a colour and a text, which are optional, and the parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self._color = QColor(Qt.GlobalColor.black)
        self._color_name = ""
        self._display_name = True
        self._options = 0
        self.setText(next((one for one in arguments if isinstance(one, str)), ""))
        self.setCheckable(True)
        self.toggled.connect(self._on_toggled)
        color = next((one for one in arguments if isinstance(one, QColor)), None)
        if color is not None:
            self.setColor(color)

    def color(self) -> QColor:
        return QColor(self._color)

    def setColor(self, color: QColor) -> None:
        """Set the colour: a QColor, or a value that can be converted to one."""
        color = QColor(color)
        if color == self._color:
            return
        self._color = color
        self.update()
        self.colorChanged.emit(QColor(color))

    def colorName(self) -> str:
        return self._color_name

    def setColorName(self, name: str) -> None:
        """Set a name to show instead of the colour's code."""
        if name == self._color_name:
            return
        self._color_name = name
        self.update()
        self.updateGeometry()
        self.colorNameChanged.emit(name)

    def displayColorName(self) -> bool:
        return self._display_name

    def setDisplayColorName(self, display: bool) -> None:
        self._display_name = bool(display)
        self.update()
        self.updateGeometry()

    def dialogOptions(self) -> int:
        return self._options

    def setDialogOptions(self, options: int) -> None:
        self._options = integer(options)

    def changeColor(self) -> None:
        """Ask the user for a colour."""
        option = QColorDialog.ColorDialogOption
        chosen = option(0)
        for flag, qt_flag in (
            (self.ShowAlphaChannel, option.ShowAlphaChannel),
            (self.NoButtons, option.NoButtons),
            (self.DontUseNativeDialog, option.DontUseNativeDialog),
        ):
            if self._options & flag:
                chosen |= qt_flag
        color = QColorDialog.getColor(self._color, self, "", chosen)
        if color.isValid():
            self.setColor(color)
            self.setColorName("")

    def _on_toggled(self, checked: bool) -> None:
        if checked:
            self.changeColor()
            self.setChecked(False)

    def _shown_text(self) -> str:
        if not self._display_name:
            return self.text()
        return self._color_name or self._color.name()

    def _icon(self) -> QIcon:
        size = self.style().pixelMetric(QStyle.PixelMetric.PM_SmallIconSize)
        pixmap = QPixmap(size, size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setPen(Qt.GlobalColor.gray)
        painter.setBrush(self._color if self._color.isValid() else QBrush(Qt.BrushStyle.NoBrush))
        painter.drawRect(2, 2, size - 5, size - 5)
        painter.end()
        return QIcon(pixmap)

    def _option(self) -> QStyleOptionButton:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = self._shown_text()
        option.icon = self._icon()
        size = self.style().pixelMetric(QStyle.PixelMetric.PM_SmallIconSize)
        option.iconSize = QSize(size, size)
        return option

    def sizeHint(self) -> QSize:
        option = self._option()
        words = self.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, option.text)
        content = QSize(option.iconSize.width() + (words.width() + 8 if option.text else 0), max(option.iconSize.height(), words.height()))
        size = self.style().sizeFromContents(QStyle.ContentsType.CT_PushButton, option, content, self)
        return size if option.text else QSize(size.height(), size.height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, self._option())
        painter.end()
