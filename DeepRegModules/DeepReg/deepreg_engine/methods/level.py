"""One resolution of a registration: both images on cubic voxels, and the moving one seen through the present field.

The moving image is drawn once, through the initial alignment, into the frame of the fixed image, as far as the search may
reach; the displacement field is what remains. Outside its field of view it is what surrounds a patient in a scan (air), and
a second volume says where it is known.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F

from deepreg_engine.features.extractors import Extractor
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import background_value
from deepreg_engine.geometry.sampling import identity, sample
from deepreg_engine.geometry.volume import draw


class LevelData:
    """Images, masks and features at one resolution.

    Args:
        fixed, moving: float32 images.
        grid: of the level, with the fixed image's axes.
        alignment: takes fixed points to moving points.
        reach: how far the search may go, mm.
        fixed_mask, moving_mask: 8-bit, on the images' grids.
        extractor: of the features.
        device: where to compute.
    """

    def __init__(
        self,
        fixed: sitk.Image,
        moving: sitk.Image,
        grid: ImageGrid,
        alignment: sitk.Transform,
        reach: float,
        fixed_mask: sitk.Image | None,
        moving_mask: sitk.Image | None,
        extractor: Extractor,
        device: torch.device,
    ) -> None:
        self.grid = grid
        self._extractor = extractor
        air = background_value(fixed)
        image = draw(sitk.Clamp(fixed, lowerBound=air) if air > _lowest(fixed) else fixed, grid, default=air)
        self.fixed = image.to(device)
        self.fixed_mask = None if fixed_mask is None else _drawn_mask(fixed_mask, grid, None).to(device)

        moving_grid = ImageGrid.of(moving)
        frame = _moving_frame(moving_grid, grid, alignment, reach)
        self._shift = torch.tensor(grid.physical_to_index(np.array([frame.origin]))[0].round(), dtype=torch.float32, device=device)
        self._air = background_value(moving)
        image = draw(sitk.Clamp(moving, lowerBound=self._air) if self._air > _lowest(moving) else moving, frame, alignment, self._air)
        # Sampling falls to 0 outside, so air has to be 0.
        parts = [image - self._air, _draw_known(moving_grid, frame, alignment)]
        if moving_mask is not None:
            parts.append(_drawn_mask(moving_mask, frame, alignment))
        self._moving = torch.stack(parts).to(device)
        self.has_moving_mask = moving_mask is not None
        self._fixed_features: torch.Tensor | None = None
        self._moving_features: torch.Tensor | None = None

    @property
    def spacing(self) -> float:
        """Voxel size, mm."""
        return self.grid.spacing[0]

    def fixed_features(self) -> torch.Tensor:
        """Features of the fixed image (C, z, y, x)."""
        if self._fixed_features is None:
            self._fixed_features = self._extractor(self.fixed, self.spacing)
        return self._fixed_features

    def warped_known(self, field: torch.Tensor) -> torch.Tensor:
        """The share in which the moving image is known, seen through a field (z, y, x)."""
        index = identity(field.shape[1:], field) + field - self._shift.view(3, 1, 1, 1)
        return sample(self._moving[1:2], index, "zeros")[0]

    def warped(self, field: torch.Tensor, padding: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """The moving side seen through a field.

        Args:
            field: (3, z, y, x), voxels; it goes on beyond the grid with its values at the faces.
            padding: voxels beyond the grid on each side that are wanted too.

        Returns:
            Features (C, z, y, x); the share in which the moving image is known (z, y, x); and its mask, if there is one.
        """
        extended = F.pad(field[None], (padding,) * 6, mode="replicate")[0] if padding else field
        index = identity(extended.shape[1:], extended) + extended - (self._shift + padding).view(3, 1, 1, 1)
        values = sample(self._moving, index, "zeros")
        if self._extractor.follows_warp:
            features = self._extractor(values[0] + self._air, self.spacing)
        else:
            if self._moving_features is None:
                self._moving_features = self._extractor(self._moving[0] + self._air, self.spacing)
            features = sample(self._moving_features, index, "border")
        return features, values[1], values[2] if self.has_moving_mask else None


def _lowest(image: sitk.Image) -> float:
    return float(sitk.GetArrayViewFromImage(image).min())


def _drawn_mask(mask: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None) -> torch.Tensor:
    """A mask as shares 0 .. 1 (z, y, x)."""
    return draw(sitk.Cast(mask, sitk.sitkFloat32), grid, transform)


def _draw_known(moving: ImageGrid, frame: ImageGrid, alignment: sitk.Transform) -> torch.Tensor:
    """1 where the moving image reaches, 0 elsewhere (z, y, x)."""
    ones = moving.to_image(np.ones(moving.shape, dtype=np.float32))
    return draw(ones, frame, alignment, smooth=False)


def _moving_frame(moving: ImageGrid, grid: ImageGrid, alignment: sitk.Transform, reach: float) -> ImageGrid:
    """The part of the fixed frame into which the moving image is drawn: what the search may reach of it."""
    frame = grid.padded(int(np.ceil(reach / grid.spacing[0])) + 1)
    box = _box(moving, frame, alignment)
    if box is None:
        return grid
    low = np.clip(np.floor(box[0]).astype(int) - 1, 0, np.array(frame.size))
    high = np.clip(np.ceil(box[1]).astype(int) + 2, 0, np.array(frame.size))
    return grid if np.any(high <= low) else frame.cropped(low, high)


def _box(moving: ImageGrid, frame: ImageGrid, alignment: sitk.Transform) -> tuple[np.ndarray, np.ndarray] | None:
    """Lowest and highest index (x, y, z) of the frame that an alignment takes into the moving image; None if it takes none."""
    if alignment.IsLinear():
        inverse = alignment.GetInverse()
        ends = np.stack(np.meshgrid(*((-0.5, n - 0.5) for n in moving.size), indexing="ij"), axis=-1).reshape(-1, 3)
        corners = [inverse.TransformPoint(point) for point in moving.index_to_physical(ends).tolist()]
        index = frame.physical_to_index(np.array(corners))
        return index.min(axis=0), index.max(axis=0)
    # A coarse look, fine enough not to step over the image.
    coarse = frame.resampled(max(frame.spacing[0], float(min(moving.extent)) / 8))
    covered = np.argwhere(_draw_known(moving, coarse, alignment).numpy() > 0)[:, ::-1]
    if not len(covered):
        return None
    ends = coarse.index_to_physical(np.stack([covered.min(axis=0) - 1.0, covered.max(axis=0) + 1.0]))
    index = frame.physical_to_index(ends)
    return index[0], index[1]
