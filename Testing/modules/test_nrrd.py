"""Raw NRRD files in pieces, against SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from world import FLIP, TURN, exhaust, itk_image, matrix4

from deepreg_slicer import nrrd

GEOMETRY = matrix4(TURN * (0.7, 2.5, 1.3), (12.0, -34.5, 56.25))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"])
def test_itk_reads_what_is_written(tmp_path, dtype, monkeypatch):
    monkeypatch.setattr(nrrd, "PIECE_BYTES", 100)  # many pieces, the last of which is short
    array = np.random.default_rng(0).integers(0, 120, size=(5, 4, 7)).astype(dtype)
    geometry = nrrd.Geometry.fromIjkToRas((7, 4, 5), GEOMETRY)
    shares = list(nrrd.write(tmp_path / "a.nrrd", array.ravel(), geometry))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 1
    image = sitk.ReadImage(str(tmp_path / "a.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(image), array)
    assert sitk.GetArrayFromImage(image).dtype == dtype
    expected = itk_image(array, GEOMETRY)
    for index in ((0, 0, 0), (6, 0, 0), (0, 3, 0), (0, 0, 4), (6, 3, 4)):
        assert np.allclose(image.TransformIndexToPhysicalPoint(index), expected.TransformIndexToPhysicalPoint(index), atol=1e-9)


@pytest.mark.parametrize("components", [1, 3])
def test_what_itk_writes_is_read(tmp_path, components, monkeypatch):
    monkeypatch.setattr(nrrd, "PIECE_BYTES", 64)
    shape = (5, 4, 7) if components == 1 else (5, 4, 7, 3)
    array = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    image = sitk.GetImageFromArray(array, isVector=components > 1)
    image.CopyInformation(itk_image(np.zeros((5, 4, 7), dtype=np.uint8), GEOMETRY))
    sitk.WriteImage(image, str(tmp_path / "b.nrrd"), useCompression=False)
    header = nrrd.readHeader(tmp_path / "b.nrrd")
    assert header.components == components
    assert header.geometry.size == (7, 4, 5)
    assert np.allclose(header.geometry.ijkToRas(), GEOMETRY, atol=1e-9)
    target = np.empty(array.size, dtype=np.float32)
    exhaust(nrrd.read(tmp_path / "b.nrrd", header, target))
    assert np.array_equal(target, array.ravel())


def test_big_endian_numbers_are_turned(tmp_path):
    geometry = nrrd.Geometry.fromIjkToRas((2, 2, 2), np.eye(4))
    values = np.arange(8, dtype=">i2")
    exhaust(nrrd.write(tmp_path / "c.nrrd", values, geometry))
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "c.nrrd"))).ravel(), values)
    target = np.empty(8, dtype=np.int16)
    exhaust(nrrd.read(tmp_path / "c.nrrd", nrrd.readHeader(tmp_path / "c.nrrd"), target))
    assert np.array_equal(target, values)


def test_what_is_damaged_is_named(tmp_path):
    geometry = nrrd.Geometry.fromIjkToRas((4, 4, 4), np.eye(4))
    path = tmp_path / "d.nrrd"
    exhaust(nrrd.write(path, np.zeros(64, dtype=np.float32), geometry))
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    with pytest.raises(nrrd.NrrdError, match="ends before its last number"):
        exhaust(nrrd.read(path, nrrd.readHeader(path), np.empty(64, dtype=np.float32)))
    for content, words in (
        (b"hello", "not a NRRD file"),
        (whole[:60], "ends in its header"),
        (whole.replace(b"raw", b"gzip"), "not raw"),
        (whole.replace(b"sizes: 4 4 4", b"sizes: 4 x 4"), "cannot be read"),
        (whole.replace(b"type: float", b"type: lofat"), "cannot be read"),
    ):
        path.write_bytes(content)
        with pytest.raises(nrrd.NrrdError, match=words):
            nrrd.readHeader(path)


def test_the_last_digits_of_a_double_do_not_matter(tmp_path):
    """Saving a scene and loading it again changes them; the files for the worker, and so the result, stay the same."""
    array = np.zeros(140, dtype=np.uint8)
    for name, matrix in (("first", GEOMETRY), ("second", np.nextafter(GEOMETRY, np.inf))):
        list(nrrd.write(tmp_path / name, array, nrrd.Geometry.fromIjkToRas((7, 4, 5), matrix)))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_a_geometry_must_be_at_right_angles():
    geometry = nrrd.Geometry.fromIjkToRas((7, 4, 5), GEOMETRY)
    assert np.allclose(geometry.ijkToRas(), GEOMETRY)
    assert np.allclose(geometry.ijkToLps(), FLIP @ GEOMETRY)
    sheared = GEOMETRY @ matrix4(np.array([[1, 0.1, 0], [0, 1, 0], [0, 0, 1]]))
    with pytest.raises(ValueError, match="right angles"):
        nrrd.Geometry.fromIjkToRas((7, 4, 5), sheared)
    with pytest.raises(ValueError, match="degenerate"):
        nrrd.Geometry.fromIjkToRas((7, 4, 5), np.diag([1.0, 0.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="65 values for 64"):
        exhaust(nrrd.write("nowhere.nrrd", np.zeros(65), nrrd.Geometry.fromIjkToRas((4, 4, 4), np.eye(4))))
