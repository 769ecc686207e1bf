"""Requests to the worker about one result: the pair is opened once, then questions are submitted.

One question is computed at a time. Of the waiting questions, only the last of each kind is kept, so that answers while a point is dragged
are for its present position.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from deepreg_slicer.errors import JobError, NodeError
from deepreg_slicer.signals import Signal
from deepreg_slicer.waiting import waitUntilFree
from deepreg_slicer.worker_client import WorkerClient, workerClient
from deepreg_slicer.worker_task import WorkerTask
from DeepRegInspectorLib.explain_subject import Subject, subjectOf
from DeepRegInspectorLib.explain_tasks import OpenTask, Question, QuestionTask, readNothing
from DeepRegInspectorLib.mapping import FLIP

# Errors after which the worker does not have the pair any more.
_LOST = ("state", "crash", "killed", "hang")


class ExplainSession:
    """Opens a pair at its first question, and submits questions.

    Args:
        client: the worker.

    Signals: ``changed()``, when ``busy`` has changed; ``failed(text)``.
    """

    def __init__(self, client: WorkerClient) -> None:
        self.changed, self.failed = Signal(), Signal()
        #: The worker's description of the open pair; None if no pair is open.
        self.opened: dict[str, Any] | None = None
        self._client = client
        self._subject: Subject | None = None
        self._waiting: dict[str, Question] = {}
        self._asked: Question | None = None
        self._retry = False
        self._task: WorkerTask | None = None

    @property
    def busy(self) -> bool:
        """Whether a question is being answered."""
        return self._asked is not None

    @property
    def opening(self) -> bool:
        """Whether the pair is being opened."""
        return self.busy and self.opened is None

    def about(self, subject: Subject | None) -> None:
        """Set another or changed result for further questions; drops the present question."""
        self.stop()
        self._subject, self.opened = subject, None

    def ask(self, question: Question) -> None:
        """Ask as soon as the worker is free for it."""
        self._waiting[question.what] = question
        self._next()

    def stop(self) -> None:
        """Drop the present question and those that wait."""
        self._waiting.clear()
        if self._task is not None:
            self._task.drop()
        wasBusy = self.busy
        self._asked, self._task, self._retry = None, None, False
        if wasBusy:
            self.changed.emit()

    def _next(self) -> None:
        if self.busy or not self._waiting or self._subject is None:
            return
        self._asked = self._waiting.pop(next(iter(self._waiting)))
        self._retry = True
        self.changed.emit()
        self._begin()

    def _begin(self) -> None:
        if self.opened is None:
            self._start(OpenTask(self._client, self._subject), self._onOpened)
        else:
            self._start(QuestionTask(self._client, self.opened["state"], self._asked), self._onAnswer)

    def _start(self, task: WorkerTask, done: Callable[[Any], None]) -> None:
        self._task = task
        task.finished.connect(done)
        task.failed.connect(self._onError)
        try:
            task.start()
        except NodeError as error:
            self._fail(str(error))

    def _onOpened(self, opened: dict[str, Any]) -> None:
        self.opened = opened
        self._begin()

    def _onAnswer(self, answer: Any) -> None:
        question, self._asked, self._task = self._asked, None, None
        question.done(answer)
        self.changed.emit()
        self._next()

    def _onError(self, error: JobError) -> None:
        if error.code in _LOST:
            wasOpen, self.opened = self.opened is not None, None
            if wasOpen and self._retry:
                self._retry = False
                self._begin()
                return
        self._fail(error.text)

    def _fail(self, text: str) -> None:
        self._asked, self._task = None, None
        self._waiting.clear()
        self.failed.emit(text[:1].upper() + text[1:])
        self.changed.emit()


def probabilitiesAt(transform: Any, fixed: Any, moving: Any, position: Any, stage: str = "") -> dict[str, Any]:
    """Return the probabilities of displacements at a place (RAS mm), for scripts; waits for them with the event loop running.

    Raises:
        RuntimeError: with a message and advice.
    """
    subject = subjectOf(transform, fixed, moving)
    problem = subject.problem() or (
        "" if subject.method == "dense" else _("Only a result of Dense Registration has probabilities of displacements.")
    )
    if problem:
        raise RuntimeError(problem)
    waitUntilFree()
    answers: list[dict[str, Any]] = []
    problems: list[str] = []
    session = ExplainSession(workerClient())
    session.failed.connect(problems.append)
    session.about(subject)
    arguments = {"point": (np.asarray(position, dtype=float) * FLIP).tolist(), "stage": stage}
    session.ask(Question("probabilities", arguments, {"output": "probabilities.nrrd"}, readNothing, answers.append))
    while not answers and not problems:
        slicer.app.processEvents()
        time.sleep(0.002)
    if problems:
        raise RuntimeError(problems[0])
    return {**answers[0], **{name: (np.array(answers[0][name]) * FLIP).tolist() for name in ("point", "likeliest", "expected")}}
