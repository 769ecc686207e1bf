"""Phantoms: is the truth true, is the anatomy there, does a seed make the same bytes.

Geometry is checked with SimpleITK (resampling, transforms, index to physical point), not with the code that made it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from deepreg_engine.errors import OutputError, ParameterError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_image, read_labels
from deepreg_engine.geometry.points import read_pairs
from deepreg_engine.geometry.transform_files import read_field
from deepreg_engine.phantoms import ANATOMIES, MODALITY_PAIRS, make_pair, make_patient, write_pair
from deepreg_engine.phantoms.deformation import Breathing, Deformation
from deepreg_engine.phantoms.noise import NoiseField, Warp, generator
from deepreg_engine.phantoms.shapes import capsule, ellipsoid, rotation, smooth_minimum
from deepreg_engine.phantoms.trees import grow
from deepreg_engine.phantoms.tubes import centreline, tube

OUTSIDE = {"ct": -1000.0, "mr": 0.0}


@functools.cache
def pair_of(anatomy, modality_pair=None, detail=0.5, seed=0):
    """Pairs are used by many tests and never changed by one."""
    return make_pair(anatomy, seed, modality_pair, detail)


def array(image):
    return sitk.GetArrayFromImage(image)


def truth_transform(pair):
    """The truth as ITK's transform."""
    return sitk.DisplacementFieldTransform(sitk.Cast(pair.truth.to_image(), sitk.sitkVectorFloat64))


def warped(pair, moving, transform, interpolator=sitk.sitkLinear, default=0.0):
    """A moving image on the fixed grid, through SimpleITK."""
    return array(sitk.Resample(moving, pair.fixed, transform, interpolator, default, sitk.sitkFloat32))


def covered(pair):
    """Fixed voxels of the body that the moving scan shows, through SimpleITK."""
    ones = sitk.Image(pair.moving.GetSize(), sitk.sitkFloat32) + 1
    ones.CopyInformation(pair.moving)
    return (warped(pair, ones, truth_transform(pair), default=0.0) > 0.99) & (array(pair.fixed_mask) > 0)


def number(pair, name):
    return next(key for key, value in pair.label_names.items() if value == name)


def dice(first, second):
    return 2 * np.count_nonzero(first & second) / max(np.count_nonzero(first) + np.count_nonzero(second), 1)


def fingerprint(pair):
    """Hash of all that a pair holds."""
    digest = hashlib.sha256()
    for image in (pair.fixed, pair.moving, pair.fixed_labels, pair.moving_labels, pair.fixed_mask):
        digest.update(array(image).tobytes())
        digest.update(repr(ImageGrid.of(image)).encode())
    digest.update(pair.truth.vectors.tobytes())
    for points in (pair.fixed_landmarks, pair.moving_landmarks):
        digest.update(points.positions.tobytes() + repr(points.labels).encode())
    return digest.hexdigest()


# ------------------------------------------------------------------- the truth


@pytest.mark.parametrize(("anatomy", "least"), [("abdomen", 0.97), ("thorax", 0.98), ("brain", 0.90)])
def test_moving_warped_by_the_truth_is_the_fixed_scan(anatomy, least):
    """The brain's two MR scans also differ by their bias fields, so they agree a little less."""
    pair = pair_of(anatomy, detail=1.0)
    default = OUTSIDE[pair.modality_pair.split("-")[1]]
    inside = covered(pair)
    fixed = array(pair.fixed).astype(np.float64)[inside]
    aligned = np.corrcoef(fixed, warped(pair, pair.moving, truth_transform(pair), default=default)[inside])[0, 1]
    before = np.corrcoef(fixed, warped(pair, pair.moving, sitk.Transform(3, sitk.sitkIdentity), default=default)[inside])[0, 1]
    assert aligned > least
    assert aligned > before + 0.1


def test_the_truth_is_better_than_its_neighbours():
    """A constant error of the truth as small as half a voxel, along any axis, would show."""
    pair = pair_of("abdomen", detail=1.0)
    inside = covered(pair)
    fixed = array(pair.fixed).astype(np.float64)[inside]
    exact = np.corrcoef(fixed, warped(pair, pair.moving, truth_transform(pair), default=-1000)[inside])[0, 1]
    for axis in range(3):
        for step in (-1.5, 1.5):
            vectors = pair.truth.vectors.copy()
            vectors[axis] += step
            shifted = DisplacementField(vectors, pair.truth.grid).to_transform()
            assert np.corrcoef(fixed, warped(pair, pair.moving, shifted, default=-1000)[inside])[0, 1] < exact - 0.005


