"""Explanation of a Descent registration: the features of the fixed and of the warped moving image as colours."""

from __future__ import annotations

from deepreg_engine.methods.common.explain import ImageExplanation
from deepreg_engine.methods.descent.parameters import DescentParameters


class DescentExplanation(ImageExplanation[DescentParameters]):
    """The features under a result of the Descent method, which computes no probabilities."""
