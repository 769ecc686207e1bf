"""Interpolation on voxel grids in torch: differentiable, on every device.

Positions and displacements here are in voxels, components in the order x, y, z; volumes are (channels, z, y, x). The
normalised coordinates that torch wants never leave :func:`sample`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

# Fewer voxels are sampled before threads have begun.
_SHARED_VOXELS = 20_000

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
