"""Pairs for the tests of registration: phantoms on steeply oblique, anisotropic grids of unequal sizes, with exact truth.

The phantoms' own pairs are turned by a few degrees and nearly isotropic. Here both scans are resampled on grids that are
neither, through the same deformation in closed form. Distances are measured with numpy, not with the code under test.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scenes import image_on, make_grid, voxel_points

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.affine import Alignment, align
from deepreg_engine.phantoms import make_pair
from deepreg_engine.phantoms.deformation import Deformation
from deepreg_engine.phantoms.scan import build, examine

# Centre and field of view of each anatomy's scans here, mm; voxels of the fixed and of the moving scan, mm.
_CENTRES = {"abdomen": (0.0, 2.0, 10.0), "thorax": (0.0, 4.0, 185.0), "brain": (0.0, 8.0, 12.0)}
_EXTENTS = {"abdomen": (350.0, 270.0, 200.0), "thorax": (350.0, 270.0, 250.0), "brain": (185.0, 230.0, 170.0)}
_FIXED_SPACING = {"abdomen": (6.5, 8.0, 5.0), "thorax": (8.0, 6.5, 5.5), "brain": (3.6, 4.6, 5.4)}
_MOVING_SPACING = {"abdomen": (8.0, 5.5, 7.0), "thorax": (6.0, 7.0, 8.5), "brain": (4.4, 3.6, 3.8)}
FIXED_TURNS, MOVING_TURNS = (11.0, -9.0, 16.0), (-7.0, 12.0, -13.0)


@dataclass(frozen=True, eq=False)
class Scene:
    """Two float32 images, the truth between them on the fixed grid, and the fixed voxels of the body that the moving scan shows."""

    fixed: sitk.Image
    moving: sitk.Image
    truth: np.ndarray
    body: np.ndarray
    deformation: Deformation

    @property
    def grid(self) -> ImageGrid:
        """Of the fixed image."""
        return ImageGrid.of(self.fixed)

    @property
    def voxel(self) -> float:
        """Mean spacing of the fixed image, mm."""
        return float(np.prod(self.fixed.GetSpacing()) ** (1 / 3))

    def distances(self, vectors: np.ndarray | None = None) -> np.ndarray:
        """Distance of each voxel (z, y, x), mapped by displacements (3, z, y, x), from its true position, mm; by default without
        displacements."""
        error = self.truth - (0.0 if vectors is None else vectors)
        return np.sqrt(np.square(error.astype(np.float64)).sum(0))

    def error(self, vectors: np.ndarray | None = None) -> float:
        """Mean of these distances over the body."""
        return float(self.distances(vectors)[self.body].mean())

    def affine_error(self) -> float:
        """Mean error after an affine alignment, mm."""
        return self.error(DisplacementField.from_transform(aligned(self).transform, self.grid).vectors)


def float_image(image: sitk.Image) -> sitk.Image:
    return sitk.Cast(image, sitk.sitkFloat32)


def grid_over(centre, extent, spacing, turns) -> ImageGrid:
    """A turned grid with a field of view of about ``extent`` mm."""
    return make_grid(tuple(round(e / s) for e, s in zip(extent, spacing, strict=True)), spacing, turns, centre)


@functools.cache
def scene(anatomy: str, modality_pair: str | None = None) -> Scene:
    """A phantom pair on steep grids; its images are never changed."""
    pair = make_pair(anatomy, 0, modality_pair, detail=0.25)
    model, deformation = build(anatomy, 0), pair.deformation
    centre, extent = np.array(_CENTRES[anatomy]), np.array(_EXTENTS[anatomy])
    fixed_grid = grid_over(deformation.inverse(centre[None])[0], extent, _FIXED_SPACING[anatomy], FIXED_TURNS)
    moving_grid = grid_over(centre, 1.08 * extent, _MOVING_SPACING[anatomy], MOVING_TURNS)
    modalities = pair.modality_pair.split("-")
    seen, fixed = examine(model, fixed_grid, modalities[0], "fixed", deformation)
    _, moving = examine(model, moving_grid, modalities[1], "moving")
    points = voxel_points(fixed_grid).reshape(-1, 3)
    truth = deformation.displacement(points)
    shape = fixed_grid.size[::-1]
    partner = moving_grid.physical_to_index(points + truth)
    shown = np.all((partner >= 0) & (partner <= np.array(moving_grid.size) - 1), axis=1).reshape(shape)
    truth = np.moveaxis(truth.reshape(*shape, 3), -1, 0)
    return Scene(float_image(fixed), float_image(moving), truth, np.asarray(seen.body) & shown, deformation)


@functools.cache
def aligned(pair: Scene) -> Alignment:
    """Its affine alignment, computed once."""
    return align(pair.fixed, pair.moving, "affine")


def noisy(image: sitk.Image, sigma: float, seed: int = 0) -> sitk.Image:
    """The image with independent white noise."""
    array = sitk.GetArrayFromImage(image)
    array = array + np.random.default_rng(seed).normal(0.0, sigma, array.shape)
    return image_on(ImageGrid.of(image), array.astype(np.float32))


@functools.cache
def still_pair(anatomy: str = "abdomen") -> tuple[sitk.Image, sitk.Image, np.ndarray]:
    """Two examinations of one patient who did not move, on the two steep grids, and the fixed voxels inside the skin."""
    model = build(anatomy, 0)
    centre, extent = np.array(_CENTRES[anatomy]), np.array(_EXTENTS[anatomy])
    modality = "mr" if anatomy == "brain" else "ct"
    fixed_grid = grid_over(centre, extent, _FIXED_SPACING[anatomy], FIXED_TURNS)
    moving_grid = grid_over(centre, 1.08 * extent, _MOVING_SPACING[anatomy], MOVING_TURNS)
    seen, fixed = examine(model, fixed_grid, modality, "fixed")
    _, moving = examine(model, moving_grid, modality, "moving")
    return float_image(fixed), float_image(moving), np.asarray(seen.body)


def shifted(image: sitk.Image, shift) -> sitk.Image:
    """The image at another position in space."""
    result = sitk.Image(image)
    result.SetOrigin((np.array(image.GetOrigin()) + shift).tolist())
    return result
