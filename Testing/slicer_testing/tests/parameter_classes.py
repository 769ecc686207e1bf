"""A parameter node wrapper with a parameter of each kind, for the tests of slicer.parameterNodeWrapper."""

from __future__ import annotations

import enum
import pathlib
import typing
from typing import Annotated

import slicer
from slicer.parameterNodeWrapper import Default, FloatRange, Minimum, RangeBounds, WithinRange, parameterNodeWrapper, parameterPack


class Metric(enum.Enum):
    """An enum whose values cannot be stored as text."""

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
    """Check that the parameters have the values of fill()."""
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
