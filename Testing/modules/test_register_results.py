"""The results of the module Register: new nodes for each run, history, what comes along, report, review, scenes."""

from __future__ import annotations

import pytest
from register_bench import registered, titles


@pytest.fixture
def widget(register_widget):
    return register_widget


def test_each_run_makes_new_nodes_and_reads_without_the_earlier_result(warm_app, hands, widget, pair):
    import numpy as np
    from vtk.util.numpy_support import vtk_to_numpy

    def vectors(transform):
        grid = transform.GetTransformFromParentAs("vtkOrientedGridTransform", False).GetDisplacementGrid()
        return vtk_to_numpy(grid.GetPointData().GetScalars()).copy()

    registered(warm_app, hands, widget)
    first = widget.panel.node.result
    before = vectors(first)
    pair[1].SetAndObserveTransformNodeID(first.GetID())  # as a user does in the module Data
    registered(warm_app, hands, widget)
    second = widget.panel.node.result
    assert second is not first
    assert np.array_equal(vectors(second), before)
    assert np.array_equal(vectors(first), before)
    assert "was read without it" in widget.ui.logTextEdit.toPlainText()
    assert len(set(titles(widget))) == 2


def test_results_are_renamed_deleted_and_taken_back(warm_app, hands, widget):
    import slicer

    from deepreg_slicer.results import nodesOf

    registered(warm_app, hands, widget)
    first = widget.panel.node.result
    registered(warm_app, hands, widget)
    second, ui = widget.panel.node.result, widget.ui
    names = {node.GetName() for node in nodesOf(second)}
    ui.resultsList.item(0).setText("Plan A")
    assert titles(widget)[0] == "Plan A"
    assert all("(Plan A)" in node.GetName() for node in nodesOf(second))
    hands.click(ui.undoButton)
    assert {node.GetName() for node in nodesOf(second)} == names
    hands.click(ui.deleteButton)
    assert widget.panel.node.result is first
    assert len(titles(widget)) == 1
    assert [node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if node.GetName() in names] == []
    hands.click(ui.undoButton)  # the deletion
    assert len(titles(widget)) == 2
    assert {node.GetName() for node in nodesOf(second)} == names
    assert all(node.GetDisplayNode() is not None for node in nodesOf(second) if node.IsA("vtkMRMLVolumeNode"))
    hands.click(ui.undoButton)  # the second run
    hands.click(ui.undoButton)  # the first one
    assert titles(widget) == []
    assert widget.panel.node.result is None
    assert not ui.undoButton.enabled


def test_the_report_of_a_result_is_written_and_opened(warm_app, hands, widget, tmp_path, monkeypatch):
    import qt

    warm_app.load_module("DeepRegInspector")
    registered(warm_app, hands, widget)
    opened_pages = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened_pages.append(url.toLocalFile()))
    path = tmp_path / "page"
    warm_app.dialogs.answer(str(path))
    hands.click(widget.ui.reportButton)
    warm_app.wait_for(lambda: widget.panel.reportButton.task is None, 60, "the report")
    assert "The report is written" in widget.ui.resultLabel.text
    assert opened_pages == [f"{path}.html"]
    assert titles(widget)[0] in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_review_opens_the_chosen_result_in_the_inspector(warm_app, hands, widget, pair):
    import slicer

    warm_app.load_module("DeepRegInspector")
    registered(warm_app, hands, widget)
    first = widget.panel.node.result
    registered(warm_app, hands, widget)
    widget.ui.resultsList.clearSelection()
    widget.ui.resultsList.item(1).setSelected(True)
    warm_app.process_events(0.1)
    assert widget.panel.node.result is first
    hands.click(widget.ui.reviewButton)
    inspector = slicer.modules.deepreginspector.widgetRepresentation().self().panel
    assert inspector.node.transform is first
    assert (inspector.node.fixedVolume, inspector.node.movingVolume) == tuple(pair)


