"""The Inspector under a user's hands: landmark pairs, deformation, overlap, consistency; figures against SimpleITK's and closed forms."""

from __future__ import annotations

import csv
import time

import numpy as np
import pytest
import SimpleITK as sitk
from vtk.util.numpy_support import numpy_to_vtk

from panels import opened, world_image
from world import FLIP, TURN, add_linear, add_volume, add_warp, matrix4, smooth, through

SIZE = (44, 40, 30)
# Oblique and anisotropic.
IJK = matrix4(TURN * np.array([1.5, 1.7, 2.3]), (-40.0, -30.0, -35.0))
ABOVE = matrix4(TURN, (20.0, -30.0, 40.0))


def points_of(size, matrix) -> np.ndarray:
    index = np.stack(np.unravel_index(np.arange(np.prod(size)), size, order="F"), axis=1)
    return index @ matrix[:3, :3].T + matrix[:3, 3]


def texture(points: np.ndarray) -> np.ndarray:
    """Structures of some 8 to 20 mm."""
    generator = np.random.default_rng(3)
    value = np.zeros(len(points))
    for _ in range(30):
        wave = generator.normal(size=3)
        wave *= 2 * np.pi / generator.uniform(9.0, 20.0) / np.linalg.norm(wave)
        value += 60.0 * np.sin(points @ wave + generator.uniform(0, 6.3))
    return value


def displacement(points: np.ndarray) -> np.ndarray:
    """A smooth displacement of some mm, RAS."""
    return np.stack([5.0 + 0.04 * smooth(points / 2.0, seed) / 2.0 for seed in (1, 2, 3)], axis=1)


def grid_node(name: str, vectors: np.ndarray, size, matrix: np.ndarray):
    """A grid transform node as the methods make it: vectors (N, 3), RAS mm, i fastest, from fixed to moving points."""
    import slicer
    import vtk

    from deepreg_slicer.nrrd import Geometry
    from deepreg_slicer.transforms import gridTransform

    image = vtk.vtkImageData()
    image.SetDimensions(*size)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(vectors, dtype=np.float32), deep=True))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", name)
    node.SetAndObserveTransformFromParent(gridTransform(image, Geometry.fromIjkToRas(size, matrix)))
    return node


def itk_transform(vectors: np.ndarray, size, matrix: np.ndarray) -> sitk.Transform:
    """The same by SimpleITK."""
    lps = FLIP @ matrix
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.GetImageFromArray((vectors * (-1, -1, 1)).reshape(*size[::-1], 3).astype(np.float64), isVector=True)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return sitk.DisplacementFieldTransform(image)


def markups(name: str, positions: np.ndarray):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    slicer.util.updateMarkupsControlPointsFromArray(node, np.ascontiguousarray(positions, dtype=float))
    for number in range(node.GetNumberOfControlPoints()):
        node.SetNthControlPointLabel(number, str(number + 1))
    return node


@pytest.fixture
def scene(warm_app):
    """A pair that a known field takes onto each other; the result knows its volumes."""
    fixed_points = points_of(SIZE, IJK)
    vectors = displacement(fixed_points)
    # Moving is such that moving(x + u(x)) = fixed(x), near enough: u changes slowly.
    moving_size, moving_ijk = (46, 38, 32), matrix4(TURN * np.array([1.6, 1.8, 2.1]), (-38.0, -26.0, -30.0))
    at = points_of(moving_size, moving_ijk)
    back = at.copy()
    for _ in range(20):
        back = at - displacement(back)
    fixed = add_volume("fixed", texture(fixed_points).reshape(SIZE[::-1]).astype(np.int16), IJK)
    moving = add_volume("moving", texture(back).reshape(moving_size[::-1]).astype(np.int16), moving_ijk)
    transform = grid_node("result", vectors, SIZE, IJK)
    transform.SetNodeReferenceID(transform.GetFixedNodeReferenceRole(), fixed.GetID())
    transform.SetNodeReferenceID(transform.GetMovingNodeReferenceRole(), moving.GetID())
    return {"fixed": fixed, "moving": moving, "transform": transform, "vectors": vectors}


@pytest.fixture
def widget(warm_app, scene):
    widget = opened(warm_app, "DeepRegInspector")
    widget.panel.inspect(scene["transform"])
    warm_app.process_events()
    return widget


def inner(count: int, seed: int = 0) -> np.ndarray:
    """Points well inside the fixed volume, RAS."""
    index = np.random.default_rng(seed).uniform(0.25, 0.75, size=(count, 3)) * np.array(SIZE)
    return index @ IJK[:3, :3].T + IJK[:3, 3]


