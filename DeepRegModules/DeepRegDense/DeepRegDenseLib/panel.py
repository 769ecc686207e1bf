"""The Dense method's panel."""

from __future__ import annotations

from typing import Any

from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.presets import DEFAULT_DENSE_PRESET, DENSE_PRESETS
from deepreg_slicer.estimate import denseMemory
from deepreg_slicer.method_panel import MethodPanel


class DensePanel(MethodPanel):
    """Says what is special to the Dense method."""

    method = "dense"
    title = "Dense registration"
    parametersClass = DenseParameters
    presets = DENSE_PRESETS
    defaultPreset = DEFAULT_DENSE_PRESET

    def memory(self, fixed: Any, moving: Any) -> float:
        return denseMemory(fixed, moving, DenseParameters(**self.values()))
