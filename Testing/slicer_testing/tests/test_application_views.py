"""Views of the application, used with mouse and keys as by a user."""

from __future__ import annotations

import numpy as np
import pytest
import qt
import slicer


@pytest.fixture
def manager(slicer_app):
    """The layout manager, with its four views shown and a volume in the slices."""
    found = slicer.app.layoutManager()
    found.viewport().resize(900, 700)
    found.viewport().show()
    k, j, i = np.mgrid[:60, :60, :60]
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    slicer.util.updateVolumeFromArray(volume, (((k - 30) ** 2 + (j - 30) ** 2 + (i - 30) ** 2 < 400) * 100.0 + i).astype(np.float32))
    volume.SetOrigin(-30, -30, -30)
    volume.CreateDefaultDisplayNodes()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    slicer_app.process_events(0.05)
    return found


@pytest.fixture
def red(manager):
    return manager.sliceWidget("Red").sliceView()


def slice_node(name="Red"):
    return slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()


def interaction():
    return slicer.app.applicationLogic().GetInteractionNode()


def test_mouse_moves_zooms_and_scrolls_a_slice(red, hands):
    node = slice_node()
    field, origin = node.GetFieldOfView(), node.GetXYZOrigin()
    hands.wheel(red, 2)
    assert node.GetSliceOffset() == pytest.approx(2)
    hands.drag(red, (200, 150), (200, 220), button="right")
    zoomed = node.GetFieldOfView()[0]
    assert zoomed != pytest.approx(field[0])
    hands.wheel(red, 1, keys="control")
    assert node.GetFieldOfView()[0] != pytest.approx(zoomed)
    hands.drag(red, (200, 150), (240, 180), button="middle")
    assert node.GetXYZOrigin() != origin


def test_window_and_level(red, hands):
    display = slicer.util.getNode("CT").GetDisplayNode()
    before = display.GetWindow(), display.GetLevel()
    hands.drag(red, (150, 150), (200, 190))
    assert (display.GetWindow(), display.GetLevel()) == before
    interaction().SetCurrentInteractionMode(interaction().AdjustWindowLevel)
    hands.drag(red, (150, 150), (200, 190))
    assert display.GetWindow() != before[0]
    assert display.GetLevel() != before[1]


def test_crosshair_brings_the_other_slices_along(red, hands):
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    hands.drag(red, (150, 150), (150, 190), button="right")  # views forget a held key when a button is released
    hands.move(red, (150, 150))
    cursor = [0.0, 0.0, 0.0]
    hands.move(red, (260, 200), keys="shift")
    assert crosshair.GetCursorPositionRAS(cursor)
    assert crosshair.GetCrosshairRAS() == pytest.approx(cursor)
    assert slice_node("Yellow").GetSliceToRAS().GetElement(0, 3) == pytest.approx(cursor[0], abs=1)
    assert slice_node("Green").GetSliceToRAS().GetElement(1, 3) == pytest.approx(cursor[1], abs=1)


@pytest.mark.parametrize("linked", [True, False])
def test_linked_slices_zoom_together(manager, hands, linked):
    for name in ("Red", "Yellow", "Green"):
        manager.sliceWidget(name).sliceLogic().GetSliceCompositeNode().SetLinkedControl(linked)
    before = slice_node("Green").GetFieldOfView()[0]
    hands.drag(manager.sliceWidget("Red").sliceView(), (200, 150), (200, 220), button="right")
    assert (slice_node("Green").GetFieldOfView()[0] != pytest.approx(before)) == linked


@pytest.mark.parametrize("where", ["slice", "3D"])
def test_points_are_placed_and_dragged(manager, red, hands, slicer_app, where):
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "F")
    points.CreateDefaultDisplayNodes()
    slicer.modules.markups.logic().SetActiveList(points)
    view = red if where == "slice" else manager.threeDWidget(0).threeDView()
    interaction().SetCurrentInteractionMode(interaction().Place)
    hands.move(view, (200, 160))
    hands.click(view, at=(200, 160))
    assert points.GetNumberOfControlPoints() == 1
    assert interaction().GetCurrentInteractionMode() == interaction().ViewTransform
    placed = points.GetNthControlPointPosition(0)
    hands.drag(view, (200, 160), (240, 190))
    moved = np.subtract(points.GetNthControlPointPosition(0), placed)
    if where == "slice":
        pixel = slice_node().GetFieldOfView()[0] / red.width
        assert moved == pytest.approx((-40 * pixel, -30 * pixel, 0), abs=2 * pixel)  # R points to the left of the picture
    else:
        assert np.linalg.norm(moved) > 1


def test_camera_turns(manager, hands):
    view = manager.threeDWidget(0).threeDView()
    camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view.mrmlViewNode())
    before = camera.GetPosition()
    hands.drag(view, (200, 200), (260, 220))
    assert np.linalg.norm(np.subtract(camera.GetPosition(), before)) > 10


def test_views_wait_while_the_application_pauses_them(manager, slicer_app, red):
    rendered = []
    window = red.renderWindow()
    window.AddObserver("EndEvent", lambda *_: rendered.append(1))
    with slicer.util.RenderBlocker():
        slice_node().SetSliceOffset(5)
        slicer_app.process_events(0.1)
        assert not rendered
    slicer_app.process_events(0.1)
    assert rendered


def test_pictures_of_a_view_a_panel_and_the_window(manager, red, tmp_path):
    from slicer_testing.pictures import pixels, screenshot

    window = slicer.util.mainWindow()
    window.resize(1000, 700)
    window.show()
    panel = qt.QLabel("Panel")
    for name, shown in (("view", red), ("panel", panel), ("window", window)):
        picture = screenshot(shown, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 0
        assert pixels(picture).std() > 1, f"the picture of the {name} is of one colour"
