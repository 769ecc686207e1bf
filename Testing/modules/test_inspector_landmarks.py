"""The Inspector's landmark pairs under a user's hands."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from inspector_bench import displacement, inner, markups, scene_fixture, settle, texts, widget_fixture  # noqa: F401 - fixtures
from world import TURN, add_linear, matrix4, through

ABOVE = matrix4(TURN, (20.0, -30.0, 40.0))


def test_pick_propose_drag_tick_and_sort(app, hands, widget, scene):
    """Ten pairs with the mouse; one dragged, one excluded."""
    import slicer

    manager, ui, panel = slicer.app.layoutManager(), widget.ui, widget.panel
    slicer.util.setSliceViewerLayers(background=scene["fixed"], fit=True)
    view = manager.sliceWidget("Red").sliceView()
    manager.viewport().resize(900, 800)
    manager.viewport().show()
    app.process_events()
    panel.node.window = 6.0
    slicer.mrmlScene.SetUndoOn()
    hands.click(ui.pickButton)
    for n in range(10):
        at = (view.width // 2 - 60 + 30 * (n % 5), view.height // 2 - 20 + 36 * (n // 5))
        hands.move(view, at)
        hands.click(view, at=at)
        settle(app, widget)
    assert len(panel.sections["landmarks"].pairs) == 10
    assert ui.pickButton.checked
    hands.click(ui.pickButton)
    assert not ui.pickButton.checked
    pairs = panel.sections["landmarks"].pairs
    truth = pairs.fixed + displacement(pairs.fixed)
    errors = np.linalg.norm(pairs.moving - truth, axis=1)
    confidences = [float(note.rsplit(" ", 1)[1]) for note in pairs.notes]
    assert all(note.startswith("proposed") for note in pairs.notes)
    assert np.median(errors) < 0.6, errors
    assert max(confidences) > 0.1, confidences
    # A proposal counts when it is accepted, with one click for each.
    assert not pairs.counted.any()
    assert "10 proposed partners are not counted yet" in ui.summaryLabel.text
    for n in range(10):
        hands.click(ui.acceptButton)
        assert panel.sections["landmarks"].pairs.counted.sum() == n + 1
    assert not ui.acceptButton.enabled
    # Drag: the error is another one.
    moving = panel.node.movingPoints
    moving.SetNthControlPointPosition(3, *(pairs.moving[3] + (0.0, 9.0, 0.0)))
    settle(app, widget)
    moved = panel.sections["landmarks"].pairs
    assert moved.distances[3] > 6.0
    assert moved.notes[3] == ""
    assert moved.outliers[3]
    assert "outlier" in texts(widget, 4)[3]
    assert "Outliers" in ui.summaryLabel.text
    # Exclude it with its tick; the summary goes without it.
    import qt

    ui.pairsTable.item(3, 0).setCheckState(qt.Qt.Unchecked)
    settle(app, widget)
    assert not panel.sections["landmarks"].pairs.used[3]
    assert "9 of 10 pairs are included" in ui.summaryLabel.text
    assert not panel.node.fixedPoints.GetNthControlPointSelected(3)
    assert panel.sections["landmarks"].pairs.summary()["after"]["max"] < 6.0
    # Sort by the error after: the worst first, then last.
    ui.pairsTable.horizontalHeader().sectionClicked.emit(2)
    assert texts(widget, 0)[0] == panel.sections["landmarks"].pairs.names[3]
    ui.pairsTable.horizontalHeader().sectionClicked.emit(2)
    assert texts(widget, 0)[-1] == panel.sections["landmarks"].pairs.names[3]
    # Remove one, undo.
    panel.sections["landmarks"].table.select(5)
    hands.click(ui.removeButton)
    assert len(panel.sections["landmarks"].pairs) == 9
    slicer.mrmlScene.Undo()
    settle(app, widget)
    assert len(panel.sections["landmarks"].pairs) == 10
    assert panel.sections["landmarks"].pairs.unpaired == 0
    # While picking: one press takes back the fixed point and its partner; the next pick takes their place.
    hands.click(ui.pickButton)
    for back in (True, False):
        hands.move(view, (view.width // 2 - 30, view.height // 2 + 70))
        hands.click(view, at=(view.width // 2 - 30, view.height // 2 + 70))
        settle(app, widget)
        picked = panel.sections["landmarks"].pairs
        assert len(picked) == 11
        assert picked.unpaired == 0
        assert picked.notes[10].startswith("proposed")
        if back:
            hands.click(ui.undoButton)
            settle(app, widget)
            assert len(panel.sections["landmarks"].pairs) == 10
            assert ui.pickButton.checked
    hands.click(ui.undoButton)
    hands.click(ui.pickButton)
    assert len(panel.sections["landmarks"].pairs) == 10
    assert panel.sections["landmarks"].pairs.unpaired == 0
    # The application's own undo takes a pair that was picked as one, too.
    hands.click(ui.pickButton)
    hands.move(view, (view.width // 2, view.height // 2 + 80))
    hands.click(view, at=(view.width // 2, view.height // 2 + 80))
    settle(app, widget)
    hands.click(ui.pickButton)
    assert len(panel.sections["landmarks"].pairs) == 11
    slicer.mrmlScene.Undo()
    settle(app, widget)
    assert len(panel.sections["landmarks"].pairs) == 10
    assert panel.sections["landmarks"].pairs.unpaired == 0


def through_slice(node, point) -> np.ndarray:
    """A point (RAS mm) in a slice view: right and up from its centre, and before its plane, mm."""
    from deepreg_slicer.volumes import fromVtkMatrix

    return (np.linalg.inv(fromVtkMatrix(node.GetSliceToRAS())) @ np.append(point, 1.0))[:3]


def test_side_by_side_a_click_brings_fixed_and_moving_to_the_pair(app, hands, widget, scene):
    import slicer
    from DeepRegInspectorLib import views

    fixed = inner(5)
    panel = widget.panel
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), markups("m", fixed + displacement(fixed) + 3.0)
    settle(app, widget)
    hands.click(widget.ui.sideBySideButton)
    settle(app, widget)
    assert views.isSideBySide()
    assert len(views.movingNodes()) == 2
    panel.sections["landmarks"].table.select(2)
    app.process_events()

    def middle(node):
        return np.array([node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)])

    assert np.allclose(middle(views.fixedNodes()[0]), panel.sections["landmarks"].pairs.fixed[2], atol=1e-3)
    assert np.allclose(middle(views.movingNodes()[0]), panel.sections["landmarks"].pairs.moving[2], atol=1e-3)
    # The moving views follow the fixed ones through the transform.
    views.fixedNodes()[0].JumpSliceByCentering(*fixed[4])
    app.process_events()
    assert np.allclose(middle(views.movingNodes()[0]), through(scene["transform"], fixed[4:5], inverse=True)[0], atol=1e-2)
    # The fixed views follow the moving ones, and the zoom is the same: with the wheel, the mouse over a moving view.
    moving = slicer.app.layoutManager().sliceWidget(views.MOVING[0]).sliceView()
    slicer.app.layoutManager().viewport().resize(900, 800)
    slicer.app.layoutManager().viewport().show()
    app.process_events()
    there = middle(views.movingNodes()[0])
    hands.wheel(moving, 3)
    app.process_events()
    here, gone = middle(views.fixedNodes()[0]), middle(views.movingNodes()[0])
    assert np.linalg.norm(gone - there) > 2.0
    assert np.allclose(through(scene["transform"], gone[None])[0], here, atol=1e-2)

    def scales():
        return [node.GetFieldOfView()[0] / node.GetDimensions()[0] for node in (views.fixedNodes()[0], views.movingNodes()[0])]

    before = scales()
    hands.wheel(moving, 2, keys="control")
    app.process_events()
    zoomed = scales()
    assert zoomed[0] == pytest.approx(zoomed[1], rel=1e-3)
    assert abs(zoomed[0] / before[0] - 1) > 0.1
    # Views that get another size are not zoomed: both ways, the scale is what it was.
    for size in ((700, 500), (1000, 900), (900, 800)):
        slicer.app.layoutManager().viewport().resize(*size)
        app.process_events(0.05)
    assert scales() == pytest.approx(zoomed, rel=0.02)
    assert list(panel.node.movingPoints.GetDisplayNode().GetViewNodeIDs()) == [node.GetID() for node in views.movingNodes()]
    composite = slicer.app.layoutManager().sliceWidget(views.MOVING[0]).sliceLogic().GetSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == scene["moving"].GetID()
    # Fixed points are not picked in the moving views.
    manager = slicer.app.layoutManager()
    manager.viewport().resize(900, 800)
    manager.viewport().show()
    app.process_events()
    hands.click(widget.ui.pickButton)
    for name, count in ((views.MOVING[0], 5), ("Red", 6)):
        view = manager.sliceWidget(name).sliceView()
        at = (view.width // 2 + 20, view.height // 2 + 10)
        hands.move(view, at)
        hands.click(view, at=at)
        settle(app, widget)
        assert len(panel.sections["landmarks"].pairs) == count, name
    landmarks = panel.sections["landmarks"]
    assert landmarks.table.current == 5
    shown = through_slice(views.movingNodes()[0], landmarks.pairs.moving[5])
    assert abs(shown[2]) < 1e-3
    assert np.all(np.abs(shown[:2]) <= 0.5 * np.array(views.movingNodes()[0].GetFieldOfView()[:2]))
    hands.click(widget.ui.pickButton)
    hands.click(widget.ui.removeButton)
    # Vectors: as many arrows as pairs, coloured by mm.
    hands.click(widget.ui.vectorsButton)
    display = panel.node.vectors.GetDisplayNode()
    assert display.GetScalarVisibility()
    assert display.GetActiveScalarName() == "error (mm)"
    assert display.GetVisibility()
    lengths = slicer.util.arrayFromModelPointData(panel.node.vectors, "error (mm)")
    assert lengths.max() == pytest.approx(panel.sections["landmarks"].pairs.distances.max(), abs=1e-3)
    hands.click(widget.ui.histogramButton)
    settle(app, widget)
    chart = panel.node.chart
    kinds = {chart.GetNthPlotSeriesNode(n).GetPlotType() for n in range(2)}
    assert kinds == {slicer.vtkMRMLPlotSeriesNode.PlotTypeScatterBar}
    assert "(mm)" in chart.GetXAxisTitle()
    assert chart.GetYAxisTitle()
    counts = [slicer.util.arrayFromTableColumn(panel.node.table, name).sum() for name in ("before", "after")]
    assert counts == [5, 5]
    assert panel.node.chart.GetNumberOfPlotSeriesNodes() == 2
    hands.click(widget.ui.vectorsButton)
    assert not display.GetVisibility()
    hands.click(widget.ui.sideBySideButton)
    assert not views.isSideBySide()
    assert not panel.node.movingPoints.GetDisplayNode().GetViewNodeIDs()


@pytest.mark.parametrize("ending", [".csv", ".fcsv", ".mrk.json"])
def test_files_there_and_back(app, widget, tmp_path, ending):
    """World coordinates: a list under a transform is exported as it is seen, and imported so. The application reads and writes the same."""
    import slicer

    fixed = inner(4)
    panel, ui = widget.panel, widget.ui
    landmarks, files = panel.sections["landmarks"], panel.sections["landmarkFiles"]
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), markups("m", fixed + 2.0)
    panel.node.movingPoints.SetAndObserveTransformNodeID(add_linear("above", ABOVE).GetID())
    settle(app, widget)
    before = landmarks.pairs
    for side in ("fixed", "moving"):
        files.exportPoints(side, str(tmp_path / f"{side}{ending}"))
    assert ui.statusLabel.text == f"4 points of m were written to {tmp_path / f'moving{ending}'}."
    if ending != ".csv":
        theirs = slicer.util.loadMarkups(str(tmp_path / f"moving{ending}"))
        assert np.allclose(slicer.util.arrayFromMarkupsControlPoints(theirs), before.moving, atol=1e-3)
        slicer.util.saveNode(theirs, str(tmp_path / f"moving{ending}"))
    for side in ("fixed", "moving"):
        files.importPoints(side, str(tmp_path / f"{side}{ending}"))
    settle(app, widget)
    assert np.allclose(landmarks.pairs.fixed, before.fixed, atol=1e-3)
    assert np.allclose(landmarks.pairs.moving, before.moving, atol=1e-3)
    assert landmarks.pairs.names == before.names
    files.exportTable(str(tmp_path / "table.csv"))
    with open(tmp_path / "table.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["after (mm)"]) for row in rows] == pytest.approx(landmarks.pairs.distances.tolist(), abs=1e-3)
    assert [float(row["before S (mm)"]) for row in rows] == pytest.approx(landmarks.pairs.before[:, 2].tolist(), abs=1e-3)
    with pytest.raises(RuntimeError, match="do not exist"):
        files.importPoints("fixed", str(tmp_path / "none.csv"))
    with pytest.raises(RuntimeError, match="folder"):
        files.exportTable(str(tmp_path / "nowhere" / "table.csv"))


def test_removed_and_imported_pairs_are_taken_back(app, hands, widget, tmp_path):
    """In the order they had; a partner that was only proposed is still one, also when it was moved."""
    fixed = inner(4)
    panel = widget.panel
    landmarks = panel.sections["landmarks"]
    proposed = markups("m", fixed + displacement(fixed))
    proposed.SetNthControlPointDescription(2, "proposed, confidence 0.40")
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), proposed
    settle(app, widget)
    assert not widget.ui.undoButton.enabled
    before = landmarks.pairs
    landmarks.table.select(1)
    hands.click(widget.ui.removeButton)
    assert landmarks.pairs.names == ["1", "3", "4"]
    (tmp_path / "other.csv").write_text("x,y,z\n1,2,3\n")
    panel.sections["landmarkFiles"].importPoints("fixed", str(tmp_path / "other.csv"))
    settle(app, widget)
    assert len(landmarks.pairs) == 1
    for _ in range(2):
        hands.click(widget.ui.undoButton)
    after = landmarks.pairs
    assert (after.names, after.notes) == (before.names, before.notes)
    assert np.array_equal(after.fixed, before.fixed)
    assert np.array_equal(after.moving, before.moving)
    panel.node.movingPoints.SetNthControlPointPosition(2, *(before.moving[2] + 1.0))
    settle(app, widget)
    assert landmarks.pairs.notes[2] == "proposed, corrected"
    assert not landmarks.pairs.counted[2]


def test_points_without_a_partner_get_one(app, widget):
    panel = widget.panel
    panel.node.fixedPoints = markups("f", inner(3))
    settle(app, widget)
    assert "3 points have no partner" in widget.ui.summaryLabel.text
    panel.sections["landmarkFiles"].actions["propose"].trigger()
    settle(app, widget)
    pairs = panel.sections["landmarks"].pairs
    assert len(pairs) == 3
    assert all(note.startswith("proposed") for note in pairs.notes)
    assert panel.sections["landmarks"].table.current == 0
    for _ in pairs.names:
        widget.panel.keys()["Ctrl+Return"]()
    assert panel.sections["landmarks"].pairs.counted.all()


def test_a_thousand_landmarks(app, widget):
    """Each row is its pair, however it is sorted, and a change shows. How long that takes: Testing/benchmarks/inspector.py."""
    from DeepRegInspectorLib import views

    fixed = inner(1000)
    panel = widget.panel
    noise = np.random.default_rng(0).normal(size=(1000, 3))
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), markups("m", fixed + displacement(fixed) + noise)
    settle(app, widget)
    table = panel.sections["landmarks"].table
    widget.ui.pairsTable.horizontalHeader().sectionClicked.emit(2)
    for number in (10, 900):
        table.select(number)
        app.process_events()
        middle = [views.fixedNodes()[0].GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]
        assert table.current == number
        assert np.allclose(middle, fixed[number], atol=1e-3)
    worst = int(np.argmax(np.linalg.norm(noise, axis=1)))
    assert texts(widget, 0)[0] == str(worst + 1)
    panel.node.movingPoints.SetNthControlPointPosition(7, 1.0, 2.0, 3.0)
    settle(app, widget)
    assert texts(widget, 0)[0] == "8"
    assert len(texts(widget, 0)) == 1000


def test_errors_of_each_axis_are_sorted_and_coloured(app, hands, widget):
    fixed = inner(5)
    errors = np.array([[0.1, -0.2, 0.3], [-4.0, 0.2, 0.1], [2.0, 1.0, -1.5], [0.0, -3.0, 0.5], [0.5, 0.5, 0.5]])
    panel = widget.panel
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), markups("m", fixed + displacement(fixed) - errors)
    settle(app, widget)
    after, before = (panel.sections["landmarks"].pairs.after, panel.sections["landmarks"].pairs.before)
    table = widget.ui.pairsTable
    for column, values in zip(range(5, 11), [*after.T, *before.T], strict=True):
        table.horizontalHeader().sectionClicked.emit(column)
        order = np.argsort(-np.abs(values), kind="stable")
        assert texts(widget, column) == [f"{values[n]:.3f}" for n in order]
        # The larger, the more yellow: blue goes.
        blue = [table.item(row, column).background().color().blue() for row in range(5)]
        assert blue == sorted(blue)
        assert column > 7 or blue[0] < blue[-1]
    table.horizontalHeader().sectionClicked.emit(5)
    assert texts(widget, 0)[0] == "2"


def test_outliers_are_unticked_and_brought_back(app, hands, widget):
    """Median + 3 x 1.4826 x median absolute deviation, by hand."""
    fixed = inner(9)
    lengths = np.array([1.0, 1.2, 0.8, 1.1, 0.9, 1.3, 0.7, 6.0, 9.0])
    panel = widget.panel
    panel.node.fixedPoints = markups("f", fixed)
    panel.node.movingPoints = markups("m", fixed + displacement(fixed) + lengths[:, None] * np.array([0.6, 0.0, 0.8]))
    settle(app, widget)
    landmarks, actions = panel.sections["landmarks"], panel.sections["landmarkFiles"].actions
    assert landmarks.pairs.outlier_limit == pytest.approx(1.1 + 3 * 1.4826 * 0.2, abs=0.02)
    assert landmarks.pairs.outliers.tolist() == [False] * 7 + [True, True]
    assert "outlier" in texts(widget, 4)[7]
    actions["exclude"].trigger()
    settle(app, widget)
    assert landmarks.pairs.used.tolist() == [True] * 7 + [False, False]
    assert "7 of 9 pairs are included" in widget.ui.summaryLabel.text
    assert not actions["exclude"].enabled
    hands.click(widget.ui.undoButton)
    assert landmarks.pairs.used.all()
    assert not widget.ui.undoButton.enabled
    assert widget.ui.redoButton.enabled
