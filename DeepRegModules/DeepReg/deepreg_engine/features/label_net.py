"""A segmentation network as features of the Dense method: for every voxel the probability of each labelled structure.

Scans of two people differ in intensities and shapes, but show the same organs. Probabilities of organs, compared like any other features,
match organ with organ (Siebert, Hansen, Heinrich, "Fast 3D registration with accurate optimisation and little learning for Learn2Reg
2021", MICCAI 2021, compare a segmentation network's output likewise).

The network is a U-Net (Ronneberger et al., MICCAI 2015; in 3D: Çiçek et al., MICCAI 2016): 3x3x3 convolutions with instance norm and leaky
ReLU, three levels, a receptive field of about two decimetres, and skip connections. The norm's statistics depend on the size of the input,
so that an image is processed in overlapping windows of the size of the training examples.
"""

from __future__ import annotations

import itertools
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

# Channels at each resolution, relative to the finest.
_WIDTHS = (1, 2, 4, 4)
# Voxels of the finest resolution in one of the coarsest.
COARSEST = 2 ** (len(_WIDTHS) - 1)
# Fewer voxels than this along an edge would leave a single one at the coarsest resolution, which cannot be normalised.
_LEAST_EDGE = 2 * COARSEST
_SLOPE = 0.1
# Distance of windows and standard deviation of their weights, as shares of the edge. With a distance of two thirds the segmentation is as
# good as with half, in half the time.
_STRIDE, _SPREAD = 2.0 / 3.0, 1.0 / 6.0
# Least weight, at a window's corners: some voxels lie in one window only.
_LEAST = 1e-3


