"""Training examples for contrast-invariant features: two views of one scene, and the deformation between them.

Each view is a scan of the scene, or random intensities of its labels with texture; then a random curve over the intensities, blur, thick
slices, a bias field and noise. Both are sampled through random poses and smooth deformations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deepreg_engine.arrays import array_of, tensor_of
from deepreg_engine.features.contrast_net import standard_intensities, stem_for
from deepreg_engine.geometry.sampling import identity, sample
from deepreg_engine.solvers.descent import smooth
from deepreg_engine.training.augmentation import intensity
from deepreg_engine.training.augmentation.draws import RandomDraws
from deepreg_engine.training.augmentation.spatial import mapped, nearest_labels, rotation
from deepreg_engine.training.descent.scenes import Scene
from deepreg_engine.training.example_loader import TrainingExample

# Label maps become this many smooth volumes: each label has a random position in a space of that many dimensions.
_CODES = 8
# Logarithms of the least and the largest step in the scene, in its voxels, from voxel to voxel of an example: coarse resolutions too.
_ZOOM = (-0.35, 1.0)
# Largest standard deviation of noise that is added to calibrated CT, HU.
_CT_NOISE = 40.0
# Blur of the label volumes, voxels.
_LABEL_BLUR = 1.0


@dataclass(frozen=True)
class Example(TrainingExample):
    """One training example; all volumes have the same cubic voxels.

    Args:
        fixed, moving: intensities as the network takes them (z, y, x).
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


