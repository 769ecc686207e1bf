"""``cross-validate`` on the command line: output, resuming after a kill, refusals, and rows that are kept."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import signal
import sys

import numpy as np
import pytest
from command_line import call, check_refusal, cut, listing, succeed
from keypoint_files import SPACING, write
from keypoint_files import TINY as FEW
from labelled_patients import write_patients

from deepreg_engine.commands.cross_validate import mean_lines
from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry import files as files_module
from deepreg_engine.jobs.comparison import CrossValidationRequest, registration_parameters
from deepreg_engine.jobs.cross_validation import COMPARISONS, run_cross_validation
from deepreg_engine.methods.points.presets import points_preset
from deepreg_engine.methods.registry import METHODS

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

SMALL = {"steps": 2, "size": 16, "width": 4, "spacing": 5.0, "initial": "geometry"}


def settings(values):
    return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]


POINTS = ("--spacing", ",".join(map(str, SPACING)), *settings(FEW), "--device", "cpu", "--folds", 2)
DENSE = ("--modality", "ct", *settings(SMALL), "--workers", 0, "--device", "cpu", "--folds", 2, "--registration-preset", "quick")


@pytest.fixture(scope="module")
def lungs(tmp_path_factory):
    """Keypoints of four patients; of the second one also those that were detected in either scan."""
    return write(tmp_path_factory.mktemp("lungs"), 1, 2, 3, 4, scans=(2,))


@pytest.fixture(scope="module")
def whole(lungs, tmp_path_factory):
    """A cross-validation of them without a break: its folder, the copy of its table, and what was printed."""
    folder = tmp_path_factory.mktemp("whole")
    text = succeed("cross-validate", "points", lungs, *POINTS, "--folder", folder / "run", "--output", folder / "table.csv")
    return folder / "run", folder / "table.csv", text


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Four labelled scans, oblique and anisotropic, of unequal sizes."""
    folder = write_patients(tmp_path_factory.mktemp("patients"))
    (folder / "names.json").write_text('{"labels": {"1": "liver", "2": "spleen"}}')
    return folder


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


# -------------------------------------------------------------------------------------------------------------- what it prints


def test_means_of_each_kind_of_keypoints(whole, lungs):
    folder, copy, text = whole
    lines = text.splitlines()
    assert lines[0] == (
        "5 pairs in 2 folds: mean target registration error, mm (in brackets the mean of the pairs' 95th percentiles); less is better"
    )
    assert lines[1].split("  ")[0] == "keypoints"
    assert lines[1].endswith("learned")
    assert "positions alone" in lines[1]
    assert set(lines[2]) == {"-"}
    table = rows_of(copy)
    for line, kind, count in zip(lines[3:5], ("independent", "partners"), ("1", "4"), strict=True):
        found = line.replace("(", "").replace(")", "").split()
        assert found[:2] == [kind, count]
        columns = [name + ending for name in ("before", "aligned", "positions", "learned") for ending in ("", "_95")]
        means = [np.mean([float(row[name]) for row in table if row["keypoints"] == kind]) for name in columns]
        assert [float(word) for word in found[2:]] == pytest.approx(means, abs=0.006)
    assert len({len(line) for line in lines[1:5]}) == 1  # aligned
    assert lines[5:] == [f"written: {folder / 'cross_validation.csv'}  {copy}"]
    assert copy.read_bytes() == (folder / "cross_validation.csv").read_bytes()
    again = succeed("cross-validate", "points", lungs, *POINTS, "--set", "solver_share=0.50", "--folder", folder)
    assert again.splitlines()[:5] == lines[:5]  # the same training, written otherwise
    assert {path.name for path in folder.iterdir()} == {"fold_1", "fold_2", "cross_validation.csv"}
    assert all((folder / fold / "model.safetensors").is_file() for fold in ("fold_1", "fold_2"))


