"""The Inspector as a whole: its inputs, scenes that are saved and closed, scripts, and the way to it from other modules."""

from __future__ import annotations

import numpy as np
import pytest
from inspector_bench import displacement, inner, markups, scene_fixture, settle, widget_fixture  # noqa: F401 - fixtures
from panels import opened
from world import TURN, add_linear, matrix4, through

ABOVE = matrix4(TURN, (20.0, -30.0, 40.0))


def test_a_transform_brings_its_volumes(widget, scene):
    node = widget.panel.node
    assert node.fixedVolume is scene["fixed"]
    assert node.movingVolume is scene["moving"]
    assert widget.ui.pickButton.enabled
    assert "no pairs yet" in widget.ui.summaryLabel.text


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
    assert panel.node.map == "none"
    assert ui.mapInfoLabel.text == ""
    assert ui.mapComboBox.currentText == "not shown"
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", inner(3)), markups("m", inner(3) + 1.0)
    settle(warm_app, widget)
    slicer.mrmlScene.RemoveNode(panel.node.movingPoints)
    settle(warm_app, widget)
    # The selector chooses another list, perhaps the fixed one, which gives no pairs.
    panel.node.movingPoints = panel.node.fixedPoints
    settle(warm_app, widget)
    assert len(panel.sections["landmarks"].pairs) == 0
    assert widget.ui.pairsTable.rowCount == 0
    assert "same list" in ui.summaryLabel.text
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
    before = panel.sections["landmarks"].pairs
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    warm_app.process_events()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    settle(warm_app, widget)
    after = panel.sections["landmarks"].pairs
    assert panel.node.transform.GetName() == "result"
    assert np.allclose(after.after, before.after, atol=1e-4)
    assert after.used.tolist() == [True, False, False, True]
    assert after.notes[2].startswith("proposed")


def test_the_logic_works_without_a_panel(warm_app, scene):
    import slicer

    warm_app.load_module("DeepRegInspector")
    from DeepRegInspector import DeepRegInspectorLogic

    logic = DeepRegInspectorLogic()
    point = inner(1)[0]
    found = logic.proposeMatch(scene["transform"], scene["fixed"], scene["moving"], point)
    assert np.allclose(found["predicted"], through(scene["transform"], point[None], inverse=True)[0], atol=1e-3)
    assert np.linalg.norm(np.array(found["position"]) - point - displacement(point[None])[0]) < 1.0
    assert 0 <= found["confidence"] <= 1
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
    dense.panel.resultSection.update()
    assert dense.ui.inspectButton.enabled
    dense.ui.resultCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.click(dense.ui.inspectButton)
    inspector = slicer.modules.deepreginspector.widgetRepresentation().self()
    settle(warm_app, inspector)
    assert inspector.panel.node.transform is scene["transform"]
    assert len(inspector.panel.sections["landmarks"].pairs) == 4
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
    assert "0 of 52800 voxels are folded" in said
    assert "second" in said
    assert set(names["match"]) == {"position", "predicted", "confidence"}


def test_every_field_and_its_label_have_a_tool_tip(app, widget):
    """A label has the tool tip of the widget that it describes, so that the text exists once."""
    import slicer

    labels = [label for label in slicer.util.findChildren(widget.parent, className="QLabel") if label.buddy() is not None]
    assert len(labels) > 20
    assert [label.text for label in labels if not label.toolTip] == []
    assert widget.ui.windowLabel.toolTip == widget.ui.windowSlider.toolTip
