"""The module Review leaves nothing behind, refuses picks outside the volumes, and proposes only what the images show."""

from __future__ import annotations

import numpy as np
import pytest
from inspector_bench import IJK, SIZE, displacement, grid_node, inner, markups, pixel_of, points_of, scene_fixture, settle, widget_fixture  # noqa: F401 - fixtures


def shown() -> dict:
    """What the views show: layout, volumes and planes of slice views, and everything that is drawn over them."""
    import slicer
    from DeepRegInspectorLib import views

    from deepreg_slicer.slice_views import sliceWidgets

    kinds = ("vtkMRMLTransformDisplayNode", "vtkMRMLModelDisplayNode", "vtkMRMLColorLegendDisplayNode")
    found = {"layout": views.layoutNode().GetViewArrangement(), "drawn": set()}
    for kind in kinds:
        found["drawn"] |= {node.GetID() for node in slicer.util.getNodesByClass(kind) if node.GetVisibility()}
    for name, widget in sliceWidgets().items():
        if name in ("Red", "Green", "Yellow"):
            composite, node = widget.sliceLogic().GetSliceCompositeNode(), widget.mrmlSliceNode()
            found[name] = (
                composite.GetBackgroundVolumeID(),
                composite.GetForegroundVolumeID(),
                round(composite.GetForegroundOpacity(), 6),
                composite.GetLabelVolumeID(),
                *(round(node.GetSliceToRAS().GetElement(row, column), 3) for row in range(3) for column in range(4)),
            )
    return found


def test_views_are_put_back_when_the_module_is_left_and_shown_again_when_it_is_entered(app, hands, widget, scene):
    import slicer

    widget.exit()
    slicer.util.setSliceViewerLayers(background=scene["moving"], fit=True)
    app.process_events()
    before = shown()
    widget.enter()
    app.process_events()
    panel, ui = widget.panel, widget.ui
    fixed = inner(4)
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", fixed), markups("m", fixed + displacement(fixed) + 2.0)
    ui.deformationCollapsibleButton.collapsed = False
    hands.choose(ui.displayComboBox, "grid")
    hands.choose(ui.mapComboBox, "Jacobian")
    settle(app, widget)
    hands.click(ui.vectorsButton)
    hands.click(ui.sideBySideButton)
    settle(app, widget)
    during = shown()
    assert during["layout"] != before["layout"]
    assert len(during["drawn"]) >= 5, during["drawn"]  # grid, map's legend, grid's legend, arrows, their legend
    widget.exit()
    app.process_events(0.3)
    assert shown() == before
    widget.enter()
    settle(app, widget)
    assert shown()["drawn"] == during["drawn"]
    assert shown()["layout"] == during["layout"]
    assert panel.node.display == "grid"
    assert panel.node.map == "jacobian"


def test_what_another_module_shows_meanwhile_stays_when_the_module_is_entered_again(app, hands, widget, scene):
    import slicer

    widget.ui.deformationCollapsibleButton.collapsed = False
    hands.choose(widget.ui.displayComboBox, "grid")
    hands.click(widget.ui.sideBySideButton)
    settle(app, widget)
    widget.exit()
    app.process_events(0.2)
    slicer.util.setSliceViewerLayers(background=scene["fixed"], foreground=scene["moving"], foregroundOpacity=0.25)
    other = shown()
    widget.enter()
    settle(app, widget)
    assert shown() == other
    assert widget.panel.node.display == "none"
    assert not widget.ui.sideBySideButton.checked


@pytest.mark.parametrize(
    ("place", "words"), [("fixed", "outside the fixed volume"), ("moving", "place in the moving volume would be outside")]
)
def test_picks_outside_a_volume_are_refused(app, hands, widget, scene, place, words):
    panel, ui = widget.panel, widget.ui
    inside = inner(1)[0]
    if place == "fixed":
        pick = inside + 500.0
    else:  # a transform that takes everything far beyond the moving volume
        far = grid_node("far", displacement(points_of(SIZE, IJK)) + 400.0, SIZE, IJK)
        panel.inspect(far, fixedVolume=scene["fixed"], movingVolume=scene["moving"])
        pick = inside
    settle(app, widget)
    hands.click(ui.pickButton)
    settle(app, widget)
    fixed = panel.node.fixedPoints
    fixed.AddControlPoint(pick.tolist())
    settle(app, widget)
    assert fixed.GetNumberOfControlPoints() == 0
    assert panel.node.movingPoints.GetNumberOfControlPoints() == 0
    assert words in ui.statusLabel.text
    assert ui.pickButton.checked
    if place == "fixed":
        fixed.AddControlPoint(inside.tolist())
        settle(app, widget)
        assert fixed.GetNumberOfControlPoints() == 1
        assert words not in ui.statusLabel.text


