"""How long a run will still take, from the share that is done."""

from __future__ import annotations

import time

# A prediction from less than this share of the work would only mislead.
_PREDICTABLE = 0.08


class TimeLeft:
    """Predicts the end of a run; between two reports of its share the clock goes on."""

    def __init__(self) -> None:
        self._begun = self._since = time.monotonic()
        self._left: float | None = None

    def update(self, share: float) -> None:
        """Take note of the share done, 0 to 1."""
        if share >= _PREDICTABLE:
            now = time.monotonic()
            self._left, self._since = (now - self._begun) * (1.0 - share) / share, now

    def seconds(self) -> float | None:
        """Seconds left, never below 0; None as long as it is too early to tell."""
        if self._left is None:
            return None
        return max(0.0, self._left - (time.monotonic() - self._since))

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begun
