"""Förstner keypoints: positions where the image changes in every direction, such as the branching of a vessel.

The structure tensor, products of the image's derivatives averaged over a Gaussian window, determines how accurately a position can be
localised; 1 / trace(A^-1) of the tensor A is large if all directions are well localised. Keypoints are its local maxima.

Förstner and Gülch, "A fast operator for detection and precise location of distinct points", 1987; in 3D: Heinrich, Handels, Simpson,
"Estimating large lung motion in COPD patients by symmetric regularised correspondence fields", MICCAI 2015.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Voxels whose tensors are in memory at once.
_BLOCK = 1_500_000
# A position is flat if the tensor's minors are below this share of the volume's mean squared steepness, squared, or the result below this
# share of the maximum.
_FLAT = 1e-7


def distinctiveness(volume: Tensor, sigma: float = 1.4) -> Tensor:
    """Return 1 / trace(A^-1) of the structure tensor A at every voxel (z, y, x), slab by slab.

    Args:
        volume: (z, y, x), cubic voxels.
        sigma: of the window, voxels.
    """
    kernel = _gaussian(sigma, volume.device)
    least = _FLAT * _steepness(volume) ** 2
    reach = len(kernel) // 2 + 2
    depth = volume.shape[0]
    rows = max(1, _BLOCK // (volume.shape[1] * volume.shape[2]))
    parts = []
    for start in range(0, depth, rows):
        first, last = max(0, start - reach), min(depth, start + rows + reach)
        whole = _slab(volume[first:last], kernel, least)
        parts.append(whole[start - first : start - first + min(rows, depth - start)])
    return torch.cat(parts)


def _gaussian(sigma: float, device: torch.device) -> Tensor:
    half = max(1, math.ceil(2.5 * sigma))
    x = torch.arange(-half, half + 1, dtype=torch.float32, device=device)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2)
    return kernel / kernel.sum()


def _steepness(volume: Tensor) -> float:
    """Return the mean squared difference of neighbouring voxels, summed over the axes. It is computed for the whole volume, so that all
    slabs have one threshold."""
    rows = max(1, _BLOCK // (volume.shape[1] * volume.shape[2]))
    squares = [
        float(part.diff(dim=axis).square().sum(dtype=torch.float64))
        for start in range(0, volume.shape[0], rows)
        for axis, part in enumerate((volume[start : start + rows + 1], volume[start : start + rows], volume[start : start + rows]))
    ]
    return sum(squares) / volume.numel()


def _slab(volume: Tensor, kernel: Tensor, least: float) -> Tensor:
    gradient = [_derivative(volume, axis) for axis in range(3)]
    tensor = torch.stack([gradient[a] * gradient[b] for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))])
    xx, yy, zz, xy, xz, yz = _smoothed(tensor, kernel)
    minors = xx * yy - xy * xy + xx * zz - xz * xz + yy * zz - yz * yz
    determinant = xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz)
    # trace(A^-1) is the sum of the principal minors over the determinant.
    return determinant.clamp(min=0.0) / minors.clamp(min=max(least, 1e-30))


def _derivative(volume: Tensor, axis: int) -> Tensor:
    """Return the derivative by five points (as in Förstner and Gülch), per voxel; the border values are repeated."""
    weights = torch.tensor([1.0, -8.0, 0.0, 8.0, -1.0], device=volume.device) / 12.0
    return _along(volume[None], weights, axis)[0]


def _smoothed(volumes: Tensor, kernel: Tensor) -> Tensor:
    for axis in range(3):
        volumes = _along(volumes, kernel, axis)
    return volumes


def _along(volumes: Tensor, kernel: Tensor, axis: int) -> Tensor:
    """Return the correlation of volumes (C, z, y, x) with a kernel along one axis; the border values are repeated."""
    half, axis, count = len(kernel) // 2, axis + 1, volumes.shape[axis + 1]
    first, last = volumes.narrow(axis, 0, 1), volumes.narrow(axis, count - 1, 1)
    padded = torch.cat([*[first] * half, volumes, *[last] * half], dim=axis)
    total = None
    for offset, weight in enumerate(kernel.tolist()):  # a sum of shifted volumes: many times faster than conv3d on a CPU
        if weight != 0.0:
            part = padded.narrow(axis, offset, count)
            total = part * weight if total is None else total.add_(part, alpha=weight)
    return volumes * 0.0 if total is None else total


def _highest(volume: Tensor, distance: int) -> Tensor:
    """Return the maximum over the cube of half width ``distance`` around each voxel; values are not negative."""
    for axis in range(3):
        count = volume.shape[axis]
        shape = list(volume.shape)
        shape[axis] = distance
        edge = volume.new_zeros(shape)
        highest, width = torch.cat([edge, volume, edge], dim=axis), 1
        while width < 2 * distance + 1:  # windows of twice the width are maxima of two
            step = min(width, 2 * distance + 1 - width)
            size = highest.shape[axis] - step
            highest = torch.maximum(highest.narrow(axis, 0, size), highest.narrow(axis, step, size))
            width += step
        volume = highest.narrow(axis, 0, count)
    return volume


def keypoints(volume: Tensor, mask: Tensor | None, sigma: float, distance: int, count: int) -> tuple[Tensor, Tensor]:
    """Return the most distinctive positions.

    Args:
        volume: (z, y, x), cubic voxels.
        mask: (z, y, x); keypoints are searched where it is above 0.5; None is the whole volume.
        sigma: of the window, voxels.
        distance: no two are nearer than this along all three axes, voxels.
        count: largest number of keypoints; the most distinctive are kept.

    Returns:
        Continuous indices (N, 3) in the order x, y, z, to a fraction of a voxel, most distinctive first; and their distinctiveness (N,).
    """
    response = distinctiveness(volume, sigma)
    if mask is not None:
        response = response * (mask > 0.5)
    # At the faces derivatives depend on the padding.
    border = 2
    inner = torch.zeros_like(response)
    part = tuple(slice(border, max(border, n - border)) for n in response.shape)
    inner[part] = response[part]
    highest = _highest(inner, distance)
    threshold = _FLAT * float(inner.max())
    where = ((inner == highest) & (inner > max(threshold, 0.0))).nonzero()
    values = inner[where[:, 0], where[:, 1], where[:, 2]]
    order = values.argsort(descending=True, stable=True)
    where, values = _thinned(where[order], values[order], distance)
    where, values = where[:count], values[:count]
    return _peaks(response, where).flip(1), values


def _thinned(where: Tensor, values: Tensor, distance: int) -> tuple[Tensor, Tensor]:
    """Remove positions that are equal to an earlier one and near it: plateaus have several maxima."""
    if len(where) == 0 or not bool((values[1:] == values[:-1]).any()):
        return where, values
    seen: set[tuple[int, ...]] = set()
    keep = []
    for number, place in enumerate(where.tolist()):
        cell = tuple(v // (distance + 1) for v in place)
        if cell not in seen:
            seen.add(cell)
            keep.append(number)
    kept = torch.tensor(keep, device=where.device)
    return where[kept], values[kept]


def _peaks(response: Tensor, where: Tensor) -> Tensor:
    """Return the tops of the parabolas through each maximum and its neighbours, axis by axis (N, 3), z, y, x."""
    places = where.double()
    here = response[where[:, 0], where[:, 1], where[:, 2]].double()
    for axis in range(3):
        step = torch.zeros(3, dtype=where.dtype, device=where.device)
        step[axis] = 1
        below, above = (response[tuple((where + sign * step).T)].double() for sign in (-1, 1))
        bend = 2.0 * here - below - above
        places[:, axis] += torch.where(bend > 0, 0.5 * (above - below) / bend.clamp(min=1e-30), 0.0).clamp(-0.5, 0.5)
    return places
