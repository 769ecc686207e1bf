"""The Points method: its declaration. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.methods.base import Inputs, Method, Result, Task
from deepreg_engine.methods.common.lengths import fitted
from deepreg_engine.methods.points.parameters import PointsOptions, PointsParameters
from deepreg_engine.methods.points.plan import estimate_memory
from deepreg_engine.methods.points.presets import DEFAULT_POINTS_PRESET, POINTS_PRESETS
from deepreg_engine.methods.slots import outputs
from deepreg_engine.models.store import check_features
from deepreg_engine.progress import Progress

if TYPE_CHECKING:
    from deepreg_engine.geometry.image_grid import ImageGrid
    from deepreg_engine.methods.common.affine import Alignment


class Points(Method):
    """Registration of two point clouds; see :class:`deepreg_engine.methods.base.Method`."""

    name = "points"
    title = "Point registration"
    summary = "keypoints, vessels, surfaces or landmarks, matched by the shape of their neighbourhood"
    parameters = PointsParameters
    options = PointsOptions
    presets = POINTS_PRESETS
    default_preset = DEFAULT_POINTS_PRESET
    shortcuts = ("initial", "solver", "features")
    aligns = False

    def check(self, files: Mapping[str, str], parameters: PointsParameters, options: PointsOptions) -> None:
        if "fixed_points" not in files and "fixed" not in files:
            raise InputError("there is nothing to register", "give fixed and moving points, or fixed and moving images", "fixed_points")
        if options.refine and "fixed" not in files:
            raise InputError("the refinement needs images", "give a fixed and a moving image", "fixed")
        if not files.keys() & {each.name for each in outputs(self.name) if each.kind != "report"}:
            raise InputError("no result is requested", "request the transform, the correspondences or transformed points", "transform")
        check_features(parameters.features, "points")

    def fitted(self, parameters: PointsParameters, fixed: ImageGrid | np.ndarray) -> tuple[PointsParameters, list[str]]:
        return fitted(parameters, self.presets, fixed)

    def memory(self, fixed: ImageGrid, moving: ImageGrid, parameters: PointsParameters) -> float:
        return estimate_memory(fixed, moving, parameters)

    def align(self, inputs: Inputs, parameters: PointsParameters) -> Alignment:
        raise NotImplementedError("the Points method aligns the points as a part of the registration")

    def prepare(self, task: Task) -> None:
        pass

    def register(self, task: Task, progress: Progress) -> Result:
        from deepreg_engine.methods.points.run import run

        return run(task, progress)
