"""One resolution of a registration: both images on cubic voxels, and the moving image warped by the present field.

The moving image is resampled once, through the initial alignment, into the frame of the fixed image, including a margin for the search; the
displacement field is the remaining deformation. Outside its field of view the moving image repeats its border values, and a second volume,
the coverage, marks where it is known.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F

from deepreg_engine.arrays import new_tensor
from deepreg_engine.features.extractor import Extractor, balanced
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import background_value, without_outliers
from deepreg_engine.geometry.sampling import Lookup, identity, sample
from deepreg_engine.geometry.volume import covered, draw
from deepreg_engine.methods.common.boxes import Box, bounding_box, boxes_around
from deepreg_engine.methods.common.fine_volume import FineVolume
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.moving_frame import extrapolated, moving_frame
from deepreg_engine.solvers.neighbourhood import Neighbourhood

# Voxels with at least this coverage are fully known.
_FULL_COVERAGE = 0.999
# Both paddings of the moving image count as equal if they differ by less than this share of its standard deviation.
_EQUAL_PADDING = 0.05


class LevelData:
    """Images, masks and features at one resolution.

    Args:
        pair: images and masks.
        grid: of the level, with the fixed image's axes.
        alignment: takes fixed points to moving points.
        reach: how far the search may go beyond the grid, mm.
        extractors: of the features of the fixed and of the moving image.
        device: where to compute.
    """

    def __init__(
        self,
        pair: ImagePair,
        grid: ImageGrid,
        alignment: sitk.Transform,
        reach: float,
        extractors: tuple[Extractor, Extractor],
        device: torch.device,
    ) -> None:
        self.grid = grid
        self._extractor = extractors[0]
        self._parts, self._moving_parts = extractors[0].parts, extractors[1].parts
        # Factors that give joined features the same weight, of the fixed image's features; used for both images.
        self._scales = [1.0] * len(self._parts)
        self._scales_known = len(self._parts) == 1
        self.fixed = draw(without_outliers(pair.fixed), grid).to(device)
        self.fixed_mask = None if pair.fixed_mask is None else _resampled_mask(pair.fixed_mask, grid).to(device)
        self._fine_fixed = [FineVolume.of_fixed(pair.fixed, grid, part, device) for part in self._parts]

        moving, fixed_grid, moving_grid = pair.moving, ImageGrid.of(pair.fixed), ImageGrid.of(pair.moving)
        frame = moving_frame(moving_grid, grid, alignment, reach, fixed_grid)
        self._fine_moving = [FineVolume.of_moving(moving, frame, alignment, reach, fixed_grid, part, device) for part in self._moving_parts]
        alignment = extrapolated(alignment, frame, fixed_grid)
        self._shift = new_tensor(grid.physical_to_index(np.array([frame.origin]))[0].round(), dtype=torch.float32, device=device)
        self._background = background_value(moving)
        coverage = covered(moving_grid, frame, alignment)
        volumes = [draw(without_outliers(moving), frame, alignment), coverage]
        if pair.moving_mask is not None:
            volumes.append(_resampled_mask(pair.moving_mask, frame, alignment) * coverage)
        #: Moving image, coverage and, with a moving mask, the mask within it (2 or 3, z, y, x), in the moving frame.
        self._moving = torch.stack(volumes).to(device)
        self._contrast = float(self._moving[0].std())
        # Sampling repeats the faces of the frame, where the image continues but its values are unknown.
        inner = torch.zeros_like(self._moving[0])
        inner[1:-1, 1:-1, 1:-1] = 1.0
        self._moving[1:] *= inner
        self.has_moving_mask = pair.moving_mask is not None
        self._fixed_features: torch.Tensor | None = None
        self._moving_features: list[Lookup | None] = [None] * len(self._parts)

    @property
    def spacing(self) -> float:
        """Voxel size, mm."""
        return self.grid.spacing[0]

    def fixed_features(self) -> torch.Tensor:
        """Return the features of the fixed image (C, z, y, x)."""
        if self._fixed_features is None:
            found = []
            for number, (part, fine) in enumerate(zip(self._parts, self._fine_fixed, strict=True)):
                features = part(self.fixed, self.spacing) if fine is None else fine.features(part)
                if len(self._parts) > 1:
                    features, self._scales[number] = balanced(features)
                found.append(features)
            self._scales_known = True
            self._fixed_features = found[0] if len(found) == 1 else torch.cat(found)
            self._fine_fixed = [None] * len(self._parts)
        return self._fixed_features

    def fixed_neighbourhood(self, stride: int) -> Neighbourhood:
        """Return the fixed image's features at every ``stride``-th voxel; with a stride above 1 the others are released."""
        found = Neighbourhood.of(self.fixed_features(), stride)
        if stride > 1:
            self._fixed_features = None
        return found

    def fixed_lookup(self) -> Lookup:
        """Return the fixed image's features for sampling; the tensor of :meth:`fixed_features` is released."""
        found = Lookup(self.fixed_features())
        self._fixed_features = None
        return found

    def prepare(self) -> None:
        """Compute the features of the moving image that do not follow the warp, which are computed once."""
        for number, part in enumerate(self._moving_parts):
            if not part.kind.follows_warp:
                self._unwarped(number)

    def coverage(self, field: torch.Tensor) -> torch.Tensor:
        """Return the share in which the moving image, warped by a field (3, z, y, x), is known at each voxel (z, y, x)."""
        return sample(self._moving[1:2], self._frame_index(field))[0]

    def warped(self, field: torch.Tensor, padding: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the moving side warped by a field; outside its field of view the moving image repeats its border values.

        Args:
            field: (3, z, y, x), voxels; outside the grid it repeats its values at the faces.
            padding: voxels by which the result exceeds the grid on each side.

        Returns:
            Features (C, z, y, x); the coverage (z, y, x); and the moving mask (z, y, x), None without one.
        """
        index = self._frame_index(field, padding)
        values = sample(self._moving, index)
        features = self._warped_features(values[0], index)
        return features, values[1], values[2] if self.has_moving_mask else None

    def warped_neighbourhood(
        self, field: torch.Tensor, stride: int, recompute: bool = True
    ) -> tuple[Neighbourhood, torch.Tensor, torch.Tensor | None]:
        """Return the moving side warped by a field at every ``stride``-th voxel, with the derivatives of its features.

        Args:
            field: (3, z, y, x), voxels.
            stride: distance of the voxels along each axis.
            recompute: whether features that follow the warp are computed from the warped image; otherwise the features of the
                unwarped image are warped.

        Returns:
            Features; and at these voxels the coverage and the moving mask, None without one.
        """
        index = self._frame_index(field)
        parts, image = [], None
        for number, part in enumerate(self._moving_parts):
            if recompute and part.kind.follows_warp:
                image = sample(self._moving[:1], index)[0] if image is None else image
                parts.append(Neighbourhood.of(part(image, self.spacing), stride))
            else:
                parts.append(Neighbourhood.sampled(self._unwarped(number), index, stride))
        if not self._scales_known:  # the factors are computed with the fixed image's features
            self.fixed_features()
        every = slice(None, None, stride)
        values = sample(self._moving[1:], index[:, every, every, every])
        return Neighbourhood.joined(parts, self._scales), values[0], values[1] if self.has_moving_mask else None

    def warped_best_padding(self, field: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the moving side warped by a field, as :meth:`warped`, with the better of two paddings of the moving image.

        Features near the border depend on the unknown surroundings of the moving image. Most often the patient continues there,
        and border values are repeated. Where the moving image was cropped, or the fixed image ends in air too, air (the background
        value) is better. Each voxel uses the padding whose features are more similar to those of the fixed image, so that unknown
        surroundings do not cause a displacement.
        """
        index = self._frame_index(field)
        values = sample(self._moving, index)
        features, coverage = self._warped_features(values[0], index), values[1]
        following = sum(part.channels for part in self._moving_parts if part.kind.follows_warp)
        if following:
            in_air = torch.lerp(torch.full_like(coverage, self._background), values[0], coverage)
            # Where the image ends in air, as around a head or beside a trunk, both paddings are equal.
            differ = (in_air - values[0]).abs_() > _EQUAL_PADDING * self._contrast
            # The refinement ignores voxels that are mostly unknown; gradients involve their direct neighbours.
            needed = bounding_box(coverage > 0.5, 1)
            for whole in boxes_around(differ.logical_and_(coverage < _FULL_COVERAGE), self._extractor.reach):
                box = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(whole, needed, strict=True))
                if any(part.stop <= part.start for part in box):
                    continue
                repeated, fixed = (side[(slice(0, following), *box)] for side in (features, self.fixed_features()))
                other = self._features_within(in_air, box)
                excess = torch.zeros_like(other[0])
                for f, m, a in zip(fixed, repeated, other, strict=True):  # |f - a|^2 - |f - m|^2
                    excess.addcmul_(a - m, (a + m).sub_(f, alpha=2.0))
                repeated.copy_(torch.where(excess < 0, other, repeated))
        return features, coverage, values[2] if self.has_moving_mask else None

    def _frame_index(self, field: torch.Tensor, padding: int = 0) -> torch.Tensor:
        """Return indices in the moving frame (3, z, y, x) to which a field takes the grid's voxels."""
        extended = F.pad(field[None], (padding,) * 6, mode="replicate")[0] if padding else field
        return identity(extended.shape[1:], extended) + extended - (self._shift + padding).view(3, 1, 1, 1)

    def _warped_features(self, image: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        found = []
        for number, part in enumerate(self._moving_parts):
            found.append(part(image, self.spacing) if part.kind.follows_warp else self._unwarped(number).sample(index))
        if len(found) == 1:
            return found[0]
        self.fixed_features()  # computes the scales
        return self._joined(found)

    def _joined(self, parts: list[torch.Tensor]) -> torch.Tensor:
        """Return the features of joined parts of the moving image, each scaled like that of the fixed image."""
        return torch.cat([part * scale for part, scale in zip(parts, self._scales, strict=False)])

    def _unwarped(self, number: int) -> Lookup:
        """Return the features of the moving image in its frame (C, z, y, x), of one of the joined features."""
        found = self._moving_features[number]
        if found is None:
            fine, part = self._fine_moving[number], self._moving_parts[number]
            found = Lookup(part(self._moving[0], self.spacing) if fine is None else fine.features(part))
            self._moving_features[number] = found
            self._fine_moving[number] = None
        return found

    def _features_within(self, image: torch.Tensor, box: Box) -> torch.Tensor:
        """Return features, of those that follow the warp, in a box of an image."""
        low = [max(0, part.start - self._extractor.reach) for part in box]
        wide = tuple(slice(start, part.stop + self._extractor.reach) for start, part in zip(low, box, strict=True))
        inner = tuple(slice(part.start - start, part.stop - start) for start, part in zip(low, box, strict=True))
        parts = [part(image[wide], self.spacing)[(slice(None), *inner)] for part in self._moving_parts if part.kind.follows_warp]
        return parts[0] if len(self._parts) == 1 else self._joined(parts)


def _resampled_mask(mask: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None = None) -> torch.Tensor:
    """Return a mask on a grid, as shares 0 to 1 (z, y, x)."""
    return draw(sitk.Cast(mask, sitk.sitkFloat32), grid, transform)
