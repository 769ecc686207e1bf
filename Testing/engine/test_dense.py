"""The Dense method as a whole, on phantoms with exact truth: oblique, anisotropic scans of unequal sizes."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from registering import FIXED_TURNS, MOVING_TURNS, Scene, aligned, grid_over, noisy, scene, shifted, still_pair
from scenes import Waves, image_on, itk_map, itk_transform, make_grid, rotation, voxel_points
from scipy import ndimage

import deepreg_engine
from deepreg_engine.errors import Cancelled, DeviceError, InputError
from deepreg_engine.features.obelisk import Obelisk
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.device import choose_device
from deepreg_engine.methods.common.guides import LandmarkPairs
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.presets import dense_preset
from deepreg_engine.methods.dense.register import DenseInput, register_dense, then_transform
from deepreg_engine.models.card import ModelCard, write_model

IDENTITY = Alignment(sitk.Transform(3, sitk.sitkIdentity), "none")
# A second or less for the phantoms here, at a coarse resolution; what a test is about is set beside it.
QUICK = dense_preset("quick").parameters.replaced({"capture_range": 40.0})
SHIFT = np.array([25.0, 10.0, -20.0])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Volumes this small are computed by one thread faster than two find together on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(fixed, moving, alignment=IDENTITY, parameters=QUICK, device="cpu", progress=None, **more):
    return register_dense(DenseInput(fixed, moving, alignment=alignment, **more), parameters, device, progress)


def run_scene(pair: Scene, parameters=QUICK, **more):
    return run(pair.fixed, pair.moving, aligned(pair), parameters, **more)


@functools.cache
def plain(anatomy, modality_pair=None):
    """A phantom pair registered with nothing special, once for all tests that compare with it."""
    return run_scene(scene(anatomy, modality_pair))


def length(vectors):
    """Of displacements (3, ...)."""
    return np.sqrt(np.square(np.asarray(vectors, dtype=np.float64)).sum(0))


def shift_error(result, body, shift=SHIFT):
    """Mean distance to a known translation over a region, mm."""
    return float(length(result.field.vectors - np.reshape(shift, (3, 1, 1, 1)))[body].mean())


def fingerprint(result):
    digest = hashlib.sha256(result.field.vectors.tobytes())
    if result.uncertainty is not None:
        digest.update(sitk.GetArrayFromImage(result.uncertainty).tobytes())
    return digest.hexdigest()


# ----------------------------------------------------------------------------------------------------------- known truth


def test_an_image_with_itself_stays_where_it_is():
    image, _, body = still_pair()
    inner = image[3:-2, 1:-2, 2:-1]  # another size and origin
    result = run(noisy(image, 10.0, 1), noisy(inner, 10.0, 2))
    voxel = np.prod(image.GetSpacing()) ** (1 / 3)
    assert length(result.field.vectors)[body].mean() < 0.3 * voxel
    assert result.deformation.mean == pytest.approx(length(result.field.vectors).mean(), rel=1e-3)


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
    """With the usual preset, or quicker."""
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
    """The field from moving to fixed takes every truth's end back to its beginning."""
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


# ----------------------------------------------------------------------------------------------------------------- masks


def test_what_lies_outside_the_fixed_mask_does_not_matter():
    """A part of the fixed image shows something else: without the mask it pulls, with the mask it hardly does.

    It begins 40 mm from the mask: features look a few voxels across a mask's border, so that an organ's own border counts.
    """
    pair = scene("abdomen")
    side = voxel_points(pair.grid)[..., 0] - voxel_points(pair.grid)[pair.body][:, 0].mean()
    array = sitk.GetArrayFromImage(pair.fixed)
    other = np.roll(array, (6, 4), axis=(0, 1))[:, :, ::-1]
    corrupted = image_on(pair.grid, np.where(side > 40, other, array))
    mask = image_on(pair.grid, (side <= 0).astype(np.uint8))
    near = pair.body & (side <= 0) & (side > -30)
    for changes, share in (({}, 0.4), ({"refinement_iterations": 0}, 0.02)):
        clean = (run_scene(pair, QUICK.replaced(changes)) if changes else plain("abdomen")).field.vectors
        pulled, clean_masked, masked = (
            run(fixed, pair.moving, aligned(pair), QUICK.replaced(changes), **more).field.vectors
            for fixed, more in ((corrupted, {}), (pair.fixed, {"fixed_mask": mask}), (corrupted, {"fixed_mask": mask}))
        )
        difference = length(pulled - clean)[near].mean()
        assert difference > 1.0
        assert length(masked - clean_masked)[near].mean() < share * difference
        # What is inside is registered as before.
        assert pair.distances(clean_masked)[near].mean() < 1.4 * pair.distances(clean)[near].mean()


