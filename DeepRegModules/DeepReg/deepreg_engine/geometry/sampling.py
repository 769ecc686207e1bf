"""Differentiable interpolation on voxel grids in torch, on every device.

Positions and displacements here are in voxels, components in the order x, y, z; volumes are (channels, z, y, x). Only
:func:`sample` uses the normalised coordinates of ``grid_sample``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

# Sampling fewer voxels than this takes less time than starting threads.
_SHARED_VOXELS = 20_000
# With fewer channels a voxel fills too little of a cache line for the table of :class:`Lookup` to be faster.
_MANY_CHANNELS = 6
# Row indices of the table have 32 bits.
_MOST_ROWS = 2**31 - 1


def sample(volume: torch.Tensor, index: torch.Tensor, outside: str = "border") -> torch.Tensor:
    """Return the trilinear values of a volume at continuous indices.

    Args:
        volume: (C, Z, Y, X).
        index: (3, z, y, x), components x, y, z, in voxels of the volume; voxel centres are whole numbers.
        outside: "border" repeats the value of the nearest face, "zeros" falls to 0 within one voxel.

    Returns:
        (C, z, y, x).
    """
    extent = torch.tensor([max(n - 1, 1) for n in volume.shape[:0:-1]], dtype=index.dtype, device=index.device)
    normalised = index.permute(1, 2, 3, 0) * (2.0 / extent) - 1.0
    if volume.device.type == "mps":  # Metal has no 3D grid_sample: the interpolation runs on the CPU
        values = F.grid_sample(volume.cpu()[None], normalised.cpu()[None], padding_mode=outside, align_corners=True)
        return values[0].to(volume.device)
    if volume.device.type == "cpu" and not (torch.is_grad_enabled() and (volume.requires_grad or index.requires_grad)):
        return _by_threads(volume, normalised, outside)
    return F.grid_sample(volume[None], normalised[None], padding_mode=outside, align_corners=True)[0]


def _by_threads(volume: torch.Tensor, normalised: torch.Tensor, outside: str) -> torch.Tensor:
    """As :func:`sample`, on all threads: on a CPU, grid_sample distributes batches, not voxels, so slabs of slices form a batch.

    Args:
        volume: (C, Z, Y, X).
        normalised: (z, y, x, 3), coordinates of grid_sample.
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
    """A volume of many channels that is sampled repeatedly: as :func:`sample` with "border", several times faster on a CPU.

    There the channels of a voxel are stored side by side. The value at an index is a weighted sum of eight rows of a table, instead of
    eight values in each channel that lie far apart in memory.

    Args:
        volume: (C, Z, Y, X); it must not change while it is sampled.
    """

    def __init__(self, volume: torch.Tensor) -> None:
        self._shape = volume.shape
        wide = volume.shape[0] >= _MANY_CHANNELS and volume.dtype in (torch.float32, torch.float64)
        fits = volume[0].numel() <= _MOST_ROWS and volume.device.type == "cpu"
        recorded = torch.is_grad_enabled() and volume.requires_grad
        self._table = volume.reshape(len(volume), -1).T.contiguous() if wide and fits and not recorded else None
        self._volume = volume if self._table is None else volume.new_empty(0)

    def sample(self, index: torch.Tensor) -> torch.Tensor:
        """Return trilinear values (C, z, y, x) at continuous indices (3, z, y, x), with the values of the faces beyond them."""
        if self._table is None:
            return sample(self._volume, index)
        if torch.is_grad_enabled() and index.requires_grad:
            return sample(self._table.T.reshape(self._shape), index)
        rows, weights = _corners(index.reshape(3, -1), self._shape[:0:-1])
        values = F.embedding_bag(rows, self._table, per_sample_weights=weights.to(self._table.dtype), mode="sum")
        return values.T.reshape(self._shape[0], *index.shape[1:])


def _corners(index: torch.Tensor, size: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return row numbers (x fastest) and weights, both (n, 8), of the eight voxels around indices (3, n), clamped to a size x, y, z."""
    below, after, strides, stride = [], [], [], 1
    for place, count in zip(index, size, strict=True):
        place = place.nan_to_num(0.0).clamp(0, count - 1)  # NaN would give an invalid row number
        first = place.floor().clamp(max=max(count - 2, 0))
        below.append(first.int())
        after.append(place - first)
        strides.append(stride if count > 1 else 0)  # along an axis of one voxel the second corner is the first, with weight 0
        stride *= count
    rows = index.new_empty(index.shape[1], 8, dtype=torch.int32)
    weights = index.new_empty(index.shape[1], 8)
    base = (below[2] * size[1] + below[1]) * size[0] + below[0]
    for corner in range(8):
        ends = [corner >> axis & 1 for axis in range(3)]
        torch.add(base, sum(stride for end, stride in zip(ends, strides, strict=True) if end), out=rows[:, corner])
        x, y, z = (share if end else 1.0 - share for end, share in zip(ends, after, strict=True))
        torch.mul(x * y, z, out=weights[:, corner])
    return rows, weights


def identity(shape: Sequence[int], like: torch.Tensor) -> torch.Tensor:
    """Return the indices (3, z, y, x) of the voxels of a grid of the given shape, components x, y, z."""
    axes = [torch.arange(n, dtype=like.dtype, device=like.device) for n in shape]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z])


def warp(volume: torch.Tensor, displacement: torch.Tensor, outside: str = "border") -> torch.Tensor:
    """Return the volume (C, z, y, x) warped by a displacement u (3, z, y, x) in voxels: volume(x + u(x))."""
    return sample(volume, identity(displacement.shape[1:], displacement) + displacement, outside)


def compose(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return displacements in voxels of x -> second(first(x)): first(x) + second(x + first(x)), clamped to the faces."""
    return first + warp(second, first)


def separable(volume: torch.Tensor, matrices: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return a volume (C, Z, Y, X) multiplied by one matrix (new, old) along each of the axes z, y, x."""
    tensordot: Any = torch.tensordot  # the annotation of tensordot lacks a pair of lists
    for axis, matrix in zip((3, 2, 1), reversed(matrices), strict=True):
        volume = torch.movedim(tensordot(volume, matrix, dims=([axis], [1])), -1, axis)
    return volume.contiguous()
