"""Self-similarity with learned weights: MIND with trained constants.

MIND compares patches around neighbours of a voxel; the weight of each voxel of a patch, and the decrease of the similarity with distance
are chosen by hand. Here they are three numbers, learned by supervised descent:

    d_k(x) = sum_p w_k(p) (I(x + a_k + p) - I(x + b_k + p))^2,   w_k(p) = product over the axes of (s, 1, s)(p)
    f_k(x) = exp(-g (d_k(x) - min d(x)) / m(x)),   m(x) = mean of d(x) - min d(x)

for the 12 pairs (a, b) of MIND's self-similarity context at a distance of one voxel. s is one number along the two axes in whose plane a
pair lies, and another across it. With s = g = 1, the initial values of a training, this is MIND with patches of 3^3 voxels (Heinrich et
al., MICCAI 2013). So few numbers cannot overfit to a scanner or an organ. Features are computed again from each warped image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepreg_engine.features import registry
from deepreg_engine.features.extractor import Extractor
from deepreg_engine.features.mind import CHANNELS, NEIGHBOURS, PAIRS
from deepreg_engine.features.weights import weights_of

# m is at least this share of its mean over the image: regions without structure would be divided by 0.
_LEAST_MEAN = 1e-3
# Voxels of one slab: its distances stay in the cache while they are computed.
_SLAB_VOXELS = {"cpu": 1 << 15}
_SLAB_VOXELS_ELSEWHERE = 1 << 24
# Whether a pair lies in a plane with the axis z, y, x (12, 3).
_IN_PLANE = tuple(tuple(NEIGHBOURS[one][axis] != NEIGHBOURS[other][axis] for axis in range(3)) for one, other in PAIRS)


class SimilarityNet(nn.Module):
    """The features.

    Args:
        modalities: names that are accepted; all are treated alike.
    """

    channels = CHANNELS
    reach = 2

    def __init__(self, modalities: tuple[str, ...] = ("ct", "mr", "other")) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        # Logarithms, so that all stay positive. s: along the plane of a pair, and across it.
        self.sides = nn.Parameter(torch.zeros(2))
        self.steepness = nn.Parameter(torch.zeros(()))

    def forward(self, image: Tensor, modality: str = "") -> Tensor:
        """Return the features of images.

        Args:
            image: (B, 1, z, y, x), any intensities: the features do not depend on their offset and scale.
            modality: not used.

        Returns:
            (B, 12, z, y, x), between 0 and 1, in the order of :data:`mind.PAIRS`.
        """
        return torch.stack([self._features(one[0]) for one in image])

    def numbers(self) -> dict[str, float]:
        """Return the learned numbers, by their names in the formula."""
        plane, across = self.sides.detach().exp().tolist()
        return {"s in plane": plane, "s across": across, "g": float(self.steepness.detach().exp())}

    def _features(self, volume: Tensor) -> Tensor:
        padded = F.pad(volume[None, None], (1,) * 6, mode="replicate")[0, 0]
        depth = len(volume)
        if torch.is_grad_enabled():
            distances = self._distances(padded, 0, depth)
            return torch.exp(distances * self._factor(distances.mean(0, keepdim=True)))
        found = volume.new_empty(CHANNELS, *volume.shape)
        step = max(1, _SLAB_VOXELS.get(volume.device.type, _SLAB_VOXELS_ELSEWHERE) // max(1, volume[0].numel()))
        slabs = [slice(start, min(start + step, depth)) for start in range(0, depth, step)]
        for slab in slabs:
            found[:, slab] = self._distances(padded, slab.start, slab.stop)
        mean = found.mean(0, keepdim=True)
        factor = self._factor(mean)
        for slab in slabs:
            found[:, slab].mul_(factor[:, slab]).exp_()
        return found

    def _factor(self, mean: Tensor) -> Tensor:
        """Return -g / m."""
        least = (mean.detach().mean() * _LEAST_MEAN).clamp(min=torch.finfo(mean.dtype).tiny * 1e6)  # an image without any contrast
        return -self.steepness.exp() / torch.maximum(mean, least)

    def _distances(self, padded: Tensor, start: int, stop: int) -> Tensor:
        """Return distances less their minimum (12, stop - start, y, x) of an image that was padded by one voxel."""
        depth, height, width = (n - 2 for n in padded.shape)
        low, high = max(start - 1, 0), min(stop + 1, depth)  # slices that the patches of these slices cover
        shifted = [padded[1 + z + low : 1 + z + high, 1 + y : 1 + y + height, 1 + x : 1 + x + width] for z, y, x in NEIGHBOURS]
        distances = torch.stack([(shifted[one] - shifted[other]).square() for one, other in PAIRS])
        # Slices are replicated only at the faces of the image; elsewhere their neighbours exist.
        padding = ((1 - (start - low), 1 - (high - stop)), (1, 1), (1, 1))
        plane, across = self.sides.exp()
        for axis in range(3):
            inside = torch.tensor([pair[axis] for pair in _IN_PLANE], device=padded.device)
            distances = _weighted(distances, axis + 1, torch.where(inside, plane, across).view(-1, 1, 1, 1), padding[axis])
        return distances - distances.amin(0, keepdim=True)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> SimilarityNet:
        """Return the features that weights belong to.

        Raises:
            InputError: if they belong to none.
        """
        network = cls()
        with weights_of("a similarity network"):
            network.load_state_dict(state)
        return network.eval()


def _weighted(volume: Tensor, axis: int, side: Tensor, padding: tuple[int, int]) -> Tensor:
    """Return each value and ``side`` times both of its neighbours along an axis, the ends replicated ``padding`` times."""
    first, last = volume.narrow(axis, 0, 1), volume.narrow(axis, volume.shape[axis] - 1, 1)
    padded = torch.cat([first] * padding[0] + [volume] + [last] * padding[1], dim=axis)
    count = padded.shape[axis] - 2
    both = padded.narrow(axis, 0, count) + padded.narrow(axis, 2, count)
    if torch.is_grad_enabled():
        return padded.narrow(axis, 1, count) + side * both
    return both.mul_(side).add_(padded.narrow(axis, 1, count))


class SimilarityFeatures(Extractor):
    """Features of an image by self-similarity with learned numbers.

    Args:
        network: the numbers, see :class:`SimilarityNet`.
        name: of the model.
    """

    kind = registry.SIMILARITY_NET
    network_class: Any = SimilarityNet

    def __init__(self, network: Any, name: str) -> None:
        self._network = network
        self.name, self.channels, self.reach = name, network.channels, network.reach

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> SimilarityFeatures:
        return cls(cls.network_class.from_state(weights), name)

    @torch.no_grad()
    def __call__(self, volume: Tensor, spacing: float) -> Tensor:
        return self._network.to(volume.device)(volume[None, None])[0]
