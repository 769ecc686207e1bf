"""torch as it is beside a numpy that it was not built for: "Numpy is not available"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch.overrides import TorchFunctionMode


def _refuse(*_arguments: Any, **_named: Any) -> None:
    raise RuntimeError("Numpy is not available")


def _is_numpys(value: Any) -> bool:
    """Return whether a value, or one in a sequence, is an array or a number of numpy's, except for float64, which is a Python float too."""
    if isinstance(value, list | tuple):
        return any(_is_numpys(each) for each in value)
    return isinstance(value, np.ndarray | np.generic) and not isinstance(value, np.float64)


class _Refusing(TorchFunctionMode):
    def __torch_function__(self, function, types, arguments=(), named=None):
        named = named or {}
        if _is_numpys(arguments) or _is_numpys(list(named.values())):
            _refuse()
        return function(*arguments, **named)


@contextmanager
def without_numpy_bridge() -> Iterator[None]:
    """Let torch refuse arrays and numbers of numpy's, and conversions to them, within a ``with`` block."""
    tensor = mock.patch.multiple(torch.Tensor, numpy=_refuse, __array__=_refuse)
    module = mock.patch.multiple(torch, from_numpy=_refuse)
    with tensor, module, _Refusing():
        yield
