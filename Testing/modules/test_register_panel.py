"""The panel of the module Register: choose images and task, run, keyboard, layout, scripts."""

from __future__ import annotations

import pytest
from panels import opened
from register_bench import registered, titles
from test_pinned import press


@pytest.fixture
def widget(register_widget):
    return register_widget


def test_the_module_comes_first_in_its_category(app):
    module = app.load_module("DeepRegRegister")
    assert module.index == 0
    assert app.load_module("DeepRegDense").index == -1


def test_two_volumes_are_registered_with_one_click(warm_app, hands, widget, pair):
    import slicer

    ui = widget.ui
    assert (ui.fixedSelector.currentNode(), ui.movingSelector.currentNode()) == tuple(pair)
    line = registered(warm_app, hands, widget)
    assert "folding" in line
    transform = widget.panel.node.result
    assert transform.GetTransformFromParentAs("vtkOrientedGridTransform", False) is not None
    assert len(titles(widget)) == 1
    assert titles(widget)[0] in transform.GetName()
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == pair[0].GetID()
    assert titles(widget)[0] in slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID()).GetName()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("no fixed", 'choose "Fixed volume"'),
        ("the same", "are the same"),
        ("no box", "choose a box"),
        ("no segmentation", "choose the segmentation of the region"),
        ("box not placed", "is not placed yet"),
    ],
)
def test_the_line_above_apply_says_why_it_is_grey(warm_app, widget, pair, wrong, words):
    import slicer

    node, ui = widget.panel.node, widget.ui
    assert ui.applyButton.enabled
    assert not ui.reasonLabel.visible
    if wrong == "no fixed":
        ui.fixedSelector.setCurrentNode(None)
    elif wrong == "the same":
        ui.movingSelector.setCurrentNode(pair[0])
    elif wrong == "no segmentation":
        node.region = "segment"
    else:
        node.region = "box"
        node.box = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode") if wrong == "box not placed" else None
    warm_app.process_events(0.1)
    assert not ui.applyButton.enabled
    assert words.lower() in ui.reasonLabel.text.lower()
    assert ui.reasonLabel.visible


def test_what_a_volume_shows_is_detected_and_can_be_corrected(warm_app, hands, widget):
    ui = widget.ui
    warm_app.wait_for(lambda: not widget.panel.contents.busy, 10, "the contents")
    warm_app.process_events(0.1)
    assert ui.fixedModalityComboBox.currentText == "CT"
    assert ui.fixedBodyPartComboBox.currentText == "Abdomen"
    assert ui.fixedSizeLabel.text.endswith(" mm")
    widget.panel.node.quality = 2
    warm_app.process_events(0.1)
    assert "oth show CT of the abdomen" in ui.suggestionLabel.text
    hands.choose(ui.movingModalityComboBox, "MR")
    warm_app.process_events(0.1)
    assert "CT of the abdomen and MR of the abdomen" in ui.suggestionLabel.text
    assert widget.panel.node.movingModality == "mr"
    hands.click(ui.swapButton)
    warm_app.process_events(0.1)
    assert ui.fixedModalityComboBox.currentText == "MR"
    assert ui.movingModalityComboBox.currentText == "CT"


def test_what_is_wrong_with_the_pair_is_seen_before_the_run(warm_app, widget, pair):
    import vtk

    warm_app.wait_for(lambda: not widget.panel.contents.busy, 10, "the contents")
    warm_app.process_events(0.1)
    warm_app.wait_for(lambda: not widget.panel.concerns.searching, 10, "the concerns")
    assert not widget.ui.concernLabel.visible
    matrix = vtk.vtkMatrix4x4()
    pair[1].GetIJKToRASMatrix(matrix)
    matrix.SetElement(0, 3, matrix.GetElement(0, 3) + 2000.0)
    pair[1].SetIJKToRASMatrix(matrix)
    widget.panel.refresh()
    warm_app.wait_for(lambda: widget.ui.concernLabel.visible, 10, "the concern")
    assert "overlap" in widget.ui.concernLabel.text


