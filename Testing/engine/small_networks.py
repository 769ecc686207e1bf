"""A small network of each architecture, with weights made by hand: its features are simple functions of the smoothed intensities of a CT.

Networks with random weights find no deformation. These do, and need no training.
"""

from __future__ import annotations

import torch
from torch import nn

from deepreg_engine.features.context_net import ContextNet
from deepreg_engine.features.contrast_net import ContrastNet
from deepreg_engine.features.label_net import LabelNet
from deepreg_engine.features.obelisk import Obelisk
from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.features.similarity_net import SimilarityNet
from deepreg_engine.features.tissue_net import TissueNet


def _pass_on(layer: nn.Conv3d, first: int = 0) -> None:
    """Each output is the input of the same number, counted from ``first``, at the same voxel."""
    middle = [n // 2 for n in layer.kernel_size]
    layer.weight.zero_()
    for channel in range(layer.out_channels):
        layer.weight[(channel, (first + channel) % layer.in_channels, *middle)] = 1.0


def _average(layer: nn.Conv3d) -> None:
    """Every output is the mean of what the kernel covers; every other one negative."""
    layer.weight.fill_(1.0 / layer.weight[0].numel())
    layer.weight[1::2] *= -1.0


@torch.no_grad()
def _context_net() -> nn.Module:
    network = ContextNet(6, 8, 12, 8)
    _average(network.stem)
    ramp = torch.arange(-2.0, 3.0)
    for channel, axes in enumerate(
        ((1, 1, -1), (1, -1, 1), (-1, 1, 1)), start=2
    ):  # derivatives, which do not depend on the amount of air in the window
        network.stem.weight[channel] = ramp.view(axes) / 125.0
        network.stem.weight[channel + 3] = -ramp.view(axes) / 125.0
    _pass_on(network.enter)
    _pass_on(network.up)  # outputs of the nodes themselves, not of every other node
    return network


@torch.no_grad()
def _label_net() -> nn.Module:
    network = LabelNet(4, 4)
    first, second, last = *network.down[0], network.up[-1]
    first.conv.weight.fill_(1.0 / first.conv.weight[0].numel())
    first.norm.bias.copy_(torch.tensor([0.4, -0.3, -0.8, -1.5]))  # ramps that begin at other intensities
    _pass_on(second.conv)
    _pass_on(last.conv, last.conv.in_channels - 4)  # the finest resolution comes last
    network.out.weight *= 6.0  # probabilities near 0 and 1
    return network


@torch.no_grad()
def _obelisk() -> nn.Module:
    network = Obelisk(5)
    network.offsets[0], network.offsets[1] = 0.0, 5.0  # the second place lies outside the image, where the value is 0
    _average(network.layer0)
    network.batch0.bias.copy_(torch.tensor([0.2, -0.1, 0.0, 0.5]))
    _pass_on(network.layer2)
    return network


# Architecture: what makes the network, and the settings of its card.
NETWORKS = {
    "similarity-net": (SimilarityNet, {}),
    "tissue-net": (TissueNet, {}),
    "contrast-net": (lambda: ContrastNet(("ct", "mr"), 8), {}),
    "context-net": (_context_net, {"spacing_mm": 2.5, "modality": "ct"}),
    "label-net": (_label_net, {"spacing_mm": 5.0, "size": 32, "modality": "ct"}),
    "obelisk": (_obelisk, {"spacing_mm": 2.5, "intensity_scale": 200.0}),
    "edge-conv": (lambda: Matcher(12), {"neighbours": 12}),
}


def small_network(architecture):
    """Weights of a network, name to array, and the settings of its card; always the same."""
    make, settings = NETWORKS[architecture]
    torch.manual_seed(1)
    return {name: value.numpy() for name, value in make().state_dict().items()}, settings
