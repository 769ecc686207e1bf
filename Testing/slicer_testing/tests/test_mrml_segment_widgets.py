"""Widgets for segments show the segmentation and change it."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QComboBox
from widget_tools import record

from slicer_testing.widgets.mrml_segments_table import NAME, OPACITY, VISIBILITY


@pytest.fixture
def segmentation(scene):
    """Two segments, a and b."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().AddEmptySegment("a", "Liver", [1, 0, 0])
    node.GetSegmentation().AddEmptySegment("b", "Lung", [0, 0, 1])
    return node


def test_segment_selector_takes_the_first_segment_and_follows(segmentation, make):
    selector = make("qMRMLSegmentSelectorWidget")
    assert selector.currentNode() is segmentation
    assert selector.currentSegmentID() == "a"
    changed = record(selector.currentSegmentChanged)
    selector.setCurrentSegmentID("b")
    segmentation.GetSegmentation().AddEmptySegment("c", "Bone", [1, 1, 1])
    segmentation.GetSegmentation().GetSegment("b").SetName("Left lung")
    box = selector.findChild(QComboBox, "comboBox_Segment")
    assert [box.itemText(row) for row in range(box.count())] == ["Liver", "Left lung", "Bone"]
    assert box.currentText() == "Left lung"
    assert changed == ["b"]
    segmentation.GetSegmentation().RemoveSegment("b")
    assert selector.currentSegmentID() == "a"
    assert changed == ["b", "a"]
    segmentation.GetSegmentation().RemoveAllSegments()
    assert selector.currentSegmentID() == ""
    assert changed[-1] == ""


def test_segment_selector_with_none(segmentation, make):
    selector = make("qMRMLSegmentSelectorWidget")
    selector.setNoneEnabled(True)
    selector.setCurrentSegmentID("")
    assert selector.currentSegmentID() == ""
    selector.setCurrentNode(None)
    assert selector.currentNode() is None
    assert selector.segmentIDs() == []


def test_several_segments(segmentation, make):
    selector = make("qMRMLSegmentSelectorWidget")
    selector.setMultiSelection(True)
    changed = record(selector.segmentSelectionChanged)
    assert selector.selectedSegmentIDs() == []
    selector.setSelectedSegmentIDs(["b", "a"])
    assert selector.selectedSegmentIDs() == ["a", "b"]
    assert changed == [["a", "b"]]
    segmentation.GetSegmentation().RemoveSegment("a")
    assert selector.selectedSegmentIDs() == ["b"]
    assert changed[-1] == ["b"]


def test_a_removed_segmentation_is_released(scene, segmentation, make):
    selector, table = make("qMRMLSegmentSelectorWidget"), make("qMRMLSegmentsTableView")
    table.setSegmentationNode(segmentation)
    scene.RemoveNode(segmentation)
    assert selector.currentNode() is None
    assert selector.currentSegmentID() == ""
    assert table.segmentationNode() is None
    assert table.segmentCount() == 0


def test_segments_table_shows_and_edits(segmentation, make):
    table = make("qMRMLSegmentsTableView")
    table.setSegmentationNode(segmentation)
    model, display = table.tableWidget().model(), segmentation.GetDisplayNode()
    assert [model.index(row, NAME).data() for row in range(2)] == ["Liver", "Lung"]
    about = record(table.segmentAboutToBeModified)
    model.setData(model.index(0, NAME), "Kidney")
    assert segmentation.GetSegmentation().GetSegment("a").GetName() == "Kidney"
    assert about == ["a"]
    model.setData(model.index(1, OPACITY), "0.25")
    assert display.GetSegmentOpacity3D("b") == 0.25
    model.setData(model.index(1, OPACITY), "much")
    assert model.index(1, OPACITY).data() == "0.25"
    table.tableWidget().clicked.emit(model.index(1, VISIBILITY))
    assert not display.GetSegmentVisibility("b")
    assert display.GetSegmentVisibility("a")
    table.setHideSegments(["a"])
    assert table.displayedSegmentIDs() == ["b"]
    assert table.segmentCount() == 1
    table.setHideSegments([])
    table.setTextFilter("lun")
    assert table.segmentIDForRow(0) == "b"
    assert table.segmentCount() == 1


def test_segments_table_selection_stays(segmentation, make):
    table = make("qMRMLSegmentsTableView")
    table.setSegmentationNode(segmentation)
    changed = []
    table.selectionChanged.connect(lambda *_: changed.append(table.selectedSegmentIDs()))
    table.setSelectedSegmentIDs(["b"])
    segmentation.GetSegmentation().AddEmptySegment("c", "Bone", [1, 1, 1])
    assert table.selectedSegmentIDs() == ["b"]
    assert changed == [["b"]]
    table.moveSelectedSegmentsUp()
    assert table.displayedSegmentIDs() == ["b", "a", "c"]
    assert table.selectedSegmentIDs() == ["b"]
    table.showOnlySelectedSegments()
    assert [segmentation.GetDisplayNode().GetSegmentVisibility(each) for each in "abc"] == [False, True, False]
