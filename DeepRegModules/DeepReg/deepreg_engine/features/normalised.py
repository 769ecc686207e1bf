"""Locally normalised intensity, the feature of local cross-correlation.

    N_s(x) = (I(x) - m_s(x)) / sqrt(v_s(x)),   m_s = G_s * I,   v_s = G_s * I^2 - m_s^2

with a Gaussian G_s of standard deviation s, for a few s. Where both images are normalised like this, the squared difference of the features
is 2 - 2 times the local correlation coefficient, so that brightness and contrast may differ from image to image and from place to place,
while dark stays dark and bright stays bright. Uniform regions have the value 0.

Cachier, Bardinet, Dormont, Pennec, Ayache, "Iconic feature based nonrigid registration: the PASHA algorithm", CVIU 2003.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from deepreg_engine.features import registry
from deepreg_engine.features.extractor import Extractor

#: Standard deviations of the windows, voxels.
SCALES = (1.5, 3.0)
# Gaussians end at this multiple of their standard deviation.
_CUT = 2.0
# Variances below this share of the squared mean are rounding errors.
_ROUNDING = 1e-6


class Normalised(Extractor):
    """Intensities minus their local mean, divided by their local standard deviation, at each of :data:`SCALES`."""

    kind = registry.NORMALISED
    name = "normalised"
    channels = len(SCALES)
    reach = math.ceil(_CUT * max(SCALES))

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Normalised:
        return cls()

    def __call__(self, volume: Tensor, spacing: float) -> Tensor:
        # Centred: the variance of values far from zero would lose its digits.
        centred = volume - volume.mean()
        return torch.stack([_normalised(centred, sigma) for sigma in SCALES])


def _normalised(volume: Tensor, sigma: float) -> Tensor:
    mean, square = _averages(torch.stack([volume, volume.square()]), sigma)
    variance = (square - mean.square()).clamp_(min=0.0)
    variance += _ROUNDING * square + torch.finfo(volume.dtype).tiny
    return (volume - mean) / variance.sqrt_()


def _averages(volumes: Tensor, sigma: float) -> Tensor:
    """Return averages of volumes (n, z, y, x) with Gaussian weights; values at the faces are repeated outside."""
    reach = math.ceil(_CUT * sigma)
    place = torch.arange(-reach, reach + 1, dtype=volumes.dtype, device=volumes.device)
    weights = torch.exp(-0.5 * (place / sigma).square())
    weights = weights / weights.sum()
    found = volumes[:, None]
    for axis in range(3):
        padding = [0] * 6
        padding[4 - 2 * axis : 6 - 2 * axis] = [reach, reach]
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = -1
        found = F.conv3d(F.pad(found, padding, mode="replicate"), weights.reshape(shape))
    return found[:, 0]
