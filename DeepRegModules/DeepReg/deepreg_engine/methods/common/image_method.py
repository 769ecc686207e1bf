"""What the methods share that register two images: the alignment before, the pair of images, and the progress of the run. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.base import Result, Task
from deepreg_engine.progress import Progress

if TYPE_CHECKING:
    from deepreg_engine.methods.common.registration import ImagePair

# Share of the run that is done when the deformation begins, and that of the deformation.
_BEGUN, _DEFORMATION = 0.1, 0.88


class ImageMethod:
    """Base of the methods that register two images."""

    aligns = True

    def compute(self, task: Task, pair: ImagePair, progress: Progress) -> Result:
        """Register the pair; ``progress`` gets the share of the deformation."""
        raise NotImplementedError

    def register(self, task: Task, progress: Progress) -> Result:
        """Register the images of a task, see :meth:`Method.register`."""
        from deepreg_engine.methods.common.guides import LandmarkPairs
        from deepreg_engine.methods.common.registration import ImagePair

        inputs = task.inputs
        guides = LandmarkPairs(*(points.positions for points in inputs.guides)) if inputs.guides else None
        pair = ImagePair(inputs.fixed, inputs.moving, inputs.fixed_mask, inputs.moving_mask, guides, task.alignment)

        def report(share: float, stage: str) -> None:
            if share < 1.0:  # the run goes on with its outputs
                progress(_BEGUN + _DEFORMATION * share, stage)

        return self.compute(task, pair, report)


def grids(task: Task) -> tuple[ImageGrid, ImageGrid]:
    """Grids of the fixed and of the moving image."""
    return ImageGrid.of(task.inputs.fixed), ImageGrid.of(task.inputs.moving)


def memory_of(device: str) -> float:
    """Bytes that a registration on a device can have.

    Raises:
        DeviceError: if there is no such device.
    """
    from deepreg_engine.methods.common.device import choose_device, free_memory

    return free_memory(choose_device(device)[0])
