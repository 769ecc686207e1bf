"""Trainings in folders: paused and resumed, refused, estimated, cross-validated; and ``train`` on the command line."""

from __future__ import annotations

import csv
import json
import os
import re
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from command_line import call, check_refusal, succeed
from labelled_patients import write_patients
from safetensors.numpy import load_file

from deepreg_engine.errors import EngineError, InputError
from deepreg_engine.jobs.comparison import CrossValidationRequest
from deepreg_engine.jobs.cross_validation import run_cross_validation
from deepreg_engine.jobs.label_comparison import LABELS
from deepreg_engine.jobs.training import run_training
from deepreg_engine.jobs.training_estimate import estimate_training
from deepreg_engine.jobs.training_folder import prepare_folder, read_record, write_record
from deepreg_engine.methods.common.device import DeviceMemory
from deepreg_engine.methods.common.parameters import parse_settings
from deepreg_engine.models.card import read_card
from deepreg_engine.training import base
from deepreg_engine.training.base import TrainingRequest
from deepreg_engine.training.dense import trainer as dense_trainer
from deepreg_engine.training.descent import trainer as descent_trainer
from deepreg_engine.training.descent.scenes import random_shapes
from deepreg_engine.training.example_loader import suitable_workers
from deepreg_engine.training.registry import TRAININGS, find_trainer

