"""The page of a report: its content, with and without optional inputs, and the command that writes it."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, check_refusal, listing, succeed
from reports import FIXED, MOVING, PIXELS, Page, blank_views, made, many, report_fixture, scene_fixture, small_pictures_fixture  # noqa: F401 - fixtures
from scenes import image_on

from deepreg_engine.errors import OutputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.jobs import report as job
from deepreg_engine.jobs.report import run_report
from deepreg_engine.reporting.about import described_run
from deepreg_engine.reporting.csv_table import as_csv
from deepreg_engine.reporting.limits import LIMITS
from deepreg_engine.reporting.page import page
from deepreg_engine.reporting.planes import planes
from deepreg_engine.reporting.png import data_uri

NASTY = '<b>&"o\'ne"</b> Größe 肝 =cmd()'


def test_the_page_is_whole(report):
    content, text, read, _ = report
    assert len(text) < 4_000_000
    assert text.startswith("<!DOCTYPE html>")
    assert [head for head, _ in read.headings] == [
        "Registration report",
        "Inputs",
        "Summary",
        "Before and after",
        "Deformation",
        "Histograms",
        "Landmarks",
        "Structures",
        "Method",
        "Notes",
        "All figures",
    ]
    assert all(link.startswith(("data:image/png;base64,", "data:application/json", "data:text/csv")) for link in read.links)
    assert "http" not in text.replace("Content-Security-Policy", "").replace("http-equiv", "")
    said = read.text
    for words in (
        "Dense registration, preset quick",
        "working_spacing = 5.0 mm (default 3.5)",
        "MIND-SSC, a formula",
        "a formula without weights",
        "deepreg-engine 0.1.0",
        "numpy",
        "SimpleITK",
        "fork 3",
        "liver",
        "Reviewed by",
        "36 × 30 × 20",
        "2.1 × 2.9 × 4.3",
        "oblique, by",
        "TG-132",
        "green ≤ 2 mm, amber ≤ 3 mm, red > 3 mm",
        "mean 0.020, largest 0.310 mm",
    ):
        assert words in said, words
    for entry in content["ratings"]:
        assert f"{entry['rating']}: " in said
    assert read.classes["view"] == 7 * 3
    assert len([link for link in read.links if link.startswith("data:image")]) == 21
    assert sorted(set(re.findall(r">([RLAPSI]{1,3})</text>", text))) == ["A", "I", "L", "P", "R", "S"]
    bars = {float(length) for length in re.findall(r'data-bar="([\d.]+)"', text)}
    assert bars <= {10.0, 20.0, 50.0}
    assert bars


def test_a_scale_bar_is_as_long_as_it_says(report):
    _, text, _, _ = report
    steps = [plane.grid.spacing[0] for plane in planes(FIXED, FIXED.centre, 80)]
    for pixels, length in re.findall(r"v[\d.]+h([\d.]+)v-[\d.]+\" stroke=\"#fff\" [^>]*data-bar=\"([\d.]+)\"", text):
        assert float(pixels) * steps[0] == pytest.approx(float(length), rel=0.01)


def test_names_are_shown_as_they_are(scene, tmp_path):
    content, text, read = made(
        scene.request(
            tmp_path / "r.html",
            csv=str(tmp_path / "r.csv"),
            fixed_name=NASTY,
            transform_name=NASTY,
            title=NASTY,
            patient=NASTY,
            label_names={"1": NASTY, "2": "spleen"},
            fixed_modality=NASTY,
            application=NASTY,
        )
    )
    assert read.text.count(NASTY) > 6
    assert "<b>&" not in text
    assert "o'ne" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert content["inputs"]["fixed"]["name"] == NASTY
    assert (
        as_csv(
            {
                **content,
                "figures": {
                    **content["figures"],
                    "overlap": {
                        **content["figures"]["overlap"],
                        "labels": [{**content["figures"]["overlap"]["labels"][0], "name": "=cmd()"}],
                    },
                },
            }
        ).count("'=cmd()")
        == 10
    )  # no formula for a spreadsheet


def test_what_was_not_given_leaves_no_trace(scene, tmp_path):
    content, text, read = made(scene.request(tmp_path / "r.html", everything=False))
    assert [head for head, _ in read.headings] == [
        "Registration report",
        "Inputs",
        "Summary",
        "Before and after",
        "Deformation",
        "Histograms",
        "Method",
        "All figures",
    ]
    assert all(body.strip() for _, body in read.headings)
    assert {entry["key"] for entry in content["ratings"]} == {"folding", "jacobian_min", "jacobian_max"}
    assert "not its accuracy" in read.text
    assert "are not known" in read.text
    for word in ("None", "nan", "null", "undefined", "Landmark error", "Dice", "patient:", "measured with"):
        assert not re.search(rf"\b{word}", read.text), word
    assert "details" not in text.split("<body>")[1]


def test_one_landmark_and_labels_that_do_not_meet(scene, tmp_path):
    """Without a spread and without distances the page has dashes and no outliers, and no "nan"."""
    for side, place in (("fixed", "31,-52,17"), ("moving", "32,-52,17")):
        (tmp_path / f"{side}.csv").write_text(f"x,y,z,label\n{place},only & one\n")
    for name, grid, corner in (("a", FIXED, (2, 2, 2)), ("b", MOVING, (20, 35, 28))):
        array = np.zeros(grid.size[::-1], dtype=np.uint8)
        array[tuple(slice(start, start + 2) for start in corner)] = 1
        sitk.WriteImage(image_on(grid, array), str(tmp_path / f"{name}.nii.gz"))
    request = scene.request(
        tmp_path / "r.html",
        fixed_landmarks=str(tmp_path / "fixed.csv"),
        moving_landmarks=str(tmp_path / "moving.csv"),
        fixed_labels=str(tmp_path / "a.nii.gz"),
        moving_labels=str(tmp_path / "b.nii.gz"),
    )
    content, _, read = made(request)
    assert content["figures"]["landmarks"]["outlier_limit_mm"] is None
    assert "utlier" not in read.text
    assert "only & one" in read.text
    assert content["figures"]["overlap"]["mean_after"]["dice"] == 0
    assert read.figures["overlap.mean_after.hd95"] == ["\u2013"]
    assert not re.search(r"\b(nan|inf|None|null)\b", read.text)


def test_limits_of_ones_own_are_those_of_the_page(scene, tmp_path):
    content, _, read = made(
        scene.request(tmp_path / "r.html", everything=False, limits={"jacobian_max": (1.01, 1.02), "jacobian_min": (0.01, 0.0)})
    )
    ratings = {entry["key"]: entry for entry in content["ratings"]}
    assert ratings["jacobian_max"]["rating"] == "red"
    assert ratings["jacobian_min"]["rating"] == "green"
    assert "green ≤ 1.01, amber ≤ 1.02, red > 1.02" in read.text
    assert "1 outside limits (Largest Jacobian)" in read.text


def test_the_documentation_has_the_limits_that_there_are():
    text = (Path(__file__).resolve().parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
    rows = {match[1]: match[0] for match in re.finditer(r"^\| `(\w+)` \|.*$", text, flags=re.MULTILINE)}
    assert list(rows) == [limit.key for limit in LIMITS]
    for limit in LIMITS:
        cells = [cell.strip() for cell in rows[limit.key].strip("|").split("|")]
        green = limit.rule()["green"] if limit.key != "folding" else "0 %"
        assert cells[2:] == [green, limit.rule()["amber"], "below" if limit.higher else "above"]


def test_many_pairs_and_structures_are_cut_to_the_worst(report):
    content = many(report[0])
    read = Page(page(content, blank_views((60, 50, 40))))
    landmarks, structures = (next(body for head, body in read.headings if head == name) for name in ("Landmarks", "Structures"))
    assert "The 12 pairs of 300 with the largest error" in landmarks
    assert "The 12 structures of 61 with the lowest Dice" in structures
    worst = max(range(300), key=lambda n: content["figures"]["landmarks"]["each"][n]["after_mm"])
    assert content["figures"]["landmarks"]["each"][worst]["label"] in landmarks
    assert all(f"landmarks.each.{n}.after_mm" in read.figures for n in range(300))  # all of them below


def test_the_run_is_described_by_its_report(scene):
    fixed = sitk.ReadImage(scene.file("fixed.nii.gz"))
    run = json.loads((scene.folder / "run.json").read_text(encoding="utf-8"))
    run["parameters"]["features"] = "/home/jane/models/any.safetensors"
    described, notes = described_run(run, fixed)
    changed = [entry["name"] for entry in described["parameters"] if entry["changed"]]
    assert [entry["name"] for entry in described["parameters"]][: len(changed)] == changed  # first
    assert described["model"] == {"name": "any.safetensors", "problem": "the model is not on this computer, so its card is not available"}
    assert not notes
    run["parameters"]["features"], run["method"] = "lung-points", "points"
    described, _ = described_run(run, fixed)
    assert described["model"]["licence"] == "Apache-2.0"
    assert "no DIR-Lab patient" in described["model"]["training_data"]
    run["parameters"]["features"], run["method"] = "mind+self-similarity", "dense"
    described, _ = described_run(run, fixed)
    assert described["model"]["name"] == "mind + self-similarity"
    assert "problem" not in described["model"]
    assert "phantoms" in described["model"]["training_data"]
    run["parameters"]["features"] = "mind+gone"
    assert described_run(run, fixed)[0]["model"]["problem"] == "gone: the model is not on this computer, so its card is not available"
    run["inputs"]["fixed"]["size"] = [3, 4, 5]
    assert "another fixed image, of 3 x 4 x 5" in described_run(run, fixed)[1][0]
    for broken in (
        {"method": "dense", "parameters": None},
        {"method": None, "parameters": {}, "inputs": [], "alignment": 3, "seconds": 2, "inverse": 1, "outputs": 7},
    ):
        assert described_run(broken, fixed)[0]["parameters"] == []


@pytest.mark.parametrize(
    ("searched", "refined", "said"),
    [("mind", "self-similarity", "self-similarity"), ("own", "mind+own", "mind + own"), ("mind", "mind", "")],
)
def test_what_refined_is_named_if_it_is_something_else(report, scene, searched, refined, said):
    run = json.loads((scene.folder / "run.json").read_text(encoding="utf-8")) | {"features": searched, "refinement_features": refined}
    described, _ = described_run(run, sitk.ReadImage(scene.file("fixed.nii.gz")))
    assert described["refinement_features"] == said
    text = page({**report[0], "run": described}, blank_views((60, 50, 40)))
    assert ("In the refinement" in text) == bool(said)
    assert said in text


def test_nothing_is_left_half_written(scene, tmp_path, monkeypatch):
    request = scene.request(tmp_path / "r.html", everything=False, json=str(tmp_path / "r.json"), csv=str(tmp_path / "r.csv"))
    run_report(request)
    before = listing(tmp_path)

    write = Path.write_text

    def full(path, text, **options):
        if path.suffix == ".csv":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="disk is full"):
        run_report(request)
    assert listing(tmp_path) == before


def test_noisy_images_still_make_a_small_page(tmp_path):
    """Noise does not compress: the pictures get fewer pixels."""
    grid = ImageGrid((384, 384, 384), (1.0, 1.0, 1.0))
    generator = np.random.default_rng(0)
    found = [
        [
            (
                plane,
                {name: data_uri(generator.integers(0, 256, (*plane.grid.shape[1:], 3)).astype(np.uint8)) for name in ("before", "after")},
            )
            for plane in planes(grid, grid.centre, pixels)
        ]
        for pixels in PIXELS
    ]
    sizes = [sum(len(address) for _, pictures in views for address in pictures.values()) * 3 for views in found]
    assert sizes[0] > job._LARGEST > sizes[-1]  # the smallest pictures fit for any content


def test_the_command_writes_and_says_what_it_found(scene, tmp_path):
    files = [str(tmp_path / f"r.{kind}") for kind in ("html", "json", "csv")]
    out = succeed(
        "report",
        "--fixed",
        scene.file("fixed.nii.gz"),
        "--moving",
        scene.file("moving.nrrd"),
        "--transform",
        scene.file("t.nrrd"),
        "--output",
        files[0],
        "--json",
        files[1],
        "--csv",
        files[2],
        "--inverse",
        scene.file("i.nrrd"),
        "--limit",
        "folding=0,1",
        "--limit",
        "inverse_95=1e-6,2e-6",
        "--at",
        "-1",
        "-50",
        "20",
        "--fixed-window",
        "-200",
        "300",
        "--fixed-modality",
        "CT",
        "--title",
        "A title",
        "--note",
        "motion in the <fixed> scan",
    )
    content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert "Inverse consistency, 95 %" in out
    assert "red: outside limits" in out
    assert f"written: {'  '.join(files)}" in out
    assert content["title"] == "A title"
    assert content["notes"] == ["motion in the <fixed> scan"]
    assert content["inputs"]["fixed"]["modality"] == "CT"
    assert content["views"]["point_lps"] == [-1, -50, 20]
    assert content["views"]["windows"][0] == [-200, 300]
    assert "patient" not in content
    outcome = call(
        "report",
        "--fixed",
        scene.file("fixed.nii.gz"),
        "--moving",
        scene.file("moving.nrrd"),
        "--transform",
        scene.file("t.nrrd"),
        "--output",
        files[0],
        "--limit",
        "dice",
    )
    check_refusal(outcome, "'dice' is not a limit", "write KEY=GREEN,AMBER")
