"""Slice and 3D views show the content of the scene, and the mouse changes it, as in the application."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from view_scene import Host, add_sphere, add_volume, set_window
from view_tools import SIZE, click, drag, move, pixels, place_mode, place_of, ramps, red, show, wait_until, wheel
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData

from slicer_testing.views.layout import Layouts, qSlicerLayoutManager

# Slices


def test_slice_shows_the_values_at_their_places(manager: qSlicerLayoutManager, host: Host) -> None:
    volume = add_volume(host.scene, "Ramps", ramps())
    set_window(volume, 60, 1000)
    show(manager, volume)
    widget = red(manager)
    widget.sliceController().setSliceOffsetValue(0.5)
    picture = pixels(widget.sliceView())
    for r in (-20.5, -5.5, 14.5, 25.5):
        place = place_of(widget, (r, 3.5, 0.5))
        expected = 255 * (5 + r + 30) / 60
        np.testing.assert_allclose(picture[place.y(), place.x()], expected, atol=6)
    assert picture[place_of(widget, (20, 0, 0)).y(), place_of(widget, (20, 0, 0)).x(), 0] > 200
    # Patient right is on the viewer's left.
    assert place_of(widget, (20, 0, 0)).x() < place_of(widget, (-20, 0, 0)).x()


def test_slice_shows_the_overlay_blended(manager: qSlicerLayoutManager, host: Host) -> None:
    fixed = add_volume(host.scene, "Fixed", np.full((SIZE,) * 3, 40, np.int16))
    values = np.zeros((SIZE,) * 3, np.int16)
    values[:, :, : SIZE // 2] = 100
    moving = add_volume(host.scene, "Moving", values)
    set_window(fixed, 100, 50)
    set_window(moving, 100, 50)
    show(manager, fixed, moving, 0.25)
    widget = red(manager)
    picture = pixels(widget.sliceView())
    for r, overlay in ((-15, 100), (15, 0)):
        place = place_of(widget, (r, 0, 0))
        np.testing.assert_allclose(picture[place.y(), place.x()], 255 * (0.75 * 0.4 + 0.25 * overlay / 100), atol=5)


def test_label_map_lies_over_the_image(manager: qSlicerLayoutManager, host: Host) -> None:
    labels = np.zeros((SIZE,) * 3, np.int16)
    labels[:, :, : SIZE // 2] = 1
    volume = add_volume(host.scene, "Image", ramps())
    label_map = add_volume(host.scene, "Labels", labels, label=True)
    colors = host.scene.GetNodeByID("vtkMRMLColorTableNodeLabels") or host.scene.GetNodeByID("vtkMRMLColorTableNodeRandom")
    label_map.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
    show(manager, volume)
    before = pixels(red(manager).sliceView())
    composite = red(manager).mrmlSliceCompositeNode()
    composite.SetLabelVolumeID(label_map.GetID())
    composite.SetLabelOpacity(1.0)
    after = pixels(red(manager).sliceView())
    left, right = place_of(red(manager), (-15, 0, 0)), place_of(red(manager), (15, 0, 0))
    assert not np.array_equal(before[left.y(), left.x()], after[left.y(), left.x()])
    assert np.array_equal(before[right.y(), right.x()], after[right.y(), right.x()])


def test_names_stand_in_the_corner(manager: qSlicerLayoutManager, host: Host) -> None:
    fixed, moving = (add_volume(host.scene, name, ramps()) for name in ("Planning CT", "Daily CT"))
    show(manager, fixed, moving, 0.3)
    assert red(manager).sliceView().cornerAnnotationText() == "F: Daily CT (30%)\nB: Planning CT"
    moving.SetName("Repeat CT")
    assert "F: Repeat CT (30%)" in red(manager).sliceView().cornerAnnotationText()


def test_wheel_scrolls_by_a_slice(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Ramps", ramps()))
    logic = red(manager).sliceLogic()
    start = logic.GetSliceOffset()
    wheel(red(manager).sliceView(), 1)
    moved = logic.GetSliceOffset() - start
    assert abs(moved) == pytest.approx(1.0, abs=1e-6)
    wheel(red(manager).sliceView(), -1)
    assert logic.GetSliceOffset() == pytest.approx(start)
    assert red(manager).sliceController().sliceOffsetSlider().value() == pytest.approx(start, abs=0.01)


def test_arrow_keys_scroll(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Ramps", ramps()))
    view, logic = red(manager).sliceView(), red(manager).sliceLogic()
    start = logic.GetSliceOffset()
    move(view, Qt.NoButton, view.rect().center())
    QTest.keyClick(view, Qt.Key_Right)
    moved = logic.GetSliceOffset() - start
    assert abs(moved) == pytest.approx(1.0, abs=1e-6)
    QTest.keyClick(view, Qt.Key_Left)
    assert logic.GetSliceOffset() == pytest.approx(start)


def test_slider_moves_the_slice(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Ramps", ramps()))
    slider = red(manager).sliceController().sliceOffsetSlider()
    slider.setValue(12.0)
    QApplication.processEvents()
    assert red(manager).sliceLogic().GetSliceOffset() == pytest.approx(12.0, abs=0.01)


def test_left_drag_changes_window_and_level_in_its_mode(manager: qSlicerLayoutManager, host: Host) -> None:
    volume = add_volume(host.scene, "Ramps", ramps())
    set_window(volume, 100, 1000)
    show(manager, volume)
    view = red(manager).sliceView()
    middle = view.rect().center()
    host.logic.GetInteractionNode().SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.AdjustWindowLevel)
    drag(view, Qt.LeftButton, middle, [middle + QPoint(10 * step, 5 * step) for step in range(1, 6)])
    display = volume.GetDisplayNode()
    assert display.GetWindow() != pytest.approx(100, abs=0.5)
    assert display.GetLevel() != pytest.approx(1000, abs=0.5)


def test_left_drag_leaves_window_and_level_in_view_mode(manager: qSlicerLayoutManager, host: Host) -> None:
    volume = add_volume(host.scene, "Ramps", ramps())
    set_window(volume, 100, 1000)
    show(manager, volume)
    view = red(manager).sliceView()
    middle = view.rect().center()
    drag(view, Qt.LeftButton, middle, [middle + QPoint(50, 25)])
    assert (volume.GetDisplayNode().GetWindow(), volume.GetDisplayNode().GetLevel()) == (100, 1000)


def test_right_drag_zooms_and_middle_drag_pans(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Ramps", ramps()))
    view, node = red(manager).sliceView(), red(manager).mrmlSliceNode()
    middle = view.rect().center()
    before = node.GetFieldOfView()[0]
    drag(view, Qt.RightButton, middle, [middle + QPoint(0, 10 * step) for step in range(1, 6)])
    assert node.GetFieldOfView()[0] != pytest.approx(before, rel=0.05)
    manager.resetSliceViews()
    assert node.GetFieldOfView()[0] == pytest.approx(before)
    origin = np.array(node.GetXYZOrigin())
    drag(view, Qt.MiddleButton, middle, [middle + QPoint(20, 0), middle + QPoint(40, 0)])
    assert np.linalg.norm(np.array(node.GetXYZOrigin()) - origin) > 1


@pytest.mark.parametrize("linked", [False, True])
def test_linked_views_follow_each_other(manager: qSlicerLayoutManager, host: Host, linked: bool) -> None:
    show(manager, add_volume(host.scene, "Ramps", ramps()))
    manager.setLayout(Layouts.SlicerLayoutCompareView)
    QApplication.processEvents()
    first, second = manager.sliceWidget("Red"), manager.sliceWidget("Compare1")
    first.sliceController().setSliceLink(linked)
    second.sliceLogic().SetSliceOffset(0)
    first.sliceController().setSliceOffsetValue(14.0)
    assert second.sliceLogic().GetSliceOffset() == pytest.approx(14.0 if linked else 0.0, abs=0.01)
    assert manager.sliceWidget("Green").sliceLogic().GetSliceOffset() == pytest.approx(0.0, abs=1.0)
    first.sliceController().setSliceLink(False)


def test_orientation_presets_turn_a_slice(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Ramps", ramps()))
    widget = red(manager)
    assert widget.sliceOrientation() == "Axial"
    widget.setSliceOrientation("Sagittal")
    assert widget.sliceOrientation() == "Sagittal"
    matrix = widget.mrmlSliceNode().GetSliceToRAS()
    assert abs(matrix.GetElement(0, 2)) == pytest.approx(1.0)
    widget.setSliceOrientation("Axial")


def test_crosshair_follows_a_shiftmove(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Ramps", ramps()))
    crosshair = host.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode") or host.scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCrosshairMode(slicer.vtkMRMLCrosshairNode.ShowBasic)
    view = red(manager).sliceView()
    place = place_of(red(manager), (12, -7, 0))
    move(view, Qt.NoButton, view.rect().center())
    move(view, Qt.NoButton, place, Qt.ShiftModifier)
    assert wait_until(lambda: crosshair.GetCrosshairRAS()[0] == pytest.approx(12, abs=0.5))
    assert crosshair.GetCrosshairRAS()[1] == pytest.approx(-7, abs=0.5)
    assert manager.sliceWidget("Yellow").mrmlSliceNode().GetSliceToRAS().GetElement(0, 3) == pytest.approx(12, abs=0.6)


# Markups


def test_click_places_a_point_where_it_was(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Ramps", ramps()))
    node = place_mode(host)
    widget = red(manager)
    widget.sliceController().setSliceOffsetValue(4.0)
    click(widget.sliceView(), place_of(widget, (11, -8, 4)))
    assert node.GetNumberOfDefinedControlPoints() == 1
    np.testing.assert_allclose(node.GetNthControlPointPositionWorld(0), (11, -8, 4), atol=0.3)
    assert host.logic.GetInteractionNode().GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.ViewTransform


def test_dragging_moves_a_point(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Ramps", ramps()))
    node = host.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Landmarks")
    node.CreateDefaultDisplayNodes()
    widget = red(manager)
    offset = widget.sliceLogic().GetSliceOffset()
    node.AddControlPoint(0, 0, offset)
    pixels(widget.sliceView())
    start, end = place_of(widget, (0, 0, offset)), place_of(widget, (10, 12, offset))
    move(widget.sliceView(), Qt.NoButton, start)
    drag(widget.sliceView(), Qt.LeftButton, start, [(start + end) / 2, end])
    np.testing.assert_allclose(node.GetNthControlPointPositionWorld(0), (10, 12, offset), atol=0.5)


def test_point_is_seen_in_its_slice_only(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Flat", np.zeros((SIZE,) * 3, np.int16)))
    widget = red(manager)
    widget.sliceController().setSliceOffsetValue(0.0)
    empty = pixels(widget.sliceView())
    node = host.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Landmarks")
    node.CreateDefaultDisplayNodes()
    node.AddControlPoint(5, 5, 0)
    assert np.abs(pixels(widget.sliceView()) - empty).max() > 50
    widget.sliceController().setSliceOffsetValue(20.0)
    assert np.abs(pixels(widget.sliceView()) - empty)[: empty.shape[0] - 60].max() < 10


# Transforms


def grid_transform(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLGridTransformNode:
    """A displacement along R of up to 8 mm, which is a wave along A."""
    values = np.zeros((7, 7, 7, 3))
    values[..., 0] = 8 * np.sin(np.arange(7))[None, :, None]
    image = vtkImageData()
    image.SetDimensions(7, 7, 7)
    image.SetSpacing(10, 10, 10)
    image.SetOrigin(-30, -30, -30)
    image.GetPointData().SetScalars(numpy_to_vtk(values.reshape(-1, 3), deep=True))
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(image)
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "Warp")
    node.SetAndObserveTransformFromParent(transform)
    node.CreateDefaultDisplayNodes()
    return node


@pytest.mark.parametrize("mode", ["GRID", "GLYPH", "CONTOUR"])
def test_transform_is_seen_in_2d_and_3d(manager: qSlicerLayoutManager, host: Host, mode: str) -> None:
    volume = add_volume(host.scene, "Flat", np.zeros((SIZE,) * 3, np.int16))
    show(manager, volume)
    manager.resetThreeDViews()
    views = red(manager).sliceView(), manager.threeDWidget(0).threeDView()
    before = [pixels(view) for view in views]
    node = grid_transform(host.scene)
    display = node.GetDisplayNode()
    display.SetAndObserveRegionNode(volume)
    display.SetVisualizationMode(getattr(display, f"VIS_MODE_{mode}"))
    display.SetVisibility2D(True)
    display.SetVisibility3D(True)
    display.SetVisibility(True)
    for view, empty in zip(views, before, strict=True):
        assert (np.abs(pixels(view) - empty).max(axis=2) > 20).sum() > 100


def test_transformed_volume_is_shown_moved(manager: qSlicerLayoutManager, host: Host) -> None:
    values = np.zeros((SIZE,) * 3, np.int16)
    values[:, 20:40, 20:40] = 100
    volume = add_volume(host.scene, "Block", values)
    set_window(volume, 100, 50)
    show(manager, volume)
    place = place_of(red(manager), (18, 0, 0))
    assert pixels(red(manager).sliceView())[place.y(), place.x(), 0] < 50
    transform = host.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = slicer.vtkMRMLSliceNode().GetSliceToRAS()
    matrix.Identity()
    matrix.SetElement(0, 3, 15)
    transform.SetMatrixTransformToParent(matrix)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    assert pixels(red(manager).sliceView())[place.y(), place.x(), 0] > 200


# 3D


def test_model_is_seen_in_3d_and_cut_by_a_slice(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Flat", np.zeros((SIZE,) * 3, np.int16)))
    add_sphere(host.scene, 25)
    manager.resetThreeDViews()
    picture = pixels(manager.threeDWidget(0).threeDView())
    middle = picture[picture.shape[0] // 2, picture.shape[1] // 2]
    assert middle[0] > 100
    assert middle[0] > 3 * middle[1]
    cut = pixels(red(manager).sliceView())
    reddish = (cut[..., 0] > 150) & (cut[..., 1] < 60)
    assert reddish.sum() > 100


def test_background_is_blue_and_the_box_comes_and_goes(manager: qSlicerLayoutManager, host: Host) -> None:
    view = manager.threeDWidget(0).threeDView()
    picture = pixels(view)
    assert picture[2, 2, 2] > picture[2, 2, 0]
    view.mrmlViewNode().SetBoxVisible(False)
    view.mrmlViewNode().SetAxisLabelsVisible(False)
    plain = pixels(view)
    assert np.abs(plain - picture).max() > 50
    # A gradient has one colour per row, up to rounding.
    assert np.abs(plain - plain[:, :1]).max() <= 2


def test_volume_rendering_shows_the_volume(manager: qSlicerLayoutManager, host: Host) -> None:
    values = np.zeros((SIZE,) * 3, np.int16)
    values[20:40, 20:40, 20:40] = 500
    volume = add_volume(host.scene, "Block", values)
    view = manager.threeDWidget(0).threeDView()
    view.mrmlViewNode().SetBoxVisible(False)
    logic = host.modules["VolumeRendering"]
    display = logic.CreateDefaultVolumeRenderingNodes(volume)
    manager.resetThreeDViews()
    display.SetVisibility(False)
    before = pixels(view)
    display.SetVisibility(True)
    assert wait_until(lambda: (np.abs(pixels(view) - before).max(axis=2) > 20).sum() > 200)


def test_left_drag_turns_the_camera(manager: qSlicerLayoutManager, host: Host) -> None:
    add_sphere(host.scene)
    manager.resetThreeDViews()
    view = manager.threeDWidget(0).threeDView()
    before = np.array(view.cameraNode().GetPosition())
    middle = view.rect().center()
    drag(view, Qt.LeftButton, middle, [middle + QPoint(20, 0), middle + QPoint(60, 10)])
    assert np.linalg.norm(np.array(view.cameraNode().GetPosition()) - before) > 10


def test_segmentation_is_seen_in_2d_and_3d(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Flat", np.zeros((SIZE,) * 3, np.int16)))
    views = red(manager).sliceView(), manager.threeDWidget(0).threeDView()
    manager.resetThreeDViews()
    before = [pixels(view) for view in views]
    node = host.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    node.CreateDefaultDisplayNodes()
    sphere = add_sphere(host.scene, 20)
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetPolyData(), "Liver", [0, 1, 0])
    host.scene.RemoveNode(sphere)
    for view, empty in zip(views, before, strict=True):
        green = pixels(view)
        assert ((green[..., 1] - empty[..., 1] > 20) & (green[..., 1] > green[..., 0] + 20)).sum() > 100