@pytest.mark.parametrize(
    ("anatomy", "organs"),
    [
        ("abdomen", ("liver", "spleen", "left kidney", "right kidney", "stomach", "aorta", "vertebrae", "left psoas")),
        ("thorax", ("left lung", "right lung", "heart", "liver", "aorta")),
        ("brain", ("cerebellum", "brainstem", "left white matter", "right cerebral cortex", "left lateral ventricle", "left thalamus")),
    ],
)
def test_moving_labels_warped_by_the_truth_are_the_fixed_labels(anatomy, organs):
    pair = pair_of(anatomy, detail=1.0)
    inside = covered(pair)
    fixed = array(pair.fixed_labels)
    moved = warped(pair, pair.moving_labels, truth_transform(pair), sitk.sitkNearestNeighbor)
    unmoved = warped(pair, pair.moving_labels, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor)
    # A label is cut at voxel centres twice: sheets and tubes a few voxels thick lose more of it than solid organs.
    thin = {"vertebrae": 0.86, "aorta": 0.86, "left white matter": 0.87, "right cerebral cortex": 0.79, "left lateral ventricle": 0.87}
    for organ in organs:
        there = (fixed == number(pair, organ)) & inside
        overlap = dice(there, (moved == number(pair, organ)) & inside)
        assert overlap > thin.get(organ, 0.9), organ
        assert overlap > dice(there, (unmoved == number(pair, organ)) & inside) + 0.03, organ


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_truth_is_the_closed_form_at_the_voxel_centres_that_itk_sees(anatomy):
    pair = pair_of(anatomy)
    image = pair.truth.to_image()
    rng = np.random.default_rng(3)
    for _ in range(50):
        index = [int(rng.integers(n)) for n in image.GetSize()]
        point = np.array([pair.fixed.TransformIndexToPhysicalPoint(index)])
        np.testing.assert_allclose(image.GetPixel(*index), pair.deformation.displacement(point)[0], atol=1e-5)
    assert pair.truth.grid.same_as(ImageGrid.of(pair.fixed), 1e-9)


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_landmarks_correspond(anatomy):
    """Exactly in closed form, and to a micrometre through ITK on a field sampled every 0.4 mm around each."""
    pair = pair_of(anatomy)
    fixed, moving = pair.fixed_landmarks.positions, pair.moving_landmarks.positions
    np.testing.assert_allclose(fixed + pair.deformation.displacement(fixed), moving, atol=1e-6)
    axes = ImageGrid.of(pair.fixed).direction
    for x, y in zip(fixed, moving, strict=True):
        corner = x - np.array(axes).reshape(3, 3) @ (np.array((0.4, 0.4, 0.4)) * (1.3, 1.5, 1.7))
        grid = ImageGrid((4, 5, 5), (0.4, 0.4, 0.4), tuple(corner), axes)
        field = pair.deformation.displacement(grid.points().reshape(-1, 3)).reshape(*grid.shape, 3)
        transform = sitk.DisplacementFieldTransform(grid.to_image(field, vector=True))
        # Linear interpolation errs by up to h^2/8 times the second derivative along each axis: below 0.0005 mm here.
        np.testing.assert_allclose(transform.TransformPoint(tuple(x)), y, atol=1e-3)


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_landmarks_correspond_through_the_stored_field(anatomy):
    """On the fixed grid itself, to what its linear interpolation allows."""
    pair = pair_of(anatomy, detail=1.0)
    transform = truth_transform(pair)
    vectors = pair.truth.vectors.astype(np.float64)
    second = [np.abs(np.diff(vectors, 2, axis=axis)).max() for axis in (1, 2, 3)]
    tolerance = sum(second) / 8 + 1e-3
    mapped = np.array([transform.TransformPoint(tuple(x)) for x in pair.fixed_landmarks.positions])
    error = np.abs(mapped - pair.moving_landmarks.positions).max()
    assert error < tolerance < 0.5


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_landmarks_are_many_spread_named_and_inside_both_scans(anatomy):
    pair = pair_of(anatomy)
    fixed, moving = pair.fixed_landmarks, pair.moving_landmarks
    assert 20 <= len(fixed) <= 60
    assert fixed.labels == moving.labels
    assert len(set(fixed.labels)) == len(fixed)
    assert not any(label.isdigit() for label in fixed.labels)
    assert ImageGrid.of(pair.fixed).contains(fixed.positions).all()
    assert ImageGrid.of(pair.moving).contains(moving.positions).all()
    # Spread: along every axis they span more than a third of the field of view.
    assert np.all(np.ptp(moving.positions, axis=0) > ImageGrid.of(pair.moving).extent / 3)


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_landmarks_show_the_same_structure_in_both_scans(anatomy):
    """Vessel forks and poles lie on surfaces, so the labels in the voxels around are compared."""
    pair = pair_of(anatomy, detail=1.0)
    alike = []
    for x, y in zip(pair.fixed_landmarks.positions, pair.moving_landmarks.positions, strict=True):
        sets = []
        for labels, point in ((pair.fixed_labels, x), (pair.moving_labels, y)):
            index = np.array(labels.TransformPhysicalPointToIndex(tuple(point)))[::-1]
            near = tuple(slice(max(i - 1, 0), i + 2) for i in index)
            sets.append(np.bincount(array(labels)[near].ravel(), minlength=64) / 27)
        alike.append(np.minimum(*sets).sum())
    assert np.mean(alike) > 0.75


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_jacobian_is_itks_and_never_below_the_bound(anatomy):
    pair = pair_of(anatomy)
    # ITK's filter leaves out the direction, so it gets the field on an axis-aligned grid over the same body.
    lower, upper = ImageGrid.of(pair.fixed).corners().min(axis=0), ImageGrid.of(pair.fixed).corners().max(axis=0)
    grid = ImageGrid.around(lower, upper, 6.0 if anatomy != "brain" else 3.5)
    points = grid.points().reshape(-1, 3)
    field = grid.to_image(pair.deformation.displacement(points).reshape(*grid.shape, 3), vector=True)
    itk = array(sitk.DisplacementFieldJacobianDeterminant(field))
    mask = sitk.Resample(pair.fixed_mask, field, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    inside = ndimage.binary_erosion(array(mask) > 0, iterations=2)
    assert itk[inside].min() > 0.3
    closed = np.linalg.det(pair.deformation.jacobian(points)).reshape(grid.shape)
    # Central differences over one voxel against the derivative.
    np.testing.assert_allclose(itk[inside], closed[inside], atol=0.12)
    assert np.abs(itk[inside] - closed[inside]).mean() < 0.01
    assert pair.truth_statistics()["min_jacobian"] > 0.3


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("anatomy", "mean"), [("abdomen", (12, 18)), ("thorax", (10, 15)), ("brain", (5, 7))])
def test_displacements_are_as_large_as_they_should_be(anatomy, mean, seed):
    pair = pair_of(anatomy, detail=0.3, seed=seed)
    region = array(pair.fixed_mask) > 0
    if anatomy == "thorax":
        region = np.isin(array(pair.fixed_labels), [number(pair, "left lung"), number(pair, "right lung")])
    lengths = pair.truth.lengths()[region]
    assert mean[0] < lengths.mean() < mean[1]
    if anatomy == "thorax":
        assert 24 < lengths.max() < 36
    assert pair.truth_statistics()["min_jacobian"] > 0.3


