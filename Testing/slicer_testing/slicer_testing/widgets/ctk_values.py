"""Conversions of numbers and enumerators as in CTK's widgets."""

from __future__ import annotations

import enum
import math
import sys
from typing import Any, TypeVar

Kind = TypeVar("Kind", bound=enum.Enum)

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_FRACTION_DIGITS = 16


def enumeration(kind: type[Kind], value: Any) -> Kind:
    """Return an enumerator, given as such or as the integer that PythonQt code passes."""
    return value if isinstance(value, kind) else kind(integer(value))


def integer(value: Any) -> int:
    """Return the integer of an enumerator or a number."""
    return int(getattr(value, "value", value))


def bounded(low: float, value: float, high: float) -> float:
    """Return a value clipped to limits; the upper one takes precedence if they cross, as in qBound."""
    return max(low, min(high, value))


def steps(value: float, step: float) -> int:
    """Return the number of whole steps of a value, rounded half away from zero and clipped to C++'s int."""
    ratio = bounded(_INT_MIN, value / step, _INT_MAX)
    if math.isnan(ratio):
        return 0
    return math.floor(ratio + 0.5) if ratio >= 0 else -math.floor(-ratio + 0.5)


def rounded(value: float, decimals: int) -> float:
    """Return a value rounded to a number of decimals, as it is displayed."""
    return float(f"{value:.{decimals}f}")


def is_valid_step(step: float, low: float, high: float) -> bool:
    """Return whether a step is valid for a slider over a range."""
    if low == high:
        return True
    smallest = max(high / sys.float_info.max, sys.float_info.epsilon)
    return smallest <= step <= min(high - low, float(_INT_MAX))


def significant_decimals(value: float, default: int = -1) -> int:
    """Return the number of decimals that a value needs, estimated from runs of equal digits.

    Args:
        value: the number.
        default: result for a value without such runs; 16 digits if it is negative.
    """
    if value == 0.0 or math.isinf(value):
        return 0
    if math.isnan(value):
        return -1
    digits = f"{value:.{_FRACTION_DIGITS}f}".split(".")[1]
    below_one = -1.0 < value < 1.0
    previous, run, only_zeros = "", 0, True
    for position, digit in enumerate(digits):
        only_zeros = only_zeros and digit == "0"
        if digit == previous and run == 2 and not only_zeros:
            return position - run if digit in "09" else position
        if position == len(digits) - 1:
            if run > 2 and not (only_zeros and below_one):
                return position - run
            return default if default >= 0 else len(digits)
        previous, run = digit, (run + 1 if digit == previous else 1)
    return len(digits)
