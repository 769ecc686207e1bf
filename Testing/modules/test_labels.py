"""Segmentations and label maps on their way to the engine and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from world import TURN, add_linear, add_volume, exhaust, itk_image, matrix4

SIZE = (20, 16, 24)
IJK_TO_RAS = matrix4(TURN * (3.0, 4.0, 2.5), (-30.0, -25.0, -40.0))


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Where a ball is, in voxels (k, j, i)."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in SIZE[::-1]), indexing="ij")
    return (i - centre[0]) ** 2 + (j - centre[1]) ** 2 + (k - centre[2]) ** 2 < radius**2


LIVER, SPLEEN = ball((6, 8, 8), 4), ball((14, 8, 16), 3)
TUMOUR = ball((7, 8, 8), 2)  # within the liver: overlaps it


def add_segmentation(name: str, segments: dict[str, np.ndarray], geometry: np.ndarray = IJK_TO_RAS):
    """A segmentation node of arrays (k, j, i)."""
    import slicer

    reference = add_volume(f"{name} reference", np.zeros(SIZE[::-1], dtype=np.uint8), geometry)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    for title, array in segments.items():
        segment_id = node.GetSegmentation().AddEmptySegment("", title)
        slicer.util.updateSegmentBinaryLabelmapFromArray(array.astype(np.uint8), node, segment_id, reference)
    return node


def in_world(image: sitk.Image, value: int) -> np.ndarray:
    """A label of a file, drawn into the grid of the arrays here."""
    reference = itk_image(np.zeros(SIZE[::-1], dtype=np.uint8), IJK_TO_RAS)
    drawn = sitk.Resample(image, reference, sitk.Transform(), sitk.sitkNearestNeighbor)
    return sitk.GetArrayFromImage(drawn) == value


@pytest.fixture
def labels(app):
    from deepreg_slicer import labels

    return labels


def test_one_segment_is_a_mask(labels, tmp_path):
    node = add_segmentation("organs", {"liver": LIVER, "spleen": SPLEEN})
    (liver, _), (spleen, _) = labels.segmentNames(node)
    for segment_id, expected in ((liver, LIVER), (spleen, SPLEEN), ("", LIVER | SPLEEN)):
        exhaust(labels.writeMask(node, segment_id, str(tmp_path / "m.nrrd")))
        image = sitk.ReadImage(str(tmp_path / "m.nrrd"))
        assert image.GetPixelID() == sitk.sitkUInt8
        assert np.array_equal(in_world(image, 1), expected)


def test_overlapping_segments_are_one_mask(labels, tmp_path):
    node = add_segmentation("organs", {"liver": LIVER, "tumour": TUMOUR, "spleen": SPLEEN})
    assert len(labels.layers(node)) > 1
    exhaust(labels.writeMask(node, "", str(tmp_path / "m.nrrd")))
    assert np.array_equal(in_world(sitk.ReadImage(str(tmp_path / "m.nrrd")), 1), LIVER | SPLEEN)
    tumour = labels.segmentNames(node)[1][0]
    exhaust(labels.writeMask(node, tumour, str(tmp_path / "m.nrrd")))
    assert np.array_equal(in_world(sitk.ReadImage(str(tmp_path / "m.nrrd")), 1), TUMOUR)


def test_many_layers_that_do_not_overlap_travel_in_few(labels, tmp_path):
    balls = {f"ball {n}": ball((3 + 5 * (n % 3), 4 + 5 * (n // 3 % 2), 4 + 8 * (n // 6)), 2) for n in range(12)}
    node = add_segmentation("organs", {**balls, "liver": LIVER})
    before = node.GetSegmentation().GetNumberOfLayers()
    found = labels.layers(node)
    assert len(found) <= 2 < before == node.GetSegmentation().GetNumberOfLayers()  # the user's segmentation is unchanged
    paths = exhaust(labels.writeLayers(found, str(tmp_path / "l")))
    for layer, path in zip(found, paths, strict=False):
        for segment in layer.segments:
            expected = LIVER if segment.name == "liver" else balls[segment.name]
            assert np.array_equal(in_world(sitk.ReadImage(path), segment.value), expected), segment.name


def test_parent_transforms_count(labels, tmp_path):
    node = add_segmentation("organs", {"liver": LIVER})
    move = matrix4(TURN, (9.0, 8.0, 7.0))
    node.SetAndObserveTransformNodeID(add_linear("parent", move).GetID())
    exhaust(labels.writeMask(node, "", str(tmp_path / "m.nrrd")))
    expected = itk_image(LIVER.astype(np.uint8), move @ IJK_TO_RAS)
    found = sitk.Resample(sitk.ReadImage(str(tmp_path / "m.nrrd")), expected, sitk.Transform(), sitk.sitkNearestNeighbor)
    assert np.array_equal(sitk.GetArrayFromImage(found) > 0, LIVER)


def test_closed_surfaces_become_label_maps_in_a_copy(labels, tmp_path):
    node = add_segmentation("organs", {"liver": LIVER})
    segmentation = node.GetSegmentation()
    assert segmentation.CreateRepresentation("Closed surface")
    segmentation.SetSourceRepresentationName("Closed surface")
    segmentation.RemoveRepresentation("Binary labelmap")
    exhaust(labels.writeMask(node, "", str(tmp_path / "m.nrrd")))
    assert not segmentation.ContainsRepresentation("Binary labelmap")
    found = in_world(sitk.ReadImage(str(tmp_path / "m.nrrd")), 1)
    assert 2 * np.count_nonzero(found & LIVER) / (np.count_nonzero(found) + np.count_nonzero(LIVER)) > 0.85


def test_structures_are_compared_by_name(labels, tmp_path):
    fixed = add_segmentation("a", {"spleen": SPLEEN, "Liver ": LIVER, "fixed only": TUMOUR & ~LIVER | ball((3, 3, 20), 2)})
    moving = add_segmentation("b", {"liver": LIVER, "moving only": ball((3, 12, 20), 2), "Spleen": SPLEEN})
    comparison = exhaust(labels.writeComparison(fixed, moving, str(tmp_path / "c")))
    assert {name.strip().lower() for name in comparison.names.values()} == {"liver", "spleen"}
    assert comparison.notes == []
    images = [sitk.ReadImage(path) for path in (comparison.fixed, comparison.moving)]
    for value, name in comparison.names.items():
        expected = LIVER if name.strip().lower() == "liver" else SPLEEN
        for image in images:
            assert np.array_equal(in_world(image, value), expected), name
    assert set(np.unique(sitk.GetArrayFromImage(images[0]))) == {0, *comparison.names}


def test_label_maps_are_compared_by_value(labels, tmp_path):
    array = LIVER * 5 + SPLEEN * 9
    fixed = add_volume("a", (array + 0).astype(np.int16), IJK_TO_RAS, "vtkMRMLLabelMapVolumeNode")
    moving = add_volume("b", (array + (array == 9) * 100).astype(np.int16), IJK_TO_RAS, "vtkMRMLLabelMapVolumeNode")
    comparison = exhaust(labels.writeComparison(fixed, moving, str(tmp_path / "c")))
    assert list(comparison.names) == [5]
    assert set(np.unique(sitk.GetArrayFromImage(sitk.ReadImage(comparison.moving)))) == {0, 5}


def colored(name, array, names):
    """A label map whose table of colours names its values."""
    import slicer

    node = add_volume(name, array.astype(np.int16), IJK_TO_RAS, "vtkMRMLLabelMapVolumeNode")
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", f"colors of {name}")
    table.SetTypeToUser()
    table.SetNumberOfColors(max(names) + 1)
    for value, title in names.items():
        table.SetColor(value, title, 0.5, 0.5, 0.5, 1.0)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAndObserveColorNodeID(table.GetID())
    return node


def test_label_maps_whose_names_have_other_values_are_compared_by_name(labels, tmp_path):
    fixed = colored("a", LIVER * 1 + SPLEEN * 2, {1: "liver", 2: "spleen"})
    moving = colored("b", LIVER * 2 + SPLEEN * 1, {1: "Spleen", 2: "Liver"})
    comparison = exhaust(labels.writeComparison(fixed, moving, str(tmp_path / "c")))
    for path in (comparison.fixed, comparison.moving):
        image = sitk.ReadImage(path)
        for value, name in comparison.names.items():
            assert np.array_equal(in_world(image, value), LIVER if name == "liver" else SPLEEN)
    assert comparison.notes == ['structures were compared by name: "liver" is 1 in a and 2 in b']
    # Without a common name, structures do not correspond by name.
    other = colored("c", LIVER * 1 + SPLEEN * 2, {1: "Leber", 2: "Milz"})
    comparison = exhaust(labels.writeComparison(fixed, other, str(tmp_path / "c")))
    assert list(comparison.names) == [1, 2]
    assert comparison.notes == ['structures were compared by value, although 1 is "liver" in a and "Leber" in c']


def test_a_name_of_several_segments_is_refused(labels, tmp_path):
    from deepreg_slicer.volumes import NodeError

    fixed = add_segmentation("a", {"kidney": LIVER, "spleen": SPLEEN})
    twice = add_segmentation("b", {"kidney": LIVER, "other": SPLEEN})
    twice.GetSegmentation().GetNthSegment(1).SetName("Kidney")
    with pytest.raises(NodeError, match='b has several segments with the name "kidney": rename them'):
        exhaust(labels.writeComparison(fixed, twice, str(tmp_path / "c")))
    twice.GetSegmentation().GetNthSegment(0).SetName("spleen")
    assert len(exhaust(labels.writeComparison(fixed, twice, str(tmp_path / "c"))).names) == 2


def test_overlapping_segments_are_compared_with_a_note(labels, tmp_path):
    fixed = add_segmentation("a", {"liver": LIVER, "tumour": TUMOUR})
    moving = add_segmentation("b", {"tumour": TUMOUR, "spleen": SPLEEN})
    comparison = exhaust(labels.writeComparison(fixed, moving, str(tmp_path / "c")))
    assert comparison.notes == ["segments of a overlap: where they do, the later one was compared"]
    assert list(comparison.names.values()) == ["tumour"]
    assert np.array_equal(in_world(sitk.ReadImage(comparison.fixed), list(comparison.names)[0]), TUMOUR)


@pytest.mark.parametrize("kind", ["nothing in common", "no segments", "empty", "empty label map", "an image"])
def test_what_cannot_be_compared_is_named(labels, kind, tmp_path):
    import slicer

    from deepreg_slicer.volumes import NodeError

    good = add_segmentation("good", {"liver": LIVER})
    words = {
        "nothing in common": "no structure of the same name",
        "no segments": "has no segments",
        "empty": "is empty",
        "empty label map": "is empty",
        "an image": "is an image, not a label map",
    }
    if kind == "nothing in common":
        other = add_segmentation("other", {"spleen": SPLEEN})
    elif kind == "no segments":
        other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    elif kind == "empty":
        other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
        other.GetSegmentation().AddEmptySegment("", "liver")
    elif kind == "empty label map":
        other = add_volume("other", np.zeros(SIZE[::-1], dtype=np.uint8), IJK_TO_RAS, "vtkMRMLLabelMapVolumeNode")
    else:
        array = np.random.default_rng(0).normal(size=SIZE[::-1]).astype(np.float32)
        other = add_volume("other", array, IJK_TO_RAS, "vtkMRMLLabelMapVolumeNode")
    with pytest.raises(NodeError, match=words[kind]):
        exhaust(labels.writeComparison(good, other, str(tmp_path / "c")))


def test_a_segmentation_travels_there_and_back(labels, tmp_path):
    import slicer

    from deepreg_slicer.volumes import readImage

    node = add_segmentation("organs", {"liver": LIVER, "tumour": TUMOUR, "spleen": SPLEEN})
    node.GetSegmentation().GetNthSegment(0).SetColor(0.2, 0.4, 0.6)
    node.GetSegmentation().GetNthSegment(0).SetTag("TerminologyEntry", "some~thing")
    found = labels.layers(node)
    paths = exhaust(labels.writeLayers(found, str(tmp_path / "l")))
    drawn = [(layer, *exhaust(readImage(path))) for layer, path in zip(found, paths, strict=False)]
    again = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "again")
    again.GetSegmentation().AddEmptySegment("", "of old")
    reference = add_volume("reference", np.zeros(SIZE[::-1], dtype=np.uint8), IJK_TO_RAS)
    labels.setSegmentation(again, drawn, reference)
    assert {name for _, name in labels.segmentNames(again)} == {"liver", "tumour", "spleen"}
    for segment_id, name in labels.segmentNames(again):
        array = slicer.util.arrayFromSegmentBinaryLabelmap(again, segment_id, reference)
        assert np.array_equal(array > 0, {"liver": LIVER, "tumour": TUMOUR, "spleen": SPLEEN}[name]), name
    first = again.GetSegmentation().GetSegment(labels.segmentNames(node)[0][0])
    assert np.allclose(first.GetColor(), (0.2, 0.4, 0.6))
    assert first.HasTag("TerminologyEntry")
    # It can be saved and loaded.
    assert slicer.util.saveNode(again, str(tmp_path / "again.seg.nrrd"))
    loaded = slicer.util.loadSegmentation(str(tmp_path / "again.seg.nrrd"))
    assert {name for _, name in labels.segmentNames(loaded)} == {"liver", "tumour", "spleen"}


def test_a_label_map_keeps_its_colours(labels, tmp_path):
    import slicer

    from deepreg_slicer.volumes import readImage

    node = add_volume("organs", (LIVER * 5).astype(np.int16), IJK_TO_RAS, "vtkMRMLLabelMapVolumeNode")
    colors = slicer.mrmlScene.GetNodesByClass("vtkMRMLColorTableNode").GetItemAsObject(3)
    node.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
    paths = exhaust(labels.writeLayers(labels.layers(node), str(tmp_path / "l")))
    again = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "again")
    labels.setLabelMap(again, *exhaust(readImage(paths[0])), node)
    assert np.array_equal(slicer.util.arrayFromVolume(again), LIVER * 5)
    assert again.GetDisplayNode().GetColorNodeID() == colors.GetID()
    json.dumps(labels.layers(node)[0].segments[0].name)
