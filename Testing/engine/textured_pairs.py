"""Shared by the tests of explanations: an oblique, anisotropic pair with the same texture, moved by a known translation."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scenes import Waves, image_on, make_grid, voxel_points

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.dense.explain import DenseExplanation
from deepreg_engine.methods.dense.parameters import DenseParameters

FIXED = make_grid((38, 44, 26), (3.1, 2.6, 4.3), (21, -14, 33), centre=(31.0, -52.0, 17.0))
MOVING = make_grid((52, 40, 42), (2.7, 3.4, 3.6), (-17, 24, -9), centre=(29.0, -55.0, 20.0))
SHIFT = np.array([7.0, -4.0, 5.0])
PARAMETERS = DenseParameters(
    initial="none", working_spacing=3.0, control_spacing=12.0, capture_range=24.0, search_stages=2, refinement_iterations=0
)
STAGES = ("search 1", "search 2", "fine")
IDENTITY = sitk.Transform(3, sitk.sitkIdentity)


@pytest.fixture(autouse=True, scope="module", name="one_thread")
def one_thread_fixture():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def texture(points: np.ndarray, flat: bool = False) -> np.ndarray:
    """Random structures of some 10 to 20 mm; with ``flat`` none where the first coordinate is above 15 mm."""
    waves = Waves.draw(3, amplitude=40.0, wavelength=22.0, count=60)
    values = waves.at(points.reshape(-1, 3))[:, 0].reshape(points.shape[:-1])
    return np.where(points[..., 0] > 15.0, 0.0, values) if flat else values


def drawn(grid: ImageGrid, shift: np.ndarray | float = 0.0, flat: bool = False) -> sitk.Image:
    return image_on(grid, texture(voxel_points(grid) - shift, flat).astype(np.float32))


@functools.cache
def pair(flat: bool = False) -> ImagePair:
    """The same texture twice, moved by SHIFT: fixed x is moving x + SHIFT."""
    return ImagePair(drawn(FIXED, flat=flat), drawn(MOVING, SHIFT, flat))


def translation(shift) -> sitk.Transform:
    return sitk.TranslationTransform(3, np.asarray(shift, dtype=float).tolist())


@functools.cache
def explained(shift: tuple[float, ...] = (0.0, 0.0, 0.0), flat: bool = False) -> DenseExplanation:
    return DenseExplanation(pair(flat), translation(shift), PARAMETERS, "cpu")


def inner_points(count: int = 8, share: float = 0.25) -> np.ndarray:
    index = np.random.default_rng(1).uniform(share, 1.0 - share, size=(count, 3)) * np.array(FIXED.size)
    return FIXED.index_to_physical(index)


def clouds(count: int = 150) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fixed points, moving points in another order, and which of these is whose partner."""
    generator = np.random.default_rng(2)
    fixed = generator.uniform(-60.0, 60.0, size=(count, 3)) + (100.0, -80.0, 40.0)
    order = generator.permutation(count)
    return fixed, fixed[order] + SHIFT, np.argsort(order)
