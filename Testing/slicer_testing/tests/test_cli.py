"""slicer.cli sets the parameters of command-line modules and runs them."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest


@pytest.mark.parametrize("run, waits", [("run", False), ("runSync", True)])
def test_a_module_runs_with_its_parameters(slicer_app, run, waits):
    import slicer

    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    module = MagicMock()
    node, logic = module.logic().CreateNodeInScene(), module.logic()
    given = {"name": "ct", "invert": True, "bins": 5, "sigma": 0.5, "input": volume, "size": [1, 2, 3]}
    assert getattr(slicer.cli, run)(module, parameters=given) is node
    node.SetParameterAsBool.assert_called_once_with("invert", True)
    node.SetParameterAsInt.assert_called_once_with("bins", 5)
    node.SetParameterAsDouble.assert_called_once_with("sigma", 0.5)
    node.SetParameterAsNode.assert_called_once_with("input", volume)
    assert [call.args for call in node.SetParameterAsString.call_args_list] == [("name", "ct"), ("size", "1, 2, 3")]
    (logic.ApplyAndWait if waits else logic.Apply).assert_called_once_with(node, True)
    logic.SetDeleteTemporaryFiles.assert_called_once_with(1)


def test_without_a_module_there_is_nothing_to_run(slicer_app):
    import slicer

    assert slicer.cli.run(None) is None
