"""The deformation grid of a scene that is saved and loaded: it is drawn if it was, as its tick box says."""

from __future__ import annotations

import numpy as np
import pytest
from inspector_bench import grid_node
from panels import drawn, opened


@pytest.fixture
def widget(warm_app, pair):
    """The Dense panel with a result whose grid is shown, as after a run."""
    from deepreg_slicer.result_view import showGrid

    widget = opened(warm_app)
    vectors = 8.0 * np.random.default_rng(0).normal(size=(6 * 7 * 8, 3))
    result = grid_node("result", vectors, (6, 7, 8), np.diag([50.0, 40.0, 30.0, 1.0]) + np.outer([-120, -120, -100, 0], [0, 0, 0, 1]))
    result.SetAttribute("DeepReg.Output", "transform")
    result.SetNodeReferenceID("deepRegFixed", pair[0].GetID())
    widget.panel.node.fixedVolume, widget.panel.node.movingVolume = pair
    widget.panel.node.resultTransform = result
    showGrid(result, pair[0], True)
    widget.panel.resultSection.update()
    widget.ui.resultCollapsibleButton.collapsed = False
    warm_app.process_events()
    return widget


def reloaded(app, folder) -> None:
    """Save the scene, close it, and load it."""
    import slicer

    slicer.util.saveScene(str(folder / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(folder / "scene.mrb"))
    app.process_events(0.2)


@pytest.mark.parametrize("ticked", [True, False])
def test_the_grid_of_a_loaded_scene_is_drawn_as_its_tick_says(warm_app, hands, widget, tmp_path, ticked):
    import slicer

    before = drawn(widget.panel.node.resultTransform).GetGridSpacingMm()
    if not ticked:
        hands.click(widget.ui.gridCheckBox)
    reloaded(warm_app, tmp_path)
    result = widget.panel.node.resultTransform
    assert widget.ui.gridCheckBox.checked == ticked
    display = drawn(result)
    assert (display is not None and bool(display.GetVisibility() and display.GetVisibility2D())) == ticked
    if ticked:
        assert display.GetDisplayableNode() is not result  # the deformation beyond the alignment
        assert display.GetGridSpacingMm() == before
        hands.click(widget.ui.gridCheckBox)
        assert not drawn(result).GetVisibility()
    # Nothing of what is only drawn was saved.
    assert len(slicer.util.getNodesByClass("vtkMRMLTransformDisplayNode")) == ticked
    listed = [node for node in slicer.util.getNodesByClass("vtkMRMLGridTransformNode") if not node.GetHideFromEditors()]
    assert [node.GetName() for node in listed] == ["result"]


def test_a_grid_is_drawn_when_the_module_is_opened_after_the_scene(warm_app, widget, tmp_path):
    widget.parent.exit()
    reloaded(warm_app, tmp_path)
    widget.parent.enter()
    assert widget.ui.gridCheckBox.checked
    assert drawn(widget.panel.node.resultTransform).GetVisibility()


def test_arrows_of_the_review_are_not_loaded_as_a_grid(warm_app, widget, pair, tmp_path):
    import slicer

    from deepreg_slicer.result_view import deformationOf, showDeformation

    showDeformation(deformationOf(widget.panel.node.resultTransform, pair[0]), pair[0], "glyphs", 20.0, False)
    reloaded(warm_app, tmp_path)
    assert slicer.util.getNodesByClass("vtkMRMLTransformDisplayNode") == []
