"""The verdict of a report that is written later: on a mirrored image, and with the report of another run."""

from __future__ import annotations

import json

import pytest
import SimpleITK as sitk
from command_line import call
from registering import scene
from scenes import image_on

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.reporting.about import described_run


def test_a_mirrored_image_is_not_good_without_the_report_of_the_run(tmp_path):
    pair = scene("abdomen")
    mirrored = image_on(ImageGrid.of(pair.fixed), sitk.GetArrayFromImage(pair.fixed)[:, :, ::-1].copy())
    for name, image in (("fixed", pair.fixed), ("mirrored", mirrored)):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    sitk.WriteTransform(sitk.AffineTransform(3), str(tmp_path / "t.tfm"))
    found = {}
    for name in ("fixed", "mirrored"):
        images = "--fixed", tmp_path / "fixed.nrrd", "--moving", tmp_path / f"{name}.nrrd"
        found[name] = call("report", *images, "--transform", tmp_path / "t.tfm", "--output", tmp_path / "r.html")
        assert found[name].code == 0
    assert "verdict: Good" in found["fixed"].out
    assert found["fixed"].err == ""
    line = "Do not use: the moving image agrees much better when it is mirrored"
    assert line in found["mirrored"].out
    assert line in found["mirrored"].err


@pytest.mark.parametrize(("mean", "noted"), [(3.0, False), (3.01, False), (4.0, True)])
def test_the_report_of_another_run_is_noticed(mean, noted):
    run = json.loads('{"method": "dense", "parameters": {}, "displacement": {"mean": 3.0}}')
    _, notes = described_run(run, sitk.Image(4, 4, 4, sitk.sitkFloat32), {"mean": mean})
    assert bool(notes) == noted
