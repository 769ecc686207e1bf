"""The Dense method on phantoms with exact truth, which are oblique, anisotropic scans of unequal sizes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from dense_runs import QUICK, SHIFT, featureless_pair, fingerprint, length, plain, run, run_scene, shift_error
from registering import aligned, noisy, scene, shifted, still_pair
from scenes import image_on, voxel_points

from deepreg_engine.features.obelisk import Obelisk
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.models.card import ModelCard, write_model

# Volumes of this size are computed faster by one thread.
pytestmark = pytest.mark.usefixtures("one_thread")


# ----------------------------------------------------------------------------------------------------------- known truth


def test_an_image_with_itself_stays_where_it_is():
    image, _, body = still_pair()
    inner = image[3:-2, 1:-2, 2:-1]  # with another size and origin
    result = run(noisy(image, 10.0, 1), noisy(inner, 10.0, 2))
    voxel = np.prod(image.GetSpacing()) ** (1 / 3)
    assert length(result.field.vectors)[body].mean() < 0.3 * voxel
    assert result.split.deformation.statistics().mean == pytest.approx(length(result.field.vectors).mean(), rel=1e-3)


def test_a_translation_is_found():
    fixed, moving, body = still_pair()
    result = run(fixed, shifted(moving, SHIFT))
    shown = ImageGrid.of(moving).contains(voxel_points(ImageGrid.of(fixed)).reshape(-1, 3)).reshape(body.shape)
    assert shift_error(result, body & shown) < 0.1 * np.linalg.norm(SHIFT)


@pytest.mark.parametrize(
    ("anatomy", "modalities", "changes", "of_before", "of_affine"),
    [
        ("abdomen", None, None, 0.16, 0.25),
        ("thorax", None, {}, 0.25, 0.45),
        ("abdomen", "mr-ct", {}, 0.35, 0.55),
        ("brain", None, {"working_spacing": 3.6, "control_spacing": 10.0, "capture_range": 20.0}, 0.35, 0.6),
    ],
)
def test_a_large_smooth_deformation_is_recovered(anatomy, modalities, changes, of_before, of_affine):
    """With the default parameters (``changes`` is None), or with QUICK and changes."""
    pair = scene(anatomy, modalities)
    parameters = DenseParameters() if changes is None else QUICK.replaced(changes)
    result = plain(anatomy, modalities) if parameters == QUICK else run_scene(pair, parameters)
    error = pair.error(result.field.vectors)
    assert error < of_before * pair.error()
    assert error < of_affine * pair.affine_error()
    assert result.field.jacobian_determinant().min() > 0
    assert result.field.grid == pair.grid
    assert result.alignment is aligned(pair)


def test_fixed_and_moving_may_be_swapped():
    """The field from moving to fixed maps the end of each true displacement back to its beginning."""
    pair = scene("abdomen")
    result = run(pair.moving, pair.fixed, Alignment(aligned(pair).transform.GetInverse(), "affine"))
    begin = voxel_points(pair.grid)[pair.body]
    end = begin + np.moveaxis(pair.truth, 0, -1)[pair.body]
    after = np.linalg.norm(result.field.map_points(end) - begin, axis=1)
    assert after.mean() < 0.35 * pair.error()
    assert result.field.grid == ImageGrid.of(pair.moving)


def test_every_device_finds_it(device):
    pair = scene("abdomen")
    result = plain("abdomen") if device.type == "cpu" else run_scene(pair, device=device.type)
    assert pair.error(result.field.vectors) < 0.35 * pair.affine_error()
    assert (device.type == "cpu") == result.device.startswith("CPU")


# ---------------------------------------------------------------------------------------------------- features and stages


@pytest.mark.parametrize(
    "changes",
    [
        {"features": "intensity"},
        {"mind_radius": 0, "mind_dilation": 1},
        {"mind_radius": 2, "mind_dilation": 1},
        {"search_stages": 0},
        {"search_stages": 3},
        {"mean_field_passes": 0},
        {"mean_field_passes": 2, "message_weight": -0.7},
    ],
    ids=lambda changes: " ".join(f"{name}={value}" for name, value in changes.items()),
)
def test_each_setting_finds_most_of_the_deformation(changes):
    pair = scene("abdomen")
    result = run_scene(pair, QUICK.replaced(changes))
    assert pair.error(result.field.vectors) < 0.5 * pair.affine_error()
    assert (result.field.jacobian_determinant() > 0).all()
    searches = [stage for stage in result.stages if stage["stage"] == "search"]
    assert len(searches) == changes.get("search_stages", QUICK.search_stages)
    assert (result.uncertainty is None) == (not searches)
    assert result.features == changes.get("features", "mind")


@pytest.mark.parametrize("how", ["coupled", "adam", "none"])
def test_the_search_alone_finds_a_translation_by_each_optimisation(how):
    fixed, moving, body = still_pair()
    parameters = QUICK.replaced({"instance_optimisation": how, "refinement_iterations": 0, "sharpness": 300.0})
    result = run(fixed, shifted(moving, SHIFT), parameters=parameters)
    assert {stage["stage"] for stage in result.stages} == {"search"}
    assert shift_error(result, body) < 0.5 * np.linalg.norm(SHIFT)


def test_each_setting_changes_the_result():
    pair = scene("brain")
    changes = [{"instance_optimisation": "adam"}, {"instance_optimisation": "none"}, {"mean_field_passes": 0}, {"truncation": 1.0}]
    prints = {fingerprint(run_scene(pair, QUICK.replaced({"refinement_iterations": 0, **change}))) for change in [{}, *changes]}
    assert len(prints) == 1 + len(changes)


def test_a_network_can_provide_the_features(tmp_path):
    """Obelisk with random weights has useless features; the field must still be finite and without folds."""
    torch.manual_seed(0)
    network = Obelisk(8)
    card = ModelCard("random", "dense", "obelisk", settings={"spacing_mm": 4.0})
    path = tmp_path / "random.safetensors"
    write_model(path, card, {name: tensor.numpy() for name, tensor in network.state_dict().items()})
    pair = scene("abdomen")
    result = run_scene(pair, QUICK.replaced({"features": str(path)}))
    assert result.features == "random"
    assert np.isfinite(result.field.vectors).all()
    assert length(result.field.vectors).max() < 150
    assert (result.field.jacobian_determinant() > 0).all()


def test_ct_and_mr_are_compared_by_their_structure():
    """MIND registers an MR with a CT; intensities do not."""
    pair = scene("abdomen", "mr-ct")
    by_structure = pair.error(plain("abdomen", "mr-ct").field.vectors)
    by_intensity = pair.error(run_scene(pair, QUICK.replaced({"features": "intensity"})).field.vectors)
    assert by_structure < 0.6 * pair.affine_error()
    assert by_intensity > 1.3 * by_structure


# ----------------------------------------------------------------------------------------------------------- uncertainty


def test_the_uncertainty_is_larger_without_structure():
    """Inside a ball without structure all displacements are equally good; at its edge they are not."""
    fixed, moving = featureless_pair(0.55)
    grid = ImageGrid.of(fixed)
    changes = {"sharpness": 300.0, "refinement_iterations": 0, "working_spacing": 3.0, "control_spacing": 8.0, "capture_range": 20.0}
    result = run(fixed, moving, parameters=QUICK.replaced(changes))
    assert ImageGrid.of(result.uncertainty).same_as(grid, 1e-6)
    values = sitk.GetArrayFromImage(result.uncertainty)
    assert np.isfinite(values).all()
    assert values.min() >= 0.0
    radius = np.linalg.norm(voxel_points(grid) - [20, -30, 10], axis=-1)
    edge, inside = values[np.abs(radius - 80) < 8], values[radius < 30]
    assert inside.mean() > 1.5 * edge.mean()
    # No label is outside the range of the search.
    assert values.max() < np.sqrt(3) * result.stages[0]["range_mm"]
    # A sharper softmax has less uncertainty.
    sharper = run(fixed, moving, parameters=QUICK.replaced({**changes, "sharpness": 1000.0}))
    assert np.array_equal(sharper.field.vectors, result.field.vectors)
    assert sitk.GetArrayFromImage(sharper.uncertainty).mean() < 0.8 * values.mean()


# ---------------------------------------------------------------------------------------------------------- unusual intensities and sizes


def test_padding_of_a_scanner_does_not_disturb():
    """Corners outside the scanner's round field of view have the value -3024: they must not act as an edge of the patient."""
    pair = scene("abdomen")
    padded = []
    for image in (pair.fixed, pair.moving):
        array = sitk.GetArrayFromImage(image)
        y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in array.shape[1:]), indexing="ij")
        array = np.where((x**2 + y**2 > 1.0) & (array < -900), -3024.0, array)
        assert 0.1 < (array == -3024).mean() < 0.3
        padded.append(image_on(ImageGrid.of(image), array.astype(np.float32)))
    disturbed = run(*padded, aligned(pair)).field.vectors
    assert length(plain("abdomen").field.vectors - disturbed)[pair.body].mean() < 0.1 * pair.voxel


