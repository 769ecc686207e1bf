"""Place and zoom of slice views, and how they are set while a layout is being built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deepreg_slicer.timers import makeTimer, releaseTimer

# Interval of the checks of the views, ms; the number of checks without a change after which they count as settled;
# the largest number of checks.
_INTERVAL, _STAYED, _MOST = 10, 2, 60


def placeOf(sliceNode: Any) -> np.ndarray:
    """Return the centre of a slice view, RAS mm."""
    matrix = sliceNode.GetSliceToRAS()
    return np.array([matrix.GetElement(axis, 3) for axis in range(3)])


def sizeOf(sliceNode: Any) -> tuple[int, ...]:
    """Return the width and height of a slice view, pixels."""
    return tuple(sliceNode.GetDimensions()[:2])


def scaleOf(sliceNode: Any) -> float:
    """Return the size of a pixel of a slice view, mm."""
    return sliceNode.GetFieldOfView()[0] / max(1, sliceNode.GetDimensions()[0])


def setScale(sliceNode: Any, scale: float) -> None:
    """Zoom a slice view to a size of its pixels, mm."""
    width, height = (scale * number for number in sizeOf(sliceNode))
    if width and height and abs(scaleOf(sliceNode) / scale - 1.0) > 1e-6:
        sliceNode.SetFieldOfView(width, height, sliceNode.GetFieldOfView()[2])


def setPlace(sliceNode: Any, place: np.ndarray) -> None:
    """Move the centre of a slice view, RAS mm."""
    if not np.allclose(placeOf(sliceNode), place, atol=1e-6):
        sliceNode.JumpSliceByCentering(*place)


class Settling:
    """Sets the views repeatedly until the layout does not change them any more.

    A layout gives its views their sizes in later turns of the event loop, changes the zoom with the size, and moves new views to
    offset 0.

    Args:
        arrange: sets places and zooms; it is called now and until nothing changes any more.
        state: returns sizes, places and zooms, which can be compared.
        done: is called at the end, unless it was stopped.
    """

    def __init__(self, arrange: Callable[[], None], state: Callable[[], Any], done: Callable[[], None]) -> None:
        self._arrange, self._state, self._done = arrange, state, done
        self._checks = self._stayed = 0
        self._arrange()
        self._last = self._state()
        self._timer: Any = makeTimer(_INTERVAL, self._check)
        self._timer.start()

    def stop(self) -> None:
        """Leave the views as they are."""
        if self._timer is not None:
            releaseTimer(self._timer)
            self._timer = None

    def _check(self) -> None:
        self._checks += 1
        self._stayed = self._stayed + 1 if self._state() == self._last else 0
        self._arrange()
        self._last = self._state()
        if self._stayed >= _STAYED or self._checks >= _MOST:
            self.stop()
            self._done()
