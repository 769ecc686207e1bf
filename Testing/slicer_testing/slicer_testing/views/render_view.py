"""Camera movements of a 3D view, with the names of CTK."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.views.abstract_view import ctkVTKAbstractView

AXIS_DIRECTIONS = {1: (-1, 0, 0), 2: (1, 0, 0), 3: (0, -1, 0), 4: (0, 1, 0), 5: (0, 0, -1), 6: (0, 0, 1)}
"""Directions of ctkAxesWidget's axes: Left and Right are x, Posterior and Anterior y, Inferior and Superior z (0 is none)."""


@slicer_widget
class ctkVTKRenderView(ctkVTKAbstractView):
    """A view with one camera that can rotate, zoom and spin.

    Args:
        parent: parent widget.
    """

    PitchUp, PitchDown = 0, 1
    RollRight, RollLeft = 0, 1
    YawLeft, YawRight = 0, 1

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pitch_direction, self._roll_direction, self._yaw_direction = self.PitchUp, self.RollRight, self.YawLeft
        self._increment = 5.0
        self._zoom_factor = 0.05
        self._spin_increment = 2.0
        self._spin_direction = self.YawLeft
        self._animation = QTimer(self)
        self._animation.setInterval(5)
        self._animation.timeout.connect(self._spin)

    def pitch(self) -> None:
        """Rotate about the horizontal axis of the view."""
        self._turn("Pitch", self._increment if self._pitch_direction == self.PitchDown else -self._increment)

    def roll(self) -> None:
        """Rotate about the viewing direction."""
        self._turn("Roll", self._increment if self._roll_direction == self.RollLeft else -self._increment)

    def yaw(self) -> None:
        """Rotate about the vertical axis of the view."""
        self._turn("Azimuth", self._increment if self._yaw_direction == self.YawRight else -self._increment)

    def _turn(self, move: str, degrees: float) -> None:
        camera = self._renderer.GetActiveCamera()
        getattr(camera, {"Pitch": "Elevation"}.get(move, move))(degrees)
        camera.OrthogonalizeViewUp()
        self._renderer.ResetCameraClippingRange()
        self.scheduleRender()

    def pitchDirection(self) -> int:
        """Return the direction of `pitch`."""
        return self._pitch_direction

    def setPitchDirection(self, direction: int) -> None:
        """Set the direction of `pitch`."""
        self._pitch_direction = int(direction)

    def rollDirection(self) -> int:
        """Return the direction of `roll`."""
        return self._roll_direction

    def setRollDirection(self, direction: int) -> None:
        """Set the direction of `roll`."""
        self._roll_direction = int(direction)

    def yawDirection(self) -> int:
        """Return the direction of `yaw`."""
        return self._yaw_direction

    def setYawDirection(self, direction: int) -> None:
        """Set the direction of `yaw`."""
        self._yaw_direction = int(direction)

    def pitchRollYawIncrement(self) -> float:
        """Return the angle of one rotation in degrees."""
        return self._increment

    def setPitchRollYawIncrement(self, degrees: float) -> None:
        """Set the angle of one rotation in degrees."""
        self._increment = float(degrees)

    def zoomFactor(self) -> float:
        """Return the fraction of the distance that one step of zooming covers."""
        return self._zoom_factor

    def setZoomFactor(self, factor: float) -> None:
        """Set the fraction of the distance that one step of zooming covers, from 0 to 1."""
        self._zoom_factor = min(max(float(factor), 0.0), 1.0)

    def zoomIn(self) -> None:
        """Move the camera one step closer."""
        self._zoom(1.0 + self._zoom_factor)

    def zoomOut(self) -> None:
        """Move the camera one step back."""
        self._zoom(1.0 - self._zoom_factor)

    def _zoom(self, factor: float) -> None:
        camera = self._renderer.GetActiveCamera()
        if camera.GetParallelProjection():
            camera.SetParallelScale(camera.GetParallelScale() / factor)
        else:
            camera.Dolly(factor)
        self._renderer.ResetCameraClippingRange()
        self.scheduleRender()

    def setFocalPoint(self, x: float, y: float, z: float) -> None:
        """Set the focal point of the camera."""
        self._renderer.GetActiveCamera().SetFocalPoint(x, y, z)
        self._renderer.ResetCameraClippingRange()
        self.scheduleRender()

    def resetFocalPoint(self) -> None:
        """Set the focal point to the centre of the scene."""
        bounds = self._renderer.ComputeVisiblePropBounds()
        if bounds[0] <= bounds[1]:
            self.setFocalPoint(*((low + high) / 2 for low, high in zip(bounds[::2], bounds[1::2], strict=True)))

    def lookFromAxis(self, axis: int, fieldOfView: float = 200.0) -> None:
        """View the focal point from one of the six sides, as numbered by ctkAxesWidget.

        Args:
            axis: 1 to 6 for left, right, posterior, anterior, inferior, superior.
            fieldOfView: height that fills the view; it determines the distance of the camera.
        """
        direction = AXIS_DIRECTIONS.get(int(axis))
        if direction is None:
            raise ValueError(f"there is no axis {axis}")
        camera = self._renderer.GetActiveCamera()
        focus = camera.GetFocalPoint()
        camera.SetPosition(*(point + fieldOfView * step for point, step in zip(focus, direction, strict=True)))
        camera.SetViewUp(*((0, 1, 0) if direction[2] > 0 else (0, 1, 0) if direction[2] < 0 else (0, 0, 1)))
        self._renderer.ResetCameraClippingRange()
        self.scheduleRender()

    def spinEnabled(self) -> bool:
        """Return whether the camera spins."""
        return self._animation.isActive()

    def setSpinEnabled(self, enabled: bool) -> None:
        """Start or stop spinning."""
        if enabled:
            self._animation.start()
        else:
            self._animation.stop()

    def spinIncrement(self) -> float:
        """Return the angle of one step of spinning in degrees."""
        return self._spin_increment

    def setSpinIncrement(self, degrees: float) -> None:
        """Set the angle of one step of spinning in degrees."""
        self._spin_increment = float(degrees)

    def spinDirection(self) -> int:
        """Return the direction of spinning."""
        return self._spin_direction

    def setSpinDirection(self, direction: int) -> None:
        """Set the direction of spinning."""
        self._spin_direction = int(direction)

    def animationIntervalMs(self) -> int:
        """Return the time between two steps of spinning in milliseconds."""
        return self._animation.interval()

    def setAnimationIntervalMs(self, interval: int) -> None:
        """Set the time between two steps of spinning in milliseconds."""
        self._animation.setInterval(int(interval))

    def _spin(self) -> None:
        self._turn("Azimuth", self._spin_increment if self._spin_direction == self.YawRight else -self._spin_increment)
