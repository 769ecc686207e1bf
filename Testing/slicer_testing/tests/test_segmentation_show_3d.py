"""The button that shows a segmentation as surfaces."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

SURFACE, LABELMAP = "Closed surface", "Binary labelmap"


@pytest.fixture
def segmentation(slicer_app):
    """A box of voxels as one segment."""
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    voxels = np.zeros((12, 12, 12), np.uint8)
    voxels[3:9, 3:9, 3:9] = 1
    slicer.util.updateVolumeFromArray(labels, voxels)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Box")
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labels, node)
    node.CreateDefaultDisplayNodes()
    return node


@pytest.fixture
def button(segmentation):
    made = slicer.qMRMLSegmentationShow3DButton()
    made.setSegmentationNode(segmentation)
    made.resize(200, 26)
    made.show()
    yield made
    made.deleteLater()


def press(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(20, 10))


def volume_of_surface(node):
    import vtk

    surface = vtk.vtkPolyData()
    assert node.GetClosedSurfaceRepresentation(node.GetSegmentation().GetNthSegmentID(0), surface)
    properties = vtk.vtkMassProperties()
    properties.SetInputData(surface)
    return properties.GetVolume()


def test_surfaces_are_made_and_removed(segmentation, button):
    assert button.enabled
    assert not button.checked
    press(button)
    assert button.checked
    assert segmentation.GetSegmentation().ContainsRepresentation(SURFACE)
    display = segmentation.GetDisplayNode()
    assert (display.GetDisplayRepresentationName3D(), display.GetDisplayRepresentationName2D()) == (SURFACE, LABELMAP)
    press(button)
    assert not button.checked
    assert not segmentation.GetSegmentation().ContainsRepresentation(SURFACE)


def test_it_follows_the_segmentation(segmentation, button):
    segmentation.CreateClosedSurfaceRepresentation()
    assert button.checked
    segmentation.GetSegmentation().RemoveAllSegments()
    assert not button.enabled
    button.setSegmentationNode(None)
    assert not button.enabled
    assert button.segmentationNode() is None


def test_a_locked_button_and_one_of_surfaces_only_cannot_be_used(segmentation, button):
    button.locked = True
    assert not button.enabled
    press(button)
    assert not segmentation.GetSegmentation().ContainsRepresentation(SURFACE)
    button.locked = False
    assert button.enabled
    segmentation.CreateClosedSurfaceRepresentation()
    segmentation.GetSegmentation().SetSourceRepresentationName(SURFACE)
    assert not button.enabled


def test_smoothing_is_switched_off_and_on_and_weighed(segmentation, button):
    smoothing = next(action for action in button.menu().actions() if action.text == "Surface smoothing")
    factor = button.findChild(type(slicer.util.findChildren(button, className="ctkSliderWidget")[0]))
    button.setChecked(True)
    assert smoothing.checked
    assert factor.value == 0.5
    smooth = volume_of_surface(segmentation)
    smoothing.setChecked(False)
    sharp = volume_of_surface(segmentation)
    assert sharp > smooth
    assert not factor.enabled
    assert float(segmentation.GetSegmentation().GetConversionParameter("Smoothing factor")) == -0.5
    smoothing.setChecked(True)
    assert volume_of_surface(segmentation) == pytest.approx(smooth)
    factor.value = 0.9
    assert volume_of_surface(segmentation) < smooth