TINY = {"steps": 3, "size": 16, "controls": 4, "radius": 1, "width": 4, "channels": 3, "spacing": 5.0, "initial": "geometry"}


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Four labelled scans, oblique and anisotropic, of unequal sizes."""
    return write_patients(tmp_path_factory.mktemp("patients"))


def request(patients, folder, kind=TrainingRequest, **changes):
    values = {"method": "dense", "data": [str(patients)], "folder": str(folder), "parameters": TINY, "modality": "ct", "workers": 0}
    return kind(**{**values, **changes})


def test_a_training_is_paused_resumed_and_found_again(patients, tmp_path):
    folder = tmp_path / "liver study"

    def pause(share: float, stage: str) -> None:
        if stage.startswith("step 1"):
            (folder / "control").write_text("pause")

    asked = request(patients, folder, validation=["scan4"], name="mine", licence="CC0-1.0")
    first = run_training(asked, pause)
    assert first["state"] == "paused"
    assert first["step"] == 2
    assert first["model"] is None
    assert read_record(folder)["state"] == "paused"
    assert not (folder / "control").exists()
    second = run_training(asked)
    assert second["state"] == "finished"
    assert second["step"] == second["steps"] == 3
    assert second["best"]["figure"] == "dice"
    card = read_card(second["model"])
    assert (card.name, card.method, card.architecture, card.licence) == ("mine", "dense", "label-net", "CC0-1.0")
    assert "scan1" in card.training_data
    assert "scan4" not in card.training_data
    assert card.settings["modality"] == "ct"
    assert run_training(asked) == second  # nothing left to do
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == lines[-1]["steps"] == 3
    assert "validation_dice" in lines[-1]
    with pytest.raises(InputError, match="other parameters"):
        run_training(request(patients, folder, validation=["scan4"], name="mine", licence="CC0-1.0", parameters={**TINY, "seed": 4}))


def test_a_training_of_a_version_with_fewer_parameters_is_found_again(tmp_path):
    everything = TRAININGS["points"]().to_dict()
    former = {name: value for name, value in everything.items() if name not in ("solver", "graph")}
    asked = TrainingRequest("points", ["keypoints"], str(tmp_path), former)
    write_record(tmp_path, asked, "paused", "2026-01-01T00:00:00")
    for parameters in (everything, former, {}):
        assert prepare_folder(tmp_path, replace(asked, parameters=parameters))["state"] == "paused"
    with pytest.raises(InputError, match="other parameters"):
        prepare_folder(tmp_path, replace(asked, parameters={**everything, "solver": "drift"}))


def test_features_learned_through_the_search_begin_with_a_model_of_their_kind(patients, tmp_path):
    searched = run_training(request(patients, tmp_path / "a", parameters={**TINY, "network": "context"}))
    card = read_card(searched["model"])
    assert card.architecture == "context-net"
    assert card.settings["spacing_mm"] == TINY["spacing"]
    again = request(patients, tmp_path / "b", parameters={**TINY, "network": "context", "steps": 1}, start=searched["model"])
    assert run_training(again)["state"] == "finished"
    with pytest.raises(InputError, match="label network"):
        run_training(request(patients, tmp_path / "c", start=searched["model"]))
    named = run_training(request(patients, tmp_path / "d", leave_out=["scan4"]))
    assert run_training(request(patients, tmp_path / "e", start=named["model"]))["state"] == "finished"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "dens"}, "no training 'dens'"),
        ({"method": ["dense"]}, "no training ['dense']"),
        ({"data": None}, "data = None is not a list"),
        ({"data": "scans"}, "data = scans is not a list"),
        ({"data": [1]}, "data = [1] is not a list"),
        ({"parameters": {"stepps": 3}}, "did you mean steps"),
        ({"parameters": {"spacing": 0.1}}, "too fine a voxel size"),
        ({"data": ["nowhere"]}, "no labelled scans"),
        ({"validation": ["scan9"]}, "no scan 'scan9' to validate on"),
        ({"leave_out": ["scan1", "scan2", "scan3"]}, "too few"),
        ({"leave_out": ["scan1", "scan2", "scan3", "scan4"]}, "no scan is left"),
        ({"modality": "xray"}, "no modality 'xray'"),
        ({"start": "nothing"}, "no features 'nothing'"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_learned(patients, tmp_path, changes, words):
    with pytest.raises(EngineError) as refused:
        run_training(request(patients, tmp_path / "new", **changes))
    assert words in refused.value.line()
    assert not (tmp_path / "new" / "checkpoint.pt").exists()


def test_an_estimate_names_scans_and_the_bad_ones_and_writes_nothing(patients, tmp_path):
    folder = tmp_path / "some"
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
        for number in range(1, 4):
            (folder / kind / f"scan{number}.nii.gz").symlink_to(patients / kind / f"scan{number}.nii.gz")
        (folder / kind / "broken.nii.gz").write_text("no image")
    found = estimate_training(request(folder, tmp_path / "never"))
    assert found["seconds"] > 0
    assert found["step_seconds"] > 0
    assert found["memory"] > 1e8
    assert found["free_memory"] > 0
    assert found["steps"] == request(folder, tmp_path).options().steps
    assert found["device"]
    on_gpu = torch.cuda.is_available()
    assert (found["device_memory"] is None) != on_gpu
    assert (found["free_device_memory"] is None) != on_gpu
    assert [one["name"] for one in found["scans"]] == ["scan1", "scan2", "scan3"]
    assert found["scans"][0]["labels"] == [1, 2, 3]
    assert [one["name"] for one in found["bad"]] == ["broken"]
    assert "broken" in found["bad"][0]["problem"]
    assert not (tmp_path / "never").exists()
    with pytest.raises(InputError, match="broken"):
        run_training(request(folder, tmp_path / "never"))
    done = run_training(request(folder, tmp_path / "never", skip_bad=True))
    assert done["state"] == "finished"
    assert "broken" in done["notes"][0]


def test_a_cross_validation_registers_each_scan_with_features_of_the_others(patients, tmp_path):
    asked = request(patients, tmp_path / "cv", CrossValidationRequest, folds=2, preset="quick", parameters={**TINY, "steps": 1})
    done = run_cross_validation(asked)
    assert done["folds"] == [["scan1", "scan3"], ["scan2", "scan4"]]
    assert done["state"] == "finished"
    pairs = ["scan1 - scan3", "scan3 - scan1", "scan2 - scan4", "scan4 - scan2"]
    assert [(row["pair"], row["label"]) for row in done["rows"]] == [(pair, label) for pair in pairs for label in (1, 2, 3)]
    for number, fold in enumerate(done["folds"], start=1):
        data = read_card(tmp_path / "cv" / f"fold_{number}" / "model.safetensors").training_data
        assert not any(name in data for name in fold)
    assert done["summary"]["mind"] > done["summary"]["before"]
    with open(done["csv"], newline="", encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert [float(row["mind"]) for row in table] == [row["mind"] for row in done["rows"]]
    rows = tmp_path / "cv" / "fold_1" / "rows.json"
    kept = json.loads(rows.read_text())
    del kept["parameters"]["search_weights"]  # as an earlier version wrote it
    kept["rows"][0]["mind"] = 0.125
    rows.write_text(json.dumps(kept))
    assert run_cross_validation(asked)["rows"] == [{**done["rows"][0], "mind": 0.125}, *done["rows"][1:]]  # kept, not done again
    with pytest.raises(EngineError, match="5 folds"):
        run_cross_validation(request(patients, tmp_path / "cv5", CrossValidationRequest, folds=5))


def test_a_fold_of_one_scan_names_its_partners():
    entries = {name: object() for name in "abcd"}
    assert [name for name, _ in LABELS.pairs(entries, ["b"])] == ["b - a", "b - c"]
    assert LABELS.caveat(["b"], ["b - a", "b - c"]).endswith("(a, c)")
    assert LABELS.caveat(["b"], ["b - c"]).endswith("(c)")
    assert LABELS.caveat(["b"], []) == ""  # nothing of it could be registered
    assert [name for name, _ in LABELS.pairs(entries, ["b", "d"])] == ["b - d", "d - b"]
    assert LABELS.caveat(["b", "d"], ["b - d", "d - b"]) == ""
    assert LABELS.caveat(["a"], ["a"]) == ""  # scans that come in pairs are registered with their partners


def test_memory_of_a_gpu_is_counted_without_naming_it(monkeypatch):
    """By functions that old versions of torch have too, which want the number of a device or nothing."""
    for name, value in (
        ("init", None),
        ("empty_cache", None),
        ("reset_peak_memory_stats", None),
        ("max_memory_reserved", 700),
        ("memory_reserved", 500),
    ):
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1000, 8000))
    memory = DeviceMemory(torch.device("cuda"))
    assert memory.most() == 700
    assert memory.free() == 1500
    memory = DeviceMemory(torch.device("cpu"))
    assert memory.most() is None
    assert memory.free() is None


def test_the_command_line_estimates_a_training(patients, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    text = succeed("train", "dense", patients, "--modality", "ct", *settings, "--set", "steps=40000", "--device", "cpu", "--estimate")
    memory = r"[0-9.]+ GB of memory \([0-9.]+ GB free\)"
    found = re.fullmatch(rf"scans or pairs: 4, 40000 steps of \S+ s: about (\d+):\d\d min on CPU, \d+ threads?, {memory}\n", text)
    assert found, text
    assert 0 < int(found[1]) < 6000, text
    assert list(tmp_path.iterdir()) == []
    check_refusal(call("train", "dense", patients, *settings), "needs a file for the model", ".safetensors (--output)")


def test_an_estimate_counts_each_kind_of_steps():
    """A training of points is slower in its last steps, in which the solver is part of the loss."""
    shares = {}
    for setting in ("solver_share=0", "solver_share=1", "solver_share=0.25"):
        options = TrainingRequest("points", [], "", parse_settings([setting])).options()
        kinds = find_trainer("points").trials(options, 3)
        assert sum(part for part, _ in kinds) == pytest.approx(1.0)
        shares[setting] = {tried.solver_share: part for part, tried in kinds}
    assert shares == {"solver_share=0": {0.0: 1.0}, "solver_share=1": {1.0: 1.0}, "solver_share=0.25": {0.0: 0.75, 1.0: 0.25}}


def test_a_training_after_its_estimate_reads_no_scan_again(patients, tmp_path, monkeypatch):
    read, original = [], dense_trainer.read_scan
    monkeypatch.setattr(base, "_last_read", {})

    def counted(scan, notes):
        read.append(scan.name)
        return original(scan, notes)

    monkeypatch.setattr(dense_trainer, "read_scan", counted)
    found = estimate_training(request(patients, tmp_path / "never"))
    assert read == [scan["name"] for scan in found["scans"]] == ["scan1", "scan2", "scan3", "scan4"]
    done = run_training(request(patients, tmp_path / "new", validation=["scan4"]))
    assert len(read) == 4
    alone = run_training(request(patients, tmp_path / "other", validation=["scan4"]))
    assert len(read) == 8  # the scans were kept for one training
    one, other = (load_file(result["model"]) for result in (done, alone))
    assert all(np.array_equal(value, other[name]) for name, value in one.items())
    estimate_training(request(patients, tmp_path / "never"))
    os.utime(patients / "images" / "scan2.nii.gz")
    run_training(request(patients, tmp_path / "third", leave_out=["scan1"]))
    assert read[12:] == ["scan2", "scan3", "scan4"]  # other scans, and one that has changed


def test_an_estimate_counts_the_phantoms(tmp_path, monkeypatch):
    def slowly(count, first, progress):
        time.sleep(0.5 * count)
        progress(1.0)
        return [random_shapes(48, torch.Generator().manual_seed(number)) for number in range(count)]

    monkeypatch.setattr(descent_trainer, "phantom_scenes", slowly)
    parameters = {"size": 24, "width": 4, "steps": 1, "phantoms": 101}
    found = estimate_training(TrainingRequest("descent", [], str(tmp_path / "never"), parameters))
    assert 101 * 0.49 < found["seconds"] - 1.1 * found["step_seconds"] - 10.0 < 101 * 1.5


def test_workers_suit_the_device(monkeypatch):
    assert suitable_workers(torch.device("cpu")) == 1
    for cores, workers in ((1, 1), (2, 1), (4, 3), (16, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _process, cores=cores: set(range(cores)), raising=False)
        assert suitable_workers(torch.device("cuda")) == workers


def test_train_dense_on_the_command_line(patients, tmp_path):
    settings = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    model = tmp_path / "own.safetensors"
    text = succeed(
        "train",
        "dense",
        patients,
        "--modality",
        "ct",
        "--validation",
        "scan4",
        *settings,
        "--workers",
        0,
        "--output",
        model,
        "--checkpoint",
        tmp_path / "own.ckpt",
    )
    assert "trained on 3 scans" in text
    assert "best dice" in text
    pair = [word for side, number in (("fixed", 4), ("moving", 1)) for word in (f"--{side}", patients / "images" / f"scan{number}.nii.gz")]
    report = tmp_path / "report.json"
    succeed("register", "dense", *pair, "--preset", "quick", "--features", model, "--transform", tmp_path / "t.nrrd", "--report", report)
    assert json.loads(report.read_text())["features"] == "own"
    check_refusal(
        call("train", "dense", patients, "--preset", "fast", "--output", tmp_path / "no.safetensors"), "no preset 'fast'", "standard"
    )