def test_what_lies_outside_the_moving_mask_is_not_matched():
    """A bright block in the moving image, as of a metal implant: nothing may be matched with it."""
    pair = scene("abdomen")
    array = sitk.GetArrayFromImage(pair.moving)
    spot = np.zeros(array.shape, bool)
    spot[10:22, 14:34, 14:26] = True
    array[spot] = np.random.default_rng(0).choice([-1000.0, 2500.0], array[spot].shape)
    corrupted = image_on(ImageGrid.of(pair.moving), array)
    mask = image_on(ImageGrid.of(pair.moving), (~spot).astype(np.uint8))
    partner = ImageGrid.of(pair.moving).physical_to_index(
        voxel_points(pair.grid).reshape(-1, 3) + np.moveaxis(pair.truth, 0, -1).reshape(-1, 3)
    )
    hidden = ndimage.map_coordinates(ndimage.binary_dilation(spot, iterations=2).astype(float), partner[:, ::-1].T, order=0)
    near = pair.body & (hidden.reshape(pair.body.shape) > 0)
    assert near.sum() > 500
    errors = [
        pair.distances(run(pair.fixed, corrupted, aligned(pair), **more).field.vectors)[near].mean() for more in ({}, {"moving_mask": mask})
    ]
    assert errors[1] < 0.8 * errors[0]


def test_masks_of_everything_change_nothing():
    pair = scene("brain")
    masks = []
    for image in (pair.fixed, pair.moving):
        mask = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
        mask.CopyInformation(image)
        masks.append(mask)
    masked = run_scene(pair, fixed_mask=masks[0], moving_mask=masks[1]).field.vectors
    assert length(plain("brain").field.vectors - masked)[pair.body].mean() < 0.1 * pair.voxel


# ---------------------------------------------------------------------------------------------------------------- guides


@functools.cache
def featureless_pair(voxels=1.0):
    """A ball without any structure inside, on two steep grids; the truth turns it about its axis, which nobody can see."""
    middle, extents = (20, -30, 10), ((210, 216, 210), (228, 210, 214))
    spacings = np.array(((5.0, 6.0, 7.0), (6.0, 5.0, 6.5))) * voxels
    described = zip(extents, spacings, (FIXED_TURNS, MOVING_TURNS), strict=True)
    grids = [grid_over(middle, extent, tuple(spacing), turns) for extent, spacing, turns in described]
    images = []
    for number, grid in enumerate(grids):
        radius = np.linalg.norm(voxel_points(grid) - [20, -30, 10], axis=-1)
        images.append(noisy(image_on(grid, np.where(radius < 80, 100.0, -900.0).astype(np.float32)), 3.0, number))
    return images


def turned(points, degrees=14.0):
    middle = np.array([20, -30, 10])
    return (points - middle) @ rotation(0, 0, degrees).T + middle


@functools.cache
def guides():
    rng = np.random.default_rng(0)
    fixed = np.array([20, -30, 10]) + rng.normal(size=(12, 3)) * 28.0
    return LandmarkPairs(fixed, turned(fixed))


def guide_errors(result, pairs):
    return np.linalg.norm(result.field.map_points(pairs.fixed) - pairs.moving, axis=1)


@pytest.mark.parametrize("changes", [{}, {"search_stages": 0}, {"refinement_iterations": 0}])
def test_guides_draw_the_field_where_nothing_is_seen(changes):
    fixed, moving = featureless_pair()
    pairs, parameters = guides(), QUICK.replaced(changes)
    if not changes:
        assert guide_errors(run(fixed, moving), pairs).mean() > 5.0
    without = np.linalg.norm(pairs.fixed - pairs.moving, axis=1)  # where nobody sees that the ball has turned
    drawn = guide_errors(run(fixed, moving, parameters=parameters, guides=pairs), pairs)
    assert without.mean() > 5.0
    assert drawn.mean() < 0.5 * without.mean()


def test_guides_of_no_weight_change_nothing():
    fixed, moving = featureless_pair()
    parameters = QUICK.replaced({"guide_weight": 0.0})
    assert fingerprint(run(fixed, moving, parameters=parameters, guides=guides())) == fingerprint(run(fixed, moving, parameters=parameters))


