"""The mismatch of two images under a deformation, and results that are not worse than the alignment."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from test_dense_convergence import ellipsoid

from deepreg_engine.features.handcrafted import Intensity
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.agreement import mismatch, unrelated_mismatch
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.register import register_dense

IDENTITY = sitk.Transform(3, sitk.sitkIdentity)


def textured(size: tuple[int, int, int], spacing: tuple[float, float, float]) -> sitk.Image:
    """An ellipsoid with a texture of about 8 mm, on an oblique grid."""
    image = ellipsoid(size, spacing, (40.0, 30.0, 34.0), (0.0, 0.0, 0.0))
    grid = ImageGrid.of(image)
    x, y, z = np.moveaxis(grid.points(), -1, 0)
    values = sitk.GetArrayFromImage(image) * (2.0 + np.sin(0.5 * x + 0.1 * y) * np.cos(0.45 * y) + np.sin(0.4 * z))
    return grid.to_image(values.astype(np.float32))


def level(fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image | None = None) -> LevelData:
    grid = ImageGrid.of(fixed).resampled(4.0)
    return LevelData(ImagePair(fixed, moving, mask), grid, IDENTITY, 200.0, (Intensity(), Intensity()), torch.device("cpu"))


def test_the_mismatch_is_0_for_equal_images_and_1_where_nothing_is_compared():
    image = textured((30, 26, 24), (4.0, 4.5, 5.0))
    data = level(image, image)
    still = torch.zeros(3, *data.grid.shape)
    found, unit = mismatch(data, still)
    assert found == pytest.approx(0.0, abs=0.02)
    values = data.fixed_features().flatten()
    assert unit == pytest.approx(2.0 * float(values.var(unbiased=False)), rel=0.1)
    away = still.clone()
    away[0] = 2.0 * data.grid.size[0]
    assert mismatch(data, away, unit) == (pytest.approx(1.0), unit)
    half = still.clone()
    half[0] = 0.5 * data.grid.size[0]
    assert 0.5 < mismatch(data, half, unit)[0] <= 1.2


def test_unrelated_points_differ_by_both_variances_and_the_means():
    generator = torch.Generator().manual_seed(0)
    fixed, moving = (torch.randn(2, 12, 13, 14, generator=generator) * scale + mean for scale, mean in ((1.0, 0.0), (2.0, 3.0)))
    drawn = (fixed.flatten(1)[:, torch.randperm(fixed[0].numel(), generator=generator)] - moving.flatten(1)).square().mean()
    assert unrelated_mismatch(fixed, moving, torch.ones(12, 13, 14)) == pytest.approx(float(drawn), rel=0.03)


def test_a_deformation_that_is_worse_than_the_alignment_is_not_kept():
    image, generator = textured((30, 26, 24), (4.0, 4.5, 5.0)), np.random.default_rng(0)
    grid = ImageGrid.of(image)
    noisy = [grid.to_image((sitk.GetArrayFromImage(image) + 0.7 * generator.normal(size=grid.shape)).astype(np.float32)) for _ in range(2)]
    pair = ImagePair(*noisy, alignment=Alignment(IDENTITY, "file"))
    # Without smoothness the refinement follows the noise.
    parameters = DenseParameters(
        features="intensity",
        search_stages=0,
        smoothness=0.0,
        refinement_iterations=20,
        refinement_spacing=8.0,
        working_spacing=4.0,
        length_scale=1.0,
    )
    result = register_dense(pair, parameters)
    assert result.stages[-1]["mean_displacement_mm"] > 5.0
    assert float(np.abs(result.field.vectors).max()) == pytest.approx(0.0, abs=1e-4)
    assert any("the result is the alignment" in note for note in result.notes)
    usual = register_dense(pair, parameters.replaced({"smoothness": 3000.0}))
    assert not any("the result is the alignment" in note for note in usual.notes)
