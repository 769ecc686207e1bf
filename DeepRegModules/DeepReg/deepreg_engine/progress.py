"""What receives the progress of a computation, and what ends one early."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepreg_engine.geometry.displacement_field import DisplacementField
    from deepreg_engine.geometry.image_grid import ImageGrid

#: A callback that takes the share done, 0 to 1, and the name of the stage. It may raise Cancelled, which ends the computation.
Progress = Callable[[float, str], None]

# Largest number of points of a preview along the longest axis of its grid: enough to see what moves where, and small enough for a file
# after each stage.
_PREVIEW_POINTS = 64


def no_progress(share: float, stage: str) -> None:
    """Do nothing: a callback without effect."""


class RunControl:
    """Lets the caller of a registration see its result so far, and end it with that result.

    Args:
        preview: callback; receives after each stage the displacement field so far, with the alignment, on a coarse grid, and the name of
            the stage. None computes no previews. It may be set until the run begins.
    """

    def __init__(self, preview: Callable[[DisplacementField, str], None] | None = None) -> None:
        self.preview = preview
        self._finish = threading.Event()

    def finish(self) -> None:
        """End the run with its result so far, as soon as the present stage or iteration is over; from any thread."""
        self._finish.set()

    @property
    def finishing(self) -> bool:
        """Whether the run was asked to end with its result so far."""
        return self._finish.is_set()

    def reached(self, stage: str, grid: ImageGrid, field_on: Callable[[ImageGrid], DisplacementField]) -> None:
        """Pass the result so far to the callback, if there is one.

        Args:
            stage: that is over.
            grid: of the final result.
            field_on: returns the displacement field so far, with the alignment, on another grid with the same axes.
        """
        if self.preview is None:
            return
        longest = max(spacing * count for spacing, count in zip(grid.spacing, grid.size, strict=True))
        self.preview(field_on(grid.resampled([max(spacing, longest / _PREVIEW_POINTS) for spacing in grid.spacing])), stage)
