"""Scenes to learn contrast-invariant features from: label maps and images of one anatomy on the same voxels.

Random shapes (as in Hoffmann et al., "SynthMorph", IEEE TMI 2022) have no images: every label gets a random intensity in each example.
Phantoms have a CT and an MR each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from deepreg_engine.arrays import tensor_of
from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample, without_outliers
from deepreg_engine.geometry.volume import draw
from deepreg_engine.training.augmentation.draws import RandomDraws

# Phantoms: anatomy and edge of a voxel, mm. The finest voxels are those of a brain scan.
PHANTOMS = (("abdomen", 2.5), ("brain", 1.5), ("thorax", 3.0), ("abdomen", 4.0), ("brain", 1.2), ("brain", 2.5))
# Synthetic patients with CT: anatomy and edge of a voxel, mm; two of a kind follow each other.
CT_PATIENTS = (("abdomen", 3.0), ("thorax", 3.0), ("abdomen", 2.5), ("abdomen", 4.0), ("thorax", 4.0))
_EXAMINATIONS = 2


@dataclass(frozen=True)
class Scene:
    """One anatomy.

    Args:
        labels: (z, y, x), whole numbers from 0 on.
        images: float32 by modality: one examination (z, y, x), or several (n, z, y, x).
        name: for messages.
    """

    labels: Tensor
    images: dict[str, Tensor] = field(default_factory=dict)
    name: str = ""

    def takes(self, modality: str) -> Tensor:
        """Return the examinations of a modality (n, z, y, x)."""
        images = self.images[modality]
        return images if images.ndim == 4 else images[None]


def random_shapes(size: int, generator: torch.Generator) -> Scene:
    """Return a cube with blobs of many sizes: each voxel has the label whose smooth noise is highest there."""
    draws = RandomDraws(generator)
    count = 5 + draws.integer(12)
    noise = torch.stack([_noise(size, draws) for _ in range(count)])
    # The first label is a background that takes up more or less of the scene.
    noise[0] += 1.5 * torch.rand(1, generator=generator)
    return Scene(noise.argmax(0), {}, "shapes")


def _noise(size: int, draws: RandomDraws) -> Tensor:
    """Return smooth noise (size, size, size) of two scales with a variance of about 1."""
    total = torch.zeros(size, size, size)
    scale = float(torch.empty(1).uniform_(4.0, 24.0, generator=draws.generator))
    for edge, weight in ((scale, 1.0), (max(scale / 3, 3.0), 0.35)):
        total += weight * draws.smooth_noise(1, max(2, round(size / edge) + 1), (size,) * 3)[0]
    return total


def phantom_scenes(count: int, first_seed: int, progress: Callable[[float], None] = lambda share: None) -> list[Scene]:
    """Return phantoms with a CT and an MR of the same patient on the same voxels.

    Args:
        count: number of scenes.
        first_seed: of the patients.
        progress: called with the share done.
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
        progress((number + 1) / count)
    return scenes


def ct_patients(
    count: int, first_seed: int, progress: Callable[[float], None] = lambda share: None
) -> tuple[list[Scene], list[tuple[Scene, Scene]]]:
    """Return synthetic patients with several CT examinations each, and pairs of patients in one frame.

    Args:
        count: number of patients.
        first_seed: of the patients.
        progress: called with the share done.

    Returns:
        The patients; and pairs of each with the next one of the same anatomy and voxel size, in both directions.
    """
    from deepreg_engine.phantoms.population import examinations

    scenes: list[Scene] = []
    pairs: list[tuple[Scene, Scene]] = []
    last: dict[tuple[str, float], Scene] = {}
    for number in range(count):
        kind = CT_PATIENTS[number // 2 % len(CT_PATIENTS)]
        _, labels, body, images = examinations(kind[0], first_seed + number, kind[1], _EXAMINATIONS)
        organs = tensor_of(labels.astype(np.int64))
        known = torch.where(organs > 0, organs + 1, tensor_of(body.astype(np.int64)))
        scene = Scene(known, {"ct": tensor_of(np.stack(images).astype(np.float32))}, f"{kind[0]} patient {first_seed + number}")
        if kind in last:
            pairs += [(last[kind], scene), (scene, last[kind])]
        last[kind] = scene
        scenes.append(scene)
        progress((number + 1) / count)
    return scenes, pairs


def _tensor(image: sitk.Image) -> Tensor:
    return tensor_of(sitk.GetArrayFromImage(image).astype(np.float32))


def _with_background(labels: sitk.Image, mask: sitk.Image) -> Tensor:
    """Return label 0 outside the body, 1 inside it where no organ is, organs from 2 on."""
    organs, body = (tensor_of(sitk.GetArrayFromImage(image).astype(np.int64)) for image in (labels, mask))
    return torch.where(organs > 0, organs + 1, (body > 0).long())


def scan_scene(image: sitk.Image, labels: sitk.Image, modality: str, spacing: float, name: str) -> Scene:
    """Return a scan with labels on cubic voxels.

    Args:
        image: float32.
        labels: on any grid.
        modality: of the image.
        spacing: edge of a voxel, mm.
        name: for messages.

    Raises:
        InputError: if no label lies inside the image.
    """
    grid = ImageGrid.of(image).resampled(spacing)
    resampled = resample(labels, grid, sitk.Transform(3, sitk.sitkIdentity), "nearest")
    known = tensor_of(sitk.GetArrayFromImage(resampled).astype(np.int64))
    if int(known.max()) == 0:
        raise InputError(f"scan {name} has no label inside its image", "leave it out, or check that both have one frame")
    # The padding that scanners write outside their field of view is removed, as in a registration.
    return Scene(known, {modality: draw(without_outliers(image), grid)}, name)
