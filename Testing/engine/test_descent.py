"""The Descent method on steeply oblique, anisotropic pairs of unequal sizes with exact truth."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from registering import aligned, scene, shifted
from scenes import image_on

from deepreg_engine.errors import InputError, NotEnoughMemoryError, ParameterError
from deepreg_engine.features.contrast_net import ContrastNet
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common import registration
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.descent import register as descent
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.descent.plan import estimate_memory, finest_spacing, make_plan, steps_at
from deepreg_engine.methods.descent.presets import DESCENT_PRESETS, descent_preset
from deepreg_engine.methods.descent.register import register_descent
from deepreg_engine.models.card import ModelCard, write_model

COARSE = DescentParameters(features="mind", working_spacing=6.0, levels=2, iterations=30, window_spread=4.0, elastic=0.7)


def register(pair, parameters=COARSE, **more):
    """Register a scene from its affine alignment."""
    return register_descent(ImagePair(pair.fixed, pair.moving, alignment=aligned(pair), **more), parameters, "cpu")


@pytest.mark.parametrize(
    ("anatomy", "modalities", "share"), [("brain", "mr-mr", 0.45), ("abdomen", "mr-ct", 0.75), ("abdomen", "ct-ct", 0.6)]
)
def test_error_falls_on_oblique_pairs(anatomy, modalities, share):
    pair = scene(anatomy, modalities)
    spacing = 4.0 if anatomy == "brain" else 6.0
    result = register(pair, COARSE.replaced({"working_spacing": spacing}))
    assert result.field.grid == pair.grid
    assert pair.error(result.field.vectors) < share * pair.affine_error()
    assert result.field.jacobian_determinant().min() > 0


def test_symmetric_descent_is_as_good_and_undoes_itself():
    pair = scene("brain", "mr-mr")
    parameters = COARSE.replaced({"working_spacing": 4.0, "symmetric": True, "initial": "none"})
    result = register(pair, parameters)
    assert pair.error(result.field.vectors) < 0.5 * pair.affine_error()
    # On one grid and without alignment, exchanging the images gives the inverse.
    grid = ImageGrid.of(pair.fixed)
    moving = sitk.Resample(pair.moving, pair.fixed, aligned(pair).transform, sitk.sitkLinear, 0.0)
    points = grid.index_to_physical(np.argwhere(pair.body)[::37, ::-1])

    def round_trip(symmetric: bool) -> float:
        parameters = COARSE.replaced({"working_spacing": 4.0, "symmetric": symmetric, "initial": "none"})
        there, back = (
            register_descent(ImagePair(*images), parameters, "cpu").field for images in ((pair.fixed, moving), (moving, pair.fixed))
        )
        apart = back.map_points(there.map_points(points)) - points
        return float(np.linalg.norm(apart, axis=1).mean())

    assert round_trip(True) < 0.5 * round_trip(False)


def test_energies_fall_and_iterations_lead_to_the_result():
    pair = scene("brain", "mr-mr")
    reported = []
    result = register_descent(
        ImagePair(pair.fixed, pair.moving, alignment=aligned(pair)),
        COARSE.replaced({"working_spacing": 4.0}),
        "cpu",
        lambda share, stage: reported.append((share, stage)),
        keep=6,
    )
    assert [entry["iteration"] for entry in result.energies] == list(range(len(result.energies)))
    for spacing in {entry["spacing_mm"] for entry in result.energies}:
        level = [entry["energy"] for entry in result.energies if entry["spacing_mm"] == spacing]
        assert min(level) < level[0] < 1.0
        assert len(level) > 3
    numbers = [number for number, _ in result.iterations]
    assert numbers[0] == 0
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 6
    first, last = result.iterations[0][1], result.iterations[-1][1]
    body = ImageGrid.of(pair.fixed).index_to_physical(np.argwhere(pair.body)[::50, ::-1])
    affine = np.array([aligned(pair).transform.TransformPoint(point) for point in body.tolist()])
    assert np.abs(first.map_points(body) - affine).max() < 0.05
    assert np.linalg.norm(last.map_points(body) - result.field.map_points(body), axis=1).mean() < 0.3
    errors = [pair.error(field.resampled(pair.grid).vectors) for _, field in result.iterations]
    assert errors[-1] < 0.6 * errors[0]
    shares = [share for share, _ in reported]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any("coarse deformation" in stage for _, stage in reported)


def test_masks_say_where_to_look():
    pair = scene("abdomen", "ct-ct")
    # A bright block in the moving image that the fixed one has not, masked away, changes nothing.
    array = sitk.GetArrayFromImage(pair.moving)
    block = (slice(10, 15), slice(16, 23), slice(14, 20))
    array[block] = 1500.0
    spoilt = image_on(ImageGrid.of(pair.moving), array)
    everywhere = np.ones(array.shape, dtype=np.uint8)
    everywhere[tuple(slice(part.start - 5, part.stop + 5) for part in block)] = 0
    mask = image_on(ImageGrid.of(pair.moving), everywhere)

    def found(image, mask=None):
        return register_descent(ImagePair(pair.fixed, image, moving_mask=mask, alignment=aligned(pair)), COARSE, "cpu").field.vectors

    clean = found(pair.moving, mask)
    inside = pair.body
    assert np.abs(found(spoilt, mask) - clean)[:, inside].mean() < 0.5 * np.abs(found(spoilt) - clean)[:, inside].mean()
    left = np.zeros(pair.truth.shape[1:], dtype=np.uint8)
    left[:, :, : left.shape[2] // 2] = 1
    half = register(pair, fixed_mask=image_on(pair.grid, left)).field.vectors
    body = pair.body & (left > 0)
    assert pair.distances(half)[body].mean() < 0.8 * pair.distances(np.zeros_like(half))[body].mean()


def test_steps_stop_where_nothing_is_gained():
    pair = scene("brain", "mr-mr")
    result = register_descent(ImagePair(pair.fixed, pair.fixed), COARSE.replaced({"initial": "none", "working_spacing": 4.0}), "cpu")
    assert result.field.lengths().max() < 0.05
    assert all(stage["iterations"] <= 1 for stage in result.stages)


def test_images_apart_are_refused():
    pair = scene("brain", "mr-mr")
    far = shifted(pair.moving, (900.0, 0.0, 0.0))
    with pytest.raises(InputError, match="no point in common"):
        register_descent(ImagePair(pair.fixed, far), COARSE.replaced({"initial": "none"}), "cpu")


def test_a_run_that_does_not_fit_is_refused(monkeypatch):
    pair = scene("brain", "mr-mr")
    monkeypatch.setattr(registration.Registration, "_free_memory", lambda self: 1e6)
    with pytest.raises(NotEnoughMemoryError, match="GB are free"):
        register(pair)


def test_plan_halves_and_keeps_to_its_cap():
    grid = scene("abdomen", "mr-ct").grid
    parameters = DescentParameters(working_spacing=5.5)
    spacings = [level.spacing[0] for level in make_plan(grid, parameters)]
    assert spacings[-1] == pytest.approx(5.5, rel=1e-6)
    assert all(a == pytest.approx(2 * b, rel=0.1) for a, b in zip(spacings, spacings[1:], strict=False))
    capped = make_plan(grid, parameters.replaced({"working_voxels": 0.02}))
    assert capped[-1].voxels <= 20_000
    assert finest_spacing(grid, 0.25, 200.0) == pytest.approx(min(grid.spacing))
    assert [steps_at(level, parameters.replaced({"iterations": 27})) for level in range(3)] == [27, 18, 12]
    needed = [
        estimate_memory(grid, grid, make_plan(grid, changed), changed, 12)
        for changed in (parameters, parameters.replaced({"symmetric": True}))
    ]
    assert needed[0] <= needed[1]


def test_presets_are_valid_and_wrong_names_find_the_nearest():
    assert len({preset.name for preset in DESCENT_PRESETS}) == len(DESCENT_PRESETS)
    for preset in DESCENT_PRESETS:
        assert descent_preset(preset.name) is preset
        assert preset.help
    with pytest.raises(ParameterError, match="quik") as caught:
        descent_preset("quik")
    assert "did you mean quick?" in caught.value.line()


def test_modalities_choose_the_stems(tmp_path, monkeypatch):
    torch.manual_seed(0)
    network = ContrastNet(("ct", "mr", "other"), width=4, channels=6)
    path = tmp_path / "own.safetensors"
    write_model(path, ModelCard("own", "descent", "contrast-net"), {name: value.numpy() for name, value in network.state_dict().items()})
    asked = []
    before = ContrastNet.forward
    monkeypatch.setattr(ContrastNet, "forward", lambda self, image, modality: (asked.append(modality), before(self, image, modality))[1])
    pair = scene("abdomen", "mr-ct")
    parameters = COARSE.replaced({"features": str(path), "levels": 1, "iterations": 2, "working_spacing": 9.0})
    result = register(pair, parameters)
    assert asked == ["mr", "ct"]
    assert result.features == "own"
    asked.clear()
    register(pair, parameters.replaced({"fixed_modality": "other", "moving_modality": "mr"}))
    assert asked == ["other", "mr"]
    assert descent.regularity_of(parameters).window == parameters.window
