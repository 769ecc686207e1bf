"""The Dense method: its declaration. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.base import NoOptions, Result, Task
from deepreg_engine.methods.common.feature_size import FeatureSize
from deepreg_engine.methods.common.image_method import ImageMethod, memory_of
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.plan import check_memory, estimate_memory, make_plan
from deepreg_engine.methods.dense.presets import DEFAULT_DENSE_PRESET, DENSE_PRESETS
from deepreg_engine.models.store import check_features
from deepreg_engine.progress import Progress

if TYPE_CHECKING:
    from deepreg_engine.methods.common.image_pair import ImagePair


# Modalities for whose pairs of one contrast the coverage of the expected error was measured (docs/benchmarks.md).
_CONFIRMED = ("mr",)


class Dense(ImageMethod):
    """Probabilistic dense displacements; see :class:`deepreg_engine.methods.base.Method`."""

    name = "dense"
    title = "Dense registration"
    summary = "discrete search over large displacements, then refinement"
    parameters = DenseParameters
    options = NoOptions
    presets = DENSE_PRESETS
    default_preset = DEFAULT_DENSE_PRESET
    shortcuts = ("initial", "features")

    def check(self, files: Mapping[str, str], parameters: DenseParameters, options: NoOptions) -> None:
        if "uncertainty" in files and parameters.search_stages == 0:
            raise InputError("the uncertainty comes from the search, and there is none", "set search_stages to 1 or more", "search_stages")
        if "expected_error" in files and not (parameters.search_stages and parameters.refinement_iterations):
            missing = "refinement_iterations" if parameters.search_stages else "search_stages"
            raise InputError(
                "the expected error comes from the search and the refinement, and one of them is missing",
                "set search_stages and refinement_iterations to 1 or more",
                missing,
            )
        check_features(parameters.features)

    def memory(self, fixed: ImageGrid, moving: ImageGrid, parameters: DenseParameters) -> float:
        refinement = parameters.refinement_features
        size = FeatureSize.named(parameters.features, parameters.features if refinement == "same" else refinement)
        return estimate_memory(fixed, moving, make_plan(fixed, parameters), parameters, size.channels, size.kept)

    def prepare(self, task: Task) -> None:
        from deepreg_engine.methods.common.hounsfield import for_units
        from deepreg_engine.methods.common.working_pair import check_fits
        from deepreg_engine.methods.dense.register import extractors_of

        task.prepared, notes = for_units(extractors_of(task.parameters), task.inputs.images, task.parameters)
        task.inputs.notes += notes
        size, memory, (whole, moving) = FeatureSize.of(task.prepared), memory_of(task.device), task.inputs.grids

        def check(fixed: ImageGrid) -> None:
            check_memory(fixed, moving, task.parameters, size.channels, memory, size.kept, whole)

        check_fits(check, task.inputs.images[0], task.inputs.fixed_mask, make_plan(whole, task.parameters)[0].spacing)

    def compute(self, task: Task, pair: ImagePair, progress: Progress) -> Result:
        from deepreg_engine.methods.common.expected_error import add_expected_error
        from deepreg_engine.methods.dense.register import register_dense

        result = register_dense(pair, task.parameters, task.device, progress, task.prepared, task.control)
        result.products["uncertainty"] = result.uncertainty
        add_expected_error(task, result, _CONFIRMED)
        return result
