"""Base of the registrations of two images: timing, alignment, progress, and the step from one resolution to the next."""

from __future__ import annotations

import time
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
import torch.nn.functional as F

from deepreg_engine.errors import InputError
from deepreg_engine.features.extractor import Extractor
from deepreg_engine.geometry.composition import followed_by
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.sampling import sample
from deepreg_engine.geometry.volume import field_from_voxels
from deepreg_engine.methods.common.affine import Alignment, align
from deepreg_engine.methods.common.agreement import mismatch
from deepreg_engine.methods.common.device import choose_device, free_memory
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.common.steps import Steps
from deepreg_engine.methods.common.working_pair import working_pair
from deepreg_engine.progress import Progress, RunControl, no_progress
from deepreg_engine.solvers.unfolding import unfold

# Smallest increase of the mismatch that counts: a good deformation at a fine level may increase it a little at the coarsest level.
_CLEARLY = 0.1
_ALIGNMENT_ALONE = (
    "with the deformation the images agreed less than with the alignment alone, so the result is the alignment (an uncertainty is that "
    "of the search): check that both images show the same part of the body, or raise the smoothness"
)


@dataclass
class Clock:
    """Seconds by part of a run."""

    seconds: dict[str, float] = dataclass_field(default_factory=dict)

    def add(self, name: str, start: float) -> None:
        """Add the time since ``start`` (:func:`time.perf_counter`) to a part."""
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


class AlignmentParameters(Protocol):
    """Parameters that include an alignment."""

    @property
    def initial(self) -> str: ...  # noqa: D102


P = TypeVar("P", bound=AlignmentParameters)


