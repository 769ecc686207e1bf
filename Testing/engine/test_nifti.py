"""NIfTI files that ITK reads without an error: files that end too early, and files with NaN."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
import SimpleITK as sitk

from deepreg_engine.geometry.nifti import count_not_finite
from deepreg_engine.geometry.stored_voxels import stored_voxels

SHAPE = (6, 7, 9)
TYPES = [np.uint8, np.int16, np.uint32, np.float32, np.float64]


def ends_too_early(path):
    found = [part.damage() for part in stored_voxels(path)]
    assert all(text in ("", "ends before its last voxel") for text in found)
    return any(found)


def noise(dtype):
    return np.random.default_rng(0).integers(0, 200, SHAPE).astype(dtype)


def written(folder, array, name="a.nii.gz", vector=False):
    path = folder / name
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(path))
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", TYPES)
def test_whole_files_are_whole(tmp_path, name, dtype):
    path = written(tmp_path, noise(dtype), name)
    path = path.rename(tmp_path / name.upper())
    assert not ends_too_early(path)
    assert count_not_finite(path) == 0


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("missing", [1, 8, 100, 300])
def test_one_byte_less_is_too_few(tmp_path, dtype, missing):
    plain = written(tmp_path, noise(dtype), "a.nii")
    content = plain.read_bytes()[:-missing]
    plain.write_bytes(content)
    assert ends_too_early(plain)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(content))  # cut before it was packed
    assert ends_too_early(tmp_path / "b.nii.gz")


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_download_that_broke_off(tmp_path, share):
    path = written(tmp_path, np.random.default_rng(0).normal(size=(20, 30, 40)).astype(np.float32))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert ends_too_early(path)


def test_a_packed_file_may_be_of_several_parts_and_end_in_zeros(tmp_path):
    content = written(tmp_path, noise(np.int16), "a.nii").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(content[:500]) + gzip.compress(content[500:]))
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress(content) + bytes(512))
    (tmp_path / "d.nii.gz").write_bytes(gzip.compress(content[:500]) + gzip.compress(content[500:-1]))
    assert [ends_too_early(tmp_path / f"{name}.nii.gz") for name in "bcd"] == [False, False, True]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_not_finite_values_are_counted(tmp_path, name, dtype):
    array = noise(dtype)
    array[0, 0, 0], array[3, 4, 5], array[-1, -1, -1] = np.nan, np.inf, -np.inf
    path = written(tmp_path, array, name)
    assert np.isfinite(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))).all()  # without an error of ITK
    assert count_not_finite(path) == 3


def test_vectors_too(tmp_path):
    array = np.random.default_rng(0).normal(size=(*SHAPE, 3)).astype(np.float32)
    array[2, 3, 4, 1] = np.nan
    path = written(tmp_path, array, vector=True)
    assert count_not_finite(path) == 1
    assert not ends_too_early(path)
    path = written(tmp_path, array, "a.nii", vector=True)
    path.write_bytes(path.read_bytes()[:-4])
    assert ends_too_early(path)


def test_a_chunk_may_end_anywhere(tmp_path, monkeypatch):
    monkeypatch.setattr("deepreg_engine.geometry.nifti._CHUNK", 24)
    array = noise(np.float64)
    array[1], array[-1, -1, -1] = np.nan, np.inf
    for name in ("a.nii", "a.nii.gz"):
        assert count_not_finite(written(tmp_path, array, name)) == array[1].size + 1


def swapped(content: bytes) -> bytes:
    """A NIfTI-1 file of float32 with its bytes in the other order, as far as the reader uses it."""
    header = bytearray(content[:352])
    for code, start in (("i", 0), ("8h", 40), ("2h", 70), ("f", 108)):
        struct.pack_into(">" + code, header, start, *struct.unpack_from("<" + code, content, start))
    return bytes(header) + np.frombuffer(content[352:], "<f4").astype(">f4").tobytes()


def second_version(content: bytes) -> bytes:
    """A NIfTI-2 file of the same voxels, as far as the reader uses it."""
    header = bytearray(544)
    struct.pack_into("<i", header, 0, 540)
    struct.pack_into("<2h", header, 12, *struct.unpack_from("<2h", content, 70))
    struct.pack_into("<8q", header, 16, *struct.unpack_from("<8h", content, 40))
    struct.pack_into("<q", header, 168, 544)
    return bytes(header) + content[352:]


@pytest.mark.parametrize("convert", [swapped, second_version])
def test_other_kinds_of_header(tmp_path, convert):
    array = noise(np.float32)
    array[2, 2, 2] = np.inf
    content = convert(written(tmp_path, array, "a.nii").read_bytes())
    for name, packed in (("b.nii", content), ("b.nii.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(packed)
        assert count_not_finite(tmp_path / name) == 1
        assert not ends_too_early(tmp_path / name)
    (tmp_path / "b.nii").write_bytes(content[:-1])
    assert ends_too_early(tmp_path / "b.nii")


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 600, struct.pack("<i", 348) + bytes(600)])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd"])
def test_other_files_are_not_checked(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert not stored_voxels(tmp_path / name)
    assert count_not_finite(tmp_path / name) == 0
    assert count_not_finite(tmp_path / "missing.nii") == 0


@pytest.mark.parametrize("content", [b"\x1f\x8b", b"\x1f\x8b" + b"x" * 600])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.gipl.gz"])
def test_a_compressed_file_without_content_is_damaged(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert all(part.damage() for part in stored_voxels(tmp_path / name))
    assert count_not_finite(tmp_path / name) == 0
