"""DICOM series that are no regular stack of slices are refused, and those that are are read where their slices are."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_series import UID, save_slices
from scenes import FIXED

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.images import read_labels, read_volume

COUNT, STEP = 12, 3.0
OBLIQUE = np.array(FIXED.direction).reshape(3, 3)


def values(count=COUNT, seed=0):
    return np.random.default_rng(seed).integers(-1000, 1000, (count, 10, 8))


def stacked(distances, axes=OBLIQUE, origin=(-40.0, 25.0, -7.0)):
    """Positions along the normal of the slices."""
    return np.array(origin) + np.asarray(distances, dtype=float)[:, None] * np.cross(axes[:, 0], axes[:, 1])


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_volume(path, "fixed image")
    line = caught.value.line()
    assert "\n" not in line
    assert caught.value.advice
    return line


@pytest.mark.parametrize("axes", [np.eye(3), OBLIQUE])
def test_a_regular_series_is_read_where_its_slices_are(tmp_path, axes):
    positions = stacked(STEP * np.arange(COUNT), axes)
    order = np.random.default_rng(1).permutation(COUNT)
    save_slices(tmp_path, values()[order], positions[order], axes)
    image = read_volume(tmp_path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), values())
    for number in range(COUNT):
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((0, 0, number)), positions[number], atol=1e-4)
        far = positions[number] + 7 * 0.9 * axes[:, 0] + 9 * 1.2 * axes[:, 1]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((7, 9, number)), far, atol=1e-4)


def test_positions_that_are_rounded_are_regular(tmp_path):
    positions = np.round(stacked(0.7 * np.arange(40)), 1)
    save_slices(tmp_path, values(40), positions, OBLIQUE)
    image = read_volume(tmp_path)
    ends = [image.TransformIndexToPhysicalPoint((0, 0, number)) for number in (0, 39)]
    np.testing.assert_allclose(ends, positions[[0, 39]], atol=0.1)


@pytest.mark.parametrize("axes", [np.eye(3), OBLIQUE])
def test_a_gap_is_named_in_mm_with_its_slices(tmp_path, axes):
    kept = [0, 1, 2, 3, 4, 8, 9, 10, 11]
    save_slices(tmp_path, values()[kept], stacked(STEP * np.array(kept), axes), axes)
    line = refusal(tmp_path)
    assert "3.00 mm apart" in line
    assert "12.00 mm between s7-005.dcm and s7-006.dcm" in line
    assert "complete series" in line


@pytest.mark.parametrize("left_out", [1, 5, 10])
def test_one_missing_slice_is_a_gap(tmp_path, left_out):
    kept = [n for n in range(COUNT) if n != left_out]
    save_slices(tmp_path, values()[kept], stacked(STEP * np.array(kept)), OBLIQUE)
    assert "6.00 mm between" in refusal(tmp_path)


def test_unequal_distances(tmp_path):
    distances = np.concatenate([np.arange(6), 5.0 + 5.0 * np.arange(1, 7)])
    save_slices(tmp_path, values(), stacked(distances), OBLIQUE)
    line = refusal(tmp_path)
    assert "1.00 to 5.00 mm" in line or "5.00 mm between" in line


@pytest.mark.parametrize("degrees", [1.5, 15.0, -20.0])
def test_a_tilted_gantry(tmp_path, degrees):
    positions = stacked(STEP * np.arange(COUNT), np.eye(3))
    positions[:, 1] += np.tan(np.radians(degrees)) * STEP * np.arange(COUNT)
    save_slices(tmp_path, values(), positions)
    line = refusal(tmp_path)
    assert f"sheared by {abs(degrees):.1f} degrees" in line
    assert f"{abs(np.tan(np.radians(degrees))) * STEP * (COUNT - 1):.1f} mm beside" in line


@pytest.mark.parametrize(
    ("tag", "kind"), [("t0020_0100", "time points"), ("t0018_0081", "echoes"), ("t0008_0032", "acquisition times"), ("", "instances")]
)
def test_two_images_in_one_place(tmp_path, tag, kind):
    positions = stacked(STEP * np.arange(COUNT))
    for time in (0, 1):
        save_slices(tmp_path, values(seed=time), positions, OBLIQUE, first=1 + time * COUNT, **({tag: str(10 + time)} if tag else {}))
    line = refusal(tmp_path)
    assert f"up to 2 images in one place ({kind}), 24 in 12 places" in line


def test_one_slice_twice(tmp_path):
    save_slices(tmp_path, values(13), stacked(STEP * np.array([*range(12), 5])), OBLIQUE)
    assert "13 in 12 places" in refusal(tmp_path)


def test_several_series_in_a_folder_are_listed_and_a_file_chooses_one(tmp_path):
    positions = stacked(STEP * np.arange(COUNT))
    save_slices(tmp_path, values(seed=1), positions, OBLIQUE, "7", t0008_103e="ARTERIAL")
    chosen = save_slices(tmp_path, values(8, seed=2), positions[:8], OBLIQUE, "8", t0008_103e="VENOUS")
    line = refusal(tmp_path)
    assert "2 DICOM series" in line
    assert "CT ARTERIAL: 12 files" in line
    assert "CT VENOUS: 8 files, such as s8-001.dcm" in line
    assert "any file of the series" in line
    notes: list[str] = []
    image = read_volume(chosen[3], "fixed image", notes)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), values(8, seed=2))
    (note,) = notes
    assert "one of the 8 files of a DICOM series; the whole series was read" in note


def test_a_patient_folder(tmp_path):
    positions = stacked(STEP * np.arange(COUNT))
    save_slices(tmp_path / "study" / "a", values(seed=1), positions, OBLIQUE, "7", t0008_103e="INHALE")
    image = read_volume(tmp_path)  # one series below: no choice
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), values(seed=1))
    save_slices(tmp_path / "study" / "b", values(seed=2), positions, OBLIQUE, "8", t0008_103e="EXHALE")
    line = refusal(tmp_path)
    assert "CT INHALE in study/a: 12 files" in line.replace("\\", "/")
    assert "CT EXHALE in study/b: 12 files" in line.replace("\\", "/")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_volume(tmp_path / "study" / "b")), values(seed=2))


def test_the_last_file_of_a_series_is_no_volume(tmp_path):
    (file,) = save_slices(tmp_path, values(1), stacked([0.0]), OBLIQUE)
    assert read_volume(file).GetSize()[2:] in ((), (1,))  # and check_intensities refuses it as too thin


def test_a_localizer_among_the_slices(tmp_path):
    save_slices(tmp_path, values(), stacked(STEP * np.arange(COUNT)), OBLIQUE)
    turned = OBLIQUE[:, [1, 2, 0]]
    save_slices(tmp_path, values(1), stacked([0.0], turned), turned, first=90)
    assert "differing orientation (s7-090.dcm)" in refusal(tmp_path)


def test_slices_of_another_spacing(tmp_path):
    save_slices(tmp_path, values(), stacked(STEP * np.arange(COUNT)), OBLIQUE)
    save_slices(tmp_path, values(1), stacked([STEP * COUNT]), OBLIQUE, first=90, spacing=(0.5, 0.5))
    assert "2 sizes or pixel spacings (s7-090.dcm differ)" in refusal(tmp_path)


def test_slices_with_scales_of_their_own(tmp_path):
    slopes = np.linspace(1.0, 3.5, COUNT)
    positions = stacked(STEP * np.arange(COUNT))
    for number in range(COUNT):
        save_slices(tmp_path, values()[number : number + 1] * 4, positions[number : number + 1], OBLIQUE, first=number + 1)
        file = tmp_path / f"s7-{number + 1:03d}.dcm"
        with_value(file, b"\x28\x00\x53\x10", f"{slopes[number]:.4f}")
    expected = [sitk.GetArrayFromImage(sitk.ReadImage(str(file)))[0] for file in sorted(tmp_path.iterdir())]
    np.testing.assert_allclose(sitk.GetArrayFromImage(read_volume(tmp_path)), np.array(expected), rtol=1e-6)
    assert np.any(np.array(expected) % 1)


def with_value(file, tag: bytes, value: str):
    """Give an element of a DICOM file (implicit little endian, as ITK writes it) another value."""
    content = file.read_bytes()
    at = content.index(tag) + 4
    length = int.from_bytes(content[at : at + 4], "little")
    text = value.encode() + b" " * (len(value) % 2)
    file.write_bytes(content[:at] + len(text).to_bytes(4, "little") + text + content[at + 4 + length :])


@pytest.mark.parametrize(("kind", "words"), [("4", "frames that belong to no segment"), ("5", "a DICOM segmentation by surfaces")])
def test_a_segmentation_that_is_none_is_refused(tmp_path, kind, words):
    (file,) = save_slices(tmp_path, values(1), stacked([0.0]), OBLIQUE)
    with_value(file, b"\x08\x00\x16\x00", f"1.2.840.10008.5.1.4.1.1.66.{kind}")
    with pytest.raises(InputError, match=words):
        read_labels(file)


def test_files_without_a_position(tmp_path):
    files = save_slices(tmp_path, values(), stacked(STEP * np.arange(COUNT)), OBLIQUE)
    with_value(files[4], b"\x20\x00\x32\x00", "")
    assert "1 of 12 files without a position (s7-005.dcm)" in refusal(tmp_path)


def test_a_cut_slice(tmp_path):
    files = save_slices(tmp_path, values(), stacked(STEP * np.arange(COUNT)), OBLIQUE)
    files[4].write_bytes(files[4].read_bytes()[:-40])
    refusal(tmp_path)


def test_uids_have_the_form_that_dicom_asks_for():
    assert UID.replace(".", "").isdigit()


# ------------------------------------------------------------------------------------------------ many frames in a file


@pytest.fixture
def frames(tmp_path):
    """A file of several frames, oblique, as ITK writes it, and its image."""
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 1000, (6, 10, 8)).astype(np.uint16))
    image.SetSpacing((0.9, 1.2, 3.0))
    image.SetOrigin((-40.0, 25.0, -7.0))
    image.SetDirection(OBLIQUE.ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "frames.dcm"))
    return tmp_path / "frames.dcm", image


POSITION = b"\x20\x00\x32\x00"


def frame_values(content):
    """Offset and length of the position of each frame."""
    starts = [at for at in range(len(content)) if content.startswith(POSITION, at)]
    return [(at + 8, int.from_bytes(content[at + 4 : at + 8], "little")) for at in starts]


@pytest.mark.parametrize("as_folder", [False, True])
def test_frames_are_read_where_they_are(frames, as_folder):
    path, image = frames
    again = read_volume(path.parent if as_folder else path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(image))
    for index in ((0, 0, 0), (7, 9, 5)):
        place = image.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(again.TransformIndexToPhysicalPoint(index), place, atol=1e-4)


@pytest.mark.parametrize("number", [0, 3, 5])
def test_a_frame_in_another_place(frames, number):
    path, image = frames
    content = bytearray(path.read_bytes())
    places = frame_values(content)
    assert len(places) == 6
    at, length = places[number]
    moved = np.array(image.TransformIndexToPhysicalPoint((0, 0, number))) + OBLIQUE[:, 2] * 1.3
    content[at : at + length] = "\\".join(f"{v:.4f}" for v in moved).encode().ljust(length)[:length]
    path.write_bytes(content)
    assert "frame" in refusal(path)


def test_frames_of_which_two_are_in_one_place(frames):
    path, _ = frames
    content = bytearray(path.read_bytes())
    (a, m), (b, n) = frame_values(content)[2:4]
    content[b : b + n] = bytes(content[a : a + m]).ljust(n)[:n]
    path.write_bytes(content)
    assert "2 images in one place" in refusal(path)


def test_frames_without_positions(frames):
    path, _ = frames
    path.write_bytes(path.read_bytes().replace(POSITION, b"\x20\x00\x98\x00"))
    assert "6 frames without a position" in refusal(path)
