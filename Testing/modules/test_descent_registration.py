"""Registration in the Descent panel: features as colours, iterations as a sequence, energy as a plot."""

from __future__ import annotations

import json

import numpy as np
import pytest
from descent_bench import ABOVE, FEATURES, SHOWN, browser, everything, layers, moved, proxy, quick
from panels import applied, check_volume_and_transform, drawn, landmark_error, load_points, nodes, world_image
from vtk.util.numpy_support import vtk_to_numpy
from world import TURN, add_linear, add_warp, matrix4, through


@pytest.fixture
def widget(descent_widget):
    return descent_widget


# ----------------------------------------------------------------------------------------------------------------- apply


@pytest.mark.parametrize("parents", ["none", "both, differently"])
def test_apply_registers_under_parent_transforms(warm_app, hands, widget, pair, phantom_folder, parents):
    landmarks = [load_points(phantom_folder / f"{side}_landmarks.csv", side) for side in ("fixed", "moving")]
    turn = np.deg2rad(8.0)
    small = np.array([[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]])
    above = (None, None) if parents == "none" else (add_linear("a", ABOVE), add_linear("b", matrix4(TURN @ small, (25.0, -20.0, 30.0))))
    for node, points, parent in zip(pair, landmarks, above, strict=False):
        for one in (node, points):
            one.SetAndObserveTransformNodeID(parent.GetID() if parent else None)
    before = nodes()
    widget.panel.node.testFixed, widget.panel.node.testMoving = landmarks
    widget.panel.node.inverseWanted = widget.panel.node.jacobianWanted = True
    line = applied(warm_app, hands, widget)
    assert "folding 0.00 %" in line, line
    assert "landmarks" in line, line
    assert "inverse within" in line, line
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
    for node, parent in zip(pair, above, strict=False):
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
    inside = [all(0 <= a < n for a, n in zip(place, moving.GetSize(), strict=False)) for place in at]
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
    assert apart[-1] < 2.0, apart
    assert apart[-1] < 0.35 * apart[0], apart  # a coarse grid of a coarse run
    # The copy is the moving volume as the world sees it, with its voxels unless it had to be resampled.
    shared = (
        vtk_to_numpy(moved(widget).GetImageData().GetPointData().GetScalars()),
        vtk_to_numpy(pair[1].GetImageData().GetPointData().GetScalars()),
    )
    assert np.shares_memory(*shared) == (parent != "warp")
    moved(widget).SetAndObserveTransformNodeID(None)
    if parent != "warp":
        bounds = np.zeros((2, 6))
        for volume, row in zip((moved(widget), pair[1]), bounds, strict=False):
            volume.GetRASBounds(row)
        assert np.allclose(*bounds, atol=1e-3)
    moved(widget).SetAndObserveTransformNodeID(proxy(widget).GetID())
    # Seen and played from the panel.
    assert not ui.iterationsPlayer.visible
    hands.click(ui.showIterationsCheckBox)
    assert ui.iterationsPlayer.visible
    assert layers() == ("fixed", "moving at iteration")
    assert drawn(proxy(widget)).GetVisibility2D()
    assert not drawn(node.resultTransform).GetVisibility2D()
    seek, play = widget.panel.resultSection._players
    seek.slider().value = 1
    assert browser(widget).GetSelectedItemNumber() == 1
    browser(widget).SetPlaybackRateFps(60)
    hands.click(play.pushButton_VcrPlayPause)
    warm_app.wait_for(lambda: browser(widget).GetSelectedItemNumber() > 2, 10, "the film")
    hands.click(ui.showIterationsCheckBox)
    assert not browser(widget).GetPlaybackActive()
    assert layers() == ("fixed", "moving warped")
    assert drawn(node.resultTransform).GetVisibility2D()
    assert not drawn(proxy(widget)).GetVisibility2D()
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


def test_a_model_that_is_not_there_is_reported_in_one_line(warm_app, hands, widget):
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
    assert not any(drawn(other).GetVisibility2D() for other in first)
    assert drawn(node.resultTransform).GetVisibility2D()
    assert all_outputs.ui.gridCheckBox.checked