def test_breathing_moves_the_diaphragm_and_hardly_the_ribs():
    pair = pair_of("thorax")
    labels = array(pair.fixed_labels)
    down = -pair.truth.vectors[2]
    liver = labels == number(pair, "liver")
    dome = liver & ~np.roll(liver, -1, axis=0)  # its uppermost voxels, in the fixed scan's slices
    spine = labels == number(pair, "vertebrae")
    assert 15 < np.percentile(down[dome], 90) < 32
    assert abs(np.median(down[labels == number(pair, "ribs and sternum")])) < 8
    assert abs(np.median(down[spine])) < 8


def test_exhaled_lungs_are_smaller_and_hold_the_same_tissue():
    pair = pair_of("thorax", detail=1.0)
    volumes, tissue = [], []
    for image, labels in ((pair.fixed, pair.fixed_labels), (pair.moving, pair.moving_labels)):
        lung = np.isin(array(labels), [number(pair, "left lung"), number(pair, "right lung")])
        voxel = np.prod(image.GetSpacing())
        volumes.append(lung.sum() * voxel)
        tissue.append((array(image)[lung] + 1000.0).sum() * voxel)
    assert volumes[0] < 0.93 * volumes[1]
    assert tissue[0] == pytest.approx(tissue[1], rel=0.1)


