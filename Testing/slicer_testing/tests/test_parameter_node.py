"""slicer.parameterNodeWrapper: values, validators and packs in a parameter node."""

from __future__ import annotations

import gc
import weakref
from typing import Annotated

import pytest
import slicer
from parameter_classes import Everything, Metric, Stage, check_filled, fill, new_node
from slicer.parameterNodeWrapper import (
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
        with pytest.raises(ValueError, match="True"):
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
                getValue: int

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
            with pytest.raises(ValueError, match="nothing"):
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
        with pytest.raises(ValueError, match="Value|Range from"):
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
        with pytest.raises(ValueError, match="above its maximum"):
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
