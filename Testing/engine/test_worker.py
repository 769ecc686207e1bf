"""The worker as a process of its own: its protocol, its jobs, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import ENVIRONMENT
from worker_process import QUICK, Process, dense_arguments, posix

from deepreg_engine.geometry.transform_files import read_field
from deepreg_engine.jobs.job import Job

# ------------------------------------------------------------------------------------------------------------------- jobs


def test_a_registration_with_progress_and_result(worker, phantom_folder, tmp_path):
    labels = [[str(phantom_folder / "moving_labels.nii.gz"), str(tmp_path / "labels.nrrd")]]
    arguments = dense_arguments(phantom_folder, tmp_path, warped=str(tmp_path / "w.nrrd"), warp_labels=labels, compress=False)
    worker.send({"id": "a", "op": "dense", "arguments": arguments})
    events = worker.until("result", "error")
    assert events[0] == {"id": "a", "kind": "started"}
    assert {event["id"] for event in events} == {"a"}
    progress = [event for event in events if event["kind"] == "progress"]
    fractions = [event["fraction"] for event in progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.9
    assert {"step 1: alignment", "computing the displacement field", "writing the results"} <= {event["stage"] for event in progress}
    assert any(event["eta"] is not None and event["eta"] >= 0 for event in progress)
    report = events[-1]["result"]
    assert events[-1]["kind"] == "result"
    assert report["preset"] == "quick"
    assert report["parameters"]["working_spacing"] == 5.0
    field = read_field(tmp_path / "t.nrrd")
    assert report["displacement"]["mean"] == pytest.approx(field.statistics().mean, rel=1e-5)
    # The label map follows the same field, in the same grid; not compressed, so that it is read faster.
    expected = field.warp_image(sitk.ReadImage(labels[0][0]), "nearest")
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(labels[0][1])), sitk.GetArrayFromImage(expected))
    assert b"encoding: raw" in (tmp_path / "labels.nrrd").read_bytes()[:800]
    assert b"encoding: raw" in (tmp_path / "w.nrrd").read_bytes()[:800]


def test_one_worker_does_one_job_after_the_other(worker, phantom_folder, tmp_path):
    for number in (1, 2):
        worker.send({"id": number, "op": "dense", "arguments": dense_arguments(phantom_folder, tmp_path)})
        assert worker.until("started", number=number)[0]["kind"] == "started"
        assert worker.until("result", "error", number=number)[-1]["kind"] == "result"
    assert worker.ask("ping", 3)["result"] == {"busy": False}


def test_a_cancelled_job_leaves_no_file_and_the_worker_continues(worker, phantom_folder, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    slow = {**QUICK, "search_stages": 3, "mean_field_passes": 4, "refinement_iterations": 50}
    worker.send({"id": 1, "op": "dense", "arguments": dense_arguments(phantom_folder, output, parameters=slow)})
    while not any(event["kind"] == "progress" and event["fraction"] > 0.1 for event in [worker.next()]):
        pass
    assert worker.ask("cancel", 2, job="another")["result"] == {"cancelled": False}
    worker.send({"id": 3, "op": "cancel", "arguments": {"job": 1}})
    ending = worker.until("result", "error", number=1)[-1]
    assert ending["code"] == "cancelled"
    assert list(output.iterdir()) == []
    assert worker.ask("ping", 4)["result"] == {"busy": False}


def test_a_second_job_is_refused_and_a_ping_is_answered(worker):
    worker.send({"id": 1, "op": "info", "arguments": {}})  # loads torch, which takes a second
    worker.send({"id": 2, "op": "info", "arguments": {}})
    worker.send({"id": 3, "op": "ping"})
    refused = worker.until("error", number=2)[-1]
    assert refused["code"] == "request"
    assert "another job is running" in refused["message"]
    info = worker.until("result", number=1)[-1]["result"]
    assert info["torch"]["version"]
    assert info["missing"] == []
    assert info["devices"][0]["name"] == "cpu"
    assert info["memory"]["total"] > info["memory"]["available"] > 0


def test_progress_is_repeated_while_a_job_reports_nothing():
    repeated, reports = threading.Event(), []

    def send(event: dict) -> None:
        if event["kind"] == "progress" and event["stage"] == "thinking":
            reports.append(event)
            if len(reports) == 3:
                repeated.set()

    def silent(arguments, job):
        job.progress(0.5, "thinking")
        assert repeated.wait(60)
        return {}

    Job(1, send).run(silent, {})


def test_the_first_import_of_torch_is_announced(worker):
    worker.send({"id": 1, "op": "info"})
    events = [event for event in worker.until("result", number=1) if event["kind"] == "progress"]
    assert events[0] == {"id": 1, "kind": "progress", "fraction": 0.0, "stage": "loading PyTorch", "loading": True, "eta": None}
    worker.send({"id": 2, "op": "self-test"})
    events = [event for event in worker.until("result", number=2) if event["kind"] == "progress"]
    assert not any("loading" in event for event in events)


# -------------------------------------------------------------------------------------------------------------------- end


@pytest.mark.parametrize("how", ["shutdown", "end of input", "kill", "kept folder"])
def test_the_mark_is_left_only_by_a_worker_that_was_ended_from_outside(tmp_path, how):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    mark = scratch / "running-1"
    mark.touch()
    worker = Process("--scratch", "scratch", "--mark", "scratch/running-1", folder=tmp_path)
    assert worker.next()["kind"] == "ready"
    assert mark.exists()
    if how == "shutdown":
        worker.send({"id": 1, "op": "shutdown"})
    elif how == "kill":
        worker.process.kill()
    else:
        if how == "kept folder":  # other panels write into it
            mark.unlink()
        worker.process.stdin.close()
    worker.process.wait(10)
    assert mark.exists() == (how == "kill")
    assert scratch.exists() == (how != "end of input")


def test_it_ends_when_its_input_ends(worker):
    assert worker.ask("ping")["kind"] == "result"
    (worker.scratch / "left.nrrd").write_text("x")
    worker.process.stdin.close()
    assert worker.process.wait(5) == 0
    assert not worker.scratch.exists()


def test_it_ends_on_request(worker):
    worker.send({"id": 1, "op": "shutdown"})
    assert worker.process.wait(5) == 0


@posix
def test_it_ends_during_a_job_with_all_processes_that_it_has_started(worker, phantom_folder, tmp_path):
    slow = {**QUICK, "search_stages": 3, "mean_field_passes": 4, "refinement_iterations": 50}
    worker.send({"id": 1, "op": "dense", "arguments": dense_arguments(phantom_folder, tmp_path, parameters=slow)})
    worker.until("progress")
    worker.process.stdin.close()  # as if the other program was killed
    assert worker.process.wait(5) == -signal.SIGKILL
    assert not worker.scratch.exists()
    assert [path for path in tmp_path.iterdir() if path != worker.scratch] == []


@posix
def test_it_leads_a_process_group_of_its_own(worker):
    assert worker.ask("ping")["kind"] == "result"
    assert os.getpgid(worker.process.pid) == worker.process.pid != os.getpgid(0)


def test_it_starts_where_packages_are_missing(tmp_path):
    # A Python without torch, safetensors and psutil, as that of Slicer at first.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'safetensors', 'psutil'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
    )
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    bare = Process(environment={**ENVIRONMENT, "PYTHONPATH": path})
    try:
        assert bare.next()["kind"] == "ready"
        error = bare.ask("dense", fixed="a.nrrd", moving="b.nrrd")
        assert error["code"] == "package"
        assert "is not installed" in error["message"]
        phantom = bare.ask("phantom", 2, anatomy="abdomen", folder=str(tmp_path / "pair"), detail=0.25)
        assert phantom["kind"] == "result"
        assert Path(phantom["result"]["files"]["fixed"]).is_file()
    finally:
        bare.process.kill()
        bare.process.wait(10)


def test_the_scratch_folder_must_exist(tmp_path):
    command = [sys.executable, "-m", "deepreg_engine", "worker", "--scratch", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 2
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
