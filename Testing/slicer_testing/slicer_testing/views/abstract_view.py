"""The base class of every rendered view: an off-screen VTK window whose picture Qt paints."""

from __future__ import annotations

import functools
import os
import sys

import numpy as np
from PySide6.QtCore import QEvent, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QShowEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkInteractionStyle import vtkInteractorStyleUser
from vtkmodules.vtkRenderingAnnotation import vtkCornerAnnotation
from vtkmodules.vtkRenderingCore import vtkInteractorObserver, vtkRenderer, vtkRenderWindow, vtkRenderWindowInteractor
from vtkmodules.vtkRenderingUI import vtkGenericRenderWindowInteractor

from slicer_testing.registry import slicer_widget
from slicer_testing.views.events import EventForwarder, cursor_shape
from slicer_testing.widgets.mrml_observation import Observations


def make_render_window() -> vtkRenderWindow:
    """Return a render window that is never shown on the screen.

    On Linux VTK would first try an X server and use its slower rendering path where there is one; EGL needs none. VTK's
    environment variable selects another implementation.
    """
    if sys.platform.startswith("linux"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    window = vtkRenderWindow()
    window.SetShowWindow(False)
    window.SetOffScreenRendering(True)
    return window


@slicer_widget
class ctkVTKAbstractView(QWidget):
    """Shows the picture of a VTK window, on every Qt platform, and passes Qt's events to VTK's interactor.

    VTK draws into a buffer and Qt paints the picture; VTK has no native window. So the same code runs without a display,
    `QWidget.grab` captures the picture, and nothing depends on the window system.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._window = make_render_window()
        self._renderer = vtkRenderer()
        self._interactor = vtkGenericRenderWindowInteractor()
        self._annotation = vtkCornerAnnotation()
        self._picture: QImage | None = None
        self._stale = True
        self._painting = False
        self._render_enabled = True
        self._pauses = 0
        self._own_cursor = False
        self._observations = Observations(self)
        self._events = EventForwarder(self._interactor)
        self._set_up_vtk()
        self._set_up_qt()
        self.destroyed.connect(functools.partial(_release, self._window, self._interactor))

    def _set_up_vtk(self) -> None:
        self._window.SetMultiSamples(0)
        self._window.SetAlphaBitPlanes(1)
        self._window.SetSize(300, 300)
        self._window.AddRenderer(self._renderer)
        self._interactor.SetRenderWindow(self._window)
        self._interactor.SetInteractorStyle(vtkInteractorStyleUser())
        # VTK's render calls become requests, so that many changes are rendered once.
        self._interactor.SetEnableRender(False)
        self._interactor.Initialize()
        self._annotation.SetMaximumLineHeight(0.07)
        self._annotation.GetTextProperty().SetFontSize(14)
        self._annotation.SetMaximumFontSize(14)
        self._annotation.ClearAllTexts()
        self._renderer.AddViewProp(self._annotation)
        self._observations.add(self._window, "EndEvent", self._on_rendered)
        self._observations.add(self._interactor, "RenderEvent", self.scheduleRender)
        self._observations.add(self._interactor, "CreateTimerEvent", self._start_interactor_timer)
        self._observations.add(self._interactor, "DestroyTimerEvent", self._stop_interactor_timer)

    def _set_up_qt(self) -> None:
        self._request = QTimer(self)
        self._request.setSingleShot(True)
        self._request.setInterval(1000 // 60)
        self._request.timeout.connect(self._on_request)
        self._interactor_timer = QTimer(self)
        self._interactor_timer.setInterval(10)
        self._interactor_timer.timeout.connect(self._interactor.TimerEvent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        # A right click zooms; without this Qt would also open a context menu of the parents.
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)

    # For modules

    def renderWindow(self) -> vtkRenderWindow:
        """Return the off-screen window."""
        return self._window

    def interactor(self) -> vtkRenderWindowInteractor:
        """Return the interactor that gets Qt's events."""
        return self._interactor

    def interactorStyle(self) -> vtkInteractorObserver:
        """Return the interactor's style; views of a scene handle events by their `interactorObserver` instead."""
        return self._interactor.GetInteractorStyle()

    def cornerAnnotation(self) -> vtkCornerAnnotation:
        """Return the texts in the corners."""
        return self._annotation

    def cornerAnnotationText(self) -> str:
        """Return the text in the lower left corner."""
        return self._annotation.GetText(vtkCornerAnnotation.LowerLeft) or ""

    def setCornerAnnotationText(self, text: str) -> None:
        """Set the text in the lower left corner, and clear the other texts."""
        self._annotation.ClearAllTexts()
        self._annotation.SetText(vtkCornerAnnotation.LowerLeft, text)
        self.scheduleRender()

    def VTKWidget(self) -> QWidget:
        """Return the widget that shows the picture: this one."""
        return self

    def scheduleRender(self) -> None:
        """Request a rendering; several requests are rendered once."""
        self._stale = True
        if self._render_enabled and not self._pauses and not self._request.isActive():
            self._request.start()

    def forceRender(self) -> None:
        """Render now, if the view is visible."""
        self._request.stop()
        self._stale = True
        if self._render_enabled and self.isVisible():
            self._render()
            self.update()

    def renderEnabled(self) -> bool:
        """Return whether the view renders; it does not while a scene is loaded or closed."""
        return self._render_enabled

    def setRenderEnabled(self, enabled: bool) -> None:
        """Stop or continue rendering."""
        self._render_enabled = bool(enabled)
        if enabled and self._stale:
            self.scheduleRender()

    def pauseRender(self) -> None:
        """Pause rendering until `resumeRender` has been called as often as `pauseRender`."""
        self._pauses += 1
        self._request.stop()

    def resumeRender(self) -> None:
        """Undo one `pauseRender`."""
        self._pauses = max(0, self._pauses - 1)
        if not self._pauses and self._stale:
            self.scheduleRender()

    def setRenderPaused(self, paused: bool) -> None:
        """Pause or resume once."""
        if paused:
            self.pauseRender()
        else:
            self.resumeRender()

    def maximumUpdateRate(self) -> float:
        """Return the maximum number of renderings per second."""
        return 1000.0 / self._request.interval()

    def setMaximumUpdateRate(self, rate: float) -> None:
        """Set the maximum number of renderings per second."""
        self._request.setInterval(round(1000.0 / rate) if rate > 0 else 0)

    def backgroundColor(self) -> QColor:
        """Return the background colour; of a gradient, the lower one."""
        return QColor.fromRgbF(*self._renderer.GetBackground())

    def setBackgroundColor(self, color: QColor) -> None:
        """Set the background colour."""
        self._renderer.SetBackground(color.redF(), color.greenF(), color.blueF())
        self.scheduleRender()

    def backgroundColor2(self) -> QColor:
        """Return the upper colour of a gradient."""
        return QColor.fromRgbF(*self._renderer.GetBackground2())

    def setBackgroundColor2(self, color: QColor) -> None:
        """Set the upper colour of a gradient."""
        self._renderer.SetBackground2(color.redF(), color.greenF(), color.blueF())
        self.scheduleRender()

    def gradientBackground(self) -> bool:
        """Return whether the background is a gradient."""
        return bool(self._renderer.GetGradientBackground())

    def setGradientBackground(self, enabled: bool) -> None:
        """Switch the gradient of the background on or off."""
        self._renderer.SetGradientBackground(bool(enabled))
        self.scheduleRender()

    def useDepthPeeling(self) -> bool:
        """Return whether translucent surfaces are sorted by depth."""
        return bool(self._renderer.GetUseDepthPeeling())

    def setUseDepthPeeling(self, enabled: bool) -> None:
        """Sort translucent surfaces by depth."""
        self._renderer.SetUseDepthPeeling(bool(enabled))
        self.scheduleRender()

    # Qt's side

    def sizeHint(self) -> QSize:
        """Return the preferred size."""
        return QSize(300, 300)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size of a view."""
        return QSize(50, 50)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Resize VTK's window to the size of the widget."""
        super().resizeEvent(event)
        self._fit_window()

    def showEvent(self, event: QShowEvent) -> None:
        """Render, if that was requested while the view was hidden."""
        super().showEvent(event)
        self._fit_window()
        if self._stale:
            self.scheduleRender()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the last picture; render first if it is out of date."""
        if self._stale and self._render_enabled and not self._pauses:
            self._painting = True
            try:
                self._render()
            finally:
                self._painting = False
        if self._picture is None:
            self._picture = self._capture()
        painter = QPainter(self)
        painter.drawImage(self.rect(), self._picture)
        painter.end()

    def event(self, event: QEvent) -> bool:
        """Pass the mouse, wheel and key events to the interactor; other events are left to Qt."""
        kind = event.type()
        # Qt sends mouse events to this function even if the widget is disabled.
        if self.isEnabled():
            if isinstance(event, QMouseEvent) and kind != QEvent.Type.NonClientAreaMouseMove:
                if kind == QEvent.Type.MouseButtonPress:
                    self.setFocus(Qt.FocusReason.MouseFocusReason)
                self._events.mouse(event, self._window.GetSize()[1], self.devicePixelRatioF())
                if not self._own_cursor:
                    self.setCursor(cursor_shape(self._window))
                event.accept()
                return True
            if isinstance(event, QWheelEvent):
                self._events.wheel(event, self._window.GetSize()[1], self.devicePixelRatioF())
                event.accept()
                return True
            if isinstance(event, QKeyEvent) and kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                self._events.key(event)
                return super().event(event)
            if kind in (QEvent.Type.Enter, QEvent.Type.Leave):
                self._events.crossing(kind == QEvent.Type.Enter)
        return super().event(event)

    # Rendering

    def _fit_window(self) -> None:
        ratio = self.devicePixelRatioF()
        size = (max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
        if tuple(self._window.GetSize()) == size:
            return
        self._window.SetSize(*size)
        self._interactor.SetSize(*size)
        self._interactor.InvokeEvent("ConfigureEvent")
        self._picture = None
        self._on_size_changed(QSize(*size))
        self.scheduleRender()

    def _on_size_changed(self, size: QSize) -> None:
        """Respond to a new size in device pixels."""

    def _on_request(self) -> None:
        if self._stale and self.isVisible():
            # Painting renders; Qt does not paint what is invisible.
            self.update()

    def _render(self) -> None:
        self._stale = False
        self._window.Render()

    def _on_rendered(self) -> None:
        """Respond to a rendering of the window."""
        self._picture = None
        if not self._painting:
            self.update()

    def _capture(self) -> QImage:
        """Return the content of the window's buffer as a picture."""
        width, height = self._window.GetSize()
        if self._window.GetNeverRendered():
            empty = QImage(width, height, QImage.Format.Format_RGB32)
            empty.fill(self.backgroundColor())
            return empty
        pixels = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels)
        rows = np.ascontiguousarray(vtk_to_numpy(pixels).reshape(height, width, 4)[::-1])
        # Copied, since the picture must not refer to the buffer.
        return QImage(rows.data, width, height, 4 * width, QImage.Format.Format_RGBX8888).copy()

    def _current_picture(self) -> QImage:
        """Return an up-to-date picture, whether the view is visible or not."""
        self._fit_window()
        self._painting = True
        try:
            self._render()
        finally:
            self._painting = False
        self._picture = self._capture()
        self.update()
        return self._picture.copy()

    def _start_interactor_timer(self) -> None:
        self._interactor_timer.start()

    def _stop_interactor_timer(self) -> None:
        self._interactor_timer.stop()


def _release(window: vtkRenderWindow, interactor: vtkRenderWindowInteractor, _gone: object = None) -> None:
    """Free the graphics memory of a view that Qt has deleted."""
    interactor.Disable()
    window.Finalize()
