"""ctkCheckBox: a check box with an icon instead of the mark."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QIcon, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QStyle, QStyleOptionButton, QStylePainter, QWidget

from slicer_testing.registry import slicer_widget


@slicer_widget
class ctkCheckBox(QCheckBox):
    """A check box that shows ``indicatorIcon`` on or off, if it has one."""

    def __init__(self, *arguments: object) -> None:
        """Make a check box.

        Args:
            arguments: the text, which is optional, and the parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self.setText(next((one for one in arguments if isinstance(one, str)), ""))
        self._icon = QIcon()
        self._icon_size = QSize()

    def indicatorIcon(self) -> QIcon:
        return self._icon

    def setIndicatorIcon(self, icon: QIcon) -> None:
        self._icon = icon
        self.update()
        self.updateGeometry()

    def indicatorIconSize(self) -> QSize:
        if self._icon_size.isValid():
            return self._icon_size
        metric = QStyle.PixelMetric
        return QSize(
            self.style().pixelMetric(metric.PM_IndicatorWidth, None, self), self.style().pixelMetric(metric.PM_IndicatorHeight, None, self)
        )

    def setIndicatorIconSize(self, size: QSize) -> None:
        self._icon_size = size
        self.update()
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return hint if self._icon.isNull() else hint.expandedTo(self.indicatorIconSize())

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._icon.isNull():
            super().paintEvent(event)
            return
        painter = QStylePainter(self)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        size = self.indicatorIconSize()
        rect = QRect(QPoint(0, (self.height() - size.height()) // 2), size)
        mode = QIcon.Mode.Normal if self.isEnabled() else QIcon.Mode.Disabled
        state = QIcon.State.On if self.isChecked() else QIcon.State.Off
        painter.drawPixmap(rect, self._icon.pixmap(size, mode, state))
        label = QRect(self.rect())
        label.setLeft(rect.right() + self.style().pixelMetric(QStyle.PixelMetric.PM_CheckBoxLabelSpacing, None, self))
        option.rect = label
        painter.drawControl(QStyle.ControlElement.CE_CheckBoxLabel, option)
        painter.end()