@pytest.mark.host_only("PyTorchUtils cannot pretend there")
def test_without_pytorch_a_banner_installs_it_here(slicer_app, warm_worker, pair, hands):
    import PyTorchUtils
    import qt
    import slicer

    PyTorchUtils.pretend("missing")
    try:
        widget = opened(slicer_app, "DeepRegRegister")
        assert widget.ui.installBanner.visible
        assert "PyTorch is not installed" in widget.ui.bannerLabel.text
        assert "press Install" in widget.ui.reasonLabel.text
        slicer_app.dialogs.answer(qt.QMessageBox.Cancel)
        with slicer_app.messages_shown():
            hands.click(widget.ui.installButton)
        assert "Nothing was installed" in widget.ui.bannerLabel.text
        assert slicer.util.moduleSelector().selectedModule != "DeepReg"
    finally:
        PyTorchUtils.pretend("actual")
    widget.panel.refresh()
    assert not widget.ui.installBanner.visible
    assert widget.ui.applyButton.enabled


def test_the_comparison_is_offered_with_the_results(warm_app, hands, widget):
    """Without a result its widgets, all grey, would only push the rest down."""
    assert not widget.ui.lookComboBox.visible
    registered(warm_app, hands, widget)
    assert widget.ui.lookComboBox.visible
    widget.ui.resultsCollapsibleButton.collapsed = True
    assert not widget.ui.lookComboBox.visible


def test_a_rigid_result_is_a_linear_transform(warm_app, hands, widget):
    import numpy as np
    import vtk

    from deepreg_slicer.volumes import fromVtkMatrix

    hands.choose(widget.ui.taskComboBox, "Rigid")
    registered(warm_app, hands, widget)
    transform = widget.panel.node.result
    assert transform.GetClassName() == "vtkMRMLLinearTransformNode"
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToParent(matrix)
    turn = fromVtkMatrix(matrix)[:3, :3]
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert titles(widget)[0].startswith("Rigid")


def test_a_correction_reaches_the_choice_of_the_run(warm_app, hands, widget):
    """The engine, which decides when the images are aligned, takes what the user has corrected."""
    from deepreg_slicer.provenance import readReport

    warm_app.wait_for(lambda: not widget.panel.contents.busy, 10, "the contents")
    registered(warm_app, hands, widget)
    before = readReport(widget.panel.node.result)["suggestion"]
    assert "both show CT of the abdomen" in before["reason"]
    hands.choose(widget.ui.movingModalityComboBox, "MR")
    warm_app.process_events(0.1)
    registered(warm_app, hands, widget)
    after = readReport(widget.panel.node.result)["suggestion"]
    assert "MR of the abdomen" in after["reason"]
    assert after["row"] != before["row"]


def test_a_box_is_made_shown_and_used(warm_app, hands, widget):
    from deepreg_slicer.provenance import readReport

    ui, node = widget.ui, widget.panel.node
    hands.choose(ui.regionComboBox, "Box")
    warm_app.process_events(0.1)
    assert node.box is not None
    assert node.box.GetDisplayNode().GetVisibility()
    registered(warm_app, hands, widget)
    assert "fixed_mask" in readReport(node.result)["inputs"]
    hands.choose(ui.regionComboBox, "Whole volume")
    warm_app.process_events(0.1)
    assert not node.box.GetDisplayNode().GetVisibility()


def test_points_are_registered_without_volumes(warm_app, hands, lists):
    import numpy as np
    import slicer
    from world import through

    widget = opened(warm_app, "DeepRegRegister")
    hands.choose(widget.ui.taskComboBox, "Points or surfaces")
    warm_app.process_events(0.1)
    hands.choose(widget.ui.fixedPointsSelector, lists[0])
    hands.choose(widget.ui.movingPointsSelector, lists[1])
    registered(warm_app, hands, widget)
    transform = widget.panel.node.result
    fixed, moving = (np.array([node.GetNthControlPointPosition(i) for i in range(node.GetNumberOfControlPoints())]) for node in lists)
    moved = through(transform, moving)
    nearest = np.linalg.norm(moved[:, None] - fixed[None], axis=2).min(axis=1)
    before = np.linalg.norm(moving[:, None] - fixed[None], axis=2).min(axis=1)
    assert nearest.mean() < 0.5 * before.mean()
    assert any("moved" in node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLModelNode"))


@pytest.mark.host_only("keys go to the window that has the focus")
def test_the_keyboard_registers_and_cancels(warm_app, widget):
    ui = widget.ui
    widget.parent.activateWindow()
    widget.enter()
    warm_app.process_events(0.1)
    press(warm_app, widget, "Ctrl+Return")
    assert widget.panel.run is not None
    press(warm_app, widget, "Escape")
    warm_app.wait_for(lambda: widget.panel.run is None, 20, "the end of the run")
    assert titles(widget) == []
    press(warm_app, widget, "Ctrl+Return")
    warm_app.wait_for(lambda: widget.panel.run is None and not widget.panel.showing, 60, "the end of the run")
    assert len(titles(widget)) == 1
    assert ui.verdictLabel.visible


def test_scripts_register_and_bring_along(warm_app, pair):
    import numpy as np
    import slicer
    from world import through

    warm_app.load_module("DeepRegRegister")
    from DeepRegRegister import DeepRegRegisterLogic

    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "targets")
    points.AddControlPoint([3.0, -4.0, 5.0])
    result = DeepRegRegisterLogic().register(*pair, task="rigid", quality=0.0, bring=[points])
    assert set(result.nodes) == {"transform", "volume"}
    made = result.brought[points]
    assert np.allclose(made.GetNthControlPointPosition(0), through(result.nodes["transform"], [[3.0, -4.0, 5.0]])[0], atol=1e-6)
    assert tuple(points.GetNthControlPointPosition(0)) == (3.0, -4.0, 5.0)
    assert "Rigid" in made.GetName()


