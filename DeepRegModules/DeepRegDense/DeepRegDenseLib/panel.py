"""The Dense method's panel."""

from __future__ import annotations

from deepreg_slicer.method_panel import MethodPanel
from DeepRegDenseLib.parameters import METHOD


class DensePanel(MethodPanel):
    """The panel of a method, without additions."""

    method = METHOD
