"""MIND-SSC: the modality independent neighbourhood descriptor with self-similarity context.

    MIND(x)_(i,j) = exp(-D(x + s_i, x + s_j) / V(x)),   D(a, b) = mean over a patch of (I(a + p) - I(b + p))^2

for the 12 pairs (i, j) of the six neighbours s that are sqrt(2) apart; the smallest of the 12 distances is subtracted from
all, and V is their mean, clipped to 0.001 .. 1000 times its average over the image. The descriptor measures the similarity of the
neighbours of a voxel with each other, not their intensity, so that it compares CT with CT and CT with MR in the same way.

Heinrich, Jenkinson, Papiez, Brady, Schnabel, "Towards realtime multimodal fusion for image-guided interventions using
self-similarities", MICCAI 2013.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

CHANNELS = 12

# The six neighbours, in voxels of the dilation, z, y, x; and the pairs of them that are sqrt(2) apart, first > second.
NEIGHBOURS = ((-1, 0, 0), (0, 0, -1), (0, -1, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0))
PAIRS = tuple(
    (first, second)
    for first in range(6)
    for second in range(first)
    if sum((a - b) ** 2 for a, b in zip(NEIGHBOURS[first], NEIGHBOURS[second], strict=True)) == 2
)

# V is clipped to these multiples of its mean.
_VARIANCE_RANGE = (1e-3, 1e3)


# Voxels of one slab: its twelve distances stay in the cache while they are computed.
_SLAB_VOXELS = {"cpu": 1 << 15}
_SLAB_VOXELS_ELSEWHERE = 1 << 24


def mind_ssc(volume: torch.Tensor, radius: int = 1, dilation: int = 2) -> torch.Tensor:
    """Return the descriptor of every voxel.

    Args:
        volume: (z, y, x), any intensities.
        radius: of the patch, in voxels: it has (2 radius + 1)^3.
        dilation: distance of the neighbours, in voxels.

    Returns:
        (12, z, y, x), between 0 and 1, in the order of :data:`PAIRS`. Border values of the image are repeated outside, and so are those of
        the distances when they are averaged over a patch. Differentiable.
    """
    padded = F.pad(volume[None, None], (dilation,) * 6, mode="replicate")[0, 0]
    depth = volume.shape[0]
    if torch.is_grad_enabled() and volume.requires_grad:
        distances = _distances(padded, 0, depth, radius, dilation)
        low, high = _variance_range(distances.detach().mean(), volume.dtype)
        return torch.exp(-distances / distances.mean(0, keepdim=True).clamp(low, high))
    descriptor = volume.new_empty(CHANNELS, *volume.shape)
    slabs = _slabs(volume)
    for start, stop in slabs:
        descriptor[:, start:stop] = _distances(padded, start, stop, radius, dilation)
    variance = descriptor.mean(0, keepdim=True)
    low, high = _variance_range(variance.mean(), volume.dtype)
    variance.clamp_(low, high).reciprocal_().neg_()
    for start, stop in slabs:
        descriptor[:, start:stop].mul_(variance[:, start:stop]).exp_()
    return descriptor


def _slabs(volume: torch.Tensor) -> list[tuple[int, int]]:
    limit = _SLAB_VOXELS.get(volume.device.type, _SLAB_VOXELS_ELSEWHERE)
    step = max(1, limit // max(1, volume[0].numel()))
    return [(start, min(start + step, len(volume))) for start in range(0, len(volume), step)]


def _variance_range(average: torch.Tensor, dtype: torch.dtype) -> tuple[float, float]:
    """Return the bounds of V; in an image without contrast, whose average is 0, bounds that avoid 0 / 0."""
    least = max(float(average), torch.finfo(dtype).tiny * 1e6)
    return least * _VARIANCE_RANGE[0], least * _VARIANCE_RANGE[1]


def _distances(padded: torch.Tensor, start: int, stop: int, radius: int, dilation: int) -> torch.Tensor:
    """Return the twelve distances less their minimum (12, stop - start, y, x) of an image padded by the dilation."""
    depth, height, width = (n - 2 * dilation for n in padded.shape)
    low, high = max(start - radius, 0), min(stop + radius, depth)  # slices that the patches of these slices cover
    shifted = []
    for z, y, x in NEIGHBOURS:
        z, y, x = (dilation * (1 + step) for step in (z, y, x))
        shifted.append(padded[z + low : z + high, y : y + height, x : x + width])
    distances = torch.stack([(shifted[first] - shifted[second]).square_() for first, second in PAIRS])
    if radius:
        # Slices are replicated only at the faces of the image; elsewhere their neighbours exist.
        distances = _running_sum(distances, 1, radius, (radius - (start - low), radius - (high - stop)))
        distances = _running_sum(_running_sum(distances, 2, radius), 3, radius)
        distances = distances.mul_(1.0 / (2 * radius + 1) ** 3)
    return distances - distances.amin(0, keepdim=True)


def _running_sum(volume: torch.Tensor, axis: int, radius: int, padding: tuple[int, int] | None = None) -> torch.Tensor:
    """Return the sums of 2 radius + 1 neighbours along an axis, the ends replicated ``padding`` times (``radius`` by default)."""
    before, after = padding if padding is not None else (radius, radius)
    first, last = volume.narrow(axis, 0, 1), volume.narrow(axis, volume.shape[axis] - 1, 1)
    padded = torch.cat([first] * before + [volume] + [last] * after, dim=axis)
    count = padded.shape[axis] - 2 * radius
    total = padded.narrow(axis, 0, count) + padded.narrow(axis, 1, count)
    for offset in range(2, 2 * radius + 1):
        total = total.add_(padded.narrow(axis, offset, count))
    return total