def test_guides_know_of_the_alignment():
    """Landmarks lie in the images as they are, however far the alignment has to bring them, by a matrix or by a field."""
    fixed, moving = featureless_pair()
    offset = np.array([150.0, -80.0, 60.0])
    pairs = LandmarkPairs(guides().fixed, guides().moving + offset)
    far = sitk.TranslationTransform(3, offset.tolist())
    near = guide_errors(run(fixed, moving, guides=guides()), guides())
    field = DisplacementField.from_transform(far, ImageGrid.of(fixed)).to_transform()
    for transform in (far, field):
        errors = guide_errors(run(fixed, shifted(moving, offset), Alignment(transform, "file"), guides=pairs), pairs)
        assert errors == pytest.approx(near, abs=0.05)


def test_guides_need_their_partners():
    with pytest.raises(InputError, match="3 fixed landmarks but 2 moving"):
        LandmarkPairs(np.zeros((3, 3)), np.zeros((2, 3)))


# ----------------------------------------------------------------------------------------------------- initial transforms


def test_without_search_and_refinement_the_result_is_the_alignment():
    pair = scene("abdomen")
    nothing = QUICK.replaced({"search_stages": 0, "refinement_iterations": 0})
    result = run_scene(pair, nothing)
    points = voxel_points(pair.grid).reshape(-1, 3)[::997]
    expected = itk_map(aligned(pair).transform, points)
    assert np.abs(result.field.map_points(points) - expected).max() < 1e-3
    assert result.deformation.maximum == 0.0
    assert result.uncertainty is None
    assert result.stages == []
    given = itk_transform(pair.truth, pair.grid)
    result = run(pair.fixed, pair.moving, Alignment(given, "file"), nothing)
    assert np.abs(result.field.vectors - pair.truth).max() < 1e-3


def test_an_affine_may_be_given_as_matrix_or_as_field():
    """The same start in two forms leads to the same place."""
    pair = scene("abdomen")
    matrix = aligned(pair)
    field = Alignment(DisplacementField.from_transform(matrix.transform, pair.grid).to_transform(), "file")
    first, second = plain("abdomen"), run(pair.fixed, pair.moving, field)
    inner = ndimage.binary_erosion(np.ones(pair.body.shape, bool), iterations=4) & pair.body
    assert length(first.field.vectors - second.field.vectors)[inner].mean() < 0.1 * pair.voxel
    assert abs(pair.error(first.field.vectors) - pair.error(second.field.vectors)) < 0.15 * pair.voxel


def test_the_truth_as_initial_transform_is_kept():
    pair = scene("thorax")
    result = run(pair.fixed, pair.moving, Alignment(itk_transform(pair.truth, pair.grid), "file"))
    assert pair.error(result.field.vectors) < 0.2 * pair.error()
    assert pair.error(result.field.vectors) < 0.4 * pair.affine_error()


def test_a_field_that_brings_a_far_image_is_continued_beyond_its_grid():
    """A displacement field ends where its grid ends. What the search looks at outside must be brought along all the same."""
    fixed, moving, body = still_pair()
    offset = np.array([220.0, -90.0, 140.0])
    grid = ImageGrid.of(fixed)
    far = shifted(moving, offset)
    field = DisplacementField.from_transform(sitk.TranslationTransform(3, offset.tolist()), grid).to_transform()
    by_field = run(fixed, far, Alignment(field, "file")).field
    by_matrix = run(fixed, far, Alignment(sitk.TranslationTransform(3, offset.tolist()), "file")).field
    assert length(by_field.vectors - offset[:, None, None, None]).max() < 60.0
    assert length(by_field.vectors - by_matrix.vectors).max() < 0.01
    assert by_field.jacobian_determinant().min() > 0