def test_means_of_each_label_and_of_all(patients, tmp_path):
    begin = ("cross-validate", "dense", patients, *DENSE, "--folder", tmp_path / "run", "--label-names", patients / "names.json")
    text = succeed(*begin)
    lines, table = text.splitlines(), rows_of(tmp_path / "run" / "cross_validation.csv")
    assert lines[0] == "4 scans or pairs in 2 folds: mean Dice (0 to 1, more is better)"
    assert lines[1].split() == ["label", "pairs", "before", "aligned", "MIND", "learned"]
    for line, name, label in zip(lines[3:7], ("liver", "spleen", "3", "all"), ("1", "2", "3", None), strict=True):
        found = [row for row in table if label in (row["label"], None)]
        means = [np.mean([float(row[condition]) for row in found]) for condition in ("before", "aligned", "mind", "learned")]
        assert line.split()[:2] == [name, "4"]
        assert [float(word) for word in line.split()[2:]] == pytest.approx(means, abs=0.0006)
    assert lines[7:] == [f"written: {tmp_path / 'run' / 'cross_validation.csv'}"]
    before = listing(tmp_path / "run" / "fold_2")
    assert succeed(*begin) == text
    assert listing(tmp_path / "run" / "fold_2") == before


def test_pairs_of_two_modalities_for_descent(patients, tmp_path, monkeypatch):
    monkeypatch.setattr("deepreg_engine.training.descent.trainer._VALIDATION", 2)
    for side in ("fixed", "moving"):
        for kind in ("images", "labels"):
            shutil.copytree(patients / kind, tmp_path / "pairs" / f"{side}_{kind}")
    few = settings({"steps": 1, "size": 24, "width": 4, "phantoms": 0})
    pairs = ("--modality", "other", "--moving-modality", "mr", "--spacing", 4)
    run = ("--workers", 0, "--device", "cpu", "--folds", 2, "--registration-preset", "quick", "--folder", tmp_path / "run")
    text = succeed("cross-validate", "descent", tmp_path / "pairs", *pairs, *few, *run)
    assert text.splitlines()[-2].split()[:3] == ["all", "4", "1.000"]  # each with itself
    request = json.loads((tmp_path / "run" / "fold_1" / "training.json").read_text())["request"]
    found = [request[name] for name in ("spacing", "modality", "moving_modality", "leave_out")]
    assert found == [4.0, "other", "mr", ["scan1", "scan3"]]


def test_one_kind_has_no_mean_of_all_and_nothing_has_no_table():
    figures = {name: 1.0 for way in ("before", "aligned", "positions", "learned") for name in (way, f"{way}_95")}
    row = {"pair": "case_1", "keypoints": "partners", "points": 90, **figures}
    done = {
        "figure": "tre",
        "rows": [row],
        "summary": {"pairs": 1, "keypoints": {"partners": figures}, **figures},
        "folds": [["case_1"], ["case_2"]],
    }
    lines = mean_lines(done, {})
    assert [line.split()[0] for line in lines[1:] if not line.startswith("-")] == ["keypoints", "partners"]
    assert mean_lines({**done, "rows": []}, {}) == []
    dice = dict.fromkeys(("before", "aligned", "mind"), 0.5) | {"learned": None}
    done = {
        "figure": "dice",
        "rows": [{"pair": "a - b", "label": 7, **dice}],
        "summary": {"pairs": 1, "labels": {"7": dice}, **dice},
        "folds": [["a"]],
    }
    assert mean_lines(done, {7: "left kidney"})[-1].split() == ["left", "kidney", "1", "0.500", "0.500", "0.500", "-"]


def test_scans_that_cannot_be_read_are_named_also_by_a_run_that_had_nothing_left_to_do(patients, tmp_path):
    for kind in ("images", "labels"):
        shutil.copytree(patients / kind, tmp_path / "patients" / kind)
        shutil.copy(patients / kind / "scan1.nii.gz", tmp_path / "patients" / kind / "scan5.nii.gz")
    (tmp_path / "patients" / "images" / "scan5.nii.gz").write_text("no image")
    begin = ("cross-validate", "dense", tmp_path / "patients", *DENSE, "--folder", tmp_path / "run")
    check_refusal(call(*begin, "--output", tmp_path / "run.csv"), "scan5")
    text = succeed(*begin, "--skip-bad")
    assert [line for line in text.splitlines() if line.startswith("note:")] == [line for line in text.splitlines() if "scan5" in line]
    assert text.count("note: not used: ") == 1
    assert "4 scans" not in text
    assert succeed(*begin, "--skip-bad") == text
    assert not (tmp_path / "run.csv").exists()


