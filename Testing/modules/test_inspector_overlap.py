"""Overlap and inverse consistency in the Inspector; Dice against SimpleITK's."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from inspector_bench import IJK, SIZE, inner, points_of, scene_fixture, settle, widget_fixture  # noqa: F401 - fixtures
from panels import world_image
from world import add_linear, add_volume, matrix4


def balls(size, matrix, centres, radius) -> np.ndarray:
    points = points_of(size, matrix)
    array = np.zeros(len(points), dtype=np.uint8)
    for value, centre in enumerate(centres, start=1):
        array[np.linalg.norm(points - centre, axis=1) < radius] = value
    return array.reshape(size[::-1])


def test_overlap_before_and_after_and_inverse_consistency(warm_app, hands, widget, scene):
    shift = np.array([6.0, -4.0, 3.0])
    centres = inner(2, 4) * 0.2 + inner(2, 4).mean(axis=0) * 0.8 + np.array([[10.0, 0, 0], [-10.0, 0, 0]])
    fixed = add_volume("fixed organs", balls(SIZE, IJK, centres, 9.0), IJK, "vtkMRMLLabelMapVolumeNode")
    moving = add_volume("moving organs", balls(SIZE, IJK, centres + shift, 9.0), IJK, "vtkMRMLLabelMapVolumeNode")
    transform, inverse = (add_linear(name, matrix4(np.eye(3), sign * shift)) for name, sign in (("to fixed", -1), ("back", 1)))
    panel, ui = widget.panel, widget.ui
    panel.inspect(transform, fixedLabels=fixed, movingLabels=moving, inverseTransform=inverse, otherTransform=inverse)
    ui.overlapCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.click(ui.compareButton)
    settle(warm_app, widget)
    table = ui.overlapTable
    assert (table.rowCount, table.columnCount) == (3, 10)
    assert table.item(0, 0).text() == "mean"
    arrays = [np.array([[sitk_dice(fixed, moving, matrix, value)] for value in (1, 2)]).ravel() for matrix in (np.zeros(3), shift)]
    for row in (1, 2):
        assert float(table.item(row, 1).text()) == pytest.approx(arrays[0][row - 1], abs=1e-3)
        assert float(table.item(row, 2).text()) == pytest.approx(arrays[1][row - 1], abs=1e-3)
        assert arrays[1][row - 1] > 0.9
        assert float(table.item(row, 3).text()) < float(table.item(row, 1).text())  # the wrong direction
    assert "maximum 0.000 mm" in ui.consistencyLabel.text
    report = widget.logic.overlap(transform, fixed, moving)
    assert report["mean_after"]["dice"] == pytest.approx(arrays[1].mean(), abs=1e-3)
    # The user leaves the module during a new measurement, so no result is shown.
    hands.click(ui.compareButton)
    panel.node.otherTransform = None
    settle(warm_app, widget)
    warm_app.process_events(0.3)
    assert not table.isVisible()
    assert not panel.sections["overlap"].reports
    assert ui.compareButton.enabled
    figures = widget.logic.inverseConsistency(transform, inverse, scene["fixed"])
    assert figures["max"] < 1e-6
    wrong = widget.logic.inverseConsistency(transform, transform, scene["fixed"])
    assert wrong["mean"] == pytest.approx(2 * np.linalg.norm(shift), abs=1e-3)


def sitk_dice(fixed, moving, shift: np.ndarray, value: int) -> float:
    """Dice of a label after a translation, by SimpleITK."""
    one, two = world_image(fixed), world_image(moving)
    move = sitk.TranslationTransform(3, (shift * (-1, -1, 1)).tolist())
    drawn = sitk.Resample(two, one, move, sitk.sitkNearestNeighbor, 0)
    a, b = (sitk.GetArrayFromImage(image) == value for image in (one, drawn))
    return 2.0 * np.count_nonzero(a & b) / (a.sum() + b.sum())


def test_measuring_says_why_it_cannot(widget):
    assert not widget.ui.compareButton.enabled
    assert "segmentations" in widget.ui.compareButton.toolTip


def test_notes_are_shown_below_the_table(warm_app, hands, widget, scene):
    """Segments that overlap are noted, in panel and scripts."""
    import slicer

    nodes = []
    for side in ("fixed", "moving"):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{side} organs")
        node.CreateDefaultDisplayNodes()
        for name, radius in (("liver", 9.0), ("vessel", 5.0 if side == "moving" else 0.0)):
            array = balls(SIZE, IJK, inner(2, 4)[:1] + (0.0 if radius else 40.0), radius or 5.0)
            drawn = add_volume(name, array, IJK, "vtkMRMLLabelMapVolumeNode")
            slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(drawn, node)
            node.GetSegmentation().GetNthSegment(node.GetSegmentation().GetNumberOfSegments() - 1).SetName(name)
            slicer.mrmlScene.RemoveNode(drawn)
        nodes.append(node)
    transform = add_linear("to fixed", matrix4(np.eye(3), (1.0, 2.0, 3.0)))
    widget.panel.inspect(transform, fixedLabels=nodes[0], movingLabels=nodes[1])
    widget.ui.overlapCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.click(widget.ui.compareButton)
    settle(warm_app, widget)
    assert widget.ui.consistencyLabel.text == "Note: segments of moving organs overlap: where they do, the later one was compared."
    assert len(widget.logic.overlap(transform, *nodes, scene["fixed"])["notes"]) == 1
