"""ctkPopupWidget: a popup that opens and closes by the mouse."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_base_popup_widget import ctkBasePopupWidget


@slicer_widget
class ctkPopupWidget(ctkBasePopupWidget):
    """A popup that opens while the mouse is over its parent and closes when it leaves."""

    # Events may still arrive while Qt destroys the object, when its own attributes no longer exist.
    _base_widget: QWidget | None = None
    _timer: QTimer | None = None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._active = self._pinned = False
        self._auto_show = self._auto_hide = True
        self._show_delay, self._hide_delay = 20, 200
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._update_popup)
        self.setActive(True)

    def isActive(self) -> bool:
        return self._active

    def setActive(self, active: bool) -> None:
        """Switch opening and closing by the mouse on or off."""
        if bool(active) == self._active:
            return
        self._active = bool(active)
        if self._base_widget is not None:
            if self._active:
                self._base_widget.installEventFilter(self)
            else:
                self._base_widget.removeEventFilter(self)

    def autoShow(self) -> bool:
        return self._auto_show

    def setAutoShow(self, auto: bool) -> None:
        self._auto_show = bool(auto)
        self._timer.start(self._show_delay)

    def autoHide(self) -> bool:
        return self._auto_hide

    def setAutoHide(self, auto: bool) -> None:
        self._auto_hide = bool(auto)
        self._timer.start(self._hide_delay)

    def showDelay(self) -> int:
        return self._show_delay

    def setShowDelay(self, delay: int) -> None:
        self._show_delay = int(delay)

    def hideDelay(self) -> int:
        return self._hide_delay

    def setHideDelay(self, delay: int) -> None:
        self._hide_delay = int(delay)

    def pinPopup(self, pin: bool) -> None:
        """Keep the popup open, or close it and let it follow the mouse again."""
        self._pinned = bool(pin)
        if pin:
            self.showPopup()
        else:
            self.hidePopup()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self._timer is not None and watched is self._base_widget:
            kind = event.type()
            if kind == QEvent.Type.Enter:
                self._timer.start(self._show_delay)
            elif kind == QEvent.Type.Leave:
                self._timer.start(self._hide_delay)
            elif kind in (QEvent.Type.Hide, QEvent.Type.Close):
                self._animation.stop()
                self._hide_all()
            elif kind in (QEvent.Type.Move, QEvent.Type.Resize) and self.isVisible():
                self._open_geometry = self._desired_geometry()
                self.setGeometry(self._open_geometry)
        return super().eventFilter(watched, event)

    def enterEvent(self, event: QEnterEvent) -> None:
        if self._timer is not None:
            self._timer.start(self._show_delay)
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        if self._timer is not None:
            self._timer.start(self._hide_delay)
        super().leaveEvent(event)

    def _mouse_is_over(self) -> bool:
        return any(one is not None and one.isVisible() and one.underMouse() for one in (self, self._base_widget))

    def _update_popup(self) -> None:
        if self._pinned or not self._active:
            return
        over = self._mouse_is_over()
        if over and self._auto_show and self._base_widget is not None and self._base_widget.isEnabled():
            self.showPopup()
        elif not over and self._auto_hide:
            self.hidePopup()