def transforms_to_follow():
    """By name; the fields among them have a grid of their own, larger than that of the test."""
    affine = sitk.AffineTransform(3)
    affine.SetMatrix((rotation(9, -12, 20) @ np.array([[1.1, 0.1, 0.0], [0.0, 0.9, 0.05], [0.1, 0.0, 1.05]])).ravel().tolist())
    affine.SetCenter((10, -40, 5))
    affine.SetTranslation((30, -20, 70))
    grid = make_grid((30, 28, 26), (4.0, 3.7, 5.1), (-17, 24, -9), (31, -52, 17))
    wavy = itk_transform(Waves.draw(5, amplitude=4.0, wavelength=80.0).on(grid).vectors, grid)
    return {
        "affine": affine,
        "rigid": sitk.Euler3DTransform((5, 6, 7), 0.2, -0.1, 0.3, (9, 8, -7)),
        "scale": sitk.ScaleTransform(3, (1.1, 0.9, 1.2)),
        "field": wavy,
        "affine after field": sitk.CompositeTransform([affine, wavy]),
        "field after shift": sitk.CompositeTransform([wavy, sitk.TranslationTransform(3, (2.0, -3.0, 1.0))]),
    }


@pytest.mark.parametrize("name", transforms_to_follow())
def test_then_transform_is_the_composition(name):
    transform = transforms_to_follow()[name]
    grid = make_grid((24, 19, 15), (3.1, 4.2, 5.3), (21, -14, 33), (31, -52, 17))
    field = Waves.draw(3, amplitude=3.0, wavelength=90.0).on(grid)
    own = itk_transform(field.vectors, grid)
    points = voxel_points(grid).reshape(-1, 3)
    found = points + np.moveaxis(then_transform(field, transform).vectors, 0, -1).reshape(-1, 3)
    error = np.abs(found - itk_map(sitk.CompositeTransform([transform, own]), points)).max(axis=1)
    if transform.IsLinear():
        assert error.max() < 1e-3
        return
    middle = itk_map(own, points)
    index = grid.physical_to_index(middle)
    held = np.clip(index, 0, np.array(grid.size) - 1)
    inside = (index == held).all(axis=1)
    assert 0.6 < inside.mean() < 1.0
    assert error[inside].max() < 1e-3
    # What leaves the grid goes on as at the nearest point inside.
    nearest = grid.index_to_physical(held)
    assert np.abs(found - (itk_map(transform, nearest) + middle - nearest))[~inside].max() < 1e-3


def test_then_the_identity_is_the_field_itself():
    field = Waves.draw(1).on(make_grid((9, 8, 7), (2.0, 3.0, 4.0), (10, 20, 30)))
    assert np.array_equal(then_transform(field, sitk.Transform(3, sitk.sitkIdentity)).vectors, field.vectors)


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
def test_every_way_of_doing_it_finds_most_of_the_deformation(changes):
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


def test_every_choice_makes_a_difference():
    pair = scene("brain")
    changes = [{"instance_optimisation": "adam"}, {"instance_optimisation": "none"}, {"mean_field_passes": 0}, {"truncation": 1.0}]
    prints = {fingerprint(run_scene(pair, QUICK.replaced({"refinement_iterations": 0, **change}))) for change in [{}, *changes]}
    assert len(prints) == 1 + len(changes)


def test_a_network_gives_features_too(tmp_path):
    """Obelisk with random weights knows nothing; what it finds has to be a finite field without folds all the same."""
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
    """MIND brings an MR onto a CT; intensities as they are do not."""
    pair = scene("abdomen", "mr-ct")
    by_structure = pair.error(plain("abdomen", "mr-ct").field.vectors)
    by_intensity = pair.error(run_scene(pair, QUICK.replaced({"features": "intensity"})).field.vectors)
    assert by_structure < 0.6 * pair.affine_error()
    assert by_intensity > 1.3 * by_structure


# ----------------------------------------------------------------------------------------------------------- uncertainty


def test_the_uncertainty_is_larger_where_nothing_is_seen():
    """Deep in a ball without structure no displacement is better than another; at its edge one is."""
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
    # No label is further than the search reaches.
    assert values.max() < np.sqrt(3) * result.stages[0]["range_mm"]
    # A sharper softmax is surer.
    sharper = run(fixed, moving, parameters=QUICK.replaced({**changes, "sharpness": 1000.0}))
    assert np.array_equal(sharper.field.vectors, result.field.vectors)
    assert sitk.GetArrayFromImage(sharper.uncertainty).mean() < 0.8 * values.mean()


# -------------------------------------------------------------------------------------------------------------- progress


