"""Phantoms: pairs of synthetic CT and MR scans that look like patients, with labels, landmarks and the exact truth.

Example::

    pair = make_pair("abdomen", seed=7)
    write_pair(pair, "abdomen-7")
"""

from deepreg_engine.phantoms.pair import MODALITY_PAIRS, PhantomPair, make_pair
from deepreg_engine.phantoms.scan import ANATOMIES, PhantomScan, make_patient
from deepreg_engine.phantoms.writing import write_pair

__all__ = ["ANATOMIES", "MODALITY_PAIRS", "PhantomPair", "PhantomScan", "make_pair", "make_patient", "write_pair"]
