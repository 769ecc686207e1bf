"""Damaged files of images, labels, masks and fields are refused: nothing is read that differs from the intact file."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenes import FIXED, Waves, image_on

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_labels, read_mask, read_volume
from deepreg_engine.geometry.stored_voxels import stored_voxels
from deepreg_engine.geometry.transform_files import read_field, write_field

PACKED = [".mha", ".mhd", ".nrrd", ".nhdr", ".nii.gz"]
PLAIN = [".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".hdr"]
GRID = ImageGrid((32, 28, 24), (0.8, 1.1, 2.5), FIXED.origin, FIXED.direction)


def noise(grid=GRID, dtype=np.int16):
    return image_on(grid, (np.random.default_rng(0).normal(size=grid.shape) * 100 + 1000).astype(dtype))


def written(folder, image, ending, packed=True):
    """The file, and the file with its voxels."""
    path = folder / f"scan{ending}"
    sitk.WriteImage(image, str(path), useCompression=packed)
    data = {".mhd": ".zraw" if packed else ".raw", ".nhdr": ".raw.gz" if packed else ".raw", ".hdr": ".img"}.get(ending)
    return path, path.with_suffix(data) if data else path


def zeroed(path, share, count):
    content = bytearray(path.read_bytes())
    start = int(share * len(content))
    content[start : start + count] = bytes(count)
    path.write_bytes(content)


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("read", [read_volume, read_labels, lambda path: read_mask(path, GRID)])
def test_a_compressed_file_with_a_hole(tmp_path, ending, read):
    path, data = written(tmp_path, noise(), ending)
    read(path)
    zeroed(data, 0.6, 2000)
    with pytest.raises(InputError, match=r"do not agree with their checksum|ends before its last voxel") as caught:
        read(path)
    assert str(path) in caught.value.message
    assert caught.value.advice == "the file is damaged: get it again"


@pytest.mark.parametrize("ending", [".nii.gz", ".mha", ".nrrd"])
def test_a_field_with_a_hole(tmp_path, ending):
    field = Waves.draw(1, amplitude=8.0).on(GRID)
    sitk.WriteImage(field.to_image(), str(tmp_path / f"u{ending}"), useCompression=True)
    np.testing.assert_array_equal(read_field(tmp_path / f"u{ending}").vectors, field.vectors)
    zeroed(tmp_path / f"u{ending}", 0.6, 2000)
    with pytest.raises(InputError, match=r"checksum|ends before"):
        read_field(tmp_path / f"u{ending}")


@pytest.mark.parametrize("ending", PACKED)
def test_a_wrong_checksum_alone(tmp_path, ending):
    path, data = written(tmp_path, noise(), ending)
    content = bytearray(data.read_bytes())
    content[-5 if ending in (".nrrd", ".nhdr", ".nii.gz") else -1] ^= 1  # CRC-32 before the length, or Adler-32
    data.write_bytes(content)
    with pytest.raises(InputError, match="checksum"):
        read_volume(path)


@pytest.mark.parametrize("missing", [1, 7, 3000])
@pytest.mark.parametrize(("ending", "packed"), [*((e, True) for e in PACKED), *((e, False) for e in PLAIN)])
def test_a_file_that_ends_too_early(tmp_path, ending, packed, missing):
    path, data = written(tmp_path, noise(), ending, packed)
    data.write_bytes(data.read_bytes()[:-missing])
    with pytest.raises(InputError, match="ends before its last voxel"):
        read_volume(path)


@pytest.mark.parametrize(("ending", "packed"), [*((e, True) for e in PACKED), *((e, False) for e in PLAIN)])
@pytest.mark.parametrize("pixel", [sitk.sitkUInt8, sitk.sitkInt32, sitk.sitkFloat64])
def test_intact_files_are_read_as_before(tmp_path, ending, packed, pixel):
    path, data = written(tmp_path, sitk.Cast(sitk.Clamp(noise() / 10, sitk.sitkFloat32, 0, 255), pixel), ending, packed)
    (part,) = stored_voxels(path)
    assert part.path == data
    assert part.packed == packed
    assert part.damage() == ""
    again, itk = read_volume(path), sitk.ReadImage(str(path))
    assert again.GetPixelID() == itk.GetPixelID() == pixel
    np.testing.assert_array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(itk))
    assert ImageGrid.of(again) == ImageGrid.of(itk)


def test_too_few_voxels_before_they_were_compressed(tmp_path):
    values = sitk.GetArrayFromImage(noise()).tobytes()[:-100]
    path, _ = written(tmp_path, noise(), ".nrrd")
    header = path.read_bytes().partition(b"\n\n")[0]
    path.write_bytes(header + b"\n\n" + gzip.compress(values))
    with pytest.raises(InputError, match="ends before"):
        read_volume(path)
    path, _ = written(tmp_path, noise(), ".mha")
    header = path.read_bytes().partition(b"LOCAL\n")[0]
    path.write_bytes(header + b"LOCAL\n" + zlib.compress(values))
    with pytest.raises(InputError, match="ends before"):
        read_volume(path)


def test_a_header_that_promises_terabytes_is_refused_before_memory_is_taken(tmp_path):
    for ending, old, new in (
        (".nrrd", b"sizes: 32 28 24", b"sizes: 32000 28000 24000"),
        (".mha", b"DimSize = 32 28", b"DimSize = 320000 280000"),
    ):
        path, _ = written(tmp_path, noise(), ending)
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new))
        with pytest.raises(InputError, match="ends before"):
            read_volume(path)


SMALL = noise(ImageGrid((9, 8, 7), (0.8, 1.1, 2.5), (10.0, -20.0, 30.0)))


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """Bytes of a compressed file of each format, with the offset of its compressed part."""
    folder, files = tmp_path_factory.mktemp("intact"), {}
    for ending, mark in ((".nii.gz", b""), (".mha", b"LOCAL\n"), (".nrrd", b"\n\n")):
        path, _ = written(folder, SMALL, ending)
        content = path.read_bytes()
        files[ending] = content, content.index(mark) + len(mark)
    write_field(folder / "field.nii.gz", Waves.draw(1).on(ImageGrid((5, 6, 7))))
    files["field.nii.gz"] = (folder / "field.nii.gz").read_bytes(), 0
    return files


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(data=st.data())
def test_mutated_compressed_voxels_are_as_they_were_or_refused(intact, tmp_path, data):
    name = data.draw(st.sampled_from(sorted(intact)))
    content, start = intact[name]
    path = tmp_path / f"scan{name}"
    path.write_bytes(content)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(start, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del changed[data.draw(st.integers(start, len(content) - 1)) :]
    path.write_bytes(changed)
    try:
        if name.startswith("field"):
            np.testing.assert_array_equal(np.moveaxis(read_field(path).vectors, 0, -1), expected)
        else:
            np.testing.assert_array_equal(sitk.GetArrayFromImage(read_volume(path)), expected)
    except InputError as error:
        assert str(path) in error.message  # noqa: PT017


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(data=st.data())
def test_mutated_headers_are_read_or_refused(intact, tmp_path, data):
    """A changed digit of a spacing cannot be found; but whatever is in a header, the reader returns or refuses."""
    name = data.draw(st.sampled_from([".mha", ".nrrd", ".nii"]))
    content, start = intact[".nii.gz" if name == ".nii" else name]
    changed = bytearray(gzip.decompress(content)) if name == ".nii" else bytearray(content)
    start = 352 if name == ".nii" else start
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, start - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"scan{name}"
    path.write_bytes(changed)
    try:
        ImageGrid.of(read_volume(path))
    except InputError as error:
        assert str(path) in error.message  # noqa: PT017


@pytest.mark.parametrize(
    ("names", "size"),
    [
        (("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"), 1),
        (("short", "short int", "signed short", "signed short int", "int16", "int16_t", "ushort", "unsigned short int", "uint16_t"), 2),
        (("int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32", "uint32_t", "float"), 4),
        (("longlong", "long long", "long long int", "signed long long int", "int64", "int64_t", "double"), 8),
        (("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), 8),
        (("block", "", "word"), 0),
    ],
)
def test_every_name_of_a_type_in_nrrd(tmp_path, names, size):
    for name in names:
        path = tmp_path / "a.nrrd"
        path.write_bytes(f"NRRD0004\ntype: {name}\ndimension: 3\nsizes: 2 3 4\nencoding: raw\n\n".encode() + bytes(24 * size))
        found = stored_voxels(path)
        assert [part.length for part in found] == ([24 * size] if size else [])
        assert [part.damage() for part in found] == ([""] if size else [])


@pytest.mark.parametrize("packed", [True, False])
def test_tiff_of_several_pages(tmp_path, packed):
    path = tmp_path / "scan.tif"
    sitk.WriteImage(sitk.Cast(noise(), sitk.sitkUInt16), str(path), useCompression=packed)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_volume(path)), sitk.GetArrayFromImage(noise()))
    content = path.read_bytes()
    for missing in (200, 3000, len(content) // 2, len(content) - 20):
        path.write_bytes(content[:-missing])
        with pytest.raises(InputError, match=r"ends before its last voxel"):
            read_volume(path)
