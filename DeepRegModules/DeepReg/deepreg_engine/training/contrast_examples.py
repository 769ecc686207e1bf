"""Training examples for contrast-invariant features: two looks of one scene, and how one is deformed against the other.

Each look is a scan of the scene, or random intensities of its labels with texture; then a random curve over the intensities, blur,
thick slices, a bias field and noise. Both are seen through random turns, stretches and smooth deformations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import Tensor

from deepreg_engine.features.contrast_net import standard_intensities, stem_for
from deepreg_engine.geometry.sampling import identity, sample
from deepreg_engine.solvers.descent import smooth
from deepreg_engine.training.contrast_scenes import Scene

# Label maps become so many smooth volumes: each label has a random place in that many dimensions.
_CODES = 8
# Logarithms of the least and the largest step in the scene, in its voxels, from voxel to voxel of an example: coarse resolutions too.
_ZOOM = (-0.35, 1.0)
# Largest standard deviation of noise that is added to calibrated CT, HU.
_CT_NOISE = 40.0
# Blur of the label volumes, voxels.
_LABEL_BLUR = 1.0


@dataclass(frozen=True)
class Example:
    """One training example; all volumes have the same cubic voxels.

    Args:
        fixed, moving: intensities as the network wants them (z, y, x).
        fixed_modality, moving_modality: names of the stems.
        fixed_labels, moving_labels: smooth label volumes (K, z, y, x).
        truth: displacement from fixed to moving (3, z, y, x), voxels; None where only labels are known.
    """

    fixed: Tensor
    moving: Tensor
    fixed_modality: str
    moving_modality: str
    fixed_labels: Tensor
    moving_labels: Tensor
    truth: Tensor | None

    def to(self, device: torch.device) -> Example:
        """The same on a device."""
        parts = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return Example(**{**vars(self), **parts})


class Looks:
    """Draws examples from scenes.

    Args:
        modalities: the stems of the network.
        size: edge of the examples, voxels.
        generator: of all random numbers.
        motion: largest amplitude of the deformation, voxels.
        random_contrast: share of looks in which a scene with images shows random intensities.
        calibrated: whether CT keeps its HU, instead of what a network of several modalities takes.
    """

    def __init__(
        self,
        modalities: tuple[str, ...],
        size: int,
        generator: torch.Generator,
        motion: float = 5.0,
        random_contrast: float = 0.4,
        calibrated: bool = False,
    ) -> None:
        self._calibrated = calibrated
        self._first_take = 0
        self._modalities, self._size, self._generator = modalities, size, generator
        self._motion, self._random_contrast = motion, random_contrast

    def draw(self, scene: Scene) -> Example:
        """An example with exact truth, from one scene."""
        truth = self._deformation()
        place = self._pose(scene)  # of the moving side's voxels in the scene
        fixed_place = sample(place, identity(truth.shape[1:], truth) + truth)
        codes = torch.randn(int(scene.labels.max()) + 1, _CODES, generator=self._generator)
        texture = self._texture(scene)
        looks = []
        for number, where in enumerate((fixed_place, place)):
            image, modality = self._look(scene, where, texture, number)
            looks.append((image, modality, self._labels(scene, where, codes)))
        (fixed, fixed_modality, fixed_labels), (moving, moving_modality, moving_labels) = looks
        return Example(fixed, moving, fixed_modality, moving_modality, fixed_labels, moving_labels, truth)

    def draw_pair(self, fixed: Scene, moving: Scene) -> Example:
        """An example of two scans whose labels correspond, but not their voxels: no truth.

        Both lie in one frame, about aligned, with voxels of the same size.
        """
        place = self._pose(fixed)
        shift = torch.tensor([0.5 * (m - f) for f, m in zip(fixed.labels.shape[::-1], moving.labels.shape[::-1])])
        moving_place = place + shift.view(3, 1, 1, 1) + self.smooth_vectors(2, 0.4 * self._motion * self.uniform(0.0, 1.0))
        count = int(max(fixed.labels.max(), moving.labels.max())) + 1
        codes = torch.randn(count, _CODES, generator=self._generator)
        looks = []
        for scene, where in ((fixed, place), (moving, moving_place)):
            modality = next(name for name in scene.images)
            values = sample(scene.takes(modality)[:1], where)[0]
            stem = stem_for(modality, self._modalities)
            if not self._calibrated:
                values = standard_intensities(values, stem)
            if stem != "ct":
                values = standard_intensities(values + self.uniform(0.0, 0.05) * self.normal(*values.shape), stem)
            looks.append((values, stem, self._labels(scene, where, codes)))
        (one, one_modality, one_labels), (other, other_modality, other_labels) = looks
        return Example(one, other, one_modality, other_modality, one_labels, other_labels, None)

    def error(self) -> Tensor:
        """What a registration on its way may be off by (3, z, y, x), voxels: much or little, smooth."""
        amplitude = float(np.exp(self.uniform(-2.5, 1.0)))
        return self.smooth_vectors(3, amplitude) + self.smooth_vectors(6, 0.3 * amplitude)

    # ------------------------------------------------------------------ chance

    def uniform(self, low: float, high: float) -> float:
        """A random number."""
        return low + (high - low) * float(torch.rand(1, generator=self._generator))

    def normal(self, *shape: int) -> Tensor:
        """Random numbers."""
        return torch.randn(*shape, generator=self._generator)

    def _noise_level(self) -> float:
        """Standard deviation of noise, as a share of that of the image: most often little, at times much."""
        return 0.4 * self.uniform(0.0, 1.0) ** 2

    def _pick(self, count: int) -> int:
        return int(torch.randint(count, (1,), generator=self._generator))

    # ---------------------------------------------------------------- geometry

    def smooth_vectors(self, nodes: int, amplitude: float) -> Tensor:
        """A smooth random field (3, z, y, x) whose root mean square is ``amplitude``, voxels."""
        coarse = self.normal(1, 3, nodes, nodes, nodes)
        field = F.interpolate(coarse, size=(self._size,) * 3, mode="trilinear", align_corners=True)[0]
        field = smooth(field, 0.25 * self._size / nodes)
        return field * (amplitude / field.square().sum(0).mean().sqrt().clamp(min=1e-6))

    def _deformation(self) -> Tensor:
        amplitude = self._motion * self.uniform(0.1, 1.0)
        field = self.smooth_vectors(3, amplitude)
        # Finer bumps are lower: the field must not fold.
        field += self.smooth_vectors(7, min(amplitude * 0.4, 0.03 * self._size))
        return field

    def _pose(self, scene: Scene) -> Tensor:
        """Where the voxels of an example lie in the scene, (3, z, y, x): turned, scaled, mirrored, anywhere."""
        shape = torch.tensor(scene.labels.shape[::-1], dtype=torch.float64)
        turn = Rotation.from_rotvec(self.normal(3).double().numpy() * 0.5).as_matrix()
        flips = np.diag([1.0 - 2.0 * self._pick(2) for _ in range(3)])
        zoom = np.exp(self.uniform(*_ZOOM))
        matrix = torch.from_numpy(turn @ flips * zoom)
        matrix = matrix @ torch.diag(1.0 + 0.1 * self.normal(3).double().clamp(-2, 2))
        half = 0.5 * (self._size - 1)
        room = (shape - 1 - 0.8 * self._size * zoom).clamp(min=0.0)
        centre = 0.5 * (shape - 1) + (torch.rand(3, generator=self._generator).double() - 0.5) * room
        index = identity((self._size,) * 3, torch.zeros(1)).double() - half
        return (torch.einsum("ab,bzyx->azyx", matrix, index) + centre.view(3, 1, 1, 1)).float()

    # -------------------------------------------------------------------- looks

    def _labels(self, scene: Scene, where: Tensor, codes: Tensor) -> Tensor:
        coded = codes[_nearest(scene.labels, where)]  # (z, y, x, K)
        return smooth(coded.movedim(-1, 0).contiguous(), _LABEL_BLUR)

    def _texture(self, scene: Scene) -> list[tuple[Tensor, float]]:
        """What the anatomy has of texture, as coarse noise (1, z, y, x) and the voxels between its nodes: it moves with the anatomy,
        and both looks show it, each in its own strength."""
        parts = []
        for edge in (self.uniform(2.0, 5.0), self.uniform(5.0, 14.0)):
            nodes = [max(2, round(n / edge) + 1) for n in scene.labels.shape]
            parts.append((self.normal(1, *nodes), edge))
        return parts

    def _look(self, scene: Scene, where: Tensor, texture: list[tuple[Tensor, float]], number: int) -> tuple[Tensor, str]:
        names = [name for name in scene.images if name in self._modalities]
        real = bool(names) and self.uniform(0, 1) > self._random_contrast
        if real:
            modality = names[self._pick(len(names))]
            takes = scene.takes(modality)
            if number == 0:
                self._first_take = self._pick(len(takes)) if len(takes) > 1 else 0
            # Two looks are two examinations, where there are several.
            values = sample(takes[(self._first_take + number) % len(takes)][None], where)[0]
            if self._calibrated:
                return values + self.uniform(0.0, _CT_NOISE) * self.normal(*values.shape), modality
            values = standard_intensities(values, modality)
        else:
            modality = self._modalities[-1]
            values = self._random_intensities(scene, where, texture)
        if modality != "ct":
            if real:
                values = self._curve(values)
            values = self._scanner(values)
        else:
            values = values + 0.5 * self._noise_level() * self.normal(*values.shape)
        if modality != "ct":
            values = standard_intensities(values, modality)
        return values, modality

    def _random_intensities(self, scene: Scene, where: Tensor, texture: list[tuple[Tensor, float]]) -> Tensor:
        count = int(scene.labels.max()) + 1
        level = torch.rand(count, generator=self._generator)
        if self.uniform(0, 1) < 0.7:
            level[0] = 0.0  # air is dark in most scans
        strength = torch.rand(count, 2, generator=self._generator).square() * self.uniform(0.0, 0.25)
        index = _nearest(scene.labels, where)
        values = level[index]
        for channel, (noise, edge) in enumerate(texture):
            values = values + strength[index, channel] * sample(noise, where / edge)[0]
        return smooth(values[None], self.uniform(0.3, 0.8))[0]

    def _curve(self, values: Tensor) -> Tensor:
        """A random, not necessarily rising, curve over intensities: another contrast of the same tissues."""
        if self.uniform(0, 1) < 0.3:
            return values
        nodes = 6
        heights = torch.rand(nodes, generator=self._generator)
        if self.uniform(0, 1) < 0.7:
            heights[0] = 0.0
        scaled = ((values + 1.0) * 0.5).clamp(0.0, 1.0) * (nodes - 1)
        lower = scaled.floor().clamp(max=nodes - 2)
        share = scaled - lower
        lower = lower.long()
        return heights[lower] * (1 - share) + heights[lower + 1] * share

    def _scanner(self, values: Tensor) -> Tensor:
        """Blur, thick slices, bias field, noise."""
        size = values.shape[0]
        if self.uniform(0, 1) < 0.4:
            values = smooth(values[None], self.uniform(0.3, 1.2))[0]
        if self.uniform(0, 1) < 0.25:  # slices of up to three voxels
            axis, count = self._pick(3), max(8, round(size / self.uniform(1.5, 3.0)))
            shape = [size] * 3
            shape[axis] = count
            thick = F.interpolate(values[None, None], size=shape, mode="area")
            values = F.interpolate(thick, size=(size,) * 3, mode="trilinear", align_corners=False)[0, 0]
        bias = F.interpolate(self.normal(1, 1, 3, 3, 3), size=(size,) * 3, mode="trilinear", align_corners=True)[0, 0]
        values = values * torch.exp(self.uniform(0.0, 0.25) * bias)
        return values + values.std() * self._noise_level() * self.normal(*values.shape)


def _nearest(labels: Tensor, where: Tensor) -> Tensor:
    """Labels (z, y, x) at continuous places (3, ...), those beyond the scene as at its faces."""
    index = [where[axis].round().long().clamp(0, labels.shape[2 - axis] - 1) for axis in range(3)]
    return labels[index[2], index[1], index[0]]
