"""Explanations of a result: probabilities against closed forms and against those of the run, on an oblique, anisotropic pair."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import itk_transform, make_grid
from textured_pairs import (  # noqa: F401 - a fixture
    FIXED,
    IDENTITY,
    PARAMETERS,
    SHIFT,
    STAGES,
    clouds,
    explained,
    inner_points,
    one_thread_fixture,
    pair,
    translation,
)

from deepreg_engine.errors import InputError, NotEnoughMemoryError, ParameterError
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.explain import ImageExplanation
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.dense import register as dense
from deepreg_engine.methods.dense.explain import DenseExplanation
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.points.explain import explain_points
from deepreg_engine.methods.points.parameters import PointsParameters

# -------------------------------------------------------------------------------------------------------------- one point


@pytest.mark.parametrize("stage", STAGES)
def test_a_moved_texture_is_found_within_one_step(stage):
    for point in inner_points():
        found = explained().at(point, stage)
        step = found.grid.spacing[0]
        error = FIXED.axes.T @ (found.likeliest - SHIFT)
        assert np.abs(error).max() < step, f"{found.likeliest} for {SHIFT}, steps of {step}"
        assert found.probability.sum() == pytest.approx(1.0, abs=1e-5)
        assert 0.0 <= found.bits <= found.most_bits
        # The grid agrees with it: SimpleITK places the voxel of the peak at point + displacement.
        image = found.grid.to_image(found.probability)
        peak = np.unravel_index(found.probability.argmax(), found.probability.shape)[::-1]
        place = np.array(image.TransformIndexToPhysicalPoint([int(n) for n in peak]))
        assert place == pytest.approx(point + found.likeliest, abs=1e-6)
        assert found.peak == pytest.approx(float(found.probability.max()), abs=1e-6)


def test_fine_steps_find_the_displacement_to_a_voxel():
    errors = [np.linalg.norm(explained().at(point, "fine").expected - SHIFT) for point in inner_points(12)]
    assert np.mean(errors) < 2.5  # steps of 4 mm


@pytest.mark.parametrize("stage", STAGES)
def test_a_right_translation_is_no_surprise(stage):
    under = explained(tuple(SHIFT))
    for point in inner_points():
        found = under.at(point, stage)
        assert np.allclose(found.likeliest, 0.0)
        assert found.at_result == found.peak
        assert np.linalg.norm(found.expected) < 0.5 * found.grid.spacing[0]
        assert found.bits < 0.6 * found.most_bits


def test_a_field_explains_as_the_translation_that_it_is():
    """A displacement field on another grid than the image's, as the scene hands it over."""
    grid = make_grid((9, 8, 7), (25.0, 28.0, 31.0), (5, 9, -12), centre=tuple(FIXED.centre))
    field = itk_transform(np.broadcast_to(SHIFT[:, None, None, None], (3, *grid.shape)), grid)
    found = DenseExplanation(pair(), field, PARAMETERS, "cpu")
    for point in inner_points(3):
        one, other = found.at(point, "search 2"), explained(tuple(SHIFT)).at(point, "search 2")
        assert np.abs(one.probability - other.probability).max() < 1e-3


def test_entropy_is_low_where_a_match_is_unique_and_high_without_structure():
    found = explained(tuple(SHIFT), True)
    points = inner_points(40, 0.15)
    seen, flat = points[points[:, 0] < 0.0], points[points[:, 0] > 58.0]
    assert len(seen) > 2
    assert len(flat) > 2
    for stage in ("search 2", "fine"):
        sure = np.array([found.at(point, stage).bits for point in seen])
        unsure = np.array([found.at(point, stage).bits for point in flat])
        most = found.stage(stage).describe()["most_bits"]
        assert sure.max() < 0.5 * most
        assert unsure.min() > 0.85 * most


def test_a_point_outside_is_refused():
    with pytest.raises(InputError, match="outside"):
        explained().at(FIXED.index_to_physical(np.array([[-3.0, 5.0, 5.0]]))[0])
    with pytest.raises(InputError, match="outside"):
        explained().at(np.full(3, np.nan))
    with pytest.raises(ParameterError, match="search 3") as caught:
        explained().at(FIXED.centre, "search 3")
    assert "search 1, search 2, fine" in caught.value.advice


def test_too_little_memory_is_said_before_anything_is_computed(monkeypatch):
    monkeypatch.setattr(DenseExplanation, "_free_memory", lambda self: 1e6)
    with pytest.raises(NotEnoughMemoryError, match="GB are free"):
        DenseExplanation(pair(), IDENTITY, PARAMETERS, "cpu")


def test_images_apart_are_refused():
    with pytest.raises(InputError, match="no point in common"):
        DenseExplanation(pair(), translation((900.0, 0.0, 0.0)), PARAMETERS, "cpu")


# -------------------------------------------------------------------------------------------------- as the run computes it


