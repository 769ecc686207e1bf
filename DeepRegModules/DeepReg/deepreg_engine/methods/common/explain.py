"""Base of the explanations of a registration of two images: both images at a method's resolutions, the moving one warped by the result."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.arrays import array_of
from deepreg_engine.errors import InputError, NotEnoughMemoryError
from deepreg_engine.features.colours import make_palette
from deepreg_engine.features.extractor import Extractor
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.base import required
from deepreg_engine.methods.common.device import choose_device, free_memory
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.lengths import ScaledParameters, in_millimetres
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.common.presets import Preset
from deepreg_engine.methods.common.resolution import finest_spacing
from deepreg_engine.models.store import FeatureParameters, load_extractors
from deepreg_engine.progress import Progress, no_progress

FINE = "fine"
# The largest number of voxels of the fine resolution, and the range of its displacements, voxels.
FINE_VOXELS, FINE_RADIUS = 1.0e6, 4
# Larger images, voxels of both together, are not kept: all resolutions are computed at once.
_KEPT_VOXELS = 60e6
# Costs in memory for a slab of a map, at least.
SLAB_VALUES = 12_000_000
_BYTES, _SLACK = 4, 1.2


class ImageParameters(FeatureParameters, ScaledParameters, Protocol):
    """Parameters of a method that registers images."""

    @property
    def working_spacing(self) -> float: ...  # noqa: D102

    @property
    def working_voxels(self) -> float: ...  # noqa: D102


P = TypeVar("P", bound=ImageParameters)


class ImageExplanation(Generic[P]):
    """Both images at the resolutions of a method, the moving one warped by the result.

    Args:
        pair: images and masks.
        transform: the result, from fixed to moving points.
        parameters: of the run.
        device: see :func:`choose_device`.
        progress: callback, receives the share done and the stage; it may raise to stop.

    Raises:
        InputError: if the images do not overlap under the transform.
        NotEnoughMemoryError: if the memory does not suffice.
        DeviceError, ParameterError: if the device or the features do not exist.

    Attributes:
        presets: of the method.
    """

    presets: tuple[Preset, ...] = ()

    def __init__(
        self, pair: ImagePair, transform: sitk.Transform, parameters: P, device: str = "auto", progress: Progress | None = None
    ) -> None:
        progress = progress or no_progress
        self.fixed_grid = ImageGrid.of(pair.fixed)
        self.parameters = in_millimetres(parameters, self.presets, self.fixed_grid)
        self._device, self.device_name = choose_device(device)
        self._extractors: tuple[Extractor, Extractor] = load_extractors(parameters)
        self._grids = self._resolutions()
        self._check_memory(ImageGrid.of(pair.moving))
        self._levels: dict[str, LevelData] = {}
        self._source: tuple[ImagePair, sitk.Transform] | None = pair, transform
        # A resolution is computed when it is first used, provided that the images are small enough to be kept until then.
        large = self.fixed_grid.voxels + ImageGrid.of(pair.moving).voxels > _KEPT_VOXELS
        names = list(self._grids) if large else list(self._grids)[:1]
        for number, name in enumerate(names):
            progress(number / len(names), f"images at {self._grids[name][0].spacing[0]:.3g} mm")
            self._level(name)
        if large:
            self._source = None

    @property
    def features_name(self) -> str:
        """Name of the compared features."""
        return " and ".join(dict.fromkeys(extractor.name for extractor in self._extractors))

    def feature_colours(self) -> tuple[np.ndarray, np.ndarray, ImageGrid]:
        """Return the features of the fixed and of the warped moving image in the same colours, (3, z, y, x) uint8 each; and their grid.

        The moving image's colours are black where it is not known. See :mod:`deepreg_engine.features.colours`.
        """
        with torch.no_grad():
            data = self._level(FINE)
            fixed = data.fixed_features()
            moving, coverage, _ = data.warped(self._zero_field(data.grid))
            palette = make_palette(fixed, moving)
            colours = palette(moving) * (coverage > 0.5)
            return array_of(palette(fixed)), array_of(colours), data.grid

    def _level(self, name: str) -> LevelData:
        """Return the images at a resolution."""
        if name not in self._levels:
            pair, transform = required(self._source, "image pair")
            grid, reach = self._grids[name]
            data = LevelData(pair, grid, transform, reach, self._extractors, self._device)
            if not bool((data.coverage(self._zero_field(grid)) > 0).any()):
                raise InputError(
                    "under the transform the images have no point in common", "choose the transform that belongs to the two images"
                )
            self._levels[name] = data
            if len(self._levels) == len(self._grids):
                self._source = None
        return self._levels[name]

    def _resolutions(self) -> dict[str, tuple[ImageGrid, float]]:
        """Return the name of a resolution to its grid, and how far the moving image is used beyond the grid, mm."""
        parameters = self.parameters
        spacing = finest_spacing(self.fixed_grid, parameters.working_spacing, min(parameters.working_voxels, FINE_VOXELS / 1e6))
        grid = self.fixed_grid.resampled(spacing)
        reach = max(extractor.reach for extractor in self._extractors)
        control = self._control_voxels(spacing)
        return {FINE: (grid, (FINE_RADIUS + control + reach + 1) * spacing)}

    def _check_memory(self, moving: ImageGrid) -> None:
        channels = max(extractor.channels for extractor in self._extractors)
        values = 3.0 * self.fixed_grid.voxels + 5.0 * moving.voxels
        for grid, reach in self._grids.values():
            padded = grid.padded(int(np.ceil(reach / grid.spacing[0]))).voxels
            values += 3.0 * padded + 2.5 * channels * padded
        needed, available = _SLACK * _BYTES * (values + 4.0 * SLAB_VALUES), self._free_memory()
        if needed > available:
            raise NotEnoughMemoryError(
                f"the explanation needs about {needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} GB are free",
                "close other programs, or crop the images",
            )

    def _free_memory(self) -> float:
        return free_memory(self._device)

    def _zero_field(self, grid: ImageGrid) -> torch.Tensor:
        return torch.zeros(3, *grid.shape, device=self._device)

    def _control_voxels(self, spacing: float) -> float:
        """Return the distance of the control points of the fine resolution, in voxels of ``spacing`` mm."""
        return 2.0
