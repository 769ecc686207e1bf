"""Markups on their way to the engine."""

from __future__ import annotations

import numpy as np
import pytest
from world import TURN, add_linear, matrix4


@pytest.fixture
def points(app):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "points")
    node.CreateDefaultDisplayNodes()
    for number in range(4):
        node.AddControlPoint([10.0 * number, -5.0 + number, 3.25], f'L "{number}", {number}')
    return node


def test_points_arrive_in_the_world_as_lps(points, tmp_path):
    from deepreg_engine.geometry.points import read_points
    from deepreg_slicer.landmarks import writePoints

    matrix = matrix4(TURN, (5.0, 6.0, 7.0))
    points.SetAndObserveTransformNodeID(add_linear("parent", matrix).GetID())
    writePoints(points, str(tmp_path / "p.csv"))
    found = read_points(tmp_path / "p.csv")
    local = np.array([[10.0 * n, -5.0 + n, 3.25] for n in range(4)])
    assert np.allclose(found.positions, (local @ TURN.T + (5.0, 6.0, 7.0)) * (-1, -1, 1), atol=1e-9)
    assert found.labels == tuple(f'L "{n}", {n}' for n in range(4))


def test_points_that_are_not_placed_do_not_count(points):
    from deepreg_slicer.landmarks import definedPoints

    points.UnsetNthControlPointPosition(1)
    assert [label for label, _ in definedPoints(points)] == ['L "0", 0', 'L "2", 2', 'L "3", 3']


def test_pairs_are_checked(points):
    import slicer

    from deepreg_slicer.landmarks import checkPairs, writePoints
    from deepreg_slicer.volumes import NodeError

    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "other")
    with pytest.raises(NodeError, match='differ: 4 in "Fixed", 0 in "Moving": each needs its partner') as caught:
        checkPairs(("Fixed", points), ("Moving", other), "test_fixed_landmarks")
    assert caught.value.option == "test_fixed_landmarks"
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "empty")
    with pytest.raises(NodeError, match="are empty"):
        checkPairs(("Fixed", other), ("Moving", empty), "test_fixed_landmarks")
    for number in range(4):
        other.AddControlPoint([0.0, 0.0, number])
    checkPairs(("Fixed", points), ("Moving", other), "test_fixed_landmarks")
    with pytest.raises(NodeError, match="is empty"):
        writePoints(empty, "nowhere.csv")
