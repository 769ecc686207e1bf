"""Numbers and enumerations as CTK's widgets treat them."""

from __future__ import annotations

import enum
import math
import sys
from typing import Any, TypeVar

Kind = TypeVar("Kind", bound=enum.Enum)

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_FRACTION_DIGITS = 16


def enumeration(kind: type[Kind], value: Any) -> Kind:
    """An enumeration's member from itself or from the integer that PythonQt code passes."""
    return value if isinstance(value, kind) else kind(integer(value))


def integer(value: Any) -> int:
    """The number of a member of an enumeration, or of a number."""
    return int(getattr(value, "value", value))


def bounded(low: float, value: float, high: float) -> float:
    """The value within limits; the upper one wins where they cross, as with qBound."""
    return max(low, min(high, value))


def steps(value: float, step: float) -> int:
    """How many whole steps a value has, half steps away from zero, within C++'s int."""
    ratio = bounded(_INT_MIN, value / step, _INT_MAX)
    if math.isnan(ratio):
        return 0
    return math.floor(ratio + 0.5) if ratio >= 0 else -math.floor(-ratio + 0.5)


def rounded(value: float, decimals: int) -> float:
    """A value as it reads with a number of decimals."""
    return float(f"{value:.{decimals}f}")


def is_valid_step(step: float, low: float, high: float) -> bool:
    """Whether a slider over a range can have a step."""
    if low == high:
        return True
    smallest = max(high / sys.float_info.max, sys.float_info.epsilon)
    return smallest <= step <= min(high - low, float(_INT_MAX))


def significant_decimals(value: float, default: int = -1) -> int:
    """How many decimals a value needs to be read, seen from runs of equal digits.

    Args:
        value: to look at.
        default: for a value without a good number of decimals; 16 digits if it is negative.
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
