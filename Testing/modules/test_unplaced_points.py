"""Points that are not placed, in the lists of panels: the others keep their partners, and the result says what was left out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from inspector_bench import displacement, inner, markups, scene_fixture, settle, widget_fixture  # noqa: F401 - fixtures
from panels import applied, load_points, quick

LEFT_OUT = "Note: 2 of {count} pairs of {kind} landmarks have a point without a position and were left out."


def test_a_run_pairs_by_position_and_its_result_line_says_so(warm_app, hands, dense_widget, pair, phantom_folder, tmp_path):
    import slicer

    widget, node = dense_widget, dense_widget.panel.node
    quick(widget)
    fixed, moving = (load_points(phantom_folder / f"{side}_landmarks.csv", side) for side in ("fixed", "moving"))
    count = fixed.GetNumberOfControlPoints()
    fixed.UnsetNthControlPointPosition(2)
    moving.UnsetNthControlPointPosition(30)
    node.testFixed, node.testMoving, node.guideFixed, node.guideMoving = fixed, moving, fixed, moving
    line = applied(warm_app, hands, widget)
    report = json.loads(node.resultTransform.GetAttribute("DeepReg.Report"))
    assert report["landmarks"]["after"]["count"] == count - 2
    assert report["landmarks"]["after"]["mean"] < 0.3 * report["landmarks"]["before"]["mean"] < 6.0
    for kind in ("guide", "check"):
        note = LEFT_OUT.format(count=count, kind=kind)
        assert note in line.splitlines()
        assert note[6:-1] in report["notes"]
        assert note[6:-1] in widget.ui.logTextEdit.plainText
    # The notes are saved with the result line.
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear()
    slicer.util.loadScene(str(path))
    warm_app.process_events()
    assert widget.ui.resultLabel.text == line


@pytest.fixture
def lists(widget, slicer_app):
    """Eight pairs that the field of the scene takes onto each other; one point of either list is not placed."""
    points = inner(8)
    node = widget.panel.node
    node.fixedPoints, node.movingPoints = markups("f", points), markups("m", points + displacement(points))
    node.fixedPoints.UnsetNthControlPointPosition(1)
    node.movingPoints.UnsetNthControlPointPosition(5)
    settle(slicer_app, widget)
    return points


def test_the_inspector_pairs_by_position(slicer_app, hands, widget, scene, lists):
    pairs = widget.panel.sections["landmarks"].pairs
    assert pairs.indices == [(n, n) for n in (0, 2, 3, 4, 6, 7)]
    assert pairs.distances.max() < 0.05
    assert "Points without a partner: 2" in widget.ui.summaryLabel.text
    node = widget.panel.node
    figures = widget.logic.landmarkErrors(scene["transform"], node.fixedPoints, node.movingPoints, scene["fixed"])
    assert figures["after"]["max"] < 0.05
    assert figures["unpaired"] == 2
    # Ticks and removals concern the points of the pair.
    import qt

    widget.ui.pairsTable.item(1, 0).setCheckState(qt.Qt.Unchecked)
    settle(slicer_app, widget)
    for points in (node.fixedPoints, node.movingPoints):
        assert [points.GetNthControlPointSelected(n) for n in range(8)] == [n != 2 for n in range(8)]
    widget.panel.sections["landmarks"].table.select(4)
    hands.click(widget.ui.removeButton)
    assert widget.panel.sections["landmarks"].pairs.names == ["1", "3", "4", "5", "8"]
    assert widget.panel.sections["landmarks"].pairs.distances.max() < 0.05
    hands.click(widget.ui.undoButton)
    settle(slicer_app, widget)
    assert widget.panel.sections["landmarks"].pairs.indices == pairs.indices
    np.testing.assert_allclose(widget.panel.sections["landmarks"].pairs.moving, pairs.moving)


def test_a_proposal_takes_the_place_of_the_missing_point_and_undo_gives_it_back(slicer_app, hands, widget, lists):
    node, section = widget.panel.node, widget.panel.sections["landmarks"]
    files = widget.panel.sections["landmarkFiles"]
    assert files.actions["propose"].enabled
    files.actions["propose"].trigger()
    settle(slicer_app, widget)
    assert section.pairs.indices == [(n, n) for n in (0, 2, 3, 4, 5, 6, 7)]
    assert section.pairs.notes[4].startswith("proposed")
    assert section.pairs.distances.max() < 3.0
    assert node.movingPoints.GetNumberOfControlPoints() == 8
    hands.click(widget.ui.undoButton)
    settle(slicer_app, widget)
    assert section.pairs.indices == [(n, n) for n in (0, 2, 3, 4, 6, 7)]
    assert section.pairs.distances.max() < 0.05
    hands.click(widget.ui.redoButton)
    settle(slicer_app, widget)
    assert len(section.pairs) == 7


def test_lists_of_different_length_without_labels_are_filled_at_their_place(slicer_app, widget, lists):
    node = widget.panel.node
    for points in (node.fixedPoints, node.movingPoints):
        for number in range(points.GetNumberOfControlPoints()):
            points.SetNthControlPointLabel(number, "")
    for number in (7, 6, 5):
        node.movingPoints.RemoveNthControlPoint(number)
    node.fixedPoints.UnsetNthControlPointPosition(5)
    widget.panel.sections["picking"].proposeMissing()
    settle(slicer_app, widget)
    assert widget.panel.sections["landmarks"].pairs.indices == [(n, n) for n in (0, 2, 3, 4, 6, 7)]
    assert widget.panel.sections["landmarks"].pairs.distances.max() < 3.0


@pytest.mark.parametrize("suffix", [".csv", ".fcsv", ".mrk.json"])
def test_exported_lists_keep_their_places(slicer_app, widget, lists, tmp_path, suffix):
    from deepreg_engine.geometry.points import read_pairs

    files, section = widget.panel.sections["landmarkFiles"], widget.panel.sections["landmarks"]
    before = section.pairs
    paths = {side: str(tmp_path / f"{side}{suffix}") for side in ("fixed", "moving")}
    for side, path in paths.items():
        files.exportPoints(side, path)
    notes: list[str] = []
    fixed, _moving = read_pairs(*paths.values(), notes=notes)
    np.testing.assert_allclose(fixed.positions * (-1, -1, 1), before.fixed, atol=1e-5)
    assert notes == ["2 of 8 pairs of landmarks have a point without a position and were left out"]
    for side, path in paths.items():
        files.importPoints(side, path)
        assert "7 points were read" in widget.ui.statusLabel.text
        assert "Points without a position, which keep their place: 1." in widget.ui.statusLabel.text
    settle(slicer_app, widget)
    assert section.pairs.indices == before.indices
    np.testing.assert_allclose(section.pairs.moving, before.moving, atol=1e-5)


def test_another_order_is_paired_by_label(slicer_app, widget, lists, scene):
    node, section = widget.panel.node, widget.panel.sections["landmarks"]
    order = [3, 0, 7, 1, 2, 6, 5, 4]
    shuffled = markups("m", (lists + displacement(lists))[order])
    for number, place in enumerate(order):
        shuffled.SetNthControlPointLabel(number, str(place + 1))
    node.movingPoints = shuffled
    settle(slicer_app, widget)
    assert section.pairs.distances.max() < 0.05
    assert "the same labels in another order: they were paired by label" in widget.ui.summaryLabel.text
    figures = widget.logic.landmarkErrors(scene["transform"], node.fixedPoints, shuffled)
    assert figures["after"]["max"] < 0.05
    assert "paired by label" in figures["notes"][0]
    shuffled.SetNthControlPointLabel(0, "apex")
    settle(slicer_app, widget)
    assert "7 of 8 landmarks have the same label in both lists: they were paired by label" in widget.ui.summaryLabel.text
    assert (len(section.pairs), section.pairs.distances.max() < 0.05) == (6, True)  # one is not placed