# --------------------------------------------------------------- grids and looks


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


# ----------------------------------------------------------------------- seeds


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_a_seed_makes_the_same_bytes_in_another_process(anatomy):
    code = (
        "from test_phantoms import fingerprint; from deepreg_engine.phantoms import make_pair;"
        f"print(fingerprint(make_pair({anatomy!r}, 11, detail=0.25)))"
    )
    paths = [os.path.dirname(__file__), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path), "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fingerprint(make_pair(anatomy, 11, detail=0.25))


def test_another_seed_is_another_patient():
    for anatomy in ANATOMIES:
        first, second = pair_of(anatomy, detail=0.3, seed=1), pair_of(anatomy, detail=0.3, seed=2)
        counts = [np.bincount(array(pair.moving_labels).ravel(), minlength=len(pair.label_names) + 1)[1:] for pair in (first, second)]
        change = np.abs(counts[0] - counts[1]) / np.maximum(counts[0], 1)
        assert np.median(change) > 0.03
        assert not np.allclose(first.deformation.shift, second.deformation.shift)


def test_two_examinations_differ_in_noise_and_contrast_but_not_in_anatomy():
    first, second = (make_patient("abdomen", 5, "ct", 0.3, scan=scan) for scan in (0, 1))
    assert np.array_equal(array(first.labels), array(second.labels))
    fat = (array(first.labels) == 0) & (array(first.mask) > 0)
    difference = array(first.image).astype(float) - array(second.image)
    assert difference[fat].std() > 5
    liver = array(first.labels) == 5
    assert abs(np.median(difference[liver])) > 0.5


def test_a_patient_is_the_moving_scan_of_its_pair():
    pair, patient = pair_of("brain", "mr-ct"), make_patient("brain", 0, "ct", 0.5)
    assert np.array_equal(array(patient.labels), array(pair.moving_labels))
    assert patient.label_names == pair.label_names
    common = dict(zip(patient.landmarks.labels, patient.landmarks.positions, strict=True))
    for name, point in zip(pair.moving_landmarks.labels, pair.moving_landmarks.positions, strict=True):
        np.testing.assert_allclose(common[name], point, atol=1e-6)


def test_a_patient_on_a_grid_of_ones_own():
    grid = ImageGrid((30, 26, 20), (9.0, 9.5, 8.0), (-130.0, -120.0, 90.0), tuple(rotation(("z", 11), ("x", -6)).ravel()))
    patient = make_patient("thorax", 2, "mr", grid=grid)
    for image in (patient.image, patient.labels, patient.mask):
        assert ImageGrid.of(image).same_as(grid, 1e-9)
    assert {1, 2, 3} <= set(np.unique(array(patient.labels)))


def test_two_patients_have_landmarks_but_no_truth():
    pair = make_pair("brain", 4, detail=0.3, patients=2)
    assert pair.truth is None
    assert pair.deformation is None
    assert pair.truth_statistics() is None
    assert len(pair.fixed_landmarks) >= 20
    assert pair.fixed_landmarks.labels == pair.moving_landmarks.labels
    one = make_pair("brain", 4, detail=0.3)
    assert np.array_equal(array(one.moving), array(pair.moving))
    assert not np.array_equal(array(one.fixed_labels), array(pair.fixed_labels))


# ---------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"anatomy": "abdomn"}, "abdomen"),
        ({"anatomy": "Brain"}, "brain"),
        ({"anatomy": "thorax", "modality_pair": "ct-mr"}, "mr-ct"),
        ({"anatomy": "thorax", "modality_pair": "us-us"}, "ct-ct"),
        ({"anatomy": "thorax", "seed": -1}, "0, 1, 2"),
        ({"anatomy": "thorax", "seed": 1.5}, "0, 1, 2"),
        ({"anatomy": "thorax", "detail": 0.0}, "0.2"),
        ({"anatomy": "thorax", "detail": float("nan")}, "0.2"),
        ({"anatomy": "thorax", "patients": 3}, "1 or 2"),
    ],
)
def test_wrong_arguments_are_named_with_the_right_ones(arguments, hint):
    with pytest.raises(ParameterError) as caught:
        make_pair(**arguments)
    assert hint in caught.value.advice


