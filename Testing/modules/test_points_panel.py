"""The Points panel: choosing inputs, views, undo, cancel, scenes, scripts and layout."""

from __future__ import annotations

import numpy as np
import pytest
from panels import check_texts, finish, nodes
from points_bench import RAS, add_points, apply, centres, line_ends, made, models
from vtk.util.numpy_support import vtk_to_numpy
from world import through

from slicer_testing.pictures import pixels, screenshot


@pytest.fixture
def widget(points_widget):
    return points_widget


# ---------------------------------------------------------------------------------------------------------------- choose


def test_two_lists_are_chosen_by_themselves(warm_app, widget, lists):
    assert (widget.ui.fixedPointsSelector.currentNode(), widget.ui.movingPointsSelector.currentNode()) == lists
    assert widget.ui.applyButton.enabled
    assert "a margin around" in widget.ui.kindLabel.text
    assert not widget.ui.refineCheckBox.enabled
    assert not widget.ui.volumeWantedCheckBox.enabled


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("nothing", "choose fixed and moving points, or two volumes"),
        ("no moving", 'choose "Moving points" too'),
        ("the same", "are the same"),
        ("few", "has too few different points (3): at least 4"),
        ("duplicates", "has too few different points (2): at least 4"),
        ("none", "has no points"),
        ("one volume", 'choose "Moving volume" too'),
        ("no segments", "has no segments"),
        ("warp nothing", 'choose "Moving segmentation"'),
        ("the same output", "the same output"),
    ],
)
def test_apply_says_why_it_cannot(warm_app, widget, lists, wrong, words):
    import slicer

    node, ui = widget.panel.node, widget.ui
    assert ui.applyButton.enabled
    if wrong == "nothing":
        node.fixedPoints = node.movingPoints = None
    elif wrong == "no moving":
        node.movingPoints = None
    elif wrong == "the same":
        node.movingPoints = lists[0]
    elif wrong in ("few", "duplicates", "none"):
        # The list is already chosen: its changes are shown at once.
        lists[1].RemoveAllControlPoints()
        places = {"few": [[0, 0, 0], [30, 0, 0], [0, 30, 0]], "duplicates": 4 * [[0, 0, 0]] + [[0, 30, 0]], "none": []}[wrong]
        for place in places:
            lists[1].AddControlPoint(place)
    elif wrong == "one volume":
        node.fixedVolume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    elif wrong == "no segments":
        node.movingPoints = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "lungs")
    elif wrong == "warp nothing":
        node.labelsWanted = True
    else:
        node.movedCloudOutput = node.fixedCloudOutput = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "output")
    warm_app.process_events()
    assert not ui.applyButton.enabled
    assert words.lower() in ui.applyButton.toolTip.lower(), ui.applyButton.toolTip
    if wrong == "few":
        lists[1].AddControlPoint([10, 20, 30])
        warm_app.process_events()
        assert ui.applyButton.enabled


def test_every_parameter_has_its_widget_and_presets_set_them(warm_app, hands, widget):
    from deepreg_engine.methods.points.parameters import PointsParameters
    from deepreg_engine.methods.points.presets import POINTS_PRESETS

    for description in PointsParameters.describe():
        control = widget.panel.form.widgets[description.name]
        assert description.help[:20].lower() in control.toolTip.lower()
        if description.minimum is not None:
            assert (control.minimum, control.maximum) == (description.minimum, description.maximum)
    for preset in POINTS_PRESETS:
        hands.choose(widget.ui.presetComboBox, preset.title)
        assert widget.panel.values() == preset.parameters.to_dict()
    widget.panel.node.parameters.outliers = 0.77
    assert "Changed under Advanced: outliers" in widget.ui.presetHelpLabel.text
    offered = widget.panel.form.widgets["features"]
    assert [offered.itemData(n) for n in range(offered.count)][:2] == ["none", "lung-points"]


