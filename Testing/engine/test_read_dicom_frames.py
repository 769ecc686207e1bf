"""Enhanced DICOM images are read where their frames are, or refused; segmentations become label maps with names."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, succeed
from dicom_writer import COMPRESSED, SYNTAXES, enhanced, fragments, run_lengths, scale, segmentation, write_dicom
from scenes import FIXED

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_labels, read_mask, read_volume
from deepreg_engine.geometry.segments import segment_names
from deepreg_engine.jobs.pair_files import read_label_pair

OBLIQUE = np.array(FIXED.direction).reshape(3, 3)
STEP, SHAPE = 2.5, (6, 10, 8)
STORED = np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.uint16)


def places(distances=None, axes=OBLIQUE):
    distances = STEP * np.arange(SHAPE[0]) if distances is None else np.asarray(distances)
    return np.array([-40.0, 25.0, -7.0]) + distances[:, None] * np.cross(axes[:, 0], axes[:, 1])


def check_place(image, axes=OBLIQUE, first=0.0, step=STEP):
    """Each voxel is where its frame states."""
    start = places([first], axes)[0]
    for index in ((0, 0, 0), (7, 0, 0), (0, 9, 0), (7, 9, image.GetSize()[2] - 1)):
        expected = start + axes @ (np.array(index) * (0.9, 1.2, step))
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(index), expected, atol=1e-3)


def refusal(path, read=read_volume):
    with pytest.raises(InputError) as caught:
        read(path)
    assert "\n" not in caught.value.line()
    assert caught.value.advice
    return caught.value.line()


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("kind", ["CT", "MR"])
def test_frames_in_any_order_are_read_where_they_are(tmp_path, kind, syntax):
    order = np.random.default_rng(1).permutation(SHAPE[0])
    path = write_dicom(tmp_path / "a.dcm", enhanced(kind, STORED[order], places()[order], OBLIQUE), syntax)
    for source in (path, tmp_path):
        image = read_volume(source)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), STORED)
        check_place(image)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("several", [False, True])
def test_frames_have_their_own_scale(tmp_path, several, signed):
    stored = STORED.astype(np.int16) - 1000 if signed else STORED
    slopes = np.linspace(0.5, 3.0, SHAPE[0]) if several else np.full(SHAPE[0], 1.0)
    shifts = np.linspace(-1000.0, 10.0, SHAPE[0]) if several else np.full(SHAPE[0], -1024.0)
    own = [scale(slope, shift) for slope, shift in zip(slopes, shifts, strict=True)]
    image = read_volume(write_dicom(tmp_path / "a.dcm", enhanced("MR", stored, places(), OBLIQUE, own=own)))
    expected = stored * slopes[:, None, None] + shifts[:, None, None]
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), expected, rtol=1e-6, atol=1e-3)
    assert (sitk.GetArrayFromImage(image).dtype.kind == "f") == several


def test_frames_that_are_no_stack_are_refused(tmp_path):
    def written(**changes):
        content = {"kind": "MR", "array": STORED, "places": places(), "axes": OBLIQUE, **changes}
        return write_dicom(tmp_path / "a.dcm", enhanced(**content))

    assert "has a gap" in refusal(written(places=places([0.0, 2.5, 5.0, 10.0, 12.5, 15.0])))
    assert "unequal distances" in refusal(written(places=places([0.0, 1.0, 3.0, 4.0, 4.5, 9.0])))
    sheared = places() + np.outer(np.arange(6), 0.6 * OBLIQUE[:, 0])
    assert "sheared by" in refusal(written(places=sheared))
    times = [{(0x0020, 0x9111, "SQ"): [{(0x0020, 0x9056, "SH"): str(n // 3)}]} for n in range(6)]
    assert "2 images in one place (stacks)" in refusal(written(places=places([0.0, 2.5, 5.0] * 2), own=times))
    turned = [{(0x0020, 0x9116, "SQ"): [{(0x0020, 0x0037, "DS"): [1, 0, 0, 0, 1, 0]}]} if n == 2 else {} for n in range(6)]
    assert "differing orientation" in refusal(written(own=turned))
    finer = [{(0x0028, 0x9110, "SQ"): [{(0x0028, 0x0030, "DS"): [1.0, 1.0]}]} if n == 2 else {} for n in range(6)]
    assert "several pixel spacings" in refusal(written(own=finer))
    assert "describes 5" in refusal(written(places=places()[:5]))
    skewed = OBLIQUE.copy()
    skewed[:, 1] = OBLIQUE[:, 1] + 0.2 * OBLIQUE[:, 0]
    assert "right angles" in refusal(written(axes=skewed))
    for path in tmp_path.iterdir():  # one place for all frames: a series in time
        elements = enhanced("MR", STORED, places(), OBLIQUE)
        elements[0x5200, 0x9230, "SQ"] = []
        elements[0x5200, 0x9229, "SQ"][0][0x0020, 0x9113, "SQ"] = [{(0x0020, 0x0032, "DS"): places()[0]}]
        assert "6 images in one place" in refusal(write_dicom(path, elements))


def test_a_dose_is_placed_by_its_offsets(tmp_path):
    dose = enhanced("CT", STORED, places(), OBLIQUE)
    for tag in ((0x5200, 0x9229, "SQ"), (0x5200, 0x9230, "SQ")):
        del dose[tag]
    dose |= {
        (0x0008, 0x0016, "UI"): "1.2.840.10008.5.1.4.1.1.481.2",
        (0x0008, 0x0060, "CS"): "RTDOSE",
        (0x0020, 0x0032, "DS"): places()[0],
        (0x0020, 0x0037, "DS"): [*OBLIQUE[:, 0], *OBLIQUE[:, 1]],
        (0x0028, 0x0030, "DS"): [1.2, 0.9],
        (0x3004, 0x000C, "DS"): STEP * np.arange(6),
        (0x3004, 0x000E, "DS"): "0.5",
    }
    image = read_volume(write_dicom(tmp_path / "a.dcm", dose))
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), 0.5 * STORED)
    check_place(image)
    dose[0x3004, 0x000C, "DS"] = [0.0, 2.5, 5.0, 10.0, 12.5, 15.0]
    assert "gap" in refusal(write_dicom(tmp_path / "a.dcm", dose))


# ---------------------------------------------------------------------------------------------------------- segmentations

NAMES = {1: "liver", 3: "left kidney"}


def drawn(seed=2):
    """Voxels of two segments (z, y, x) that do not overlap; slice 2 and the first of one are empty."""
    array = np.random.default_rng(seed).choice([0, 1, 3], SHAPE).astype(np.uint8)
    array[2] = 0
    array[0][array[0] == 3] = 0
    return array


def frames(array, order=lambda frames: frames):
    """A frame for each segment and slice in which it has voxels."""
    found = [(value, place, array[z] == value) for value in (1, 3) for z, place in enumerate(places()) if (array[z] == value).any()]
    return order(found)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("step", [STEP, 0.0])
def test_each_segment_is_a_value_with_its_name(tmp_path, step, syntax):
    content = segmentation(frames(drawn(), lambda found: found[::-1]), NAMES, OBLIQUE, step)
    notes: list[str] = []
    labels = read_labels(write_dicom(tmp_path / "a.dcm", content, syntax), "fixed labels", notes)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), drawn())
    check_place(labels)
    assert segment_names(labels) == NAMES
    assert [note.partition(" has the segments ")[2] for note in notes] == ["1 liver, 3 left kidney"]


def label_map(array, order=lambda frames: frames, names=NAMES, **more):
    """A segmentation of the type LABELMAP: a frame for each slice that is not empty, whose voxels are the segments."""
    found = order([(0, place, array[z]) for z, place in enumerate(places()) if array[z].any()])
    return segmentation(found, names, OBLIQUE, kind="LABELMAP", step=STEP, **more)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_label_maps_have_their_segments_as_values(tmp_path, syntax):
    content = label_map(drawn(), lambda found: found[::-1], {0: "background", **NAMES})
    labels = read_labels(write_dicom(tmp_path / "a.dcm", content, syntax))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), drawn())
    check_place(labels)
    assert segment_names(labels) == NAMES


def test_label_maps_of_16_bits_and_two_frames_in_one_place(tmp_path):
    array = drawn().astype(np.uint16)
    array[array == 3] = 700
    content = label_map(array, names={1: "liver", 700: "left kidney"})
    content |= {(0x0028, 0x0100, "US"): 16, (0x0028, 0x0101, "US"): 16, (0x0028, 0x0102, "US"): 15}
    del content[0x7FE0, 0x0010, "OB"]
    content[0x7FE0, 0x0010, "OW"] = array[array.any(axis=(1, 2))]
    labels = read_labels(write_dicom(tmp_path / "a.dcm", content))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), array)
    doubled = label_map(drawn(), lambda found: [*found, found[0]])
    assert "two frames of all segments in one place" in refusal(write_dicom(tmp_path / "b.dcm", doubled), read_labels)


@pytest.mark.parametrize("syntax", COMPRESSED)
@pytest.mark.parametrize("mapped", [False, True])
def test_compressed_segmentations_are_refused(tmp_path, syntax, mapped):
    content = label_map(drawn()) if mapped else segmentation(frames(drawn()), NAMES, OBLIQUE, STEP)
    del content[0x7FE0, 0x0010, "OB"]
    path = write_dicom(tmp_path / "a.dcm", content, syntax)
    path.write_bytes(path.read_bytes() + fragments([run_lengths(frame) for frame in drawn() if frame.any()]))
    assert "is compressed" in refusal(path, read_labels)


def test_slices_between_are_empty_and_the_grid_is_that_of_the_image(tmp_path):
    """One segment in slices 1, 3 and 5 alone: the stated distance gives the empty ones between."""
    array = drawn()
    array[[0, 2, 4]] = 0
    labels = read_labels(write_dicom(tmp_path / "a.dcm", segmentation(frames(array), NAMES, OBLIQUE, STEP)))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), array[1:])
    check_place(labels, first=STEP)
    grid = ImageGrid((8, 10, 6), (0.9, 1.2, STEP), tuple(places()[0]), tuple(OBLIQUE.ravel()))
    mask, note = read_mask(tmp_path / "a.dcm", grid)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), array != 0)
    assert "another grid" in note


def test_segments_that_overlap_and_fractions_are_noted(tmp_path):
    found = frames(drawn())
    number, place, voxels = found[-1]
    found[-1] = (number, place, np.ones_like(voxels))
    notes: list[str] = []
    labels = read_labels(write_dicom(tmp_path / "a.dcm", segmentation(found, NAMES, OBLIQUE, STEP)), "labels", notes)
    covered = int((drawn()[5] == 1).sum())
    assert f"left kidney overlaps other segments in {covered} voxels" in notes[1]
    assert (sitk.GetArrayFromImage(labels)[5] == 3).all()
    shares = [(number, place, np.where(voxels, 0.5, 0.49)) for number, place, voxels in frames(drawn())]
    notes.clear()
    labels = read_labels(write_dicom(tmp_path / "a.dcm", segmentation(shares, NAMES, OBLIQUE, STEP, "FRACTIONAL")), "labels", notes)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), drawn())
    assert "at least one half are inside" in notes[0]


def test_segmentations_that_are_no_grid_are_refused(tmp_path):
    def refused(found, names=NAMES, axes=OBLIQUE, **more):
        return refusal(write_dicom(tmp_path / "a.dcm", segmentation(found, names, axes, **more)), read_labels)

    whole = frames(drawn())
    uneven = [(number, place + OBLIQUE[:, 2] * (0.9 if n == 2 else 0.0), voxels) for n, (number, place, voxels) in enumerate(whole)]
    assert "unequal distances" in refused(uneven, step=STEP)
    assert "two frames of liver in one place" in refused([*whole, whole[0]], step=STEP)
    assert "belong to no segment" in refused(whole, names={1: "liver"}, step=STEP)
    aside = [(number, place + 0.5 * n * OBLIQUE[:, 0], voxels) for n, (number, place, voxels) in enumerate(whole[:4])]
    assert "sheared" in refused(aside, step=STEP)
    assert "no thickness" in refused(whole[:1])
    path = write_dicom(tmp_path / "a.dcm", segmentation(whole, NAMES, OBLIQUE, STEP))
    assert "is a DICOM segmentation" in refusal(path)
    path.write_bytes(path.read_bytes()[:-30])
    assert "damaged" in refusal(path, read_labels)


def test_two_segmentations_are_compared_by_name(tmp_path):
    """The moving one numbers its segments otherwise, and has one more."""
    array = drawn()
    fixed = write_dicom(tmp_path / "fixed.dcm", segmentation(frames(array), NAMES, OBLIQUE, STEP))
    numbers = {1: 3, 3: 2}
    found = [(numbers[number], place, voxels) for number, place, voxels in frames(array)]
    found.append((1, places()[2], np.ones(SHAPE[1:], dtype=bool)))
    moving = write_dicom(tmp_path / "moving.dcm", segmentation(found, {3: " Liver", 2: "left kidney", 1: "spleen"}, OBLIQUE, STEP))
    notes: list[str] = []
    pair, names = read_label_pair(str(fixed), str(moving), notes=notes)
    other = next(value for value, name in names.items() if name == "spleen")
    expected = array.copy()
    expected[2] = other
    np.testing.assert_array_equal(sitk.GetArrayFromImage(pair[1]), expected)
    assert names == {1: "liver", 3: "left kidney", other: "spleen"}
    assert "paired by their names" in notes[-1]
    sitk.WriteTransform(sitk.Euler3DTransform(), str(tmp_path / "t.tfm"))
    arguments = ("--transform", tmp_path / "t.tfm", "--fixed-labels", fixed, "--moving-labels", moving)
    assert "spleen" in succeed("evaluate", *arguments, "--report", tmp_path / "r.json")
    overlap = json.loads((tmp_path / "r.json").read_text())["overlap"]
    assert {row["name"]: row["after"]["dice"] for row in overlap["labels"]} == {"liver": 1.0, "left kidney": 1.0}
    outcome = call("register", "dense", "--fixed", fixed, "--moving", moving, "--transform", tmp_path / "x.nrrd")
    assert outcome.code == 2
    assert "is a DICOM segmentation" in outcome.messages[-1]