def test_nearest_name_is_offered():
    with pytest.raises(ParameterError, match="there is no phantom 'thoracs'") as caught:
        make_pair("thoracs")
    assert "did you mean thorax?" in caught.value.advice
    with pytest.raises(ParameterError, match="there is no modality 'ctt'") as caught:
        make_patient("brain", 0, "ctt")
    assert "did you mean ct?" in caught.value.advice


# --------------------------------------------------------------------- writing


def test_written_pair_reads_back(tmp_path):
    pair = pair_of("abdomen", detail=0.3, seed=1)
    paths = write_pair(pair, tmp_path / "pair")
    assert sorted(path.name for path in (tmp_path / "pair").iterdir()) == sorted(path.name for path in paths.values())
    for name in ("fixed", "moving"):
        image = read_image(paths[name])
        assert np.array_equal(array(image), array(getattr(pair, name)).astype(np.float32))
        assert ImageGrid.of(image).same_as(ImageGrid.of(getattr(pair, name)), 1e-3)
    for name in ("fixed_labels", "moving_labels", "fixed_mask"):
        assert np.array_equal(array(read_labels(paths[name])), array(getattr(pair, name)))
    fixed, moving = read_pairs(paths["fixed_landmarks"], paths["moving_landmarks"])
    np.testing.assert_allclose(fixed.positions, pair.fixed_landmarks.positions, atol=1e-6)
    np.testing.assert_allclose(moving.positions, pair.moving_landmarks.positions, atol=1e-6)
    assert moving.labels == pair.moving_landmarks.labels
    field = read_field(paths["truth"])
    assert np.array_equal(field.vectors, pair.truth.vectors)
    record = json.loads(paths["phantom"].read_text())
    assert (record["anatomy"], record["seed"], record["modality_pair"]) == ("abdomen", 1, "ct-ct")
    assert {int(key): name for key, name in record["label_names"].items()} == pair.label_names
    assert record["truth"]["mean"] == pytest.approx(pair.truth_statistics()["mean"], abs=1e-3)
    assert record["truth"]["min_jacobian"] > 0.3


def test_a_pair_is_written_completely_or_not_at_all(tmp_path):
    pair = pair_of("abdomen", detail=0.3, seed=1)
    folder = tmp_path / "pair"
    (folder / "truth.nrrd").mkdir(parents=True)  # a folder where a file shall be
    with pytest.raises(OutputError):
        write_pair(pair, folder)
    assert [path.name for path in folder.iterdir()] == ["truth.nrrd"]
    with pytest.raises(OutputError):
        write_pair(pair, tmp_path / "missing" / "pair")
    assert not (tmp_path / "missing").exists()


def test_a_new_folder_goes_again_when_writing_fails(tmp_path, monkeypatch):
    from deepreg_engine.phantoms import writing

    def refuse(*_):
        raise OutputError("the disk is full")

    monkeypatch.setattr(writing, "add_field", refuse)
    with pytest.raises(OutputError):
        write_pair(pair_of("abdomen", detail=0.3, seed=1), tmp_path / "pair")
    assert not (tmp_path / "pair").exists()


# -------------------------------------------------------------- building blocks


def test_inverse_of_a_deformation_undoes_it():
    rng = np.random.default_rng(0)
    field = Deformation(
        np.array((5.0, -3.0, 150.0)), rng.normal(0, 0.04, (3, 3)), np.array((4.0, -6.0, 2.0)), rng.uniform(-100, 100, (12, 3)),
        rng.uniform(30, 50, 12), rng.normal(0, 5, (12, 3)), Breathing(24.0, 5.0),
    )  # fmt: skip
    moving = rng.uniform(-120, 250, (200, 3))
    fixed = field.inverse(moving)
    np.testing.assert_allclose(field.map_points(fixed), moving, atol=1e-8)
    step = np.array((1e-4, -2e-4, 1e-4))
    linear = np.einsum("nca,a->nc", field.jacobian(fixed), step)
    np.testing.assert_allclose(field.map_points(fixed + step) - moving, linear, atol=1e-7)


