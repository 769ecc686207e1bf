"""What explains a result of the Descent method: its features, as colours, of the fixed image and of the warped moving image."""

from __future__ import annotations

from deepreg_engine.methods.common.explain import ImageExplanation


class DescentExplanation(ImageExplanation):
    """A result of the Descent method; it has no probabilities."""
