"""slicer.parameterNodeWrapper: parameter nodes in saved scenes, and their events."""

from __future__ import annotations

import pytest
import slicer
import vtk
from parameter_classes import Everything, Stage, check_filled, fill, new_node

pytestmark = pytest.mark.usefixtures("slicer_app")


class TestScene:
    def test_round_trip_through_a_file(self, tmp_path):
        fill(Everything(new_node()))
        path = str(tmp_path / "scene.mrml")
        slicer.mrmlScene.SetRootDirectory(str(tmp_path))
        slicer.mrmlScene.SetURL(path)
        assert slicer.mrmlScene.Commit()
        slicer.mrmlScene.Clear(0)
        # Other nodes have the IDs of the saved ones now, so the references must be updated.
        for name in ("unrelated 1", "unrelated 2", "unrelated 3"):
            slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
            new_node(name)
        slicer.mrmlScene.SetURL(path)
        assert slicer.mrmlScene.Import()
        check_filled(Everything(slicer.mrmlScene.GetFirstNodeByName("parameters")))

    def test_loading_a_scene_replaces_the_values_of_a_singleton(self, tmp_path):
        node = slicer.vtkMRMLScriptedModuleNode()
        node.SetSingletonTag("ModuleOfTest")
        node = slicer.mrmlScene.AddNode(node)
        parameters = Everything(node)
        fill(parameters)
        path = str(tmp_path / "scene.mrml")
        slicer.mrmlScene.SetRootDirectory(str(tmp_path))
        slicer.mrmlScene.SetURL(path)
        assert slicer.mrmlScene.Commit()
        parameters.count = 1
        parameters.stages = []
        parameters.first.iterations = 99
        assert slicer.mrmlScene.Import()
        # The panel continues with the same node and the same wrapper.
        assert (parameters.count, len(parameters.stages), parameters.first.iterations) == (7, 2, 5)

    def test_several_sets_in_one_node(self, tmp_path):
        node = new_node()
        draft, final = Everything(node, prefix="draft_"), Everything(node, prefix="final_")
        fill(final)
        assert draft.count == 3
        assert draft.stages == []
        assert draft.fixed is None
        draft.count = 1
        draft.fixed = final.moving
        check_filled(final)
        again = Everything(node, prefix="draft_")
        assert again.count == 1
        assert again.fixed.GetName() == "moving image"

    def test_several_sets_in_several_nodes(self):
        first, second = Everything(new_node("a")), Everything(new_node("b"))
        fill(first)
        assert second.count == 3
        assert second.moving is None
        check_filled(first)


class TestEvents:
    def count_events(self, parameters):
        calls = []
        parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: calls.append(event))
        return calls

    def test_one_event_for_each_change(self):
        parameters = Everything(new_node())
        calls = self.count_events(parameters)
        for number, change in enumerate(
            (
                lambda: setattr(parameters, "count", 4),
                lambda: setattr(parameters, "points", [(1.0, 2.0)] * 5),
                lambda: setattr(parameters, "stages", [Stage(), Stage()]),
                lambda: parameters.stages[1].shrink.extend([1, 2, 3]),
                lambda: setattr(parameters.first, "iterations", 3),
                lambda: parameters.names.update({"x": [1], "y": [2]}),
                lambda: setattr(parameters, "seed", 1),
            ),
            start=1,
        ):
            change()
            assert len(calls) == number

    def test_batch_is_one_event_and_values_are_read_within(self):
        parameters = Everything(new_node())
        calls = self.count_events(parameters)
        with slicer.util.NodeModify(parameters):
            parameters.count = 4
            parameters.stages = [Stage(1)]
            parameters.stages.append(Stage(2))
            parameters.first.iterations = 9
            assert parameters.count == 4
            assert [stage.iterations for stage in parameters.stages] == [1, 2]
            assert parameters.first.iterations == 9
            assert not calls
        assert len(calls) == 1

    def test_observers_see_the_new_value(self):
        parameters = Everything(new_node())
        seen = []
        parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: seen.append(parameters.count))
        parameters.count = 8
        assert seen == [8]
