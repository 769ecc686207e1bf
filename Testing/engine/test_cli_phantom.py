"""The commands phantom and demo, and the files that they write."""

from __future__ import annotations

import json
import re
import shutil

from command_line import succeed


def test_a_phantom_is_the_same_twice_and_another_with_another_seed(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        printed = succeed("phantom", "thorax", "--detail", "0.2", "--seed", seed, "--output", tmp_path / name)
        assert printed.startswith(f"thorax, ct-ct, seed {seed}: ")
        assert "written: " in printed
    succeed("phantom", "thorax", "--detail", "0.2", "--seed", 5, "--output", tmp_path / "c")  # over another phantom
    files = {name: {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc"}
    assert len(files["a"]) == 9
    assert files["a"] == files["b"] == files["c"]


def test_another_seed_makes_another_phantom(tmp_path):
    succeed("phantom", "brain", "--detail", "0.2", "--seed", 1, "--output", tmp_path / "1")
    succeed("phantom", "brain", "--detail", "0.2", "--seed", 2, "--modality-pair", "mr-ct", "--output", tmp_path / "2")
    assert (tmp_path / "1" / "truth.nrrd").read_bytes() != (tmp_path / "2" / "truth.nrrd").read_bytes()
    described = [json.loads((tmp_path / name / "phantom.json").read_text()) for name in "12"]
    assert [entry["modality_pair"] for entry in described] == ["mr-mr", "mr-ct"]
    assert [entry["seed"] for entry in described] == [1, 2]


def test_the_folder_of_a_phantom_can_hold_other_files(phantom_folder, phantom_pair, monkeypatch, tmp_path):
    """As in the examples, which put the result beside the phantom."""
    for path in phantom_folder.iterdir():
        shutil.copy(path, tmp_path)
    (tmp_path / "t.nrrd").write_text("a result")
    monkeypatch.setattr("deepreg_engine.phantoms.make_pair", lambda *_: phantom_pair)
    succeed("phantom", "abdomen", "--output", tmp_path)
    assert (tmp_path / "t.nrrd").read_text() == "a result"


def test_the_demo_makes_and_registers_a_phantom(phantom_pair, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("deepreg_engine.phantoms.make_pair", lambda *arguments: asked.append(arguments) or phantom_pair)
    printed = succeed("demo", "--anatomy", "thorax", "--seed", 4, "--preset", "quick", "--output", tmp_path / "new")
    assert asked == [("thorax", 4)]
    results = {"transform": "transform.nrrd", "warped": "warped.nii.gz", "report": "report.json", "overview": "overview.png"}
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names > set(results.values())
    assert len(names) == 13
    assert "fixed.nii.gz" in names
    for name, file in results.items():
        assert f"{name:<10} {tmp_path / 'new' / file}\n" in printed
    report = json.loads((tmp_path / "new" / "report.json").read_text())
    before, after = (report["landmarks"][key]["mean"] for key in ("before", "after"))
    assert re.search(rf"landmark error, mean of 49, mm +{before:.2f} +{after:.2f}\n", printed)
    assert after < 0.35 * before
    again = succeed("demo", "--preset", "quick", "--output", tmp_path / "new")  # over its own results
    assert asked[1] == ("abdomen", 0)
    assert again.splitlines()[:3] == printed.splitlines()[:3]


def test_the_demo_registers_two_images(phantom_folder, tmp_path):
    images = phantom_folder / "fixed.nii.gz", phantom_folder / "moving.nii.gz"
    printed = succeed("demo", *images, "--preset", "quick", "--output", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"transform.nrrd", "warped.nii.gz", "report.json", "overview.png"}
    before, after = re.search(r"mutual information \(higher is better\) +([\d.]+) +([\d.]+)\n", printed).groups()
    assert float(after) > 1.2 * float(before)
