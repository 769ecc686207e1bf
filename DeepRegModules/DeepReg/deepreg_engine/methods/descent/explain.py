"""Explanation of a Descent registration: the features of the fixed and of the warped moving image as colours."""

from __future__ import annotations

from deepreg_engine.methods.common.explain import ImageExplanation
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.descent.presets import DESCENT_PRESETS


class DescentExplanation(ImageExplanation[DescentParameters]):
    """The features under a result of the Descent method, which computes no probabilities."""

    presets = DESCENT_PRESETS
