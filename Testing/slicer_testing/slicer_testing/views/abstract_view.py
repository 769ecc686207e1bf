"""The widget below every rendered view: an off-screen VTK window whose picture Qt paints."""

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
    """A window that never comes to the screen.

    On Linux VTK would first look for an X server, and draw through its slower path where there is one; EGL needs none. Whoever wants
    another implementation says so with VTK's own environment variable.
    """
    if sys.platform.startswith("linux"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    window = vtkRenderWindow()
    window.SetShowWindow(False)
    window.SetOffScreenRendering(True)
    return window


@slicer_widget
class ctkVTKAbstractView(QWidget):
    """Shows what a VTK window renders, on every Qt platform, and hands Qt's events to VTK's interactor.

    VTK draws into a buffer and Qt paints the picture, instead of giving VTK a native window of its own. So the same code runs without
    a display, `QWidget.grab` sees the picture, and there is nothing that depends on the window system.

    Args:
        parent: widget that this one lies in.
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
        # VTK's own wish to render becomes a request, so that many changes make one picture.
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
        # A right click zooms; without this Qt would ask the parents for a menu as well.
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)

    # What modules use

    def renderWindow(self) -> vtkRenderWindow:
        """The off-screen window."""
        return self._window

    def interactor(self) -> vtkRenderWindowInteractor:
        """The interactor that Qt's events go to."""
        return self._interactor

    def interactorStyle(self) -> vtkInteractorObserver:
        """The interactor's style; views of a scene handle events by their `interactorObserver` instead."""
        return self._interactor.GetInteractorStyle()

    def cornerAnnotation(self) -> vtkCornerAnnotation:
        """The texts in the corners."""
        return self._annotation

    def cornerAnnotationText(self) -> str:
        """Text in the lower left corner."""
        return self._annotation.GetText(vtkCornerAnnotation.LowerLeft) or ""

    def setCornerAnnotationText(self, text: str) -> None:
        """Set the text in the lower left corner, and empty the others."""
        self._annotation.ClearAllTexts()
        self._annotation.SetText(vtkCornerAnnotation.LowerLeft, text)
        self.scheduleRender()

    def VTKWidget(self) -> QWidget:
        """The widget that shows the picture; here there is none below this one."""
        return self

    def scheduleRender(self) -> None:
        """Ask for a picture soon; many requests make one picture."""
        self._stale = True
        if self._render_enabled and not self._pauses and not self._request.isActive():
            self._request.start()

    def forceRender(self) -> None:
        """Render now, if the view can be seen."""
        self._request.stop()
        self._stale = True
        if self._render_enabled and self.isVisible():
            self._render()
            self.update()

    def renderEnabled(self) -> bool:
        """Whether the view renders at all; while a scene changes as a whole it does not."""
        return self._render_enabled

    def setRenderEnabled(self, enabled: bool) -> None:
        """Stop rendering, or go on with it."""
        self._render_enabled = bool(enabled)
        if enabled and self._stale:
            self.scheduleRender()

    def pauseRender(self) -> None:
        """Hold requests back until as many calls of `resumeRender`."""
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
        """Pictures a second at most."""
        return 1000.0 / self._request.interval()

    def setMaximumUpdateRate(self, rate: float) -> None:
        """Limit the number of pictures a second."""
        self._request.setInterval(round(1000.0 / rate) if rate > 0 else 0)

    def backgroundColor(self) -> QColor:
        """Colour behind everything; the lower one of a gradient."""
        return QColor.fromRgbF(*self._renderer.GetBackground())

    def setBackgroundColor(self, color: QColor) -> None:
        """Set the colour behind everything."""
        self._renderer.SetBackground(color.redF(), color.greenF(), color.blueF())
        self.scheduleRender()

    def backgroundColor2(self) -> QColor:
        """Upper colour of a gradient."""
        return QColor.fromRgbF(*self._renderer.GetBackground2())

    def setBackgroundColor2(self, color: QColor) -> None:
        """Set the upper colour of a gradient."""
        self._renderer.SetBackground2(color.redF(), color.greenF(), color.blueF())
        self.scheduleRender()

    def gradientBackground(self) -> bool:
        """Whether the background goes from one colour to another."""
        return bool(self._renderer.GetGradientBackground())

    def setGradientBackground(self, enabled: bool) -> None:
        """Let the background go from one colour to another."""
        self._renderer.SetGradientBackground(bool(enabled))
        self.scheduleRender()

    def useDepthPeeling(self) -> bool:
        """Whether translucent surfaces are drawn in the right order."""
        return bool(self._renderer.GetUseDepthPeeling())

    def setUseDepthPeeling(self, enabled: bool) -> None:
        """Draw translucent surfaces in the right order."""
        self._renderer.SetUseDepthPeeling(bool(enabled))
        self.scheduleRender()

    # Qt's side

    def sizeHint(self) -> QSize:
        """A size that shows something."""
        return QSize(300, 300)

    def minimumSizeHint(self) -> QSize:
        """Views can be made small, but do not vanish."""
        return QSize(50, 50)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give VTK's window as many pixels as the widget has."""
        super().resizeEvent(event)
        self._fit_window()

    def showEvent(self, event: QShowEvent) -> None:
        """Requests that came while the view was hidden are met now."""
        super().showEvent(event)
        self._fit_window()
        if self._stale:
            self.scheduleRender()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the last picture; render first if it is out of date."""
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
        """Pass on what the interactor wants to know; the rest goes its way in Qt."""
        kind = event.type()
        # A disabled widget keeps its picture but takes no input, and Qt sends mouse events to this function all the same.
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
        """Called with the size in device pixels."""

    def _on_request(self) -> None:
        if self._stale and self.isVisible():
            # Painting renders; Qt leaves out what cannot be seen.
            self.update()

    def _render(self) -> None:
        self._stale = False
        self._window.Render()

    def _on_rendered(self) -> None:
        """The window was rendered by whomever."""
        self._picture = None
        if not self._painting:
            self.update()

    def _capture(self) -> QImage:
        """What is in the window's buffer now."""
        width, height = self._window.GetSize()
        if self._window.GetNeverRendered():
            empty = QImage(width, height, QImage.Format.Format_RGB32)
            empty.fill(self.backgroundColor())
            return empty
        pixels = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels)
        rows = np.ascontiguousarray(vtk_to_numpy(pixels).reshape(height, width, 4)[::-1])
        # Copied, since the picture must not outlive the memory that it was made from.
        return QImage(rows.data, width, height, 4 * width, QImage.Format.Format_RGBX8888).copy()

    def _current_picture(self) -> QImage:
        """An up-to-date picture, whether the view can be seen or not."""
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
