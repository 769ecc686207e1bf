"""Widgets for markups show the control points, change them and place new ones."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QAction, QColor
from widget_tools import record


@pytest.fixture
def points(scene):
    """Two control points."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "F")
    node.CreateDefaultDisplayNodes()
    node.AddControlPoint(1, 2, 3, "first")
    node.AddControlPoint(4, 5, 6, "second")
    return node


def cells(widget):
    table = widget.tableWidget()
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount())]


def test_markups_table_follows_and_edits(points, make):
    widget = make("qSlicerSimpleMarkupsWidget")
    assert widget.tableWidget().rowCount() == 0
    widget.setCurrentNode(points)
    assert cells(widget) == [["first", "1.000", "2.000", "3.000"], ["second", "4.000", "5.000", "6.000"]]
    points.AddControlPoint(7, 8, 9, "third")
    points.RemoveNthControlPoint(0)
    assert [row[0] for row in cells(widget)] == ["second", "third"]
    points.SetNthControlPointPosition(0, -1, 0, 0)
    assert cells(widget)[0][1] == "-1.000"
    widget.tableWidget().item(1, 0).setText("renamed")
    widget.tableWidget().item(1, 3).setText("2.5")
    assert points.GetNthControlPointLabel(1) == "renamed"
    assert list(points.GetNthControlPointPosition(1)) == [7, 8, 2.5]


def test_place_mode_is_a_state_of_the_scene(scene, points, make):
    widget = make("qSlicerMarkupsPlaceWidget")
    interaction, selection = widget.interactionNode(), widget.selectionNode()
    assert not widget.placeButton().isEnabled()
    widget.setCurrentNode(points)
    reported = record(widget.activeMarkupsPlaceModeChanged)
    widget.placeButton().click()
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    assert selection.GetActivePlaceNodeID() == points.GetID()
    assert widget.placeModeEnabled()
    assert widget.currentNodeActive()
    assert reported == [True]
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    assert not widget.placeModeEnabled()
    assert not widget.placeButton().isChecked()
    assert reported == [True, False]
    widget.setPlaceMultipleMarkups(widget.ForcePlaceMultipleMarkups)
    widget.setPlaceModeEnabled(True)
    assert interaction.GetPlaceModePersistence()
    widget.setCurrentNodeActive(False)
    assert not widget.currentNodeActive()
    assert reported[-1] is False
    scene.RemoveNode(points)
    assert widget.currentNode() is None
    assert not widget.placeButton().isEnabled()


def test_another_active_node_ends_this_ones_place_mode(scene, points, make):
    widget, other = make("qSlicerMarkupsPlaceWidget"), make("qSlicerMarkupsPlaceWidget")
    second = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    widget.setCurrentNode(points)
    other.setCurrentNode(second)
    widget.setPlaceModeEnabled(True)
    other.setPlaceModeEnabled(True)
    assert other.placeModeEnabled()
    assert not widget.placeModeEnabled()
    assert not widget.placeButton().isChecked()


def test_delete_and_clear_points(points, make):
    widget = make("qSlicerMarkupsPlaceWidget")
    widget.setCurrentNode(points)
    widget.deleteButton().click()
    assert points.GetNumberOfControlPoints() == 1
    points.SetFixedNumberOfControlPoints(True)
    widget.deleteButton().click()
    assert points.GetNumberOfControlPoints() == 1
    assert points.GetNumberOfDefinedControlPoints() == 0
    points.SetFixedNumberOfControlPoints(False)
    widget.findChild(QAction, "ActionDeleteAll").trigger()
    assert points.GetNumberOfControlPoints() == 0
    assert not widget.deleteButton().isEnabled()


def test_choosing_markups_starts_placing_but_setting_them_does_not(points, make):
    widget = make("qSlicerSimpleMarkupsWidget")
    changed = record(widget.markupsNodeChanged)
    widget.setCurrentNode(points)
    assert not widget.markupsPlaceWidget().placeModeEnabled()
    assert len(changed) == 1
    widget.markupsSelectorComboBox().setCurrentNode(None)
    widget.markupsSelectorComboBox().setCurrentNode(points)
    assert widget.markupsPlaceWidget().placeModeEnabled()
    widget.setEnterPlaceModeOnNodeChange(False)
    widget.placeActive(False)
    widget.setDefaultNodeColor(QColor(255, 0, 255))
    made = widget.markupsSelectorComboBox().addNode()
    assert widget.currentNode() is made
    assert made.GetDisplayNode().GetSelectedColor() == (1.0, 0.0, 1.0)
    assert not widget.markupsPlaceWidget().placeModeEnabled()


def test_selected_row_is_reported(points, make):
    widget = make("qSlicerSimpleMarkupsWidget")
    widget.setCurrentNode(points)
    reported = record(widget.currentMarkupsControlPointSelectionChanged)
    widget.highlightNthControlPoint(1)
    assert reported[-1] == 1
    assert widget.tableWidget().currentRow() == 1
