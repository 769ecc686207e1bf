"""A user of the Inspector with a brain pair: ten pairs are picked with the mouse, one is dragged and excluded; the table is SimpleITK's."""

from __future__ import annotations

import numpy as np
import pytest
from inspector_bench import grid_node, itk_transform, pixel_of, settle, texts
from panels import opened
from world import TURN, add_linear, matrix4, smooth

# The grid of the field: oblique, anisotropic, and larger than the head.
SIZE = (13, 12, 11)
COLUMNS = {"before": 1, "after": 2, "axes after": (5, 6, 7), "axes before": (8, 9, 10)}


def turned() -> np.ndarray:
    """The pose of the head in the second scan: a matrix above the moving volume, RAS."""
    angle = np.deg2rad(14.0)
    about, along = TURN[:, 2], np.eye(3)
    cross = np.array([[0, -about[2], about[1]], [about[2], 0, -about[0]], [-about[1], about[0], 0]])
    return matrix4(along + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross, (7.0, -12.0, 9.0))


@pytest.fixture(params=["phantom", "real"])
def brain(request, slicer_app, tmp_path):
    """Two contrasts of one head, the second scan under a rigid transform; and the field that takes fixed points to their moving points."""
    import slicer

    if request.param == "real":
        folder = request.getfixturevalue("shared_data") / "brain"
        files = [folder / "T1.nii.gz", folder / "T2.nii.gz"]
        shake = 3.0
    else:
        from deepreg_engine.phantoms import make_pair, write_pair

        write_pair(make_pair("brain", detail=0.35), tmp_path)
        files = [tmp_path / f"{side}.nii.gz" for side in ("fixed", "moving")]
        shake = 1.0
    fixed, moving = (slicer.util.loadVolume(str(path)) for path in files)
    moving.SetAndObserveTransformNodeID(add_linear("second scan", turned()).GetID())
    bounds = np.zeros(6)
    fixed.GetRASBounds(bounds)
    middle, extent = (bounds[::2] + bounds[1::2]) / 2, (bounds[1::2] - bounds[::2]).max() * 1.4
    spacing = extent / (np.array(SIZE) - 1)
    ijk = matrix4(TURN * spacing)
    ijk[:3, 3] = middle - ijk[:3, :3] @ ((np.array(SIZE) - 1) / 2)
    index = np.stack(np.unravel_index(np.arange(np.prod(SIZE)), SIZE, order="F"), axis=1)
    at = index @ ijk[:3, :3].T + ijk[:3, 3]
    moved = at + shake * np.stack([smooth(at, seed) for seed in (1, 2, 3)], axis=1) / 100.0
    vectors = (moved @ turned()[:3, :3].T + turned()[:3, 3] - at).astype(np.float32)
    transform, itk = grid_node("result", vectors, SIZE, ijk), itk_transform(vectors, SIZE, ijk)
    return {"fixed": fixed, "moving": moving, "transform": transform, "itk": itk}


def world(node) -> np.ndarray:
    import slicer

    return slicer.util.arrayFromMarkupsControlPoints(node, world=True)


def read(widget, column: int) -> np.ndarray:
    return np.array([float(text) for text in texts(widget, column)])