def test_what_cannot_be_registered_at_all_is_refused(lungs, tmp_path, monkeypatch):
    def refuse(*_):
        raise InputError("case_1 lies on a line", "give others")

    monkeypatch.setitem(COMPARISONS, "points", dataclasses.replace(COMPARISONS["points"], measure=refuse))
    outcome = call("cross-validate", "points", lungs, *POINTS, "--skip-bad", "--folder", tmp_path / "run")
    check_refusal(outcome, "no pair could be registered", "case_1 lies on a line")


# ------------------------------------------------------------------------------------------------------- stopped, killed, paused


@posix
@pytest.mark.parametrize(
    ("stage", "number"), [("fold 2 of 2: step 1", signal.SIGKILL), ("fold 2 of 2: registering case_004", signal.SIGINT)]
)
def test_the_same_command_resumes_where_it_was_stopped_or_killed(whole, lungs, tmp_path, stage, number):
    folder, copy, text = whole
    begin = ("cross-validate", "points", lungs, *POINTS, "--folder", tmp_path / "run", "--output", tmp_path / "table.csv")
    outcome = cut(stage, number, *begin)
    if number == signal.SIGKILL:
        assert outcome.code == -signal.SIGKILL
        assert outcome.out == ""
    else:
        check_refusal(outcome, f"stopped by the user: the same command resumes what is in {tmp_path / 'run'}")
    assert not (tmp_path / "table.csv").exists()
    before = listing(tmp_path / "run" / "fold_1")
    second = call(*begin)
    assert second.code == 0
    assert second.out == text.replace(str(folder), str(tmp_path / "run")).replace(str(copy), str(tmp_path / "table.csv"))
    assert not any("fold 1 of 2: step" in line for line in second.progress)
    assert listing(tmp_path / "run" / "fold_1") == before
    assert any("fold 2 of 2: step" in line for line in second.progress) == ("step" in stage)  # what was learned is not learned again
    assert (tmp_path / "table.csv").read_bytes() == copy.read_bytes()
    assert not list((tmp_path / "run").rglob(".*"))  # half-written files of the one that was killed


def test_a_pause_and_a_stop_by_file_are_reported(lungs, tmp_path, monkeypatch):
    from deepreg_engine.commands import cross_validate

    asked = {"word": "pause"}

    class Watcher(cross_validate.ProgressBar):
        def __call__(self, share, stage):
            super().__call__(share, stage)
            if stage.startswith("fold 2 of 2: step 1") and asked["word"]:
                (tmp_path / "run" / "control").write_text(asked["word"])

    monkeypatch.setattr(cross_validate, "ProgressBar", Watcher)
    begin = ("cross-validate", "points", lungs, *POINTS, "--folder", tmp_path / "run", "--output", tmp_path / "table.csv")
    text = succeed(*begin)
    assert "note: paused" in text
    assert "the same command resumes it" in text
    assert "2 pairs" not in text
    assert not (tmp_path / "table.csv").exists()
    shutil.rmtree(tmp_path / "run" / "fold_2")
    asked["word"] = "stop"
    text = succeed(*begin)
    assert "note: stopped" in text
    assert (tmp_path / "table.csv").is_file()


# ------------------------------------------------------------------------------------------------------------ rows that are kept


def points_request(lungs, folder, **changes):
    values = {"method": "points", "data": [str(lungs)], "folder": str(folder), "parameters": FEW, "spacing": SPACING, "folds": 2}
    return CrossValidationRequest(**{**values, "device": "cpu", **changes})


@pytest.fixture
def measured(monkeypatch):
    """Names of the pairs that are registered from here on."""
    seen = []
    original = COMPARISONS["points"].measure

    def measure(request, name, *rest):
        seen.append(name)
        return original(request, name, *rest)

    monkeypatch.setitem(COMPARISONS, "points", dataclasses.replace(COMPARISONS["points"], measure=measure))
    return seen


