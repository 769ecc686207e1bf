"""Fixed and moving views side by side, as the application's layout manager has them: in any order, with sizes that come later."""

from __future__ import annotations

import numpy as np
import pytest
from inspector_bench import displacement, inner, markups, scene_fixture, settle, widget_fixture  # noqa: F401 - fixtures
from panels import opened
from world import through


def names(pairs) -> list[tuple[str, str]]:
    return [(fixed.GetSliceNode().GetName(), moving.GetSliceNode().GetName()) for fixed, moving in pairs]


@pytest.mark.host_only("the application has an order of its own")
@pytest.mark.parametrize("order", [sorted, lambda names: sorted(names, reverse=True)])
def test_views_beside_each_other_are_linked_whatever_their_order(app, hands, widget, scene, monkeypatch, order):
    import slicer
    from DeepRegInspectorLib import views
    from DeepRegInspectorLib.slice_states import placeOf

    manager = type(slicer.app.layoutManager())
    original = manager.sliceViewNames
    monkeypatch.setattr(manager, "sliceViewNames", lambda self: tuple(order(original(self))))
    hands.click(widget.ui.sideBySideButton)
    settle(app, widget)
    assert names(views.pairs()) == [("Red", views.MOVING[0]), ("Green", views.MOVING[1])]
    point = inner(1)[0]
    (_red, beside_red), (green, beside_green) = [[logic.GetSliceNode() for logic in pair] for pair in views.pairs()]
    before = placeOf(beside_red)
    green.JumpSliceByCentering(*point)
    assert np.allclose(placeOf(beside_green), through(scene["transform"], point[None], inverse=True)[0], atol=1e-2)
    assert np.allclose(placeOf(beside_red), before)


def test_views_keep_place_and_zoom_although_the_layout_changes_them_later(app, hands, widget, scene):
    """As the application does: new views get their sizes in a later turn of the event loop, which zooms them, and are moved to 0."""
    import slicer
    from DeepRegInspectorLib import views
    from DeepRegInspectorLib.slice_states import placeOf, scaleOf, setScale

    widget.panel.sections["images"]._plain()
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    point = inner(2)[1]
    red.JumpSliceByCentering(*point)
    setScale(red, 0.37)
    hands.click(widget.ui.sideBySideButton)
    for fixed, moving in views.pairs():
        setScale(fixed.GetSliceNode(), 0.81)
        setScale(moving.GetSliceNode(), 0.55)
        moving.GetSliceNode().SetSliceOffset(0.0)
    settle(app, widget)
    red, beside = (logic.GetSliceNode() for logic in views.pairs()[0])
    assert scaleOf(red) == pytest.approx(0.37, rel=1e-4)
    assert np.allclose(placeOf(red), point, atol=1e-3)
    assert np.allclose(placeOf(beside), through(scene["transform"], point[None], inverse=True)[0], atol=1e-2)
    for fixed, moving in views.pairs():
        assert scaleOf(fixed.GetSliceNode()) == pytest.approx(scaleOf(moving.GetSliceNode()), rel=1e-4)


def test_a_pair_that_is_chosen_before_the_views_have_their_sizes_is_shown(app, hands, widget):
    from DeepRegInspectorLib import views
    from DeepRegInspectorLib.slice_states import placeOf

    fixed = inner(3)
    widget.panel.node.fixedPoints, widget.panel.node.movingPoints = markups("f", fixed), markups("m", fixed + displacement(fixed) + 3.0)
    settle(app, widget)
    hands.click(widget.ui.sideBySideButton)
    widget.panel.sections["landmarks"].table.select(1)
    settle(app, widget)
    red, beside = (logic.GetSliceNode() for logic in views.pairs()[0])
    assert np.allclose(placeOf(red), fixed[1], atol=1e-3)
    assert np.allclose(placeOf(beside), (fixed + displacement(fixed) + 3.0)[1], atol=1e-3)


def test_the_layout_has_a_view_for_charts_only_with_a_chart(app, hands, widget):
    from DeepRegInspectorLib import views

    fixed = inner(4)
    widget.panel.node.fixedPoints, widget.panel.node.movingPoints = markups("f", fixed), markups("m", fixed + displacement(fixed) + 1.0)
    settle(app, widget)
    hands.click(widget.ui.sideBySideButton)
    settle(app, widget)
    assert "PlotView" not in views.layoutNode().GetCurrentLayoutDescription()
    hands.click(widget.ui.histogramButton)
    settle(app, widget)
    assert views.isSideBySide()
    assert "PlotView" in views.layoutNode().GetCurrentLayoutDescription()
    assert widget.ui.sideBySideButton.checked


def test_the_layout_of_a_saved_scene_is_known_before_the_panel_is_opened(app):
    from DeepRegInspectorLib import views

    app.load_module("DeepRegInspector")
    node = views.layoutNode()
    assert node.IsLayoutDescription(8190)
    node.SetViewArrangement(8190)
    app.process_events()
    assert len(views.movingNodes()) == 2


@pytest.mark.host_only("the application of the tests has a main window")
def test_panels_and_results_need_no_main_window(warm_app, hands, pair, monkeypatch):
    """As in an application that was started without one, where there is no layout manager."""
    import slicer
    from panels import applied, quick

    monkeypatch.setattr(type(slicer.app), "layoutManager", lambda _app: None)
    widget = opened(warm_app)
    quick(widget)
    assert "folding" in applied(warm_app, hands, widget)
    inspector = opened(warm_app, "DeepRegInspector")
    inspector.panel.inspect(widget.panel.node.resultTransform)
    settle(warm_app, inspector)
    assert inspector.panel.node.fixedVolume is pair[0]
