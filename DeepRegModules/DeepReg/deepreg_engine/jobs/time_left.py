"""Prediction of the time that a run still needs, from the share that is done."""

from __future__ import annotations

import time

# Least share done from which the time left is predicted.
_PREDICTABLE = 0.08


class TimeLeft:
    """Predicts the end of a run; between two reports of progress the time left counts down."""

    def __init__(self) -> None:
        self._begun = self._since = time.monotonic()
        self._left: float | None = None

    def update(self, share: float) -> None:
        """Update the prediction with the share done, 0 to 1."""
        if share >= _PREDICTABLE:
            now = time.monotonic()
            self._left, self._since = (now - self._begun) * (1.0 - share) / share, now

    def seconds(self) -> float | None:
        """Return seconds left, at least 0; None if too little is done for a prediction."""
        if self._left is None:
            return None
        return max(0.0, self._left - (time.monotonic() - self._since))

    def elapsed(self) -> float:
        """Return seconds since the start."""
        return time.monotonic() - self._begun
