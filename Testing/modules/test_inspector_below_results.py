"""The Inspector measures data that are shown through a result, or lie below a measured transform, as they are without it."""

from __future__ import annotations

import numpy as np
import pytest
from inspector_bench import IJK, SIZE, displacement, grid_node, inner, markups, points_of, scene_fixture, settle, texts, widget_fixture  # noqa: F401 - fixtures
from world import add_linear, exhaust, matrix4


@pytest.fixture
def other(scene):
    """Another result, of a known field."""
    node = grid_node("other", 0.5 * displacement(points_of(SIZE, IJK)), SIZE, IJK)
    node.SetAttribute("DeepReg.Output", "transform")
    return node


def test_landmarks_below_one_of_two_transforms(app, widget, scene, other):
    """Panel and scripts; the errors are those of the same list without a parent."""
    fixed = inner(8)
    lists = markups("f", fixed), markups("m", fixed + displacement(fixed))
    panel, logic = widget.panel, widget.logic
    panel.node.fixedPoints, panel.node.movingPoints = lists
    panel.node.otherTransform = other
    settle(app, widget)
    expected = texts(widget, 2), texts(widget, 3), logic.compare({"a": scene["transform"], "b": other}, None, *lists)
    assert expected[0] != expected[1]
    for parent in (scene["transform"], other):
        lists[1].SetAndObserveTransformNodeID(parent.GetID())
        settle(app, widget)
        assert (texts(widget, 2), texts(widget, 3)) == expected[:2]
        assert logic.compare({"a": scene["transform"], "b": other}, None, *lists) == expected[2]


def test_a_volume_that_is_shown_through_another_result(app, widget, scene, other):
    """The warped volume, proposals and the position in the moving views."""
    from DeepRegInspectorLib import overlay

    from deepreg_slicer.result_view import moveThrough

    inputs = scene["transform"], scene["fixed"], scene["moving"]
    warped, point = exhaust(overlay.warped(*inputs))[0], inner(1)[0]
    proposed = widget.logic.proposeMatch(*inputs, point)
    moveThrough(scene["moving"], other, True)
    assert np.array_equal(exhaust(overlay.warped(*inputs))[0], warped)
    assert widget.logic.proposeMatch(*inputs, point) == proposed
    section = widget.panel.sections["sideBySide"]
    moving = point + displacement(point[None])[0]
    seen = section.seenMoving(moving)  # the other result takes it there
    assert np.linalg.norm(seen - moving) > 1.0
    assert np.allclose(seen + 0.5 * displacement(seen[None])[0], moving, atol=0.05)
    section.refresh()
    assert np.allclose(section._fixedPlace(seen), point, atol=0.05)


@pytest.mark.parametrize("what", ["landmarks", "segmentations", "report", "explanation", "warped volume"])
def test_fixed_data_below_the_transform_are_refused(app, widget, scene, what, tmp_path):
    from DeepRegInspectorLib import overlay
    from world import add_volume

    transform, fixed, moving = scene["transform"], scene["fixed"], scene["moving"]
    lists = markups("f", inner(5)), markups("m", inner(5))
    labels = [add_volume(name, np.ones(SIZE[::-1], dtype=np.uint8), IJK, "vtkMRMLLabelMapVolumeNode") for name in "ab"]
    between = add_linear("between", matrix4(np.eye(3), (1.0, 2.0, 3.0)))
    between.SetAndObserveTransformNodeID(transform.GetID())
    for node in (fixed, lists[0], labels[0]):
        node.SetAndObserveTransformNodeID(between.GetID())
    calls = {
        "landmarks": lambda: widget.logic.landmarkErrors(transform, *lists),
        "segmentations": lambda: widget.logic.overlap(transform, *labels),
        "report": lambda: widget.logic.writeReport(str(tmp_path / "a.html"), transform, fixed, moving),
        "explanation": lambda: widget.logic.probabilities(transform, fixed, moving, inner(1)[0]),
        "warped volume": lambda: exhaust(overlay.warped(transform, fixed, moving)),
    }
    with pytest.raises(RuntimeError, match="below the transform result that is measured"):
        calls[what]()
    if what == "landmarks":
        widget.panel.node.fixedPoints, widget.panel.node.movingPoints = lists
        settle(app, widget)
        assert "below the transform result" in widget.ui.summaryLabel.text
