"""Phantoms: pairs of synthetic CT and MR scans that look like patients, with labels, landmarks and the exact truth.

Example::

    pair = make_pair("abdomen", seed=7)
    write_pair(pair, "abdomen-7")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from deepreg_engine.phantoms.choices import ANATOMIES, MODALITY_PAIRS

if TYPE_CHECKING:
    from deepreg_engine.phantoms.pair import PhantomPair, make_pair
    from deepreg_engine.phantoms.scan import PhantomScan, make_patient
    from deepreg_engine.phantoms.writing import write_pair

__all__ = ["ANATOMIES", "MODALITY_PAIRS", "PhantomPair", "PhantomScan", "make_pair", "make_patient", "write_pair"]

# Where the rest lives. The makers bring scipy's interpolation, half a second that no other command should wait for.
_HOMES = {"PhantomPair": "pair", "make_pair": "pair", "PhantomScan": "scan", "make_patient": "scan", "write_pair": "writing"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
