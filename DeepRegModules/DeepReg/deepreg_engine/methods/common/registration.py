"""What image registrations have in common: input, result, clock, alignment, and the way from one resolution to the next."""

from __future__ import annotations

import time
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.errors import InputError
from deepreg_engine.features.extractor import Extractor
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.sampling import sample
from deepreg_engine.methods.common.affine import Alignment, align
from deepreg_engine.methods.common.device import choose_device, free_memory
from deepreg_engine.methods.common.guides import LandmarkPairs
from deepreg_engine.methods.common.level import LevelData, along, followed_by
from deepreg_engine.progress import Progress


@dataclass
class ImagePair:
    """What is registered.

    Args:
        fixed, moving: 3D float32 images.
        fixed_mask, moving_mask: 8-bit masks on the images' grids, or None.
        guides: landmark pairs that draw the field, or None.
        alignment: an alignment that is known already; else the parameters say how to find it.
    """

    fixed: sitk.Image
    moving: sitk.Image
    fixed_mask: sitk.Image | None = None
    moving_mask: sitk.Image | None = None
    guides: LandmarkPairs | None = None
    alignment: Alignment | None = None


@dataclass
class Clock:
    """Seconds by part."""

    seconds: dict[str, float] = dataclass_field(default_factory=dict)

    def add(self, name: str, start: float) -> None:
        """Count the time since ``start`` for a part."""
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


class Registration:
    """Base of one run.

    Args:
        pair: the images and what is known of them.
        parameters: of the method; they have ``initial``.
        device: see :func:`choose_device`.
        progress: called with the share done, 0 to 1, and the name of the stage; it may raise to stop the run.
    """

    def __init__(self, pair: ImagePair, parameters: object, device: str, progress: Progress | None) -> None:
        self._pair, self._parameters = pair, parameters
        self._progress = progress or (lambda share, stage: None)
        self._device, self._device_name = choose_device(device)
        self._fixed_grid = ImageGrid.of(pair.fixed)
        self._done = 0.0
        self._clock = Clock()
        self._stages: list[dict] = []
        self._notes: list[str] = []
        self._looked_at = False

    def _free_memory(self) -> float:
        return free_memory(self._device)

    def _tell(self, stage: str, work: float) -> None:
        self._progress(min(self._done, 0.999), stage)
        self._done += work

    def _align(self) -> Alignment:
        begun = time.perf_counter()
        alignment = self._pair.alignment
        if alignment is None:
            self._tell(f"alignment ({self._parameters.initial})", 0.0)
            pair = self._pair
            alignment = align(pair.fixed, pair.moving, self._parameters.initial, pair.fixed_mask, pair.moving_mask)
        self._clock.add("alignment", begun)
        return alignment

    def _level_data(
        self, grid: ImageGrid, alignment: Alignment, reach: float, extractor: Extractor, moving_extractor: Extractor | None = None
    ) -> LevelData:
        """The images at one resolution.

        Raises:
            InputError: if they do not overlap.
        """
        pair = self._pair
        data = LevelData(
            pair.fixed,
            pair.moving,
            grid,
            alignment.transform,
            reach,
            pair.fixed_mask,
            pair.moving_mask,
            extractor,
            self._device,
            moving_extractor,
        )
        if not bool((data.warped_known(torch.zeros(3, *grid.shape, device=self._device)) > 0).any()):
            raise InputError(
                "after the initial alignment the images have no point in common",
                "use the initial alignment geometry, mass or affine, or give a transform that brings them together",
                "initial",
            )
        calibrated = next((part.name for part in extractor.parts if part.kind.hounsfield), "")
        if calibrated and not self._looked_at:
            self._looked_at = True
            missing = [side for side, found in data.hounsfield().items() if not found]
            self._notes += [
                f"{calibrated} is for CT in HU, and the {side} image has no value of fat or air: compare with mind" for side in missing
            ]
        return data

    def _record(self, stage: str, data: LevelData, begun: float, field: torch.Tensor, **details: float) -> None:
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


def onto(field: torch.Tensor | None, old: ImageGrid | None, new: ImageGrid, device: torch.device) -> torch.Tensor:
    """A field (n, z, y, x) of one level on the next: positions and lengths in its voxels; without one, zeros (3, z, y, x)."""
    if field is None:
        return torch.zeros(3, *new.shape, device=device)
    first = old.physical_to_index(np.array([new.origin]))[0]
    ratio = new.spacing[0] / old.spacing[0]
    axes = [torch.arange(n, dtype=torch.float32, device=device) * ratio + float(f) for n, f in zip(new.size, first)]
    z, y, x = torch.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return sample(field, torch.stack([x, y, z])) / ratio


def mean_length(field: torch.Tensor) -> float:
    """Mean length of the vectors of a field (3, ...)."""
    return float((field[0].square() + field[1].square() + field[2].square()).sqrt_().mean())


def then_transform(field: DisplacementField, transform: sitk.Transform) -> DisplacementField:
    """The field followed by a transform, x -> transform(x + u(x)), on the field's grid.

    Where x + u(x) leaves the grid, a transform that is not linear goes on as at the nearest point inside.
    """
    if transform.GetName() == "IdentityTransform":
        return field
    if not transform.IsLinear():
        return followed_by(field, transform, field.grid)
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    linear = np.stack([np.array(transform.TransformPoint(tuple(axis))) - origin for axis in np.eye(3)], axis=1)
    # transform(x + u) - x = A u + (A - 1) x + t, and the part in x is linear in the index.
    grid = field.grid
    step = (linear - np.eye(3)) @ grid.index_to_physical_matrix
    base = (linear - np.eye(3)) @ np.array(grid.origin) + origin
    vectors = np.einsum("ab,bzyx->azyx", linear.astype(np.float32), field.vectors)
    for axis, count in enumerate(grid.size):
        vectors += (step[:, axis, None, None, None] * np.arange(count).reshape(along(axis)[1:])).astype(np.float32)
    vectors += base.astype(np.float32)[:, None, None, None]
    return DisplacementField(vectors, grid)
