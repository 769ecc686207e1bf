"""The map of the expected error in the colours of confidence: over the fixed volume, with a legend in mm, and under the mouse."""

from __future__ import annotations

import numpy as np
import pytest
from inspector_bench import IJK, SIZE, scene_fixture, settle, widget_fixture  # noqa: F401 - fixtures
from world import add_volume

CREATED = "2026-01-31T12:00:00+00:00"


def error_map(scene, values):
    """The map of the run that has made the transform of the scene; values (k, j, i), mm."""
    node = add_volume("Expected error", np.asarray(values, dtype=np.float32), IJK)
    for each, output in ((scene["transform"], "transform"), (node, "expectedError")):
        each.SetAttribute("DeepReg.Created", CREATED)
        each.SetAttribute("DeepReg.Output", output)
    return node


def colour(node, value):
    """Red, green and blue, 0 to 1, in which a volume shows a value."""
    display = node.GetDisplayNode()
    place = (value - display.GetWindowLevelMin()) / (display.GetWindowLevelMax() - display.GetWindowLevelMin())
    found = [0.0] * 4
    table = display.GetColorNode()
    table.GetColor(round(min(max(place, 0.0), 1.0) * (table.GetNumberOfColors() - 1)), found)
    return np.array(found[:3])


@pytest.mark.parametrize(("largest", "end"), [(0.3, 1.0), (1.7, 2.0), (4.0, 5.0), (60.0, 5.0)])
def test_blue_is_reliable_white_uncertain_and_orange_unreliable(app, scene, largest, end):
    from deepreg_slicer.confidence import colorConfidence
    from deepreg_slicer.map_overlay import _rangeOf

    node = error_map(scene, np.linspace(0.0, largest / 0.95, np.prod(SIZE)).reshape(SIZE[::-1]))
    assert colorConfidence(node) == end
    blue, white, orange = (colour(node, value) for value in (0.0, 0.5 * end, end))
    assert blue[2] > 0.8 > 0.5 > blue[0]
    assert white.min() > 0.9
    assert orange[0] > 0.8
    assert 0.3 < orange[1] < 0.6
    assert orange[2] < 0.2
    assert colour(node, 3.0 * end) == pytest.approx(orange)
    low, high, colours = _rangeOf("expected_error", node)  # the section Look of the panels
    assert (low, high) == (0.0, end)
    assert colours[[0, -1]] == pytest.approx(np.array([blue, orange]), abs=0.02)


def test_the_inspector_shows_it_with_a_legend_and_hides_both_again(app, hands, widget, scene):
    import slicer

    from deepreg_slicer.length_colors import barOf

    node = error_map(scene, np.full(SIZE[::-1], 1.6))
    panel, ui = widget.panel, widget.ui
    panel.inspect(scene["transform"], fixedVolume=scene["fixed"], movingVolume=scene["moving"])
    ui.deformationCollapsibleButton.collapsed = False
    app.process_events()
    hands.choose(ui.mapComboBox, "confidence")
    settle(app, widget)
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert composite.GetForegroundVolumeID() == node.GetID()
    assert "90 %" in ui.mapInfoLabel.text
    assert "2 mm" in ui.mapInfoLabel.text
    bar = barOf(node.GetDisplayNode())
    assert bar.GetVisibility()
    assert "mm" in bar.GetTitleText()
    hands.choose(ui.mapComboBox, "displacement")
    settle(app, widget)
    assert composite.GetForegroundVolumeID() == panel.node.mapVolume.GetID()
    assert not bar.GetVisibility()
    hands.choose(ui.mapComboBox, "confidence")
    settle(app, widget)
    hands.choose(ui.mapComboBox, "not shown")
    assert composite.GetForegroundVolumeID() is None
    assert not bar.GetVisibility()


def test_a_run_without_the_map_says_how_to_get_one(app, hands, widget, scene):
    panel, ui = widget.panel, widget.ui
    error_map(scene, np.ones(SIZE[::-1])).SetAttribute("DeepReg.Created", "another run")
    panel.inspect(scene["transform"], fixedVolume=scene["fixed"], movingVolume=scene["moving"])
    ui.deformationCollapsibleButton.collapsed = False
    app.process_events()
    hands.choose(ui.mapComboBox, "confidence")
    settle(app, widget)
    assert panel.node.map == "none"
    assert "Outputs" in ui.mapInfoLabel.text


def test_the_value_under_the_mouse_is_that_of_its_voxel(app, widget, scene):
    from DeepRegInspectorLib.probe import Probe

    values = np.arange(np.prod(SIZE), dtype=np.float32).reshape(SIZE[::-1]) / 100.0
    error_map(scene, values)
    probe = Probe(lambda _text: None)
    probe.setInputs(scene["transform"], None, None)
    index = np.array([7, 11, 5])
    point = IJK[:3, :3] @ index + IJK[:3, 3]
    assert f"below {values[5, 11, 7]:.1f} mm" in probe.text(point)
    assert "expected" not in probe.text(IJK[:3, :3] @ np.array([-1, 3, 3]) + IJK[:3, 3])
