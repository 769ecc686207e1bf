"""The Descent method: its declaration. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.base import Result, Task
from deepreg_engine.methods.common.feature_size import FeatureSize
from deepreg_engine.methods.common.image_method import ImageMethod, memory_of
from deepreg_engine.methods.common.parameters import Parameters, parameter
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.descent.plan import check_memory, estimate_memory, make_plan
from deepreg_engine.methods.descent.presets import DEFAULT_DESCENT_PRESET, DESCENT_PRESETS
from deepreg_engine.models.store import check_features
from deepreg_engine.progress import Progress

if TYPE_CHECKING:
    import SimpleITK as sitk

    from deepreg_engine.methods.common.image_pair import ImagePair

_COLOURS = ("fixed_colours", "moving_colours", "warped_colours")


@dataclass(frozen=True)
class DescentOptions(Parameters):
    """Settings of a run of the Descent method that are not part of a preset."""

    kept_iterations: int = parameter(20, "approximate number of iterations to keep", minimum=2, maximum=1000)


class Descent(ImageMethod):
    """Regularised iterative descent; see :class:`deepreg_engine.methods.base.Method`."""

    name = "descent"
    title = "Descent registration"
    summary = "iterative descent on features that agree between contrasts"
    parameters = DescentParameters
    options = DescentOptions
    presets = DESCENT_PRESETS
    default_preset = DEFAULT_DESCENT_PRESET
    shortcuts = ("initial", "features", "fixed_modality", "moving_modality")

    def check(self, files: Mapping[str, str], parameters: DescentParameters, options: DescentOptions) -> None:
        check_features(parameters.features)

    def memory(self, fixed: ImageGrid, moving: ImageGrid, parameters: DescentParameters) -> float:
        channels = FeatureSize.named(parameters.features).channels
        return estimate_memory(fixed, moving, make_plan(fixed, parameters), parameters, channels)

    def prepare(self, task: Task) -> None:
        from deepreg_engine.methods.common.hounsfield import for_units
        from deepreg_engine.methods.common.working_pair import check_fits
        from deepreg_engine.models.store import load_extractors

        task.prepared, notes = for_units(load_extractors(task.parameters), task.inputs.images, task.parameters)
        task.inputs.notes += notes
        channels, memory, (whole, moving) = FeatureSize.of(task.prepared).channels, memory_of(task.device), task.inputs.grids

        def check(fixed: ImageGrid) -> None:
            check_memory(fixed, moving, task.parameters, channels, memory, whole)

        check_fits(check, task.inputs.images[0], task.inputs.fixed_mask, make_plan(whole, task.parameters)[0].spacing[0])

    def compute(self, task: Task, pair: ImagePair, progress: Progress) -> Result:
        from deepreg_engine.methods.descent.register import register_descent

        keep = task.options.kept_iterations if "iterations" in task.outputs else 0
        result = register_descent(pair, task.parameters, task.device, progress, keep, task.prepared, task.control)
        result.details["energies"] = result.energies
        result.products["iterations"] = result.iterations
        if task.outputs.intersection(_COLOURS):
            result.products.update(_colours(task, result))
        return result


def _colours(task: Task, result: Result) -> dict[str, sitk.Image]:
    """Return the features of both images in common colours, at the finest resolution of the run."""
    from deepreg_engine.features.colours import make_palette
    from deepreg_engine.features.volumes import feature_volume, on_grid

    spacing = result.stages[-1]["spacing_mm"]
    (fixed, fixed_grid), (moving, moving_grid) = (
        feature_volume(image, extractor, spacing) for image, extractor in zip(task.inputs.images, task.prepared, strict=True)
    )
    palette = make_palette(fixed, moving)
    own_fixed, own_moving = task.inputs.grids
    return {
        "fixed_colours": on_grid(palette(fixed), fixed_grid, own_fixed),
        "moving_colours": on_grid(palette(moving), moving_grid, own_moving),
        "warped_colours": on_grid(palette(moving), moving_grid, own_fixed, result.displacements.to_transform()),
    }