def test_without_a_distinct_place_in_the_image_no_partner_is_proposed(app, hands, widget, scene):
    """The position that the transform gives would have no error by construction."""
    import slicer

    panel, ui = widget.panel, widget.ui
    slicer.util.arrayFromVolume(scene["moving"])[:] = 7
    slicer.util.arrayFromVolumeModified(scene["moving"])
    point = inner(1)[0]
    found = panel.logic.proposeMatch(scene["transform"], scene["fixed"], scene["moving"], point)
    assert found["position"] is None
    assert found["confidence"] < 0.1
    assert np.allclose(found["predicted"], point + displacement(point[None])[0], atol=0.2)
    hands.click(ui.pickButton)
    settle(app, widget)
    panel.node.fixedPoints.AddControlPoint(point.tolist())
    settle(app, widget)
    assert len(panel.sections["landmarks"].pairs) == 0
    assert "No partner is proposed for 1 point:" in ui.statusLabel.text
    # Side by side, a click in a moving view places it: then it counts.
    manager = slicer.app.layoutManager()
    manager.viewport().resize(900, 800)
    manager.viewport().show()
    hands.click(ui.sideBySideButton)
    settle(app, widget)
    from DeepRegInspectorLib import views

    view = manager.sliceWidget(views.MOVING[0]).sliceView()
    at = (view.width // 2 + 9, view.height // 2 - 7)
    hands.move(view, at)
    hands.click(view, at=at)
    settle(app, widget)
    pairs = panel.sections["landmarks"].pairs
    assert pairs.counted.tolist() == [True]
    assert pixel_of(view, panel.sections["sideBySide"].seenMoving(pairs.moving[0])) == pytest.approx(at, abs=2)
    # The next click in a fixed view picks again.
    panel.node.fixedPoints.AddControlPoint((point + 5.0).tolist())
    settle(app, widget)
    assert "No partner is proposed" in ui.statusLabel.text
    hands.click(ui.pickButton)
    assert slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton").GetActivePlaceNodeID() == panel.node.fixedPoints.GetID()


def test_a_pick_moves_no_fixed_view_and_moving_views_only_to_another_slice(app, hands, widget, scene):
    from DeepRegInspectorLib import views
    from DeepRegInspectorLib.slice_states import placeOf, setScale

    hands.click(widget.ui.sideBySideButton)
    settle(app, widget)
    for pair in views.pairs():
        for logic in pair:
            setScale(logic.GetSliceNode(), 1.0)
    settle(app, widget)
    point = inner(8)[5]
    before = {node.GetName(): placeOf(node) for node in (*views.fixedNodes(), *views.movingNodes())}
    hands.click(widget.ui.pickButton)
    settle(app, widget)
    widget.panel.node.fixedPoints.AddControlPoint(point.tolist())
    settle(app, widget)
    pairs = widget.panel.sections["landmarks"].pairs
    assert len(pairs) == 1
    for node in views.fixedNodes():
        assert np.allclose(placeOf(node), before[node.GetName()], atol=1e-4), node.GetName()
    for node in views.movingNodes():
        normal = np.array([node.GetSliceToRAS().GetElement(axis, 2) for axis in range(3)])
        moved = placeOf(node) - before[node.GetName()]
        assert np.allclose(moved, (moved @ normal) * normal, atol=1e-3), node.GetName()
        assert abs((pairs.moving[0] - placeOf(node)) @ normal) < 1e-3


def test_side_by_side_shows_volumes_that_are_chosen_later_at_once(app, hands, widget, scene):
    import slicer
    from DeepRegInspectorLib import views

    hands.click(widget.ui.sideBySideButton)
    settle(app, widget)
    other = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, scene["moving"], "other")
    widget.panel.node.movingVolume = other
    settle(app, widget)
    for fixed, moving in views.pairs():
        assert fixed.GetSliceCompositeNode().GetBackgroundVolumeID() == scene["fixed"].GetID()
        assert moving.GetSliceCompositeNode().GetBackgroundVolumeID() == other.GetID()
