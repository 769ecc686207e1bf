"""The registration methods. No torch."""

from __future__ import annotations

import difflib

from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.base import Method
from deepreg_engine.methods.dense.method import Dense
from deepreg_engine.methods.descent.method import Descent
from deepreg_engine.methods.linear.method import Linear
from deepreg_engine.methods.points.method import Points

_ALL: tuple[Method, ...] = (Linear(), Dense(), Points(), Descent())
METHODS = {each.name: each for each in _ALL}


def find_method(name: str) -> Method:
    """Return the method of that name.

    Raises:
        ParameterError: if there is none; the advice names the most similar.
    """
    if isinstance(name, str) and name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(str(name), METHODS, n=1)
    raise ParameterError(
        f"there is no method {name!r}", f"did you mean {near[0]}?" if near else f"there are {', '.join(METHODS)}", "method"
    )
