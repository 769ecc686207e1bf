"""The feature network of the Descent method: it maps two modalities to one feature space.

Each modality has separate first layers (the "stem"), and all share the others (the "trunk"), as in Blendowski, Hansen and Heinrich,
"Weakly-supervised learning of multi-modal features for regularised iterative descent", Medical Image Analysis 2021. Layers are
3x3x3 convolutions with instance norm and leaky ReLU; the last one has only the norm, so that channels are standardised.

Unlike there, the MIND descriptor of the image is a second input, and the trunk's output is added to a mixture of MIND's channels. Before
training the features are MIND's, so that only the difference is learned: a few thousand examples are enough, and a CPU suffices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepreg_engine.features import registry
from deepreg_engine.features.extractor import Extractor
from deepreg_engine.features.mind import CHANNELS as MIND_CHANNELS
from deepreg_engine.features.mind import mind_ssc
from deepreg_engine.features.weights import weights_of

# Soft tissue of a CT fills the linear part of a hyperbolic tangent, HU.
_CT_CENTRE, _CT_WIDTH = 50.0, 200.0
_PERCENTILES = (0.01, 0.99)
_SLOPE = 0.1
# Factor of the last layer's initial weights: small, so that the first features are MIND's, but not 0, so that gradients reach other layers.
_FIRST_SHARE = 0.1
_MIND_REACH = 3


class ContrastNet(nn.Module):
    """The network.

    Args:
        modalities: those with a stem.
        width: channels of the hidden layers.
        channels: C, the features.
    """

    def __init__(self, modalities: tuple[str, ...], width: int = 16, channels: int = 12) -> None:
        super().__init__()
        self.modalities, self.width, self.channels = tuple(modalities), width, channels
        inputs = 1 + MIND_CHANNELS
        self.stems = nn.ModuleDict({name: nn.ModuleList([_conv(inputs, width), _conv(width, width)]) for name in modalities})
        # The middle layer is dilated, to cover the other side of thin structures.
        self.trunk = nn.ModuleList([_conv(width, width, 2), _conv(width, width), _conv(width, channels)])
        self.skip = nn.Conv3d(MIND_CHANNELS, channels, 1, bias=False)
        with torch.no_grad():
            cast(nn.Conv3d, self.trunk[-1]).weight.mul_(_FIRST_SHARE)
            mixture = torch.eye(channels, MIND_CHANNELS) if channels <= MIND_CHANNELS else torch.eye(channels)[:, :MIND_CHANNELS]
            self.skip.weight.copy_(mixture[:, :, None, None, None])

    def _layers(self, modality: str) -> list[nn.Conv3d]:
        """Return the layers of a modality, first to last."""
        return [cast(nn.Conv3d, layer) for layer in (*cast(nn.ModuleList, self.stems[modality]), *self.trunk)]

    def forward(self, image: Tensor, modality: str) -> Tensor:
        """Return the features of images.

        Args:
            image: (B, 1, z, y, x), see :func:`standard_intensities`.
            modality: one of ``modalities``.

        Returns:
            (B, C, z, y, x), mean 0 and variance 1 over each volume.
        """
        layers = self._layers(modality)
        mind = _standardised(torch.stack([mind_ssc(one[0]) for one in image]))
        hidden = torch.cat([image, mind], dim=1)
        if image.device.type == "cpu" and not torch.is_grad_enabled():
            hidden = hidden.contiguous(memory_format=torch.channels_last_3d)  # a third faster
        for layer in layers[:-1]:
            hidden = F.leaky_relu(_standardised(layer(hidden)), _SLOPE, inplace=True)
        return _standardised(layers[-1](hidden) + self.skip(mind)).contiguous()

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> ContrastNet:
        """Return the network that weights belong to.

        Raises:
            InputError: if they belong to none.
        """
        with weights_of("a contrast network"):
            names = list(dict.fromkeys(key.split(".")[1] for key in state if key.startswith("stems.")))
            first = state[f"stems.{names[0]}.0.weight"]
            network = cls(tuple(names), first.shape[0], state["trunk.2.weight"].shape[0])
            network.load_state_dict(state)
        return network.eval()

    @property
    def reach(self) -> int:
        """Voxels around a voxel from which its features are computed, but for the statistics of the norm."""
        layers = self._layers(self.modalities[0])
        return _MIND_REACH + sum(layer.dilation[0] * (layer.kernel_size[0] // 2) for layer in layers)


def _standardised(volume: Tensor) -> Tensor:
    """Return each channel of each volume (B, C, z, y, x) with mean 0 and variance 1: instance norm."""
    if len(volume) > 1:
        return F.instance_norm(volume)
    return F.batch_norm(volume, None, None, training=True)  # the same for one volume, and it keeps the layout of the memory


def _conv(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv3d:
    # The norm would remove a bias.
    return nn.Conv3d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False, padding_mode="replicate")


def standard_intensities(volume: Tensor, modality: str) -> Tensor:
    """Return intensities scaled to about -1 to 1, the input of the networks.

    Args:
        volume: (z, y, x); HU for "ct".
        modality: "ct" keeps the calibration in HU; all others are scaled between their 1st and 99th percentile.
    """
    if modality == "ct":
        return torch.tanh((volume - _CT_CENTRE) / _CT_WIDTH)
    some = volume.flatten()[:: max(1, volume.numel() // 100_000)].float()
    low, high = torch.quantile(some, torch.tensor(_PERCENTILES, device=volume.device)).tolist()
    if high - low < 1e-12:  # nearly all of the image is one value
        low, high = float(volume.min()), float(volume.max())
    return ((volume - low) * (2.0 / max(high - low, 1e-12)) - 1.0).clamp(-1.2, 1.2)


def guess_modality(volume: Tensor) -> str:
    """Return  "ct" if the values (z, y, x) can be HU, with air far below 0 and tissue around 0; else "mr"."""
    low, high = float(volume.min()), float(volume.max())
    tissue = float(((volume > -200) & (volume < 300)).float().mean())
    return "ct" if low <= -500 and high < 32000 and tissue > 0.02 else "mr"


def stem_for(modality: str, known: tuple[str, ...]) -> str:
    """Return the stem for a modality: its own, else that of other contrasts, else the last one."""
    for name in (modality, "other", "mr"):
        if name in known:
            return name
    return known[-1]


class ContrastFeatures(Extractor):
    """Features of an image by a trained :class:`ContrastNet`.

    Args:
        network: see there.
        name: of the model.
        modality: of the images: one of the network's, or "auto", which selects it by the intensities.
    """

    kind = registry.CONTRAST_NET

    def __init__(self, network: ContrastNet, name: str, modality: str = "auto") -> None:
        self._network, self._modality = network, modality
        self.name = name
        self.channels = network.channels
        self.reach = network.reach

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> ContrastFeatures:
        return cls(ContrastNet.from_state(weights), name)

    def of_modality(self, modality: str) -> ContrastFeatures:
        return ContrastFeatures(self._network, self.name, modality)

    @torch.no_grad()
    def __call__(self, volume: Tensor, spacing: float) -> Tensor:
        modality = guess_modality(volume) if self._modality == "auto" else self._modality
        stem = stem_for(modality, self._network.modalities)
        image = standard_intensities(volume, modality if modality == stem else "other")
        return self._network.to(volume.device)(image[None, None], stem)[0]
