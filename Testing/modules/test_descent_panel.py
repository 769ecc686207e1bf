"""The Descent panel under a user's hands: modalities, features as colours, iterations as a sequence, energy as a plot."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from panels import applied, finish, landmark_error, load_points, nodes, opened, world_image
from test_dense_panel import check_volume_and_transform
from vtk.util.numpy_support import vtk_to_numpy
from world import TURN, add_linear, add_warp, matrix4, through

QUICK = {"features": "mind", "working_spacing": 6.0, "levels": 2, "iterations": 6}
FEATURES = ("fixedFeatures", "movingFeatures", "warpedFeatures")
SHOWN = ("vtkMRMLSequenceNode", "vtkMRMLSequenceBrowserNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode")
# A turn and a shift, beyond which all has to be right.
ABOVE = matrix4(TURN, (20.0, -30.0, 40.0))


def quick(widget, **changes) -> None:
    """Parameters with which a small phantom takes a second."""
    for name, value in {**QUICK, **changes}.items():
        setattr(widget.panel.node.parameters, name, value)


def everything() -> dict[str, int]:
    """How many nodes of each kind there are."""
    import slicer

    kinds = (*SHOWN, "vtkMRMLVolumeNode", "vtkMRMLTransformNode", "vtkMRMLStorageNode")
    return {kind: len(slicer.util.getNodesByClass(kind)) for kind in kinds}


def layers() -> tuple[str, str]:
    """Names of what the red view shows below and above."""
    import slicer

    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    found = [
        slicer.mrmlScene.GetNodeByID(name) if name else None
        for name in (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
    ]
    return tuple(node.GetName() if node is not None else "" for node in found)


def browser(widget):
    from DeepRegDescentLib.iterations import browserOf

    return browserOf(widget.panel.node.resultIterations)


def moved(widget):
    from DeepRegDescentLib.iterations import movedOf

    return movedOf(widget.panel.node.resultIterations)


def proxy(widget):
    return browser(widget).GetProxyNode(widget.panel.node.resultIterations)


@pytest.fixture
def widget(warm_app, pair):
    widget = opened(warm_app, "DeepRegDescent")
    quick(widget)
    return widget


@pytest.fixture
def all_outputs(widget):
    widget.panel.node.featuresWanted = widget.panel.node.iterationsWanted = True
    widget.panel.node.keptIterations = 5
    return widget


# ----------------------------------------------------------------------------------------------------------------- choose


def test_modalities_stand_beside_their_volumes(warm_app, hands, widget):
    ui, node = widget.ui, widget.panel.node
    assert "fixed_modality" not in widget.panel.form.widgets
    assert "moving_modality" not in widget.panel.form.widgets
    assert not ui.fixedModalityComboBox.enabled  # a formula is the same for all
    hands.choose(ui.presetComboBox, "CT with cone-beam CT")
    node.parameters.features = "any-contrast"
    assert ui.fixedModalityComboBox.enabled
    assert ui.fixedModalityComboBox.currentText == "Other"
    hands.choose(ui.fixedModalityComboBox, "CT")
    assert node.parameters.fixed_modality == "ct"
    assert ui.presetHelpLabel.text.endswith("Changed under Advanced: features.")
    node.parameters.moving_modality = "mr"
    assert ui.movingModalityComboBox.currentText == "MR"
    # What the user has said of a volume stays; what a preset said goes with it.
    node.parameters.moving_modality = "other"
    hands.choose(ui.presetComboBox, "MR with CT, abdomen")
    assert (ui.fixedModalityComboBox.currentText, ui.movingModalityComboBox.currentText) == ("CT", "Automatic")
    request = widget.panel.request()
    assert request.parameters["fixed_modality"] == "ct"
    assert request.parameters["moving_modality"] == "auto"


def test_every_other_parameter_has_its_widget_and_presets_set_them(warm_app, hands, widget):
    from deepreg_engine.methods.descent.parameters import DescentParameters
    from deepreg_engine.methods.descent.presets import DESCENT_PRESETS

    names = {description.name for description in DescentParameters.describe()}
    assert set(widget.panel.form.widgets) == names - {"fixed_modality", "moving_modality"}
    for preset in DESCENT_PRESETS:
        hands.choose(widget.ui.presetComboBox, preset.title)
        assert widget.panel.values() == preset.parameters.to_dict()
        assert "about" in widget.ui.memoryLabel.text
    widget.panel.node.parameters.fluid = 3.0
    assert "Changed under Advanced: fluid" in widget.ui.presetHelpLabel.text


@pytest.mark.parametrize(
    ("wrong", "words"), [("the same", "are the same"), ("two outputs", "fixed features and warped features have the same output")]
)
def test_apply_says_why_it_cannot(warm_app, widget, pair, wrong, words):
    import slicer

    node = widget.panel.node
    if wrong == "the same":
        node.movingVolume = pair[0]
    else:
        node.featuresWanted = True
        node.fixedFeaturesOutput = node.warpedFeaturesOutput = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "output")
    assert not widget.ui.applyButton.enabled
    assert words in widget.ui.applyButton.toolTip.lower()


# ------------------------------------------------------------------------------------------------------------------ apply


@pytest.mark.parametrize("parents", ["none", "both, differently"])
def test_apply_registers_under_parent_transforms(warm_app, hands, widget, pair, phantom_folder, parents):
    landmarks = [load_points(phantom_folder / f"{side}_landmarks.csv", side) for side in ("fixed", "moving")]
    turn = np.deg2rad(8.0)
    small = np.array([[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]])
    above = (None, None) if parents == "none" else (add_linear("a", ABOVE), add_linear("b", matrix4(TURN @ small, (25.0, -20.0, 30.0))))
    for node, points, parent in zip(pair, landmarks, above):
        for one in (node, points):
            one.SetAndObserveTransformNodeID(parent.GetID() if parent else None)
    before = nodes()
    widget.panel.node.testFixed, widget.panel.node.testMoving = landmarks
    widget.panel.node.inverseWanted = widget.panel.node.jacobianWanted = True
    line = applied(warm_app, hands, widget)
    assert "folding 0.00 %" in line and "landmarks" in line and "inverse within" in line, line
    transform = widget.panel.node.resultTransform
    report = json.loads(transform.GetAttribute("DeepReg.Report"))
    assert report["method"] == "descent"
    assert "iterations" not in report
    assert report["landmarks"]["after"]["mean"] < 0.5 * report["landmarks"]["before"]["mean"]
    assert landmark_error(transform, *landmarks) == pytest.approx(report["landmarks"]["after"]["mean"], abs=0.15)
    check_volume_and_transform(widget.panel.node.resultVolume, transform, pair[1])
    assert len(nodes()) == len(before) + 4
    assert not widget.ui.showFeaturesCheckBox.enabled
    assert not widget.ui.showIterationsCheckBox.enabled


def test_features_are_colours_where_the_volumes_are(warm_app, hands, all_outputs, pair):
    import slicer

    widget, ui = all_outputs, all_outputs.ui
    above = [add_linear("a", ABOVE), add_linear("b", matrix4(TURN, (25.0, -20.0, 30.0)))]
    for node, parent in zip(pair, above):
        node.SetAndObserveTransformNodeID(parent.GetID())
    applied(warm_app, hands, widget)
    node = widget.panel.node
    found = {name: getattr(node, f"{name}Result") for name in FEATURES}
    for name, volume in found.items():
        assert volume.GetClassName() == "vtkMRMLVectorVolumeNode"
        assert volume.GetImageData().GetNumberOfScalarComponents() == 3
        assert volume.GetImageData().GetScalarTypeAsString() == "unsigned char"
        assert volume.GetParentTransformNode() is None
        like = pair[1] if name == "movingFeatures" else pair[0]
        image, reference = world_image(volume), world_image(like)
        size = like.GetImageData().GetDimensions()
        assert volume.GetImageData().GetDimensions() == size
        for index in ([0, 0, 0], [n - 1 for n in size]):
            assert np.allclose(image.TransformIndexToPhysicalPoint(index), reference.TransformIndexToPhysicalPoint(index), atol=1e-4)
    fixed, warped = (slicer.util.arrayFromVolume(found[name]).astype(float) for name in ("fixedFeatures", "warpedFeatures"))
    body = slicer.util.arrayFromVolume(pair[0]) > -300
    assert np.corrcoef(fixed[body].ravel(), warped[body].ravel())[0, 1] > 0.7  # the same colours for the same
    # The moving volume's colours, through the transform, are the warped ones.
    index = np.argwhere(body)[::997]
    image, moving = world_image(found["warpedFeatures"]), world_image(found["movingFeatures"])
    lps = np.array([image.TransformIndexToPhysicalPoint([int(i), int(j), int(k)]) for k, j, i in index])
    there = through(node.resultTransform, lps * (-1, -1, 1), inverse=True) * (-1, -1, 1)
    at = [moving.TransformPhysicalPointToIndex(point.tolist()) for point in there]
    inside = [all(0 <= a < n for a, n in zip(place, moving.GetSize())) for place in at]
    seen = slicer.util.arrayFromVolume(found["movingFeatures"])
    pairs = [(warped[tuple(index[n])], seen[at[n][::-1]]) for n in range(len(at)) if inside[n]]
    assert len(pairs) > 10
    assert np.mean([np.abs(a - b).mean() for a, b in pairs]) < 25.0
    # Show, fade, and back.
    assert layers() == ("fixed", "moving warped")
    hands.click(ui.showFeaturesCheckBox)
    assert layers() == ("Features of fixed", "Features of moving warped")
    ui.fadeSlider.value = 30
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert composite.GetForegroundOpacity() == pytest.approx(0.3)
    hands.click(ui.showFeaturesCheckBox)
    assert layers() == ("fixed", "moving warped")
    assert not ui.showFeaturesCheckBox.checked


@pytest.mark.parametrize("parent", ["none", "rigid", "warp"])
def test_iterations_are_a_sequence_that_moves_a_copy(warm_app, hands, all_outputs, pair, parent):
    import slicer

    widget, ui, node = all_outputs, all_outputs.ui, all_outputs.panel.node
    if parent != "none":
        above = add_linear("above", ABOVE) if parent == "rigid" else add_warp("above", 2.0)
        for volume in pair:
            volume.SetAndObserveTransformNodeID(above.GetID())
    applied(warm_app, hands, widget)
    sequence, count = node.resultIterations, node.resultIterations.GetNumberOfDataNodes()
    assert sequence.GetIndexName() == "iteration"
    assert sequence.GetNthIndexValue(0) == "0"
    assert 4 <= count <= 8
    assert browser(widget).GetMasterSequenceNode() is sequence
    assert browser(widget).GetSelectedItemNumber() == count - 1
    assert moved(widget).GetParentTransformNode() is proxy(widget)
    points = np.array([[0.0, 0.0, 0.0], [20.0, 15.0, -10.0], [-25.0, 10.0, 12.0]]) + (
        0.0 if parent == "none" else ABOVE[:3, 3] * (parent == "rigid")
    )
    final = through(node.resultTransform, points, inverse=True)
    apart = []
    for item in range(count):
        browser(widget).SetSelectedItemNumber(item)
        apart.append(np.linalg.norm(through(proxy(widget), points, inverse=True) - final, axis=1).mean())
    assert apart[-1] < 2.0 and apart[-1] < 0.35 * apart[0], apart  # a coarse grid of a coarse run
    # The copy is the moving volume as the world sees it, with its voxels unless it had to be drawn anew.
    shared = (
        vtk_to_numpy(moved(widget).GetImageData().GetPointData().GetScalars()),
        vtk_to_numpy(pair[1].GetImageData().GetPointData().GetScalars()),
    )
    assert np.shares_memory(*shared) == (parent != "warp")
    moved(widget).SetAndObserveTransformNodeID(None)
    if parent != "warp":
        bounds = np.zeros((2, 6))
        for volume, row in zip((moved(widget), pair[1]), bounds):
            volume.GetRASBounds(row)
        assert np.allclose(*bounds, atol=1e-3)
    moved(widget).SetAndObserveTransformNodeID(proxy(widget).GetID())
    # Seen and played from the panel.
    assert not ui.iterationsPlayer.visible
    hands.click(ui.showIterationsCheckBox)
    assert ui.iterationsPlayer.visible
    assert layers() == ("fixed", "moving at iteration")
    assert proxy(widget).GetDisplayNode().GetVisibility2D()
    assert not node.resultTransform.GetDisplayNode().GetVisibility2D()
    seek, play = widget.panel.resultSection._players
    seek.slider().value = 1
    assert browser(widget).GetSelectedItemNumber() == 1
    browser(widget).SetPlaybackRateFps(60)
    hands.click(play.pushButton_VcrPlayPause)
    warm_app.wait_for(lambda: browser(widget).GetSelectedItemNumber() > 2, 10, "the film")
    hands.click(ui.showIterationsCheckBox)
    assert not browser(widget).GetPlaybackActive()
    assert layers() == ("fixed", "moving warped")
    assert node.resultTransform.GetDisplayNode().GetVisibility2D()
    assert not proxy(widget).GetDisplayNode().GetVisibility2D()
    assert not slicer.util.getNodesByClass("vtkMRMLSequenceNode")[1:]


def test_energy_is_a_plot_with_a_line_for_each_resolution(warm_app, hands, widget):
    import slicer

    applied(warm_app, hands, widget)
    table, chart = widget.panel.node.energyTable, widget.panel.node.energyChart
    report = json.loads(widget.panel.node.resultTransform.GetAttribute("DeepReg.Report"))
    spacings = sorted({entry["spacing_mm"] for entry in report["energies"]}, reverse=True)
    assert [chart.GetNthPlotSeriesNode(n).GetName() for n in range(chart.GetNumberOfPlotSeriesNodes())] == [
        f"{spacing:.3g} mm voxels" for spacing in spacings
    ]
    assert len(spacings) == 2
    assert table.GetNumberOfRows() == len(report["energies"])
    assert "%" in chart.GetYAxisTitle()
    assert chart.GetXAxisTitle() == "Iteration"
    values = np.array([[table.GetTable().GetColumn(1 + n).GetValue(row) for n in range(2)] for row in range(table.GetNumberOfRows())])
    assert np.array_equal(np.isfinite(values).sum(axis=1), np.ones(len(values)))
    assert np.allclose(np.nansum(values, axis=1), [100.0 * entry["energy"] for entry in report["energies"]])
    hands.click(widget.ui.energyButton)
    view = slicer.app.layoutManager().plotWidget(0).mrmlPlotViewNode()
    assert view.GetPlotChartNodeID() == chart.GetID()
    # Another run, of another number of resolutions, takes their place.
    before = {kind: everything()[kind] for kind in SHOWN}
    for levels, lines in ((1, 1), (2, 2)):
        quick(widget, levels=levels)
        applied(warm_app, hands, widget)
        assert (widget.panel.node.energyTable, widget.panel.node.energyChart) == (table, chart)
        assert chart.GetNumberOfPlotSeriesNodes() == lines
    assert {kind: everything()[kind] for kind in SHOWN} == before


def test_chosen_outputs_are_filled_again(warm_app, hands, all_outputs):
    widget, node = all_outputs, all_outputs.panel.node
    applied(warm_app, hands, widget)
    made = {name: getattr(node, f"{name}Result") for name in FEATURES}
    sequence, film, copy = node.resultIterations, browser(widget), moved(widget)
    node.transformOutput, node.volumeOutput, node.iterationsOutput = node.resultTransform, node.resultVolume, sequence
    for name, volume in made.items():
        setattr(node, f"{name}Output", volume)
    hands.click(widget.ui.showIterationsCheckBox)
    before = everything()
    quick(widget, iterations=9)
    node.keptIterations = 7
    applied(warm_app, hands, widget)
    assert everything() == before
    assert (node.resultIterations, browser(widget), moved(widget)) == (sequence, film, copy)
    assert {name: getattr(node, f"{name}Result") for name in FEATURES} == made
    assert layers() == ("fixed", "moving warped")
    assert not widget.ui.showIterationsCheckBox.checked
    assert film.GetSelectedItemNumber() == sequence.GetNumberOfDataNodes() - 1


def test_features_without_a_warped_volume(warm_app, hands, widget):
    ui, node = widget.ui, widget.panel.node
    assert "tick Feature maps under Outputs" in ui.showFeaturesCheckBox.toolTip
    node.featuresWanted, node.volumeWanted = True, False
    applied(warm_app, hands, widget)
    assert not ui.fadeSlider.enabled
    assert ui.showFeaturesCheckBox.enabled
    assert "fading changes no colour" in ui.showFeaturesCheckBox.toolTip
    hands.click(ui.showFeaturesCheckBox)
    assert layers() == ("Features of fixed", "Features of moving warped")
    assert ui.fadeSlider.enabled
    hands.click(ui.showFeaturesCheckBox)
    assert layers() == ("fixed", "")
    assert not ui.fadeSlider.enabled


def test_a_model_that_is_not_there_is_told_in_one_line(warm_app, hands, widget):
    widget.panel.node.parameters.features = "no-such-model"
    before = everything()
    line = applied(warm_app, hands, widget)
    assert "no-such-model" in line
    assert "\n" not in line
    assert everything() == before


def test_only_the_last_result_shows_its_grid(warm_app, hands, all_outputs):
    node = all_outputs.panel.node
    applied(warm_app, hands, all_outputs)
    hands.click(all_outputs.ui.showIterationsCheckBox)
    first = node.resultTransform, proxy(all_outputs)
    browser(all_outputs).SetPlaybackActive(True)
    film = browser(all_outputs)
    applied(warm_app, hands, all_outputs)
    assert node.resultTransform is not first[0]
    assert proxy(all_outputs) is not first[1]
    assert not film.GetPlaybackActive()
    assert not any(other.GetDisplayNode().GetVisibility2D() for other in first)
    assert node.resultTransform.GetDisplayNode().GetVisibility2D()
    assert all_outputs.ui.gridCheckBox.checked


# -------------------------------------------------------------------------------------------------------- nothing is left


def test_cancel_leaves_nothing(warm_app, hands, all_outputs):
    quick(all_outputs, iterations=1000)
    before = everything()
    hands.click(all_outputs.ui.applyButton)
    warm_app.wait_for(lambda: all_outputs.ui.progressBar.value > 100, 20)
    begun = time.monotonic()
    hands.click(all_outputs.ui.applyButton)
    finish(warm_app, all_outputs, 5)
    assert time.monotonic() - begun < 1.0
    assert everything() == before
    assert "Stopped by the user" in all_outputs.ui.resultLabel.text


def test_failure_leaves_nothing(warm_app, hands, all_outputs, monkeypatch):
    from DeepRegDescentLib import energy

    def fails(*_arguments):
        raise MemoryError

    before = everything()
    with monkeypatch.context() as patch:
        patch.setattr(energy, "fillChart", fails)
        line = applied(warm_app, hands, all_outputs)
        assert "ran out of memory" in line
        assert "\n" not in line
    assert everything() == before
    assert "folding" in applied(warm_app, hands, all_outputs)


def test_one_step_of_undo_takes_all_away(warm_app, hands, all_outputs):
    import slicer

    slicer.mrmlScene.SetUndoOn()
    before = {kind: everything()[kind] for kind in (*SHOWN, "vtkMRMLVolumeNode")}
    names = nodes()
    applied(warm_app, hands, all_outputs)
    slicer.mrmlScene.Undo()
    warm_app.process_events()
    assert nodes() == names
    assert {kind: everything()[kind] for kind in before} == before
    assert all_outputs.ui.applyButton.enabled


# ------------------------------------------------------------------------------------------------------------------ scene


def test_scene_saved_and_loaded_plays_on(warm_app, hands, all_outputs, tmp_path):
    import slicer

    widget = all_outputs
    summary = applied(warm_app, hands, widget)
    points = np.array([[0.0, 0.0, 0.0], [25.0, -15.0, 10.0], [-20.0, 10.0, -12.0]])
    count = browser(widget).GetNumberOfItems()
    expected = []
    for item in range(count):
        browser(widget).SetSelectedItemNumber(item)
        expected.append(through(proxy(widget), points, inverse=True))
    colours = slicer.util.arrayFromVolume(widget.panel.node.warpedFeaturesResult).copy()
    text = [widget.panel.node.energyTable.GetCellText(row, 2) for row in range(widget.panel.node.energyTable.GetNumberOfRows())]
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear()
    warm_app.process_events()
    assert not widget.ui.showIterationsCheckBox.enabled
    assert not widget.ui.energyButton.enabled
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    warm_app.process_events()
    node = widget.panel.node
    assert widget.ui.resultLabel.text == summary
    assert browser(widget).GetNumberOfItems() == count
    for item in range(count):
        browser(widget).SetSelectedItemNumber(item)
        assert np.allclose(through(proxy(widget), points, inverse=True), expected[item], atol=2e-3), item
    assert moved(widget).GetParentTransformNode() is proxy(widget)
    assert np.array_equal(slicer.util.arrayFromVolume(node.warpedFeaturesResult), colours)
    loaded = [node.energyTable.GetCellText(row, 2) for row in range(node.energyTable.GetNumberOfRows())]
    assert [float(a) for a in loaded] == pytest.approx([float(a) for a in text], nan_ok=True, rel=1e-4)
    hands.click(widget.ui.showIterationsCheckBox)
    assert layers() == ("fixed", "moving at iteration")
    hands.click(widget.ui.showFeaturesCheckBox)
    assert layers()[0] == "Features of fixed"
    assert not widget.ui.showIterationsCheckBox.checked
    hands.click(widget.ui.energyButton)
    assert "folding" in applied(warm_app, hands, widget)


# ---------------------------------------------------------------------------------------------------------------- scripts


def test_a_script_registers_mr_to_ct_without_a_panel(warm_app, tmp_path):
    import slicer

    from deepreg_engine.phantoms import make_pair, write_pair

    warm_app.load_module("DeepRegDescent")
    from DeepRegDescent import DeepRegDescentLogic

    write_pair(make_pair("abdomen", detail=0.35, modality_pair="mr-ct"), tmp_path)
    pair = [slicer.util.loadVolume(str(tmp_path / f"{side}.nii.gz")) for side in ("fixed", "moving")]
    landmarks = [load_points(tmp_path / f"{side}_landmarks.csv", side) for side in ("fixed", "moving")]
    logic = DeepRegDescentLogic()
    wanted = ("transform", "features", "iterations", "energy")
    changes = {**QUICK, "fixed_modality": "mr", "moving_modality": "ct"}
    result = logic.register(
        *pair, preset="quick", parameters=changes, outputs=wanted, keptIterations=4, testFixed=landmarks[0], testMoving=landmarks[1]
    )
    assert set(result.nodes) == {"transform", *FEATURES, "iterations", "browser", "iterationTransform", "moved", "energy", "chart"}
    assert result.report["landmarks"]["after"]["mean"] < 0.9 * result.report["landmarks"]["before"]["mean"]
    assert json.loads(result.nodes["iterations"].GetAttribute("DeepReg.Parameters"))["moving_modality"] == "ct"
    for arguments, words in (
        ({"preset": "quik"}, "did you mean quick"),
        ({"parameters": {"fluit": 1}}, "did you mean fluid"),
        ({"outputs": ("uncertainty",)}, "there is no output"),
        ({"outputs": ("fixedFeatures",)}, "there is no output"),
        ({"guideFixed": landmarks[0], "guideMoving": landmarks[1]}, "takes no guiding landmarks"),
    ):
        with pytest.raises(RuntimeError, match=words):
            logic.register(*pair, **arguments)


def test_the_modules_own_test(warm_app):
    warm_app.load_module("DeepRegDescent")
    from DeepRegDescent import DeepRegDescentTest

    DeepRegDescentTest().runTest()


# ------------------------------------------------------------------------------------------------------------------ looks


@pytest.mark.parametrize("width", [350, 600])
def test_no_text_is_cut_off(warm_app, hands, all_outputs, width):
    import qt

    applied(warm_app, hands, all_outputs)
    hands.click(all_outputs.ui.showIterationsCheckBox)
    for name in ("moreInputs", "outputs", "advanced", "result"):
        getattr(all_outputs.ui, f"{name}CollapsibleButton").collapsed = False
    panel = all_outputs.parent
    panel.resize(width, 1900)
    warm_app.process_events()
    for label in panel.findChildren(qt.QLabel):
        if label.visible and label.text and not label.wordWrap:
            assert label.width >= label.sizeHint.width(), label.text
    for button in [*panel.findChildren(qt.QPushButton), *panel.findChildren(qt.QCheckBox)]:
        if button.visible and button.text:
            assert button.width >= button.sizeHint.width() - 2, button.text
    assert panel.width == width


def test_the_player_is_reached_with_the_keyboard_where_it_is_seen(warm_app, hands, all_outputs):
    import qt

    applied(warm_app, hands, all_outputs)
    hands.click(all_outputs.ui.showIterationsCheckBox)
    chain, at = [], all_outputs.ui.parameterNodeSelector
    for _ in range(500):
        at = at.nextInFocusChain()
        if at.focusPolicy != qt.Qt.NoFocus and at.visible:
            chain.append(at.objectName)
    wanted = [
        "fixedModalityComboBox",
        "movingModalityComboBox",
        "presetComboBox",
        "applyButton",
        "showIterationsCheckBox",
        "slider_IndexValue",
        "pushButton_VcrFirst",
        "pushButton_VcrPlayPause",
        "energyButton",
    ]
    positions = [chain.index(name) for name in wanted]
    assert positions == sorted(positions), chain
