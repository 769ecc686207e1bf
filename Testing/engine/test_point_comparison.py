"""Cross-validation of pairs of keypoints: patients stay together, and neither training nor registration uses what is held out."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest
from keypoint_files import SPACING, TINY, detected, moved, write
from scipy.spatial import cKDTree

from deepreg_engine.errors import EngineError, InputError
from deepreg_engine.jobs.comparison import CrossValidationRequest
from deepreg_engine.jobs.cross_validation import run_cross_validation
from deepreg_engine.jobs.point_comparison import POINTS, clouds
from deepreg_engine.models.card import read_card
from deepreg_engine.training.points.pairs import PointPair, patient_of, read_point_pairs

WAYS = ("before", "aligned", "positions", "learned")


@pytest.fixture(scope="module")
def lungs(tmp_path_factory):
    """Keypoints of four patients; of the second one also those that were detected in either scan."""
    return write(tmp_path_factory.mktemp("lungs"), 1, 2, 3, 4, scans=(2,))


def request(lungs, folder, **changes):
    values = {"method": "points", "data": [str(lungs)], "folder": str(folder), "parameters": TINY, "spacing": SPACING, "folds": 2}
    return CrossValidationRequest(**{**values, "device": "cpu", **changes})


@pytest.fixture(scope="module")
def whole(lungs, tmp_path_factory):
    """A cross-validation without a break: its request and result."""
    asked = request(lungs, tmp_path_factory.mktemp("whole"))
    return asked, run_cross_validation(asked)


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("case_001", "1"),
        ("l2r_exp001", "1"),
        ("case_01", "1"),
        ("case_010", "10"),
        ("p12_visit2", "12"),
        ("12b", "12"),
        ("p12a_late", "12"),
        ("4d_lung", "4"),
        ("anna", "anna"),
        ("anna early", "anna early"),
    ],
)
def test_the_first_number_of_a_name_is_the_patient(name, patient):
    assert patient_of(name) == patient


def test_all_pairs_of_a_patient_are_held_out_and_none_is_learned_from(whole):
    asked, done = whole
    assert (done["state"], done["figure"]) == ("finished", "tre")
    assert done["folds"] == [["case_001", "case_003"], ["case_002", "scan_exp002", "case_004"]]
    assert [row["pair"] for row in done["rows"]] == [name for fold in done["folds"] for name in fold]
    for number, (held_out, learned) in enumerate(zip(done["folds"], done["folds"][::-1], strict=True), start=1):
        data = read_card(f"{asked.folder}/fold_{number}/model.safetensors").training_data
        assert sorted(data.partition(": ")[2].split(", ")) == sorted(learned)
        assert not set(learned) & set(held_out)


def test_figures_are_those_of_the_files_and_the_table_has_them_all(whole, lungs):
    _, done = whole
    pairs = {pair.name: pair for pair in read_point_pairs([lungs], SPACING)}
    for row in done["rows"]:
        pair = pairs[row["pair"]]
        apart = np.linalg.norm(moved(pair.fixed) - pair.fixed, axis=1)  # the closed form
        assert row["points"] == len(pair.fixed)
        assert row["keypoints"] == ("partners" if pair.moving is None else "independent")
        assert row["before"] == pytest.approx(apart.mean(), abs=1e-3)
        assert row["before_95"] == pytest.approx(np.percentile(apart, 95), abs=1e-3)
        assert row["aligned"] < row["before"]
        assert row["positions"] < 0.8 * row["aligned"]
        assert row["learned"] < row["before"]
        assert all(row[f"{way}_95"] > row[way] > 0.3 for way in WAYS)  # an exact fit would mean that the truth was used
    with open(done["csv"], newline="", encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert list(table[0]) == ["pair", "keypoints", "points", *WAYS, *(f"{way}_95" for way in WAYS)]
    assert [float(row["learned_95"]) for row in table] == [row["learned_95"] for row in done["rows"]]
    summary = done["summary"]
    assert summary["pairs"] == 5
    assert set(summary["keypoints"]) == {"independent", "partners"}
    for way in WAYS:
        assert summary[way] == pytest.approx(np.mean([row[way] for row in done["rows"]]), abs=1e-3)
        assert summary["keypoints"]["independent"][way] == next(row[way] for row in done["rows"] if row["pair"] == "scan_exp002")
    json.dumps(done)  # it goes through a worker's pipe


def test_what_is_done_is_kept_and_a_pause_changes_no_figure(whole, lungs, tmp_path):
    asked, done = whole
    assert run_cross_validation(asked)["rows"] == done["rows"]

    def pause(share: float, stage: str) -> None:
        if stage.startswith("fold 2 of 2: step 1"):
            (tmp_path / "control").write_text("pause")

    again = request(lungs, tmp_path)
    first = run_cross_validation(again, pause)
    assert first["state"] == "paused"
    assert first["rows"] == done["rows"][:2]
    shares, stages = [], []

    def tell(share: float, stage: str) -> None:
        shares.append(share)
        stages.append(stage)

    assert run_cross_validation(again, tell)["rows"] == done["rows"]
    assert "fold 2 of 2: registering scan_exp002" in stages
    assert shares == sorted(shares)
    assert not any("step 1 of" in stage for stage in stages)  # it went on from its second step


def test_a_stop_registers_with_what_was_learned_so_far(lungs, tmp_path):
    def stop(share: float, stage: str) -> None:
        if stage.startswith("fold 1 of 2: step 1"):
            (tmp_path / "control").write_text("stop")

    done = run_cross_validation(request(lungs, tmp_path), stop)
    assert done["state"] == "stopped"
    assert [row["pair"] for row in done["rows"]] == ["case_001", "case_003"]
    assert done["csv"]


# ------------------------------------------------------------------------------------------------------- what is known


def test_independent_keypoints_come_as_they_were_detected_in_another_order(lungs):
    pair = next(pair for pair in read_point_pairs([lungs], SPACING) if pair.moving is not None)
    fixed, moving = clouds(pair)
    assert np.array_equal(fixed, pair.fixed)
    assert not np.array_equal(moving, pair.moving)
    assert np.array_equal(np.sort(moving, axis=0), np.sort(pair.moving, axis=0))
    blind = dataclasses.replace(pair, partners=pair.partners + 50.0, moving_partners=pair.moving_partners - 50.0)
    assert all(np.array_equal(one, two) for one, two in zip(clouds(pair), clouds(blind), strict=True))  # whatever the truth is


def test_of_partners_alone_some_are_withheld_and_none_is_exact_or_in_its_place():
    points = detected(3000, 8)
    fixed, moving = clouds(PointPair("case_9", points, moved(points)))
    assert len(fixed) == len(moving) == 2100
    assert np.array_equal(np.unique(fixed, axis=0), np.unique(points[cKDTree(points).query(fixed)[1]], axis=0))
    truth = moved(fixed)
    assert np.linalg.norm(truth - moving, axis=1).mean() > 30.0  # the n-th does not belong to the n-th
    exact, there = cKDTree(moved(points)).query(moving)
    assert exact.min() > 0.0
    assert 0.65 < np.isin(cKDTree(points).query(fixed)[1], there).mean() < 0.75
    again = clouds(PointPair("case_9", points, moved(points)))
    assert np.array_equal(again[0], fixed)
    assert np.array_equal(again[1], moving)


@pytest.mark.parametrize("name", ["case_002", "scan_exp002"])
def test_a_false_truth_is_not_found(whole, lungs, name):
    """Partners in another order give the same clouds. A registration that used the order would reproduce the false partners."""
    asked, done = whole
    pair = next(pair for pair in read_point_pairs([lungs], SPACING) if pair.name == name)
    false = dataclasses.replace(pair, partners=np.random.default_rng(1).permutation(pair.partners))
    (row,) = POINTS.measure(asked, name, false, f"{asked.folder}/fold_2/model.safetensors", lambda share, stage: None)
    assert all(row[way] > 20.0 for way in WAYS)
    assert all(row[way] < 15.0 for row in done["rows"] if row["pair"] == name for way in ("aligned", "positions"))


def test_both_registrations_have_the_same_points_and_parameters_but_for_the_features(whole, lungs, monkeypatch):
    from deepreg_engine.methods.points import register as method
    from deepreg_engine.methods.points.presets import points_preset

    asked, done = whole
    model, seen, run = f"{asked.folder}/fold_1/model.safetensors", [], method.register_points

    def register(fixed, moving, parameters, device, progress):
        seen.append((fixed, moving, parameters))
        return run(fixed, moving, parameters, device, progress)

    monkeypatch.setattr(method, "register_points", register)
    pair = read_point_pairs([lungs], SPACING)[0]
    (row,) = POINTS.measure(asked, pair.name, pair, model, lambda share, stage: None)
    assert row == done["rows"][0]
    assert row["learned"] != row["positions"]
    assert [parameters for _, _, parameters in seen] == [
        points_preset("lung").parameters.replaced({"features": name}) for name in ("none", model)
    ]
    assert all(np.array_equal(one, two) for one, two in zip(seen[0][:2], seen[1][:2], strict=True))
    shape = dataclasses.replace(asked, preset="shape")
    POINTS.measure(shape, pair.name, pair, model, lambda share, stage: None)
    assert [parameters.solver for _, _, parameters in seen[2:]] == ["drift", "drift"]


# ------------------------------------------------------------------------------------------------------------- refusals


def test_what_cannot_be_dealt_out_is_refused_in_one_line(lungs, tmp_path):
    with pytest.raises(EngineError, match="4 patients.*5 folds") as refused:
        run_cross_validation(request(lungs, tmp_path / "five", folds=5))
    assert "give 2 to 4 folds" in refused.value.line()
    write(tmp_path / "one", 7, scans=(7,))
    with pytest.raises(EngineError, match="of one patient"):
        run_cross_validation(request(tmp_path / "one", tmp_path / "alone"))
    with pytest.raises(EngineError, match="chooses itself"):
        run_cross_validation(request(lungs, tmp_path / "held", validation=["case_001"]))
    with pytest.raises(EngineError, match="case_009"):
        run_cross_validation(request(lungs, tmp_path / "left", leave_out=["case_009"]))
    assert not any((tmp_path / name).exists() for name in ("five", "alone", "held", "left"))


def test_a_pair_that_cannot_be_registered_is_named(whole):
    line = np.linspace(0.0, 90.0, 20)[:, None] * (1.0, 0.5, 0.2)
    with pytest.raises(InputError, match="case_5: the fixed points lie on one line"):
        POINTS.measure(whole[0], "case_5", PointPair("case_5", line, line + 3.0), "", lambda share, stage: None)
