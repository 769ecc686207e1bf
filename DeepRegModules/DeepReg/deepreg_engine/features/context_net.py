"""A feature network of the Dense method with a receptive field of about a decimetre, small enough to be trained on a CPU.

MIND depends on a few voxels; a larger neighbourhood is needed to identify the organ that they belong to. An encoder computes features at
nodes three voxels apart and at every other node, where dilated convolutions cover about a decimetre; a decoder interpolates back to the
nodes (a U-Net, Ronneberger et al., MICCAI 2015, with one level). Layers are 3x3x3 convolutions with instance norm and leaky ReLU.

Obelisk (:mod:`obelisk`) has the same task; its training step takes twice as long on two cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepreg_engine.features import registry
from deepreg_engine.features.contrast_net import guess_modality, standard_intensities
from deepreg_engine.features.extractor import Extractor
from deepreg_engine.features.weights import weights_of
from deepreg_engine.geometry.sampling import sample

# Voxels between nodes.
STRIDE = 3
_KERNEL = 5
_SLOPE = 0.1


class ContextNet(nn.Module):
    """The network.

    Args:
        channels: C, the features.
        width: channels at the nodes.
        deep: channels at every other node.
        stem: channels of the first layer.
    """

    def __init__(self, channels: int = 16, width: int = 24, deep: int = 40, stem: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv3d(1, stem, _KERNEL, stride=STRIDE, padding=_KERNEL // 2, bias=False, padding_mode="replicate")
        self.enter = _conv(stem, width)
        self.down = _conv(width, deep, stride=2)
        self.deep = nn.ModuleList([_conv(deep, deep, dilation=2), _conv(deep, deep, dilation=4)])
        self.up = _conv(width + deep, width)
        self.out = nn.Conv3d(width, channels, 1)

    @property
    def channels(self) -> int:
        """C, the number of features."""
        return self.out.out_channels

    @staticmethod
    def nodes(count: int) -> int:
        """Return the number of nodes along an axis with that many voxels: the first lies at voxel 0, the next at 3, and so on."""
        return (count - 1) // STRIDE + 1

    def forward(self, image: Tensor) -> Tensor:
        """Return the features of images.

        Args:
            image: (B, 1, z, y, x), see :func:`contrast_net.standard_intensities`.

        Returns:
            (B, C, (z - 1) // 3 + 1, ...), at voxels 0, 3, 6, ...
        """
        if image.device.type == "cpu" and not torch.is_grad_enabled():
            image = image.contiguous(memory_format=torch.channels_last_3d)
        hidden = _activated(self.enter(_activated(self.stem(image))))
        deep = _activated(self.down(hidden))
        for layer in self.deep:
            deep = deep + _activated(layer(deep))
        # A node of the lower level lies at every other node of the upper level.
        size = tuple(2 * n - 1 for n in deep.shape[2:])
        back = F.interpolate(deep, size=size, mode="trilinear", align_corners=True)
        missing = [n - m for n, m in zip(hidden.shape[2:], size, strict=True)]
        back = F.pad(back, (0, missing[2], 0, missing[1], 0, missing[0]), mode="replicate")
        return self.out(_activated(self.up(torch.cat([hidden, back], dim=1)))).contiguous()

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> ContextNet:
        """Return the network that weights belong to, in evaluation mode.

        Raises:
            InputError: if they belong to none.
        """
        with weights_of("a context network"):
            stem, width, deep = (state[f"{name}.weight"].shape[0] for name in ("stem", "enter", "down"))
            network = cls(state["out.weight"].shape[0], width, deep, stem)
            network.load_state_dict({name: value.float() for name, value in state.items()})
        return network.eval()


def _activated(volume: Tensor) -> Tensor:
    return F.leaky_relu(F.instance_norm(volume) if len(volume) > 1 else F.batch_norm(volume, None, None, training=True), _SLOPE)


def _conv(inputs: int, outputs: int, dilation: int = 1, stride: int = 1) -> nn.Conv3d:
    # The norm would remove a bias.
    return nn.Conv3d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False, padding_mode="replicate")


class ContextFeatures(Extractor):
    """Features of an image by a trained :class:`ContextNet`.

    Args:
        network: see there.
        name: of the model.
        spacing: voxel size that it was trained on, mm.
        modality: of the images it was trained on: "ct" for Hounsfield units, "other" for any contrast; "auto" estimates it from the
            intensities.
    """

    kind = registry.CONTEXT_NET

    def __init__(self, network: ContextNet, name: str, spacing: float, modality: str = "auto") -> None:
        self._network, self._modality = network, modality
        self.name = name
        self.finest = spacing
        self.channels = network.channels

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> ContextFeatures:
        return cls(ContextNet.from_state(weights), name, float(settings.get("spacing_mm", 2.0)), str(settings.get("modality", "auto")))

    @torch.no_grad()
    def at(self, volume: Tensor, spacing: float, index: Tensor) -> Tensor:
        modality = guess_modality(volume) if self._modality == "auto" else self._modality
        own = tuple(max(2 * STRIDE + 1, round((n - 1) * spacing / self.finest) + 1) for n in volume.shape)
        image = standard_intensities(volume, modality)[None, None]
        if own != tuple(volume.shape):
            image = F.interpolate(image, size=own, mode="trilinear", align_corners=True)
        features = self._network.to(volume.device)(image)[0]
        scale = [(m - 1) / max(n - 1, 1) / STRIDE for m, n in zip(reversed(own), reversed(volume.shape), strict=True)]
        return sample(features, index * torch.tensor(scale, device=index.device).view(3, 1, 1, 1))
