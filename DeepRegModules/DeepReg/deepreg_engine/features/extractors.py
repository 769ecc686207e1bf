"""Features by name: one interface for formulas and networks, so that any feature can be plugged into any solver.

Contract: an extractor takes an image on cubic voxels (z, y, x) with its spacing in mm, and returns features (C, z, y, x) on the
same voxels. One that looks at voxels of a certain size says so (``finest``), and is then given the image on such voxels and asked for its
features at places of it.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F

from deepreg_engine.features.context_net import STRIDE, ContextNet
from deepreg_engine.features.contrast_net import ContrastNet, guess_modality, standard_intensities, stem_for
from deepreg_engine.features.label_net import COARSEST, LabelNet
from deepreg_engine.features.mind import CHANNELS as MIND_CHANNELS
from deepreg_engine.features.mind import mind_ssc
from deepreg_engine.features.obelisk import Obelisk
from deepreg_engine.features.similarity_net import SimilarityNet
from deepreg_engine.features.tissue_net import TissueNet
from deepreg_engine.geometry.sampling import sample

# Ceilings: a descriptor of edges is unlike at many places that belong together, so what is very unlike says no more than what is unlike;
# probabilities of structures are unlike only where structures are.
_UNLIKE, _UNLIKE_STRUCTURES = 0.3, 1.0


class Extractor(Protocol):
    """What every feature offers.

    Attributes:
        name: for reports.
        channels: C.
        reach: voxels around a voxel that its features look at; at the faces they are less true.
        follows_warp: whether features are computed anew from the warped image; else features of the unwarped moving image
            are warped, for networks that are slow.
        finest: voxel size that it wants to see, mm, at each resolution; 0 for that of the resolution.
        ceiling: of a mismatch in a search that is told none, as a share of the mean mismatch.
    """

    name: str
    channels: int
    reach: int
    follows_warp: bool
    finest: float
    ceiling: float

    def __call__(self, volume: torch.Tensor, spacing: float) -> torch.Tensor:
        """Features (C, z, y, x) of an image (z, y, x) with cubic voxels of ``spacing`` mm."""

    def at(self, volume: torch.Tensor, spacing: float, index: torch.Tensor) -> torch.Tensor:
        """Features (C, ...) at continuous indices (3, ...), components x, y, z, of an image; asked only where ``finest`` is above 0."""


class Mind:
    """MIND-SSC, see :mod:`mind`."""

    name = "mind"
    channels = MIND_CHANNELS
    follows_warp = True
    ceiling = _UNLIKE
    finest = 0.0

    def __init__(self, radius: int = 1, dilation: int = 2) -> None:
        self._radius, self._dilation = radius, dilation
        self.reach = radius + dilation

    def __call__(self, volume: torch.Tensor, spacing: float) -> torch.Tensor:
        return mind_ssc(volume, self._radius, self._dilation)


class Intensity:
    """The image itself, between its 1st and 99th percentile: for scans of one modality and calibration."""

    name = "intensity"
    channels = 1
    reach = 0
    follows_warp = True
    ceiling = _UNLIKE
    finest = 0.0

    def __init__(self) -> None:
        self._window: tuple[float, float] | None = None

    def __call__(self, volume: torch.Tensor, spacing: float) -> torch.Tensor:
        if self._window is None:  # the first image's window serves both: their values are to be compared
            sample = volume.flatten()[:: max(1, volume.numel() // 100_000)].float()
            low, high = torch.quantile(sample, torch.tensor([0.01, 0.99], device=volume.device)).tolist()
            self._window = low, max(high - low, 1e-6)
        low, width = self._window
        return ((volume - low) / width).clamp(0.0, 1.0)[None]


class ObeliskFeatures:
    """A trained Obelisk network.

    Args:
        network: see :class:`Obelisk`.
        name: of the model.
        spacing: voxel size (mm) that it was trained on; the image is resampled to it and the features back.
        scale: the network sees intensities divided by this (the published ones: HU / 500).
        reversed_axes: whether it was trained on arrays (x, y, z) instead of (z, y, x), as nibabel loads them.
    """

    follows_warp = False
    ceiling = _UNLIKE
    finest = 0.0
    reach = 0  # features at a face are computed like any other; the network pads by itself

    def __init__(self, network: Obelisk, name: str, spacing: float = 2.0, scale: float = 500.0, reversed_axes: bool = False) -> None:
        self._network = network
        self._spacing, self._scale, self._reversed = spacing, scale, reversed_axes
        self.name = name
        self.channels = network.channels

    @torch.no_grad()
    def __call__(self, volume: torch.Tensor, spacing: float) -> torch.Tensor:
        shape = volume.shape
        network = self._network.to(volume.device)
        own = tuple(max(12, round((n - 1) * spacing / self._spacing) + 1) for n in shape)
        image = F.interpolate(volume[None, None] / self._scale, size=own, mode="trilinear", align_corners=True)
        if self._reversed:
            image = image.permute(0, 1, 4, 3, 2)
        features = network(image)
        if self._reversed:
            features = features.permute(0, 1, 4, 3, 2)
        # The network's nodes span the image from corner to corner, and so does this.
        return F.interpolate(features, size=shape, mode="trilinear", align_corners=True)[0]


class ContrastFeatures:
    """A trained feature network of the Descent method.

    Args:
        network: see :class:`ContrastNet`.
        name: of the model.
        modality: of the images: one of the network's, or "auto" to look at the intensities.
    """

    follows_warp = False
    ceiling = _UNLIKE
    finest = 0.0

    def __init__(self, network: ContrastNet, name: str, modality: str = "auto") -> None:
        self._network, self._modality = network, modality
        self.name = name
        self.channels = network.channels
        self.reach = network.reach

    @torch.no_grad()
    def __call__(self, volume: torch.Tensor, spacing: float) -> torch.Tensor:
        modality = guess_modality(volume) if self._modality == "auto" else self._modality
        stem = stem_for(modality, self._network.modalities)
        image = standard_intensities(volume, modality if modality == stem else "other")
        return self._network.to(volume.device)(image[None, None], stem)[0]


class SimilarityFeatures:
    """Self-similarity with learned numbers, see :class:`SimilarityNet`.

    Args:
        network: the numbers.
        name: of the model.
    """

    follows_warp = True
    ceiling = _UNLIKE
    finest = 0.0
    channels = SimilarityNet.channels
    reach = SimilarityNet.reach

    def __init__(self, network: SimilarityNet | TissueNet, name: str) -> None:
        self._network = network
        self.name = name

    @torch.no_grad()
    def __call__(self, volume: torch.Tensor, spacing: float) -> torch.Tensor:
        return self._network.to(volume.device)(volume[None, None])[0]


class TissueFeatures(SimilarityFeatures):
    """Self-similarity beside tissue classes of CT, see :class:`TissueNet`; arguments as of the former."""

    channels = TissueNet.channels
    reach = TissueNet.reach


class ContextFeatures:
    """A trained feature network of the Dense method.

    Args:
        network: see :class:`ContextNet`.
        name: of the model.
        spacing: voxel size that it was trained on, mm.
        modality: whose intensities it was trained on: "ct" for calibrated ones, "other" for any contrast; "auto" looks at the image.
    """

    follows_warp = False
    ceiling = _UNLIKE
    reach = 0  # it pads by itself

    def __init__(self, network: ContextNet, name: str, spacing: float, modality: str = "auto") -> None:
        self._network, self._modality = network, modality
        self.name = name
        self.finest = spacing
        self.channels = network.channels

    def __call__(self, volume: torch.Tensor, spacing: float) -> torch.Tensor:
        axes = [torch.arange(n, dtype=torch.float32, device=volume.device) for n in volume.shape]
        z, y, x = torch.meshgrid(*axes, indexing="ij")
        return self.at(volume, spacing, torch.stack([x, y, z]))

    @torch.no_grad()
    def at(self, volume: torch.Tensor, spacing: float, index: torch.Tensor) -> torch.Tensor:
        modality = guess_modality(volume) if self._modality == "auto" else self._modality
        own = tuple(max(2 * STRIDE + 1, round((n - 1) * spacing / self.finest) + 1) for n in volume.shape)
        image = standard_intensities(volume, modality)[None, None]
        if own != tuple(volume.shape):
            image = F.interpolate(image, size=own, mode="trilinear", align_corners=True)
        features = self._network.to(volume.device)(image)[0]
        scale = [(m - 1) / max(n - 1, 1) / STRIDE for m, n in zip(reversed(own), reversed(volume.shape))]
        return sample(features, index * torch.tensor(scale, device=index.device).view(3, 1, 1, 1))


class LabelFeatures:
    """Probabilities of labelled structures, times how much each counts.

    Args:
        network: see :class:`LabelNet`.
        name: of the model.
        spacing: voxel size that it was trained on, mm.
        window: edge of the cubes that it was trained on, voxels.
        modality: as for :class:`ContextFeatures`.
    """

    follows_warp = False
    ceiling = _UNLIKE_STRUCTURES
    reach = 0  # it pads by itself
    # Images that are remembered: the fixed and the moving one are looked at again at each resolution, and looking takes seconds.
    _REMEMBERED = 2

    def __init__(self, network: LabelNet, name: str, spacing: float, window: int, modality: str = "auto") -> None:
        self._network, self._window, self._modality = network, max(COARSEST, window), modality
        self.name = name
        self.finest = spacing
        self.channels = network.channels
        self._known: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __call__(self, volume: torch.Tensor, spacing: float) -> torch.Tensor:
        axes = [torch.arange(n, dtype=torch.float32, device=volume.device) for n in volume.shape]
        z, y, x = torch.meshgrid(*axes, indexing="ij")
        return self.at(volume, spacing, torch.stack([x, y, z]))

    def at(self, volume: torch.Tensor, spacing: float, index: torch.Tensor) -> torch.Tensor:
        own = tuple(max(2, round((n - 1) * spacing / self.finest) + 1) for n in volume.shape)
        image = (
            volume
            if own == tuple(volume.shape)
            else F.interpolate(volume[None, None], size=own, mode="trilinear", align_corners=True)[0, 0]
        )
        scale = [(m - 1) / max(n - 1, 1) for m, n in zip(reversed(own), reversed(volume.shape))]
        found = sample(self._probabilities(image).float(), index * torch.tensor(scale, device=index.device).view(3, 1, 1, 1))
        return found * self._network.importance.to(found.device).view(-1, *[1] * (found.ndim - 1))

    def _probabilities(self, image: torch.Tensor) -> torch.Tensor:
        for known, found in self._known:
            if known.shape == image.shape and torch.equal(known, image):
                return found
        modality = guess_modality(image) if self._modality == "auto" else self._modality
        found = self._network.to(image.device).probabilities(standard_intensities(image, modality), self._window)
        self._known = [*self._known, (image, found)][-self._REMEMBERED :]
        return found


class Joined:
    """Several features side by side, each with as much say as the others: what one does not see, another may.

    Args:
        parts: at least two; those that follow the warp come first.
    """

    finest = 0.0

    def __init__(self, *parts: Extractor) -> None:
        self.parts = tuple(sorted(parts, key=lambda part: not part.follows_warp))
        self.name = "+".join(part.name for part in parts)
        self.channels = sum(part.channels for part in parts)
        self.reach = max(part.reach for part in parts)
        self.follows_warp = all(part.follows_warp for part in parts)
        self.ceiling = min(part.ceiling for part in parts)

    def __call__(self, volume: torch.Tensor, spacing: float) -> torch.Tensor:
        return torch.cat([balanced(part(volume, spacing))[0] for part in self.parts])


def for_refinement(extractor: Extractor, mind: Mind) -> Extractor:
    """What a refinement compares where nothing else is asked for.

    Probabilities say which organ a voxel belongs to, but are alike all over its inside and uncertain at its edge; MIND joins them there.
    """
    return Joined(mind, extractor) if isinstance(extractor, LabelFeatures) else extractor


def parts_of(extractor: Extractor) -> tuple[Extractor, ...]:
    """The features that are joined in one, or the one."""
    return extractor.parts if isinstance(extractor, Joined) else (extractor,)


def need_hounsfield(extractor: Extractor) -> str:
    """The name of those features that are for CT in HU and nothing else; "" if none are."""
    return next((part.name for part in parts_of(extractor) if isinstance(part, TissueFeatures)), "")


def kept_at(extractor: Extractor) -> float:
    """Voxel size at which features are computed once and kept, mm; 0 if none are."""
    return max(part.finest if isinstance(part, LabelFeatures) else 0.0 for part in parts_of(extractor))


def balanced(features: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Features (C, z, y, x) times what makes the sum of their variances 1, and that factor."""
    scale = float(features.flatten(1).var(1).sum().clamp(min=1e-12).rsqrt())
    return features * scale, scale
