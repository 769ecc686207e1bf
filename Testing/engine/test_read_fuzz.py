"""Mutated files of all other readers: each is read as SimpleITK reads it, or as it was, or refused; nothing else is raised."""

from __future__ import annotations

import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_series import save_slices
from dicom_writer import enhanced, scale, segmentation, write_dicom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenes import FIXED, Waves
from transform_reading import mapped, without_messages

from deepreg_engine.errors import EngineError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_labels, read_volume
from deepreg_engine.geometry.points import PointSet, read_points, write_points
from deepreg_engine.models.card import ModelCard, read_weights, write_model

AXES = np.array(FIXED.direction).reshape(3, 3)
COUNT, STEP = 6, 2.5
VALUES = np.random.default_rng(0).integers(0, 1000, (COUNT, 7, 6))
PLACES = np.array([-40.0, 25.0, -7.0]) + STEP * np.arange(COUNT)[:, None] * np.cross(AXES[:, 0], AXES[:, 1])
fuzz = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


def mutated(data, content: bytes, first: int = 0) -> bytes:
    """A file with some bytes flipped, and perhaps cut."""
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(0, 3))):
        changed[data.draw(st.integers(first, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    if data.draw(st.integers(0, 3)) == 0:
        del changed[data.draw(st.integers(0, len(content) - 1)) :]
    return bytes(changed)


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """The files of a DICOM series."""
    folder = tmp_path_factory.mktemp("series")
    return save_slices(folder, VALUES, PLACES, AXES)


@fuzz
@given(data=st.data())
def test_a_dicom_folder(series, tmp_path, data):
    """Files are dropped, exchanged, doubled, cut and flipped; a series that is read has the values and places of its files."""
    folder = tmp_path / "series"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(series[0].parent, folder)
    files = sorted(folder.iterdir())
    one, other = (files[data.draw(st.integers(0, COUNT - 1))] for _ in range(2))
    what = data.draw(st.sampled_from(["drop", "swap", "double", "bytes", "bytes", "bytes"]))
    if what == "drop":
        one.unlink()
    elif what == "swap":
        contents = one.read_bytes(), other.read_bytes()
        other.write_bytes(contents[0])
        one.write_bytes(contents[1])
    elif what == "double":
        (folder / "again.dcm").write_bytes(one.read_bytes())
    else:
        one.write_bytes(mutated(data, one.read_bytes()))
    try:
        image = read_volume(folder)
    except EngineError:
        return
    if image.GetDimension() < 3 or image.GetSize()[2] < 2:
        return
    slices = sitk.GetArrayFromImage(image)
    found = []
    for number in range(image.GetSize()[2]):
        place = np.array(image.TransformIndexToPhysicalPoint((0, 0, number)))
        for path in folder.iterdir():
            try:
                alone = sitk.ReadImage(str(path), imageIO="GDCMImageIO")
            except RuntimeError:
                continue
            own = sitk.GetArrayFromImage(alone)[0]
            if np.linalg.norm(np.array(alone.GetOrigin()) - place) < 0.3 and own.shape == slices[number].shape:
                np.testing.assert_allclose(slices[number], own, rtol=1e-6)
                stated = [float(part) for part in alone.GetMetaData("0028|0030").split("\\")]
                assert np.allclose(stated[::-1], image.GetSpacing()[:2], rtol=1e-3)
                found.append(path)
    assert len(found) == image.GetSize()[2]


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """An enhanced image and a segmentation: their bytes, and what they hold."""
    folder, own = tmp_path_factory.mktemp("frames"), [scale(1.0, -100.0)] * COUNT
    image = write_dicom(folder / "a.dcm", enhanced("CT", VALUES.astype(np.uint16), PLACES, AXES, own=own)).read_bytes()
    drawn = [(1 + n % 2, PLACES[n], VALUES[n] > 500) for n in range(COUNT)]
    labels = write_dicom(folder / "b.dcm", segmentation(drawn, {1: "a", 2: "b"}, AXES, STEP), "implicit").read_bytes()
    whole = np.array([np.where(VALUES[n] > 500, 1 + n % 2, 0) for n in range(COUNT)])
    return {"image": (image, read_volume, VALUES - 100), "labels": (labels, read_labels, whole)}


@fuzz
@given(data=st.data())
def test_dicom_files_of_several_frames(frames, tmp_path, data):
    """A flipped bit of a number cannot be found; a file that is cut is never read as less than it was."""
    content, read, expected = frames[data.draw(st.sampled_from(["image", "labels"]))]
    changed = mutated(data, content, 132)
    path = tmp_path / "a.dcm"
    path.write_bytes(changed)
    try:
        image = read(path)
    except EngineError:
        return
    ImageGrid.of(image)
    if content.startswith(changed):
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)


@pytest.fixture(scope="module")
def transforms(tmp_path_factory):
    """Bytes of transforms, by ending."""
    folder, files = tmp_path_factory.mktemp("transforms"), {}
    affine = sitk.Euler3DTransform((1.0, 2.0, 3.0), 0.1, 0.2, -0.1, (4.0, 5.0, -6.0))
    wave = Waves.draw(1).on(ImageGrid((5, 6, 7), (2.0, 3.0, 4.0))).to_transform()
    for ending, transform in ((".h5", affine), (".tfm", affine), (".txt", affine), ("_field.h5", wave), ("_field.tfm", wave)):
        sitk.WriteTransform(transform, str(folder / f"t{ending}"))
        files[ending] = (folder / f"t{ending}").read_bytes()
    return files


@pytest.fixture(scope="module")
def reader():
    """Another process that reads transforms, see :mod:`transform_reading`."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), without_messages) as pool:
        yield lambda path: pool.submit(mapped, str(path)).result(60.0)


@fuzz
@given(data=st.data())
def test_transforms(transforms, reader, tmp_path, data):
    """What is read maps points as SimpleITK's reading of the same file does."""
    ending = data.draw(st.sampled_from(sorted(transforms)))
    path = tmp_path / f"t{ending}"
    path.write_bytes(mutated(data, transforms[ending]))
    refusal, ours, itk = reader(path)
    if refusal:
        assert str(path) in refusal
    else:
        np.testing.assert_allclose(ours, itk, atol=1e-6)


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    """Bytes of lists of points, by ending, and their positions."""
    folder, files = tmp_path_factory.mktemp("points"), {}
    points = PointSet(np.random.default_rng(0).normal(size=(6, 3)) * 50.0, tuple("abcdef"))
    for ending in (".csv", ".fcsv", ".mrk.json"):
        write_points(folder / f"p{ending}", points)
        files[ending] = (folder / f"p{ending}").read_bytes()
    return files, points.positions


@fuzz
@given(data=st.data())
def test_points(lists, tmp_path, data):
    """A file that is cut at a line has the first points, as they were."""
    files, positions = lists
    ending = data.draw(st.sampled_from(sorted(files)))
    changed = mutated(data, files[ending])
    path = tmp_path / f"p{ending}"
    path.write_bytes(changed)
    try:
        found = read_points(path).positions
    except EngineError as error:
        assert str(path) in error.line()  # noqa: PT017
        return
    assert np.isfinite(found).all()
    if files[ending].startswith(changed) and len(found):
        np.testing.assert_allclose(found[:-1], positions[: len(found) - 1], atol=1e-3)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Bytes of a model file, and its weights."""
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    weights = {"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.ones(5, dtype=np.float32)}
    write_model(path, ModelCard("m", "dense", "context-net"), weights)
    return path.read_bytes(), weights


@fuzz
@given(data=st.data())
def test_models(model, tmp_path, data):
    """The weights are those that were written, or the file is refused."""
    content, weights = model
    path = tmp_path / "m.safetensors"
    path.write_bytes(mutated(data, content))
    try:
        found = read_weights(path)
    except EngineError as error:
        assert str(path) in error.line()  # noqa: PT017
        return
    assert set(found) == set(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array)
