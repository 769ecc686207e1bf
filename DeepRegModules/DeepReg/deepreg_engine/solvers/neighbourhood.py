"""Feature volumes for a descent step: their values at every n-th voxel along each axis, and the differences of its neighbours.

In a warped volume only these voxels and their neighbours are sampled: half of all voxels for n = 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deepreg_engine.geometry.sampling import Lookup, sample

_Take = Callable[[tuple[slice, ...]], Tensor]


@dataclass(frozen=True)
class Neighbourhood:
    """Values and slopes at every n-th voxel.

    Args:
        values: (C, z, y, x), ceil(n / stride) values along each axis of n voxels.
        slopes: along x, y and z, each as ``values``: the difference of both neighbours, twice the derivative; at the faces of the volume
            twice the one-sided difference, and 0 along an axis of one voxel.
        shape: voxels of the whole volume (z, y, x).
    """

    values: Tensor
    slopes: tuple[Tensor, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, volume: Tensor, stride: int) -> Neighbourhood:
        """Return, of a volume (C, z, y, x), every ``stride``-th voxel along each axis, from the first on."""
        return cls._taken(lambda place: volume[(slice(None), *place)], tuple(volume.shape[1:]), stride)

    @classmethod
    def sampled(cls, volume: Tensor | Lookup, index: Tensor, stride: int) -> Neighbourhood:
        """Return the same of a volume sampled at continuous indices (3, z, y, x), of which only the required ones are computed."""

        def take(place: tuple[slice, ...]) -> Tensor:
            places = index[(slice(None), *place)]
            return volume.sample(places) if isinstance(volume, Lookup) else sample(volume, places)

        if stride == 1:  # each voxel is a neighbour of a selected one
            return cls.of(take((slice(None),) * 3), stride)
        return cls._taken(take, tuple(index.shape[1:]), stride)

    @classmethod
    def joined(cls, parts: Sequence[Neighbourhood], scales: Sequence[float]) -> Neighbourhood:
        """Return the concatenated channels of several neighbourhoods, each multiplied by its scale."""
        if len(parts) == 1:
            return parts[0]
        values = torch.cat([part.values * scale for part, scale in zip(parts, scales, strict=True)])
        slopes = (torch.cat([part.slopes[axis] * scale for part, scale in zip(parts, scales, strict=True)]) for axis in range(3))
        return cls(values, tuple(slopes), parts[0].shape)

    @classmethod
    def _taken(cls, take: _Take, shape: tuple[int, ...], stride: int) -> Neighbourhood:
        lattice = (slice(None, None, stride),) * 3
        values = take(lattice).contiguous()  # a copy, so that the whole volume can be freed
        return cls(values, tuple(_slope(take, values, axis, shape[axis], stride) for axis in (2, 1, 0)), shape)


def _slope(take: _Take, values: Tensor, axis: int, count: int, stride: int) -> Tensor:
    """Return the slope along an axis z, y, x (0, 1, 2) of ``count`` voxels at the positions of ``values``."""
    if count == 1:
        return torch.zeros_like(values)

    def beside(first: int) -> Tensor:
        place = [slice(None, None, stride)] * 3
        place[axis] = slice(first, None, stride)
        return take(tuple(place))

    after = beside(1)
    before = after if stride == 2 else beside(stride - 1)
    dim = axis + 1
    places = values.shape[dim]
    # The last place has no voxel behind it if it is the last voxel.
    inner = places - (2 if stride * (places - 1) == count - 1 else 1)
    pieces = [2.0 * (after.narrow(dim, 0, 1) - values.narrow(dim, 0, 1))]
    if inner > 0:
        pieces.append(after.narrow(dim, 1, inner) - before.narrow(dim, 0, inner))
    if inner + 1 < places:
        pieces.append(2.0 * (values.narrow(dim, places - 1, 1) - before.narrow(dim, places - 2, 1)))
    return torch.cat(pieces, dim)
