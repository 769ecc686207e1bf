"""Inputs that lie below a result: they are read without it, or refused, and never through an output of the same run."""

from __future__ import annotations

import numpy as np
import pytest
import vtk
from panels import QUICK, applied, landmark_error, load_points, opened
from vtk.util.numpy_support import vtk_to_numpy
from world import TURN, add_linear, add_volume, matrix4, through, to_vtk


@pytest.fixture
def widget(dense_widget):
    return dense_widget


def vectors(transform) -> np.ndarray:
    """The vectors of a result."""
    grid = transform.GetTransformFromParentAs("vtkOrientedGridTransform", False).GetDisplacementGrid()
    return vtk_to_numpy(grid.GetPointData().GetScalars()).copy()


def moveThrough(node, transform, on: bool) -> None:  # noqa: N802 - as it is called
    """Show a node through a result, as the panel's tick does."""
    from deepreg_slicer import result_view

    result_view.moveThrough(node, transform, on)


def figures_of(transform) -> dict:
    """Measurements in a result's report."""
    from deepreg_slicer.provenance import readReport

    report = readReport(transform)
    return {name: report[name] for name in ("landmarks", "overlap", "displacement")}


@pytest.mark.parametrize("output", ["the former result", "a new one"])
@pytest.mark.parametrize("parent", [False, True])
def test_a_second_run_reads_the_moving_volume_without_the_former_result(warm_app, hands, widget, pair, phantom_folder, output, parent):
    from deepreg_slicer.provenance import readReport

    landmarks = [load_points(phantom_folder / f"{side}_landmarks.csv", side) for side in ("fixed", "moving")]
    node, ui = widget.panel.node, widget.ui
    node.testFixed, node.testMoving = landmarks
    shared = add_linear("shared", matrix4(TURN, (20.0, -30.0, 40.0)))
    for each in (*pair, *landmarks) if parent else ():
        each.SetAndObserveTransformNodeID(shared.GetID())
    applied(warm_app, hands, widget)
    first = node.resultTransform
    before, error = vectors(first), landmark_error(first, *landmarks)
    hands.click(ui.moveCheckBox)
    node.transformOutput = first if output == "the former result" else None
    line = applied(warm_app, hands, widget)
    assert (node.resultTransform is first) == (output == "the former result")
    assert np.array_equal(vectors(node.resultTransform), before)
    assert landmark_error(node.resultTransform, *landmarks) == pytest.approx(error, abs=1e-6)
    # The volume is shown through the new result, and a note informs the user.
    assert ui.moveCheckBox.checked
    note = "was read without"
    assert note in ui.logTextEdit.toPlainText()
    assert any(note in text for text in readReport(node.resultTransform)["notes"])
    assert "notes in the log: 1" in line
    hands.click(ui.moveCheckBox)
    assert pair[1].GetParentTransformNode() is (shared if parent else None)


def test_all_moving_inputs_are_read_without_it(warm_app, hands, widget, pair, phantom_folder):
    """Mask, segmentation and landmarks that are below the result, too; the volume's own parents count as they are now."""
    import slicer

    node = widget.panel.node
    landmarks = [load_points(phantom_folder / f"{side}_landmarks.csv", side) for side in ("fixed", "moving")]
    labels = [slicer.util.loadLabelVolume(str(phantom_folder / f"{side}_labels.nii.gz")) for side in ("fixed", "moving")]
    node.guideFixed, node.guideMoving = node.testFixed, node.testMoving = landmarks
    node.fixedLabels, node.movingLabels = labels
    node.movingMask = slicer.util.loadLabelVolume(str(phantom_folder / "moving_labels.nii.gz"))
    node.labelsWanted = True
    moved = (pair[1], landmarks[1], labels[1], node.movingMask)
    shared = add_linear("shared", matrix4(TURN, (20.0, -30.0, 40.0)))
    for each in (*moved, pair[0], landmarks[0], labels[0]):
        each.SetAndObserveTransformNodeID(shared.GetID())
    applied(warm_app, hands, widget)
    first = node.resultTransform
    before, figures = vectors(first), figures_of(first)
    warped = slicer.util.arrayFromVolume(slicer.util.getFirstNodeByName("moving_labels warped")).copy()
    for each in moved:
        moveThrough(each, first, True)
    node.transformOutput = first
    line = applied(warm_app, hands, widget)
    assert np.array_equal(vectors(first), before)
    assert figures_of(first) == figures
    assert np.array_equal(slicer.util.arrayFromVolume(slicer.mrmlScene.GetFirstNodeByName("moving_labels warped (2)")), warped)
    assert "notes in the log: 5" in line
    # Its parents are moved while it is shown: it is read and shown at its new position.
    shared.SetMatrixTransformToParent(to_vtk(matrix4(np.eye(3), (5.0, 0.0, 0.0))))
    applied(warm_app, hands, widget)
    assert figures_of(first)["landmarks"]["after"]["mean"] == pytest.approx(figures["landmarks"]["after"]["mean"], abs=0.2)
    point = np.array([[10.0, 20.0, -5.0]])
    assert np.allclose(through(pair[1].GetParentTransformNode(), point), through(first, point + (5.0, 0.0, 0.0)), atol=1e-3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("the fixed volume", "Fixed volume"),
        ("a mask of the fixed volume", "Fixed mask"),
        ("moving landmarks in a chain", "Moving check landmarks"),
        ("a transform that is no result", "Moving volume"),
        ("the result has a parent", "Moving volume"),
        ("the initial transform", "is an input"),
        ("above the initial transform", "initial transform"),
        ("below the initial transform", "applied twice"),
        ("the inverse", "Moving volume"),
        ("shown as the moving volume, chosen as the fixed one", "through which the moving volume is shown"),
    ],
)
def test_apply_says_which_input_is_below_an_output(warm_app, hands, widget, pair, wrong, words):
    import slicer

    node = widget.panel.node
    result = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", "result")
    result.SetAttribute("DeepReg.Output", "transform")
    lists = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name) for name in ("a", "b")]
    for each in lists:
        each.AddControlPoint([0, 0, 0])
    node.testFixed, node.testMoving = lists
    start = add_linear("start", np.eye(4))
    node.transformOutput = result
    warm_app.process_events()
    assert widget.ui.applyButton.enabled
    if wrong == "the fixed volume":
        pair[0].SetAndObserveTransformNodeID(result.GetID())
    elif wrong == "a mask of the fixed volume":
        node.fixedMask = add_volume("mask", np.ones((5, 5, 5), dtype=np.uint8), np.eye(4), "vtkMRMLLabelMapVolumeNode")
        node.fixedMask.SetAndObserveTransformNodeID(result.GetID())
    elif wrong == "moving landmarks in a chain":
        lists[1].SetAndObserveTransformNodeID(start.GetID())
        start.SetAndObserveTransformNodeID(result.GetID())
    elif wrong == "a transform that is no result":
        result.RemoveAttribute("DeepReg.Output")
        pair[1].SetAndObserveTransformNodeID(result.GetID())
    elif wrong == "the result has a parent":
        pair[1].SetAndObserveTransformNodeID(result.GetID())
        result.SetAndObserveTransformNodeID(start.GetID())
    elif wrong == "the initial transform":
        node.initialTransform = result
    elif wrong == "above the initial transform":
        node.initialTransform = start
        start.SetAndObserveTransformNodeID(result.GetID())
    elif wrong == "below the initial transform":
        node.initialTransform = start
        pair[1].SetAndObserveTransformNodeID(start.GetID())
    elif wrong == "the inverse":
        node.transformOutput, node.inverseOutput, node.inverseWanted = None, result, True
        result.SetAttribute("DeepReg.Output", "inverse")
        pair[1].SetAndObserveTransformNodeID(result.GetID())
    else:
        node.transformOutput = None
        moveThrough(pair[0], result, True)
    node.parameterNode.Modified()
    warm_app.process_events()
    assert not widget.ui.applyButton.enabled
    assert words.lower() in widget.ui.applyButton.toolTip.lower(), widget.ui.applyButton.toolTip


