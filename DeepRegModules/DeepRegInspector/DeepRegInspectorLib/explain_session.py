"""Asking the worker why a result is as it is: the pair is handed over once, questions are answered from what the worker keeps.

Only one question is on its way at a time; of those that wait, each kind is asked once, as it was asked last: while a point is dragged,
answers come as fast as they can, and for where the point is.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.provenance import PREFIX, readReport
from deepreg_slicer.signals import Signal
from deepreg_slicer.volumes import NodeError, mapPoints, parentTransform, snapshot, writeVolume
from deepreg_slicer.waiting import waitUntilFree
from deepreg_slicer.worker_client import JobError, WorkerClient, workerClient
from DeepRegInspectorLib.mapping import FLIP, belowTransform, gridOf, isBelow, ownGrid
from DeepRegInspectorLib.overlap import writeTransform

METHODS = ("dense", "points", "descent")
#: What a transform that was not made here is looked at with.
OTHERS = "dense"
_ROLES = ("deepRegFixed", "deepRegMoving")
_CLOUDS = ("fixedCloud", "movingCloud")


@dataclass(frozen=True)
class Question:
    """Something to ask.

    Args:
        what: its kind, as the worker knows it.
        arguments: of it.
        files: argument to name of a file that the worker is to write.
        read: makes something of these files, by argument, and the answer: a generator that returns it.
        done: gets that.
    """

    what: str
    arguments: dict[str, Any]
    files: dict[str, str]
    read: Callable[[dict[str, str], dict[str, Any]], Generator[Any, None, Any]]
    done: Callable[[Any], None]


@dataclass
class Subject:
    """What is asked about.

    Args:
        transform: the result.
        fixed, moving: volumes; None for points without any.
        method: with which it was made; that of :data:`OTHERS` for transforms of others.
        parameters: of the run; empty for the method's own.
        clouds: models or lists of points of the Points method, fixed and moving.
        own: whether the transform says by which method it was made.
    """

    transform: Any
    fixed: Any
    moving: Any
    method: str
    parameters: dict[str, Any] = field(default_factory=dict)
    clouds: tuple[Any, Any] = (None, None)
    own: bool = True

    def problem(self) -> str:
        """Why nothing can be asked, "" if it can."""
        if self.transform is None:
            return _("Choose a transform first.")
        if self.method == "points":
            if None in self.clouds:
                return _("The points of this result are not in the scene: register again with the outputs Fixed points and Moving points.")
            return ""
        if self.fixed is None or self.moving is None:
            return _("Choose the fixed and the moving volume first.")
        return ""


def subjectOf(transform: Any, fixed: Any, moving: Any) -> Subject:
    """What a transform is a result of, as far as it says so."""
    method = transform.GetAttribute(PREFIX + "Method") if transform is not None else None
    inverse = transform is not None and transform.GetAttribute(PREFIX + "Output") == "inverse"
    if method not in METHODS or inverse:
        return Subject(transform, fixed, moving, OTHERS, own=False)
    try:
        parameters = json.loads(transform.GetAttribute(PREFIX + "Parameters") or "{}")
    except ValueError:
        parameters = {}
    clouds = (None, None)
    if method == "points":
        clouds = tuple(_cloudOf(transform, role, output) for role, output in zip(_ROLES, _CLOUDS))
    return Subject(transform, fixed, moving, method, parameters if isinstance(parameters, dict) else {}, clouds)


def _cloudOf(transform: Any, role: str, output: str) -> Any:
    """The points that were registered: those of the same run if it has put them out, else the list or model that was its input."""
    created = transform.GetAttribute(PREFIX + "Created")
    for model in slicer.util.getNodesByClass("vtkMRMLModelNode"):
        if model.GetAttribute(PREFIX + "Output") == output and model.GetAttribute(PREFIX + "Created") == created:
            return model
    given = transform.GetNodeReference(role)
    return given if given is not None and (given.IsA("vtkMRMLMarkupsFiducialNode") or given.IsA("vtkMRMLModelNode")) else None


def cloudPoints(node: Any, above: vtk.vtkAbstractTransform | None) -> np.ndarray:
    """Points (N, 3), RAS mm in the world: of a list, the vertices of a model, or the middles of a cloud of spheres.

    Raises:
        NodeError: if there are none.
    """
    if node.IsA("vtkMRMLMarkupsNode"):
        points = slicer.util.arrayFromMarkupsControlPoints(node).astype(np.float64).reshape(-1, 3)
    else:
        data = node.GetPolyData()
        points = np.zeros((0, 3))
        if data is not None and data.GetNumberOfPoints():
            points = vtk.util.numpy_support.vtk_to_numpy(data.GetPoints().GetData()).astype(np.float64)
            spheres = data.GetPointData().GetArray("Point")
            if spheres is not None:
                number = vtk.util.numpy_support.vtk_to_numpy(spheres).astype(int)
                count = np.maximum(1, np.bincount(number))
                points = np.stack([np.bincount(number, points[:, axis]) / count for axis in range(3)], axis=1)
    if not len(points):
        raise NodeError(f"{node.GetName()} has no points: choose another")
    return mapPoints(above, points)


class ExplainSession:
    """Hands a pair over when it is first asked about, and asks.

    Args:
        client: the worker.

    Signals: ``changed()``, when it begins or ends to be busy; ``failed(text)``.
    """

    def __init__(self, client: WorkerClient) -> None:
        self.changed, self.failed = Signal(), Signal()
        #: What the worker has said of the pair that is open, None before.
        self.opened: dict[str, Any] | None = None
        self._client = client
        self._subject: Subject | None = None
        self._waiting: dict[str, Question] = {}
        self._asked: Question | None = None
        self._again = False
        self._work: Cooperative | None = None
        self._job: Any = None
        self._folder = ""

    @property
    def busy(self) -> bool:
        """Whether something is on its way."""
        return self._asked is not None

    @property
    def opening(self) -> bool:
        """Whether the pair is being handed over."""
        return self.busy and self.opened is None

    def about(self, subject: Subject | None) -> None:
        """Ask about something else from now on, or about something that has changed; what is on its way is dropped."""
        self.stop()
        self._subject, self.opened = subject, None

    def ask(self, question: Question) -> None:
        """Ask as soon as the worker is free for it."""
        self._waiting[question.what] = question
        self._next()

    def stop(self) -> None:
        """Drop what is on its way and what waits."""
        self._waiting.clear()
        if self._work is not None:
            self._work.stop()
        job, self._job, self._work = self._job, None, None
        if job is not None and not job.over:
            self._client.cancel(job)
        wasBusy = self.busy
        self._asked, self._again = None, False
        self._removeFolder()
        if wasBusy:
            self.changed.emit()

    # --------------------------------------------------------------------- run

    def _next(self) -> None:
        if self._asked is not None or not self._waiting or self._subject is None:
            return
        self._asked = self._waiting.pop(next(iter(self._waiting)))
        self._again = True
        self.changed.emit()
        self._begin()

    def _begin(self) -> None:
        if self._client.computing:
            self._fail(_("Another computation is running: wait for its end."))
            return
        try:
            self._folder = tempfile.mkdtemp(prefix="explain-", dir=self._client.scratch())
        except OSError as error:
            self._fail(_("A temporary file cannot be written: {reason}.").format(reason=error.strerror or error))
            return
        if self.opened is None:
            self._proceed(self._export(), lambda arguments: self._submit("explain-open", arguments, self._onOpened))
        else:
            self._submitQuestion()

    def _onOpened(self, told: dict[str, Any]) -> None:
        self.opened = told
        for name in os.listdir(self._folder):  # the worker has read them
            os.remove(os.path.join(self._folder, name))
        self._submitQuestion()

    def _submitQuestion(self) -> None:
        question = self._asked
        paths = {name: os.path.join(self._folder, file) for name, file in question.files.items()}
        arguments = {"what": question.what, "state": self.opened["state"], **question.arguments, **paths}
        self._submit("explain", arguments, lambda told: self._proceed(question.read(paths, told), self._onRead))

    def _onRead(self, value: Any) -> None:
        question, self._asked = self._asked, None
        self._removeFolder()
        question.done(value)
        self.changed.emit()
        self._next()

    def _submit(self, operation: str, arguments: dict[str, Any], done: Callable[[dict[str, Any]], None]) -> None:
        job = self._client.submit(operation, arguments)
        self._job = job

        def finished(told: dict[str, Any]) -> None:
            if self._job is job:
                self._job = None
                done(told)

        def failed(error: JobError) -> None:
            if self._job is job:
                self._job = None
                self._onError(error)

        job.finished.connect(finished)
        job.failed.connect(failed)

    def _proceed(self, work: Generator[Any, None, Any], then: Callable[[Any], None]) -> None:
        self._work = Cooperative(work)

        def finished(value: Any) -> None:
            self._work = None
            then(value)

        def failed(error: Exception) -> None:
            self._work = None
            self._fail(str(error))

        self._work.finished.connect(finished)
        self._work.failed.connect(failed)
        self._work.start()

    def _onError(self, error: JobError) -> None:
        lost = error.code in ("state", "crash", "killed", "hang")  # the worker does not know the pair any more: hand it over again, once
        if self.opened is not None and lost and self._again:
            self._again, self.opened = False, None
            self._removeFolder()
            self._begin()
            return
        if lost:
            self.opened = None
        self._fail(error.text)

    def _fail(self, text: str) -> None:
        self._asked = None
        self._waiting.clear()
        self._removeFolder()
        self.failed.emit(text[:1].upper() + text[1:])
        self.changed.emit()

    def _removeFolder(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    # ------------------------------------------------------------------ export

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _export(self) -> Generator[float, None, dict[str, Any]]:
        subject = self._subject
        arguments: dict[str, Any] = {"method": subject.method, "parameters": subject.parameters}
        if subject.method == "points":
            for side, node in zip(("fixed", "moving"), subject.clouds):
                above = parentTransform(node) if side == "fixed" else belowTransform(node, subject.transform)
                points = cloudPoints(node, above) * FLIP
                np.savetxt(self._path(f"{side}.csv"), points, delimiter=",", header="x,y,z", comments="", fmt="%.9f")
                arguments[f"{side}_points"] = self._path(f"{side}.csv")
                yield 0.0
            report = readReport(subject.transform) or {}
            sigma = report.get("points", {}).get("sigma_mm")
            arguments["sigma"] = float(sigma) if sigma else None
            region = gridOf(subject.fixed) if subject.fixed is not None else None
            if region is None and not subject.transform.IsTransformToWorldLinear():
                region = _regionOf(subject.transform)
        else:
            yield from writeVolume(snapshot(subject.fixed), self._path("fixed.nrrd"))
            yield from writeVolume(_below(subject.moving, subject.transform), self._path("moving.nrrd"))
            arguments.update(fixed=self._path("fixed.nrrd"), moving=self._path("moving.nrrd"))
            region = gridOf(subject.fixed)
        arguments["transform"] = yield from writeTransform(subject.transform, region, self._path("transform"))
        return arguments


def probabilitiesAt(transform: Any, fixed: Any, moving: Any, position: Any, stage: str = "") -> dict[str, Any]:
    """What is said of a place (RAS mm), for scripts: waits for it, with the event loop running.

    Raises:
        RuntimeError: with a text that says what to do.
    """
    subject = subjectOf(transform, fixed, moving)
    problem = subject.problem() or ("" if subject.method == "dense" else _("Only a result of Dense has probabilities of displacements."))
    if problem:
        raise RuntimeError(problem)
    waitUntilFree()
    client, user, ended = workerClient(), object(), []
    client.acquire(user)
    session = ExplainSession(client)
    try:
        session.about(subject)
        session.failed.connect(lambda text: ended.append(RuntimeError(text)))
        arguments = {"point": (np.asarray(position, dtype=float) * FLIP).tolist(), "stage": stage}
        session.ask(Question("probabilities", arguments, {"output": "probabilities.nrrd"}, _told, ended.append))
        while not ended:
            slicer.app.processEvents()
            time.sleep(0.002)
    finally:
        session.stop()
        client.release(user)
    if isinstance(ended[0], RuntimeError):
        raise ended[0]
    return {**ended[0], **{name: (np.array(ended[0][name]) * FLIP).tolist() for name in ("point", "likeliest", "expected")}}


def _told(_paths: dict[str, str], told: dict[str, Any]) -> Generator[Any, None, dict[str, Any]]:
    yield 0.0
    return told


def _below(moving: Any, transform: Any) -> Any:
    """The moving volume as it is without the transform."""
    shot = snapshot(moving)
    if isBelow(moving, transform):
        parent = moving.GetParentTransformNode()
        shot.toWorld = belowTransform(moving, transform)
        if parent is not transform and parent.IsLinear() and parent.GetParentTransformNode() is transform:
            matrix = vtk.vtkMatrix4x4()
            parent.GetMatrixTransformToParent(matrix)
            linear = vtk.vtkTransform()
            linear.SetMatrix(matrix)
            shot.toWorld = linear  # the voxels need not be drawn anew
    return shot


def _regionOf(transform: Any) -> Any:
    own = ownGrid(transform)
    if own is None:
        raise NodeError(f"the transform {transform.GetName()} has no grid of its own: choose the fixed volume")
    return own[1]
