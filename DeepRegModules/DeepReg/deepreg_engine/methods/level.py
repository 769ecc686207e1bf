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
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import background_value
from deepreg_engine.geometry.sampling import identity, sample
from deepreg_engine.geometry.volume import draw
from deepreg_engine.methods.affine import without_padding


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
        # The grid's outermost voxels lie up to half a voxel of its own beyond the image: air there would be an edge that is none, and
        # where the overhang is half a voxel of the image, rounding would decide on it.
        self.fixed = draw(without_padding(fixed), grid, default=None).to(device)
        self.fixed_mask = None if fixed_mask is None else _drawn_mask(fixed_mask, grid, None).to(device)

        moving_grid = ImageGrid.of(moving)
        frame = _moving_frame(moving_grid, grid, alignment, reach, ImageGrid.of(fixed))
        alignment = _on_frame(alignment, frame, ImageGrid.of(fixed))
        self._shift = torch.tensor(grid.physical_to_index(np.array([frame.origin]))[0].round(), dtype=torch.float32, device=device)
        self._air = background_value(moving)
        image = draw(without_padding(moving), frame, alignment, self._air)
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


def _drawn_mask(mask: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None) -> torch.Tensor:
    """A mask as shares 0 .. 1 (z, y, x)."""
    return draw(sitk.Cast(mask, sitk.sitkFloat32), grid, transform, default=None if transform is None else 0.0)


def _draw_known(moving: ImageGrid, frame: ImageGrid, alignment: sitk.Transform) -> torch.Tensor:
    """1 where the moving image reaches, 0 elsewhere (z, y, x)."""
    ones = moving.to_image(np.ones(moving.shape, dtype=np.float32))
    return draw(ones, frame, alignment, smooth=False)


def followed_by(field: DisplacementField, transform: sitk.Transform, domain: ImageGrid) -> DisplacementField:
    """x -> transform(x + u(x)) on the field's grid; outside a domain the transform goes on as at the nearest point inside.

    A transform that is not linear may know nothing there: ITK takes a displacement field for the identity outside its grid.
    """
    grid = field.grid
    to_index = np.linalg.inv(domain.index_to_physical_matrix)
    step = to_index @ grid.index_to_physical_matrix
    first = domain.physical_to_index(np.array([grid.origin]))[0]
    beyond = np.einsum("ab,bzyx->azyx", to_index.astype(np.float32), field.vectors)
    for axis, count in enumerate(grid.size):
        beyond += (step[:, axis, None, None, None] * np.arange(count).reshape(along(axis)[1:])).astype(np.float32)
    for axis, count in enumerate(domain.size):
        beyond[axis] += first[axis]
        beyond[axis] -= np.clip(beyond[axis], 0.0, count - 1.0)
    beyond = np.einsum("ab,bzyx->azyx", domain.index_to_physical_matrix.astype(np.float32), beyond)
    inside = DisplacementField(field.vectors - beyond, grid)
    both = sitk.CompositeTransform([transform, inside.to_transform()])  # the last one acts first
    vectors = DisplacementField.from_transform(both, grid).vectors
    vectors += beyond
    return DisplacementField(vectors, grid)


def along(axis: int) -> tuple[int, ...]:
    """Shape of values along an axis x, y, z among vectors (3, z, y, x)."""
    shape = [1, 1, 1, 1]
    shape[3 - axis] = -1
    return tuple(shape)


def _on_frame(alignment: sitk.Transform, frame: ImageGrid, fixed: ImageGrid) -> sitk.Transform:
    """The alignment for the voxels of a frame around the fixed image."""
    if alignment.IsLinear():
        return alignment
    return followed_by(DisplacementField.zeros(frame), alignment, fixed).to_transform()


def _moving_frame(
    moving: ImageGrid, grid: ImageGrid, alignment: sitk.Transform, reach: float, fixed: ImageGrid
) -> ImageGrid:
    """The part of the fixed frame into which the moving image is drawn: what the search may reach of it."""
    frame = grid.padded(int(np.ceil(reach / grid.spacing[0])) + 1)
    box = _box(moving, frame, alignment, fixed)
    if box is None:
        return grid
    low = np.clip(np.floor(box[0]).astype(int) - 1, 0, np.array(frame.size))
    high = np.clip(np.ceil(box[1]).astype(int) + 2, 0, np.array(frame.size))
    return grid if np.any(high <= low) else frame.cropped(low, high)


def _box(
    moving: ImageGrid, frame: ImageGrid, alignment: sitk.Transform, fixed: ImageGrid
) -> tuple[np.ndarray, np.ndarray] | None:
    """Lowest and highest index (x, y, z) of the frame that an alignment takes into the moving image; None if it takes none."""
    if alignment.IsLinear():
        inverse = alignment.GetInverse()
        ends = np.stack(np.meshgrid(*((-0.5, n - 0.5) for n in moving.size), indexing="ij"), axis=-1).reshape(-1, 3)
        corners = [inverse.TransformPoint(point) for point in moving.index_to_physical(ends).tolist()]
        index = frame.physical_to_index(np.array(corners))
        return index.min(axis=0), index.max(axis=0)
    # A coarse look, fine enough not to step over the image.
    coarse = frame.resampled(max(frame.spacing[0], float(min(moving.extent)) / 8))
    covered = np.argwhere(_draw_known(moving, coarse, _on_frame(alignment, coarse, fixed)).numpy() > 0)[:, ::-1]
    if not len(covered):
        return None
    ends = coarse.index_to_physical(np.stack([covered.min(axis=0) - 1.0, covered.max(axis=0) + 1.0]))
    index = frame.physical_to_index(ends)
    return index[0], index[1]
