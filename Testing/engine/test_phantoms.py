"""Seeds, arguments and files of phantoms."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from phantom_pairs import array, fingerprint, pair_of

from deepreg_engine.errors import OutputError, ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_image, read_labels
from deepreg_engine.geometry.points import read_pairs
from deepreg_engine.geometry.transform_files import read_field
from deepreg_engine.phantoms import ANATOMIES, make_pair, make_patient, write_pair
from deepreg_engine.phantoms.shapes import rotation

# ----------------------------------------------------------------------- seeds


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_a_seed_makes_the_same_bytes_in_another_process(anatomy):
    code = (
        "from phantom_pairs import fingerprint; from deepreg_engine.phantoms import make_pair;"
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
