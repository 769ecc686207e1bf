"""Grids, intensities and organs of phantom scans."""

from __future__ import annotations

import numpy as np
import pytest
from phantom_pairs import array, number, pair_of
from scipy import ndimage

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.phantoms import ANATOMIES, MODALITY_PAIRS


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_grids_are_oblique_anisotropic_and_unequal(anatomy):
    pair = pair_of(anatomy)
    fixed, moving = ImageGrid.of(pair.fixed), ImageGrid.of(pair.moving)
    angles = np.degrees(np.arccos(np.clip(np.abs(fixed.axes).max(axis=0), -1, 1)))
    assert np.all(angles > 1.5)
    assert np.all(angles < 25)
    assert max(fixed.spacing) > 1.01 * min(fixed.spacing)
    assert max(moving.spacing) > 1.01 * min(moving.spacing)
    assert all(f != m for f, m in zip(fixed.size, moving.size, strict=True))
    assert not np.allclose(fixed.spacing, moving.spacing)
    for labels, grid in ((pair.fixed_labels, fixed), (pair.moving_labels, moving), (pair.fixed_mask, fixed)):
        assert ImageGrid.of(labels).same_as(grid, 1e-9)


@pytest.mark.parametrize("modality_pair", MODALITY_PAIRS)
@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_every_anatomy_in_every_modality_pair(anatomy, modality_pair):
    pair = pair_of(anatomy, modality_pair)
    assert pair.modality_pair == modality_pair
    for image, labels, modality in zip(
        (pair.fixed, pair.moving), (pair.fixed_labels, pair.moving_labels), modality_pair.split("-"), strict=True
    ):
        values, names = array(image), array(labels)
        assert values.dtype == np.int16
        assert names.dtype == np.uint8
        assert set(np.unique(names)) == {0, *pair.label_names}
        if modality == "ct":
            assert -1024 <= values.min() < -950
            assert 400 < values.max() <= 3071
        else:
            assert values.min() >= 0
            assert values.max() > 300


@pytest.mark.parametrize(
    ("anatomy", "expected"),
    [
        ("abdomen", {"liver": (70, 160), "spleen": (70, 170), "gallbladder": (-15, 50), "aorta": (100, 230), "left psoas": (35, 80)}),
        ("thorax", {"left lung": (-920, -780), "heart": (60, 210), "vertebrae": (150, 700), "trachea and bronchi": (-1000, -500)}),
        ("brain", {"left white matter": (20, 36), "left thalamus": (28, 43), "left lateral ventricle": (0, 22), "skull": (350, 1300)}),
    ],
)
def test_ct_numbers_are_a_patients(anatomy, expected):
    pair = pair_of(anatomy, "ct-ct")
    values, labels = array(pair.moving), array(pair.moving_labels)
    for organ, (low, high) in expected.items():
        assert low < np.median(values[labels == number(pair, organ)]) < high, organ


def test_mr_of_the_brain_is_t1_weighted():
    pair = pair_of("brain", detail=1.0)
    values, labels = array(pair.moving), array(pair.moving_labels)
    median = {name: np.median(values[labels == key]) for key, name in pair.label_names.items()}
    assert median["left white matter"] > 1.1 * median["left cerebral cortex"] > 1.5 * median["left lateral ventricle"]
    assert median["skull"] < median["left cerebral cortex"]


def test_organs_have_the_volumes_of_adults():
    litres = {
        ("abdomen", "liver"): (0.9, 2.2),
        ("abdomen", "spleen"): (0.06, 0.4),
        ("abdomen", "left kidney"): (0.08, 0.3),
        ("thorax", "right lung"): (1.6, 3.6),
        ("thorax", "heart"): (0.4, 1.2),
        ("brain", "cerebellum"): (0.1, 0.3),
        ("brain", "left cerebral cortex"): (0.22, 0.5),
    }
    for (anatomy, organ), (low, high) in litres.items():
        pair = pair_of(anatomy)
        voxel = np.prod(pair.moving.GetSpacing()) / 1e6
        assert low < (array(pair.moving_labels) == number(pair, organ)).sum() * voxel < high, organ


def test_body_mask_is_one_piece_around_all_labels():
    for anatomy in ANATOMIES:
        pair = pair_of(anatomy)
        mask = array(pair.fixed_mask) > 0
        pieces, _ = ndimage.label(mask)
        assert np.bincount(pieces[mask]).max() > 0.99 * mask.sum()
        assert (mask[array(pair.fixed_labels) > 0]).mean() > 0.995
        assert 0.2 < mask.mean() < 0.75
