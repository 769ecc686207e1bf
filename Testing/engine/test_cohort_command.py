"""The command ``cohort`` on small images: results equal those of single registrations, and each failing row costs one row."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, check_refusal
from scenes import image_on, make_grid
from textured_pairs import FIXED, MOVING, SHIFT, texture, voxel_points

from deepreg_engine.cohort.cluster import memory_of
from deepreg_engine.cohort.compute import compute_row
from deepreg_engine.cohort.folder import CohortFolder
from deepreg_engine.geometry.images import write_image

SETTINGS = ("--method", "dense", "--preset", "quick", "--set", "working_spacing=6", "--set", "refinement_iterations=1", "--initial", "none")


def labels(grid, shift=0.0):
    points = voxel_points(grid) - shift
    return image_on(grid, (np.linalg.norm(points - (30.0, -50.0, 18.0), axis=-1) < 25.0).astype(np.uint8))


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Scans of one texture, one far away and one damaged; with labels of the first two."""
    folder = tmp_path_factory.mktemp("scans")
    for name in ("images", "labels"):
        (folder / name).mkdir()
    far = make_grid((30, 30, 20), (3.0, 3.0, 4.0), (0, 0, 0), centre=(5000.0, 0.0, 0.0))
    for name, grid, shift in (("atlas", FIXED, 0.0), ("near", MOVING, SHIFT), ("far", far, 0.0)):
        image = image_on(grid, texture(voxel_points(grid) - shift).astype(np.float32))
        write_image(image, folder / "images" / f"{name}.nii.gz")
        if name != "far":
            write_image(labels(grid, shift), folder / "labels" / f"{name}.nii.gz")
    (folder / "images" / "damaged.nii.gz").write_bytes(b"not an image")
    return folder


def planned(scans, cohort, *more):
    options = ("--images", scans / "images", "--labels", scans / "labels", "--to", scans / "images" / "atlas.nii.gz", *SETTINGS, *more)
    return call("cohort", "plan", cohort, *options)


def test_from_a_folder_of_scans_to_tables_and_page(scans, tmp_path):
    cohort = tmp_path / "cohort"
    assert planned(scans, cohort, "--outputs", "transform,warped_labels,page").out == f"3 rows in {cohort / 'plan.csv'}\n"
    assert call("cohort", "status", cohort).out.startswith("0 of 3 rows done, 0 failed, 3 open")

    outcome = call("cohort", "run", cohort, "--workers", 1, "--threads", 1)
    assert outcome.code == 0
    assert "1 of 3 rows done, 2 failed, 0 open" in outcome.out
    assert "verdicts: " in outcome.out
    assert any("computing on 1 workers of this machine" in line for line in outcome.messages)

    with (cohort / "table.csv").open(newline="") as stream:
        table = {line["row"]: line for line in csv.DictReader(stream)}
    assert "no point in common" in table["far to atlas"]["message"]
    assert "damaged.nii.gz" in table["damaged to atlas"]["message"]
    near = table["near to atlas"]
    assert float(near["dice"]) > max(0.9, float(near["dice_before"]) + 0.05)
    assert float(near["memory_mb"]) > 50
    assert (cohort / "structures.csv").read_text().count("near to atlas") == 1
    page = (cohort / "index.html").read_text()
    assert 'href="rows/near%20to%20atlas/report.html"' in page
    assert page.count("data:image/png") == 1
    assert "no point in common" in page
    assert not re.search(r'(src|href)="https?:', page)  # readable without a network

    results = cohort / "rows" / "near to atlas"
    files = {"row.json", "report.json", "report.html", "figures.json", "picture.png", "transform.nrrd", "warped_labels.nii.gz"}
    assert {path.name for path in results.iterdir()} == files
    single = tmp_path / "single.nrrd"
    images = ("--fixed", scans / "images" / "atlas.nii.gz", "--moving", scans / "images" / "near.nii.gz")
    assert call("register", "dense", *images, *SETTINGS[2:], "--threads", 1, "--transform", single).code == 0
    fields = [sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in (single, results / "transform.nrrd")]
    assert np.array_equal(*fields)

    again = call("cohort", "run", cohort)
    assert "0 rows computed, 3 kept" in again.out
    found = json.loads(call("cohort", "status", cohort, "--json").out)
    assert (found["done"], found["failed"], found["open"]) == (1, 2, 0)


