"""Scenes for the tests of geometry: oblique, anisotropic grids and fields with a closed form.

There are no axis-aligned isotropic scenes, because they would not reveal a missing direction matrix. Images are built with SimpleITK, not
with the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from hypothesis import strategies as st

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """Turns about x, y and z, degrees."""
    euler = sitk.Euler3DTransform()
    euler.SetRotation(*np.deg2rad([x, y, z]))
    return np.array(euler.GetMatrix()).reshape(3, 3)


def make_grid(size, spacing, turns, centre=(0.0, 0.0, 0.0), mirrored=False) -> ImageGrid:
    """A grid around a point; a mirrored one has left-handed axes."""
    axes = rotation(*turns) @ np.diag([1.0, -1.0 if mirrored else 1.0, 1.0])
    origin = np.array(centre) - axes @ (np.array(spacing) * (np.array(size) - 1) / 2)
    return ImageGrid(size, spacing, tuple(origin), tuple(axes.ravel()))


# Unequal in everything, and partly overlapping: the pair that most tests are about.
FIXED = make_grid((14, 11, 9), (1.3, 2.1, 3.2), (21, -14, 33), centre=(31.0, -52.0, 17.0))
MOVING = make_grid((12, 17, 13), (1.9, 1.4, 2.6), (-17, 24, -9), centre=(33.5, -50.0, 15.5))
MIRRORED = make_grid((10, 13, 12), (2.2, 1.1, 1.7), (12, 38, -27), centre=(30.0, -51.0, 18.0), mirrored=True)


@st.composite
def grids(draw) -> ImageGrid:
    """Small oblique grids of either handedness with three different sizes and spacings."""
    size = draw(st.lists(st.integers(3, 9), min_size=3, max_size=3, unique=True))
    spacing = [s / 10 for s in draw(st.lists(st.integers(4, 45), min_size=3, max_size=3, unique=True))]
    turns = draw(st.tuples(*[st.integers(7, 83)] * 3))
    centre = draw(st.tuples(*[st.integers(-300, 300)] * 3))
    return make_grid(size, spacing, turns, centre, draw(st.booleans()))


def image_on(grid: ImageGrid, array: np.ndarray, vector: bool = False) -> sitk.Image:
    """An array (z, y, x) or (z, y, x, c) as an image on a grid, through SimpleITK alone."""
    image = sitk.GetImageFromArray(array, isVector=vector)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return image


def blank(grid: ImageGrid) -> sitk.Image:
    """An empty image on a grid, to ask SimpleITK about its geometry."""
    return image_on(grid, np.zeros(grid.size[::-1], dtype=np.uint8))


def voxel_points(grid: ImageGrid) -> np.ndarray:
    """All voxel centres (z, y, x, 3) as SimpleITK places them."""
    image = sitk.PhysicalPointSource(sitk.sitkVectorFloat64, grid.size, grid.origin, grid.spacing, grid.direction)
    return sitk.GetArrayFromImage(image)


def random_points(grid: ImageGrid, seed: int, count: int = 60, beyond: float = 0.0) -> np.ndarray:
    """Points (N, 3), LPS mm, spread over the voxel centres' box, or up to ``beyond`` of its size outside it as well.

    No point is within a thousandth of a voxel of the border, where rounding errors decide.
    """
    rng = np.random.default_rng(seed)
    size = np.array(grid.size)
    index = (rng.uniform(-beyond, 1 + beyond, size=(count, 3))) * (size - 1)
    index[np.abs(index + 0.5) < 1e-3] += 0.01
    index[np.abs(index - size + 0.5) < 1e-3] += 0.01
    image = blank(grid)
    return np.array([image.TransformContinuousIndexToPhysicalPoint(i) for i in index.tolist()])


def inside(grid: ImageGrid, points: np.ndarray) -> np.ndarray:
    """Which points lie in the image, by ITK's rule [-1/2, n - 1/2), with SimpleITK's own index."""
    image = blank(grid)
    index = np.array([image.TransformPhysicalPointToContinuousIndex(p) for p in points.tolist()])
    return np.all((index >= -0.5) & (index < np.array(grid.size) - 0.5), axis=1)


def itk_transform(vectors: np.ndarray, grid: ImageGrid) -> sitk.DisplacementFieldTransform:
    """Displacements (3, z, y, x) as ITK's transform, through SimpleITK alone."""
    return sitk.DisplacementFieldTransform(image_on(grid, np.moveaxis(np.asarray(vectors, dtype=np.float64), 0, -1).copy(), vector=True))


