"""The report from the Inspector: its page agrees with the scene, no patient is named unasked, and a script writes it too."""

from __future__ import annotations

import json
import os
import re

import numpy as np
import pytest
from bench import ROOT
from inspector_bench import ABOVE, IJK, SIZE, displacement, inner, itk_transform, markups, scene_fixture, settle, widget_fixture  # noqa: F401 - fixtures
from test_inspector_overlap import balls
from world import TURN, add_linear, add_volume, matrix4


@pytest.fixture
def opened_pages(widget, monkeypatch):
    """The pages that were shown in the browser."""
    pages = []
    monkeypatch.setattr(type(widget.panel.sections["report"]), "openPage", lambda _self, path: pages.append(path))
    return pages


@pytest.fixture
def patient(slicer_app, scene):
    """The volumes belong to a patient, as DICOM data do."""
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    person = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Zweistein^Kunigunde (4711)")
    hierarchy.SetItemAttribute(person, constants.GetDICOMPatientNameAttributeName(), "Zweistein^Kunigunde")
    hierarchy.SetItemAttribute(person, constants.GetDICOMPatientIDAttributeName(), "P4711")
    study = hierarchy.CreateStudyItem(person, "study")
    for node, modality in ((scene["fixed"], "CT"), (scene["moving"], "MR")):
        item = hierarchy.GetItemByDataNode(node)
        hierarchy.SetItemParent(item, study)
        hierarchy.SetItemAttribute(item, constants.GetDICOMSeriesModalityAttributeName(), modality)
    scene["fixed"].SetName("2: Kunigunde <thorax>")
    return person


def everything(folder) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.iterdir())


def test_a_report_by_hand(warm_app, hands, widget, scene, patient, opened_pages, tmp_path):
    """Choose, tick, press: the page agrees with the scene."""
    panel = widget.panel
    section = panel.sections["report"]
    points = inner(9)
    partners = points + displacement(points) + np.random.default_rng(1).normal(scale=1.0, size=points.shape)
    fixed, moving = markups("F", points), markups("M", partners)
    fixed.SetNthControlPointLabel(0, "apex of Zweistein")
    fixed.SetNthControlPointSelected(3, False)
    panel.inspect(scene["transform"], fixedPoints=fixed, movingPoints=moving)
    settle(warm_app, widget)
    section.ui.reportCollapsibleButton.collapsed = False
    warm_app.process_events()
    assert "8 landmark pairs" in section.ui.reportPartsLabel.text
    assert section.ui.reportPatientLineEdit.text == "Zweistein^Kunigunde"
    assert not section.ui.reportPatientLineEdit.enabled
    hands.type(section.ui.reportTitleLineEdit, "Follow-up")
    table = section.ui.reportLimitsTable
    assert table.rowCount == 7
    assert [table.item(0, column).text() for column in (1, 2)] == ["2", "3"]
    table.item(0, 1).setText("0.5")
    table.item(0, 2).setText("0.1")
    warm_app.process_events()
    assert not section.ui.reportButton.enabled
    assert "wrong order" in section.ui.reportButton.toolTip
    table.item(0, 2).setText("0.6")
    warm_app.process_events()
    assert json.loads(panel.node.reportLimits) == {"tre_median": [0.5, 0.6]}
    assert section.ui.reportButton.enabled
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "report.html"
    warm_app.dialogs.answer(str(path))
    hands.click(section.ui.reportButton)
    assert section.busy
    assert section.ui.reportButton.text == "Cancel"
    settle(warm_app, widget)
    assert sorted(os.listdir(tmp_path / "out")) == ["report.html", "report_figures.csv", "report_figures.json"]
    assert opened_pages == [str(path)]
    assert "report.html is written" in section.ui.reportResultLabel.text
    assert section.ui.reportOpenButton.visible
    content = json.loads((tmp_path / "out" / "report_figures.json").read_text(encoding="utf-8"))
    used = [number for number in range(9) if number != 3]
    truth = itk_transform(scene["vectors"], SIZE, IJK)
    mapped = np.array([truth.TransformPoint((point * (-1, -1, 1)).tolist()) for point in points[used]])
    after = np.linalg.norm(mapped - partners[used] * (-1, -1, 1), axis=1)
    np.testing.assert_allclose([entry["after_mm"] for entry in content["figures"]["landmarks"]["each"]], after, atol=1e-3)
    rating = next(entry for entry in content["ratings"] if entry["key"] == "tre_median")
    assert (rating["green"], rating["amber"], rating["rating"]) == (0.5, 0.6, "red")
    assert content["title"] == "Follow-up"
    assert [content["inputs"][side]["modality"] for side in ("fixed", "moving")] == ["CT", "MR"]
    assert content["inputs"]["fixed"]["name"] == "2: ••• <thorax>"
    assert any("not selected, and are excluded: 1 of 9" in note for note in content["notes"])
    assert content["versions"]["application"].startswith("3D Slicer ")
    display = scene["fixed"].GetDisplayNode()
    assert content["views"]["windows"][0] == pytest.approx([display.GetWindowLevelMin(), display.GetWindowLevelMax()], rel=1e-5)
    text = everything(tmp_path / "out")
    assert "Zweistein" not in text
    assert "Kunigunde" not in text
    assert "4711" not in text
    assert "/tmp" not in text
    # With the tick, the page has the name; the dialog allows to replace the page.
    hands.click(section.ui.reportPatientCheckBox)
    warm_app.dialogs.answer(str(path))
    hands.click(section.ui.reportButton)
    settle(warm_app, widget)
    assert "Zweistein^Kunigunde" in everything(tmp_path / "out")


