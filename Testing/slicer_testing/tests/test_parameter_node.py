"""slicer.parameterNodeWrapper: values, validators and packs in a parameter node and in saved scenes."""

from __future__ import annotations

import enum
import gc
import pathlib
import typing
import weakref
from typing import Annotated

import pytest

import slicer_testing

# The classes below are made when this file is imported, and their types come from the application.
slicer_testing.start()

import slicer  # noqa: E402
import vtk  # noqa: E402
from slicer.parameterNodeWrapper import (  # noqa: E402
    Choice,
    Default,
    Exclude,
    FloatRange,
    Maximum,
    Minimum,
    RangeBounds,
    WithinRange,
    getNodeTypes,
    isNodeOrUnionOfNodes,
    isParameterNodeWrapper,
    nestedParameterNames,
    parameterNodeWrapper,
    parameterPack,
)

pytestmark = pytest.mark.usefixtures("slicer_app")


class Metric(enum.Enum):
    """A choice whose values could not be stored as text."""

    MEAN_SQUARES = ("a", 1)
    MUTUAL_INFORMATION = ("b", 2)

    def label(self) -> str:
        return self.name.replace("_", " ").lower()


@parameterPack
class Stage:
    """One step of a registration."""

    iterations: Annotated[int, Minimum(1)] = 100
    metric: Metric
    shrink: list[int]


@parameterNodeWrapper
class Everything:
    """A parameter of each kind."""

    count: Annotated[int, WithinRange(0, 10)] = 3
    weight: Annotated[float, Default(0.5)]
    enabled: bool = True
    title: str
    metric: Metric = Metric.MUTUAL_INFORMATION
    folder: pathlib.Path = pathlib.Path("some/folder")
    fixed: slicer.vtkMRMLScalarVolumeNode
    moving: slicer.vtkMRMLScalarVolumeNode | None
    either: slicer.vtkMRMLModelNode | slicer.vtkMRMLScalarVolumeNode | None
    points: list[tuple[float, float]]
    names: dict[str, list[int]]
    seed: int | None
    window: Annotated[FloatRange, RangeBounds(0, 100), Default(FloatRange(10, 20))]
    stages: list[Stage]
    first: Stage
    anything: typing.Any


def new_node(name: str = "parameters"):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", name)


def fill(parameters) -> None:
    """Give every parameter a value that is not its default."""
    parameters.count = 7
    parameters.weight = 0.1 + 0.2
    parameters.enabled = False
    parameters.title = 'a <title> & "quotes"; with: odd, signs = ü\nand a second line'
    parameters.metric = Metric.MEAN_SQUARES
    parameters.folder = pathlib.Path("/data/with space/é")
    parameters.fixed = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "fixed image")
    parameters.moving = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "moving image")
    parameters.either = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "surface")
    parameters.points = [(1.5, -2.5), (3.25, 1e-12)]
    parameters.names = {"b": [2, 1], "a": []}
    parameters.seed = 42
    parameters.window = FloatRange(25.5, 75)
    parameters.stages = [Stage(10, Metric.MUTUAL_INFORMATION, [8, 4]), Stage(20)]
    parameters.first.iterations = 5
    parameters.first.shrink.append(2)
    parameters.anything = {"list": [1, "two", None]}


def check_filled(parameters) -> None:
    """The values of fill()."""
    assert parameters.count == 7
    assert parameters.weight == 0.1 + 0.2
    assert parameters.enabled is False
    assert parameters.title == 'a <title> & "quotes"; with: odd, signs = ü\nand a second line'
    assert parameters.metric is Metric.MEAN_SQUARES
    assert parameters.folder == pathlib.Path("/data/with space/é")
    assert parameters.fixed.GetName() == "fixed image"
    assert parameters.moving.GetName() == "moving image"
    assert parameters.either.GetName() == "surface"
    assert parameters.points == [(1.5, -2.5), (3.25, 1e-12)]
    assert list(parameters.names.items()) == [("b", [2, 1]), ("a", [])]
    assert parameters.seed == 42
    assert parameters.window == FloatRange(25.5, 75)
    assert parameters.stages == [Stage(10, Metric.MUTUAL_INFORMATION, [8, 4]), Stage(20)]
    assert parameters.first == Stage(iterations=5, shrink=[2])
    assert parameters.anything == {"list": [1, "two", None]}


