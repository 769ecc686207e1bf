"""The part Confidence and alternatives for a result of Point Registration."""

from __future__ import annotations

import json

import numpy as np
import pytest
from explanation_bench import SHIFT, inspect, scene_fixture, section, settle, widget_fixture  # noqa: F401 - fixtures
from vtk.util.numpy_support import vtk_to_numpy


@pytest.fixture
def opened(widget, monkeypatch):
    """What the worker is asked to open, in order."""
    from DeepRegInspectorLib.explain_tasks import OpenTask

    found, export = [], OpenTask.export

    def recorded(task):
        found.append((yield from export(task)))
        return found[-1]

    monkeypatch.setattr(OpenTask, "export", recorded)
    return found


def test_points_show_confidence_and_partners(warm_app, hands, widget, scene, opened):
    import slicer

    warm_app.load_module("DeepRegPoints")
    from DeepRegPoints import DeepRegPointsLogic

    generator = np.random.default_rng(7)
    positions = generator.uniform(-60.0, 60.0, size=(60, 3))
    order = generator.permutation(60)
    nodes = []
    for name, values in (("fixed points", positions), ("moving points", (positions + SHIFT)[order][:-6])):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
        slicer.util.updateMarkupsControlPointsFromArray(node, np.ascontiguousarray(values))
        nodes.append(node)
    parameters = {"features": "none", "solver": "belief", "initial": "centres"}
    result = DeepRegPointsLogic().register(*nodes, preset="lung", parameters=parameters, outputs=("transform", "fixedCloud", "movingCloud"))
    inspect(warm_app, widget, result.nodes["transform"])
    part, node = section(widget), widget.panel.node
    assert "Point Registration" in part.ui.explainMethodLabel.text
    hands.choose(part.ui.explainShownComboBox, "confidence of the points")
    settle(warm_app, widget)
    values = vtk_to_numpy(node.confidences.GetPolyData().GetPointData().GetArray("Confidence")).reshape(60, -1)
    assert (np.ptp(values, axis=1) == 0).all()  # one colour a sphere
    confidence = values[:, 0]
    lost = order[-6:]
    assert np.median(confidence) > 0.7
    assert confidence[lost].mean() < 0.5 * np.delete(confidence, lost).mean()
    # The run selected the length scale, which the report has.
    assert opened[-1]["parameters"] == {**json.loads(result.nodes["transform"].GetAttribute("DeepReg.Parameters")), "length_scale": 1.0}

    sure = int(np.argmax(confidence))
    part.setPoint(positions[sure] + 0.3)
    settle(warm_app, widget)
    ends = vtk_to_numpy(node.partners.GetPolyData().GetPoints().GetData()).reshape(-1, 2, 3)
    assert np.allclose(ends[:, 0], positions[sure])
    probability = vtk_to_numpy(node.partners.GetPolyData().GetPointData().GetArray("Probability"))[::2]
    assert (np.diff(probability) <= 0).all()
    assert probability[-1] >= 0.01
    # The most probable partner is the true one: it lies at the mapped position of the point.
    assert ends[0] == pytest.approx(np.array([positions[sure]] * 2), abs=0.5)
    assert f"Point {sure + 1}," in part.ui.explainLabel.text
    assert "probability" in part.ui.explainLabel.text
    hands.click(part.ui.explainRemoveButton)
    assert node.partners is None
    assert node.confidences is None
