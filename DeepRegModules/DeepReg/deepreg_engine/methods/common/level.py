"""One resolution of a registration: both images on cubic voxels, and the moving one seen through the present field.

The moving image is drawn once, through the initial alignment, into the frame of the fixed image, as far as the search may
reach; the displacement field is what remains. Outside its field of view it is what surrounds a patient in a scan (air), and
a second volume says where it is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F

from deepreg_engine.features.extractor import Extractor, balanced
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import background_value, without_padding
from deepreg_engine.geometry.sampling import Lookup, identity, sample
from deepreg_engine.geometry.volume import covered, draw
from deepreg_engine.solvers.neighbourhood import Neighbourhood

# A share of what is known that is all of it.
_WHOLE = 0.999
# Two guesses at what lies beyond the moving image are alike if they differ by less than this share of the image's standard deviation.
_ALIKE = 0.05
# HU below which a voxel is fat or air.
_FAT = -50.0
# Voxels along an edge of the cells in which places are looked up.
_CELL = 4


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
        moving_extractor: of the moving image's features, where they have one of their own.
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
        moving_extractor: Extractor | None = None,
    ) -> None:
        self.grid = grid
        self._extractor = extractor
        self._moving_extractor = moving_extractor or extractor
        self._parts, self._moving_parts = extractor.parts, self._moving_extractor.parts
        # Of features that are joined: what makes each part count alike, on both sides.
        self._scales = [1.0] * len(self._parts)
        self._balanced = len(self._parts) == 1
        self.fixed = draw(without_padding(fixed), grid).to(device)
        self.fixed_mask = None if fixed_mask is None else _drawn_mask(fixed_mask, grid).to(device)
        # What features need that look at voxels of their own size.
        self._finer_fixed = [_Finer.of_fixed(fixed, grid, part, device) for part in self._parts]

        moving_grid, given = ImageGrid.of(moving), alignment
        frame = _moving_frame(moving_grid, grid, alignment, reach, ImageGrid.of(fixed))
        alignment = _on_frame(alignment, frame, ImageGrid.of(fixed))
        self._shift = torch.tensor(grid.physical_to_index(np.array([frame.origin]))[0].round(), dtype=torch.float32, device=device)
        self._air = background_value(moving)
        known = covered(moving_grid, frame, alignment)
        self._finer_moving = [
            _Finer.of_moving(moving, frame, given, reach, ImageGrid.of(fixed), part, device) for part in self._moving_parts
        ]
        parts = [draw(without_padding(moving), frame, alignment), known]
        if moving_mask is not None:
            parts.append(_drawn_mask(moving_mask, frame, alignment) * known)
        self._moving = torch.stack(parts).to(device)
        self._contrast = float(self._moving[0].std())
        # Beyond the frame sampling goes on with its faces: with those of the image, but with nothing that is known.
        inner = torch.zeros_like(self._moving[0])
        inner[1:-1, 1:-1, 1:-1] = 1.0
        self._moving[1:] *= inner
        self.has_moving_mask = moving_mask is not None
        self._fixed_features: torch.Tensor | None = None
        self._moving_features: list[Lookup | None] = [None] * len(self._parts)

    @property
    def spacing(self) -> float:
        """Voxel size, mm."""
        return self.grid.spacing[0]

    def hounsfield(self) -> dict[str, bool]:
        """Whether each image can be CT in HU, "fixed" and "moving": then some of it is fat or air."""
        return {side: float(volume.min()) < _FAT for side, volume in (("fixed", self.fixed), ("moving", self._moving[0]))}

    def fixed_features(self) -> torch.Tensor:
        """Features of the fixed image (C, z, y, x)."""
        if self._fixed_features is None:
            found = []
            for number, (part, finer) in enumerate(zip(self._parts, self._finer_fixed)):
                features = part(self.fixed, self.spacing) if finer is None else finer.features(part)
                if len(self._parts) > 1:
                    features, self._scales[number] = balanced(features)
                found.append(features)
            self._balanced = True
            self._fixed_features = found[0] if len(found) == 1 else torch.cat(found)
            self._finer_fixed = [None] * len(self._parts)
        return self._fixed_features

    def fixed_seen(self, stride: int) -> Neighbourhood:
        """What is looked at of the fixed image's features; the rest of them is let go."""
        found = Neighbourhood.of(self.fixed_features(), stride)
        if stride > 1:
            self._fixed_features = None
        return found

    def fixed_lookup(self) -> Lookup:
        """The fixed image's features, to be looked up; they are not kept twice."""
        found = Lookup(self.fixed_features())
        self._fixed_features = None
        return found

    def prepare(self) -> None:
        """Compute what is computed once of the moving image: features that do not follow the warp."""
        for number, part in enumerate(self._moving_parts):
            if not part.kind.follows_warp:
                self._unwarped(number)

    def warped_known(self, field: torch.Tensor) -> torch.Tensor:
        """The share in which the moving image is known, seen through a field (z, y, x)."""
        return sample(self._moving[1:2], self._places(field))[0]

    def warped(self, field: torch.Tensor, padding: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """The moving side seen through a field; beyond its faces the moving image goes on as it is at them.

        Args:
            field: (3, z, y, x), voxels; it goes on beyond the grid with its values at the faces.
            padding: voxels beyond the grid on each side that are wanted too.

        Returns:
            Features (C, z, y, x); the share in which the moving image is known (z, y, x); and its mask, if there is one.
        """
        index = self._places(field, padding)
        values = sample(self._moving, index)
        features = self._warped_features(values[0], index)
        return features, values[1], values[2] if self.has_moving_mask else None

    def seen(self, field: torch.Tensor, stride: int, anew: bool = True) -> tuple[Neighbourhood, torch.Tensor, torch.Tensor | None]:
        """The moving side seen through a field at every so manieth voxel, with what changes around it.

        Args:
            field: (3, z, y, x), voxels.
            stride: distance of the voxels that are looked at.
            anew: whether features that follow the warp are computed anew; else those of the unwarped image are warped.

        Returns:
            Features; and there the share in which the moving image is known, and its mask, if there is one.
        """
        index = self._places(field)
        parts, image = [], None
        for number, part in enumerate(self._moving_parts):
            if anew and part.kind.follows_warp:
                image = sample(self._moving[:1], index)[0] if image is None else image
                parts.append(Neighbourhood.of(part(image, self.spacing), stride))
            else:
                parts.append(Neighbourhood.sampled(self._unwarped(number), index, stride))
        if not self._balanced:  # the fixed side says how much of each part counts
            self.fixed_features()
        every = slice(None, None, stride)
        values = sample(self._moving[1:], index[:, every, every, every])
        return Neighbourhood.joined(parts, self._scales), values[0], values[1] if self.has_moving_mask else None

    def fitted(self, field: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """The moving side seen through a field, as :meth:`warped`, with the better guess at what lies beyond the moving image.

        Nobody knows, but features look there. Most often the patient goes on, but where the moving image was cut out of a wider
        one, or the fixed one ends in air too, it is air. At each voxel that of the two counts whose features are nearer to the
        fixed ones: what is not known is no reason to move.
        """
        index = self._places(field)
        values = sample(self._moving, index)
        features, known = self._warped_features(values[0], index), values[1]
        following = sum(part.channels for part in self._moving_parts if part.kind.follows_warp)
        if following:
            aired = torch.lerp(torch.full_like(known, self._air), values[0], known)
            # Where the image ends in air, as around a head or beside a trunk, both guesses are the same.
            differ = (aired - values[0]).abs_() > _ALIKE * self._contrast
            # A refinement asks nothing of voxels that are mostly unknown; gradients look at their next neighbours.
            asked = _box_of(known > 0.5, 1)
            for whole in _boxes_around(differ.logical_and_(known < _WHOLE), self._extractor.reach):
                box = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(whole, asked))
                if any(part.stop <= part.start for part in box):
                    continue
                repeated, fixed = (side[(slice(0, following), *box)] for side in (features, self.fixed_features()))
                other = self._features_within(aired, box)
                excess = torch.zeros_like(other[0])
                for f, m, a in zip(fixed, repeated, other):  # |f - a|^2 - |f - m|^2
                    excess.addcmul_(a - m, (a + m).sub_(f, alpha=2.0))
                repeated.copy_(torch.where(excess < 0, other, repeated))
        return features, known, values[2] if self.has_moving_mask else None

    def _places(self, field: torch.Tensor, padding: int = 0) -> torch.Tensor:
        """Indices of the moving frame (3, z, y, x) that a field takes the grid's voxels to."""
        extended = F.pad(field[None], (padding,) * 6, mode="replicate")[0] if padding else field
        return identity(extended.shape[1:], extended) + extended - (self._shift + padding).view(3, 1, 1, 1)

    def _warped_features(self, image: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        found = []
        for number, part in enumerate(self._moving_parts):
            found.append(part(image, self.spacing) if part.kind.follows_warp else self._unwarped(number).sample(index))
        return self._together(found)

    def _together(self, parts: list[torch.Tensor]) -> torch.Tensor:
        """Features of joined parts of the moving image, as much of each as on the fixed side."""
        if len(self._parts) == 1:
            return parts[0]
        self.fixed_features()
        return torch.cat([part * scale for part, scale in zip(parts, self._scales)])

    def _unwarped(self, number: int) -> Lookup:
        """Features of the moving image in its frame (C, z, y, x), by one of the parts."""
        if self._moving_features[number] is None:
            finer, part = self._finer_moving[number], self._moving_parts[number]
            features = part(self._moving[0], self.spacing) if finer is None else finer.features(part)
            self._moving_features[number] = Lookup(features)
            self._finer_moving[number] = None
        return self._moving_features[number]

    def _features_within(self, image: torch.Tensor, box: tuple[slice, ...]) -> torch.Tensor:
        """Features, of those that follow the warp, of a part of an image."""
        low = [max(0, part.start - self._extractor.reach) for part in box]
        wide = tuple(slice(start, part.stop + self._extractor.reach) for start, part in zip(low, box))
        inner = tuple(slice(part.start - start, part.stop - start) for start, part in zip(low, box))
        parts = [part(image[wide], self.spacing)[(slice(None), *inner)] for part in self._moving_parts if part.kind.follows_warp]
        return parts[0] if len(self._parts) == 1 else torch.cat([part * scale for part, scale in zip(parts, self._scales)])


@dataclass(frozen=True)
class _Finer:
    """An image on voxels of the size that features look at; it is the same at each resolution.

    Args:
        volume: (z, y, x).
        spacing: voxel size, mm.
        index: places of the resolution's voxels in it (3, z, y, x).
    """

    volume: torch.Tensor
    spacing: float
    index: torch.Tensor

    @classmethod
    def of_fixed(cls, image: sitk.Image, grid: ImageGrid, extractor: Extractor, device: torch.device) -> _Finer | None:
        """The fixed image, for a resolution's grid; None if the features take voxels as they come."""
        if extractor.finest <= 0.0:
            return None
        own = ImageGrid.of(image).resampled(extractor.finest)
        return cls(draw(without_padding(image), own).to(device), own.spacing[0], _places_in(own, grid).to(device))

    @classmethod
    def of_moving(
        cls,
        image: sitk.Image,
        frame: ImageGrid,
        alignment: sitk.Transform,
        reach: float,
        fixed: ImageGrid,
        extractor: Extractor,
        device: torch.device,
    ) -> _Finer | None:
        """The moving image in the fixed frame, as far as the search may reach, for a resolution's frame of it; or None."""
        if extractor.finest <= 0.0:
            return None
        own = _moving_frame(ImageGrid.of(image), fixed.resampled(extractor.finest), alignment, reach, fixed)
        volume = draw(without_padding(image), own, _on_frame(alignment, own, fixed))
        return cls(volume.to(device), own.spacing[0], _places_in(own, frame).to(device))

    def features(self, extractor: Extractor) -> torch.Tensor:
        """(C, z, y, x) at the resolution's voxels."""
        return extractor.at(self.volume, self.spacing, self.index)


def _places_in(own: ImageGrid, grid: ImageGrid) -> torch.Tensor:
    """Indices (3, z, y, x) of a grid's voxels in another grid with the same axes."""
    first = own.physical_to_index(np.array([grid.origin]))[0]
    axes = [torch.arange(n, dtype=torch.float32) * (grid.spacing[0] / own.spacing[0]) + float(f) for n, f in zip(grid.size, first)]
    z, y, x = torch.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return torch.stack([x, y, z])


def _box_of(marked: torch.Tensor, margin: int) -> tuple[slice, ...]:
    """The smallest box with all marked voxels (z, y, x) and a margin; an empty one if there is none."""
    box = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        found = marked.any(dim=others[1]).any(dim=others[0]).nonzero()
        if not len(found):
            return (slice(0, 0),) * 3
        box.append(slice(max(0, int(found[0]) - margin), min(marked.shape[axis], int(found[-1]) + 1 + margin)))
    return tuple(box)


def _boxes_around(marked: torch.Tensor, reach: int) -> list[tuple[slice, ...]]:
    """Boxes, none of which overlap, with all voxels that lie within ``reach`` of marked ones (z, y, x), and not too many others.

    Marked are the borders of a volume, so the boxes are what lies around the largest box without marks, about.
    """
    size = marked.shape
    if min(size) <= 2 * (_CELL + 2 * reach):
        return [tuple(slice(0, n) for n in size)] if bool(marked.any()) else []
    wide = F.max_pool3d(marked[None].float(), _CELL + 2 * reach, _CELL, reach, ceil_mode=True)
    cells = wide[0].cpu().numpy() > 0
    low, high = [0, 0, 0], list(cells.shape)
    while (clear := cells[tuple(map(slice, low, high))]).any():
        shares = [(clear.take(end, axis).mean(), axis, end) for axis in range(3) for end in (0, -1)]
        _, axis, end = max(shares)
        if end:
            high[axis] -= 1
        else:
            low[axis] += 1
    boxes, rest = [], [slice(0, n) for n in size]
    for axis, count in enumerate(size):
        start, stop = min(low[axis] * _CELL, count), min(high[axis] * _CELL, count)
        for part in (slice(0, start), slice(stop, count)):
            if part.stop > part.start:
                boxes.append((*rest[:axis], part, *rest[axis + 1 :]))
        rest[axis] = slice(start, stop)
        if start == stop:
            break
    return boxes


def _drawn_mask(mask: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None = None) -> torch.Tensor:
    """A mask as shares 0 .. 1 (z, y, x)."""
    return draw(sitk.Cast(mask, sitk.sitkFloat32), grid, transform)


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


def _moving_frame(moving: ImageGrid, grid: ImageGrid, alignment: sitk.Transform, reach: float, fixed: ImageGrid) -> ImageGrid:
    """The part of the fixed frame into which the moving image is drawn: what the search may reach of it."""
    frame = grid.padded(int(np.ceil(reach / grid.spacing[0])) + 1)
    box = _box(moving, frame, alignment, fixed)
    if box is None:
        return grid
    low = np.clip(np.floor(box[0]).astype(int) - 1, 0, np.array(frame.size))
    high = np.clip(np.ceil(box[1]).astype(int) + 2, 0, np.array(frame.size))
    return grid if np.any(high <= low) else frame.cropped(low, high)


def _box(moving: ImageGrid, frame: ImageGrid, alignment: sitk.Transform, fixed: ImageGrid) -> tuple[np.ndarray, np.ndarray] | None:
    """Lowest and highest index (x, y, z) of the frame that an alignment takes into the moving image; None if it takes none."""
    if alignment.IsLinear():
        inverse = alignment.GetInverse()
        ends = np.stack(np.meshgrid(*((-0.5, n - 0.5) for n in moving.size), indexing="ij"), axis=-1).reshape(-1, 3)
        corners = [inverse.TransformPoint(point) for point in moving.index_to_physical(ends).tolist()]
        index = frame.physical_to_index(np.array(corners))
        return index.min(axis=0), index.max(axis=0)
    # A coarse look, fine enough not to step over the image.
    coarse = frame.resampled(max(frame.spacing[0], float(min(moving.extent)) / 8))
    found = np.argwhere(covered(moving, coarse, _on_frame(alignment, coarse, fixed)).numpy() > 0)[:, ::-1]
    if not len(found):
        return None
    ends = coarse.index_to_physical(np.stack([found.min(axis=0) - 1.0, found.max(axis=0) + 1.0]))
    index = frame.physical_to_index(ends)
    return index[0], index[1]