def test_rows_of_another_preset_are_computed_again(whole, lungs, tmp_path, measured):
    shutil.copytree(whole[0], tmp_path / "run")
    first = run_cross_validation(points_request(lungs, tmp_path / "run"))
    assert measured == []  # kept
    assert run_cross_validation(points_request(lungs, tmp_path / "run", preset="lung"))["rows"] == first["rows"]
    assert measured == []
    models = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("model.safetensors")}
    other = run_cross_validation(points_request(lungs, tmp_path / "run", preset="shape"))
    assert measured == [name for fold in other["folds"] for name in fold]
    assert all(
        one["learned"] != two["learned"] and one["before"] == two["before"] for one, two in zip(first["rows"], other["rows"], strict=True)
    )
    assert models == {path: path.stat().st_mtime_ns for path in models}  # nothing was learned again
    assert rows_of(tmp_path / "run" / "cross_validation.csv")[0]["learned"] == str(other["rows"][0]["learned"])
    assert run_cross_validation(points_request(lungs, tmp_path / "run", preset="shape"))["rows"] == other["rows"]
    assert len(measured) == 5
    assert run_cross_validation(points_request(lungs, tmp_path / "run"))["rows"] == first["rows"]
    assert len(measured) == 10


@pytest.mark.parametrize("content", ["", "{", "null", "[]", '[{"pair": "case_001"}]', '{"rows": []}', "7"])
def test_rows_that_are_damaged_or_without_their_preset_are_computed_again(whole, lungs, tmp_path, measured, content):
    shutil.copytree(whole[0], tmp_path / "run")
    (tmp_path / "run" / "fold_1" / "rows.json").write_text(content)
    done = run_cross_validation(points_request(lungs, tmp_path / "run"))
    assert measured == done["folds"][0]
    assert (tmp_path / "run" / "cross_validation.csv").read_bytes() == whole[1].read_bytes()


