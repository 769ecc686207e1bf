"""Intensity augmentation: other contrasts of the same tissues, and simulated effects of scanners.

Intensities are those of the networks' inputs, from -1 to 1 for most tissues, see :func:`standard_intensities`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from deepreg_engine.geometry.sampling import sample
from deepreg_engine.solvers.descent import smooth
from deepreg_engine.training.augmentation.draws import RandomDraws
from deepreg_engine.training.augmentation.spatial import nearest_labels

# Standard deviations of a CT's intensities between examinations: of the logarithm of their gain, and of their offset.
_GAIN, _OFFSET = 0.1, 0.05
# Nodes of a random curve over the intensities.
_CURVE_NODES = 6
# Share of curves and label maps whose darkest tissue stays dark: that is air in most scans.
_DARK_AIR = 0.7

# Coarse noise (1, z, y, x), and the number of voxels between its nodes.
Texture = list[tuple[Tensor, float]]


def contrast_curve(draws: RandomDraws, values: Tensor, full_range: bool = False) -> Tensor:
    """Return intensities under a random piecewise linear curve, rising or not: another contrast of the same tissues.

    Args:
        draws: random numbers.
        values: intensities from -1 to 1, of any shape.
        full_range: whether the curve is stretched to -1 to 1 again; else its values lie between 0 and 1.
    """
    heights = torch.rand(_CURVE_NODES, generator=draws.generator)
    if draws.uniform(0.0, 1.0) < _DARK_AIR:
        heights[0] = 0.0
    scaled = ((values + 1.0) * 0.5).clamp(0.0, 1.0) * (_CURVE_NODES - 1)
    lower = scaled.floor().clamp(max=_CURVE_NODES - 2)
    share, lower = scaled - lower, lower.long()
    if not full_range:
        return heights[lower] * (1 - share) + heights[lower + 1] * share
    heights = (heights - heights.min()) / (heights.max() - heights.min()).clamp(min=0.1) * 2.0 - 1.0
    return torch.lerp(heights[lower], heights[lower + 1], share)


def recoloured(draws: RandomDraws, image: Tensor, labels: Tensor, deviation: float, count: int) -> Tensor:
    """Return an image (z, y, x) whose structures are each brighter or darker by a random amount.

    Args:
        draws: random numbers.
        image: intensities.
        labels: of the structures (z, y, x).
        deviation: standard deviation of the amounts.
        count: number of labels, with the background.
    """
    return image + (deviation * draws.normal(count, dtype=torch.float64).float())[labels.long()]


def examined(draws: RandomDraws, values: Tensor, modality: str, contrast: float, noise: float) -> Tensor:
    """Return intensities (z, y, x) as in another examination: contrast, bias field and noise.

    Args:
        draws: random numbers.
        values: intensities from -1 to 1.
        modality: "ct", "mr" or "other".
        contrast: share of examinations with a random contrast curve; above 0 images of CT have a bias field too.
        noise: largest standard deviation of the noise.
    """
    if contrast > 0 and draws.uniform(0.0, 1.0) < contrast:
        values = contrast_curve(draws, values, full_range=True)
    elif modality == "ct":
        # Contrast medium and calibration differ between examinations.
        gain = torch.exp(_GAIN * draws.normal(1, dtype=torch.float64))
        values = values * float(gain) + _OFFSET * float(draws.normal(1, dtype=torch.float64))
    bias = draws.smooth_noise(1, 3, tuple(values.shape))[0]
    if modality != "ct" or contrast > 0:
        values = (values + 1.0) * torch.exp(draws.uniform(0.0, 0.2) * bias) - 1.0
    level = noise * draws.uniform(0.0, 1.0) ** 2
    return values + level * draws.normal(*values.shape)


def scanned(draws: RandomDraws, values: Tensor) -> Tensor:
    """Return a cubic image (z, y, x) with blur, thick slices, a bias field and noise, as a scanner other than CT makes them."""
    size = values.shape[0]
    if draws.uniform(0, 1) < 0.4:
        values = smooth(values[None], draws.uniform(0.3, 1.2))[0]
    if draws.uniform(0, 1) < 0.25:  # slices of up to three voxels
        axis, count = draws.integer(3), max(8, round(size / draws.uniform(1.5, 3.0)))
        shape = [size] * 3
        shape[axis] = count
        thick = F.interpolate(values[None, None], size=shape, mode="area")
        values = F.interpolate(thick, size=(size,) * 3, mode="trilinear", align_corners=False)[0, 0]
    bias = draws.smooth_noise(1, 3, (size,) * 3)[0]
    values = values * torch.exp(draws.uniform(0.0, 0.25) * bias)
    return values + values.std() * noise_level(draws) * draws.normal(*values.shape)


def noise_level(draws: RandomDraws) -> float:
    """Return the standard deviation of the noise, relative to that of the image: 0 to 0.4, small values most often."""
    return 0.4 * draws.uniform(0.0, 1.0) ** 2


def random_texture(draws: RandomDraws, shape: tuple[int, ...]) -> Texture:
    """Return the texture of an anatomy of that shape at two scales: it moves with the anatomy, and is in all views with different
    strengths."""
    parts = []
    for edge in (draws.uniform(2.0, 5.0), draws.uniform(5.0, 14.0)):
        nodes = [max(2, round(n / edge) + 1) for n in shape]
        parts.append((draws.normal(1, *nodes), edge))
    return parts


def random_intensities(draws: RandomDraws, labels: Tensor, positions: Tensor, texture: Texture) -> Tensor:
    """Return an image (z, y, x) of a label map in which each label has a random intensity, with texture (SynthMorph, Hoffmann et al., TMI
    2022).

    Args:
        draws: random numbers.
        labels: the map (z, y, x).
        positions: of the image's voxels in the map (3, z, y, x), voxels.
        texture: see :func:`random_texture`.
    """
    count = int(labels.max()) + 1
    level = torch.rand(count, generator=draws.generator)
    if draws.uniform(0, 1) < _DARK_AIR:
        level[0] = 0.0
    strength = torch.rand(count, 2, generator=draws.generator).square() * draws.uniform(0.0, 0.25)
    index = nearest_labels(labels, positions, background=False)
    values = level[index]
    for channel, (noise, edge) in enumerate(texture):
        values = values + strength[index, channel] * sample(noise, positions / edge)[0]
    return smooth(values[None], draws.uniform(0.3, 0.8))[0]
