"""The Linear method: rigid, similarity and affine transforms as results, between oblique, anisotropic scans of unequal sizes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import SimpleITK as sitk
from registering import FIXED_TURNS, MOVING_TURNS
from scenes import image_on, itk_map, make_grid, rotation, voxel_points
from test_affine import STRETCH, known_pair, linear_about, mean_distance

from deepreg_engine.errors import InputError, OutputError, ParameterError
from deepreg_engine.geometry.composition import linear_matrix
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import warp_intensities
from deepreg_engine.geometry.transform_files import read_field
from deepreg_engine.jobs.registration import run_registration
from deepreg_engine.jobs.request import check_request, make_request
from deepreg_engine.methods.common.linear_transforms import as_affine, nearest
from deepreg_engine.methods.linear.parameters import LinearParameters
from deepreg_engine.methods.linear.register import register_linear

SCALE = 1.12
MATRICES = {"rigid": np.eye(3), "similarity": SCALE * np.eye(3), "affine": STRETCH}


def points_near(grid):
    """Points in an image and around it."""
    return grid.index_to_physical(np.random.default_rng(3).uniform(-0.4, 1.4, (40, 3)) * (np.array(grid.size) - 1))


@pytest.mark.parametrize(
    ("kind", "anatomy", "modalities"),
    [("rigid", "brain", ("mr", "ct")), ("similarity", "brain", ("mr", "ct")), ("affine", "abdomen", ("mr", "mr"))],
)
def test_each_kind_finds_a_transform_of_its_kind(kind, anatomy, modalities):
    fixed, moving, points, targets = known_pair(anatomy, rotation(7, -6, 9) @ MATRICES[kind], modalities)
    found = register_linear(fixed, moving, LinearParameters(kind=kind))
    assert (found.kind, found.notes) == (kind, ())
    assert mean_distance(found.transform, points, targets) < (0.5 if kind == "affine" else 0.35) * min(fixed.GetSpacing())
    matrix = linear_matrix(found.transform)[:3, :3]
    scale = np.linalg.det(matrix) ** (1 / 3)
    assert np.allclose(matrix.T @ matrix, scale**2 * np.eye(3), atol=1e-6) == (kind != "affine")
    assert abs(scale - (SCALE if kind == "similarity" else 1.0)) < (1e-9 if kind == "rigid" else 0.02 if kind == "similarity" else 0.1)


def test_a_similarity_is_an_alignment_of_the_other_methods(phantom_folder, tmp_path):
    files = {side: phantom_folder / f"{side}.nii.gz" for side in ("fixed", "moving")}
    quick = {"working_spacing": 12.0, "search_stages": 0, "refinement_iterations": 0}
    report = run_registration(make_request("dense", **files, transform=tmp_path / "t.nrrd", parameters=quick, initial="similarity"))
    matrix = np.array(report["alignment"]["matrix"])[:3, :3]
    assert report["alignment"]["kind"] == "similarity"
    assert np.allclose(matrix.T @ matrix, np.linalg.det(matrix) ** (2 / 3) * np.eye(3), atol=1e-5)


def fine_pair():
    """Blobs of some voxels on fine oblique grids, another contrast of them, and the known transform."""
    grid = make_grid((72, 60, 66), (1.0, 1.3, 1.1), FIXED_TURNS, (31, -52, 17))
    other = make_grid((60, 78, 64), (1.2, 1.0, 1.25), MOVING_TURNS, (33, -50, 15))
    truth = linear_about(grid.centre, rotation(3, -4, 5), (2.3, -1.7, 2.9))

    def contrast(points):
        waves = np.random.default_rng(1).normal(size=(8, 3)) / 6.0
        return 100.0 * np.tanh(np.sin(points @ waves.T).sum(-1) - np.linalg.norm(points - grid.centre, axis=-1) / 25.0)

    moving = image_on(other, contrast(voxel_points(other)).astype(np.float32))
    moved = itk_map(truth, voxel_points(grid).reshape(-1, 3)).reshape(*grid.shape, 3)
    return image_on(grid, np.square(contrast(moved) - 90.0).astype(np.float32)), moving, truth


def test_the_finer_images_make_the_result_more_accurate():
    fixed, moving, truth = fine_pair()
    grid, points = ImageGrid.of(fixed), points_near(ImageGrid.of(fixed))
    coarse, fine = (
        mean_distance(register_linear(fixed, moving, LinearParameters(working_voxels=voxels)).transform, points, itk_map(truth, points))
        for voxels in (0.01, 1.0)
    )
    assert fine < 0.06 * min(grid.spacing)
    assert fine < 0.7 * coarse


# ---------------------------------------------------------------------------------------------------------------- starts


def test_the_optimum_near_a_given_start_is_found_and_no_other():
    fixed, moving, points, targets = known_pair("abdomen", rotation(5, -4, 6))
    near = linear_about(ImageGrid.of(fixed).centre, rotation(2, -1, 3) * 1.1, (20.0, -2.0, 4.0))
    found = register_linear(fixed, moving, LinearParameters(), start=near)
    assert found.kind == "rigid"
    assert mean_distance(near, points, targets) > 10.0
    assert mean_distance(found.transform, points, targets) < 0.25 * min(fixed.GetSpacing())
    upside_down = linear_about(ImageGrid.of(fixed).centre, rotation(180, 0, 0))
    assert mean_distance(register_linear(fixed, moving, LinearParameters(), start=upside_down).transform, points, targets) > 50.0
    assert mean_distance(register_linear(fixed, moving, LinearParameters(initial="mass")).transform, points, targets) < 3.0


def test_a_start_that_is_not_possible_is_refused():
    fixed, moving, _, _ = known_pair("abdomen", np.eye(3))
    grid = ImageGrid.of(fixed)
    field = DisplacementField.zeros(grid).to_transform()
    with pytest.raises(InputError, match="rigid registration cannot start from the initial transform: the transform is not linear"):
        register_linear(fixed, moving, LinearParameters(), start=field)
    mirrored = linear_about(grid.centre, np.diag([-1.0, 1.0, 1.0]))
    with pytest.raises(InputError, match="the transform mirrors") as caught:
        register_linear(fixed, moving, LinearParameters(kind="similarity"), start=mirrored)
    assert caught.value.option == "initial"


def test_the_nearest_transform_of_a_kind():
    centre = np.array([10.0, -20.0, 30.0])
    turn = rotation(20, -30, 40)
    given = linear_about((1.0, 2.0, 3.0), turn @ np.diag([1.2, 1.2, 1.2]), (4.0, 5.0, 6.0))
    rigid, similarity, affine = (nearest(given, kind, centre) for kind in ("rigid", "similarity", "affine"))
    assert np.allclose(linear_matrix(rigid)[:3, :3], turn, atol=1e-9)
    points = points_near(make_grid((9, 8, 7), (1, 2, 3), (10, 20, 30)))
    for same in (similarity, affine, as_affine(given), as_affine(similarity)):
        assert np.allclose(itk_map(same, points), itk_map(given, points), atol=1e-9)
    assert np.allclose(rigid.TransformPoint(centre.tolist()), given.TransformPoint(centre.tolist()), atol=1e-9)
    assert as_affine(given).GetCenter() == (1.0, 2.0, 3.0)


# ----------------------------------------------------------------------------------------------------------------- files


@pytest.fixture(scope="module")
def pair_files(tmp_path_factory):
    """Files of an affine pair, landmarks of which some lie outside the fixed image, and labels."""
    folder = tmp_path_factory.mktemp("linear")
    fixed, moving, points, targets = known_pair("abdomen", rotation(5, -4, 6) @ STRETCH)
    labels = sitk.Cast(moving > float(np.median(sitk.GetArrayViewFromImage(moving))), sitk.sitkUInt8)
    for name, image in (("fixed", fixed), ("moving", moving), ("labels", labels)):
        sitk.WriteImage(image, str(folder / f"{name}.nrrd"))
    grid = ImageGrid.of(fixed)
    ends = np.concatenate([grid.centre + 1.05 * (grid.corners() - grid.centre), grid.centre + 0.4 * (grid.corners() - grid.centre)])
    affine, _, _, _ = np.linalg.lstsq(np.column_stack([points, np.ones(len(points))]), targets, rcond=None)
    for name, positions in (("a", ends), ("b", np.column_stack([ends, np.ones(16)]) @ affine)):
        np.savetxt(folder / f"{name}.csv", positions, delimiter=",", header="x,y,z", comments="")
    return folder


ENDINGS = (".tfm", ".txt", ".h5", ".mat", ".nrrd", ".nii.gz")


@pytest.mark.parametrize("ending", ENDINGS)
def test_files_of_a_linear_result_hold_the_same_transform(pair_files, tmp_path, ending):
    files = {"fixed": pair_files / "fixed.nrrd", "moving": pair_files / "moving.nrrd"}
    names = {name: tmp_path / f"{name}{ending}" for name in ("transform", "inverse")}
    report = run_registration(make_request("linear", preset="affine", **files, **names, warped=tmp_path / "w.nrrd"))
    fixed, moving = (sitk.ReadImage(str(path)) for path in files.values())
    matrix = np.array(report["alignment"]["matrix"])
    points = points_near(ImageGrid.of(fixed))
    expected = points @ matrix[:3, :3].T + matrix[:3, 3]
    warped = sitk.ReadImage(str(tmp_path / "w.nrrd"))
    if ending in (".nrrd", ".nii.gz"):
        field, back = (read_field(path) for path in names.values())
        assert (field.grid.size, back.grid.size) == (fixed.GetSize(), moving.GetSize())
        inside = points[field.grid.contains(points)]
        assert np.allclose(field.map_points(inside), inside @ matrix[:3, :3].T + matrix[:3, 3], atol=1e-3)
        return
    # SimpleITK reads it, independently of the engine.
    read, back = (sitk.ReadTransform(str(path)) for path in names.values())
    assert read.GetName() == "AffineTransform"
    assert np.abs(itk_map(read, points) - expected).max() < 1e-4
    assert np.abs(itk_map(back, itk_map(read, points)) - points).max() < 1e-6
    resampled = sitk.Resample(moving, fixed, read, sitk.sitkLinear, float(sitk.GetArrayViewFromImage(moving).min()), sitk.sitkFloat32)
    own, other = (sitk.GetArrayFromImage(image)[2:-2, 2:-2, 2:-2] for image in (warped, resampled))
    assert np.median(np.abs(own - other)) < 1e-2
    assert np.array_equal(sitk.GetArrayFromImage(warped), sitk.GetArrayFromImage(warp_intensities(moving, ImageGrid.of(fixed), read)))
    assert report["inverse"]["worst_round_trip_mm"] < 1e-6
    if ending == ".mat":  # as ANTs writes its linear transforms
        content = scipy.io.loadmat(names["transform"])
        assert {name for name in content if not name.startswith("__")} == {"AffineTransform_double_3_3", "fixed"}
        assert (content["AffineTransform_double_3_3"].shape, content["fixed"].shape) == ((12, 1), (3, 1))


def test_a_linear_result_is_measured_beyond_the_fixed_image(pair_files, tmp_path):
    """A linear transform is known everywhere, a field only on its grid."""
    landmarks = {"test_fixed_landmarks": pair_files / "a.csv", "test_moving_landmarks": pair_files / "b.csv"}
    files = {"fixed": pair_files / "fixed.nrrd", "moving": pair_files / "moving.nrrd", "transform": tmp_path / "t.mat"}
    report = run_registration(
        make_request("linear", preset="affine", **files, **landmarks, warp_labels=[[pair_files / "labels.nrrd", tmp_path / "l.nrrd"]])
    )
    assert report["landmarks"]["after"]["count"] == 16
    assert report["landmarks"]["after"]["mean"] < 8.0 < report["landmarks"]["before"]["mean"]
    fixed, labels = sitk.ReadImage(str(files["fixed"])), sitk.ReadImage(str(pair_files / "labels.nrrd"))
    expected = sitk.Resample(labels, fixed, sitk.ReadTransform(str(files["transform"])), sitk.sitkNearestNeighbor)
    found = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "l.nrrd")))
    assert (found == sitk.GetArrayFromImage(expected)).mean() > 0.999
    assert report["regularity"]["folding_percent"] == 0.0


def test_a_linear_result_starts_from_a_file_on_the_command_line(pair_files, tmp_path):
    start = tmp_path / "start.tfm"
    sitk.WriteTransform(linear_about((0, 0, 0), np.eye(3), (1.0, 2.0, 3.0)), str(start))
    files = {"fixed": pair_files / "fixed.nrrd", "moving": pair_files / "moving.nrrd", "transform": tmp_path / "t.tfm"}
    report = run_registration(make_request("linear", preset="rigid", **files, initial=start, parameters={"working_voxels": 0.05}))
    assert report["alignment"]["kind"] == "rigid"
    assert report["alignment"]["file"] == str(start)


def test_a_deformation_has_no_file_of_a_linear_transform():
    files = {"fixed": "a.nrrd", "moving": "b.nrrd"}
    check_request(make_request("linear", **files, transform="t.mat"))
    with pytest.raises(OutputError, match=r"t\.mat needs another ending"):
        check_request(make_request("dense", **files, transform="t.mat"))
    with pytest.raises(OutputError, match=r"t\.png needs another ending"):
        check_request(make_request("linear", **files, transform="t.png"))
    with pytest.raises(ParameterError, match="kind = elastic is not a choice"):
        make_request("linear", parameters={"kind": "elastic"})