# ---------------------------------------------------------------------------------------------------------- in the panel
def test_views_without_a_volume_show_the_points(warm_app, hands, widget, tmp_path):
    import slicer

    manager = slicer.app.layoutManager()
    manager.viewport().show()
    apply(warm_app, hands, widget)
    manager.resetThreeDViews()
    warm_app.process_events(0.2)
    for view in (manager.sliceWidget("Red").sliceView(), manager.threeDWidget(0).threeDView()):
        seen = pixels(screenshot(view)).astype(int)
        yellow = (seen[..., 0] > 120) & (seen[..., 1] > 80) & (seen[..., 2] < 90)
        screenshot(view, tmp_path / "view.png")
        blue = (seen[..., 2] > 150) & (seen[..., 0] < 110) & (seen[..., 1] < 190)  # reliable
        assert yellow.sum() > 10, view
        assert blue.sum() > 30, view
    assert widget.ui.gridCheckBox.checked
    # Size and confidence.
    before = made(widget, "fixedCloud").GetPolyData().GetBounds()[1]
    centre = centres(made(widget, "fixedCloud"))
    widget.ui.pointSizeSlider.value = 300
    assert made(widget, "fixedCloud").GetPolyData().GetBounds()[1] > before + 0.2
    assert np.allclose(centres(made(widget, "fixedCloud")), centre, atol=1e-4)
    widget.ui.leastConfidenceSlider.value = 50
    display = made(widget, "correspondences").GetDisplayNode()
    assert display.GetThresholdEnabled()
    assert display.GetThresholdMin() == 0.5
    assert display.GetActiveScalarName() == "Confidence"
    manager.viewport().hide()


def test_each_run_makes_new_nodes_unless_others_are_chosen_and_undo_takes_all_away(warm_app, hands, widget):
    import slicer

    slicer.mrmlScene.SetUndoOn()
    before, no_models = nodes(), models()
    apply(warm_app, hands, widget)
    first = made(widget, "correspondences")
    assert len(models()) == len(no_models) + 4
    assert len(nodes()) == len(before) + 1
    slicer.mrmlScene.Undo()
    assert nodes() == before
    assert models() == no_models
    apply(warm_app, hands, widget)
    first = made(widget, "correspondences")
    widget.panel.node.correspondencesOutput = first
    for name in ("fixedCloud", "movingCloud", "movedCloud"):
        setattr(widget.panel.node, f"{name}Wanted", False)
    for name in ("fixedCloud", "movedCloud"):
        assert made(widget, name).GetDisplayNode().GetVisibility()
    second = made(widget, "movedCloud")
    count, data = len(models()), first.GetPolyData()
    apply(warm_app, hands, widget)
    assert made(widget, "correspondences") is first
    assert first.GetPolyData() is not data
    assert len(models()) == count
    assert np.array_equal(vtk_to_numpy(first.GetPolyData().GetPoints().GetData()), vtk_to_numpy(data.GetPoints().GetData()))  # bit for bit
    assert first.GetDisplayNode().GetVisibility()
    assert not second.GetDisplayNode().GetVisibility()
    assert made(widget, "fixedCloud") is None
    assert not widget.ui.fixedCloudShowCheckBox.enabled


def test_cancel_and_errors_change_nothing_and_apply_works_again(warm_app, hands, widget, lists):
    import slicer

    everything = slicer.mrmlScene.GetNumberOfNodes()
    many = add_points("many", np.random.default_rng(0).uniform(-90, 90, size=(3000, 3)))
    node = widget.panel.node
    node.fixedPoints = node.movingPoints = many
    node.fixedPoints, node.movingPoints = many, add_points("more", np.random.default_rng(1).uniform(-90, 90, size=(3000, 3)))
    node.parameters.drift_iterations = 900
    before, no_models = nodes(), models()
    hands.click(widget.ui.applyButton)
    warm_app.wait_for(lambda: "fitting" in widget.ui.stageLabel.text.lower(), 30, "the computation")
    assert widget.ui.applyButton.text == "Cancel"
    assert widget.ui.progressBar.visible
    hands.click(widget.ui.applyButton)
    finish(warm_app, widget, 10)
    assert "Stopped by the user" in widget.ui.resultLabel.text
    assert (nodes(), models()) == (before, no_models)
    # Points on one line do not determine a deformation.
    straight = add_points("straight", np.array([[n, 2.0 * n, -n] for n in range(0, 100, 5)], dtype=float))
    node.fixedPoints, node.movingPoints = straight, lists[1]
    line = apply(warm_app, hands, widget)
    assert "lie on one line" in line
    assert "\n" not in line
    assert (len(models()), len(nodes())) == (len(no_models), len(before) + 1)
    node.parameters.drift_iterations = 150
    node.fixedPoints, node.movingPoints = lists
    assert "reliable" in apply(warm_app, hands, widget)
    assert slicer.mrmlScene.GetNumberOfNodes() > everything