def test_what_is_ticked_comes_along_and_more_later(warm_app, hands, widget, pair):
    """With points, which need no worker; voxels are tested in test_bring_along_voxels.py."""
    import qt
    import slicer

    from deepreg_slicer.results import nodesOf

    lists = []
    for name in ("targets", "seeds"):
        lists.append(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name))
        lists[-1].AddControlPoint([0.0, 0.0, 0.0])
    warm_app.process_events(0.1)
    ui = widget.ui
    ui.bringCollapsibleButton.collapsed = False
    rows = [ui.bringList.item(number) for number in range(ui.bringList.count)]
    assert [row.text() for row in rows] == ["targets (points)", "seeds (points)"]
    assert [row.checkState() for row in rows] == [qt.Qt.Unchecked, qt.Qt.Unchecked]
    assert not ui.applyToButton.enabled
    rows[0].setCheckState(qt.Qt.Checked)
    registered(warm_app, hands, widget)
    transform = widget.panel.node.result
    made = [node for node in nodesOf(transform) if node.IsA("vtkMRMLMarkupsNode")]
    assert [node.GetName() for node in made] == [f"targets warped ({titles(widget)[0]})"]
    assert "Brought along: targets" in ui.bringLabel.text
    hands.click(ui.bringAllCheckBox)
    warm_app.process_events(0.1)
    hands.click(ui.applyToButton)
    warm_app.wait_for(lambda: widget.panel.bring.task is None, 20, "what comes along")
    assert sum(node.GetName().startswith("seeds") for node in nodesOf(transform)) == 1
    hands.click(ui.undoButton)
    assert sum(node.GetName().startswith("seeds") for node in nodesOf(transform)) == 0
    assert titles(widget) != []


def test_results_are_listed_again_when_the_scene_is_loaded(warm_app, hands, widget, tmp_path):
    import slicer

    registered(warm_app, hands, widget)
    ui = widget.ui
    ui.resultsList.item(0).setText("Plan A")
    line, verdict = ui.resultLabel.text, ui.verdictLabel.text
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear()
    warm_app.process_events(0.1)
    assert not ui.applyButton.enabled
    slicer.util.loadScene(str(path))
    warm_app.process_events(0.2)
    assert titles(widget) == ["Plan A"]
    assert widget.panel.node.result.GetAttribute("DeepReg.Title") == "Plan A"
    assert widget.panel.node.quality == 0
    assert (ui.resultLabel.text, ui.verdictLabel.text) == (line, verdict)
    registered(warm_app, hands, widget)
    assert len(titles(widget)) == 2