class TestValues:
    def test_defaults(self):
        parameters = Everything(new_node())
        assert (parameters.count, parameters.weight, parameters.enabled, parameters.title) == (3, 0.5, True, "")
        assert parameters.metric is Metric.MUTUAL_INFORMATION
        assert parameters.fixed is None
        assert parameters.moving is None
        assert parameters.either is None
        assert parameters.seed is None
        assert parameters.anything is None
        assert parameters.window == FloatRange(10, 20)
        assert parameters.first == Stage(100, Metric.MEAN_SQUARES, [])

    def test_values_are_in_the_node_and_not_only_in_the_wrapper(self):
        node = new_node()
        fill(Everything(node))
        check_filled(Everything(node))

    def test_names_in_the_node_are_those_of_the_application(self):
        node = new_node()
        fill(Everything(node))
        stored = {name: node.GetParameter(name) for name in node.GetParameterNames()}
        assert stored["count"] == "7"
        assert stored["metric"] == "MEAN_SQUARES"
        assert (stored["points.len"], stored["points.1.0"]) == ("2", "3.25")
        assert (stored["names.0.0"], stored["names.0.1.len"]) == ("b", "2")
        assert (stored["window._minimum"], stored["window._maximum"]) == ("25.5", "75")
        assert stored["stages.0.iterations"] == "10"
        assert stored["seed.0"] == "42"
        assert "seed.1" not in stored
        assert (stored["anything.type.0"], stored["anything.type.1"]) == ("builtins", "dict")
        assert node.GetNodeReference("fixed").GetName() == "fixed image"

    def test_a_default_that_is_a_pack_is_not_shared(self):
        @parameterPack
        class Outer:
            inner: Stage

        changed = Outer()
        changed.inner.iterations = 7
        changed.inner.shrink.append(1)
        assert Outer().inner == Stage()

    def test_shrinking_a_list_leaves_nothing_behind(self):
        parameters = Everything(new_node())
        parameters.stages = [Stage(1), Stage(2), Stage(3)]
        del parameters.stages[0]
        assert [stage.iterations for stage in parameters.stages] == [2, 3]
        assert not [name for name in parameters.parameterNode.GetParameterNames() if name.startswith("stages.2")]

    def test_a_refused_element_leaves_no_trace(self):
        parameters = Everything(new_node())
        parameters.names = {"a": [1]}
        before = {name: parameters.parameterNode.GetParameter(name) for name in parameters.parameterNode.GetParameterNames()}
        with pytest.raises(TypeError):
            parameters.names = {"x": [5, 6], "y": [7, "seven"]}
        with pytest.raises(TypeError):
            parameters.names["b"] = ["not a number"]
        after = {name: parameters.parameterNode.GetParameter(name) for name in parameters.parameterNode.GetParameterNames()}
        assert after == before
        assert parameters.names == {"a": [1]}

    def test_a_list_of_anything_that_cannot_be_stored_changes_nothing(self):
        parameters = Everything(new_node())
        parameters.anything = ["kept"]
        for value in ([1, object()], {"a": [1, object()]}, (1, 2)):
            with pytest.raises(TypeError, match="serializer"):
                parameters.anything = value
            assert parameters.anything == ["kept"]
        names = [name for name in parameters.parameterNode.GetParameterNames() if name.startswith("anything")]
        assert len(names) == 6

    def test_a_pack_that_is_held_writes_what_is_put_into_it(self):
        parameters = Everything(new_node())
        first = parameters.first
        shrink = [4]
        first.shrink = shrink
        first.shrink.append(2)
        assert parameters.first.shrink == [4, 2]
        assert shrink == [4]
        with pytest.raises(AttributeError):
            first.iteration = 3

    def test_a_bool_is_no_number(self):
        parameters = Everything(new_node())
        with pytest.raises(ValueError):
            parameters.count = True
        assert parameters.count == 3

    def test_removed_node_reads_as_none(self):
        parameters = Everything(new_node())
        fill(parameters)
        slicer.mrmlScene.RemoveNode(parameters.fixed)
        slicer.mrmlScene.RemoveNode(parameters.either)
        assert parameters.fixed is None
        assert parameters.either is None

    def test_a_change_of_the_node_itself_is_seen(self):
        parameters = Everything(new_node())
        assert parameters.count == 3
        assert parameters.isCached("count")
        parameters.parameterNode.SetParameter("count", "9")
        assert parameters.count == 9

    def test_wrapper_does_not_outlive_its_users(self):
        node = new_node()
        parameters = Everything(node)
        reference = weakref.ref(parameters)
        del parameters
        gc.collect()
        assert reference() is None
        node.Modified()

    def test_reserved_names_and_unknown_types_are_refused(self):
        with pytest.raises(ValueError, match="getValue"):

            @parameterNodeWrapper
            class Reserved:
                getValue: int  # noqa: N815

        with pytest.raises(TypeError, match="Unknown.what"):

            @parameterNodeWrapper
            class Unknown:
                what: complex

    def test_names_of_parameters(self):
        parameters = Everything(new_node())
        assert isParameterNodeWrapper(parameters)
        assert isParameterNodeWrapper(Everything)
        assert parameters.dataType("first.metric") is Metric
        parameters.setValue("first.iterations", 12)
        assert parameters.getValue("first.iterations") == 12
        assert nestedParameterNames(Stage) == ["iterations", "metric", "shrink"]
        for wrong in ("nothing", "first.nothing", "count.nothing"):
            with pytest.raises(ValueError):
                parameters.getValue(wrong)