def test_what_is_wrong_is_said_and_nothing_is_written(warm_app, hands, widget, scene, opened_pages, tmp_path, monkeypatch):
    import slicer

    asked = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, **_: asked.append(text))  # Cancel
    section, node = widget.panel.sections["report"], widget.panel.node
    section.ui.reportCollapsibleButton.collapsed = False
    settle(warm_app, widget)
    # A script may not write beside other reports unasked: figures of that name are there, the page is not.
    (tmp_path / "r_figures.json").write_text("mine")
    warm_app.dialogs.answer(str(tmp_path / "r"))
    hands.click(section.ui.reportButton)
    assert len(asked) == 1
    assert "r_figures.json" in asked[0]
    assert os.listdir(tmp_path) == ["r_figures.json"]
    assert not section.busy
    assert (tmp_path / "r_figures.json").read_text() == "mine"
    # A folder that does not exist.
    warm_app.dialogs.answer(str(tmp_path / "none" / "r.html"))
    hands.click(section.ui.reportButton)
    settle(warm_app, widget)
    assert "does not exist" in section.ui.reportResultLabel.text
    assert section.ui.reportButton.enabled
    # Cancelled, and left.
    for leave in (lambda: hands.click(section.ui.reportButton), lambda: setattr(node, "transform", None)):
        section.write(str(tmp_path / "c.html"))
        warm_app.process_events()
        assert section.busy
        leave()
        warm_app.process_events(0.2)
        assert not section.busy
    settle(warm_app, widget)
    assert os.listdir(tmp_path) == ["r_figures.json"]
    assert opened_pages == []
    assert not section.ui.reportButton.enabled
    assert "transform" in section.ui.reportButton.toolTip


@pytest.mark.parametrize("what", ["full disk", "another computation"])
def test_a_report_that_cannot_start_leaves_the_panel_as_it_was(warm_app, hands, widget, opened_pages, tmp_path, monkeypatch, what):
    from DeepRegInspectorLib.report import ReportTask

    from deepreg_slicer.errors import NodeError

    error = OSError(28, "No space left on device") if what == "full disk" else NodeError("another computation is running", "wait")

    def refuse(self):
        raise error

    section = widget.panel.sections["report"]
    section.ui.reportCollapsibleButton.collapsed = False
    settle(warm_app, widget)
    with monkeypatch.context() as changed:
        changed.setattr(ReportTask, "makeFolder" if what == "full disk" else "check", refuse)
        section.write(str(tmp_path / "r.html"))
        warm_app.wait_for(lambda: not section.busy, 5)
    assert ("No space left" if what == "full disk" else "nother computation") in section.ui.reportResultLabel.text
    assert section.ui.reportButton.enabled
    assert section.ui.reportButton.text != "Cancel"
    assert not section.ui.reportProgressBar.visible
    section.write(str(tmp_path / "r.html"))
    settle(warm_app, widget)
    assert (tmp_path / "r.html").exists()


