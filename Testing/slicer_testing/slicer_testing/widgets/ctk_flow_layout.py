"""ctkFlowLayout: a layout that wraps its items at the available width."""

from __future__ import annotations

import math

from PySide6.QtCore import QObject, QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QStyle, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration


@slicer_widget
class ctkFlowLayout(QLayout):
    """Items beside each other, in rows or columns; with ``alignItems`` all have the size of the largest."""

    def __init__(self, *arguments: object) -> None:
        """Make a layout.

        Args:
            arguments: the orientation and the parent, both optional.
        """
        parent = next((one for one in arguments if isinstance(one, QWidget)), None)
        super().__init__() if parent is None else super().__init__(parent)
        orientation = next((one for one in arguments if one is not None and not isinstance(one, QObject)), Qt.Orientation.Horizontal)
        self._items: list[QLayoutItem] = []
        self._orientation = enumeration(Qt.Orientation, orientation)
        self._spacings = {Qt.Orientation.Horizontal: -1, Qt.Orientation.Vertical: -1}
        self._directions = Qt.Orientation.Horizontal | Qt.Orientation.Vertical
        self._align = True

    # Properties

    def orientation(self) -> Qt.Orientation:
        return self._orientation

    def setOrientation(self, orientation: Qt.Orientation) -> None:
        self._orientation = enumeration(Qt.Orientation, orientation)
        self.invalidate()

    def horizontalSpacing(self) -> int:
        return self._spacing(Qt.Orientation.Horizontal, QStyle.PixelMetric.PM_LayoutHorizontalSpacing)

    def setHorizontalSpacing(self, spacing: int) -> None:
        self._spacings[Qt.Orientation.Horizontal] = int(spacing)
        self.invalidate()

    def verticalSpacing(self) -> int:
        return self._spacing(Qt.Orientation.Vertical, QStyle.PixelMetric.PM_LayoutVerticalSpacing)

    def setVerticalSpacing(self, spacing: int) -> None:
        self._spacings[Qt.Orientation.Vertical] = int(spacing)
        self.invalidate()

    def _spacing(self, along: Qt.Orientation, metric: QStyle.PixelMetric) -> int:
        if self._spacings[along] >= 0:
            return self._spacings[along]
        parent = self.parent()
        if isinstance(parent, QWidget):
            return parent.style().pixelMetric(metric, None, parent)
        return parent.spacing() if isinstance(parent, QLayout) else -1

    def alignItems(self) -> bool:
        return self._align

    def setAlignItems(self, align: bool) -> None:
        self._align = bool(align)
        self.invalidate()

    def preferredExpandingDirections(self) -> Qt.Orientation:
        return self._directions

    def setPreferredExpandingDirections(self, directions: Qt.Orientation) -> None:
        self._directions = enumeration(Qt.Orientation, directions)

    # Qt's interface of a layout

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)
        self.invalidate()

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        if not 0 <= index < len(self._items):
            return None
        item = self._items.pop(index)
        self.invalidate()
        return item

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation.Horizontal | Qt.Orientation.Vertical

    def hasHeightForWidth(self) -> bool:
        return self._orientation == Qt.Orientation.Horizontal

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._shown():
            size = size.expandedTo(item.minimumSize())
        return size.grownBy(self.contentsMargins())

    def sizeHint(self) -> QSize:
        shown = self._shown()
        largest = self._largest(shown)
        sizes = [largest if self._align else item.sizeHint() for item in shown]
        horizontal, vertical = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        count = len(sizes)
        if not self._directions & vertical:
            columns = count
        elif not self._directions & horizontal:
            columns = 1
        else:
            columns = math.ceil(math.sqrt(count))
        rows = [sizes[start : start + columns] for start in range(0, count, columns)] if count else []
        width = max((sum(one.width() for one in row) + (len(row) - 1) * self.horizontalSpacing() for row in rows), default=0)
        height = sum(max(one.height() for one in row) for row in rows) + max(0, len(rows) - 1) * self.verticalSpacing()
        return QSize(width, height).grownBy(self.contentsMargins())

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if item.widget() is None or not item.widget().isHidden()]

    @staticmethod
    def _largest(items: list[QLayoutItem]) -> QSize:
        size = QSize(0, 0)
        for item in items:
            size = size.expandedTo(item.sizeHint())
        return size

    def _arrange(self, rect: QRect, move: bool) -> int:
        """Place the items and return the extent across the flow."""
        margins = self.contentsMargins()
        area = rect.marginsRemoved(margins)
        shown = self._shown()
        largest = self._largest(shown)
        rows = self._orientation == Qt.Orientation.Horizontal
        end = area.x() + area.width() if rows else area.y() + area.height()
        x, y, thick, reach = area.x(), area.y(), 0, 0
        for item in shown:
            size = largest if self._align else item.sizeHint()
            if rows and thick > 0 and x + size.width() > end:
                x, y, thick = area.x(), y + thick + self.verticalSpacing(), 0
            elif not rows and thick > 0 and y + size.height() > end:
                x, y, thick = x + thick + self.horizontalSpacing(), area.y(), 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), item.sizeHint()))
            if rows:
                reach, thick = max(reach, y + item.sizeHint().height()), max(thick, size.height())
                x += size.width() + self.horizontalSpacing()
            else:
                reach, thick = max(reach, x + item.sizeHint().width()), max(thick, size.width())
                y += size.height() + self.verticalSpacing()
        if not shown:
            return margins.top() + margins.bottom() if rows else margins.left() + margins.right()
        return reach - rect.y() + margins.bottom() if rows else reach - rect.x() + margins.right()
