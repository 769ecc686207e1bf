"""Self-similarity joined with tissue classes, for calibrated CT: a formula with a few learned numbers.

Self-similarity depends on edges and not on values, so it suits any contrast; in CT, values identify tissues also in homogeneous regions.
Therefore soft memberships of tissue classes are added. The features of an image I in HU are

    f(x) = (a_1 q_1(x), a_2 q_2(x), b_1 h_1(x), ..., b_4 h_4(x)),   h_k(x) = s((I(x) - c_k) / w_k)

q_1 being the self-similarity with learned numbers (:mod:`similarity_net`), which reaches one voxel, q_2 MIND-SSC with its usual constants
(:mod:`mind`; Heinrich et al., MICCAI 2013), which reaches three voxels, and s the logistic function: a membership rises from 0 to 1 around
c_k. The borders c, the widths w, the weights a and b, and the numbers of q_1 are learned. Features are computed again
from each warped image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from deepreg_engine.features import registry
from deepreg_engine.features.mind import CHANNELS, mind_ssc
from deepreg_engine.features.similarity_net import SimilarityFeatures, SimilarityNet
from deepreg_engine.features.weights import weights_of

# Initial borders, HU: between lung and fat, fat and organs, organs and enhanced vessels, and at bone; and their widths.
_BETWEEN, _WIDTHS = (-500.0, -40.0, 60.0, 250.0), (150.0, 40.0, 40.0, 100.0)
# Learned numbers are this many times finer than HU, so that one learning rate suits all.
_UNIT = 50.0
_MIND_REACH = 3


class TissueNet(nn.Module):
    """The features.

    Args:
        modalities: names that are accepted; all are treated alike.
    """

    channels = 2 * CHANNELS + len(_BETWEEN)
    reach = _MIND_REACH

    def __init__(self, modalities: tuple[str, ...] = ("ct",)) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.similarity = SimilarityNet(modalities)
        self.between = nn.Parameter(torch.tensor(_BETWEEN) / _UNIT)
        # Logarithms, so that all stay positive.
        self.widths = nn.Parameter((torch.tensor(_WIDTHS) / _UNIT).log())
        self.near = nn.Parameter(torch.zeros(()))
        self.far = nn.Parameter(torch.zeros(()))
        self.shares = nn.Parameter(torch.zeros(len(_BETWEEN)))

    def forward(self, image: Tensor, modality: str = "") -> Tensor:
        """Return the features of images.

        Args:
            image: (B, 1, z, y, x), HU.
            modality: not used.

        Returns:
            (B, 28, z, y, x): both self-similarities, then the classes.
        """
        parts = self._parts(image)
        if torch.is_grad_enabled():
            return torch.cat(list(parts), 1)
        # One part at a time: a concatenation of all parts would take twice the memory.
        features, first = image.new_empty(len(image), self.channels, *image.shape[2:]), 0
        for part in parts:
            features[:, first : first + part.shape[1]] = part
            first += part.shape[1]
        return features

    def _parts(self, image: Tensor) -> Iterator[Tensor]:
        """Yield both self-similarities and each class (B, ..., z, y, x), in the order of the channels."""
        yield self.near.exp() * self.similarity(image)
        yield self.far.exp() * torch.stack([mind_ssc(one[0]) for one in image])
        between, widths = self.between * _UNIT, self.widths.exp() * _UNIT
        for b, c, w in zip(self.shares.exp(), between, widths, strict=True):
            yield b * torch.sigmoid((image - c) / w)

    def numbers(self) -> dict[str, float | list[float]]:
        """Return the learned numbers, by their names in the formula; c and w in HU."""
        return {
            **self.similarity.numbers(),
            "a": [float(self.near.detach().exp()), float(self.far.detach().exp())],
            "b": self.shares.detach().exp().tolist(),
            "c": (self.between.detach() * _UNIT).tolist(),
            "w": (self.widths.detach().exp() * _UNIT).tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> TissueNet:
        """Return the features that weights belong to.

        Raises:
            InputError: if they belong to none.
        """
        network = cls()
        with weights_of("a tissue network"):
            network.load_state_dict(state)
        return network.eval()


class TissueFeatures(SimilarityFeatures):
    """Features of a CT by self-similarity and tissue classes; the network is a :class:`TissueNet`."""

    kind = registry.TISSUE_NET
    network_class = TissueNet