@pytest.mark.parametrize("parents", [False, True])
def test_a_script_writes_it(warm_app, scene, parents, tmp_path):
    """Without a window, parents taken in: volumes, segmentations and the moving volume under the transform itself."""
    from DeepRegInspector import DeepRegInspectorLogic

    logic = DeepRegInspectorLogic()
    shift = np.array([6.0, -4.0, 3.0])
    centres = inner(2, 4) * 0.2 + inner(2, 4).mean(axis=0) * 0.8 + np.array([[10.0, 0, 0], [-10.0, 0, 0]])
    kind = "vtkMRMLLabelMapVolumeNode"
    labels = [add_volume(name, balls(SIZE, IJK, centres + move, 9.0), IJK, kind) for name, move in (("a", 0.0), ("b", shift))]
    transform, inverse = (add_linear(name, matrix4(np.eye(3), sign * shift)) for name, sign in (("to fixed", -1), ("back", 1)))
    world = np.eye(4)
    if parents:  # all under the same movement: nothing between them changes
        world = ABOVE
        above = add_linear("above", ABOVE)
        for node in (scene["fixed"], *labels, transform, inverse):
            node.SetAndObserveTransformNodeID(above.GetID())
        scene["moving"].SetAndObserveTransformNodeID(transform.GetID())
        point = (ABOVE @ np.append(inner(1)[0], 1.0))[:3]
    else:
        point = inner(1)[0]
    content = logic.writeReport(
        str(tmp_path / "r.html"),
        transform,
        scene["fixed"],
        scene["moving"],
        fixedLabels=labels[0],
        movingLabels=labels[1],
        inverse=inverse,
        position=point,
        limits={"dice": (0.99, 0.5)},
        figures=not parents,
    )
    assert sorted(os.listdir(tmp_path)) == (["r.html"] if parents else ["r.html", "r_figures.csv", "r_figures.json"])
    size = content["inputs"]["fixed"]
    assert size["size"] == list(SIZE)
    assert size["spacing"] == pytest.approx([1.5, 1.7, 2.3], abs=1e-3)
    direction = np.diag([-1.0, -1.0, 1.0]) @ world[:3, :3] @ TURN
    np.testing.assert_allclose(np.array(size["direction"]).reshape(3, 3), direction, atol=1e-5)
    assert content["figures"]["regularity"]["min_jacobian"] == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(np.array(content["views"]["point_lps"]) * (-1, -1, 1), point, atol=1e-3)
    if not parents:
        assert content["figures"]["displacement"]["mean"] == pytest.approx(np.linalg.norm(shift), abs=1e-3)
        assert content["figures"]["inverse_consistency"]["max"] < 1e-3
        assert content["figures"]["overlap"]["mean_after"]["dice"] > 0.9 > content["figures"]["overlap"]["mean_before"]["dice"] + 0.2
        # The script of the documentation.
        for name, positions in (("fixed points", inner(4)), ("moving points", inner(4) + shift)):
            markups(name, positions)
        text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
        (script,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
        found: dict = {}
        exec(script.replace("report.html", str(tmp_path / "d.html")), found)  # of the transform that is called "result"
        assert found["content"]["figures"]["landmarks"]["before"]["count"] == 4
        assert (tmp_path / "d_figures.csv").exists()
        with pytest.raises(RuntimeError, match="needs another ending"):
            logic.writeReport(str(tmp_path / "r.pdf"), transform, scene["fixed"], scene["moving"])
    else:
        assert any("below another one" in note for note in content["notes"])