def settle(app, widget) -> None:
    app.wait_for(lambda: not widget.panel.busy, 30, "the panel")
    app.process_events()


def texts(widget, column: int) -> list[str]:
    table = widget.ui.pairsTable
    return [table.item(row, column).text() for row in range(table.rowCount)]


# -------------------------------------------------------------------------------------------------------------- landmarks


def test_a_transform_brings_its_volumes(widget, scene):
    node = widget.panel.node
    assert node.fixedVolume is scene["fixed"] and node.movingVolume is scene["moving"]
    assert widget.ui.pickButton.enabled and "no pairs yet" in widget.ui.summaryLabel.text


@pytest.mark.parametrize("parents", ["none", "both, differently", "seen through the transform"])
def test_errors_are_those_of_simpleitk(warm_app, widget, scene, parents):
    """World coordinates: lists and volumes under parents, the moving list perhaps under the transform itself."""
    from deepreg_slicer.result_view import moveThrough

    fixed_world = inner(12)
    moving_world = fixed_world + displacement(fixed_world) + np.random.default_rng(1).normal(scale=2.0, size=(12, 3))
    above = [np.eye(4), np.eye(4)] if parents == "none" else [ABOVE, matrix4(TURN.T, (5.0, -20.0, 3.0))]
    lists = []
    for name, world, matrix, volume in zip(("f", "m"), (fixed_world, moving_world), above, (scene["fixed"], scene["moving"])):
        local = (np.column_stack([world, np.ones(12)]) @ np.linalg.inv(matrix).T)[:, :3]
        node = markups(name, local)
        if parents != "none":
            parent = add_linear(f"above {name}", matrix)
            node.SetAndObserveTransformNodeID(parent.GetID())
        lists.append(node)
    if parents == "seen through the transform":
        moveThrough(lists[1], scene["transform"], True)
    widget.panel.node.fixedPoints, widget.panel.node.movingPoints = lists
    settle(warm_app, widget)
    itk = itk_transform(scene["vectors"], SIZE, IJK)
    flip = np.array([-1, -1, 1])
    mapped = np.array([itk.TransformPoint((point * flip).tolist()) for point in fixed_world]) * flip
    truth = mapped - moving_world
    pairs = widget.panel.pairs
    assert np.abs(pairs.after - truth).max() < 1e-3 and np.abs(pairs.before - (fixed_world - moving_world)).max() < 1e-6
    figures = widget.logic.landmarkErrors(scene["transform"], *lists)
    distances = np.linalg.norm(truth, axis=1)
    for name, value in (("mean", distances.mean()), ("median", np.median(distances)), ("percentile95", np.percentile(distances, 95)), ("max", distances.max())):
        assert figures["after"][name] == pytest.approx(value, abs=1e-3)
    assert texts(widget, 2) == [f"{d:.2f}" for d in distances] and f"{distances.mean():.2f}" in widget.ui.summaryLabel.text


@pytest.mark.parametrize("kind", ["linear", "warp", "nested"])
def test_any_transform_is_measured(widget, kind):
    fixed, moving = inner(6), inner(6, 1)
    if kind == "warp":
        node = add_warp("warp", 4.0)
    else:
        node = add_linear("linear", ABOVE)
        if kind == "nested":
            node.SetAndObserveTransformNodeID(add_warp("warp", 4.0).GetID())
    errors = widget.logic.landmarkErrors(node, markups("a", fixed), markups("b", moving))
    truth = through(node, fixed, inverse=True) - moving
    assert np.abs(np.array([entry["error_mm"] for entry in errors["each"]]) - truth).max() < 1e-3


@pytest.mark.parametrize("parent", [False, True])
def test_a_b_spline_from_a_file_is_simpleitks(widget, scene, tmp_path, parent):
    import slicer

    image = world_image(scene["fixed"])
    itk = sitk.BSplineTransformInitializer(image, [6, 5, 4])
    itk.SetParameters(np.random.default_rng(2).normal(scale=4.0, size=itk.GetNumberOfParameters()).tolist())
    sitk.WriteTransform(itk, str(tmp_path / "spline.tfm"))
    node = slicer.util.loadTransform(str(tmp_path / "spline.tfm"))
    fixed, moving = inner(15), inner(15, 1)
    lists = [markups("a", fixed), markups("b", moving)]
    if parent:
        above = add_linear("above", ABOVE)
        lists[0] = markups("c", (np.column_stack([fixed, np.ones(15)]) @ np.linalg.inv(ABOVE).T)[:, :3])
        lists[0].SetAndObserveTransformNodeID(above.GetID())
    flip = np.array([-1, -1, 1])
    truth = np.array([itk.TransformPoint((point * flip).tolist()) for point in fixed]) * flip - moving
    errors = widget.logic.landmarkErrors(node, *lists)
    assert np.abs(np.array([entry["error_mm"] for entry in errors["each"]]) - truth).max() < 1e-3
    figures = widget.logic.jacobian(node, scene["fixed"])
    field = sitk.TransformToDisplacementField(itk, sitk.sitkVectorFloat64, image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection())
    lengths = np.linalg.norm(sitk.GetArrayFromImage(field), axis=-1)
    assert not figures["own_grid"] and figures["displacement_mm"]["mean"] == pytest.approx(lengths.mean(), abs=1e-3)