def test_ten_pairs_are_picked_dragged_and_excluded_with_the_mouse(app, hands, brain):
    import slicer

    app.load_module("DeepRegInspector")
    from DeepRegInspectorLib import views
    from DeepRegInspectorLib.mapping import FixedToMoving

    manager = slicer.app.layoutManager()
    manager.viewport().resize(1100, 900)
    manager.viewport().show()
    widget = opened(app, "DeepRegInspector", 760)
    panel, ui = widget.panel, widget.ui
    panel.inspect(brain["transform"], fixedVolume=brain["fixed"], movingVolume=brain["moving"])
    settle(app, widget)
    hands.click(ui.sideBySideButton)
    app.process_events(0.1)
    fixedView, movingView = (manager.sliceWidget(name).sliceView() for name in ("Red", views.MOVING[0]))

    # Ten places in the fixed view. Where the moving volume does not show the partner clearly, it is placed with a click, else accepted.
    landmarks, byHand = panel.sections["landmarks"], []
    hands.click(ui.pickButton)
    scale = min(fixedView.width, fixedView.height) / 300.0
    for n in range(10):
        at = (fixedView.width // 2 + round(scale * (-44 + 22 * (n % 5))), fixedView.height // 2 + round(scale * (-20 + 40 * (n // 5))))
        hands.move(fixedView, at)
        hands.click(fixedView, at=at)
        settle(app, widget)
        if "Click the place in a moving view" in ui.statusLabel.text:
            byHand.append(n)
            expected = panel.sections["sideBySide"].seenMoving(
                FixedToMoving(brain["transform"])(world(panel.node.fixedPoints)[n : n + 1])[0]
            )
            assert [len(landmarks.pairs), landmarks.pairs.unpaired] == [n, 1]
            hands.move(movingView, pixel_of(movingView, expected))
            hands.click(movingView, at=pixel_of(movingView, expected))
            settle(app, widget)
        else:
            hands.click(ui.acceptButton)
        assert landmarks.pairs.counted.sum() == n + 1
    hands.click(ui.pickButton)
    assert len(byHand) < 10
    assert landmarks.pairs.indices == [(n, n) for n in range(10)]

    def agrees() -> np.ndarray:
        """Check the table against SimpleITK; return the distances after the registration."""
        fixed, moving = world(panel.node.fixedPoints), world(panel.node.movingPoints)
        flip = np.array([-1, -1, 1])
        mapped = np.array([brain["itk"].TransformPoint((point * flip).tolist()) for point in fixed]) * flip
        for name, error in (("before", fixed - moving), ("after", mapped - moving)):
            assert np.abs(read(widget, COLUMNS[name]) - np.linalg.norm(error, axis=1)).max() < 1e-3
            for axis, column in enumerate(COLUMNS[f"axes {name}"]):
                assert np.abs(read(widget, column) - error[:, axis]).max() < 1e-3
        return np.linalg.norm(mapped - moving, axis=1)

    first = agrees()
    # A click on a row brings the pair into the middle of both views; from there its moving landmark is dragged.
    number = 6
    table = ui.pairsTable
    hands.click(table.viewport(), at=middle_of(table, number, 2))
    app.process_events(0.1)
    before = world(panel.node.movingPoints)
    start = pixel_of(movingView, before[number])
    assert np.allclose(start, (movingView.width / 2, movingView.height / 2), atol=2)
    end = (start[0] + 26, start[1] - 18)
    hands.drag(movingView, start, end)
    settle(app, widget)
    after = world(panel.node.movingPoints)
    assert np.allclose(pixel_of(movingView, after[number]), end, atol=2)
    assert np.array_equal(np.delete(after, number, 0), np.delete(before, number, 0))
    dragged = agrees()
    assert abs(dragged[number] - first[number]) > 1.0
    assert np.allclose(np.delete(dragged, number), np.delete(first, number))
    assert landmarks.pairs.notes[number] == ""
    assert np.allclose(world(panel.node.fixedPoints), landmarks.pairs.fixed)

    # Exclude the one that was dragged, with the mouse: the summary is that of the nine others.
    box = table.visualItemRect(table.item(number, 0))
    hands.click(table.viewport(), at=(box.left() + 10, box.center().y()))
    settle(app, widget)
    nine = np.delete(dragged, number)
    assert "9 of 10 pairs are included" in ui.summaryLabel.text
    assert not landmarks.pairs.used[number]
    for value in (nine.mean(), np.median(nine), np.percentile(nine, 95), nine.max()):
        assert f"{value:.2f}" in ui.summaryLabel.text
    summary = landmarks.pairs.summary()["after"]
    assert summary["count"] == 9
    assert (summary["mean"], summary["max"]) == pytest.approx((nine.mean(), nine.max()), abs=1e-3)

    # Each step is taken back by one press, and done again.
    hands.click(ui.undoButton)
    assert "10 of 10 pairs are included" in ui.summaryLabel.text
    hands.click(ui.undoButton)
    assert np.allclose(world(panel.node.movingPoints), before)
    assert np.allclose(agrees(), first)
    for _ in range(2):
        hands.click(ui.redoButton)
    assert np.allclose(world(panel.node.movingPoints), after)
    assert "9 of 10 pairs are included" in ui.summaryLabel.text
    agrees()


def middle_of(table, row: int, column: int) -> tuple[int, int]:
    """Middle of a cell, pixels of the table's viewport."""
    place = table.visualItemRect(table.item(row, column)).center()
    return place.x(), place.y()