def test_distances_are_distances():
    rng = np.random.default_rng(1)
    points = rng.uniform(-60, 60, (3, 400)).astype(np.float32)
    ball = ellipsoid((5, -4, 3), (30, 30, 30))
    expected = np.linalg.norm(points.T - (5, -4, 3), axis=1) - 30
    np.testing.assert_allclose(ball.distance(points), expected, atol=1e-3)
    bar = capsule((-20, 0, 0), (20, 0, 0), 8.0, 8.0)
    beside = np.linalg.norm(points.T - np.clip(points[0], -20, 20)[:, None] * (1, 0, 0), axis=1) - 8
    np.testing.assert_allclose(bar.distance(points), beside, atol=1e-3)
    pipe = tube(centreline([(-20, 0, 0), (20, 0, 0)], 8.0), reach=500.0)
    middle = np.abs(points[0]) < 18
    np.testing.assert_allclose(pipe.distance(points)[middle], beside[middle], atol=1e-2)
    # An oblique ellipsoid: zero on its surface, of slope one across it, and its box holds it.
    axes = rotation(("z", 30), ("x", 20))
    egg = ellipsoid((0, 0, 0), (40, 25, 15), axes)
    sphere = rng.standard_normal((3, 300))
    surface = axes @ (np.array((40, 25, 15))[:, None] * sphere / np.linalg.norm(sphere, axis=0))
    assert np.abs(egg.distance(surface.astype(np.float32))).max() < 1e-3
    normal = axes @ (axes.T @ surface / np.array((40, 25, 15))[:, None] ** 2)
    normal /= np.linalg.norm(normal, axis=0)
    np.testing.assert_allclose(egg.distance((surface + 0.5 * normal).astype(np.float32)), 0.5, atol=0.05)
    assert np.all(egg.lower - 1e-6 <= surface.T)
    assert np.all(egg.upper + 1e-6 >= surface.T)


def test_smooth_minimum_rounds_only_where_both_are_near():
    first, second = np.linspace(-10, 10, 41), np.full(41, 1.0)
    rounded = smooth_minimum(first, second, 4.0)
    sharp = np.minimum(first, second)
    far = np.abs(first - second) >= 4
    np.testing.assert_array_equal(rounded[far], sharp[far])
    assert np.all(rounded <= sharp)
    assert (sharp - rounded).max() == pytest.approx(1.0)


def test_a_warp_is_undone():
    warp = Warp(generator(3, "test"), ((90.0, 3.0), (40.0, 1.0)), (1.03, 0.97, 1.01))
    model = np.random.default_rng(2).uniform(-100, 100, (50, 3))
    np.testing.assert_allclose(warp.to_model(warp.to_patient(model).T).T, model, atol=1e-3)


def test_noise_has_zero_mean_unit_variance_and_its_wavelength():
    field = NoiseField(generator(0, "test"), 20.0, 0.2)
    line = np.zeros((3, 4000), dtype=np.float32)
    line[:] = np.random.default_rng(5).uniform(0, 160, (3, 4000))
    values = field(line)
    assert abs(values.mean()) < 0.15
    assert 0.8 < values.std() < 1.2
    # Half a wavelength on, a narrow band tends to the opposite sign; in 3D over all directions less than fully.
    shifted = line + np.array((10.0, 0, 0), dtype=np.float32)[:, None]
    assert np.corrcoef(values, field(shifted))[0, 1] < 0.25
    assert np.corrcoef(values, field(line + np.float32(0.5)))[0, 1] > 0.95


def test_a_tree_reaches_its_tips_and_obeys_murrays_law():
    rng = np.random.default_rng(4)
    tips = rng.uniform(-50, 50, (40, 3)) + (0, 0, 80)
    tree = grow(np.array([(0, 0, -10.0), (0, 0, 0)]), tips, rng, 1.0, 100.0)
    assert all(np.linalg.norm(tree.nodes - tip, axis=1).min() < 1e-9 for tip in tips)
    leaves = np.setdiff1d(np.arange(len(tree.nodes)), tree.parents)
    assert np.all(tree.radii[leaves] == 1.0)
    assert len(leaves) > 10
    assert tree.radii[0] == pytest.approx(len(leaves) ** (1 / 3))
    for node in range(len(tree.nodes)):
        children = [child for child in range(1, len(tree.nodes)) if tree.parents[child] == node]
        if children:
            assert tree.radii[node] ** 3 == pytest.approx(sum(tree.radii[child] ** 3 for child in children))
    assert np.all(tree.parents[1:] < np.arange(1, len(tree.nodes)))


