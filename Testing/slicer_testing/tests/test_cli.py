"""slicer.cli sets the parameters of command-line modules and runs them."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest


@pytest.mark.parametrize(("run", "waits"), [("run", False), ("runSync", True)])
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


DESCRIPTION = """<?xml version="1.0" encoding="utf-8"?>
<executable><category>Registration</category><title>Warp volumes</title><description>Warps.</description></executable>"""


def test_a_command_line_module_of_a_search_path_has_a_panel_but_does_not_run(slicer_app, tmp_path):
    import slicer

    (tmp_path / "Warp").mkdir()
    (tmp_path / "Warp" / "Warp.xml").write_text(DESCRIPTION)
    (tmp_path / "Warp" / "Notes.xml").write_text("<notes/>")
    assert not hasattr(slicer.modules, "warp")
    slicer_app.add_module_path(tmp_path)
    try:
        module = slicer.modules.warp
        assert (module.name, module.title, module.categories) == ("Warp", "Warp volumes", ["Registration"])
        assert not hasattr(slicer.modules, "notes")
        panel = module.widgetRepresentation()
        assert panel is module.widgetRepresentation()
        with pytest.raises(NotImplementedError, match="running the command-line module Warp"):
            slicer.cli.run(module)
    finally:
        slicer_app.loader.paths.remove(tmp_path)
        del slicer.modules.warp


def test_progress_bar_follows_the_run_of_a_node(slicer_app):
    import slicer

    bar = slicer.qSlicerCLIProgressBar()
    bar.show()
    assert bar.StatusLabel.text == "Idle"
    assert not bar.ProgressBar.visible
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCommandLineModuleNode", "run")
    bar.setCommandLineModuleNode(node)
    node.SetStatus(node.Running)
    assert bar.StatusLabel.text == "Running"
    assert bar.ProgressBar.visible
    node.SetStatus(node.Completed)
    assert bar.StatusLabel.text == "Completed"
    assert bar.ProgressBar.value == 100
    bar.progressVisibility = bar.AlwaysHidden
    bar.nameVisibility = bar.AlwaysVisible
    assert not bar.ProgressBar.visible
    assert bar.NameLabel.text == "run"
