"""Explanations from files: a pair is opened once, questions are answered, errors name what is wrong."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import image_on, make_grid
from textured_pairs import PARAMETERS, SHIFT, STAGES, clouds, inner_points, one_thread_fixture, pair, translation  # noqa: F401 - a fixture

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.jobs import explanation as job
from deepreg_engine.jobs.explanation_answers import answer
from deepreg_engine.jobs.memory import kept_memory, make_room


@pytest.fixture
def files(tmp_path):
    """A pair and its result in files."""
    images = pair()
    paths = {name: str(tmp_path / f"{name}.nrrd") for name in ("fixed", "moving")}
    for name, path in paths.items():
        sitk.WriteImage(getattr(images, name), path)
    paths["transform"] = str(tmp_path / "transform.tfm")
    sitk.WriteTransform(translation(SHIFT), paths["transform"])
    yield paths
    job.drop()


def request(files, method="dense", **more):
    names = ("working_spacing", "control_spacing", "capture_range") if method == "dense" else ()
    parameters = {name: getattr(PARAMETERS, name) for name in names}
    return job.ExplanationRequest(method=method, **files, parameters=parameters, **more)


def test_a_pair_is_opened_once(files, tmp_path):
    first = job.open_explanation(request(files))
    assert not first["warm"]
    assert [stage["name"] for stage in first["stages"]] == list(STAGES)
    assert first["stage"] == "search 2"
    again = {name: str(tmp_path / f"again_{name}.{'tfm' if name == 'transform' else 'nrrd'}") for name in files}
    for name, path in files.items():
        (tmp_path / again[name].split("/")[-1]).write_bytes(Path(path).read_bytes())
    assert job.open_explanation(request(again)) == {**first, "warm": True}

    output = str(tmp_path / "probabilities.nrrd")
    point = inner_points()[0]
    answered = answer({"what": "probabilities", "state": first["state"], "point": point.tolist(), "output": output, "stage": "fine"})
    image = sitk.ReadImage(output)
    place = [image.TransformPhysicalPointToIndex((point + answered["likeliest"]).tolist())][0]
    assert image.GetPixel(*place) == pytest.approx(answered["peak"], abs=1e-6)
    assert sitk.GetArrayFromImage(image).sum() == pytest.approx(1.0, abs=1e-4)

    maps = {name: str(tmp_path / f"{name}.nrrd") for name in ("bits", "offset")}
    answered = answer({"what": "entropy", "state": first["state"], **maps})
    values = sitk.GetArrayFromImage(sitk.ReadImage(maps["bits"]))
    assert answered["mean_bits"] == pytest.approx(values.mean(), abs=1e-3)
    assert values.min() >= 0
    assert values.max() <= answered["most_bits"] + 1e-4

    colours = {name: str(tmp_path / f"{name}_colours.nrrd") for name in ("fixed", "moving")}
    assert answer({"what": "features", "state": first["state"], **colours})["features"] == "mind"
    assert sitk.ReadImage(colours["fixed"]).GetNumberOfComponentsPerPixel() == 3


def test_other_images_take_the_place_and_a_run_takes_the_memory(files, tmp_path):
    first = job.open_explanation(request(files))["state"]
    sitk.WriteTransform(translation(SHIFT + 1.0), files["transform"])
    second = job.open_explanation(request(files))["state"]
    assert second != first
    question = {"what": "probabilities", "point": inner_points()[0].tolist(), "output": str(tmp_path / "p.nrrd")}
    with pytest.raises(job.StateError, match="not kept"):
        answer({**question, "state": first})
    answer({**question, "state": second})
    with kept_memory(), pytest.raises(job.StateError) as caught:  # every registration of images begins with kept_memory
        answer({**question, "state": second})
    assert caught.value.code == "state"
    job.open_explanation(request(files))
    make_room()
    with pytest.raises(job.StateError):
        answer({**question, "state": second})


def test_points_are_answered_from_files(tmp_path):
    fixed, moving, partner = clouds(60)
    names = {name: str(tmp_path / f"{name}.csv") for name in ("fixed_points", "moving_points")}
    for path, cloud in zip(names.values(), (fixed, moving), strict=True):
        np.savetxt(path, cloud, delimiter=",", header="x,y,z", comments="", fmt="%.9f")
    grid = make_grid((6, 7, 8), (30.0, 26.0, 22.0), (9, 4, -7), centre=(100.0, -80.0, 40.0))
    field = image_on(grid, np.broadcast_to(SHIFT, (*grid.shape, 3)).astype(np.float32).copy(), vector=True)
    field.SetMetaData("intent_code", "1006")
    sitk.WriteImage(field, str(tmp_path / "transform.nrrd"))
    asked = job.ExplanationRequest("points", str(tmp_path / "transform.nrrd"), **names, parameters={"features": "none"})
    try:
        answered = job.open_explanation(asked)
        assert answered["outside"] == int((~grid.contains(fixed)).sum())
        assert answered["fixed"] == 60
        found = answer({"what": "confidences", "state": answered["state"], "output": str(tmp_path / "c.csv")})
        with open(tmp_path / "c.csv", newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == found["points"] == 60
        place, output = (fixed[5] + 0.2).tolist(), str(tmp_path / "p.csv")
        own = answer({"what": "partners", "state": answered["state"], "point": place, "output": output})
        with open(tmp_path / "p.csv", newline="", encoding="utf-8") as stream:
            best = next(csv.DictReader(stream))
        assert own["number"] == 5
        assert [float(best[axis]) for axis in "xyz"] == pytest.approx(moving[partner[5]].tolist(), abs=1e-5)
        assert float(best["probability"]) > 0.5
        assert own["confidence"] > 0.9
        with pytest.raises(InputError, match="no probabilities"):
            answer({"what": "probabilities", "state": answered["state"], "point": [0, 0, 0], "output": str(tmp_path / "q.nrrd")})
    finally:
        job.drop()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"what": "reasons"}, "there is no question 'reasons'"),
        ({"what": "partners", "state": "x", "points": []}, "no argument 'points'"),
        ({"what": "partners", "state": "x"}, "argument point is missing"),
        ({"what": "entropy", "state": "x", "bits": "b", "progress": 1}, "no argument 'progress'"),
    ],
)
def test_a_wrong_question_is_refused(arguments, text):
    with pytest.raises(ParameterError, match=text):
        answer(arguments)


def test_what_cannot_be_opened_is_said(files):
    with pytest.raises(ParameterError, match="no method 'elastix'"):
        job.open_explanation(request(files, method="elastix"))
    with pytest.raises(InputError, match="fixed points is missing"):
        job.open_explanation(request(files, method="points"))
    with pytest.raises(InputError, match="cannot be read"):
        job.open_explanation(request({**files, "moving": "/nowhere/m.nrrd"}))
