"""Features as colours: similar features have similar colours.

The first three principal components of the features of both images become red, green and blue (as in Abdi and Williams, "Principal
component analysis", WIREs Computational Statistics 2010), each scaled by the same two percentiles in all volumes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_PERCENTILES = (0.01, 0.99)
_SAMPLES = 200_000


@dataclass(frozen=True)
class Palette:
    """From features to colours.

    Args:
        mean: (C,).
        axes: (3, C), orthonormal rows; fewer features than three leave rows of zeros.
        low, high: (3,), values of the components at minimal and maximal brightness.
    """

    mean: Tensor
    axes: Tensor
    low: Tensor
    high: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Return colours (3, z, y, x), uint8, of features (C, z, y, x)."""
        components = torch.tensordot(self.axes, features - self.mean.view(-1, 1, 1, 1), dims=1)
        low, high = (end.view(3, 1, 1, 1) for end in (self.low, self.high))
        return (((components - low) / (high - low).clamp(min=1e-9)).clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)


def make_palette(*volumes: Tensor) -> Palette:
    """Return colours for features (C, z, y, x) of several images, which all have the same weight."""
    parts = []
    for volume in volumes:
        flat = volume.flatten(1)
        parts.append(flat[:, :: max(1, flat.shape[1] // _SAMPLES)])
    count = min(part.shape[1] for part in parts)
    samples = torch.cat([part[:, :: max(1, part.shape[1] // count)] for part in parts], dim=1).double()
    mean = samples.mean(1)
    centred = samples - mean[:, None]
    _, vectors = torch.linalg.eigh(centred @ centred.T / centred.shape[1])
    axes = torch.zeros(3, len(mean), dtype=samples.dtype, device=samples.device)
    found = vectors.flip(1).T[:3]
    # The sign of a component is arbitrary; its largest entry is made positive, so that a run always gives the same colours.
    found = found * found.gather(1, found.abs().argmax(1, keepdim=True)).sign()
    axes[: len(found)] = found
    components = axes @ centred
    ends = torch.quantile(components[:, :: max(1, components.shape[1] // _SAMPLES)], components.new_tensor(_PERCENTILES), dim=1)
    return Palette(mean.float(), axes.float(), ends[0].float(), ends[1].float())
