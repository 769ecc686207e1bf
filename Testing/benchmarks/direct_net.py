"""A network that predicts the displacement field of a pair of images directly, as a comparison for learned features.

A U-Net of the usual kind takes both aligned images and returns the field (Balakrishnan, Zhao, Sabuncu, Guttag, Dalca, "VoxelMorph: a
learning framework for deformable medical image registration", TMI 2019, with their channels and the loss of labels of their section
III-D): mean squared difference of the intensities, one minus the soft Dice of the labels, and the squared gradients of the field.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepreg_engine.features.contrast_net import standard_intensities
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.geometry.sampling import identity, sample
from deepreg_engine.geometry.volume import draw
from deepreg_engine.methods.common.affine import align
from deepreg_engine.training.augmentation.draws import RandomDraws
from deepreg_engine.training.augmentation.intensity import examined
from deepreg_engine.training.augmentation.spatial import mapped, nearest_labels, random_linear

# Channels of VoxelMorph's second version ("vm2"): encoder with strides of 2, decoder at the same resolutions, and at the full one.
_DOWN, _UP, _FULL = (16, 32, 32, 32), (32, 32, 32), (32, 16, 16)
# Weights of the soft Dice and of the squared gradients, relative to the intensities; the learning rate.
_DICE, _SMOOTH, _RATE = 1.0, 0.05, 5e-4
# Random poses that both images share, and that the moving image has alone, as standard deviations.
_POSE, _ALIGNMENT, _SHIFT = 0.12, 0.04, 1.0


class DirectNet(nn.Module):
    """Maps the fixed and the moving image (B, 2, z, y, x), whose edges are divisible by 16, to the displacement (B, 3, z, y, x), voxels."""

    def __init__(self) -> None:
        super().__init__()
        before = 2
        self.down = nn.ModuleList()
        for count in _DOWN:
            self.down.append(_layer(before, count, 2))
            before = count
        self.up = nn.ModuleList()
        for count, beside in zip(_UP, (*_DOWN[-2::-1],), strict=True):
            self.up.append(_layer(before, count))
            before = count + beside
        last = [_layer(before + 2 if number == 0 else _FULL[number - 1], count) for number, count in enumerate(_FULL)]
        self.deepest, self.full = _layer(_DOWN[-1], _DOWN[-1]), nn.Sequential(*last)
        self.out = nn.Conv3d(_FULL[-1], 3, 3, padding=1)
        nn.init.normal_(self.out.weight, std=1e-5)
        nn.init.zeros_(self.out.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return the displacement, voxels."""
        seen, hidden = [], images
        for part in self.down:
            hidden = part(hidden)
            seen.append(hidden)
        seen.pop()
        hidden = self.deepest(hidden)
        for part in self.up:
            hidden = torch.cat([F.interpolate(part(hidden), scale_factor=2.0), seen.pop()], dim=1)
        return self.out(self.full(torch.cat([F.interpolate(hidden, scale_factor=2.0), images], dim=1)))


def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, stride, padding=1), nn.LeakyReLU(0.2))


@dataclass(frozen=True)
class Scan:
    """A labelled scan.

    Args:
        image: intensities from -1 to 1 (z, y, x).
        labels: (z, y, x).
        grid: of both.
        source: the image as read.
    """

    image: Tensor
    labels: Tensor
    grid: ImageGrid
    source: sitk.Image


def read_scan(folder: Path, name: str) -> Scan:
    """Return a scan of a folder with ``images`` and ``labels``."""
    image = sitk.ReadImage(str(folder / "images" / name), sitk.sitkFloat32)
    labels = sitk.ReadImage(str(folder / "labels" / name), sitk.sitkUInt8)
    grid = ImageGrid.of(image)
    values = standard_intensities(draw(image, grid), "mr")
    there = sitk.GetArrayFromImage(resample(labels, grid, sitk.Transform(3, sitk.sitkIdentity), "nearest")).astype(np.int64)
    return Scan(values, torch.from_numpy(there), grid, image)


