"""A report names no person and no folder unless requested."""

from __future__ import annotations

import base64
import re
import shutil

from reports import made, report_fixture, scene_fixture, small_pictures_fixture  # noqa: F401 - fixtures

from deepreg_engine.jobs.report import run_report
from deepreg_engine.reporting.private import base_name, hidden, private_words, without_paths


def everything_in(folder) -> str:
    """All bytes of the files, and what is packed in the page, as text."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.iterdir()))
    packed = re.findall(r"data:(?:text/csv|application/json)[^,]*;base64,([A-Za-z0-9+/=]+)", text)
    assert len(packed) == 2
    return text + "".join(base64.b64decode(part).decode("utf-8") for part in packed)


def test_no_person_and_no_folder_is_named(report, scene):
    text = everything_in(report[3])
    assert "Zweistein" not in text
    assert "Kunigunde" not in text
    assert str(scene.folder.parent) not in text
    assert "/tmp" not in text
    assert "fixed.nii.gz" in text
    assert "the mask mask.nii.gz was on another grid" in text


def test_a_patient_is_named_if_asked_for(scene, tmp_path):
    content, text, read = made(scene.request(tmp_path / "r.html", everything=False, patient="Doe^Jane <1970>"))
    assert content["patient"] == "Doe^Jane <1970>"
    assert read.text.count("Doe^Jane <1970>") == 1
    assert "<1970>" not in text.replace("&lt;1970&gt;", "")


def test_names_that_shall_not_occur_are_hidden_everywhere(scene, tmp_path):
    shutil.copy(scene.file("fixed.nii.gz"), tmp_path / "zweistein_ct.nii.gz")
    (tmp_path / "out").mkdir()
    request = scene.request(
        tmp_path / "out" / "r.html",
        fixed=str(tmp_path / "zweistein_ct.nii.gz"),
        private=("Zweistein^Kunigunde",),
        label_names={"1": "liver of KUNIGUNDE", "2": "spleen"},
        transform_name="Kunigunde to Zweistein",
        title="Report for Zweistein",
        json=str(tmp_path / "out" / "r.json"),
        csv=str(tmp_path / "out" / "r.csv"),
    )
    run_report(request)
    text = everything_in(tmp_path / "out").lower()
    assert "zweistein" not in text
    assert "kunigunde" not in text
    assert "spleen" in text


def test_words_and_paths():
    assert private_words(["Doe^Jane", "Li"]) == ["Doe^Jane", "Jane", "Doe"]
    assert hidden({"a": ["x Doe y", 1, None, True], "Doe": "DOE"}, ["Doe"]) == {"a": ["x ••• y", 1, None, True], "Doe": "•••"}
    assert without_paths("read /home/jane/ct.nii.gz and C:\\Users\\Jane\\mr.nrrd") == "read ct.nii.gz and mr.nrrd"
    assert without_paths("the mask data/jane/m.nii was, before/after 2.5/3 mm/s") == "the mask m.nii was, before/after 2.5/3 mm/s"
    assert without_paths("in /a b/Jane Doe/c.nii.", ["/a b/Jane Doe/c.nii"]) == "in c.nii."
    assert base_name("C:\\x\\y.nii") == "y.nii"
    assert base_name("/a/dicom/") == "dicom"
