"""Phantoms: pairs of synthetic CT and MR scans of patients, with labels, landmarks and the exact displacements between them.

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

# Modules of the other names, which are imported on demand: they import scipy's interpolation, which takes half a second.
_MODULES = {"PhantomPair": "pair", "make_pair": "pair", "PhantomScan": "scan", "make_patient": "scan", "write_pair": "writing"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