@pytest.mark.parametrize(
    ("changes", "masked"),
    [
        ({}, False),
        ({}, True),
        ({"mean_field_passes": 2, "message_weight": 0.5}, True),
        ({"mean_field_passes": 0}, False),
        ({"search_weights": "published", "mean_field_passes": 2}, True),
    ],
)
def test_probabilities_are_the_run_s_own(monkeypatch, changes, masked):
    """From the same state, before the first stage, at control points in the middle and at the faces."""
    parameters = PARAMETERS.replaced({"search_stages": 1, **changes})
    images = pair(True)
    masks = (None, None)
    if masked:
        masks = [sitk.Cast(image > -60.0, sitk.sitkUInt8) for image in (images.fixed, images.moving)]
    asked = ImagePair(images.fixed, images.moving, *masks, alignment=Alignment(IDENTITY, "none"))
    kept = []
    real = dense.probabilities
    monkeypatch.setattr(dense, "probabilities", lambda cost, sharpness: kept.append(real(cost, sharpness)) or kept[-1])
    dense.register_dense(asked, parameters, "cpu")
    assert len(kept) == 1
    run = kept[0].numpy()
    found = DenseExplanation(ImagePair(images.fixed, images.moving, *masks), IDENTITY, parameters, "cpu")
    bits, _, grid = found.maps("search 1")
    assert run.shape[:2] + run.shape[5:] == bits.shape
    tried = 0
    for k in np.ndindex(*bits.shape):
        point = grid.index_to_physical(np.array([k[::-1]], dtype=float))[0]
        if (k[0] + 2 * k[1] + 3 * k[2]) % 11 or not FIXED.contains(point[None])[0]:
            continue
        own = found.at(point, "search 1")
        expected = run[k[0], k[1], ..., k[2]]
        assert np.abs(own.probability - expected).max() < 2e-3 * expected.max()
        assert own.bits == pytest.approx(bits[k], abs=0.02)
        tried += 1
    assert tried > 30


def test_an_eighth_of_a_large_lattice_gives_the_mean(monkeypatch):
    whole = explained(tuple(SHIFT)).at(FIXED.centre, "fine")
    monkeypatch.setattr("deepreg_engine.methods.dense.search_costs._SUBSAMPLED_ABOVE", 1000)
    part = DenseExplanation(pair(), translation(SHIFT), PARAMETERS, "cpu").at(FIXED.centre, "fine")
    assert np.abs(whole.probability - part.probability).max() < 0.03 * whole.peak


def test_maps_do_not_depend_on_slabs(monkeypatch):
    whole = explained(tuple(SHIFT)).maps("fine")
    monkeypatch.setattr("deepreg_engine.methods.dense.explain.SLAB_VALUES", 1)
    parts = explained(tuple(SHIFT)).maps("fine")
    assert np.abs(whole[0] - parts[0]).max() < 1e-3
    assert np.abs(whole[1] - parts[1]).max() < 1e-2
    assert whole[2].same_as(parts[2])
    # Under the true translation, the expected displacement is small wherever both images are known.
    assert np.median(whole[1]) < 2.0


# --------------------------------------------------------------------------------------------------------------- features


@pytest.mark.parametrize("method", ["dense", "descent"])
def test_colours_are_alike_where_images_are(method):
    if method == "dense":
        fixed, moving, grid = explained(tuple(SHIFT)).feature_colours()
    else:
        parameters = DescentParameters(working_spacing=4.0, initial="none")
        fixed, moving, grid = ImageExplanation(pair(), translation(SHIFT), parameters, "cpu").feature_colours()
    assert fixed.shape == moving.shape == (3, *grid.shape)
    assert fixed.dtype == np.uint8
    inside = tuple(slice(5, -5) for _ in range(3))
    apart = np.abs(fixed[(slice(None), *inside)].astype(float) - moving[(slice(None), *inside)])
    unlike = np.abs(fixed[(slice(None), *inside)].astype(float) - fixed[:, 6:-4, 7:-3, 2:-8])
    assert apart.mean() < 0.35 * unlike.mean()
    assert fixed.std() > 20.0


# ----------------------------------------------------------------------------------------------------------------- points


@pytest.mark.parametrize("solver", ["belief", "belief+drift", "drift"])
def test_partners_are_found_and_missed_where_they_are_missing(solver):
    fixed, moving, partner = clouds()
    lost = 17
    moving = np.delete(moving, partner[lost], axis=0)
    partner = partner - (partner > partner[lost])
    parameters = PointsParameters(features="none", solver=solver, outliers=0.2)
    found = explain_points(fixed, moving, fixed + SHIFT, parameters, sigma=1.0, device="cpu")
    others = np.arange(len(fixed)) != lost
    assert (found.candidates[others, 0] == partner[others]).all()
    assert (found.probability.sum(1) < 1.0 + 1e-6).all()
    assert (np.diff(found.probability, axis=1) <= 0).all()
    assert found.confidence[others].mean() > 0.9
    assert found.confidence[lost] < 0.05
    assert found.nearest(fixed[lost] + (0.1, 0.0, -0.1)) == lost


def test_drift_s_probabilities_are_the_mixture_s():
    """Against equation 6 written out, with the moving points as centres."""
    generator = np.random.default_rng(4)
    moved, moving = generator.uniform(0.0, 20.0, size=(12, 3)), generator.uniform(0.0, 20.0, size=(9, 3))
    outliers, sigma = 0.3, 4.0
    found = explain_points(moved, moving, moved, PointsParameters(features="none", solver="drift", outliers=outliers), sigma, "cpu")
    weight = np.exp(-np.square(moved[:, None] - moving).sum(2) / (2.0 * sigma**2))
    constant = (2.0 * np.pi * sigma**2) ** 1.5 * outliers / (1.0 - outliers) * len(moving) / np.prod(np.ptp(moved, axis=0))
    expected = weight / (weight.sum(1, keepdims=True) + constant)
    assert found.probability == pytest.approx(np.take_along_axis(expected, found.candidates, 1), rel=1e-6)
