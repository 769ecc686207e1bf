"""Template matching with MIND-SSC: find a point of the fixed image in a small window of the moving image.

    cost(d) = mean over a patch of |MIND_F(p) - MIND_M(p + d)|^2,   d over a window of whole steps, then between steps by a parabola

Each call matches one point, in numpy, so that it runs without torch, in a few milliseconds. The descriptor is that of
:mod:`deepreg_engine.features.mind`, with a patch of 3 x 3 x 3 steps and its neighbours one step apart.

Confidence = (c2 - c1) / c2 with the lowest cost c1 and the lowest cost c2 that is two steps or more away from it: 0 if another position
matches equally well (a surface along which the image does not change, a region without structure) or if the lowest cost lies on the
window's border, and near 1 if no other position matches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# A step of the neighbours and one of the patch over which distances are averaged.
MARGIN = 2
#: Half the patch that is compared, in steps.
PATCH = 4
#: Half the window that is searched, in steps.
SEARCH = 6
# The six neighbours, and the pairs of them that are sqrt(2) apart, as in the module mind.
_NEIGHBOURS = ((-1, 0, 0), (0, 0, -1), (0, -1, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0))
_PAIRS = tuple(
    (a, b) for a in range(6) for b in range(a) if sum((i - j) ** 2 for i, j in zip(_NEIGHBOURS[a], _NEIGHBOURS[b], strict=True)) == 2
)
# Penalty at the border of the window: without other evidence the prediction is kept.
_PRIOR = 2e-3
_FLAT = 1e-9

# Maps points (N, 3) to values (N,), and to whether the image covers them (N,).
Sampler = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class PatchMatch:
    """The position at which a patch was found.

    Args:
        offset: (3,), in steps along the axes of the arrays.
        confidence: 0 to 1.
        at_border: whether the lowest cost lies on the border of the window, so that the correct position may be outside.
    """

    offset: np.ndarray
    confidence: float
    at_border: bool


@dataclass(frozen=True)
class PointMatch:
    """The position at which a point was found.

    Args:
        position: (3,), in the moving image, mm.
        confidence: 0 to 1.
        shift: distance from the predicted position, mm.
    """

    position: np.ndarray
    confidence: float
    shift: float


def mind(volume: np.ndarray) -> np.ndarray:
    """Return the descriptor (12, z - 4, y - 4, x - 4) of a volume (z, y, x), for voxels at least :data:`MARGIN` from its faces."""
    volume = np.asarray(volume, dtype=np.float64)
    size = np.array(volume.shape)
    near = [volume[tuple(slice(1 + s, n - 1 + s) for s, n in zip(shift, size, strict=True))] for shift in _NEIGHBOURS]
    distances = np.stack([_box((near[a] - near[b]) ** 2) for a, b in _PAIRS])
    distances -= distances.min(axis=0)
    variance = distances.mean(axis=0)
    mean = variance.mean()
    if mean <= 0.0:
        return np.ones_like(distances)
    return np.exp(-distances / np.clip(variance, 1e-3 * mean, 1e3 * mean))


def _box(volume: np.ndarray) -> np.ndarray:
    """Return the mean over 3 x 3 x 3 voxels, without the border voxels."""
    for axis in range(3):
        parts = [np.take(volume, range(start, volume.shape[axis] - 2 + start), axis=axis) for start in range(3)]
        volume = (parts[0] + parts[1] + parts[2]) / 3.0
    return volume


def match_patch(fixed: np.ndarray, moving: np.ndarray) -> PatchMatch:
    """Find a patch in a larger one, both cubes with an odd number of voxels, the same step and the same centre.

    Args:
        fixed: side 2 (patch + :data:`MARGIN`) + 1.
        moving: larger by twice the search.
    """
    search = (moving.shape[0] - fixed.shape[0]) // 2
    one, two = mind(fixed), mind(moving)
    cost = _costs(one, two)
    steps = np.arange(-search, search + 1, dtype=np.float64) / max(search, 1)
    square = steps**2
    cost = cost + _PRIOR * (square[:, None, None] + square[None, :, None] + square[None, None, :]) / 3.0
    best = np.array(np.unravel_index(int(np.argmin(cost)), cost.shape))
    lowest = float(cost[tuple(best)])
    apart = np.max(
        [
            np.abs(np.arange(cost.shape[axis]) - best[axis]).reshape([-1 if axis == a else 1 for a in range(3)]) + np.zeros(cost.shape)
            for axis in range(3)
        ],
        axis=0,
    )
    others = cost[apart >= 2]
    second = float(others.min()) if others.size else lowest
    at_border = bool(search and ((best == 0) | (best == cost.shape[0] - 1)).any())
    flat = max(np.ptp(fixed), np.ptp(moving)) < _FLAT or one.std(axis=0).max() < 1e-6
    confidence = 0.0 if flat or at_border or second <= 0 else max(0.0, (second - lowest) / second)
    return PatchMatch(best - search + _between(cost, best), float(confidence), at_border)


def _costs(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Return the mean squared difference of descriptors (C, n, n, n) at each position of the smaller in the larger volume, by Fourier
    transforms."""
    shape, patch = moving.shape[1:], fixed.shape[1:]
    count = fixed.size
    spectrum = np.fft.rfftn(moving, axes=(1, 2, 3))
    kernel = np.fft.rfftn(fixed, s=shape, axes=(1, 2, 3))
    common = np.fft.irfftn((spectrum * np.conj(kernel)).sum(axis=0), s=shape, axes=(0, 1, 2))
    ones = np.fft.rfftn(np.ones(patch), s=shape, axes=(0, 1, 2))
    energy = np.fft.irfftn(np.fft.rfftn((moving**2).sum(axis=0)) * np.conj(ones), s=shape, axes=(0, 1, 2))
    places = tuple(slice(0, n - m + 1) for n, m in zip(shape, patch, strict=True))
    return np.maximum(0.0, ((fixed**2).sum() + energy[places] - 2.0 * common[places]) / count)


