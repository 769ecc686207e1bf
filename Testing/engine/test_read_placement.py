"""Where an image is placed: NIfTI's two placements, sheared axes, and NRRD files with an axis of one frame."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import FIXED, Waves, image_on, smooth_image

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_labels, read_mask, read_volume
from deepreg_engine.geometry.transform_files import read_field

GRID = ImageGrid((20, 18, 16), (0.9, 1.2, 2.5), (-10.0, 20.0, -30.0), FIXED.direction)
TO_RAS = np.diag([-1.0, -1.0, 1.0])
# x of the voxels moves with z.
SHEAR = np.array([[1.0, 0.0, np.tan(np.radians(12.0))], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def affine(grid=GRID, left=None, shift=(0.0, 0.0, 0.0)):
    """Voxel index to RAS mm (3, 4), of a grid after a linear map of LPS and a shift."""
    left = np.eye(3) if left is None else left
    return TO_RAS @ np.column_stack([left @ grid.index_to_physical_matrix, left @ np.array(grid.origin) + shift])


def rewritten(path, sform=None, sform_code=None, qform_code=None):
    """Change the placements of a NIfTI-1 file."""
    packed = path.name.endswith(".gz")
    content = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    if qform_code is not None:
        struct.pack_into("<h", content, 252, qform_code)
    if sform_code is not None:
        struct.pack_into("<h", content, 254, sform_code)
    if sform is not None:
        struct.pack_into("<12f", content, 280, *np.asarray(sform).ravel())
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.fixture(params=["scan.nii", "scan.nii.gz"])
def scan(tmp_path, request):
    sitk.WriteImage(smooth_image(GRID, 1), str(tmp_path / request.param))
    return tmp_path / request.param


def far(matrix):
    """Largest distance of a corner under a placement (3, 4) from its place on the grid, mm."""
    index = np.array(np.meshgrid(*((0, n - 1) for n in GRID.size))).reshape(3, -1).T
    return np.linalg.norm((index @ matrix[:, :3].T + matrix[:, 3]) @ TO_RAS - GRID.index_to_physical(index), axis=1).max()


def test_files_of_one_meaning_have_no_note(scan):
    for codes in ((1, 1), (1, 0), (0, 1), (4, 2), (2, 2)):
        rewritten(scan, affine(), *codes)
        notes: list[str] = []
        assert ImageGrid.of(read_volume(scan, notes=notes)).same_as(GRID, 1e-3)
        assert notes == []


@pytest.mark.parametrize(("sform_code", "qform_code"), [(1, 1), (2, 2), (1, 2)])
def test_a_sheared_sform_beside_a_plain_qform_is_refused(scan, sform_code, qform_code):
    sheared = affine(left=SHEAR)
    rewritten(scan, sheared, sform_code, qform_code)
    with pytest.raises(InputError, match="is sheared") as caught:
        read_volume(scan, "fixed image")
    assert f"up to {far(sheared):.1f} mm off" in caught.value.message
    assert "resample" in caught.value.advice


def test_a_sheared_sform_of_another_space_is_noted(scan):
    sheared = affine(left=SHEAR)
    rewritten(scan, sheared, 4, 1)  # an affine alignment to MNI, beside the scanner's coordinates
    notes: list[str] = []
    assert ImageGrid.of(read_volume(scan, "fixed image", notes)).same_as(GRID, 1e-3)
    (note,) = notes
    assert f"differ by up to {far(sheared):.1f} mm, and the sform is sheared: the qform is used" in note


def test_a_sheared_sform_alone_is_refused_with_the_reason(scan):
    rewritten(scan, affine(left=SHEAR), 1, 0)
    with pytest.raises(InputError, match="is sheared") as caught:
        read_volume(scan)
    assert "resample" in caught.value.advice


@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (4, 1), (1, 2), (2, 2)])
def test_placements_that_differ_are_noted_with_the_one_that_is_used(scan, codes):
    moved = affine(shift=(3.0, -4.0, 0.0))
    rewritten(scan, moved, *codes)
    notes: list[str] = []
    image = read_volume(scan, "fixed image", notes)
    origin = ImageGrid.of(image).index_to_physical(np.zeros((1, 3)))[0]
    used = "sform" if np.linalg.norm(origin - (moved @ [0, 0, 0, 1]) @ TO_RAS) < 0.01 else "qform"
    assert np.linalg.norm(origin - GRID.origin) == pytest.approx(5.0 if used == "sform" else 0.0, abs=0.01)
    (note,) = notes
    assert "differ by up to 5.0 mm" in note
    assert f"the {used} is used" in note


def test_labels_masks_and_fields_too(tmp_path):
    labels = image_on(GRID, (np.arange(np.prod(GRID.shape)) % 5).reshape(GRID.shape).astype(np.uint8))
    sitk.WriteImage(labels, str(tmp_path / "labels.nii"))
    rewritten(tmp_path / "labels.nii", affine(shift=(0.0, 0.0, 7.0)), 1, 1)
    notes: list[str] = []
    read_labels(tmp_path / "labels.nii", "labels", notes)
    assert "7.0 mm" in notes[0]
    assert "7.0 mm" in read_mask(tmp_path / "labels.nii", GRID)[1]
    sitk.WriteImage(Waves.draw(0).on(GRID).to_image(), str(tmp_path / "field.nii"))
    rewritten(tmp_path / "field.nii", affine(left=SHEAR), 1, 1)
    with pytest.raises(InputError, match="is sheared"):
        read_field(tmp_path / "field.nii")


def nrrd(path, array, head, directions=None):
    """A raw NRRD of 16-bit numbers, with axes as ``head`` has them before the three of space."""
    sizes, kinds, none = head
    rows = (directions if directions is not None else GRID.index_to_physical_matrix).T
    lines = (
        "NRRD0004",
        "type: short",
        f"dimension: {3 + len(none.split())}",
        "space: left-posterior-superior",
        f"sizes: {sizes} " + " ".join(map(str, GRID.size)),
        f"space directions: {none} " + " ".join(f"({x!r},{y!r},{z!r})" for x, y, z in rows.tolist()),
        f"kinds: {kinds} domain domain domain",
        "endian: little",
        "encoding: raw",
        "space origin: (" + ",".join(map(repr, GRID.origin)) + ")",
    )
    path.write_bytes(("\n".join(lines) + "\n\n").encode() + array.astype("<i2").tobytes())
    return path


VALUES = np.random.default_rng(0).integers(-900, 900, GRID.shape).astype(np.int16)


@pytest.mark.parametrize("kind", ["list", "vector", "scalar"])
def test_a_first_axis_of_one_frame_is_dropped(tmp_path, kind):
    path = nrrd(tmp_path / "a.nrrd", VALUES, ("1", kind, "none"))
    image = read_volume(path)
    assert image.GetPixelID() == sitk.sitkInt16
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), VALUES)
    assert ImageGrid.of(image).same_as(GRID, 1e-6)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_labels(path)), VALUES)
    assert read_mask(path, GRID)[0].GetPixelID() == sitk.sitkUInt8


@pytest.mark.parametrize("kind", ["list", "vector"])
def test_several_frames_are_refused(tmp_path, kind):
    path = nrrd(tmp_path / "a.nrrd", np.repeat(VALUES[..., None], 2, -1), ("2", kind, "none"))
    with pytest.raises(InputError, match="2 components per voxel"):
        read_volume(path)


def test_sheared_axes_of_nrrd_and_metaimage_are_refused(tmp_path):
    path = nrrd(tmp_path / "a.nrrd", VALUES, ("", "", ""), SHEAR @ GRID.index_to_physical_matrix)
    with pytest.raises(InputError, match="right angles|orthonormal|cannot be read") as caught:
        read_volume(path)
    assert caught.value.advice
    sitk.WriteImage(image_on(GRID, VALUES), str(tmp_path / "a.mha"))
    content = (tmp_path / "a.mha").read_bytes()
    head, _, rest = content.partition(b"TransformMatrix = ")
    line, _, rest = rest.partition(b"\n")
    matrix = np.array(line.split(), dtype=float).reshape(3, 3) @ SHEAR.T
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    text = " ".join(map(repr, matrix.ravel().tolist())).encode()
    (tmp_path / "a.mha").write_bytes(head + b"TransformMatrix = " + text + b"\n" + rest)
    with pytest.raises(InputError, match="right angles|orthonormal|cannot be read") as caught:
        read_volume(tmp_path / "a.mha")
    assert caught.value.advice