def test_scene_saved_loaded_and_gone_on_with(warm_app, hands, widget, tmp_path):
    import slicer

    summary = apply(warm_app, hands, widget)
    begin, end, confidence = (array.copy() for array in line_ends(widget))
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear()
    warm_app.process_events()
    assert widget.panel.node.fixedPoints is None
    assert not widget.ui.applyButton.enabled
    assert not widget.ui.pointSizeSlider.enabled
    slicer.util.loadScene(str(path))
    warm_app.process_events()
    node = widget.panel.node
    assert node.fixedPoints.GetName() == "before"
    assert node.movingPoints.GetName() == "after"
    assert widget.ui.resultLabel.text == summary
    again = line_ends(widget)
    assert np.allclose(again[0], begin, atol=1e-3)
    assert np.allclose(again[1], end, atol=1e-3)
    assert np.allclose(again[2], confidence, atol=1e-5)
    assert np.allclose(through(made(widget, "transform"), end), begin, atol=0.1)
    display = made(widget, "correspondences").GetDisplayNode()
    color = [0.0, 0.0, 0.0, 0.0]
    assert display.GetActiveScalarName() == "Confidence"
    assert display.GetColorNode().GetColor(100, color)
    assert color[1] > color[0]
    assert len(centres(made(widget, "movedCloud"))) == len(begin)
    assert "reliable" in apply(warm_app, hands, widget)


# --------------------------------------------------------------------------------------------------------------- scripts


def test_a_script_registers_without_a_panel(warm_app, lists):
    warm_app.load_module("DeepRegPoints")
    from DeepRegPoints import DeepRegPointsLogic, DeepRegPointsTest

    logic = DeepRegPointsLogic()
    result = logic.register(*lists, preset="landmarks", outputs=("transform", "movedCloud"))
    assert set(result.nodes) == {"transform", "movedCloud"}
    assert "reliable" in result.summary
    for arguments, words in (
        ({"preset": "lnug"}, "did you mean lung"),
        ({"parameters": {"outlier": 1}}, "did you mean outliers"),
        ({"outputs": ("lines",)}, "there is no output"),
    ):
        with pytest.raises(RuntimeError, match=words):
            logic.register(*lists, **arguments)
    DeepRegPointsTest().runTest()


def test_landmarks_of_real_lungs_find_their_partners(warm_app, shared_data):
    """51 places that an observer found in two breathing states of one patient, given in another order."""
    warm_app.load_module("DeepRegPoints")
    from DeepRegPoints import DeepRegPointsLogic

    files = [shared_data / "thorax" / f"CT_3D_lung_{side}_point_set_corrected.txt" for side in ("fixed", "moving")]
    if not all(path.is_file() for path in files):
        pytest.skip("the landmarks are not there")
    pairs = [np.loadtxt(path, skiprows=2) @ RAS for path in files]
    order = np.random.default_rng(4).permutation(len(pairs[1]))
    given = add_points("fixed", pairs[0]), add_points("moving", pairs[1][order])
    result = DeepRegPointsLogic().register(*given, preset="landmarks", outputs=("transform", "correspondences"))
    before = np.linalg.norm(pairs[0] - pairs[1], axis=1).mean()
    moved = through(result.nodes["transform"], pairs[0], inverse=True)
    after = np.linalg.norm(moved - pairs[1], axis=1)
    assert after.mean() < 0.4 * before, (before, after.mean())


# ---------------------------------------------------------------------------------------------------------------- layout


@pytest.mark.parametrize("width", [350, 450, 600])
def test_no_text_is_cut_off(warm_app, hands, widget, width, tmp_path):
    ui, panel = widget.ui, widget.parent
    check_texts(warm_app, widget, width, 2100)
    for height in (500, 1200):
        panel.resize(width, height)
        warm_app.process_events()
        for label in (ui.kindLabel, ui.presetHelpLabel):
            lines = label.heightForWidth(label.width) / label.fontMetrics().lineSpacing()
            assert label.height >= label.heightForWidth(label.width), (height, label.text)
            assert lines < 4.0, (height, label.text)
    assert pixels(screenshot(panel, tmp_path / "panel.png")).std() > 10
