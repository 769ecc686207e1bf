"""ctkExpandableWidget and ctkSizeGrip: a frame that the user can resize."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration

_BOTH = Qt.Orientation.Horizontal | Qt.Orientation.Vertical
_THICKNESS = 13


@slicer_widget
class ctkSizeGrip(QWidget):
    """A handle that changes the size of a widget, or only a size hint."""

    widgetSizeHintChanged = Signal(QSize)

    def __init__(self, *parents: QWidget | None) -> None:
        """Make a handle.

        Args:
            parents: the widget to resize and the parent; a single argument is both.
        """
        super().__init__(parents[-1] if parents else None)
        self._target = parents[0] if parents else None
        self._orientations = _BOTH
        self._resize_widget = True
        self._hint = QSize()
        self._pressed_at: QPoint | None = None
        self._start_size = QSize()
        self._set_cursor()

    def orientations(self) -> Qt.Orientation:
        return self._orientations

    def setOrientations(self, orientations: Qt.Orientation) -> None:
        self._orientations = enumeration(Qt.Orientation, orientations)
        self._set_cursor()
        self.update()

    def resizeWidget(self) -> bool:
        return self._resize_widget

    def setResizeWidget(self, resize: bool) -> None:
        """Resize the widget itself, or only report the size."""
        self._resize_widget = bool(resize)

    def widgetSizeHint(self) -> QSize:
        return QSize(self._hint)

    def setWidgetSizeHint(self, hint: QSize) -> None:
        """Set the size that the widget should have."""
        if hint != self._hint:
            self._hint = QSize(hint)
            self.widgetSizeHintChanged.emit(QSize(hint))
            if self._resize_widget and self._target is not None:
                self._target.resize(self._hint)

    def sizeHint(self) -> QSize:
        return QSize(_THICKNESS, _THICKNESS)

    def _set_cursor(self) -> None:
        shape = Qt.CursorShape
        shapes = {Qt.Orientation.Horizontal: shape.SizeHorCursor, Qt.Orientation.Vertical: shape.SizeVerCursor}
        self.setCursor(shapes.get(self._orientations, shape.SizeFDiagCursor))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._target is not None and event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = event.globalPosition().toPoint()
            self._start_size = self._target.size()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed_at is None:
            return
        way = event.globalPosition().toPoint() - self._pressed_at
        hint = QSize(self._hint)
        if self._orientations & Qt.Orientation.Horizontal:
            hint.setWidth(max(0, self._start_size.width() + way.x()))
        if self._orientations & Qt.Orientation.Vertical:
            hint.setHeight(max(0, self._start_size.height() + way.y()))
        self.setWidgetSizeHint(hint)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setWidgetSizeHint(QSize())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().mid().color())
        middle = self.rect().center()
        for shift in (-3, 0, 3):
            if self._orientations == Qt.Orientation.Vertical:
                painter.drawLine(middle.x() - 8, middle.y() + shift, middle.x() + 8, middle.y() + shift)
            elif self._orientations == Qt.Orientation.Horizontal:
                painter.drawLine(middle.x() + shift, middle.y() - 8, middle.x() + shift, middle.y() + 8)
            else:
                corner = self.rect().bottomRight()
                length = 6 + shift
                painter.drawLine(corner.x() - length, corner.y(), corner.x(), corner.y() - length)
        painter.end()


@slicer_widget
class ctkExpandableWidget(QFrame):
    """A frame with a handle at its lower right, or along its edge for one orientation."""

    # Events may still arrive while Qt destroys the object, when its own attributes no longer exist.
    _grip: ctkSizeGrip | None = None
    _inside = True

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._margins = QSize(0, 0)
        self._grip = ctkSizeGrip(self, self)
        self._grip.setResizeWidget(False)
        self._grip.widgetSizeHintChanged.connect(self.updateSizeHint)
        self._place_grip()

    def orientations(self) -> Qt.Orientation:
        return self._grip.orientations()

    def setOrientations(self, orientations: Qt.Orientation) -> None:
        self._grip.setOrientations(orientations)
        self.updateSizeHint()

    def isSizeGripInside(self) -> bool:
        return self._inside

    def setSizeGripInside(self, inside: bool) -> None:
        """Show the handle over the contents, or beside them."""
        self._inside = bool(inside)
        self.updateSizeHint()

    def sizeGripMargins(self) -> QSize:
        return self._margins

    def setSizeGripMargins(self, margins: QSize) -> None:
        self._margins = QSize(margins)
        self.updateSizeHint()

    def updateSizeHint(self) -> None:
        """Update the size hint from the handle."""
        self._place_grip()
        self.updateGeometry()

    def _place_grip(self) -> None:
        if self._grip is None:
            return
        hint, along = self._grip.sizeHint(), self._grip.orientations()
        right = hint.width() if along == Qt.Orientation.Horizontal and not self._inside else 0
        bottom = hint.height() if along == Qt.Orientation.Vertical and not self._inside else 0
        self.setContentsMargins(0, 0, right, bottom)
        width = self.width() if along == Qt.Orientation.Vertical else hint.width()
        height = self.height() if along == Qt.Orientation.Horizontal else hint.height()
        left = self.width() - width - self._margins.width()
        self._grip.setGeometry(left, self.height() - height - self._margins.height(), width, height)
        self._grip.raise_()

    def _hint(self, hint: QSize) -> QSize:
        if self._grip is None:
            return hint
        wanted = self._grip.widgetSizeHint()
        if wanted.width() >= 0:
            hint.setWidth(wanted.width())
        if wanted.height() >= 0:
            hint.setHeight(wanted.height())
        margins = self.contentsMargins()
        return hint.expandedTo(self._grip.sizeHint() + self._margins + QSize(margins.right(), margins.bottom()))

    def sizeHint(self) -> QSize:
        return self._hint(super().sizeHint())

    def minimumSizeHint(self) -> QSize:
        return self._hint(super().minimumSizeHint())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_grip()

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.ChildPolished and self._inside and self._grip is not None:
            self._grip.raise_()
        return done