def test_the_scale_of_the_pixels_does_not_matter():
    pair = scene("brain")
    large = [sitk.ShiftScale(image, 0.0, 1000.0) for image in (pair.fixed, pair.moving)]
    small = sitk.ShiftScale(pair.moving, 3000.0, 0.001)
    for fixed, moving in (large, (pair.fixed, large[1]), (large[0], small)):
        other = run(fixed, moving, aligned(pair)).field.vectors
        assert length(plain("brain").field.vectors - other)[pair.body].mean() < 0.02 * pair.voxel


@pytest.mark.parametrize(("first", "last", "share"), [(12, 24, 0.6), (18, 22, 2.0)])
def test_a_slab_of_a_few_slices_can_be_registered(first, last, share):
    """With twelve slices most of the deformation is found; four contain too little information, but the run succeeds."""
    pair = scene("abdomen")
    slab, truth, body = pair.fixed[:, :, first:last], pair.truth[:, first:last], pair.body[first:last]
    result = run(slab, pair.moving, aligned(pair))
    before = length(DisplacementField.from_transform(aligned(pair).transform, ImageGrid.of(slab)).vectors - truth)[body].mean()
    assert length(result.field.vectors - truth)[body].mean() < share * before
    assert result.field.jacobian_determinant().min() > 0
