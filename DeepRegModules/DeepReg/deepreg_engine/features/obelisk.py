"""Obelisk features: sparse deformable convolution, the network of the Dense method.

The image is pooled (3, stride 2) and convolved (5x5x5, stride 2, 4 channels). At each node of a grid with a third of the
image's size, the result is sampled at pairs of learned offsets and the difference of each pair is taken; 1x1x1 and 3x3x3
convolutions turn these differences into C features.

Heinrich, Oktay, Bouteldja, "OBELISK-Net", Medical Image Analysis 2019; as used by Heinrich, MICCAI 2019. The names and
shapes of the weights are those of the published checkpoints (multimodallearning/pdd_net).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepreg_engine.features import registry
from deepreg_engine.features.extractor import Extractor
from deepreg_engine.features.weights import weights_of
from deepreg_engine.geometry.sampling import sample

_STEM_CHANNELS = 4
# One node for every third voxel.
_STRIDE = 3


class Obelisk(nn.Module):
    """The network.

    Args:
        channels: C, features a node.
        pairs: pairs of offsets a node; the paper has 2 C.
        hidden: channels of the two inner layers; the paper has 4 C.
        groups: of the first 1x1x1 convolution; 1 in the paper.
    """

    def __init__(self, channels: int = 16, pairs: int | None = None, hidden: int | None = None, groups: int = 1) -> None:
        super().__init__()
        pairs = pairs or 2 * channels
        hidden = hidden or 4 * channels
        self.offsets = nn.Parameter(torch.randn(2, pairs, 3) * 0.05)
        self.layer0 = nn.Conv3d(1, _STEM_CHANNELS, 5, stride=2, bias=False, padding=2)
        self.batch0 = nn.BatchNorm3d(_STEM_CHANNELS)
        self.layer1 = nn.Conv3d(_STEM_CHANNELS * pairs, hidden, 1, bias=False, groups=groups)
        self.batch1 = nn.BatchNorm3d(hidden)
        self.layer2 = nn.Conv3d(hidden, hidden, 3, bias=False, padding=1)
        self.batch2 = nn.BatchNorm3d(hidden)
        self.layer3 = nn.Conv3d(hidden, channels, 1)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Obelisk:
        """Return the network with these weights, in evaluation mode; their shapes determine its sizes.

        Raises:
            InputError: if weights are missing, unknown or do not fit together.
        """
        with weights_of("an Obelisk network"):
            pairs, hidden = state["offsets"].shape[1], state["layer1.weight"].shape[0]
            groups = _STEM_CHANNELS * pairs // state["layer1.weight"].shape[1]
            network = cls(state["layer3.weight"].shape[0], pairs, hidden, groups)
            network.load_state_dict(state)
        return network.eval()

    @property
    def channels(self) -> int:
        """C, the number of features."""
        return self.layer3.out_channels

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the features of images.

        Args:
            image: (B, 1, D, H, W). The offsets' components are along W, H, D, as shares of half the extent.

        Returns:
            (B, C, D // 3, H // 3, W // 3); the nodes' corners are the image's corners.
        """
        stem = F.avg_pool3d(image, 3, padding=1, stride=2)
        stem = F.relu(self.batch0(self.layer0(stem)))
        nodes = tuple(max(n // _STRIDE, 1) for n in image.shape[2:])
        differences = torch.stack([self._differences(one, nodes) for one in stem])
        hidden = F.relu(self.batch1(self.layer1(differences)))
        hidden = F.relu(self.batch2(self.layer2(hidden)))
        return self.layer3(hidden)

    def _differences(self, stem: torch.Tensor, nodes: tuple[int, ...]) -> torch.Tensor:
        """Return differences (4 P, d, h, w) of the stem (4, D, H, W) at the P pairs of offsets; zero outside the image."""
        size = stem.new_tensor([n - 1 for n in stem.shape[:0:-1]])
        axes = [torch.linspace(0.0, 1.0, n, dtype=stem.dtype, device=stem.device) for n in nodes]
        z, y, x = torch.meshgrid(*axes, indexing="ij")
        place = torch.stack([x, y, z]) * size[:, None, None, None]
        shift = self.offsets * (size / 2)  # normalised coordinates run over 2
        parts = []
        for pair in range(shift.shape[1]):
            first, second = (sample(stem, place + shift[side, pair][:, None, None, None], "zeros") for side in (0, 1))
            parts.append(first - second)
        return torch.stack(parts, dim=1).flatten(0, 1)  # channel of the stem first, then pair


# Minimal size of the network's input, voxels along an axis.
_LEAST_SIZE = 12
# The weights of the regularisation that a published model may hold beside the network's.
REGULARISATION = "alpha"


class ObeliskFeatures(Extractor):
    """Features of an image by a trained Obelisk network.

    Args:
        network: see :class:`Obelisk`.
        name: of the model.
        spacing: voxel size (mm) that it was trained on; the image is resampled to it and the features back.
        scale: the network's input is the image divided by this (the published ones: HU / 500).
        reversed_axes: whether it was trained on arrays (x, y, z) instead of (z, y, x), as nibabel loads them.
    """

    kind = registry.OBELISK

    def __init__(self, network: Obelisk, name: str, spacing: float = 2.0, scale: float = 500.0, reversed_axes: bool = False) -> None:
        self._network = network
        self._spacing, self._scale, self._reversed = spacing, scale, reversed_axes
        self.name = name
        self.channels = network.channels

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> ObeliskFeatures:
        network = Obelisk.from_state({key: value for key, value in weights.items() if key != REGULARISATION})
        spacing, scale = float(settings.get("spacing_mm", 2.0)), float(settings.get("intensity_scale", 500.0))
        return cls(network, name, spacing, scale, bool(settings.get("reversed_axes", False)))

    @torch.no_grad()
    def __call__(self, volume: Tensor, spacing: float) -> Tensor:
        shape = volume.shape
        network = self._network.to(volume.device)
        own = tuple(max(_LEAST_SIZE, round((n - 1) * spacing / self._spacing) + 1) for n in shape)
        image = F.interpolate(volume[None, None] / self._scale, size=own, mode="trilinear", align_corners=True)
        if self._reversed:
            image = image.permute(0, 1, 4, 3, 2)
        features = network(image)
        if self._reversed:
            features = features.permute(0, 1, 4, 3, 2)
        # The network's nodes span the image from corner to corner, as does this interpolation.
        return F.interpolate(features, size=shape, mode="trilinear", align_corners=True)[0]
