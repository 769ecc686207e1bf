"""Scenes to learn contrast-invariant features from: what is where, and how it may look.

A scene is a label map, and, where there are any, images of the same anatomy on the same voxels. Random shapes (as in Hoffmann et
al., "SynthMorph", IEEE TMI 2022) have no images: every label gets a random intensity each time. Phantoms have a CT and an MR each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from torch import Tensor

from deepreg_engine.geometry.image_grid import ImageGrid

# Phantoms: anatomy and edge of a voxel, mm. The finest ones are what a brain scan has.
PHANTOMS = (("abdomen", 2.5), ("brain", 1.5), ("thorax", 3.0), ("abdomen", 4.0), ("brain", 1.2), ("brain", 2.5))


@dataclass(frozen=True)
class Scene:
    """One anatomy.

    Args:
        labels: (z, y, x), whole numbers from 0 on.
        images: (z, y, x) float32 by modality.
        name: for messages.
    """

    labels: Tensor
    images: dict[str, Tensor] = field(default_factory=dict)
    name: str = ""


def random_shapes(size: int, generator: torch.Generator) -> Scene:
    """Blobs of many sizes: at each voxel the label whose smooth noise is highest there."""
    count = int(torch.randint(5, 17, (1,), generator=generator))
    noise = torch.stack([_noise(size, generator) for _ in range(count)])
    # The first label is a background that takes up more or less of the scene.
    noise[0] += 1.5 * torch.rand(1, generator=generator)
    return Scene(noise.argmax(0), {}, "shapes")


def _noise(size: int, generator: torch.Generator) -> Tensor:
    """Smooth noise (size, size, size) of two scales, about unit variance."""
    total = torch.zeros(size, size, size)
    scale = float(torch.empty(1).uniform_(4.0, 24.0, generator=generator))
    for edge, weight in ((scale, 1.0), (max(scale / 3, 3.0), 0.35)):
        nodes = max(2, round(size / edge) + 1)
        coarse = torch.randn(1, 1, nodes, nodes, nodes, generator=generator)
        total += weight * F.interpolate(coarse, size=(size,) * 3, mode="trilinear", align_corners=True)[0, 0]
    return total


def phantom_scenes(count: int, first_seed: int, tell: Callable[[float], None] = lambda share: None) -> list[Scene]:
    """Phantoms with a CT and an MR of the same patient on the same voxels.

    Args:
        count: scenes.
        first_seed: of the patients.
        tell: called with the share done.
    """
    from deepreg_engine.phantoms.scan import build, make_patient, moving_grid

    scenes = []
    for number in range(count):
        anatomy, spacing = PHANTOMS[number % len(PHANTOMS)]
        seed = first_seed + number
        grid = moving_grid(build(anatomy, seed), 1.0).resampled(spacing)
        scans = {name: make_patient(anatomy, seed, name, grid=grid) for name in ("ct", "mr")}
        labels = _with_background(scans["ct"].labels, scans["ct"].mask)
        images = {name: _tensor(scan.image) for name, scan in scans.items()}
        scenes.append(Scene(labels, images, f"{anatomy} phantom {seed}"))
        tell((number + 1) / count)
    return scenes


def _tensor(image: sitk.Image) -> Tensor:
    return torch.from_numpy(sitk.GetArrayFromImage(image).astype(np.float32))


def _with_background(labels: sitk.Image, mask: sitk.Image) -> Tensor:
    """Label 0 outside the body, 1 inside it where no organ is, organs from 2 on."""
    organs, body = (torch.from_numpy(sitk.GetArrayFromImage(image).astype(np.int64)) for image in (labels, mask))
    return torch.where(organs > 0, organs + 1, (body > 0).long())


def scan_scene(image: sitk.Image, labels: sitk.Image, modality: str, spacing: float, name: str) -> Scene:
    """A scan with labels on cubic voxels.

    Args:
        image: float32.
        labels: on any grid.
        modality: of the image.
        spacing: edge of a voxel, mm.
        name: for messages.
    """
    from deepreg_engine.geometry.images import resample
    from deepreg_engine.geometry.volume import draw

    grid = ImageGrid.of(image).resampled(spacing)
    identity = sitk.Transform(3, sitk.sitkIdentity)
    drawn = resample(labels, grid, identity, "nearest")
    return Scene(torch.from_numpy(sitk.GetArrayFromImage(drawn).astype(np.int64)), {modality: draw(image, grid)}, name)