class TestValidators:
    @pytest.mark.parametrize(
        ("validator", "good", "bad"),
        [
            (Minimum(2), 2, 1),
            (Maximum(2), 2, 3),
            (WithinRange(2, 4), 4, 5),
            (WithinRange(2, 4), 2, 1),
            (Choice([1, 2]), 2, 3),
            (Exclude([1, 2]), 3, 2),
            (RangeBounds(0, 10), FloatRange(0, 10), FloatRange(0, 10.5)),
            (RangeBounds(0, 10), FloatRange(0, 10), FloatRange(-0.5, 10)),
        ],
    )
    def test_bounds(self, validator, good, bad):
        validator.validate(good)
        with pytest.raises(ValueError):
            validator.validate(bad)

    def test_refused_values_change_nothing(self):
        parameters = Everything(new_node())
        for name, value, error in (
            ("count", 11, ValueError),
            ("count", None, ValueError),
            ("count", 2.5, TypeError),
            ("first.iterations", 0, ValueError),
            ("metric", "MEAN_SQUARES", TypeError),
            ("fixed", new_node(), TypeError),
            ("window", FloatRange(0, 101), ValueError),
        ):
            before = parameters.getValue(name)
            with pytest.raises(error):
                parameters.setValue(name, value)
            assert parameters.getValue(name) == before

    def test_range_keeps_its_order(self):
        parameters = Everything(new_node())
        with pytest.raises(ValueError):
            parameters.window.minimum = 21
        assert parameters.window == FloatRange(10, 20)


class TestNodeTypes:
    def test_unions_of_nodes(self):
        union = slicer.vtkMRMLModelNode | slicer.vtkMRMLScalarVolumeNode | None
        assert isNodeOrUnionOfNodes(union)
        assert isNodeOrUnionOfNodes(Annotated[union, Default(None)])
        assert getNodeTypes(union) == ("vtkMRMLModelNode", "vtkMRMLScalarVolumeNode")
        assert not isNodeOrUnionOfNodes(slicer.vtkMRMLModelNode | int)

    def test_abstract_node_cannot_be_connected(self):
        with pytest.raises(TypeError, match="abstract"):
            getNodeTypes(slicer.vtkMRMLVolumeNode)


class TestScene:
    def test_round_trip_through_a_file(self, tmp_path):
        fill(Everything(new_node()))
        path = str(tmp_path / "scene.mrml")
        slicer.mrmlScene.SetRootDirectory(str(tmp_path))
        slicer.mrmlScene.SetURL(path)
        assert slicer.mrmlScene.Commit()
        slicer.mrmlScene.Clear(0)
        # Other nodes take the ids of the saved ones, so the references must follow.
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
        # The panel goes on with the same node and the same wrapper.
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
