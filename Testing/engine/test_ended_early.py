"""Registrations that show their result so far, and that their caller ends early with that result."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk
from textured_pairs import FIXED, clouds, inner_points, pair
from worker_process import Process

from deepreg_engine.errors import ParameterError
from deepreg_engine.geometry.transform_files import read_field
from deepreg_engine.jobs.registration import run_registration
from deepreg_engine.jobs.request import make_request
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.register import register_dense
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.descent.register import register_descent
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.register import register_points
from deepreg_engine.progress import RunControl

DENSE = DenseParameters(
    initial="none",
    working_spacing=5.0,
    control_spacing=16.0,
    capture_range=16.0,
    search_stages=2,
    refinement_iterations=3,
    length_scale=1.0,
)
DESCENT = DescentParameters(initial="none", features="mind", working_spacing=5.0, levels=2, iterations=8, length_scale=1.0)
METHODS = ("dense", "descent", "descent, symmetric", "points")
POINTS = PointsParameters(initial="centres", features="none", length_scale=0.5)


def run(method, control=None):
    if method == "dense":
        return register_dense(pair(), DENSE, "cpu", control=control)
    if method.startswith("descent"):
        return register_descent(pair(), DESCENT.replaced({"symmetric": method != "descent"}), "cpu", control=control)
    fixed, moving, _ = clouds()
    result = register_points(fixed, moving, POINTS, "cpu", control=control, grid=FIXED)
    return dataclasses.replace(result, seconds={}), result.field(FIXED)


def field_of(method, result):
    return result[1] if method == "points" else result.field


def stages_of(method, result):
    return (result[0] if method == "points" else result).stages


def alignment_of(method):
    """Name of the first preview, as the stage was called while it went on."""
    return {"points": "the alignment", "dense": "step 1 of 5: alignment"}.get(method, "step 1 of 3: alignment")


def stopped_in(method, result):
    return (result[0] if method == "points" else result).stopped


class Watched(RunControl):
    """Keeps the previews, and finishes when one of a stage has come."""

    def __init__(self, last: str = "") -> None:
        super().__init__(self.take)
        self.seen, self.last = {}, last

    def take(self, field, stage: str) -> None:
        self.seen[stage] = field
        if stage == self.last:
            self.finish()


@pytest.mark.parametrize("method", METHODS)
def test_previews_lead_to_the_result_and_do_not_change_it(method):
    plain, control = run(method), Watched()
    watched = run(method, control)
    final = field_of(method, watched)
    assert np.array_equal(field_of(method, plain).vectors, final.vectors)
    assert stopped_in(method, watched) == ""
    assert next(iter(control.seen)) == alignment_of(method)
    assert len(control.seen) >= 3
    last = list(control.seen.values())[-1]
    assert max(last.grid.size) <= 65
    assert np.allclose(last.grid.axes, FIXED.axes)
    points = inner_points()
    apart = np.linalg.norm(last.map_points(points) - final.map_points(points), axis=1)
    assert apart.max() < (1.5 if method == "points" else 0.3)  # coherent point drift, the last stage of points, shows no preview


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_is_ended_early_gives_its_last_preview(method):
    complete = Watched()
    stages = stages_of(method, run(method, complete))
    names = list(complete.seen)
    control = Watched(names[1])
    result = run(method, control)
    assert list(control.seen) == names[:2]
    assert stopped_in(method, result) == names[1]
    assert len(stages_of(method, result)) < len(stages)
    points = inner_points()
    apart = np.linalg.norm(control.seen[names[1]].map_points(points) - field_of(method, result).map_points(points), axis=1)
    assert apart.max() < 0.3


def test_a_search_that_is_ended_early_gives_field_and_uncertainty_of_that_search():
    result = register_dense(pair(), DENSE, "cpu", control=Watched("step 2 of 5: coarse search"))
    assert [stage["stage"] for stage in result.stages] == ["search"]
    assert result.refinement_features == ""
    alone = register_dense(pair(), DENSE.replaced({"search_stages": 1, "refinement_iterations": 0}), "cpu")
    first, second = (sitk.GetArrayViewFromImage(run.uncertainty) for run in (result, alone))
    assert first.shape == FIXED.shape
    assert np.array_equal(first, second)
    assert np.allclose(result.field.vectors, alone.field.vectors, atol=0.1)  # interpolated from level to level


def test_the_end_within_iterations_keeps_what_they_have_reached():
    control, steps = RunControl(), []

    def progress(share, stage):
        if "refinement" in stage:
            steps.append(stage)
            if len(steps) == 2:
                control.finish()

    result = register_dense(pair(), DENSE.replaced({"refinement_iterations": 5}), "cpu", progress, control=control)
    assert result.stages[-1]["iterations"] == 2
    assert result.stopped == "iteration 2 of 5 in step 4 of 5: coarse refinement"


def test_an_end_after_the_last_stage_changes_nothing():
    control = RunControl()

    def progress(share, stage):
        if stage == "displacement field":
            control.finish()

    result = register_dense(pair(), DENSE, "cpu", progress, control=control)
    assert result.stopped == ""
    assert np.array_equal(result.field.vectors, run("dense").field.vectors)


def test_an_end_before_the_first_search_keeps_the_alignment():
    control = RunControl()
    control.finish()
    result = register_dense(pair(), DENSE, "cpu", control=control)
    assert result.stopped == "step 1 of 5: alignment"
    assert result.stages == []
    assert float(np.abs(result.field.vectors).max()) == 0.0


def written(folder):
    paths = []
    for name, image in zip(("fixed", "moving"), (pair().fixed, pair().moving), strict=True):
        paths.append(str(folder / f"{name}.nrrd"))
        sitk.WriteImage(image, paths[-1])
    return {"fixed": paths[0], "moving": paths[1]}


@pytest.mark.parametrize(
    ("method", "parameters", "outputs"),
    [
        ("dense", DENSE, ("transform", "inverse", "warped", "jacobian", "uncertainty", "magnitude", "expected_error")),
        ("descent", DESCENT, ("transform", "warped", "iterations")),
        ("points", POINTS, ("transform", "warped", "correspondences", "expected_error")),
    ],
)
def test_the_report_tells_the_end_and_all_outputs_are_written(tmp_path, method, parameters, outputs):
    files = {
        name: str(tmp_path / (name if name == "iterations" else f"{name}.csv" if name == "correspondences" else f"{name}.nrrd"))
        for name in outputs
    }
    request = make_request(method, **written(tmp_path), **files, parameters=parameters.to_dict(), device="cpu")
    control = RunControl()
    control.preview = lambda field, stage: None if stage == alignment_of(method) else control.finish()
    report = run_registration(request, control=control)
    assert report["stopped"]
    assert report["notes"][0] == f"stopped by the user after {report['stopped']}; the result so far was kept"
    assert all((tmp_path / path).exists() for path in files.values())
    if "expected_error" in outputs:
        assert report["expected_error"]["calibrated"] is False
        assert "ended early" in report["expected_error"]["reason"]
        assert np.isfinite(sitk.GetArrayFromImage(sitk.ReadImage(files["expected_error"]))).all()


def test_the_refinement_of_points_is_left_out(tmp_path):
    control = RunControl()
    control.preview = lambda field, stage: control.finish()
    request = make_request(
        "points", **written(tmp_path), transform=str(tmp_path / "t.nrrd"), parameters=POINTS.to_dict(), device="cpu", refine=True
    )
    report = run_registration(request, control=control)
    assert report["stopped"] == "round 1 of 4 of belief propagation"
    assert "refinement" not in report


def test_the_worker_sends_previews_and_ends_a_job_early(worker: Process, tmp_path):
    previews, output = tmp_path / "previews", tmp_path / "out"
    previews.mkdir(), output.mkdir()
    parameters = DENSE.replaced({"refinement_iterations": 50, "working_spacing": 2.6}).to_dict()
    arguments = {**written(tmp_path), "transform": str(output / "t.nrrd"), "parameters": parameters, "device": "cpu"}
    assert worker.ask("finish", 0)["result"] == {"finishing": False}
    worker.send({"id": 1, "op": "register", "arguments": {"method": "dense", "preview": str(previews), **arguments}})
    shown = worker.until("preview", "error")[-1]
    assert shown["stage"] == "step 1 of 6: alignment"
    assert worker.ask("finish", 2, job="another")["result"] == {"finishing": False}
    shown = worker.until("preview", number=1)[-1]
    assert shown["transform"] == str(previews / "preview_2.nrrd")
    assert read_field(shown["transform"]).lengths().max() > 1.0
    worker.send({"id": 3, "op": "finish", "arguments": {"job": 1}})
    assert worker.until("result", number=3)[-1]["result"] == {"finishing": True}
    ending = worker.until("result", "error", number=1)[-1]
    assert ending["result"]["stopped"]
    assert (output / "t.nrrd").exists()


def test_operations_without_a_result_so_far_cannot_be_ended_early(worker):
    worker.send({"id": 1, "op": "info", "arguments": {}})
    worker.send({"id": 2, "op": "finish", "arguments": {}})
    assert worker.until("result", number=2)[-1]["result"] == {"finishing": False}
    assert worker.until("result", "error", number=1)[-1]["kind"] == "result"


def test_a_folder_of_previews_has_to_exist(tmp_path):
    from deepreg_engine.jobs.previews import PreviewFiles

    with pytest.raises(ParameterError, match="does not exist"):
        PreviewFiles(str(tmp_path / "none"), lambda path, stage: None)


def test_a_preview_that_cannot_be_written_does_not_end_the_run(tmp_path):
    from deepreg_engine.geometry.displacement_field import DisplacementField
    from deepreg_engine.jobs.previews import PreviewFiles

    folder, sent = tmp_path / "gone", []
    folder.mkdir()
    files = PreviewFiles(str(folder), lambda path, stage: sent.append(path))
    folder.rmdir()
    files(DisplacementField.zeros(FIXED), "step 2 of 5: coarse search")
    assert sent == []
