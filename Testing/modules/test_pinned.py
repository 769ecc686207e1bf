"""The end of a method's panel stays in view: result, reason, progress and Apply; its keys and its focus."""

from __future__ import annotations

import pytest
from panels import finish, opened

METHODS = ("DeepRegDense", "DeepRegPoints", "DeepRegDescent")


@pytest.mark.parametrize("name", METHODS)
def test_apply_and_its_reason_stay_in_view_however_long_the_panel_is(app, name):
    import ctk
    import qt

    widget = opened(app, name)
    panel, ui = widget.parent, widget.ui
    for button in panel.findChildren(ctk.ctkCollapsibleButton):
        button.collapsed = False
    panel.resize(350, 500)
    app.process_events()
    for shown in (ui.reasonLabel, ui.applyButton):
        place = shown.mapTo(panel, qt.QPoint(0, 0))
        assert shown.visible
        assert 0 <= place.y() <= panel.height - shown.height
        assert not shown.visibleRegion().isEmpty()
    assert ui.panelScrollArea.verticalScrollBar().maximum > 0
    assert ui.panelScrollArea.horizontalScrollBar().maximum == 0


def test_the_reason_why_apply_is_grey_stands_above_it_until_it_is_gone(warm_app, hands, pair):
    widget = opened(warm_app)
    ui = widget.ui
    assert not ui.reasonLabel.visible
    hands.choose(ui.movingSelector, None)
    assert ui.reasonLabel.visible
    assert ui.reasonLabel.text == ui.applyButton.toolTip
    assert ui.reasonLabel.text.endswith(".")
    hands.choose(ui.movingSelector, pair[1])
    assert not ui.reasonLabel.visible
    assert "Ctrl+Return" in ui.applyButton.toolTip


def press(app, widget, keys: str) -> None:
    """Press keys where the focus is."""
    import qt

    target = qt.QApplication.focusWidget() or widget.parent
    modifier = qt.Qt.ControlModifier if keys.startswith("Ctrl") else qt.Qt.NoModifier
    key = qt.Qt.Key_Return if keys.endswith("Return") else qt.Qt.Key_Escape
    from PySide6.QtTest import QTest

    QTest.keyClick(target, key, modifier)
    app.process_events()


@pytest.mark.host_only("keys go to the window that has the focus")
def test_ctrl_return_applies_and_escape_cancels(warm_app, dense_widget):
    widget = dense_widget
    widget.parent.activateWindow()
    widget.enter()
    warm_app.process_events()
    press(warm_app, widget, "Ctrl+Return")
    assert widget.panel.run is not None
    press(warm_app, widget, "Ctrl+Return")  # does not cancel
    assert not widget.panel.run.over
    press(warm_app, widget, "Escape")
    finish(warm_app, widget)
    assert "Stopped by the user" in widget.ui.resultLabel.text
    press(warm_app, widget, "Escape")
    assert "Stopped by the user" in widget.ui.resultLabel.text


def test_the_focus_is_on_what_is_to_be_chosen_next(warm_app, pair):
    import qt

    widget = opened(warm_app)
    widget.parent.activateWindow()
    widget.enter()
    assert qt.QApplication.focusWidget() is widget.ui.applyButton
    widget.panel.node.movingVolume = None
    assert widget.panel.firstWidget() is widget.ui.movingSelector


@pytest.mark.parametrize(
    ("name", "fields"), [("DeepRegDense", ("guideFixed", "guideMoving")), ("DeepRegDescent", ("testFixed", "testMoving"))]
)
def test_apply_follows_the_landmarks_that_are_added_and_removed(warm_app, pair, name, fields):
    from points_bench import add_points

    widget = opened(warm_app, name)
    node, ui = widget.panel.node, widget.ui
    lists = [add_points(field, [[0.0, 0.0, 0.0]]) for field in fields]
    for field, points in zip(fields, lists, strict=True):
        setattr(node, field, points)
    warm_app.process_events()
    assert ui.applyButton.enabled
    lists[0].AddControlPoint([10.0, 0.0, 0.0])
    assert not ui.applyButton.enabled
    assert "each needs its partner" in ui.reasonLabel.text
    lists[1].AddControlPoint([12.0, 0.0, 0.0])
    assert ui.applyButton.enabled
    assert not ui.reasonLabel.visible


def test_apply_follows_a_volume_that_is_filled(warm_app, pair):
    import numpy as np
    import slicer

    widget = opened(warm_app)
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    widget.panel.node.movingVolume = empty
    warm_app.process_events()
    assert "is empty" in widget.ui.reasonLabel.text
    slicer.util.updateVolumeFromArray(empty, np.zeros((8, 9, 10), dtype=np.int16))
    assert widget.ui.applyButton.enabled