class Pairs:
    """Aligned pairs on cubes of one size, with augmentation.

    Args:
        scans: to choose from.
        edge: of the cubes, voxels of the fixed image.
    """

    def __init__(self, scans: list[Scan], edge: int) -> None:
        self._scans, self._edge = scans, edge
        self._aligned: dict[tuple[int, int], np.ndarray] = {}

    def example(self, draws: RandomDraws) -> tuple[Tensor, Tensor]:
        """Return the images (2, n, n, n) and the labels (2, n, n, n) of two random scans, with augmentation as the Trainer has it."""
        fixed, moving = draws.integer(len(self._scans)), draws.integer(len(self._scans) - 1)
        moving += moving >= fixed
        linear, offset = self._between(fixed, moving)
        one, other = self._scans[fixed], self._scans[moving]
        pose = random_linear(draws, _POSE)
        error = torch.eye(3, dtype=torch.float64) + _ALIGNMENT * draws.normal(3, 3, dtype=torch.float64)
        centre = 0.5 * (torch.tensor(one.grid.size, dtype=torch.float64) - 1)
        index = identity((self._edge,) * 3, torch.zeros(1)).double() - 0.5 * (self._edge - 1)
        where = mapped(pose, centre + _SHIFT * draws.normal(3, dtype=torch.float64), index)
        shift = _SHIFT * draws.normal(3, dtype=torch.float64)
        across = mapped(linear, offset, mapped(pose @ error, centre + shift, index))
        images, labels = [], []
        for scan, positions in ((one, where), (other, across)):
            values = sample(scan.image[None], positions.float())[0]
            images.append(examined(draws, values, "mr", 0.0, 0.15))
            labels.append(nearest_labels(scan.labels, positions))
        return torch.stack(images), torch.stack(labels)

    def _between(self, fixed: int, moving: int) -> tuple[Tensor, Tensor]:
        if (fixed, moving) not in self._aligned:
            one, other = self._scans[fixed], self._scans[moving]
            self._aligned[fixed, moving] = index_map(align(one.source, other.source, "affine").transform, one.grid, other.grid)
        matrix = torch.from_numpy(self._aligned[fixed, moving])
        return matrix[:3, :3], matrix[:3, 3]


def index_map(transform: sitk.Transform, fixed: ImageGrid, moving: ImageGrid) -> np.ndarray:
    """Return the affine map (4, 4) from voxels of the fixed to voxels of the moving image."""

    def of_grid(grid: ImageGrid) -> np.ndarray:
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = grid.index_to_physical_matrix, grid.origin
        return matrix

    affine = np.eye(4)
    affine[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        affine[:3, axis] = np.array(transform.TransformPoint(tuple(np.eye(3)[axis]))) - affine[:3, 3]
    return np.linalg.inv(of_grid(moving)) @ affine @ of_grid(fixed)


def train(scans: list[Scan], seconds: float, labels: int, edge: int = 48, seed: int = 0) -> tuple[DirectNet, int]:
    """Train for so many seconds of the processor; return the network and its number of steps.

    The learning rate falls along a cosine over that time.
    """
    torch.manual_seed(seed)
    draws, pairs, network = RandomDraws(torch.Generator().manual_seed(seed)), Pairs(scans, edge), DirectNet()
    optimiser, begun, steps = torch.optim.Adam(network.parameters(), lr=_RATE), time.process_time(), 0
    while (share := (time.process_time() - begun) / seconds) < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = _RATE * 0.5 * (1.0 + np.cos(np.pi * share))
        images, maps = pairs.example(draws)
        loss = _loss(network(images[None])[0], images, maps, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
    return network.eval(), steps


def _loss(field: Tensor, images: Tensor, maps: Tensor, labels: int) -> Tensor:
    where = identity(tuple(field.shape[1:]), field) + field
    hot = F.one_hot(maps, labels + 1).movedim(-1, 1).float()
    warped = sample(torch.cat([images[1:], hot[1, 1:]]), where)
    difference = (warped[0] - images[0]).square().mean()
    shared = (warped[1:] * hot[0, 1:]).flatten(1).sum(1)
    both = (warped[1:] + hot[0, 1:]).flatten(1).sum(1)
    dice = ((2.0 * shared + 1.0) / (both + 1.0)).mean()
    rough = sum(field.diff(dim=axis).square().mean() for axis in (1, 2, 3))
    return difference + _DICE * (1.0 - dice) + _SMOOTH * rough


@torch.no_grad()
def register(network: DirectNet, fixed: Scan, moving: Scan, edge: int = 48) -> DisplacementField:
    """Return the field on the fixed image's grid: affine alignment and the network's displacement."""
    edge = max(edge, 16 * -(-max(fixed.grid.size) // 16))
    transform = align(fixed.source, moving.source, "affine").transform
    matrix = torch.from_numpy(index_map(transform, fixed.grid, moving.grid))
    offset = (edge - torch.tensor(fixed.grid.size, dtype=torch.float64)) // 2
    index = identity((edge,) * 3, torch.zeros(1)).double() - offset.view(3, 1, 1, 1)
    across = mapped(matrix[:3, :3], matrix[:3, 3], index)
    images = torch.stack([sample(fixed.image[None], index.float())[0], sample(moving.image[None], across.float())[0]])
    displacement = network(images[None])[0].double()
    where = mapped(matrix[:3, :3], matrix[:3, 3], index + displacement)
    x, y, z = (slice(int(start), int(start) + n) for start, n in zip(offset, fixed.grid.size, strict=True))
    moved = where[:, z, y, x].numpy().reshape(3, -1)
    points = moving.grid.index_to_physical_matrix @ moved + np.array(moving.grid.origin)[:, None]
    own = identity(fixed.grid.shape, torch.zeros(1)).double().numpy().reshape(3, -1)
    own = fixed.grid.index_to_physical_matrix @ own + np.array(fixed.grid.origin)[:, None]
    return DisplacementField((points - own).reshape(3, *fixed.grid.shape), fixed.grid)
