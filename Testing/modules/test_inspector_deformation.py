"""The deformation in the Inspector: Jacobian and folds against closed forms, the warped volume against SimpleITK's; what is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from inspector_bench import IJK, SIZE, displacement, grid_node, inner, itk_transform, points_of, scene_fixture, settle, widget_fixture  # noqa: F401 - fixtures
from panels import drawn, world_image
from world import FLIP, TURN, add_linear, add_volume, matrix4, through

from deepreg_engine.geometry.linear_parts import linear_parts


def linearPartOf(*arguments):
    from deepreg_slicer.beyond import linearPartOf

    return linearPartOf(*arguments)


def shownNode(transform):
    from deepreg_slicer.beyond import shownNode

    return shownNode(transform)


def test_a_translation_has_jacobian_one_and_a_planted_fold_is_counted(widget, scene):
    shift = widget.logic.jacobian(add_linear("shift", matrix4(np.eye(3), (3.0, -2.0, 5.0))), scene["fixed"])
    assert shift["folded"] == 0
    assert not shift["own_grid"]
    assert abs(shift["min_jacobian"] - 1) < 1e-4
    assert abs(shift["max_jacobian"] - 1) < 1e-4
    assert shift["displacement_mm"]["max"] == pytest.approx(np.sqrt(38.0), abs=1e-3)
    size = (12, 11, 10)
    vectors = np.zeros((10, 11, 12, 3))
    along = IJK[:3, 0]
    vectors[4, 5, 7] = -1.5 * along  # one voxel is displaced by -1.5 voxels: its neighbour at x - 1 gets a difference of -0.75
    vectors[7, 3, 4] = -2.5 * along
    figures = widget.logic.jacobian(grid_node("fold", vectors.reshape(-1, 3), size, IJK))
    # det = 1 + (u(i+1) - u(i-1)) / 2 along i: at i = 6: 1 - 0.75 > 0; at i = 3: 1 - 1.25 < 0. Nothing else folds.
    assert figures["folded"] == 1
    assert figures["voxels"] == 1320
    assert figures["own_grid"]
    assert figures["min_jacobian"] == pytest.approx(-0.25, abs=1e-4)
    assert figures["max_jacobian"] == pytest.approx(2.25, abs=1e-4)


def beyond_of(transform) -> np.ndarray:
    """Lengths (N,) of the displacements of a field beyond its linear part, through SimpleITK."""
    from deepreg_slicer.grid_transforms import ownGrid

    vectors, geometry = ownGrid(transform)
    matrix = geometry.ijkToRas()
    linear = sitk.AffineTransform(3)
    linear.SetMatrix(linearPartOf(transform, None).matrix[:3, :3].ravel().tolist())
    linear.SetTranslation(linearPartOf(transform, None).matrix[:3, 3].tolist())
    points = points_of(geometry.size, matrix)
    back = linear.GetInverse()
    moved = points + vectors.reshape(-1, 3)
    return np.array([np.linalg.norm(np.subtract(back.TransformPoint(b), a)) for a, b in zip(points.tolist(), moved.tolist(), strict=True)])


def far_away():
    """The result of a pair of scanners whose origins are 1.3 m apart: a rigid alignment and a deformation of some mm beyond it."""
    import json

    matrix = matrix4(TURN, (310.0, -950.0, 820.0))
    points = points_of(SIZE, IJK)
    beyond = displacement(points) - 5.0
    moved = (points + beyond) @ matrix[:3, :3].T + matrix[:3, 3]
    transform = grid_node("far", moved - points, SIZE, IJK)
    transform.SetAttribute("DeepReg.Output", "transform")
    transform.SetAttribute("DeepReg.LinearPart", json.dumps((FLIP @ matrix @ FLIP).tolist()))
    return transform, np.linalg.norm(beyond, axis=1)


def test_an_alignment_of_a_metre_leaves_maps_grid_and_figures_readable(app, hands, widget, scene):
    import slicer
    from vtk.util.numpy_support import vtk_to_numpy

    transform, lengths = far_away()
    panel, ui = widget.panel, widget.ui
    panel.inspect(transform, fixedVolume=scene["fixed"], movingVolume=scene["moving"])
    ui.deformationCollapsibleButton.collapsed = False
    app.process_events()
    hands.choose(ui.mapComboBox, "displacement")
    settle(app, widget)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(panel.node.mapVolume).ravel(), lengths, atol=2e-3)
    parts = linear_parts(np.linalg.inv(FLIP) @ matrix_of(transform) @ FLIP, FLIP[:3, :3] @ (IJK @ [*((np.array(SIZE) - 1) / 2), 1])[:3])
    assert f"Alignment: shift {parts.shift_length:.1f} mm, rotation {parts.rotation:.1f}\u00b0." in ui.mapInfoLabel.text
    assert parts.shift_length > 1000.0
    figures = widget.logic.jacobian(transform)
    assert figures["displacement_mm"]["mean"] > 1000.0
    assert figures["deformation"]["mean"] == pytest.approx(lengths.mean(), abs=2e-3)
    assert figures["linear_part"]["shift_mm"] == pytest.approx(parts.shift_length, rel=1e-6)
    # What is drawn is the deformation, in a node that is neither listed nor saved.
    hands.choose(ui.displayComboBox, "grid")
    shown = shownNode(transform)
    assert shown.GetDisplayNode().GetVisibility2D()
    assert (shown.GetHideFromEditors(), shown.GetSaveWithScene(), shown.GetUndoEnabled()) == (1, 0, 0)
    assert transform.GetDisplayNode() is None or not transform.GetDisplayNode().GetVisibility()
    vectors = vtk_to_numpy(shown.GetTransformFromParent().GetDisplacementGrid().GetPointData().GetScalars())
    assert np.linalg.norm(vectors, axis=1).max() == pytest.approx(lengths.max(), rel=0.05)
    assert f"to {np.linalg.norm(vectors, axis=1).max():.1f} mm" in ui.displayInfoLabel.text
    assert "Beyond the alignment: shift" in ui.displayInfoLabel.text
    point = inner(1)[0]
    there = through(transform, point[None], inverse=True)
    expected = np.linalg.norm(linearPartOf(transform, None).beyond(point[None], there))
    assert np.linalg.norm(through(shown, point[None], inverse=True) - point) == pytest.approx(expected, abs=0.05)
    # It follows the transform, and goes with it.
    transform.SetAndObserveTransformFromParent(scene["transform"].GetTransformFromParent())
    assert np.abs(vtk_to_numpy(shown.GetTransformFromParent().GetDisplacementGrid().GetPointData().GetScalars())).max() > 500.0
    slicer.mrmlScene.RemoveNode(transform)
    app.process_events(0.05)
    assert shownNode(transform) is None
    drawn_nodes = [node for node in slicer.util.getNodesByClass("vtkMRMLGridTransformNode") if node.GetName() == "Deformation of far"]
    assert drawn_nodes == []


def matrix_of(transform) -> np.ndarray:
    """The linear part that a result carries, RAS."""
    return linearPartOf(transform, None).matrix


def test_bins_of_landmark_errors_suit_the_errors_after(app, widget, scene):
    from DeepRegInspectorLib.charts import fillHistogram

    from deepreg_slicer.volumes import newNode

    table, chart = newNode("vtkMRMLTableNode", "t"), newNode("vtkMRMLPlotChartNode", "c")
    fillHistogram(table, chart, {"before": np.linspace(1250.0, 1280.0, 20), "after": np.linspace(0.2, 3.9, 20)})
    assert "bins of 2 mm; 20 before the registration are above 32 mm" in chart.GetXAxisTitle()
    fillHistogram(table, chart, {"before": np.linspace(4.0, 9.0, 20), "after": np.linspace(0.2, 3.9, 20)})
    assert chart.GetXAxisTitle() == "Error (mm), bins of 0.5 mm"


def test_maps_and_folds_in_the_views(app, hands, widget, scene):
    import slicer

    vectors = scene["vectors"].reshape(*SIZE[::-1], 3).copy()
    vectors[10, 10, 10] -= 2.5 * IJK[:3, 0]
    folded = grid_node("folded", vectors.reshape(-1, 3), SIZE, IJK)
    panel, ui = widget.panel, widget.ui
    panel.inspect(folded, fixedVolume=scene["fixed"], movingVolume=scene["moving"])
    ui.deformationCollapsibleButton.collapsed = False
    app.process_events()
    hands.choose(ui.mapComboBox, "Jacobian")
    settle(app, widget)
    assert "Folded 1 of 52,800 voxels" in ui.mapInfoLabel.text
    assert "own grid" in ui.mapInfoLabel.text
    mask = slicer.util.arrayFromVolume(panel.node.folds)
    assert np.argwhere(mask).tolist() == [[10, 10, 9]]
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert composite.GetForegroundVolumeID() == panel.node.mapVolume.GetID()
    assert composite.GetLabelVolumeID() == panel.node.folds.GetID()
    panel.node.otherTransform = scene["transform"]
    settle(app, widget)
    assert panel.node.map == "none"
    hands.choose(ui.mapComboBox, "Jacobian")
    settle(app, widget)
    assert "Second transform: folded 0 of 52,800" in ui.mapInfoLabel.text
    hands.choose(ui.mapComboBox, "displacement")
    settle(app, widget)
    assert "Deformation beyond the alignment: mean" in ui.mapInfoLabel.text
    assert "Alignment not known, rigid fit: shift" in ui.mapInfoLabel.text
    lengths = beyond_of(folded)
    assert slicer.util.arrayFromVolume(panel.node.mapVolume).ravel() == pytest.approx(lengths, abs=1e-3)
    hands.choose(ui.mapComboBox, "not shown")
    assert composite.GetForegroundVolumeID() is None
    assert ui.mapInfoLabel.text == ""


@pytest.mark.parametrize("parents", ["none", "both"])
def test_the_warped_volume_is_simpleitks(app, hands, widget, scene, parents):
    import slicer

    panel, ui = widget.panel, widget.ui
    if parents == "both":
        scene["fixed"].SetAndObserveTransformNodeID(add_linear("a", matrix4(np.eye(3), (2.0, 3.0, -1.0))).GetID())
        turn = np.array([[0.996, -0.087, 0.0], [0.087, 0.996, 0.0], [0.0, 0.0, 1.0]])
        turn = np.linalg.qr(turn)[0] @ np.diag(np.sign(np.diag(np.linalg.qr(turn)[0])))
        scene["moving"].SetAndObserveTransformNodeID(add_linear("b", matrix4(turn, (4.0, -3.0, 3.0))).GetID())
    ui.deformationCollapsibleButton.collapsed = False
    app.process_events()
    hands.choose(ui.overlayComboBox, "fade")
    settle(app, widget)
    itk = itk_transform(scene["vectors"], SIZE, IJK)
    source = sitk.Cast(world_image(scene["moving"]), sitk.sitkFloat32)
    expected = sitk.Resample(source, world_image(scene["fixed"]), itk, sitk.sitkLinear, -9999.0)
    there, ours = sitk.GetArrayFromImage(expected), slicer.util.arrayFromVolume(panel.node.warped).astype(float)
    inside = there > -9000
    inside[:2] = inside[-2:] = inside[:, :2] = inside[:, -2:] = inside[:, :, :2] = inside[:, :, -2:] = False
    assert inside.mean() > 0.1
    assert np.percentile(np.abs(there - ours)[inside], 99) < 2.0
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert composite.GetForegroundVolumeID() == panel.node.warped.GetID()
    ui.overlaySlider.value = 30
    assert composite.GetForegroundOpacity() == pytest.approx(0.3)
    hands.choose(ui.overlayComboBox, "checkerboard")
    fixed = slicer.util.arrayFromVolume(scene["fixed"])
    mixed = slicer.util.arrayFromVolume(panel.node.combined)
    assert composite.GetBackgroundVolumeID() == panel.node.combined.GetID()
    assert np.all((mixed == fixed) | (mixed == ours))
    assert 0.3 < np.mean(mixed == fixed) < 0.8
    hands.choose(ui.overlayComboBox, "difference")
    assert np.allclose(slicer.util.arrayFromVolume(panel.node.combined), ours - fixed, atol=1e-3)
    hands.choose(ui.overlayComboBox, "blink")
    opacities = set()
    for _ in range(3):
        panel.sections["images"].onFlicker()
        opacities.add(composite.GetForegroundOpacity())
    assert opacities == {0.0, 1.0}
    assert panel.sections["images"].flicker.isActive()
    hands.choose(ui.overlayComboBox, "not shown")
    assert not panel.sections["images"].flicker.isActive()
    assert composite.GetBackgroundVolumeID() == scene["fixed"].GetID()
    assert composite.GetForegroundVolumeID() is None


def test_grid_arrows_and_contours(app, hands, widget, scene):
    ui = widget.ui
    ui.deformationCollapsibleButton.collapsed = False
    app.process_events()
    for choice, words in (("grid", "Lines every"), ("arrows", "Arrows every"), ("contours", "of displacement")):
        hands.choose(ui.displayComboBox, choice)
        display = drawn(scene["transform"])
        assert display.GetVisibility()
        assert display.GetVisibility2D()
        assert not display.GetVisibility3D()
        assert words in ui.displayInfoLabel.text
        assert "mm" in ui.displayInfoLabel.text
    hands.click(ui.display3DCheckBox)
    assert display.GetVisibility3D()
    hands.choose(ui.displayComboBox, "grid")
    ui.spacingSlider.value = 7.5
    assert display.GetGridSpacingMm() == pytest.approx(7.5)
    hands.choose(ui.displayComboBox, "not shown")
    assert not display.GetVisibility()


def test_the_probe_shows_what_is_under_the_mouse(app, hands, widget, scene):
    import slicer

    panel, ui = widget.panel, widget.ui
    labels = add_volume("organs", np.ones(SIZE[::-1], dtype=np.uint8), IJK, "vtkMRMLLabelMapVolumeNode")
    panel.node.fixedLabels = labels
    ui.deformationCollapsibleButton.collapsed = False
    app.process_events()
    hands.click(ui.probeCheckBox)
    point = inner(1)[0]
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCursorPositionRAS(point.tolist())
    moved = through(scene["transform"], point[None], inverse=True)
    length = np.linalg.norm(linearPartOf(scene["transform"], None).beyond(point[None], moved))
    assert f"Deformation {length:.2f} mm" in ui.probeLabel.text
    assert "Jacobian" in ui.probeLabel.text
    assert "Fixed: " in ui.probeLabel.text
    hands.click(ui.probeCheckBox)
    assert ui.probeLabel.text == ""


def bar_of(node):
    """The colour bar of a node that is drawn, None without one."""
    import slicer

    bar = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    return bar if bar is not None and bar.GetVisibility() else None


def test_colour_bars_say_what_colours_mean(app, hands, widget, scene):
    """In mm, over the range that is drawn; a view of a slice has other pixels where the bar is."""
    import slicer

    panel, ui = widget.panel, widget.ui
    ui.deformationCollapsibleButton.collapsed = False
    manager = slicer.app.layoutManager()
    manager.viewport().resize(800, 700)
    manager.viewport().show()
    slicer.util.setSliceViewerLayers(background=scene["fixed"], fit=True)
    app.process_events()
    hands.choose(ui.displayComboBox, "grid")
    app.process_events(0.1)
    bar, display = bar_of(shownNode(scene["transform"])), drawn(scene["transform"])
    assert "mm" in bar.GetTitleText()
    assert bar.GetVisibility2D()
    assert bar.GetVisibility3D()
    longest = beyond_of(scene["transform"]).max()
    assert display.GetScalarRange()[0] == 0.0
    assert display.GetScalarRange()[1] == pytest.approx(longest, rel=0.1)
    with_bar = edge(manager, "right")
    bar.SetVisibility(False)
    app.process_events(0.1)
    assert np.count_nonzero(with_bar != edge(manager, "right")) > 500
    bar.SetVisibility(True)
    app.process_events(0.1)
    hands.choose(ui.displayComboBox, "not shown")
    app.process_events(0.1)
    assert bar_of(shownNode(scene["transform"])) is None
    assert edge(manager, "right").max() < with_bar.max()
    for choice, title, ends in (("displacement", "displacement (mm)", None), ("Jacobian", "Jacobian", 2.0)):
        hands.choose(ui.mapComboBox, choice)
        settle(app, widget)
        shown = panel.node.mapVolume.GetDisplayNode()
        assert bar_of(panel.node.mapVolume).GetTitleText() == title
        assert f"{shown.GetWindowLevelMax():g}"[:3] in ui.mapInfoLabel.text
        if ends:
            assert shown.GetWindowLevelMin() + shown.GetWindowLevelMax() == pytest.approx(ends)
            middle = np.zeros(4)
            shown.GetColorNode().GetColor(shown.GetColorNode().GetNumberOfColors() // 2, middle)
            assert middle[:3].max() < 0.1  # the image is visible where the volume does not change
        # It is drawn where the map is: the left part of the view is another one without it.
        with_bar, bar = edge(manager, "left"), bar_of(panel.node.mapVolume)
        bar.SetVisibility(False)
        app.process_events(0.1)
        assert np.count_nonzero(with_bar != edge(manager, "left")) > 300
        bar.SetVisibility(True)
        app.process_events(0.1)


def edge(manager, side: str) -> np.ndarray:
    """What is drawn in the left or right third of a slice view."""
    from slicer_testing.pictures import pixels, screenshot

    image = pixels(screenshot(manager.sliceWidget("Red").sliceView()))
    third = image.shape[1] // 3
    return image[:, -third:] if side == "right" else image[:, :third]