def test_the_structures_that_came_along_are_shown_and_saved(warm_app, hands, widget, pair, phantom_folder, tmp_path):
    import csv

    import qt
    import slicer

    labels = slicer.util.loadLabelVolume(str(phantom_folder / "moving_labels.nii.gz"))
    organs = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labels, organs)
    slicer.mrmlScene.RemoveNode(labels)
    organs.SetReferenceImageGeometryParameterFromVolumeNode(pair[1])
    warm_app.process_events(0.1)
    registered(warm_app, hands, widget)
    assert "Brought along: organs" in widget.ui.bringLabel.text  # it lies with the moving volume
    hands.click(widget.ui.structuresButton)
    dialog = widget.panel.structures
    assert dialog.widget.visible
    assert titles(widget)[0] in dialog.widget.windowTitle
    model = dialog.view.model()
    headings = [model.headerData(number, qt.Qt.Horizontal) for number in range(model.columnCount())]
    assert (headings[:2], headings[-1]) == (["Structure", "Before (ml)"], "Remark")
    warm_app.dialogs.answer(str(tmp_path / "contours"))
    hands.click(dialog.saveButton)
    with open(tmp_path / "contours.csv", newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == organs.GetSegmentation().GetNumberOfSegments()
    assert all(float(row["Before (ml)"]) > 0 for row in rows)
    hands.click(dialog.closeButton)
    assert not dialog.widget.visible


def layers(name: str) -> tuple[str, str]:
    """The volumes of a slice view: background and foreground."""
    import slicer

    composite = slicer.app.layoutManager().sliceWidget(name).sliceLogic().GetSliceCompositeNode()
    return composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID() or ""


def test_volumes_are_side_by_side_before_the_run_and_results_on_request(warm_app, hands, widget, pair):
    from deepreg_slicer.results import nodeOf

    fixed, moving = (node.GetID() for node in pair)
    warm_app.wait_for(lambda: not widget.panel.showing, 10, "the views")
    assert widget.panel.sides.shown
    assert {layers(name)[0] for name in ("Red", "DeepRegRightAxial")} == {fixed, moving}
    registered(warm_app, hands, widget)
    assert not widget.panel.sides.shown
    first = widget.panel.node.result
    assert layers("Red")[0] == fixed
    registered(warm_app, hands, widget)
    second = widget.panel.node.result
    for number in range(2):
        widget.ui.resultsList.item(number).setSelected(True)
    hands.click(widget.ui.compareButton)
    warm_app.wait_for(lambda: not widget.panel.showing, 10, "the views")
    shown = [nodeOf(transform, "volume").GetID() for transform in (first, second)]
    assert [layers(name)[1] for name in ("Red", "DeepRegRightAxial")] == shown
    widget.exit()  # another module is opened
    warm_app.process_events(0.2)
    assert not widget.panel.sides.shown


def foreground() -> str:
    """Name of the volume above the fixed one: the warped one, or its copy with transparent parts."""
    import slicer

    node = slicer.mrmlScene.GetNodeByID(layers("Red")[1])
    return node.GetName() if node is not None else ""


def shown_result(app, widget) -> str:
    """The verdict and the lines of the shown result, when the views are at rest."""
    app.process_events(0.1)
    app.wait_for(lambda: not widget.panel.showing, 10, "the views")
    app.process_events(0.1)
    return widget.ui.verdictLabel.text + widget.ui.resultLabel.text


def test_a_result_removed_in_data_is_replaced_by_the_one_before_it(warm_app, hands, widget, pair):
    """Its verdict must not stay above Apply, nor its volume in the views."""
    import slicer

    registered(warm_app, hands, widget)
    first, lines = widget.panel.node.result, shown_result(warm_app, widget)
    name = foreground()
    widget.panel.node.task = "rigid"
    registered(warm_app, hands, widget)
    assert shown_result(warm_app, widget) != lines
    slicer.mrmlScene.RemoveNode(widget.panel.node.result)
    assert shown_result(warm_app, widget) == lines
    assert widget.panel.node.result is first
    assert foreground() == name
    slicer.mrmlScene.RemoveNode(first)
    assert shown_result(warm_app, widget) == ""
    assert widget.panel.sides.shown
    assert layers("Red") == (pair[0].GetID(), "")


def test_a_result_is_shown_after_two_were_compared(warm_app, hands, widget, pair):
    from deepreg_slicer.results import nodeOf

    for _run in range(2):
        registered(warm_app, hands, widget)
    box = widget.ui.resultsList
    box.item(1).setSelected(True)
    hands.click(widget.ui.compareButton)
    shown_result(warm_app, widget)
    box.clearSelection()
    box.item(1).setSelected(True)
    shown_result(warm_app, widget)
    assert (layers("Red")[0], foreground()) == (pair[0].GetID(), nodeOf(widget.panel.node.result, "volume").GetName())


def test_volumes_that_are_changed_during_the_run_do_not_mix_with_its_result(warm_app, hands, widget, pair):
    """What lies with the volume that is moving now does not come along with the result of the former pair, which is shown."""
    import slicer

    from deepreg_slicer.results import brought, nodeOf

    label = slicer.modules.volumes.logic().CreateAndAddLabelVolume(slicer.mrmlScene, pair[0], "of the former fixed volume")
    widget.ui.bringCollapsibleButton.collapsed = False
    warm_app.wait_for(lambda: not widget.panel.contents.busy, 10, "the contents")
    widget.panel.apply()
    widget.panel.node.fixedVolume, widget.panel.node.movingVolume = pair[::-1]
    warm_app.process_events(0.2)
    hands.click(widget.ui.bringAllCheckBox)
    assert widget.panel.bring.ticked() == [label]
    warm_app.wait_for(lambda: widget.panel.run is None, 60, "the end of the run")
    shown_result(warm_app, widget)
    result = widget.panel.node.result
    assert brought(result) == []
    assert "Other volumes were chosen" in widget.ui.bringLabel.text
    assert (layers("Red")[0], foreground()) == (pair[0].GetID(), nodeOf(result, "volume").GetName())
