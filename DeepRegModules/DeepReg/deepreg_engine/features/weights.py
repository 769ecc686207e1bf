"""Loading the weights of a model into a network, with one error for weights that do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deepreg_engine.errors import InputError


@contextmanager
def weights_of(network: str) -> Iterator[None]:
    """Turn errors of weights into an InputError: within, a network is built from weights, and weights that do not fit raise an InputError.

    Args:
        network: its kind, with its article: "a contrast network".
    """
    try:
        yield
    except (KeyError, IndexError, RuntimeError, ValueError, ZeroDivisionError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"these are not the weights of {network} ({reason})", "give another model") from error