def itk_map(transform: sitk.Transform, points: np.ndarray) -> np.ndarray:
    """Points (N, 3) mapped one by one by SimpleITK."""
    return np.array([transform.TransformPoint(p) for p in np.asarray(points).tolist()])


@dataclass(frozen=True)
class Waves:
    """A smooth displacement in closed form: a sum of plane waves, ``u(x) = sum_k a_k sin(w_k . x + phase_k)``.

    Args:
        amplitudes: (K, 3), mm.
        waves: (K, 3), rad per mm.
        phases: (K,), rad.
    """

    amplitudes: np.ndarray
    waves: np.ndarray
    phases: np.ndarray

    @classmethod
    def draw(cls, seed: int, amplitude: float = 2.0, wavelength: float = 60.0, count: int = 4) -> Waves:
        """Waves in random directions; amplitude and shortest wavelength in mm."""
        rng = np.random.default_rng(seed)
        turn = rng.normal(size=(count, 3))
        waves = 2 * np.pi / wavelength * turn / np.linalg.norm(turn, axis=1, keepdims=True) * rng.uniform(0.5, 1, (count, 1))
        return cls(rng.uniform(-1, 1, (count, 3)) * amplitude, waves, rng.uniform(0, 2 * np.pi, count))

    def at(self, points: np.ndarray) -> np.ndarray:
        """Displacements (N, 3), mm."""
        return np.sin(points @ self.waves.T + self.phases) @ self.amplitudes

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Exact determinant of d(x + u)/dx (N,)."""
        slope = np.cos(points @ self.waves.T + self.phases)
        return np.linalg.det(np.eye(3) + np.einsum("nk,kc,ka->nca", slope, self.amplitudes, self.waves))

    def on(self, grid: ImageGrid) -> DisplacementField:
        """Sampled at the voxels of a grid."""
        return field_of(self.at, grid)


def field_of(displacement, grid: ImageGrid) -> DisplacementField:
    """A function of points (N, 3) that gives displacements (N, 3), sampled at the voxels of a grid."""
    points = voxel_points(grid).reshape(-1, 3)
    return DisplacementField(np.moveaxis(displacement(points).reshape(*grid.size[::-1], 3), -1, 0), grid)


def random_matrix(seed: int, strength: float = 0.25) -> np.ndarray:
    """3x3 gradient of an affine displacement, far from symmetric."""
    return np.random.default_rng(seed).uniform(-strength, strength, size=(3, 3))


def affine_field(gradient: np.ndarray, grid: ImageGrid, centre=None, shift=(0.0, 0.0, 0.0)) -> DisplacementField:
    """u(x) = gradient (x - centre) + shift on a grid."""
    centre = voxel_points(grid).reshape(-1, 3).mean(axis=0) if centre is None else np.asarray(centre)
    return field_of(lambda points: (points - centre) @ np.asarray(gradient).T + np.asarray(shift), grid)


def smooth_image(grid: ImageGrid, seed: int) -> sitk.Image:
    """A float32 image made of waves, values of about -300 to 300."""
    values = Waves.draw(seed, amplitude=100.0, wavelength=18.0).at(voxel_points(grid).reshape(-1, 3))[:, 0]
    return image_on(grid, values.reshape(grid.size[::-1]).astype(np.float32))


def random_labels(grid: ImageGrid, seed: int, count: int = 4) -> sitk.Image:
    """A uint8 label map of random numbers."""
    return image_on(grid, np.random.default_rng(seed).integers(0, count + 1, grid.size[::-1]).astype(np.uint8))
