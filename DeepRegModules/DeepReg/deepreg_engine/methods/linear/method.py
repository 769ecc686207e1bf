"""The Linear method: its declaration. No torch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.base import Inputs, Method, NoOptions, Result, Task, required
from deepreg_engine.methods.linear.parameters import LinearParameters
from deepreg_engine.methods.linear.plan import estimate_memory
from deepreg_engine.methods.linear.presets import DEFAULT_LINEAR_PRESET, LINEAR_PRESETS
from deepreg_engine.progress import Progress

if TYPE_CHECKING:
    from deepreg_engine.methods.common.affine import Alignment


class Linear(Method):
    """Rigid, similarity or affine registration; see :class:`deepreg_engine.methods.base.Method`."""

    name = "linear"
    title = "Linear registration"
    summary = "rigid, similarity or affine transform, for what does not deform"
    parameters = LinearParameters
    options = NoOptions
    presets = LINEAR_PRESETS
    default_preset = DEFAULT_LINEAR_PRESET
    shortcuts = ("kind", "initial")
    aligns = True

    def check(self, files: Mapping[str, str], parameters: LinearParameters, options: NoOptions) -> None:
        pass

    def fitted(self, parameters: LinearParameters, fixed: ImageGrid | np.ndarray) -> tuple[LinearParameters, list[str]]:
        return parameters, []

    def memory(self, fixed: ImageGrid, moving: ImageGrid, parameters: LinearParameters) -> float:
        return estimate_memory(fixed, moving, parameters)

    def align(self, inputs: Inputs, parameters: LinearParameters) -> Alignment:
        from deepreg_engine.methods.linear.register import register_linear

        return register_linear(*inputs.images, parameters, (inputs.fixed_mask, inputs.moving_mask), inputs.initial)

    def prepare(self, task: Task) -> None:
        pass

    def register(self, task: Task, progress: Progress) -> Result:
        """Return the alignment as the result; it was computed by :meth:`align`."""
        from deepreg_engine.geometry.displacement_field import DisplacementField
        from deepreg_engine.methods.common.linear_transforms import as_affine

        begun, alignment = time.perf_counter(), required(task.alignment, "alignment")
        progress(0.9, "displacement field")
        linear = as_affine(alignment.transform)
        field = DisplacementField.from_transform(linear, task.inputs.grids[0])
        return Result(
            field=field,
            alignment=alignment,
            stages=[],
            seconds={"field": time.perf_counter() - begun},
            notes=list(alignment.notes),
            device="CPU",
            features="",
            linear=linear,
        )