def _between(cost: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Return the offset, in steps, from the lowest cost to the vertex of the parabola through it and its neighbours, along each axis."""
    shift = np.zeros(3)
    for axis in range(3):
        if 0 < best[axis] < cost.shape[axis] - 1:
            before, after = best.copy(), best.copy()
            before[axis] -= 1
            after[axis] += 1
            a, b, c = (float(cost[tuple(place)]) for place in (before, best, after))
            bend = a - 2.0 * b + c
            if bend > 0:
                shift[axis] = np.clip(0.5 * (a - c) / bend, -0.5, 0.5)
    return shift


def match_point(
    fixed: Sampler, moving: Sampler, point: np.ndarray, predicted: np.ndarray, linear: np.ndarray, step: float, window: float
) -> PointMatch:
    """Find a point of the fixed image in the moving image, near where a transform predicts it.

    Args:
        fixed, moving: the images.
        point: (3,), in the fixed image, mm.
        predicted: (3,), in the moving image, mm.
        linear: (3, 3), derivative of the transform at the point.
        step: finest distance of samples, mm.
        window: half width of the searched region around the prediction, mm.

    Returns:
        The match; its confidence counts only the share of samples that lie in the images.
    """
    point, start = np.asarray(point, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    position, confidence = start.copy(), 0.0
    for spacing, search in _passes(step, window):
        values, share = [], 1.0
        for sampler, centre, axes, half in (
            (fixed, point, np.eye(3), PATCH + MARGIN),
            (moving, position, np.asarray(linear), PATCH + MARGIN + search),
        ):
            offsets = _lattice(half) * spacing
            found, inside = sampler(centre + offsets @ axes.T)
            values.append(found.reshape((2 * half + 1,) * 3))
            share *= float(inside.mean())
        match = match_patch(*values)
        confidence = match.confidence * share
        position = position + np.asarray(linear) @ (match.offset * spacing)
    return PointMatch(position, confidence, float(np.linalg.norm(position - start)))


def _passes(step: float, window: float) -> list[tuple[float, int]]:
    """Return the step (mm) and the search range (steps) of each pass: the whole window, then, if its step is coarse, a finer pass around
    its result."""
    coarse = max(step, window / SEARCH)
    passes = [(coarse, max(1, int(round(window / coarse))))]
    if coarse > 1.5 * step:
        passes.append((step, int(np.clip(np.ceil(1.5 * coarse / step), 2, SEARCH))))
    return passes


def _lattice(half: int) -> np.ndarray:
    """Return integer steps (N, 3) around 0; the first axis slowest."""
    return np.stack(np.meshgrid(*(np.arange(-half, half + 1, dtype=np.float64),) * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def trilinear(volume: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values (N,) of a volume (z, y, x) at continuous indices (N, 3), x, y, z, and whether they lie in it; outside, the border
    values are repeated.
    """
    index = np.asarray(index, dtype=np.float64)[:, ::-1]
    last = np.array(volume.shape) - 1
    inside = np.all((index >= -0.5) & (index <= last + 0.5), axis=1)
    held = np.clip(index, 0, last)
    lower = np.minimum(held.astype(np.int64), np.maximum(last - 1, 0))
    share = held - lower
    values = np.zeros(len(index))
    for corner in np.ndindex(2, 2, 2):
        place = np.minimum(lower + corner, last)
        weight = np.where(corner, share, 1.0 - share).prod(axis=1)
        values += weight * volume[place[:, 0], place[:, 1], place[:, 2]]
    return values, inside