def test_people_of_a_population_differ_in_anatomy_and_posture(tmp_path):
    from command_line import succeed

    from deepreg_engine.phantoms.population import make_volunteer
    from deepreg_engine.training.labelled_scans import find_labelled, read_scan

    text = succeed("phantom", "abdomen", "--scans", 2, "--seed", 6, "--detail", 0.25, "--output", tmp_path / "people")
    assert "2 scans" in text
    found = find_labelled(tmp_path / "people")
    assert [scan.name for scan in found.scans] == ["abdomen_0006", "abdomen_0007"]
    assert found.scans[0].modality == "ct"
    (one, labels), (other, _) = (read_scan(scan) for scan in found.scans)
    same = make_volunteer("abdomen", 6, detail=0.25)
    assert np.array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(same.image).astype(np.float32))
    # One as it lies in the scanner, one oblique; organs and landmarks of each lie where its image shows them.
    assert one.GetDirection() == tuple(np.eye(3).ravel()) != other.GetDirection()
    lookup = {name: number for number, name in same.label_names.items()}
    distances = sitk.SignedMaurerDistanceMap(labels == lookup["liver"], squaredDistance=False, useImageSpacing=True)
    named = dict(zip(same.landmarks.labels, same.landmarks.positions, strict=True))
    inside = [name for name in named if name.startswith("liver")]
    assert all(distances[distances.TransformPhysicalPointToIndex(named[name])] < 25.0 for name in inside)
    assert len(named) > 5


def test_people_differ_more_than_patients_of_pairs():
    """Volumes of liver and spleen and heights of the kidneys vary about as much as in adults; those of patients in pairs by less."""
    from deepreg_engine.phantoms.abdomen import abdomen
    from deepreg_engine.phantoms.individual import Individual

    seeds = range(24)
    people = [Individual.draw(seed) for seed in seeds]
    assert Individual.draw(3).liver == people[3].liver != people[4].liver

    def spread(values):
        return float(np.std(values) / np.mean(values))

    assert 0.12 < spread([person.liver**3 for person in people]) < 0.4
    assert 0.25 < spread([person.spleen**3 for person in people]) < 0.6
    assert 6.0 < np.std([person.kidney_shift[:, 2].mean() for person in people]) < 20.0
    # What an individual says is what the anatomy has: the left kidney's poles are where they were, and higher by the shift.
    usual = abdomen(0)
    shift = np.zeros((2, 3))
    shift[1] = 0.0, 0.0, 17.0
    higher = abdomen(0, Individual(kidney_shift=shift))
    for name, place in usual.landmarks.items():
        moved = np.array(higher.landmarks[name]) - np.array(place)
        assert moved == pytest.approx((0.0, 0.0, 17.0) if name.startswith("left kidney") else (0.0, 0.0, 0.0), abs=1e-9)


def test_settings_of_an_examination():
    """Without contrast medium vessels are as dark as unenhanced blood; noise and the fat in a liver are what was asked for."""
    from deepreg_engine.phantoms.appearance import Setting
    from deepreg_engine.phantoms.scan import build, examine, moving_grid

    model = build("abdomen", 4)
    grid = moving_grid(model, 0.4)
    ids = {name: number for number, name in enumerate(model.labels, start=1)}

    def seen(setting):
        drawn, image = examine(model, grid, "ct", "one", setting=setting)
        liver = ndimage.binary_erosion(drawn.labels == ids["liver"], iterations=2)
        values = array(image).astype(np.float64)
        # The median of the vessel: its wall, and voxels at its edge, are few.
        return np.median(drawn.values[drawn.labels == ids["aorta"]]), values[liver].mean(), (values - drawn.values)[liver].std()

    vessel, liver, noise = seen(Setting(phase=1.0))
    native, _, _ = seen(Setting(phase=0.0))
    assert 120 < vessel < 200
    assert 30 < native < 80
    assert liver - seen(Setting(phase=1.0, fatty=30.0))[1] == pytest.approx(30.0, abs=1.5)
    assert seen(Setting(phase=1.0, noise=3.0))[2] > 1.8 * noise  # the rest of the difference is the blur
