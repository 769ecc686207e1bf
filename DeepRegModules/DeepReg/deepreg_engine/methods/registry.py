"""The registration methods that exist. No torch."""

from __future__ import annotations

import difflib

from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.base import Method
from deepreg_engine.methods.dense.method import Dense
from deepreg_engine.methods.descent.method import Descent
from deepreg_engine.methods.points.method import Points

METHODS: dict[str, Method] = {each.name: each for each in (Dense(), Points(), Descent())}


def find_method(name: str) -> Method:
    """The method of that name.

    Raises:
        ParameterError: if there is none, naming the nearest.
    """
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name, METHODS, n=1)
    raise ParameterError(
        f"there is no method {name!r}", f"did you mean {near[0]}?" if near else f"there are {', '.join(METHODS)}", "method"
    )