def test_a_plan_from_a_table_takes_what_is_open_from_the_options(scans, tmp_path):
    (tmp_path / "pairs.csv").write_text("fixed,moving,preset\na.nii,b.nii,brain-mr\na.nii,c.nii,\n")
    assert call("cohort", "plan", tmp_path / "cohort", "--table", tmp_path / "pairs.csv", *SETTINGS[:6]).code == 0
    with (tmp_path / "cohort" / "plan.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["method"], row["preset"]) for row in rows] == [("dense", "brain-mr"), ("dense", "quick")]
    assert [row["fixed"] for row in rows] == [str(tmp_path / "a.nii")] * 2


def test_another_plan_needs_replace(scans, tmp_path):
    assert planned(scans, tmp_path).code == 0
    check_refusal(planned(scans, tmp_path, "--outputs", "warped"), "another plan", "--replace")
    assert planned(scans, tmp_path, "--outputs", "warped", "--replace").code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("--table",)),
        (("--images", "scans"), ("--to", "--all-pairs")),
        (("--images", "scans", "--to", "missing.nii"), ("missing.nii", "does not exist")),
        (("--fixed", "scans"), ("--moving",)),
        (("--images", "scans", "--all-pairs", "--outputs", "warp"), ("'warp'", "warped")),
        (("--images", "scans", "--all-pairs", "--method", "dense", "--preset", "brian-mr"), ("brain-mr", "--preset")),
        (("--images", "scans", "--all-pairs", "--preset", "brain-mr"), ("needs a method",)),
        (("--images", "scans", "--all-pairs", "--set", "smothness=2"), ("smoothness",)),
        (("--table", "misspelt.csv"), ("b to a", "brain-mr")),
        (("--bids", "scans"), ("pybids",)),
        (("--table", "missing.csv"), ("missing.csv",)),
    ],
)
def test_plans_that_cannot_be_made(scans, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").symlink_to(scans / "images")
    (tmp_path / "misspelt.csv").write_text("fixed,moving,method,preset\na.nii,b.nii,dense,brian-mr\n")
    check_refusal(call("cohort", "plan", tmp_path / "cohort", *options), *words)
    assert not (tmp_path / "cohort").exists()


def test_commands_without_a_plan(tmp_path):
    for part in ("run", "status", "report"):
        check_refusal(call("cohort", part, tmp_path), "no plan.csv", "plan")


def test_the_method_of_a_row_is_chosen_by_its_images(scans, tmp_path):
    (tmp_path / "pairs.csv").write_text(f"fixed,moving\n{scans / 'images' / 'atlas.nii.gz'},{scans / 'images' / 'near.nii.gz'}\n")
    assert call("cohort", "plan", tmp_path, "--table", tmp_path / "pairs.csv", "--set", "initial=none").code == 0
    (row,) = CohortFolder(tmp_path).rows()
    assert (row.method, row.preset) == ("auto", "")
    needed, quick = memory_of([row]), memory_of([replace(row, method="dense", preset="quick")])
    assert needed >= quick > 1e6
    assert compute_row(row, str(tmp_path), "id", 1, "cpu")["state"] == "done"
    report = json.loads((tmp_path / "rows" / row.name / "report.json").read_text())
    entry = CohortFolder(tmp_path).entry(row.name)
    assert (entry["method_used"], entry["preset_used"]) == (report["suggestion"]["method"], report["suggestion"]["preset"])
    with CohortFolder(tmp_path).appending() as append:
        append(entry)
    assert f"verdicts: {report['verdict']['line'].partition(':')[0]} 1" in call("cohort", "status", tmp_path).out
