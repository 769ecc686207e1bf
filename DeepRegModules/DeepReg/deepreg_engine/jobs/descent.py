"""Register two images in files with the Descent method."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import SimpleITK as sitk

from deepreg_engine.errors import OutputError, ParameterError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import add_image
from deepreg_engine.geometry.transform_files import add_field
from deepreg_engine.jobs.image_registration import ImageMethod, ImageRequest, Inputs, free_memory, run_image_registration
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.models.store import load_extractors
from deepreg_engine.progress import Progress

if TYPE_CHECKING:  # torch takes seconds to import: that waits until the input is known to be good
    from deepreg_engine.methods.common.registration import ImagePair
    from deepreg_engine.methods.descent.register import DescentResult


_COLOURS = ("fixed_colours", "moving_colours", "warped_colours")
_KEPT_RANGE = (2, 1000)


@dataclass(frozen=True)
class DescentRequest(ImageRequest):
    """What to register with the Descent method; beyond what :class:`ImageRequest` has:

    Args:
        fixed_colours, moving_colours, warped_colours: features as colours, to write: the fixed image's on its grid, the moving
            image's on its own grid and, through the result, on the fixed grid.
        iterations: folder for the fields of some iterations, to play how the registration converged.
        kept_iterations: about how many.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = (*ImageRequest.OUTPUTS, *_COLOURS)

    parameters: DescentParameters = field(default_factory=DescentParameters)
    fixed_colours: str | None = None
    moving_colours: str | None = None
    warped_colours: str | None = None
    iterations: str | None = None
    kept_iterations: int = 20


class _Descent(ImageMethod):
    name = "descent"

    def check(self, request: DescentRequest) -> None:
        low, high = _KEPT_RANGE
        if not low <= request.kept_iterations <= high:
            raise ParameterError(f"kept_iterations = {request.kept_iterations} is out of range", f"allowed: {low} to {high}")
        if request.iterations:
            folder = Path(request.iterations)
            if folder.exists() and not folder.is_dir():
                raise OutputError(f"{folder} is a file, and iterations go into a folder", "name another")
            if not folder.exists() and not folder.parent.is_dir():
                raise OutputError(f"the folder {folder.parent} does not exist", "make it, or name another")
            if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
                raise OutputError(f"cannot write to the folder {folder}", "name another, or change its permissions")

    def check_room(self, request: DescentRequest, inputs: Inputs) -> None:
        from deepreg_engine.methods.descent.plan import check_memory

        channels = load_extractors(request.parameters)[0].channels
        free = free_memory(request.device)
        check_memory(ImageGrid.of(inputs.fixed), ImageGrid.of(inputs.moving), request.parameters, channels, free)

    def register(self, request: DescentRequest, pair: ImagePair, tell: Progress) -> DescentResult:
        from deepreg_engine.methods.descent.register import register_descent

        return register_descent(pair, request.parameters, request.device, tell, request.kept_iterations if request.iterations else 0)

    def report(self, request: DescentRequest, result: DescentResult) -> dict:
        return {"energies": result.energies}

    def write(self, request: DescentRequest, inputs: Inputs, result: DescentResult, files: FileGroup, report: dict) -> None:
        if any(getattr(request, name) for name in _COLOURS):
            for name, image in self._colours(request, inputs, result).items():
                if getattr(request, name):
                    add_image(files, getattr(request, name), image, request.compress)
        if request.iterations:
            folder = Path(request.iterations)
            folder.mkdir(exist_ok=True)
            report["iterations"] = []
            for number, kept in result.iterations:
                path = str(folder / f"iteration_{number:04d}.nrrd")
                add_field(files, path, kept)
                report["iterations"].append({"iteration": number, "file": path})
            report["outputs"]["iterations"] = str(folder)

    def _colours(self, request: DescentRequest, inputs: Inputs, result: DescentResult) -> dict[str, sitk.Image]:
        from deepreg_engine.features.colours import make_palette
        from deepreg_engine.features.volumes import feature_volume, on_grid

        spacing = result.stages[-1]["spacing_mm"]
        extractors = load_extractors(request.parameters)
        (fixed, fixed_grid), (moving, moving_grid) = (
            feature_volume(image, extractor, spacing) for image, extractor in zip((inputs.fixed, inputs.moving), extractors)
        )
        palette = make_palette(fixed, moving)
        own = ImageGrid.of(inputs.fixed)
        return {
            "fixed_colours": on_grid(palette(fixed), fixed_grid, own),
            "moving_colours": on_grid(palette(moving), moving_grid, ImageGrid.of(inputs.moving)),
            "warped_colours": on_grid(palette(moving), moving_grid, own, result.field.to_transform()),
        }


def run_descent(request: DescentRequest, progress: Progress) -> dict:
    """Register, write all outputs together, and return the report.

    Raises:
        EngineError: whatever is wrong; then nothing was written.
    """
    return run_image_registration(_Descent(), request, progress)