def test_progress_runs_from_0_to_1_and_names_what_is_done():
    pair = scene("brain")
    told = []
    result = run_scene(pair, QUICK.replaced({"search_stages": 2}), progress=lambda share, stage: told.append((share, stage)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] < 0.05
    assert shares[-1] == 1.0
    assert max(shares[:-1]) < 1.0
    stages = " ".join(stage for _, stage in told)
    assert "search 1" in stages
    assert "search 2" in stages
    assert "refinement at 5 mm" in stages
    assert len(told) >= len(result.stages) + 2
    assert all(stage["seconds"] >= 0 for stage in result.stages)
    assert result.seconds["total"] > 0


@pytest.mark.parametrize("error", [Cancelled(), KeyboardInterrupt(), ValueError("the window is gone")])
@pytest.mark.parametrize("at", ["search 1", "refinement"])
def test_what_progress_raises_stops_the_run(error, at):
    pair = scene("brain")
    told = []

    def stop(share, stage):
        told.append(stage)
        if at in stage:
            raise error

    with pytest.raises(type(error)) as stopped:
        run_scene(pair, progress=stop)
    assert stopped.value is error
    assert sum(at in stage for stage in told) == 1


def test_the_alignment_is_found_if_none_is_given():
    pair = scene("brain")
    told = []
    result = run(pair.fixed, pair.moving, None, QUICK.replaced({"initial": "rigid"}), progress=lambda share, stage: told.append(stage))
    assert result.alignment.kind == "rigid"
    assert told[0] == "alignment (rigid)"
    assert pair.error(result.field.vectors) < 0.75 * pair.error()


def test_images_that_the_alignment_leaves_apart_are_refused():
    pair = scene("brain")
    with pytest.raises(InputError, match="no point in common"):
        run(pair.fixed, shifted(pair.moving, (900, 0, 0)))
    around = make_grid((5, 5, 5), (60, 70, 80), (11, -9, 16), pair.grid.centre)
    with pytest.raises(InputError, match="no point in common"):
        run(pair.fixed, pair.moving, Alignment(itk_transform(np.full((3, 5, 5, 5), 900.0), around), "file"))


# ---------------------------------------------------------------------------------------------------------- repeatability


def run_files(folder):
    """Register what lies in a folder; files have fewer digits than memory."""
    fixed, moving = (sitk.ReadImage(f"{folder}/{name}.nrrd") for name in ("fixed", "moving"))
    return run(fixed, moving, Alignment(sitk.ReadTransform(f"{folder}/alignment.tfm"), "affine"))


def test_the_same_input_gives_the_same_bits_in_this_process_and_in_another(tmp_path):
    pair = scene("brain")
    sitk.WriteImage(pair.fixed, str(tmp_path / "fixed.nrrd"))
    sitk.WriteImage(pair.moving, str(tmp_path / "moving.nrrd"))
    sitk.WriteTransform(aligned(pair).transform, str(tmp_path / "alignment.tfm"))
    first = fingerprint(run_files(tmp_path))
    assert fingerprint(run_files(tmp_path)) == first
    folders = [str(Path(deepreg_engine.__file__).parents[1]), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    call = [sys.executable, "-c", "import sys, test_dense as t; print(t.fingerprint(t.run_files(sys.argv[1])))", str(tmp_path)]
    output = subprocess.run(call, capture_output=True, text=True, env=environment, check=True, timeout=300).stdout
    assert output.split()[-1] == first


# ---------------------------------------------------------------------------------------------------------- odd intensities


def test_padding_of_a_scanner_does_not_disturb():
    """Corners outside the scanner's round field of view are marked with -3024: they are no edge of the patient."""
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
    """Twelve slices find most of it; four know too little, but nothing breaks."""
    pair = scene("abdomen")
    slab, truth, body = pair.fixed[:, :, first:last], pair.truth[:, first:last], pair.body[first:last]
    result = run(slab, pair.moving, aligned(pair))
    before = length(DisplacementField.from_transform(aligned(pair).transform, ImageGrid.of(slab)).vectors - truth)[body].mean()
    assert length(result.field.vectors - truth)[body].mean() < share * before
    assert result.field.jacobian_determinant().min() > 0


# ---------------------------------------------------------------------------------------------------------------- devices


def test_devices_that_are_not_there_are_refused_by_name():
    with pytest.raises(DeviceError, match="abacus.*auto, cpu, cuda, mps|abacus"):
        choose_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="--device cuda") as refusal:
            run_scene(scene("brain"), device="cuda")
        assert "--device cpu" in refusal.value.advice
    if not torch.backends.mps.is_available():
        with pytest.raises(DeviceError, match="--device mps"):
            choose_device("mps")
    device, name = choose_device("auto")
    assert name
    assert choose_device(device.type)[0] == device
