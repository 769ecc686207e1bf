"""Callbacks that receive the progress of a computation."""

from __future__ import annotations

from collections.abc import Callable

#: A callback that takes the share done, 0 to 1, and the name of the stage. It may raise Cancelled, which ends the computation.
Progress = Callable[[float, str], None]


def no_progress(share: float, stage: str) -> None:
    """Do nothing: a callback without effect."""