def unfolded(app, width: int, pair):
    """The panel at a width, with all that it can show."""
    import slicer

    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "targets of the second date")
    points.AddControlPoint([0.0, 0.0, 0.0])
    widget = opened(app, "DeepRegRegister", width)
    widget.panel.node.fixedVolume, widget.panel.node.movingVolume = pair
    widget.panel.node.task, widget.panel.node.region = "points", "box"
    for name in ("bring", "log"):
        getattr(widget.ui, f"{name}CollapsibleButton").collapsed = False
    app.process_events(0.2)
    widget.panel.bring.showMessage("Brought along: targets of the second date.", "")
    widget.panel.runSection.showMessage("12.3 s \u00b7 mean displacement 12.3 mm \u00b7 folding 0.00 %", bad=False)
    widget.parent.resize(width, 900)
    app.process_events(0.2)
    return widget


@pytest.mark.parametrize("region", ["box", "segment"])
def test_no_text_is_cut_off_at_350_pixels(warm_app, pair, region):
    widget = unfolded(warm_app, 350, pair)
    widget.panel.node.region = region
    warm_app.process_events(0.2)
    assert widget.parent.width == 350
    assert warm_app.clipped(widget.parent) == []
    assert widget.ui.panelScrollArea.horizontalScrollBar().maximum == 0


def test_no_text_is_cut_off_at_450_pixels_with_a_large_font(large_and_dark, phantom_folder):
    import slicer
    from bench import MODULES

    large_and_dark.add_module_path(MODULES)
    pair = [slicer.util.loadVolume(str(phantom_folder / f"{side}.nii.gz")) for side in ("fixed", "moving")]
    widget = unfolded(large_and_dark, 450, pair)
    assert widget.parent.width == 450
    assert large_and_dark.clipped(widget.parent) == []
    assert widget.ui.panelScrollArea.horizontalScrollBar().maximum == 0


def test_the_panel_needs_no_scrolling_at_a_usual_height(warm_app, widget):
    widget.parent.resize(420, 760)
    warm_app.process_events(0.2)
    assert widget.ui.panelScrollArea.verticalScrollBar().maximum == 0


@pytest.mark.parametrize(("task", "changes"), [("", {"working_spacing": 9.0}), ("affine", {"working_voxels": 0.05})])
def test_too_little_memory_and_the_user_takes_the_coarser_run(warm_app, widget, task, changes):
    """The run is refused as the engine does it; the next one has the parameters that fit, and later ones are as before."""
    import json

    import qt

    widget.panel.node.task = task
    warm_app.wait_for(lambda: not widget.panel.contents.busy, 10, "the contents")
    before = widget.panel.request().parameters
    widget.panel.apply()
    warm_app.wait_for(lambda: widget.panel.run._job is not None, 10)
    first = widget.panel.run
    fields = {"id": first._job.id, "kind": "error", "code": "memory", "message": "this needs about 90 GB", "changes": changes}
    with warm_app.messages_shown():
        warm_app.dialogs.answer(qt.QMessageBox.Yes)
        widget.panel.client._onLine(json.dumps(fields).encode())
    assert "90 GB" in warm_app.dialogs.shown[-1].text
    assert widget.panel.run not in (first, None)  # it has begun again
    assert widget.panel.run.request.parameters == {**before, **changes}
    widget.panel.cancel()
    warm_app.wait_for(lambda: widget.panel.run is None, 20, "the end of the run")
    assert widget.panel.request().parameters == before
