"""Structures by name: segments of ``.seg.nrrd`` files in another order; and label maps that are given as images."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, check_refusal, succeed
from scenes import FIXED, MOVING, Waves, image_on, make_grid, smooth_image, voxel_points

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.images import read_labels
from deepreg_engine.geometry.label_like import label_values
from deepreg_engine.geometry.segments import segment_names
from deepreg_engine.geometry.transform_files import write_field
from deepreg_engine.jobs.pair_files import read_label_pair

ORGANS = {"Liver": (-6.0, 0.0, 0.0), "kidney": (6.0, 0.0, 0.0), "spleen": (0.0, 12.0, 0.0)}


def balls(grid, values):
    """Organs as balls around fixed places, with a value for each name."""
    points, array = voxel_points(grid), np.zeros(grid.size[::-1], dtype=np.uint8)
    for name, value in values.items():
        centre = np.array((31.0, -52.0, 17.0)) + ORGANS[name.capitalize() if name == "liver" else name]
        array[np.linalg.norm(points - centre, axis=-1) < 5.0] = value
    return image_on(grid, array)


def segmentation(path, grid, values, titles=None):
    """Write organs as 3D Slicer does: the names of the segments, with their values, in the header."""
    image = balls(grid, values)
    for number, (name, value) in enumerate(values.items()):
        for key, text in (("ID", f"S_{number}"), ("LabelValue", str(value)), ("Layer", "0"), ("Name", (titles or {}).get(name, name))):
            image.SetMetaData(f"Segment{number}_{key}", text)
    sitk.WriteImage(image, str(path), True)
    return path


@pytest.fixture
def pair(tmp_path):
    """Two segmentations of the same organs, in another order and with other values; and the field of the identity."""
    segmentation(tmp_path / "f.seg.nrrd", FIXED, {"Liver": 1, "kidney": 2, "spleen": 3})
    segmentation(tmp_path / "m.seg.nrrd", MOVING, {"kidney": 1, "spleen": 3, "liver": 4})
    write_field(tmp_path / "t.nrrd", Waves.draw(0, amplitude=0.0).on(FIXED))
    return tmp_path


def files(folder, fixed="f.seg.nrrd", moving="m.seg.nrrd"):
    return ("--transform", folder / "t.nrrd", "--fixed-labels", folder / fixed, "--moving-labels", folder / moving)


NOTE = "the structures were paired by their names: 'kidney' is 2 in the fixed and 1 in the moving labels"


def test_evaluate_pairs_segments_by_name_and_says_so(pair):
    out = succeed("evaluate", *files(pair), "--report", pair / "r.json")
    assert f"note: {NOTE}" in out
    report = json.loads((pair / "r.json").read_text(encoding="utf-8"))
    assert {row["name"]: row["label"] for row in report["overlap"]["labels"]} == {"Liver": 1, "kidney": 2, "spleen": 3}
    assert all(row["after"]["dice"] > 0.7 for row in report["overlap"]["labels"])
    assert report["notes"] == [NOTE]


def test_the_same_values_need_no_note(pair):
    segmentation(pair / "m.seg.nrrd", MOVING, {"spleen": 3, "kidney": 2})
    out = succeed("evaluate", *files(pair))
    assert "note" not in out
    assert "only in the fixed labels: Liver" in out


def test_a_structure_of_one_side_keeps_apart(pair):
    """The value of a structure without partner is that of another one on the other side."""
    segmentation(pair / "m.seg.nrrd", MOVING, {"kidney": 2, "spleen": 1}, {"spleen": "tumour"})
    notes: list[str] = []
    (fixed, moving), names = read_label_pair(str(pair / "f.seg.nrrd"), str(pair / "m.seg.nrrd"), notes=notes)
    values = {name: value for value, name in names.items()}
    array = sitk.GetArrayFromImage(moving)
    assert values["tumour"] not in set(np.unique(sitk.GetArrayFromImage(fixed)).tolist())
    np.testing.assert_array_equal(array == values["tumour"], sitk.GetArrayFromImage(balls(MOVING, {"spleen": 1})) > 0)
    np.testing.assert_array_equal(array == values["kidney"], sitk.GetArrayFromImage(balls(MOVING, {"kidney": 1})) > 0)
    assert notes == ["the structures were paired by their names: 1 is 'Liver' in the fixed and 'tumour' in the moving labels"]


def test_without_names_on_both_sides_values_count(pair):
    sitk.WriteImage(balls(MOVING, {"Liver": 1, "kidney": 2}), str(pair / "m.nii.gz"))
    out = succeed("evaluate", *files(pair, moving="m.nii.gz"))
    assert "note" not in out
    for name in ("Liver", "kidney"):
        row, *_structure = [line for line in out.splitlines() if line.startswith(name)]  # of the table of the overlap
        assert float(row.split()[2]) > 0.7


def test_names_that_cannot_be_paired_are_refused(pair):
    segmentation(pair / "m.seg.nrrd", MOVING, {"kidney": 1, "spleen": 2}, {"kidney": "Niere", "spleen": "Milz"})
    line = check_refusal(call("evaluate", *files(pair)), "have no structure of the same name", "rename their segments")
    assert "Liver, kidney, spleen" in line
    assert "Niere, Milz" in line
    segmentation(pair / "m.seg.nrrd", MOVING, {"kidney": 1, "spleen": 2}, {"spleen": "Kidney"})
    check_refusal(call("evaluate", *files(pair)), "the moving labels have several segments with the name", "--moving-labels")


def test_segments_that_overlap_are_refused_with_advice(tmp_path):
    layers = [balls(FIXED, {"Liver": 1}), balls(FIXED, {"kidney": 1})]
    image = sitk.Compose(layers)
    for number, name in enumerate(ORGANS):
        image.SetMetaData(f"Segment{number}_Name", name)
    sitk.WriteImage(image, str(tmp_path / "o.seg.nrrd"))
    with pytest.raises(InputError, match="segments that overlap, in 2 layers") as caught:
        read_labels(tmp_path / "o.seg.nrrd", "fixed labels")
    assert "label map" in caught.value.advice


def test_registration_and_report_measure_by_name(phantom_pair, phantom_folder, tmp_path):
    """The organs of the phantom, with the values of the moving ones in reverse order."""
    names = phantom_pair.label_names
    values = sorted(names)
    for side, image, order in (("fixed", phantom_pair.fixed_labels, values), ("moving", phantom_pair.moving_labels, values[::-1])):
        array = sitk.GetArrayFromImage(image)
        changed = np.zeros_like(array)
        for old, new in zip(values, order, strict=True):
            changed[array == old] = new
        labels = sitk.GetImageFromArray(changed)
        labels.CopyInformation(image)
        for number, (old, new) in enumerate(zip(values, order, strict=True)):
            labels.SetMetaData(f"Segment{number}_Name", names[old])
            labels.SetMetaData(f"Segment{number}_LabelValue", str(new))
        sitk.WriteImage(labels, str(tmp_path / f"{side}.seg.nrrd"), True)
    images = ("--fixed", phantom_folder / "fixed.nii.gz", "--moving", phantom_folder / "moving.nii.gz")
    labels = ("--fixed-labels", tmp_path / "fixed.seg.nrrd", "--moving-labels", tmp_path / "moving.seg.nrrd")
    results = ("--transform", tmp_path / "t.nrrd", "--warped-labels", tmp_path / "w.nrrd", "--report", tmp_path / "r.json")
    succeed("register", "dense", *images, *labels, *results, "--preset", "quick", "--device", "cpu", "--set", "search_stages=1")
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert report["overlap"]["mean_after"]["dice"] > 0.6
    assert {row["name"] for row in report["overlap"]["labels"]} == set(names.values())
    assert any("paired by their names" in note for note in report["notes"])
    # The warped labels have the values and the names of the file.
    assert segment_names(read_labels(tmp_path / "w.nrrd")) == segment_names(read_labels(tmp_path / "moving.seg.nrrd")) != {}
    warped, moving = (sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / name))) for name in ("w.nrrd", "moving.seg.nrrd"))
    ratio = [np.count_nonzero(warped == value) / np.count_nonzero(moving == value) for value in values]
    assert 0.4 < min(ratio) <= max(ratio) < 2.5
    succeed("report", *images, *labels, "--transform", tmp_path / "t.nrrd", "--output", tmp_path / "p.html", "--json", tmp_path / "p.json")
    content = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert content["figures"]["overlap"]["mean_after"]["dice"] == pytest.approx(report["overlap"]["mean_after"]["dice"], abs=1e-3)
    assert any("paired by their names" in note for note in content["notes"])


# ------------------------------------------------------------------------------------------------------------ label-like images


GRID = make_grid((40, 36, 30), (1.1, 1.3, 1.7), (12, -7, 20))


def image_of(values):
    return image_on(GRID, np.ascontiguousarray(values))


def structures(count, edge=6):
    """Cubes with values in a random order, as an atlas has them."""
    rng = np.random.default_rng(1)
    index = np.stack(np.meshgrid(*(np.arange(n) // edge for n in GRID.size[::-1]), indexing="ij"))
    return (rng.permutation(1000) % count)[index[0] * 100 + index[1] * 10 + index[2]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("count", [2, 7, 118])
def test_label_maps_are_recognized(count, dtype):
    assert label_values(image_of(structures(count).astype(dtype))) == len(np.unique(structures(count)))


def test_images_are_not_label_maps(phantom_pair):
    smooth = sitk.GetArrayFromImage(smooth_image(GRID, 3))
    rng = np.random.default_rng(0)
    for image in (phantom_pair.fixed, phantom_pair.moving, image_of(smooth.astype(np.int16))):
        assert label_values(image) == 0
    for values in (
        smooth,
        (smooth / 3.0 + 128).clip(0, 255).astype(np.uint8),  # a picture of eight bits
        (smooth / 8.0 + 40).clip(0, 80).astype(np.uint8),
        rng.integers(0, 5, GRID.size[::-1]).astype(np.uint8),  # counts of single photons
        structures(7) + 0.5,
        np.where(structures(2) > 0, rng.normal(100, 20, GRID.size[::-1]), -1000).astype(np.int16),
        np.full(GRID.size[::-1], 3, dtype=np.uint8),
    ):
        assert label_values(image_of(values)) == 0


def test_warp_notes_a_label_map_that_is_interpolated(tmp_path):
    sitk.WriteImage(image_of(structures(7).astype(np.uint8)), str(tmp_path / "l.nii.gz"))
    sitk.WriteImage(image_of(sitk.GetArrayFromImage(smooth_image(GRID, 3)).astype(np.int16)), str(tmp_path / "i.nii.gz"))
    write_field(tmp_path / "t.nrrd", Waves.draw(1).on(GRID))
    base = ("warp", "--transform", tmp_path / "t.nrrd", "--output", tmp_path / "w.nii.gz")
    for more in ((), ("--interpolation", "cubic")):
        outcome = call(*base, "--image", tmp_path / "l.nii.gz", *more)
        assert outcome.code == 0
        (note,) = outcome.messages
        assert note.startswith("note: the image ")
        assert "seems to be a label map (7 values)" in note
        assert "--labels" in note
    for more in (("--labels",), ("--interpolation", "nearest")):
        succeed(*base, "--image", tmp_path / "l.nii.gz", *more)
        assert set(np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "w.nii.gz"))))) <= set(range(7))
    succeed(*base, "--image", tmp_path / "i.nii.gz")


def test_a_registration_notes_label_maps_given_as_images(tmp_path):
    for name, image in (("f", image_of(structures(7).astype(np.uint8))), ("m", image_of(structures(7).astype(np.float32)))):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    quick = ("--preset", "quick", "--device", "cpu", "--initial", "none", "--set", "search_stages=1", "--set", "refinement_iterations=0")
    images = ("--fixed", tmp_path / "f.nii.gz", "--moving", tmp_path / "m.nii.gz")
    out = succeed("register", "dense", *images, *quick, "--transform", tmp_path / "t.nrrd", "--report", tmp_path / "r.json")
    for side in ("fixed", "moving"):
        assert f"note: the {side} image seems to be a label map (7 values)" in out
    assert sum("seems to be a label map" in note for note in json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["notes"]) == 2
