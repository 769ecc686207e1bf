"""Times and sentences as text for users."""

from __future__ import annotations

from slicer.i18n import tr as _

_MINUTE, _HOUR = 60, 3600


def clock(seconds: float) -> str:
    """Return a duration as text: "12 s", "4:05 min", "3 h 20 min"."""
    whole = int(seconds + 0.5)
    if whole < _MINUTE:
        return _("{seconds} s").format(seconds=whole)
    if whole < _HOUR:
        return _("{minutes}:{seconds:02d} min").format(minutes=whole // _MINUTE, seconds=whole % _MINUTE)
    return _("{hours} h {minutes} min").format(hours=whole // _HOUR, minutes=whole % _HOUR // _MINUTE)


def short(seconds: float) -> str:
    """Return a short duration as text, with a fraction of a second."""
    return f"{seconds:.2g} s" if seconds >= 0.1 else f"{1000 * seconds:.2g} ms"


def sentence(text: str) -> str:
    """Return a text with a capital letter at the beginning and a full stop at the end."""
    return f"{text[:1].upper()}{text[1:]}." if text else ""
