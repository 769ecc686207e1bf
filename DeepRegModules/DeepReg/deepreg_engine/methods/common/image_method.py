"""Base of the methods that register two images: the alignment, the image pair, and the progress of the run. No torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.base import Inputs, Method, Result, Task
from deepreg_engine.methods.common.lengths import fitted
from deepreg_engine.methods.common.parameters import LINEAR_KINDS
from deepreg_engine.progress import Progress

if TYPE_CHECKING:
    from deepreg_engine.methods.common.affine import Alignment
    from deepreg_engine.methods.common.image_pair import ImagePair

# Progress at the start of the deformation, and the share of the run that it takes.
_BEGUN, _DEFORMATION = 0.1, 0.88


class ImageMethod(Method):
    """A method that registers two images."""

    aligns = True

    def fitted(self, parameters: Any, fixed: ImageGrid | np.ndarray) -> tuple[Any, list[str]]:
        return fitted(parameters, self.presets, fixed)

    def align(self, inputs: Inputs, parameters: Any) -> Alignment:
        """Return the given transform, or the alignment of the parameter ``initial``; notes name other orientations that agree better.

        Rigid, similarity and affine alignments try other orientations as a part of the alignment, so only the others are checked here.
        """
        from deepreg_engine.methods.common.affine import Alignment, align, orientation_notes

        if inputs.initial is not None:
            return Alignment(inputs.initial, "file")
        masks = inputs.fixed_mask, inputs.moving_mask
        found = align(*inputs.images, parameters.initial, *masks)
        if parameters.initial in LINEAR_KINDS:
            return found
        return replace(found, notes=(*found.notes, *orientation_notes(*inputs.images, found.transform, *masks)))

    def compute(self, task: Task, pair: ImagePair, progress: Progress) -> Result:
        """Register the pair; ``progress`` receives the share of the deformation."""
        raise NotImplementedError

    def register(self, task: Task, progress: Progress) -> Result:
        """Register the images of a task, see :meth:`Method.register`."""
        from deepreg_engine.methods.common.guides import LandmarkPairs
        from deepreg_engine.methods.common.image_pair import ImagePair

        inputs = task.inputs
        guides = LandmarkPairs(*(points.positions for points in inputs.guides)) if inputs.guides else None
        pair = ImagePair(*inputs.images, inputs.fixed_mask, inputs.moving_mask, guides, task.alignment)

        def report(share: float, stage: str) -> None:
            if share < 1.0:  # the outputs follow
                progress(_BEGUN + _DEFORMATION * share, stage)

        return self.compute(task, pair, report)


def memory_of(device: str) -> float:
    """Return the memory that is available to a registration on a device, bytes.

    Raises:
        DeviceError: if the device is not available.
    """
    from deepreg_engine.methods.common.device import choose_device, free_memory

    return free_memory(choose_device(device)[0])