class LabelNet(nn.Module):
    """The network.

    Args:
        labels: L, the number of structures without the background.
        width: channels at the finest resolution.
    """

    def __init__(self, labels: int, width: int = 16) -> None:
        super().__init__()
        widths = [width * share for share in _WIDTHS]
        self.down = nn.ModuleList(
            nn.Sequential(_Layer(before, count, stride), _Layer(count, count))
            for before, count, stride in zip([1, *widths], widths, [1] + [2] * (len(widths) - 1), strict=False)
        )
        self.up = nn.ModuleList(_Layer(below + count, count) for below, count in zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.out = nn.Conv3d(width, labels + 1, 1)
        #: Weight of each structure in a comparison (L + 1): rare ones have larger weights, or the liver would outweigh the gallbladder.
        self.importance: Tensor
        self.register_buffer("importance", torch.ones(labels + 1))

    @property
    def channels(self) -> int:
        """L + 1, background first."""
        return self.out.out_channels

    def forward(self, image: Tensor) -> Tensor:
        """Return the logarithms of the probabilities, up to a constant.

        Args:
            image: (B, 1, z, y, x), see :func:`contrast_net.standard_intensities`.

        Returns:
            (B, L + 1, z, y, x).
        """
        size = image.shape[2:]
        missing = [max(-n % COARSEST, _LEAST_EDGE - n) for n in size]
        hidden = F.pad(image, (0, missing[2], 0, missing[1], 0, missing[0]), mode="replicate")
        if image.device.type == "cpu":
            hidden = hidden.contiguous(memory_format=torch.channels_last_3d)
        seen = []
        for part in self.down:
            hidden = part(hidden)
            seen.append(hidden)
        seen.pop()
        for part in self.up:
            beside = seen.pop()
            hidden = part(torch.cat([F.interpolate(hidden, size=beside.shape[2:], mode="trilinear", align_corners=False), beside], dim=1))
        return self.out(hidden)[:, :, : size[0], : size[1], : size[2]]

    @torch.no_grad()
    def probabilities(self, image: Tensor, window: int) -> Tensor:
        """Return the probabilities of the structures in a whole image.

        Args:
            image: (z, y, x).
            window: edge of the cubes that are processed at once, voxels, as in the training.

        Returns:
            (L + 1, z, y, x), float16: they sum to 1 at each voxel, to half precision.
        """
        total = torch.zeros(self.channels, *image.shape, device=image.device)
        counted = torch.zeros(image.shape, device=image.device)
        for starts in itertools.product(*(window_starts(n, window) for n in image.shape)):
            box = tuple(slice(start, min(start + window, n)) for start, n in zip(starts, image.shape, strict=True))
            part = image[box]
            weight = _weights(tuple(part.shape), window, image.device)
            total[(slice(None), *box)] += torch.softmax(self(part[None, None])[0].float(), dim=0) * weight
            counted[box] += weight
        return total.div_(counted).half()

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> LabelNet:
        """Return the network that weights belong to, in evaluation mode.

        Raises:
            InputError: if they belong to none.
        """
        with weights_of("a label network"):
            network = cls(state["out.weight"].shape[0] - 1, state["out.weight"].shape[1])
            network.load_state_dict({name: value.float() for name, value in state.items()})
        return network.eval()


class _Layer(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        # The norm would remove a bias.
        self.conv = nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.InstanceNorm3d(outputs, affine=True)

    def forward(self, volume: Tensor) -> Tensor:
        return F.leaky_relu(self.norm(self.conv(volume)), _SLOPE)


def window_starts(size: int, window: int) -> list[int]:
    """Return the first voxels of the windows that cover an axis; those at the end are moved inside."""
    last, step = max(size - window, 0), max(1, int(window * _STRIDE))
    return sorted({min(start, last) for start in range(0, last + step, step)})


def _weights(size: tuple[int, ...], window: int, device: torch.device) -> Tensor:
    """Return the weight of each voxel of a window: largest in its middle, where the receptive field lies inside."""
    z, y, x = (
        torch.exp(-0.5 * ((torch.arange(n, dtype=torch.float32, device=device) - 0.5 * (n - 1)) / (window * _SPREAD)).square())
        for n in size
    )
    return z[:, None, None] * y[:, None] * x + _LEAST


class LabelFeatures(Extractor):
    """Probabilities of labelled structures, each weighted by the structure's importance.

    Args:
        network: see :class:`LabelNet`.
        name: of the model.
        spacing: voxel size that it was trained on, mm.
        window: edge of the cubes that it was trained on, voxels.
        modality: as for :class:`~deepreg_engine.features.context_net.ContextFeatures`.
    """

    kind = registry.LABEL_NET
    # Images whose probabilities are kept: fixed and moving, which every resolution needs and which take seconds to compute.
    _KEPT_IMAGES = 2

    def __init__(self, network: LabelNet, name: str, spacing: float, window: int, modality: str = "auto") -> None:
        self._network, self._window, self._modality = network, max(COARSEST, window), modality
        self.name = name
        self.finest = spacing
        self.channels = network.channels
        self._known: list[tuple[Tensor, Tensor]] = []

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> LabelFeatures:
        spacing, window = float(settings.get("spacing_mm", 3.0)), int(settings.get("size", 64))
        return cls(LabelNet.from_state(weights), name, spacing, window, str(settings.get("modality", "auto")))

    def at(self, volume: Tensor, spacing: float, index: Tensor) -> Tensor:
        own = tuple(max(2, round((n - 1) * spacing / self.finest) + 1) for n in volume.shape)
        image = volume
        if own != tuple(volume.shape):
            image = F.interpolate(volume[None, None], size=own, mode="trilinear", align_corners=True)[0, 0]
        scale = [(m - 1) / max(n - 1, 1) for m, n in zip(reversed(own), reversed(volume.shape), strict=True)]
        found = sample(self._probabilities(image).float(), index * torch.tensor(scale, device=index.device).view(3, 1, 1, 1))
        return found * self._network.importance.to(found.device).view(-1, *[1] * (found.ndim - 1))

    def _probabilities(self, image: Tensor) -> Tensor:
        for known, found in self._known:
            if known.shape == image.shape and torch.equal(known, image):
                return found
        modality = guess_modality(image) if self._modality == "auto" else self._modality
        found = self._network.to(image.device).probabilities(standard_intensities(image, modality), self._window)
        self._known = [*self._known, (image, found)][-self._KEPT_IMAGES :]
        return found