def test_a_script_reads_the_volume_that_a_panel_shows_through_a_result(warm_app, pair):
    """The logic makes new outputs; the volume stays as it is shown. Below another result by hand, it is read through that, with a note."""
    logic = opened(warm_app).logic
    first = logic.register(*pair, parameters=QUICK)
    moveThrough(pair[1], first.nodes["transform"], True)
    second = logic.register(*pair, parameters=QUICK)
    assert np.array_equal(vectors(second.nodes["transform"]), vectors(first.nodes["transform"]))
    assert "was read without it" in second.report["notes"][0]
    assert pair[1].GetParentTransformNode() is first.nodes["transform"]
    moveThrough(pair[1], first.nodes["transform"], False)
    pair[1].SetAndObserveTransformNodeID(first.nodes["transform"].GetID())
    third = logic.register(*pair, parameters=QUICK)
    assert "it was read through it" in third.report["notes"][0]


def test_a_descent_run_does_not_read_the_volume_that_its_iterations_move(warm_app, hands, all_outputs, pair):
    node, ui = all_outputs.panel.node, all_outputs.ui
    applied(warm_app, hands, all_outputs)
    from DeepRegDescentLib import iterations

    sequence = node.resultIterations
    node.iterationsOutput = sequence
    warm_app.process_events()
    assert ui.applyButton.enabled
    node.movingVolume = iterations.movedOf(sequence)
    warm_app.process_events()
    assert not ui.applyButton.enabled
    assert "is an input" in ui.applyButton.toolTip
    node.movingVolume = pair[1]
    pair[0].SetAndObserveTransformNodeID(iterations.proxyOf(sequence).GetID())
    node.parameterNode.Modified()
    warm_app.process_events()
    assert not ui.applyButton.enabled
    assert "Fixed volume" in ui.applyButton.toolTip


@pytest.mark.parametrize("kind", ["points", "curve", "model"])
def test_points_are_read_without_the_former_result(warm_app, hands, points_widget, lists, kind):
    import slicer

    widget, node = points_widget, points_widget.panel.node
    positions = slicer.util.arrayFromMarkupsControlPoints(lists[1])
    if kind == "curve":
        node.movingPoints = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode", "curve")
        slicer.util.updateMarkupsControlPointsFromArray(node.movingPoints, positions)
    elif kind == "model":
        points = vtk.vtkPoints()
        for position in positions:
            points.InsertNextPoint(position)
        surface = vtk.vtkPolyData()
        surface.SetPoints(points)
        node.movingPoints = slicer.modules.models.logic().AddModel(surface)
    applied(warm_app, hands, widget)
    first = node.resultTransform
    before = vectors(first)
    moveThrough(node.movingPoints, first, True)
    node.transformOutput = first
    line = applied(warm_app, hands, widget)
    assert np.array_equal(vectors(first), before)
    assert "notes in the log: 1" in line
