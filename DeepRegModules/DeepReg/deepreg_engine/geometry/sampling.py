"""Interpolation on voxel grids in torch: differentiable, on every device.

Positions and displacements here are in voxels, components in the order x, y, z; volumes are (channels, z, y, x). The
normalised coordinates that torch wants never leave :func:`sample`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

# Fewer voxels are sampled before threads have begun.
_SHARED_VOXELS = 20_000
# With fewer channels than this a voxel fills too little of a line of the cache for its channels to lie together.
_MANY_CHANNELS = 6
# Indices of a table's rows are 32 bit.
_MOST_ROWS = 2**31 - 1


def sample(volume: torch.Tensor, index: torch.Tensor, outside: str = "border") -> torch.Tensor:
    """Trilinear values of a volume at continuous indices.

    Args:
        volume: (C, Z, Y, X).
        index: (3, z, y, x), components x, y, z, in voxels of the volume; voxel centres are whole numbers.
        outside: "border" goes on with the value of the nearest face, "zeros" falls to 0 within one voxel.

    Returns:
        (C, z, y, x).
    """
    extent = torch.tensor([max(n - 1, 1) for n in volume.shape[:0:-1]], dtype=index.dtype, device=index.device)
    normalised = index.permute(1, 2, 3, 0) * (2.0 / extent) - 1.0
    if volume.device.type == "mps":  # Metal has no 3D grid_sample; the interpolation runs on the CPU instead
        values = F.grid_sample(volume.cpu()[None], normalised.cpu()[None], padding_mode=outside, align_corners=True)
        return values[0].to(volume.device)
    if volume.device.type == "cpu" and not (torch.is_grad_enabled() and (volume.requires_grad or index.requires_grad)):
        return _by_threads(volume, normalised, outside)
    return F.grid_sample(volume[None], normalised[None], padding_mode=outside, align_corners=True)[0]


def _by_threads(volume: torch.Tensor, normalised: torch.Tensor, outside: str) -> torch.Tensor:
    """The same on all threads: on a CPU grid_sample shares out batches, not voxels, so slabs of slices are made a batch.

    Args:
        volume: (C, Z, Y, X).
        normalised: (z, y, x, 3), as grid_sample wants it.
        outside: "border" or "zeros".
    """
    depth, height, width = normalised.shape[:3]
    parts = min(torch.get_num_threads(), depth)
    if parts == 1 or depth * height * width < _SHARED_VOXELS:
        return F.grid_sample(volume[None], normalised[None], padding_mode=outside, align_corners=True)[0]
    thick = -(-depth // parts)
    missing = parts * thick - depth
    if missing:
        normalised = torch.cat([normalised, normalised[-1:].expand(missing, -1, -1, -1)])
    slabs = normalised.reshape(parts, thick, height, width, 3)
    values = F.grid_sample(volume.expand(parts, -1, -1, -1, -1), slabs, padding_mode=outside, align_corners=True)
    return values.transpose(0, 1).reshape(volume.shape[0], parts * thick, height, width)[:, :depth]


class Lookup:
    """A volume of many channels in which places are looked up again and again: as :func:`sample` at the border, several times faster.

    On a CPU the channels of a voxel are laid side by side. A place then is eight rows of a table, each with its weight, and no
    longer eight values in each channel, far from each other in memory.

    Args:
        volume: (C, Z, Y, X); it must not change as long as places are looked up.
    """

    def __init__(self, volume: torch.Tensor) -> None:
        self._shape = volume.shape
        wide = volume.shape[0] >= _MANY_CHANNELS and volume.dtype in (torch.float32, torch.float64)
        fits = volume[0].numel() <= _MOST_ROWS and volume.device.type == "cpu"
        recorded = torch.is_grad_enabled() and volume.requires_grad
        self._table = volume.reshape(len(volume), -1).T.contiguous() if wide and fits and not recorded else None
        self._volume = volume if self._table is None else None

    def sample(self, index: torch.Tensor) -> torch.Tensor:
        """Trilinear values (C, z, y, x) at continuous indices (3, z, y, x); beyond the faces their values."""
        if self._table is None:
            return sample(self._volume, index)
        if torch.is_grad_enabled() and index.requires_grad:
            return sample(self._table.T.reshape(self._shape), index)
        rows, weights = _corners(index.reshape(3, -1), self._shape[:0:-1])
        values = F.embedding_bag(rows, self._table, per_sample_weights=weights.to(self._table.dtype), mode="sum")
        return values.T.reshape(self._shape[0], *index.shape[1:])


def _corners(index: torch.Tensor, size: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """The eight voxels around places (3, n), held inside a volume of a size x, y, z: their numbers, x fastest, and weights, both (n, 8)."""
    below, after, strides, stride = [], [], [], 1
    for place, count in zip(index, size):
        place = place.nan_to_num(0.0).clamp(0, count - 1)  # what is no number would become a row that does not exist
        first = place.floor().clamp(max=max(count - 2, 0))
        below.append(first.int())
        after.append(place - first)
        strides.append(stride if count > 1 else 0)  # along an axis of one voxel there is no other: it has no weight
        stride *= count
    rows = index.new_empty(index.shape[1], 8, dtype=torch.int32)
    weights = index.new_empty(index.shape[1], 8)
    base = (below[2] * size[1] + below[1]) * size[0] + below[0]
    for corner in range(8):
        ends = [corner >> axis & 1 for axis in range(3)]
        torch.add(base, sum(stride for end, stride in zip(ends, strides) if end), out=rows[:, corner])
        x, y, z = (share if end else 1.0 - share for end, share in zip(ends, after))
        torch.mul(x * y, z, out=weights[:, corner])
    return rows, weights


def identity(shape: tuple[int, int, int], like: torch.Tensor) -> torch.Tensor:
    """The indices (3, z, y, x) of a grid's own voxels, components x, y, z."""
    axes = [torch.arange(n, dtype=like.dtype, device=like.device) for n in shape]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z])


def warp(volume: torch.Tensor, displacement: torch.Tensor, outside: str = "border") -> torch.Tensor:
    """The volume (C, z, y, x) pulled back by a displacement (3, z, y, x) in voxels: value at x of volume(x + u(x))."""
    return sample(volume, identity(displacement.shape[1:], displacement) + displacement, outside)


def compose(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Displacements in voxels of x -> second(first(x)): first(x) + second(x + first(x)), held at the faces."""
    return first + warp(second, first)


def separable(volume: torch.Tensor, matrices: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Apply one matrix (new, old) along each of the axes z, y, x of a volume (C, Z, Y, X)."""
    for axis, matrix in zip((3, 2, 1), reversed(matrices)):
        volume = torch.movedim(torch.tensordot(volume, matrix, dims=([axis], [1])), -1, axis)
    return volume.contiguous()