class Registration(Generic[P]):
    """Base of one run of a method that registers images.

    Args:
        pair: images, masks, landmarks and alignment.
        parameters: of the method.
        device: see :func:`choose_device`.
        progress: callback, receives the share done, 0 to 1, and the name of the stage; it may raise to stop the run.
        control: receives previews, and may end the run early.
    """

    def __init__(self, pair: ImagePair, parameters: P, device: str, progress: Progress | None, control: RunControl | None = None) -> None:
        self._parameters = parameters
        self._progress = progress or no_progress
        self._control = control or RunControl()
        # What was done last; and the same at the end of a run that was ended early.
        self._done_last = self._stopped = ""
        self._device, self._device_name = choose_device(device)
        #: Grid of the results, and grid of the fixed image on which the run computes.
        self._output_grid = ImageGrid.of(pair.fixed)
        self._pair = working_pair(pair, self._coarsest_spacing())
        self._fixed_grid = self._output_grid if self._pair is pair else ImageGrid.of(self._pair.fixed)
        self._done = 0.0
        self._clock = Clock()
        self._stages: list[dict] = []
        self._notes: list[str] = []
        #: Set by a method when its plan is made.
        self._steps = Steps(())

    def _coarsest_spacing(self) -> float:
        """Return the voxel size of the coarsest grid, mm."""
        raise NotImplementedError

    def _free_memory(self) -> float:
        return free_memory(self._device)

    def _report(self, stage: str, work: float) -> None:
        """Report the start of a stage that takes a share ``work`` of the run."""
        self._progress(min(self._done, 0.999), stage)
        self._done += work

    def _align(self) -> Alignment:
        begun = time.perf_counter()
        alignment = self._pair.alignment
        if alignment is None:
            self._report(self._steps.title(0), 0.0)
            pair = self._pair
            alignment = align(pair.fixed, pair.moving, self._parameters.initial, pair.fixed_mask, pair.moving_mask)
        self._clock.add("alignment", begun)
        self._done_last = self._steps.title(0)
        return alignment

    def _reached(self, stage: str, field: torch.Tensor, grid: ImageGrid, alignment: Alignment) -> None:
        """Record the end of a stage, and pass on the field so far, in voxels of ``grid``."""
        self._done_last = stage
        self._control.reached(stage, self._output_grid, lambda coarse: self._on_grid(self._deformation(field), grid, alignment, coarse))

    def _deformation(self, field: torch.Tensor) -> torch.Tensor:
        """Return the deformation (3, z, y, x) from fixed to moving, voxels, of a field of the run."""
        return field

    def _stops(self) -> bool:
        """Return whether the run ends here, with the field so far."""
        if self._control.finishing and not self._stopped:
            self._stopped = self._done_last
        return bool(self._stopped)

    def _level_data(self, grid: ImageGrid, alignment: Alignment, reach: float, extractors: tuple[Extractor, Extractor]) -> LevelData:
        """Return the images at one resolution.

        Raises:
            InputError: if they do not overlap.
        """
        data = LevelData(self._pair, grid, alignment.transform, reach, extractors, self._device)
        if not bool((data.coverage(torch.zeros(3, *grid.shape, device=self._device)) > 0).any()):
            raise InputError(
                "after the initial alignment the images have no point in common",
                "use the initial alignment geometry, mass or affine, or give a transform that brings them together",
                "initial",
            )
        return data

    def _record(self, stage: str, data: LevelData, begun: float, field: torch.Tensor, **details: float) -> None:
        """Add a stage to the report: its resolution, its duration, the mean length of the field (3, z, y, x), and details."""
        length = mean_length(field) * data.spacing
        seconds = time.perf_counter() - begun
        self._clock.seconds[stage] = self._clock.seconds.get(stage, 0.0) + seconds
        self._stages.append(
            {
                "stage": stage,
                "spacing_mm": data.spacing,
                "voxels": data.grid.voxels,
                **details,
                "mean_displacement_mm": length,
                "seconds": seconds,
            }
        )

    def _better_of(self, first: LevelData, field: torch.Tensor, grid: ImageGrid) -> torch.Tensor:
        """Return the field of a run, or zeros if the images agree clearly less with it than with the alignment alone; that is noted.

        Guide landmarks may contradict the images; then the field stays as it is.

        Args:
            first: images of the coarsest level, with the alignment.
            field: result (3, z, y, x), voxels of ``grid``.
            grid: of the field.
        """
        if self._pair.guides is not None:
            return field
        before, unit = mismatch(first, torch.zeros(3, *first.grid.shape, device=self._device))
        after, _ = mismatch(first, to_next_level(field, grid, first.grid), unit)
        if after - before <= _CLEARLY:
            return field
        self._notes.append(_ALIGNMENT_ALONE)
        return torch.zeros_like(field)

    def _finished(self, field: torch.Tensor, grid: ImageGrid, alignment: Alignment, start: float) -> dict[str, Any]:
        """Return the fields that the results of all methods have, at the end of a run that began at ``start``."""
        begun = time.perf_counter()
        self._report("computing the displacement field", 0.0)
        total = self._on_grid(unfold(field), grid, alignment, self._output_grid)
        self._clock.add("field", begun)
        self._clock.seconds["total"] = time.perf_counter() - start
        self._progress(1.0, "done")
        return {
            "field": total,
            "alignment": alignment,
            "stages": self._stages,
            "seconds": self._clock.seconds,
            "notes": [*alignment.notes, *self._notes],
            "device": self._device_name,
            "stopped": self._stopped,
        }

    def _on_grid(self, field: torch.Tensor, grid: ImageGrid, alignment: Alignment, wanted: ImageGrid) -> DisplacementField:
        """Return the deformation on another grid, followed by the alignment.

        Args:
            field: (3, z, y, x), voxels of ``grid``.
            grid: of the field.
            alignment: before the deformation.
            wanted: grid of the results, or one of the same axes that covers it.
        """
        if self._output_grid is not self._fixed_grid:
            field, grid = _continued(field, grid, wanted)
        local = field_from_voxels(field, grid).resampled(wanted)
        return followed_by(local, alignment.transform)


def to_next_level(field: torch.Tensor, old: ImageGrid, new: ImageGrid) -> torch.Tensor:
    """Return the field (n, z, y, x) of one level, interpolated on the grid of the next; displacements are in voxels of their level."""
    if new is old:
        return field
    first = old.physical_to_index(np.array([new.origin]))[0]
    ratio = new.spacing[0] / old.spacing[0]
    axes = [torch.arange(n, dtype=torch.float32, device=field.device) * ratio + float(f) for n, f in zip(new.size, first, strict=True)]
    z, y, x = torch.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return sample(field, torch.stack([x, y, z])) / ratio


def _continued(field: torch.Tensor, grid: ImageGrid, whole: ImageGrid) -> tuple[torch.Tensor, ImageGrid]:
    """Return the field (3, z, y, x), its values at the faces repeated as far as another grid with the same axes reaches; and its grid."""
    index, last = grid.physical_to_index(whole.corners()), np.array(grid.size) - 1
    before = np.maximum(0, np.ceil(-index.min(axis=0) - 1e-6)).astype(int)
    after = np.maximum(0, np.ceil(index.max(axis=0) - last - 1e-6)).astype(int)
    pads = [int(count) for ends in zip(before, after, strict=True) for count in ends]
    return F.pad(field[None], pads, mode="replicate")[0], grid.cropped(-before, last + 1 + after)


def mean_length(field: torch.Tensor) -> float:
    """Return the mean length of the vectors of a field (3, ...)."""
    return float((field[0].square() + field[1].square() + field[2].square()).sqrt_().mean())
