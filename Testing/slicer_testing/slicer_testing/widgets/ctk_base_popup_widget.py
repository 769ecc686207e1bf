"""ctkBasePopupWidget: a frame that opens beside another widget."""

from __future__ import annotations

from PySide6.QtCore import QEasingCurve, QPoint, QRect, QSize, Qt, QVariantAnimation, Signal
from PySide6.QtWidgets import QFrame, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration, integer


@slicer_widget
class ctkBasePopupWidget(QFrame):
    """A popup at its parent. It opens and closes with an effect that ends after ``effectDuration`` milliseconds."""

    WindowOpacityFadeEffect, ScrollEffect, FadeEffect = 0, 1, 2
    TopToBottom, BottomToTop = 1, 2

    popupOpened = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.ToolTip | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_AlwaysShowToolTips, True)
        self._base_widget = parent
        self._effect = self.ScrollEffect
        self._alpha = 1.0
        self._alignment = Qt.AlignmentFlag.AlignJustify | Qt.AlignmentFlag.AlignBottom
        self._orientation = Qt.Orientation.Vertical
        self._vertical = self.TopToBottom
        self._horizontal = Qt.LayoutDirection.LeftToRight
        self._open_geometry = QRect()
        self._closing = False
        self._animation = QVariantAnimation(self)
        self._animation.setDuration(333)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.valueChanged.connect(self._on_effect)
        self._animation.finished.connect(self._on_effect_finished)

    # Opening and closing

    def showPopup(self, show: bool = True) -> None:
        """Open the popup; close it for False."""
        if not show:
            self.hidePopup()
            return
        if self.isVisible() and not self._closing:
            return
        self._start(closing=False)

    def hidePopup(self) -> None:
        """Close the popup."""
        if not self.isVisible() or self._closing:
            return
        self._start(closing=True)

    def _start(self, closing: bool) -> None:
        self._closing = closing
        self._animation.stop()
        if not closing:
            self._open_geometry = self._desired_geometry()
            self._on_effect(0.0)
            self.show()
        directions = QVariantAnimation.Direction
        self._animation.setDirection(directions.Backward if closing else directions.Forward)
        self._animation.start()

    def _on_effect(self, progress: float) -> None:
        if self._effect == self.ScrollEffect:
            self.setGeometry(self._geometry_at(float(progress)))
        else:
            self.setEffectAlpha(float(progress))

    def _on_effect_finished(self) -> None:
        if self._closing:
            self._closing = False
            self._hide_all()
            self.popupOpened.emit(False)
        else:
            self.setGeometry(self._open_geometry)
            self.popupOpened.emit(True)

    def _hide_all(self) -> None:
        # A popup that is pinned into a layout stays open.
        if self.windowFlags() & Qt.WindowType.ToolTip == Qt.WindowType.ToolTip:
            self.hide()

    def _geometry_at(self, progress: float) -> QRect:
        whole = QRect(self._open_geometry)
        part = QRect(whole)
        if self._orientation & Qt.Orientation.Vertical:
            part.setHeight(max(1, round(whole.height() * progress)))
            if self._vertical == self.BottomToTop:
                part.moveBottom(whole.bottom())
        if self._orientation & Qt.Orientation.Horizontal:
            part.setWidth(max(1, round(whole.width() * progress)))
            if self._horizontal == Qt.LayoutDirection.RightToLeft:
                part.moveRight(whole.right())
        return part

    def _desired_geometry(self) -> QRect:
        created = self.testAttribute(Qt.WidgetAttribute.WA_WState_Created)
        size = QSize(self._open_geometry.size() if created and self._open_geometry.isValid() else self.sizeHint())
        base = self._base_widget
        if base is None:
            return QRect(self.pos(), size)
        anchor = QRect(base.mapToGlobal(QPoint(0, 0)), base.size())
        flag, align = Qt.AlignmentFlag, self._alignment
        if align & flag.AlignJustify and self._orientation & Qt.Orientation.Vertical:
            size.setWidth(anchor.width())
        if align & flag.AlignTop and align & flag.AlignBottom:
            size.setHeight(anchor.height())
        geometry = QRect(QPoint(0, 0), size)
        self._align_horizontally(geometry, anchor)
        self._align_vertically(geometry, anchor)
        return geometry

    def _align_horizontally(self, geometry: QRect, anchor: QRect) -> None:
        flag, align = Qt.AlignmentFlag, self._alignment
        rightwards = self._horizontal == Qt.LayoutDirection.LeftToRight
        if align & flag.AlignLeft:
            geometry.moveLeft(anchor.left()) if rightwards else geometry.moveRight(anchor.left() - 1)
        elif align & flag.AlignRight:
            geometry.moveLeft(anchor.right() + 1) if rightwards else geometry.moveRight(anchor.right())
        elif align & flag.AlignHCenter:
            geometry.moveLeft(anchor.center().x() - geometry.width() // 2)
        elif align & flag.AlignJustify:
            geometry.moveLeft(anchor.left())

    def _align_vertically(self, geometry: QRect, anchor: QRect) -> None:
        flag, align = Qt.AlignmentFlag, self._alignment
        downwards = self._vertical == self.TopToBottom
        if align & flag.AlignTop:
            geometry.moveTop(anchor.top()) if downwards else geometry.moveBottom(anchor.top() - 1)
        elif align & flag.AlignBottom:
            geometry.moveTop(anchor.bottom() + 1) if downwards else geometry.moveBottom(anchor.bottom())
        elif align & flag.AlignVCenter:
            geometry.moveTop(anchor.center().y() - geometry.height() // 2)

    # Properties

    def animationEffect(self) -> int:
        return self._effect

    def setAnimationEffect(self, effect: int) -> None:
        self._effect = integer(effect)

    def effectDuration(self) -> int:
        return self._animation.duration()

    def setEffectDuration(self, duration: int) -> None:
        self._animation.setDuration(int(duration))

    def easingCurve(self) -> QEasingCurve.Type:
        return self._animation.easingCurve().type()

    def setEasingCurve(self, curve: QEasingCurve.Type) -> None:
        self._animation.setEasingCurve(enumeration(QEasingCurve.Type, curve))

    def effectAlpha(self) -> float:
        return self._alpha

    def setEffectAlpha(self, alpha: float) -> None:
        self._alpha = alpha
        self.setWindowOpacity(alpha)

    def effectGeometry(self) -> QRect:
        return self.geometry()

    def setEffectGeometry(self, geometry: QRect) -> None:
        self.setGeometry(geometry)

    def alignment(self) -> Qt.AlignmentFlag:
        return self._alignment

    def setAlignment(self, alignment: Qt.AlignmentFlag) -> None:
        """Set the position of the popup relative to its parent."""
        self._alignment = enumeration(Qt.AlignmentFlag, alignment)

    def orientation(self) -> Qt.Orientation:
        return self._orientation

    def setOrientation(self, orientation: Qt.Orientation) -> None:
        self._orientation = enumeration(Qt.Orientation, orientation)

    def verticalDirection(self) -> int:
        return self._vertical

    def setVerticalDirection(self, direction: int) -> None:
        self._vertical = integer(direction)

    def horizontalDirection(self) -> Qt.LayoutDirection:
        return self._horizontal

    def setHorizontalDirection(self, direction: Qt.LayoutDirection) -> None:
        self._horizontal = enumeration(Qt.LayoutDirection, direction)
