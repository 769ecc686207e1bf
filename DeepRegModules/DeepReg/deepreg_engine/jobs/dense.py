"""Register two images in files with the Dense method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import add_image
from deepreg_engine.jobs.image_registration import ImageMethod, ImageRequest, Inputs, free_memory, run_image_registration
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.progress import Progress

if TYPE_CHECKING:  # torch takes seconds to import: that waits until the input is known to be good
    from deepreg_engine.methods.common.registration import ImagePair
    from deepreg_engine.methods.dense.register import DenseResult


@dataclass(frozen=True)
class DenseRequest(ImageRequest):
    """What to register with the Dense method; beyond what :class:`ImageRequest` has:

    Args:
        fixed_landmarks, moving_landmarks: corresponding points that guide the registration.
        uncertainty: standard deviation of the displacement on the fixed grid, to write.
    """

    INPUTS: ClassVar[tuple[str, ...]] = (*ImageRequest.INPUTS, "fixed_landmarks", "moving_landmarks")
    OUTPUTS: ClassVar[tuple[str, ...]] = (*ImageRequest.OUTPUTS, "uncertainty")
    PARTNERS: ClassVar[tuple[tuple[str, str], ...]] = (("fixed_landmarks", "moving_landmarks"), *ImageRequest.PARTNERS)

    parameters: DenseParameters = field(default_factory=DenseParameters)
    fixed_landmarks: str | None = None
    moving_landmarks: str | None = None
    uncertainty: str | None = None


class _Dense(ImageMethod):
    name = "dense"

    def check(self, request: DenseRequest) -> None:
        if request.uncertainty and request.parameters.search_stages == 0:
            raise InputError("--uncertainty comes from the search, and search_stages is 0", "set it to 1 or more")

    def check_room(self, request: DenseRequest, inputs: Inputs) -> None:
        from deepreg_engine.methods.dense.plan import check_memory
        from deepreg_engine.methods.dense.register import extractors_of

        extractors, free = extractors_of(request.parameters), free_memory(request.device)
        grids = ImageGrid.of(inputs.fixed), ImageGrid.of(inputs.moving)
        check_memory(*grids, request.parameters, max(each.channels for each in extractors), free, max(each.kept for each in extractors))

    def register(self, request: DenseRequest, pair: ImagePair, tell: Progress) -> DenseResult:
        from deepreg_engine.methods.dense.register import register_dense

        return register_dense(pair, request.parameters, request.device, tell)

    def write(self, request: DenseRequest, inputs: Inputs, result: DenseResult, files: FileGroup, report: dict) -> None:
        if request.uncertainty:
            add_image(files, request.uncertainty, result.uncertainty, request.compress)


def run_dense(request: DenseRequest, progress: Progress) -> dict:
    """Register, write all outputs together, and return the report.

    Raises:
        EngineError: whatever is wrong; then nothing was written.
    """
    return run_image_registration(_Dense(), request, progress)
