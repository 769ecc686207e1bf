"""The result so far of a running registration in the views, and Stop and keep."""

from __future__ import annotations

import re

import numpy as np
import pytest
from panels import finish, landmark_error, load_points, nodes, quick
from world import TURN, add_linear, matrix4, through


@pytest.fixture
def widget(dense_widget):
    """The Dense panel with a run of some seconds."""
    quick(dense_widget, search_stages=3, mean_field_passes=4, refinement_iterations=50, working_spacing=4.0)
    return dense_widget


def layers() -> dict[str, tuple]:
    """What each slice view shows, and where."""
    from deepreg_slicer.slice_views import sliceWidgets
    from deepreg_slicer.volumes import fromVtkMatrix

    found = {}
    for name, widget in sliceWidgets().items():
        composite, view = widget.sliceLogic().GetSliceCompositeNode(), widget.mrmlSliceNode()
        shown = tuple(getattr(composite, f"Get{what}")() for what in ("BackgroundVolumeID", "ForegroundVolumeID", "ForegroundOpacity"))
        place = np.round(fromVtkMatrix(view.GetSliceToRAS()), 5).ravel().tolist()
        found[name] = (*shown, *place, *np.round(view.GetFieldOfView(), 5))
    return found


def shown_volume():
    """The foreground volume of the first view."""
    import slicer

    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    return slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID() or "")


def begun(app, widget) -> None:
    """Apply, and wait for the result of a stage; the alignment comes before it."""
    widget.panel.apply()
    seen = []
    widget.panel.run.previewed.connect(seen.append)
    app.wait_for(lambda: len(seen) >= 2 or widget.panel.run is None, 60, "a result so far")
    assert widget.panel.run is not None


@pytest.mark.parametrize("parent", ["none", "turned"])
def test_the_result_so_far_is_shown_and_leaves_nothing(warm_app, hands, widget, pair, phantom_folder, parent):
    import slicer

    landmarks = [load_points(phantom_folder / f"{side}_landmarks.csv", side) for side in ("fixed", "moving")]
    if parent == "turned":
        above = add_linear("above", matrix4(TURN, (20.0, -30.0, 40.0)))
        for node in (*pair, *landmarks):
            node.SetAndObserveTransformNodeID(above.GetID())
    slicer.util.setSliceViewerLayers(background=pair[1], foreground=None, fit=True)
    slicer.app.layoutManager().sliceWidget("Green").mrmlSliceNode().JumpSliceByCentering(10.0, 20.0, -5.0)
    views, before, count = layers(), nodes(), slicer.mrmlScene.GetNumberOfNodes()
    begun(warm_app, widget)
    copy = shown_volume()
    assert layers()["Red"][0] == pair[0].GetID()
    assert copy.GetImageData() is pair[1].GetImageData()
    display, like = copy.GetDisplayNode(), pair[1].GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (like.GetWindow(), like.GetLevel())
    for node in (copy, display, copy.GetParentTransformNode()):
        assert (node.GetSaveWithScene(), node.GetHideFromEditors()) == (False, True)
    # The moving volume is where the field has taken it: closer to the fixed one than without registration.
    world = [
        np.array([[*points.GetNthControlPointPositionWorld(number)] for number in range(points.GetNumberOfControlPoints())])
        for points in landmarks
    ]
    result = copy.GetParentTransformNode()
    while result.GetParentTransformNode() is not None:
        result = result.GetParentTransformNode()
    error = np.linalg.norm(through(result, world[0], inverse=True) - world[1], axis=1).mean()
    assert error < 0.9 * np.linalg.norm(world[0] - world[1], axis=1).mean()
    assert widget.ui.keepButton.enabled
    hands.click(widget.ui.applyButton)
    finish(warm_app, widget)
    assert layers() == views
    assert (nodes(), slicer.mrmlScene.GetNumberOfNodes()) == (before, count)
    assert not widget.ui.keepButton.visible


def test_stop_and_keep_takes_the_result_so_far(warm_app, hands, widget, phantom_folder):
    landmarks = [load_points(phantom_folder / f"{side}_landmarks.csv", side) for side in ("fixed", "moving")]
    import slicer

    identity = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    begun(warm_app, widget)
    hands.click(widget.ui.keepButton)
    assert "kept" in widget.ui.stageLabel.text
    assert not widget.ui.keepButton.enabled
    finish(warm_app, widget)
    assert re.search(r"topped by the user after (iteration \d+ of \d+ in )?step \d of \d: ", widget.ui.resultLabel.text)
    node = widget.panel.node
    assert landmark_error(node.resultTransform, *landmarks) < 0.9 * landmark_error(identity, *landmarks)
    assert shown_volume().GetName() == node.resultVolume.GetName()  # or a copy whose voxels outside the moving volume are transparent
    from deepreg_slicer.provenance import readReport

    assert readReport(node.resultTransform)["stopped"]


def test_a_scene_that_is_saved_meanwhile_has_no_node_of_the_preview(warm_app, widget, tmp_path):
    import slicer

    begun(warm_app, widget)
    path = tmp_path / "scene.mrml"
    slicer.mrmlScene.SetURL(str(path))
    slicer.mrmlScene.Commit(str(path))
    name = shown_volume().GetID()
    assert f'id="{name}"' not in path.read_text(encoding="utf-8")
    widget.panel.cancel()
    finish(warm_app, widget)


def test_the_scene_may_be_closed_while_a_result_so_far_is_shown(warm_app, widget):
    import slicer

    begun(warm_app, widget)
    slicer.mrmlScene.Clear()
    warm_app.wait_for(lambda: widget.panel.run is None, 20)
    warm_app.process_events(0.1)
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []


def test_points_without_volumes_can_be_stopped_and_kept(warm_app, points_widget):
    seen, enabled = [], []
    points_widget.panel.apply()
    points_widget.panel.run.previewed.connect(seen.append)
    points_widget.panel.run.previewed.connect(lambda _transform: enabled.append(points_widget.ui.keepButton.enabled))
    finish(warm_app, points_widget)
    assert seen
    assert all(enabled)
    assert points_widget.panel.node.resultTransform is not None
