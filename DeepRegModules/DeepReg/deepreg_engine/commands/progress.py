"""Progress of a run on stderr: a bar with stage and time left on a terminal, plain lines when piped."""

from __future__ import annotations

import shutil
import sys
import threading
from typing import TextIO

from deepreg_engine.jobs.time_left import TimeLeft

# Seconds between two updates of the bar, in which the time left counts down.
_TICK = 0.2


class ProgressBar:
    """A progress callback that shows the share done (0 to 1) and the stage; as a context manager it removes the bar at the end.

    Args:
        stream: where to write; stderr by default, so that stdout holds only results.
        quiet: whether to write no output.
    """

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bar = not quiet and self._stream.isatty()
        self._share, self._stage = 0.0, "starting"
        self._time = TimeLeft()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ProgressBar:
        if self._bar:
            self._thread = threading.Thread(target=self._draw_on, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()
            self._write("\r" + " " * (self._columns() - 1) + "\r")

    def __call__(self, share: float, stage: str) -> None:
        changed = stage != self._stage
        self._time.update(share)
        self._share, self._stage = max(share, self._share), stage
        if changed and not self._quiet and not self._bar:
            self._write(f"{100 * self._share:3.0f} %  {self._time.elapsed():5.1f} s  {stage}\n")

    def note(self, line: str) -> None:
        """Show a line above the bar."""
        if not self._quiet:
            self._write(f"\r{line.ljust(self._columns() - 1)}\n" if self._bar else f"{line}\n")

    def line(self) -> str:
        """Return the bar as text, as wide as the terminal."""
        seconds = self._time.seconds()
        left = f"  {clock(seconds)} left" if seconds is not None and self._share < 1.0 else ""
        filled = round(24 * self._share)
        text = f"[{'#' * filled}{'.' * (24 - filled)}] {100 * self._share:3.0f} %  {self._stage}{left}"
        return text[: self._columns() - 1].ljust(self._columns() - 1)

    def _draw_on(self) -> None:
        while not self._over.wait(_TICK):
            self._write("\r" + self.line())

    def _columns(self) -> int:
        return max(20, shutil.get_terminal_size((80, 24)).columns)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the reader of the stream has ended; the run continues
            self._quiet, self._bar = True, False


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds ("3:20"), or as seconds ("20 s")."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    return f"{minutes}:{rest:02d}" if minutes else f"{rest} s"