def test_pick_propose_drag_tick_and_sort(warm_app, hands, widget, scene):
    """Ten pairs with the mouse; one dragged, one excluded."""
    import slicer

    manager, ui, panel = slicer.app.layoutManager(), widget.ui, widget.panel
    slicer.util.setSliceViewerLayers(background=scene["fixed"], fit=True)
    view = manager.sliceWidget("Red").sliceView()
    manager.viewport().resize(900, 800)
    manager.viewport().show()
    warm_app.process_events()
    panel.node.window = 6.0
    slicer.mrmlScene.SetUndoOn()
    hands.click(ui.pickButton)
    for n in range(10):
        at = (view.width // 2 - 60 + 30 * (n % 5), view.height // 2 - 20 + 36 * (n // 5))
        hands.move(view, at)
        hands.click(view, at=at)
        settle(warm_app, widget)
    assert len(panel.pairs) == 10 and ui.pickButton.checked
    hands.click(ui.pickButton)
    assert not ui.pickButton.checked
    pairs = panel.pairs
    truth = pairs.fixed + displacement(pairs.fixed)
    errors = np.linalg.norm(pairs.moving - truth, axis=1)
    confidences = [float(note.rsplit(" ", 1)[1]) for note in pairs.notes]
    assert all(note.startswith("proposed") for note in pairs.notes) and np.median(errors) < 0.6 and max(confidences) > 0.1, (errors, confidences)
    # Drag: the error is another one, and the proposal the user's own.
    moving = panel.node.movingPoints
    moving.SetNthControlPointPosition(3, *(pairs.moving[3] + (0.0, 9.0, 0.0)))
    settle(warm_app, widget)
    assert panel.pairs.distances[3] > 6.0 and panel.pairs.notes[3] == "" and panel.pairs.outliers[3]
    assert "outlier" in texts(widget, 4)[3] and "Outliers" in ui.summaryLabel.text
    # Exclude it with its tick; the summary goes without it.
    import qt

    ui.pairsTable.item(3, 0).setCheckState(qt.Qt.Unchecked)
    settle(warm_app, widget)
    assert not panel.pairs.used[3] and "9 of 10 pairs count" in ui.summaryLabel.text
    assert not panel.node.fixedPoints.GetNthControlPointSelected(3)
    assert panel.pairs.summary()["after"]["max"] < 6.0
    # Sort by the error after: the worst first, then last.
    ui.pairsTable.horizontalHeader().sectionClicked.emit(2)
    assert texts(widget, 0)[0] == panel.pairs.names[3]
    ui.pairsTable.horizontalHeader().sectionClicked.emit(2)
    assert texts(widget, 0)[-1] == panel.pairs.names[3]
    # Accept one, remove one, undo.
    panel.table.select(0)
    hands.click(ui.acceptButton)
    assert panel.pairs.notes[0] == ""
    panel.table.select(5)
    hands.click(ui.removeButton)
    assert len(panel.pairs) == 9
    slicer.mrmlScene.Undo()
    settle(warm_app, widget)
    assert len(panel.pairs) == 10 and panel.pairs.unpaired == 0
    # A pair that was picked goes as one.
    hands.click(ui.pickButton)
    hands.move(view, (view.width // 2, view.height // 2 + 80))
    hands.click(view, at=(view.width // 2, view.height // 2 + 80))
    settle(warm_app, widget)
    hands.click(ui.pickButton)
    assert len(panel.pairs) == 11
    slicer.mrmlScene.Undo()
    settle(warm_app, widget)
    assert len(panel.pairs) == 10 and panel.pairs.unpaired == 0


def test_side_by_side_a_click_brings_fixed_and_moving_to_the_pair(warm_app, hands, widget, scene):
    import slicer

    from DeepRegInspectorLib import views

    fixed = inner(5)
    panel = widget.panel
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), markups("m", fixed + displacement(fixed) + 3.0)
    settle(warm_app, widget)
    hands.click(widget.ui.sideBySideButton)
    warm_app.process_events()
    assert views.isSideBySide() and len(views.movingNodes()) == 2
    panel.table.select(2)
    warm_app.process_events()

    def middle(node):
        return np.array([node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)])

    assert np.allclose(middle(views.fixedNodes()[0]), panel.pairs.fixed[2], atol=1e-3)
    assert np.allclose(middle(views.movingNodes()[0]), panel.pairs.moving[2], atol=1e-3)
    # The moving views follow the fixed ones through the transform.
    views.fixedNodes()[0].JumpSliceByCentering(*fixed[4])
    warm_app.process_events()
    assert np.allclose(middle(views.movingNodes()[0]), through(scene["transform"], fixed[4:5], inverse=True)[0], atol=1e-2)
    assert list(panel.node.movingPoints.GetDisplayNode().GetViewNodeIDs()) == [node.GetID() for node in views.movingNodes()]
    composite = slicer.app.layoutManager().sliceWidget(views.MOVING[0]).sliceLogic().GetSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == scene["moving"].GetID()
    # Fixed points are not picked in the moving views.
    manager = slicer.app.layoutManager()
    manager.viewport().resize(900, 800)
    manager.viewport().show()
    warm_app.process_events()
    hands.click(widget.ui.pickButton)
    for name, count in ((views.MOVING[0], 5), ("Red", 6)):
        view = manager.sliceWidget(name).sliceView()
        at = (view.width // 2 + 20, view.height // 2 + 10)
        hands.move(view, at)
        hands.click(view, at=at)
        settle(warm_app, widget)
        assert len(panel.pairs) == count, name
    assert panel.table.current == 5 and np.allclose(middle(views.movingNodes()[0]), panel.pairs.moving[5], atol=1e-3)
    hands.click(widget.ui.pickButton)
    hands.click(widget.ui.removeButton)
    # Vectors: as many arrows as pairs, coloured by mm.
    hands.click(widget.ui.vectorsButton)
    display = panel.node.vectors.GetDisplayNode()
    assert display.GetScalarVisibility() and display.GetActiveScalarName() == "error (mm)" and display.GetVisibility()
    lengths = slicer.util.arrayFromModelPointData(panel.node.vectors, "error (mm)")
    assert lengths.max() == pytest.approx(panel.pairs.distances.max(), abs=1e-3)
    hands.click(widget.ui.histogramButton)
    counts = [slicer.util.arrayFromTableColumn(panel.node.table, name).sum() for name in ("before", "after")]
    assert counts == [5, 5] and panel.node.chart.GetNumberOfPlotSeriesNodes() == 2
    hands.click(widget.ui.vectorsButton)
    assert not display.GetVisibility()
    hands.click(widget.ui.sideBySideButton)
    assert not views.isSideBySide() and not panel.node.movingPoints.GetDisplayNode().GetViewNodeIDs()


@pytest.mark.parametrize("ending", [".csv", ".fcsv", ".mrk.json"])
def test_files_there_and_back(warm_app, widget, tmp_path, ending):
    fixed = inner(4)
    panel = widget.panel
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), markups("m", fixed + 2.0)
    panel.node.movingPoints.SetAndObserveTransformNodeID(add_linear("above", ABOVE).GetID())
    settle(warm_app, widget)
    before = panel.pairs
    for side in ("fixed", "moving"):
        panel.exportPoints(side, str(tmp_path / f"{side}{ending}"))
    for side in ("fixed", "moving"):
        panel.importPoints(side, str(tmp_path / f"{side}{ending}"))
    settle(warm_app, widget)
    assert np.allclose(panel.pairs.fixed, before.fixed, atol=1e-5) and np.allclose(panel.pairs.moving, before.moving, atol=1e-5)
    panel._onExportTable(str(tmp_path / "table.csv"))
    with open(tmp_path / "table.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["after (mm)"]) for row in rows] == pytest.approx(panel.pairs.distances.tolist(), abs=1e-3)
    with pytest.raises(RuntimeError, match="do not exist"):
        panel.importPoints("fixed", str(tmp_path / "none.csv"))


def test_points_without_a_partner_get_one(warm_app, widget):
    panel = widget.panel
    panel.node.fixedPoints = markups("f", inner(3))
    settle(warm_app, widget)
    assert "3 points have no partner" in widget.ui.summaryLabel.text
    panel._actions["propose"].trigger()
    settle(warm_app, widget)
    assert len(panel.pairs) == 3 and all(note.startswith("proposed") for note in panel.pairs.notes)


def test_a_thousand_landmarks_stay_fluid(warm_app, widget):
    fixed = inner(1000)
    panel = widget.panel
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), markups("m", fixed + displacement(fixed) + np.random.default_rng(0).normal(size=(1000, 3)))
    settle(warm_app, widget)
    times = []
    for number in (10, 500, 900):
        start = time.perf_counter()
        panel.table.select(number)
        warm_app.process_events()
        times.append(time.perf_counter() - start)
    assert min(times) < 0.1, times
    start = time.perf_counter()
    panel.node.movingPoints.SetNthControlPointPosition(7, 1.0, 2.0, 3.0)
    settle(warm_app, widget)
    assert time.perf_counter() - start < 0.5


def test_two_transforms_side_by_side(warm_app, widget):
    fixed = inner(8)
    panel = widget.panel
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), markups("m", fixed + displacement(fixed))
    panel.node.otherTransform = other = add_linear("other", matrix4(np.eye(3), (-5.0, -5.0, -5.0)))
    settle(warm_app, widget)
    expected = np.linalg.norm(through(other, fixed, inverse=True) - panel.pairs.moving, axis=1)
    assert not widget.ui.pairsTable.isColumnHidden(3) and texts(widget, 3) == [f"{d:.2f}" for d in expected]
    assert "second" in widget.ui.summaryLabel.text
    panel.node.otherTransform = None
    settle(warm_app, widget)
    assert widget.ui.pairsTable.isColumnHidden(3)


# ------------------------------------------------------------------------------------------------------------ deformation


def test_a_translation_has_jacobian_one_and_a_planted_fold_is_counted(widget, scene):
    shift = widget.logic.jacobian(add_linear("shift", matrix4(np.eye(3), (3.0, -2.0, 5.0))), scene["fixed"])
    assert shift["folded"] == 0 and abs(shift["min_jacobian"] - 1) < 1e-4 and abs(shift["max_jacobian"] - 1) < 1e-4 and not shift["own_grid"]
    assert shift["displacement_mm"]["max"] == pytest.approx(np.sqrt(38.0), abs=1e-3)
    size = (12, 11, 10)
    vectors = np.zeros((10, 11, 12, 3))
    along = IJK[:3, 0]
    vectors[4, 5, 7] = -1.5 * along  # one voxel thrown back by one and a half: its neighbour at x - 1 sees -0.75, others not
    vectors[7, 3, 4] = -2.5 * along
    figures = widget.logic.jacobian(grid_node("fold", vectors.reshape(-1, 3), size, IJK))
    # det = 1 + (u(i+1) - u(i-1)) / 2 along i: at i = 6: 1 - 0.75 > 0; at i = 3: 1 - 1.25 < 0. Nothing else folds.
    assert figures["folded"] == 1 and figures["voxels"] == 1320 and figures["own_grid"]
    assert figures["min_jacobian"] == pytest.approx(-0.25, abs=1e-4) and figures["max_jacobian"] == pytest.approx(2.25, abs=1e-4)


def test_maps_and_folds_in_the_views(warm_app, hands, widget, scene):
    import slicer

    vectors = scene["vectors"].reshape(*SIZE[::-1], 3).copy()
    vectors[10, 10, 10] -= 2.5 * IJK[:3, 0]
    folded = grid_node("folded", vectors.reshape(-1, 3), SIZE, IJK)
    panel, ui = widget.panel, widget.ui
    panel.inspect(folded, fixedVolume=scene["fixed"], movingVolume=scene["moving"])
    ui.deformationCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.choose(ui.mapComboBox, "Jacobian")
    settle(warm_app, widget)
    assert "Folded 1 of 52,800 voxels" in ui.mapInfoLabel.text and "own grid" in ui.mapInfoLabel.text
    mask = slicer.util.arrayFromVolume(panel.node.folds)
    assert np.argwhere(mask).tolist() == [[10, 10, 9]]
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert composite.GetForegroundVolumeID() == panel.node.mapVolume.GetID() and composite.GetLabelVolumeID() == panel.node.folds.GetID()
    panel.node.otherTransform = scene["transform"]
    settle(warm_app, widget)
    assert panel.node.map == "none"
    hands.choose(ui.mapComboBox, "Jacobian")
    settle(warm_app, widget)
    assert "Second transform: folded 0 of 52,800" in ui.mapInfoLabel.text
    hands.choose(ui.mapComboBox, "displacement")
    settle(warm_app, widget)
    assert "Displacement mean" in ui.mapInfoLabel.text
    assert slicer.util.arrayFromVolume(panel.node.mapVolume).ravel() == pytest.approx(np.linalg.norm(vectors.reshape(-1, 3), axis=1), abs=1e-3)
    hands.choose(ui.mapComboBox, "not shown")
    assert composite.GetForegroundVolumeID() is None and ui.mapInfoLabel.text == ""


@pytest.mark.parametrize("parents", ["none", "both"])
def test_the_warped_volume_is_simpleitks(warm_app, hands, widget, scene, parents):
    import slicer

    panel, ui = widget.panel, widget.ui
    if parents == "both":
        scene["fixed"].SetAndObserveTransformNodeID(add_linear("a", matrix4(np.eye(3), (2.0, 3.0, -1.0))).GetID())
        turn = np.array([[0.996, -0.087, 0.0], [0.087, 0.996, 0.0], [0.0, 0.0, 1.0]])
        turn = np.linalg.qr(turn)[0] @ np.diag(np.sign(np.diag(np.linalg.qr(turn)[0])))
        scene["moving"].SetAndObserveTransformNodeID(add_linear("b", matrix4(turn, (4.0, -3.0, 3.0))).GetID())
    ui.deformationCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.choose(ui.overlayComboBox, "fade")
    settle(warm_app, widget)
    itk = itk_transform(scene["vectors"], SIZE, IJK)
    expected = sitk.Resample(sitk.Cast(world_image(scene["moving"]), sitk.sitkFloat32), world_image(scene["fixed"]), itk, sitk.sitkLinear, -9999.0)
    there, ours = sitk.GetArrayFromImage(expected), slicer.util.arrayFromVolume(panel.node.warped).astype(float)
    inside = there > -9000
    inside[:2] = inside[-2:] = inside[:, :2] = inside[:, -2:] = inside[:, :, :2] = inside[:, :, -2:] = False
    assert inside.mean() > 0.1 and np.percentile(np.abs(there - ours)[inside], 99) < 2.0
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert composite.GetForegroundVolumeID() == panel.node.warped.GetID()
    ui.overlaySlider.value = 30
    assert composite.GetForegroundOpacity() == pytest.approx(0.3)
    hands.choose(ui.overlayComboBox, "checkerboard")
    fixed = slicer.util.arrayFromVolume(scene["fixed"])
    mixed = slicer.util.arrayFromVolume(panel.node.combined)
    assert composite.GetBackgroundVolumeID() == panel.node.combined.GetID()
    assert np.all((mixed == fixed) | (mixed == ours)) and 0.3 < np.mean(mixed == fixed) < 0.8
    hands.choose(ui.overlayComboBox, "difference")
    assert np.allclose(slicer.util.arrayFromVolume(panel.node.combined), ours - fixed, atol=1e-3)
    hands.choose(ui.overlayComboBox, "flicker")
    opacities = set()
    for _ in range(3):
        panel._onFlicker()
        opacities.add(composite.GetForegroundOpacity())
    assert opacities == {0.0, 1.0} and panel._flicker.isActive()
    hands.choose(ui.overlayComboBox, "not shown")
    assert not panel._flicker.isActive() and composite.GetBackgroundVolumeID() == scene["fixed"].GetID() and composite.GetForegroundVolumeID() is None


def test_grid_arrows_and_contours(warm_app, hands, widget, scene):
    ui = widget.ui
    ui.deformationCollapsibleButton.collapsed = False
    warm_app.process_events()
    for choice, words in (("grid", "Lines every"), ("arrows", "Arrows every"), ("contours", "of displacement")):
        hands.choose(ui.displayComboBox, choice)
        display = scene["transform"].GetDisplayNode()
        assert display.GetVisibility() and display.GetVisibility2D() and not display.GetVisibility3D()
        assert words in ui.displayInfoLabel.text and "mm" in ui.displayInfoLabel.text
    hands.click(ui.display3DCheckBox)
    assert display.GetVisibility3D()
    hands.choose(ui.displayComboBox, "grid")
    ui.spacingSlider.value = 7.5
    assert display.GetGridSpacingMm() == pytest.approx(7.5)
    hands.choose(ui.displayComboBox, "not shown")
    assert not display.GetVisibility()


def test_the_probe_tells_what_is_under_the_mouse(warm_app, hands, widget, scene):
    import slicer

    panel, ui = widget.panel, widget.ui
    labels = add_volume("organs", np.ones(SIZE[::-1], dtype=np.uint8), IJK, "vtkMRMLLabelMapVolumeNode")
    panel.node.fixedLabels = labels
    ui.deformationCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.click(ui.probeCheckBox)
    point = inner(1)[0]
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCursorPositionRAS(point.tolist())
    length = np.linalg.norm(through(scene["transform"], point[None], inverse=True)[0] - point)
    assert f"Displacement {length:.2f} mm" in ui.probeLabel.text and "Jacobian" in ui.probeLabel.text and "Fixed: " in ui.probeLabel.text
    hands.click(ui.probeCheckBox)
    assert ui.probeLabel.text == ""


# ---------------------------------------------------------------------------------------------------- overlap, consistency


def balls(size, matrix, centres, radius) -> np.ndarray:
    points = points_of(size, matrix)
    array = np.zeros(len(points), dtype=np.uint8)
    for value, centre in enumerate(centres, start=1):
        array[np.linalg.norm(points - centre, axis=1) < radius] = value
    return array.reshape(size[::-1])


def test_overlap_before_and_after_and_inverse_consistency(warm_app, hands, widget, scene):
    shift = np.array([6.0, -4.0, 3.0])
    centres = inner(2, 4) * 0.2 + inner(2, 4).mean(axis=0) * 0.8 + np.array([[10.0, 0, 0], [-10.0, 0, 0]])
    fixed = add_volume("fixed organs", balls(SIZE, IJK, centres, 9.0), IJK, "vtkMRMLLabelMapVolumeNode")
    moving = add_volume("moving organs", balls(SIZE, IJK, centres + shift, 9.0), IJK, "vtkMRMLLabelMapVolumeNode")
    transform, inverse = (add_linear(name, matrix4(np.eye(3), sign * shift)) for name, sign in (("to fixed", -1), ("back", 1)))
    panel, ui = widget.panel, widget.ui
    panel.inspect(transform, fixedLabels=fixed, movingLabels=moving, inverseTransform=inverse, otherTransform=inverse)
    ui.overlapCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.click(ui.compareButton)
    settle(warm_app, widget)
    table = ui.overlapTable
    assert (table.rowCount, table.columnCount) == (3, 10) and table.item(0, 0).text() == "mean"
    arrays = [np.array([[sitk_dice(fixed, moving, matrix, value)] for value in (1, 2)]).ravel() for matrix in (np.zeros(3), shift)]
    for row in (1, 2):
        assert float(table.item(row, 1).text()) == pytest.approx(arrays[0][row - 1], abs=1e-3)
        assert float(table.item(row, 2).text()) == pytest.approx(arrays[1][row - 1], abs=1e-3) and arrays[1][row - 1] > 0.9
        assert float(table.item(row, 3).text()) < float(table.item(row, 1).text())  # the wrong way round
    assert "maximum 0.000 mm" in ui.consistencyLabel.text
    report = widget.logic.overlap(transform, fixed, moving)
    assert report["mean_after"]["dice"] == pytest.approx(arrays[1].mean(), abs=1e-3)
    # Measured again, and left: nothing of it comes.
    hands.click(ui.compareButton)
    panel.node.otherTransform = None
    settle(warm_app, widget)
    warm_app.process_events(0.3)
    assert not table.isVisible() and not panel._reports and ui.compareButton.enabled
    figures = widget.logic.inverseConsistency(transform, inverse, scene["fixed"])
    assert figures["max"] < 1e-6
    wrong = widget.logic.inverseConsistency(transform, transform, scene["fixed"])
    assert wrong["mean"] == pytest.approx(2 * np.linalg.norm(shift), abs=1e-3)


def sitk_dice(fixed, moving, shift: np.ndarray, value: int) -> float:
    """Dice of a label after a translation, by SimpleITK."""
    one, two = world_image(fixed), world_image(moving)
    move = sitk.TranslationTransform(3, (shift * (-1, -1, 1)).tolist())
    drawn = sitk.Resample(two, one, move, sitk.sitkNearestNeighbor, 0)
    a, b = (sitk.GetArrayFromImage(image) == value for image in (one, drawn))
    return 2.0 * np.count_nonzero(a & b) / (a.sum() + b.sum())


def test_what_changes_is_not_shown_any_more(warm_app, hands, widget, scene):
    """A map of a transform that has changed is gone; so is a transform that was removed."""
    import slicer

    panel, ui = widget.panel, widget.ui
    ui.deformationCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.choose(ui.mapComboBox, "displacement")
    settle(warm_app, widget)
    scene["transform"].SetAndObserveTransformNodeID(add_linear("above", ABOVE).GetID())
    settle(warm_app, widget)
    assert panel.node.map == "none" and ui.mapInfoLabel.text == "" and ui.mapComboBox.currentText == "not shown"
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", inner(3)), markups("m", inner(3) + 1.0)
    settle(warm_app, widget)
    slicer.mrmlScene.RemoveNode(panel.node.movingPoints)
    settle(warm_app, widget)
    # The selector takes another list, perhaps the fixed one: that makes no pairs.
    panel.node.movingPoints = panel.node.fixedPoints
    settle(warm_app, widget)
    assert len(panel.pairs) == 0 and widget.ui.pairsTable.rowCount == 0 and "same list" in ui.summaryLabel.text
    slicer.mrmlScene.RemoveNode(scene["transform"])
    settle(warm_app, widget)
    assert panel.node.transform is not scene["transform"]
    panel.node.transform = None
    settle(warm_app, widget)
    assert not ui.mapComboBox.enabled


def test_a_saved_scene_goes_on_as_it_was(warm_app, widget, scene, tmp_path):
    import slicer

    panel = widget.panel
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", inner(4)), markups("m", inner(4) + displacement(inner(4)))
    panel.node.fixedPoints.SetNthControlPointSelected(1, False)
    panel.node.movingPoints.SetNthControlPointDescription(2, "proposed, confidence 0.40")
    scene["transform"].SetAttribute("DeepReg.Method", "dense")
    settle(warm_app, widget)
    before = panel.pairs
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    warm_app.process_events()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    settle(warm_app, widget)
    after = panel.pairs
    assert panel.node.transform.GetName() == "result" and np.allclose(after.after, before.after, atol=1e-4)
    assert after.used.tolist() == [True, False, True, True] and after.notes[2].startswith("proposed")


def test_measuring_says_why_it_cannot(widget):
    assert not widget.ui.compareButton.enabled and "segmentations" in widget.ui.compareButton.toolTip


# ----------------------------------------------------------------------------------------------------------------- scripts


def test_the_logic_works_without_a_panel(warm_app, scene):
    import slicer

    warm_app.load_module("DeepRegInspector")
    from DeepRegInspector import DeepRegInspectorLogic

    logic = DeepRegInspectorLogic()
    point = inner(1)[0]
    found = logic.proposeMatch(scene["transform"], scene["fixed"], scene["moving"], point)
    assert np.allclose(found["predicted"], through(scene["transform"], point[None], inverse=True)[0], atol=1e-3)
    assert np.linalg.norm(np.array(found["position"]) - point - displacement(point[None])[0]) < 1.0 and 0 <= found["confidence"] <= 1
    # A transform that is 4 mm wrong is put right by the image.
    wrong = add_linear("wrong", matrix4(np.eye(3), -(displacement(point[None])[0] + (3.0, -2.0, 2.0))))
    found = logic.proposeMatch(wrong, scene["fixed"], scene["moving"], point)
    assert np.linalg.norm(np.array(found["position"]) - point - displacement(point[None])[0]) < 1.0
    a, b = markups("a", inner(5)), markups("b", inner(5) + displacement(inner(5)))
    table = logic.compare({"good": scene["transform"], "wrong": wrong}, scene["fixed"], a, b)
    assert table["good"]["landmarks"]["after"]["mean"] < 0.2 < table["wrong"]["landmarks"]["after"]["mean"]
    assert table["wrong"]["jacobian"]["folded"] == 0
    slicer.util.updateMarkupsControlPointsFromArray(b, inner(4))
    with pytest.raises(RuntimeError, match="each needs its partner"):
        logic.landmarkErrors(None, a, b)


def test_the_inspect_button_of_a_method_opens_its_result(warm_app, hands, scene):
    import slicer

    warm_app.load_module("DeepRegInspector")
    dense = opened(warm_app, "DeepRegDense")
    node = dense.panel.node
    node.fixedVolume, node.movingVolume, node.resultTransform = scene["fixed"], scene["moving"], scene["transform"]
    node.testFixed, node.testMoving = markups("a", inner(4)), markups("b", inner(4))
    dense.panel._showResult()
    assert dense.ui.inspectButton.enabled
    dense.ui.resultCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.click(dense.ui.inspectButton)
    inspector = slicer.modules.deepreginspector.widgetRepresentation().self()
    settle(warm_app, inspector)
    assert inspector.panel.node.transform is scene["transform"] and len(inspector.panel.pairs) == 4
    assert inspector.panel.node.movingVolume is scene["moving"]


def test_the_scene_can_be_closed_and_the_modules_own_test_runs(warm_app, widget):
    import slicer

    slicer.mrmlScene.Clear(0)
    warm_app.process_events()
    assert widget.panel.node.transform is None
    from DeepRegInspector import DeepRegInspectorTest

    DeepRegInspectorTest().runTest()


def test_the_scripts_of_the_page_run(warm_app, scene, capsys):
    import re

    from bench import ROOT

    warm_app.load_module("DeepRegInspector")
    markups("fixed points", inner(6))
    markups("moving points", inner(6) + displacement(inner(6)))
    add_linear("other", matrix4(np.eye(3), (-5.0, -5.0, -5.0)))
    names: dict = {}
    scripts = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "inspector.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        exec(script, names)
    said = capsys.readouterr().out
    assert "0 of 52800 voxels are folded" in said and "second" in said and set(names["match"]) == {"position", "predicted", "confidence"}
