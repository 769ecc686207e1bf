"""Tasks of the worker for explanations: one opens a pair and its result, others answer questions about them.

The worker keeps features of the pair in memory under an identifier, its *state*, which each question names.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.errors import NodeError
from deepreg_slicer.grid_transforms import writeTransform
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.parents import parentTransform
from deepreg_slicer.provenance import readReport
from deepreg_slicer.volumes import readImage, snapshot, writeVolume
from deepreg_slicer.worker_client import WorkerClient
from deepreg_slicer.worker_task import WorkerTask
from DeepRegInspectorLib.explain_subject import Subject, cloudPoints
from DeepRegInspectorLib.mapping import FLIP, belowTransform, checkNotBelow, gridOf, leftOut, ownGrid


@dataclass(frozen=True)
class Question:
    """A question about the pair.

    Args:
        what: its kind, as the worker names it.
        arguments: of it.
        files: argument to name of a file that the worker is to write.
        read: reads these files: a generator that takes their paths by argument and the answer, and returns what ``done`` gets.
        done: is called with the result.
    """

    what: str
    arguments: dict[str, Any]
    files: dict[str, str]
    read: Callable[[dict[str, str], dict[str, Any]], Generator[Any, None, Any]]
    done: Callable[[Any], None]


class OpenTask(WorkerTask):
    """Gives the worker a pair and its result; the task's result is the worker's description of them, ``state`` among it.

    Args:
        client: the worker.
        subject: the result and its inputs.
    """

    operation = "explain-open"

    def __init__(self, client: WorkerClient, subject: Subject) -> None:
        super().__init__(client)
        self._subject = subject

    def export(self) -> Generator[float, None, dict[str, Any]]:
        subject = self._subject
        for option, node in (("fixed", subject.fixed), ("fixed_points", subject.clouds[0])):
            checkNotBelow(node, [subject.transform], option)
        region = gridOf(subject.fixed) if subject.fixed is not None else None
        if region is None and not subject.transform.IsTransformToWorldLinear():
            region = _ownRegion(subject.transform)
        inputs = yield from (self._exportClouds() if subject.method == "points" else self._exportVolumes())
        transform = yield from writeTransform(subject.transform, region, self.file("transform"))
        return {"method": subject.method, "parameters": subject.parameters, **inputs, "transform": transform}

    def _exportVolumes(self) -> Generator[float, None, dict[str, Any]]:
        subject = self._subject
        files = {side: self.file(f"{side}.nrrd") for side in ("fixed", "moving")}
        yield from writeVolume(snapshot(subject.fixed), files["fixed"])
        yield from writeVolume(snapshot(subject.moving, leftOut(subject.moving, subject.transform)), files["moving"])
        return files

    def _exportClouds(self) -> Generator[float, None, dict[str, Any]]:
        subject = self._subject
        fixed, moving = subject.clouds
        files = {}
        for side, node, above in (("fixed", fixed, parentTransform(fixed)), ("moving", moving, belowTransform(moving, subject.transform))):
            files[f"{side}_points"] = path = self.file(f"{side}.csv")
            np.savetxt(path, cloudPoints(node, above) * FLIP, delimiter=",", header="x,y,z", comments="", fmt="%.9f")
            yield 0.0
        report = readReport(subject.transform) or {}
        sigma = report.get("points", {}).get("sigma_mm")
        # The run may have selected the length scale by the size of an image.
        scale = report.get("parameters", {}).get("length_scale")
        parameters = subject.parameters if scale is None else {**subject.parameters, "length_scale": scale}
        return {**files, "parameters": parameters, "sigma": float(sigma) if sigma else None}


class QuestionTask(WorkerTask):
    """Asks one question about the pair that the worker has.

    Args:
        client: the worker.
        state: of the pair.
        question: what to ask.
    """

    operation = "explain"

    def __init__(self, client: WorkerClient, state: str, question: Question) -> None:
        super().__init__(client)
        self._state, self._question = state, question

    def _paths(self) -> dict[str, str]:
        return {name: self.file(file) for name, file in self._question.files.items()}

    def export(self) -> Generator[float, None, dict[str, Any]]:
        yield 0.0
        return {"what": self._question.what, "state": self._state, **self._question.arguments, **self._paths()}

    def read(self, result: dict[str, Any]) -> Generator[float, None, Any]:
        return (yield from self._question.read(self._paths(), result))


Images = dict[str, tuple[vtk.vtkImageData, Geometry]]


def readImages(paths: dict[str, str], answer: dict[str, Any]) -> Generator[Any, None, tuple[Images, dict[str, Any]]]:
    """Return image data and geometry of each file, and the answer."""
    images = {}
    for name, path in paths.items():
        images[name] = yield from readImage(path)
    return images, answer


def readTable(paths: dict[str, str], answer: dict[str, Any]) -> Generator[Any, None, tuple[np.ndarray, dict[str, Any]]]:
    """Return the rows of the table ``output``, whose first line names the columns, with positions (x, y, z) converted to RAS; and the
    answer."""
    yield 0.0
    with open(paths["output"], encoding="utf-8") as stream:
        names = stream.readline().strip().split(",")
    rows = np.loadtxt(paths["output"], delimiter=",", skiprows=1, ndmin=2)
    rows[:, [name.split("_")[-1] in ("x", "y") for name in names]] *= -1.0
    return rows, answer


def readNothing(_paths: dict[str, str], answer: dict[str, Any]) -> Generator[Any, None, dict[str, Any]]:
    """Return the answer."""
    yield 0.0
    return answer


def _ownRegion(transform: Any) -> Geometry:
    own = ownGrid(transform)
    if own is None:
        raise NodeError(
            _("the transform {name} has no grid of its own").format(name=transform.GetName()), _("choose the fixed volume"), "fixed"
        )
    return own[1]
