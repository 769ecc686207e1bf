"""A task of the worker: files, an operation, results; and how it ends if something goes wrong."""

from __future__ import annotations

import json
import os

import pytest


@pytest.fixture
def task(app, tmp_path):
    """A task with a replacement of the worker: ``task.job`` is the submitted job."""
    from deepreg_slicer.worker_job import Job
    from deepreg_slicer.worker_task import WorkerTask

    class Client:
        computing = False
        cancelled: object = None

        def scratch(self):
            return str(tmp_path)

        def submit(self, operation, arguments):
            json.dumps(arguments, allow_nan=False)
            task.job, task.arguments = Job("1", operation), arguments
            return task.job

        def cancel(self, job):
            self.cancelled = job

    class Task(WorkerTask):
        operation = "weigh"
        exported, computed = 0.2, 0.8
        job = trouble = late = None

        def export(self):
            yield 0.0
            if self.trouble is not None:
                raise self.trouble
            with open(self.file("in.txt"), "w", encoding="utf-8") as stream:
                stream.write("12")
            return {"input": self.file("in.txt")}

        def read(self, result):
            yield 0.0
            with open(self.file("in.txt"), encoding="utf-8") as stream:
                return result["weight"] + int(stream.read())

        def accept(self, value):
            if self.late is not None:
                raise self.late
            return f"{value} g"

    task = Task(Client())
    task.client = task._client
    task.steps, task.results, task.errors = [], [], []
    task.progressed.connect(lambda *step: task.steps.append(step))
    task.finished.connect(task.results.append)
    task.failed.connect(task.errors.append)
    return task


def test_from_export_to_result(app, task, tmp_path):
    task.start()
    app.wait_for(lambda: task.job is not None)
    assert task.job.operation == "weigh"
    assert os.path.dirname(task.arguments["input"]) == task.folder
    task.job.progressed.emit(0.5, "weighing", 3.0)
    task.job.finished.emit({"weight": 30})
    assert task.wait(5.0) == "42 g"
    assert task.results == ["42 g"]
    assert task.errors == []
    assert [round(fraction, 3) for fraction, *_ in task.steps] == [0.0, 0.5, 0.8, 1.0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("trouble", "code", "words"),
    [
        (OSError(28, "No space left on device"), "disk", "No space left on device"),
        (MemoryError(), "memory", "ran out of memory"),
        (KeyError("x"), "error", "nternal error (KeyError"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_errors_have_a_code_and_a_text(app, task, tmp_path, trouble, code, words, late):
    setattr(task, "late" if late else "trouble", trouble)
    task.start()
    if late:
        app.wait_for(lambda: task.job is not None)
        task.job.finished.emit({"weight": 1})
    with pytest.raises(RuntimeError):
        task.wait(5.0)
    assert task.error.code == code
    assert words in task.error.text
    assert task.errors == [task.error]
    assert task.results == []
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_fails_is_reported_after_it(app, task, monkeypatch):
    """The end of a task is reported only after the caller could store it as the running task."""

    def full(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(task), "makeFolder", full)
    order = []
    task.failed.connect(lambda error: order.append(error.code))
    task.start()
    order.append("started")
    app.wait_for(lambda: task.over)
    assert order == ["started", "disk"]


def test_a_node_that_cannot_be_used_keeps_its_fields(app, task):
    from deepreg_slicer.errors import NodeError

    task.trouble = NodeError("the volume is empty", "choose another", "fixed")
    task.start()
    app.wait_for(lambda: task.over)
    assert (task.error.code, task.error.message, task.error.advice, task.error.option) == (
        "input",
        "the volume is empty",
        "choose another",
        "fixed",
    )
    assert task.error.text == "The volume is empty. Choose another."


def test_cancelling_while_files_are_written(app, task, tmp_path):
    task.start()
    task.cancel()
    assert task.over
    assert task.error.code == "cancelled"
    app.process_events()
    assert task.job is None
    assert list(tmp_path.iterdir()) == []


def test_cancelling_while_the_worker_computes(app, task, tmp_path):
    from deepreg_slicer.errors import cancelled

    task.start()
    app.wait_for(lambda: task.job is not None)
    task.cancel()
    assert task.client.cancelled is task.job
    assert not task.over
    task.job.failed.emit(cancelled())
    assert task.over
    assert task.errors == [cancelled()]
    assert list(tmp_path.iterdir()) == []


def test_a_dropped_task_is_silent(app, task):
    task.start()
    task.drop()
    assert task.over
    assert task.errors == []


def test_a_closed_scene_cancels_it(app, task):
    import slicer

    task.start()
    slicer.mrmlScene.Clear()
    assert task.over
    assert task.error.code == "cancelled"


def test_a_worker_that_computes_is_not_disturbed(app, task):
    from deepreg_slicer.errors import NodeError

    task.client.computing = True
    with pytest.raises(NodeError, match="another computation is running: wait"):
        task.start()
    task.queued = True
    task.start()
    app.wait_for(lambda: task.job is not None)


def test_a_worker_that_is_taken_meanwhile(app, task, tmp_path):
    task.start()
    task.client.computing = True
    app.wait_for(lambda: task.over)
    assert task.error.code == "busy"
    assert list(tmp_path.iterdir()) == []


def test_arguments_that_cannot_be_sent(app, task):
    task.start()
    task._work.finished.disconnect(task._submit)
    task._submit({"spacing": float("nan")})
    assert task.over
    assert task.error.code == "error"


def test_waiting_ends(app, task):
    task.start()
    with pytest.raises(RuntimeError, match="longer than 0.05 s"):
        task.wait(0.05)
