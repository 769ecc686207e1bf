"""ctkCollapsibleButton: a button that shows and hides its contents."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QAbstractButton, QFrame, QSizePolicy, QStyle, QStyleOption, QStyleOptionButton, QStyleOptionFrame, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_collapsible_children import CollapsibleChildren
from slicer_testing.widgets.ctk_values import enumeration

_ALIGN = Qt.AlignmentFlag


@slicer_widget
class ctkCollapsibleButton(CollapsibleChildren, QAbstractButton):
    """A section of a panel with a title. It is checked while it is open."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: object) -> None:
        """Make a section.

        Args:
            arguments: the title, which is optional, and the parent.
        """
        QAbstractButton.__init__(self, next((one for one in arguments if isinstance(one, QWidget)), None))
        self._collapsed = False
        self._flat = False
        self._collapsed_height = 14
        self._frame_shape, self._frame_shadow = QFrame.Shape.NoFrame, QFrame.Shadow.Plain
        self._line_width, self._mid_line_width = 1, 0
        self._text_alignment = self._indicator_alignment = _ALIGN.AlignLeft | _ALIGN.AlignVCenter
        self._open_maximum_height = self.maximumHeight()
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Preferred)
        self.setContentsMargins(0, self._button_size().height(), 0, 0)
        self.setBackgroundRole(QPalette.ColorRole.Window)
        self.toggled.connect(self._on_toggled)
        title = next((one for one in arguments if isinstance(one, str)), "")
        if title:
            self.setText(title)

    # Collapsing

    def collapsed(self) -> bool:
        return self._collapsed

    def setCollapsed(self, collapsed: bool) -> None:
        """Hide or show the contents."""
        if self.isCheckable():
            self.setChecked(not collapsed)
        else:
            self._collapse(bool(collapsed))

    def collapsedHeight(self) -> int:
        return self._collapsed_height

    def setCollapsedHeight(self, height: int) -> None:
        """Set the height that remains below the button when it is closed."""
        self._collapsed_height = int(height)
        self.updateGeometry()

    def _is_collapsed(self) -> bool:
        return self._collapsed

    def _on_toggled(self, checked: bool) -> None:
        if self.isCheckable():
            self._collapse(not checked)

    def _collapse(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        if collapsed:
            self._open_maximum_height = self.maximumHeight()
            self.setMaximumHeight(self.sizeHint().height())
        else:
            self.setMaximumHeight(self._open_maximum_height)
            self.updateGeometry()
        self._update_children()
        parent = self.parentWidget()
        if not collapsed and (parent is None or parent.layout() is None):
            self.resize(self.sizeHint())
        else:
            self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    # Properties

    def isFlat(self) -> bool:
        return self._flat

    def setFlat(self, flat: bool) -> None:
        self._flat = bool(flat)
        self.update()

    def contentsFrameShape(self) -> QFrame.Shape:
        return self._frame_shape

    def setContentsFrameShape(self, shape: QFrame.Shape) -> None:
        self._frame_shape = enumeration(QFrame.Shape, shape)
        self.update()

    def contentsFrameShadow(self) -> QFrame.Shadow:
        return self._frame_shadow

    def setContentsFrameShadow(self, shadow: QFrame.Shadow) -> None:
        self._frame_shadow = enumeration(QFrame.Shadow, shadow)
        self.update()

    def contentsLineWidth(self) -> int:
        return self._line_width

    def setContentsLineWidth(self, width: int) -> None:
        self._line_width = int(width)
        self.update()

    def contentsMidLineWidth(self) -> int:
        return self._mid_line_width

    def setContentsMidLineWidth(self, width: int) -> None:
        self._mid_line_width = int(width)
        self.update()

    def buttonTextAlignment(self) -> Qt.AlignmentFlag:
        return self._text_alignment

    def setButtonTextAlignment(self, alignment: Qt.AlignmentFlag) -> None:
        self._text_alignment = enumeration(Qt.AlignmentFlag, alignment)
        self.update()

    def indicatorAlignment(self) -> Qt.AlignmentFlag:
        return self._indicator_alignment

    def setIndicatorAlignment(self, alignment: Qt.AlignmentFlag) -> None:
        self._indicator_alignment = enumeration(Qt.AlignmentFlag, alignment)
        self.update()

    # Geometry

    def _indicator_size(self) -> QSize:
        metric = QStyle.PixelMetric
        return QSize(
            self.style().pixelMetric(metric.PM_IndicatorWidth, None, self), self.style().pixelMetric(metric.PM_IndicatorHeight, None, self)
        )

    def _spacing(self) -> int:
        return self.style().pixelMetric(QStyle.PixelMetric.PM_CheckBoxLabelSpacing, None, self)

    def _button_size(self) -> QSize:
        indicator = self._indicator_size()
        text = self.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, self.text() or "XXXX")
        width = indicator.width() + self._spacing() + (text.width() if self.text() else 0)
        option = QStyleOptionButton()
        option.initFrom(self)
        content = QSize(width, max(indicator.height(), text.height()))
        return self.style().sizeFromContents(QStyle.ContentsType.CT_PushButton, option, content, self)

    def sizeHint(self) -> QSize:
        button = self._button_size()
        closed = button + QSize(0, self._collapsed_height)
        return closed if self._collapsed else super().sizeHint().expandedTo(closed)

    def minimumSizeHint(self) -> QSize:
        button = self._button_size()
        if self._collapsed:
            return button + QSize(0, self._collapsed_height)
        return button if self.layout() is None else super().minimumSizeHint().expandedTo(button)

    def hitButton(self, point: QPoint) -> bool:
        # The option owns its rectangle, so it must be kept as long as the rectangle.
        option = self._option()
        return option.rect.contains(point)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.setContentsMargins(0, self._button_size().height(), 0, 0)
            if self._collapsed:
                self.setMaximumHeight(self.sizeHint().height())
        return super().event(event)

    # Painting

    def _option(self) -> QStyleOptionButton:
        option = QStyleOptionButton()
        option.initFrom(self)
        option.state |= QStyle.StateFlag.State_Sunken if self.isDown() else QStyle.StateFlag.State_Raised
        if self._flat:
            option.features |= QStyleOptionButton.ButtonFeature.Flat
        option.text = self.text()
        option.iconSize = self._indicator_size()
        rect = QRect(option.rect)
        rect.setHeight(self._button_size().height())
        option.rect = rect
        return option

    def _indicator_rect(self, button: QRect, text_width: int) -> QRect:
        size = self._indicator_size()
        side = (button.height() - size.width()) // 2
        rect = QRect(QPoint(side, (button.height() - size.height()) // 2), size)
        if self._indicator_alignment & _ALIGN.AlignHCenter:
            with_text = bool(self.text()) and bool(self._text_alignment & _ALIGN.AlignHCenter)
            rect.moveLeft(button.center().x() - (size.width() + (text_width + self._spacing() if with_text else 0)) // 2)
        elif self._indicator_alignment & _ALIGN.AlignRight:
            rect.moveLeft(button.width() - side - size.width())
        return rect

    def _text_rect(self, button: QRect, indicator: QRect, text_width: int) -> QRect:
        rect, margin = QRect(button), self.style().pixelMetric(QStyle.PixelMetric.PM_ButtonMargin, None, self)
        if self._text_alignment & _ALIGN.AlignHCenter:
            left = button.center().x() - text_width // 2
            if self._indicator_alignment & _ALIGN.AlignHCenter:
                left = indicator.right() + self._spacing()
            elif self._indicator_alignment & _ALIGN.AlignLeft:
                left = max(left, indicator.right() + self._spacing())
        elif self._text_alignment & _ALIGN.AlignRight:
            left = button.right() - margin - text_width
            if self._indicator_alignment & _ALIGN.AlignRight:
                left = indicator.left() - self._spacing() - text_width
        else:
            left = button.x() + margin
            if self._indicator_alignment & _ALIGN.AlignLeft:
                left = indicator.right() + self._spacing()
        rect.setLeft(left)
        return rect

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        style, option = self.style(), self._option()
        mouse_over = QStyle.StateFlag.State_MouseOver
        if option.state & mouse_over and not option.rect.contains(self.mapFromGlobal(self.cursor().pos())):
            option.state &= ~mouse_over  # the mouse is over the contents, not over the button
        style.drawControl(QStyle.ControlElement.CE_PushButtonBevel, option, painter, self)
        shortcut = style.styleHint(QStyle.StyleHint.SH_UnderlineShortcut, option, self)
        flags = Qt.TextFlag.TextShowMnemonic if shortcut else Qt.TextFlag.TextHideMnemonic
        text_width = option.fontMetrics.size(flags, self.text()).width()
        arrow = QStyleOption()
        arrow.initFrom(self)
        arrow.rect = self._indicator_rect(option.rect, text_width)
        primitive = QStyle.PrimitiveElement
        style.drawPrimitive(primitive.PE_IndicatorArrowDown if self._collapsed else primitive.PE_IndicatorArrowUp, arrow, painter, self)
        alignment = flags.value | _ALIGN.AlignLeft.value | _ALIGN.AlignVCenter.value
        text_rect = self._text_rect(option.rect, arrow.rect, text_width)
        style.drawItemText(painter, text_rect, alignment, self.palette(), self.isEnabled(), self.text(), QPalette.ColorRole.ButtonText)
        self._draw_frame(painter, option.rect.height())
        painter.end()

    def _draw_frame(self, painter: QPainter, top: int) -> None:
        option = QStyleOptionFrame()
        option.initFrom(self)
        rect = QRect(self.rect())
        rect.setTop(top)
        option.rect = rect
        option.frameShape = self._frame_shape
        states = {QFrame.Shadow.Sunken: QStyle.StateFlag.State_Sunken, QFrame.Shadow.Raised: QStyle.StateFlag.State_Raised}
        if self._frame_shadow in states:
            option.state |= states[self._frame_shadow]
        option.lineWidth, option.midLineWidth = self._line_width, self._mid_line_width
        self.style().drawControl(QStyle.ControlElement.CE_ShapedFrame, option, painter, self)