class SceneViews(RandomDraws):
    """Makes examples of scenes.

    Args:
        modalities: the stems of the network.
        size: edge of the examples, voxels.
        generator: of all random numbers.
        motion: largest amplitude of the deformation, voxels.
        random_contrast: share of views in which a scene with images shows random intensities.
        calibrated: whether CT keeps its HU, instead of the scale that a network of several modalities takes.
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
        super().__init__(generator)
        self._calibrated = calibrated
        self._first_take = 0
        self._modalities, self._size = modalities, size
        self._motion, self._random_contrast = motion, random_contrast

    def draw(self, scene: Scene) -> Example:
        """Return an example with exact truth, from one scene."""
        truth = self._deformation()
        positions = self._pose(scene)  # of the moving side's voxels in the scene
        fixed_positions = sample(positions, identity(truth.shape[1:], truth) + truth)
        codes = self.normal(int(scene.labels.max()) + 1, _CODES)
        texture = intensity.random_texture(self, tuple(scene.labels.shape))
        views = []
        for number, where in enumerate((fixed_positions, positions)):
            image, modality = self._view(scene, where, texture, number)
            views.append((image, modality, _label_volumes(scene, where, codes)))
        (fixed, fixed_modality, fixed_labels), (moving, moving_modality, moving_labels) = views
        return Example(fixed, moving, fixed_modality, moving_modality, fixed_labels, moving_labels, truth)

    def draw_pair(self, fixed: Scene, moving: Scene) -> Example:
        """Return an example without truth, from two scans whose labels correspond, but not their voxels.

        Both lie in one frame, about aligned, with voxels of the same size.
        """
        positions = self._pose(fixed)
        sizes = zip(fixed.labels.shape[::-1], moving.labels.shape[::-1], strict=True)
        shift = torch.tensor([0.5 * (m - f) for f, m in sizes])
        moving_positions = positions + shift.view(3, 1, 1, 1) + self.smooth_vectors(2, 0.4 * self._motion * self.uniform(0.0, 1.0))
        count = int(max(fixed.labels.max(), moving.labels.max())) + 1
        codes = self.normal(count, _CODES)
        views = []
        for scene, where in ((fixed, positions), (moving, moving_positions)):
            modality = next(name for name in scene.images)
            values = sample(scene.takes(modality)[:1], where)[0]
            stem = stem_for(modality, self._modalities)
            if not self._calibrated:
                values = standard_intensities(values, stem)
            if stem != "ct":
                values = standard_intensities(values + self.uniform(0.0, 0.05) * self.normal(*values.shape), stem)
            views.append((values, stem, _label_volumes(scene, where, codes)))
        (one, one_modality, one_labels), (other, other_modality, other_labels) = views
        return Example(one, other, one_modality, other_modality, one_labels, other_labels, None)

    def error(self) -> Tensor:
        """Return a smooth random error of a registration (3, z, y, x), voxels: small or large."""
        amplitude = self.log_uniform(-2.5, 1.0)
        return self.smooth_vectors(3, amplitude) + self.smooth_vectors(6, 0.3 * amplitude)

    # ---------------------------------------------------------------- geometry

    def smooth_vectors(self, nodes: int, amplitude: float) -> Tensor:
        """Return a smooth random field (3, z, y, x) whose root mean square is ``amplitude``, voxels."""
        field = smooth(self.smooth_noise(3, nodes, (self._size,) * 3), 0.25 * self._size / nodes)
        return field * (amplitude / field.square().sum(0).mean().sqrt().clamp(min=1e-6))

    def _deformation(self) -> Tensor:
        amplitude = self._motion * self.uniform(0.1, 1.0)
        field = self.smooth_vectors(3, amplitude)
        # Finer bumps are lower: the field must not fold.
        field += self.smooth_vectors(7, min(amplitude * 0.4, 0.03 * self._size))
        return field

    def _pose(self, scene: Scene) -> Tensor:
        """Return the positions of an example's voxels in the scene (3, z, y, x): rotated, scaled, mirrored and shifted at random."""
        shape = torch.tensor(scene.labels.shape[::-1], dtype=torch.float64)
        turn = array_of(rotation(self.normal(3).double() * 0.5))
        flips = np.diag([1.0 - 2.0 * self.integer(2) for _ in range(3)])
        zoom = self.log_uniform(*_ZOOM)
        matrix = tensor_of(turn @ flips * zoom)
        matrix = matrix @ torch.diag(1.0 + 0.1 * self.normal(3).double().clamp(-2, 2))
        half = 0.5 * (self._size - 1)
        room = (shape - 1 - 0.8 * self._size * zoom).clamp(min=0.0)
        centre = 0.5 * (shape - 1) + (torch.rand(3, generator=self.generator).double() - 0.5) * room
        index = identity((self._size,) * 3, torch.zeros(1)).double() - half
        return mapped(matrix, centre, index).float()

    # ------------------------------------------------------------- intensities

    def _view(self, scene: Scene, where: Tensor, texture: intensity.Texture, number: int) -> tuple[Tensor, str]:
        """Return intensities (z, y, x) at positions in a scene, and their modality."""
        names = [name for name in scene.images if name in self._modalities]
        real = bool(names) and self.uniform(0, 1) > self._random_contrast
        if real:
            modality = self.choice(names)
            takes = scene.takes(modality)
            if number == 0:
                self._first_take = self.integer(len(takes)) if len(takes) > 1 else 0
            # The two views are of two examinations, where there are several.
            values = sample(takes[(self._first_take + number) % len(takes)][None], where)[0]
            if self._calibrated:
                return values + self.uniform(0.0, _CT_NOISE) * self.normal(*values.shape), modality
            values = standard_intensities(values, modality)
        else:
            modality = self._modalities[-1]
            values = intensity.random_intensities(self, scene.labels, where, texture)
        if modality == "ct":
            return values + 0.5 * intensity.noise_level(self) * self.normal(*values.shape), modality
        if real and self.uniform(0, 1) >= 0.3:
            values = intensity.contrast_curve(self, values)
        return standard_intensities(intensity.scanned(self, values), modality), modality


def _label_volumes(scene: Scene, where: Tensor, codes: Tensor) -> Tensor:
    coded = codes[nearest_labels(scene.labels, where, background=False)]  # (z, y, x, K)
    return smooth(coded.movedim(-1, 0).contiguous(), _LABEL_BLUR)
