"""ctkThumbnailLabel: a picture with a text that can be selected."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration

_ALIGN = Qt.AlignmentFlag


@slicer_widget
class ctkThumbnailLabel(QWidget):
    """A picture that is scaled to the widget with its aspect ratio. A click selects it.

    ``selected`` is a property and a signal in the application; here it is the signal, ``isSelected`` and ``setSelected`` are the property.
    """

    selected = Signal(object)
    doubleClicked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text_position = _ALIGN.AlignTop | _ALIGN.AlignHCenter
        self._is_selected = False
        self._selected_color = self.palette().color(QPalette.ColorRole.Highlight)
        self._pixmap = QPixmap()
        self._mode = Qt.TransformationMode.FastTransformation
        self._text_label = QLabel(self)
        self._text_label.setObjectName("TextLabel")
        self._text_label.hide()
        self._pixmap_label = QLabel(self)
        self._pixmap_label.setObjectName("PixmapLabel")
        self._pixmap_label.setAlignment(_ALIGN.AlignCenter)
        self._pixmap_label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        layout = QGridLayout(self)
        layout.setSizeConstraint(QGridLayout.SizeConstraint.SetNoConstraint)
        layout.addWidget(self._pixmap_label, 1, 1)
        layout.setRowStretch(1, 1)
        layout.setColumnStretch(1, 1)
        self.setTextPosition(self._text_position)

    def text(self) -> str:
        return self._text_label.text()

    def setText(self, text: str) -> None:
        self._text_label.setText(text)
        self._text_label.setVisible(bool(text) and self._cell() != (1, 1))

    def textPosition(self) -> Qt.AlignmentFlag:
        return self._text_position

    def setTextPosition(self, position: Qt.AlignmentFlag) -> None:
        """Set the side of the picture that the text is on; the centre hides it."""
        self._text_position = enumeration(Qt.AlignmentFlag, position)
        self.layout().removeWidget(self._text_label)
        row, column = self._cell()
        if (row, column) != (1, 1):
            self.layout().addWidget(self._text_label, row, column, _ALIGN.AlignCenter)
        self.setText(self.text())

    def _cell(self) -> tuple[int, int]:
        position = self._text_position
        row = 0 if position & _ALIGN.AlignTop else 2 if position & _ALIGN.AlignBottom else 1
        column = 0 if position & _ALIGN.AlignLeft else 2 if position & _ALIGN.AlignRight else 1
        return row, column

    def pixmap(self) -> QPixmap | None:
        """Return the picture in its original size; None if there is none."""
        return None if self._pixmap.isNull() else self._pixmap

    def setPixmap(self, pixmap: QPixmap) -> None:
        self._pixmap = pixmap
        self._fit()
        self.updateGeometry()

    def pixmapLabel(self) -> QLabel:
        """Return the label that shows the picture."""
        return self._pixmap_label

    def transformationMode(self) -> Qt.TransformationMode:
        return self._mode

    def setTransformationMode(self, mode: Qt.TransformationMode) -> None:
        self._mode = enumeration(Qt.TransformationMode, mode)
        self._fit()

    def isSelected(self) -> bool:
        return self._is_selected

    def setSelected(self, selected: bool) -> None:
        self._is_selected = bool(selected)
        self.update()

    def selectedColor(self) -> QColor:
        return QColor(self._selected_color)

    def setSelectedColor(self, color: QColor) -> None:
        self._selected_color = QColor(color)
        self.update()

    def _fit(self) -> None:
        if self._pixmap.isNull():
            self._pixmap_label.setPixmap(QPixmap())
            return
        keep = Qt.AspectRatioMode.KeepAspectRatio
        self._pixmap_label.setPixmap(self._pixmap.scaled(self._pixmap_label.size(), keep, self._mode))

    def sizeHint(self) -> QSize:
        return super().sizeHint() if self._pixmap.isNull() else self._pixmap.size()

    def minimumSizeHint(self) -> QSize:
        return self._text_label.minimumSizeHint() if self._text_label.isVisibleTo(self) else QSize()

    def heightForWidth(self, width: int) -> int:
        if self._pixmap.isNull() or not self._pixmap.width():
            return super().heightForWidth(width)
        return int(self._pixmap.height() / self._pixmap.width() * width + 0.5)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self.setSelected(True)
        self.selected.emit(self)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        super().mouseDoubleClickEvent(event)
        self.doubleClicked.emit(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._is_selected and self._selected_color.isValid():
            painter = QPainter(self)
            painter.setPen(QPen(self._selected_color, 7))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
            painter.end()