@pytest.mark.parametrize("method", ["dense", "points", "descent"])
def test_the_presets_of_each_method(method):
    for preset in METHODS[method].presets:
        assert registration_parameters(method, preset.name) == preset.parameters
        kept = preset.parameters.to_dict()
        assert json.loads(json.dumps(kept)) == kept
    assert registration_parameters(method) == registration_parameters(method, METHODS[method].default_preset)
    with pytest.raises(ParameterError, match="no preset 'nothing'"):
        registration_parameters(method, "nothing")
    with pytest.raises(ParameterError, match="no training"):
        registration_parameters("dens", "quick")
    assert registration_parameters("points") == points_preset("lung").parameters


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("method", ["dense", "points", "descent"])
def test_a_preset_that_does_not_exist_is_refused_before_anything_is_learned(method, lungs, patients, tmp_path):
    data = lungs if method == "points" else patients
    preset = "lungs" if method == "points" else "quik"
    request = CrossValidationRequest(method, [str(data)], str(tmp_path / "run"), {"steps": 1}, folds=2, preset=preset)
    with pytest.raises(ParameterError, match="no preset 'lungs'|no preset 'quik'") as refused:
        run_cross_validation(request)
    assert refused.value.line().endswith("did you mean lung?" if method == "points" else "did you mean quick?")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--registration-preset", "lungs"), ("no preset 'lungs'", "did you mean lung?")),
        (("--preset", "fast"), ("no preset 'fast'", "quick, standard")),
        (("--folds", 1), ("cannot be divided into 1 folds", "give 2 to 4 folds")),
        (("--folds", 5), ("4 patients", "give 2 to 4 folds")),
        (("--folds", "two"), ("'two' is not a number of folds",)),
        (("--leave-out", "case_009"), ("no pair 'case_009' to leave out", "there are case_001")),
        (("--set", "stepps=3"), ("no parameter 'stepps'", "did you mean steps")),
        (("--spacing", "1,2"), ("not three voxel sizes",)),
        (("--validation", "case_001"), ("unknown '--validation'",)),
        (("--output", "table.txt"), ("table.txt needs another ending", "use .csv (--output)")),
        (("--output", "missing/table.csv"), ("the folder missing does not exist", "make it first")),
        (("--output", "table.csv/"), ("table.csv is a folder",)),
        (("--output", "LUNGS/table.csv"), ("--output", "whose .csv files are keypoints")),
        (("--folder", "LUNGS/run"), ("--folder", "whose .csv files are keypoints")),
        (("--folder", "LUNGS"), ("--folder", "whose .csv files are keypoints")),
        (("--folder", "text.txt"), ("text.txt is a file", "name of a folder")),
        (("--folder", "missing/run"), ("the folder missing does not exist", "make it first")),
        (("--folder", "text.txt/run"), ("the folder text.txt does not exist",)),
        (("--folder", ""), ("the value of --folder is empty",)),
        (("--device", "cdua"), ("no --device 'cdua'", "did you mean cuda?")),
        (("nowhere",), ("nowhere",)),
    ],
)
def test_bad_input_is_refused_in_one_line_before_anything_is_learned(lungs, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("no folder")
    (tmp_path / "table.csv").mkdir()
    before = listing(tmp_path) | listing(lungs)
    arguments = [str(word).replace("LUNGS", str(lungs)) for word in arguments]
    data = [arguments.pop()] if arguments == ["nowhere"] else [lungs]
    check_refusal(
        call("cross-validate", "points", *data, *POINTS, "--folder", "run", *arguments), "deepreg-engine cross-validate points: ", *words
    )
    assert listing(tmp_path) | listing(lungs) == before


def test_command_lines_that_are_not_whole(patients, tmp_path):
    check_refusal(call("cross-validate", "dense", patients), "still needed: --folder")
    check_refusal(call("cross-validate", "dense", "--folder", tmp_path / "run"), "still needed: DATA")
    check_refusal(call("cross-validate", "descent", "--folder", tmp_path / "run"), "still needed: DATA")
    check_refusal(call("cross-validate"), "still needed: <method>")
    check_refusal(call("cross-validate", "dens"), "no method 'dens'", "did you mean dense?")
    check_refusal(call("cross-validat", "dense"), "no command 'cross-validat'", "did you mean cross-validate?")
    begin = ("cross-validate", "dense", patients, "--folder", tmp_path / "run")
    check_refusal(call(*begin, "--registration-preset", "lung"), "no preset 'lung'", "abdomen-ct")
    check_refusal(call(*begin, "--label-names", tmp_path / "none.json"), "none.json do not exist")
    check_refusal(call(*begin, "--start", "nothing"), "no features 'nothing'")
    check_refusal(call(*begin, "--folds", 9), "4 scans cannot be divided into 9 folds")


def test_a_folder_of_another_cross_validation_is_left_as_it_is(whole, lungs):
    before = listing(whole[0])
    for other in (("--set", "seed=4"), ("--folds", 4), ("--leave-out", "case_004")):
        outcome = call("cross-validate", "points", lungs, *POINTS, *other, "--folder", whole[0])
        check_refusal(outcome, "fold_1 holds a training with other", "choose another folder")
    assert listing(whole[0]) == before


def test_places_that_refuse(whole, lungs, tmp_path, monkeypatch):
    before = listing(tmp_path)
    touch = files_module.Path.touch

    def refuse(path, *arguments, **named):
        if path.parent == tmp_path:
            raise PermissionError(13, "Permission denied", str(path))
        return touch(path, *arguments, **named)

    monkeypatch.setattr(files_module.Path, "touch", refuse)
    begin = ("cross-validate", "points", lungs, *POINTS)
    check_refusal(call(*begin, "--folder", tmp_path / "run"), "Permission denied", "choose")
    check_refusal(call(*begin, "--folder", whole[0], "--output", tmp_path / "table.csv"), "Permission denied", "choose")
    assert listing(tmp_path) == before


def test_a_table_that_is_there_is_replaced_whole_or_not_at_all(whole, lungs, tmp_path, monkeypatch):
    table = tmp_path / "table.csv"
    table.write_text("of an earlier run")
    begin = ("cross-validate", "points", lungs, *POINTS, "--folder", whole[0], "--output", table)
    succeed(*begin)
    assert table.read_bytes() == whole[1].read_bytes()
    table.write_text("of an earlier run")
    check, full = files_module._check_disk, OSError(28, "No space left on device")

    def disk(path):
        if path.parent == tmp_path:
            raise full
        check(path)

    monkeypatch.setattr(files_module, "_check_disk", disk)
    check_refusal(call(*begin), "cannot write", "the disk is full")
    assert table.read_text() == "of an earlier run"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
