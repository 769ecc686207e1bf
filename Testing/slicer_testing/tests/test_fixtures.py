"""The fixtures, in the host and in a real application."""

from __future__ import annotations

import pytest
import qt
import slicer

from slicer_testing.pictures import pixels, screenshot


@pytest.fixture
def panel(slicer_app):
    """A box with a button, a check box, a text and a combo box."""
    import qt

    box = qt.QWidget()
    layout = qt.QVBoxLayout(box)
    parts = {"button": qt.QPushButton("Go"), "check": qt.QCheckBox("Yes"), "edit": qt.QLineEdit("old"), "combo": qt.QComboBox()}
    for name, part in parts.items():
        part.setObjectName(name)
        layout.addWidget(part)
    parts["combo"].addItems(["one", "two"])
    box.show()
    yield box
    box.close()


def test_a_click_reaches_the_button_and_the_check_box(panel, hands):
    clicks = []
    panel.button.connect("clicked(bool)", clicks.append)
    hands.click(panel.button)
    hands.click(panel.check)
    assert clicks == [False]
    assert panel.check.checked is True


@pytest.mark.parametrize("how", ["disabled", "parent", "hidden"])
def test_what_a_user_cannot_use_the_hands_cannot_use(panel, hands, how):
    clicks = []
    panel.button.connect("clicked()", lambda: clicks.append(1))
    panel.button.toolTip = "choose a volume first"
    if how == "hidden":
        panel.button.hide()
    else:
        (panel if how == "parent" else panel.button).enabled = False
    expected = "not visible" if how == "hidden" else "disabled .choose a volume first"
    with pytest.raises(AssertionError, match=expected):
        hands.click(panel.button)
    assert clicks == []


def test_typing_replaces_or_continues(panel, hands):
    finished = []
    panel.edit.connect("editingFinished()", lambda: finished.append(panel.edit.text))
    hands.type(panel.edit, "new")
    hands.type(panel.edit, "er", replace=False)
    assert finished == ["new", "newer"]


def test_choosing_by_text_and_what_is_not_offered(panel, hands):
    hands.choose(panel.combo, "two")
    assert panel.combo.currentIndex == 1
    with pytest.raises(AssertionError, match="does not offer 'three', but: one, two"):
        hands.choose(panel.combo, "three")


def test_the_scene_is_empty_in_each_test(slicer_app):
    import slicer

    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    slicer_app.fresh()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLColorTableNode") > 0


def test_settings_do_not_outlive_a_test(slicer_app):
    import qt
    import slicer

    slicer.app.userSettings().setValue("Mine/number", 3)
    assert int(qt.QSettings().value("Mine/number")) == 3
    slicer_app.fresh()
    assert qt.QSettings().value("Mine/number") is None


def test_waiting_runs_the_event_loop_and_ends(slicer_app):
    import qt

    done = []
    qt.QTimer.singleShot(20, lambda: done.append(1))
    assert slicer_app.wait_for(lambda: done, 5.0) == [1]
    with pytest.raises(TimeoutError, match=f"waited {0.05 * slicer_app.patience:g} s for the moon"):
        slicer_app.wait_for(lambda: False, 0.05, "the moon")


def test_messages_are_only_logged_until_they_are_shown(slicer_app):
    slicer.util.errorDisplay("There is no volume.")
    assert slicer_app.dialogs.shown == []
    with slicer_app.messages_shown():
        slicer.util.errorDisplay("There is no volume.", detailedText="at all")
        slicer_app.dialogs.answer(qt.QMessageBox.Yes, qt.QMessageBox.No)
        answers = [slicer.util.confirmYesNoDisplay("Go on?") for _ in range(2)]
    assert answers == [True, False]
    shown = slicer_app.dialogs.shown
    assert [(dialog.kind, dialog.text) for dialog in shown][1:] == [("question", "Go on?")] * 2
    assert (shown[0].text, shown[0].detail) == ("There is no volume.", "at all")


def test_message_boxes_are_answered_by_button_text_or_function_and_closed_without_an_answer(slicer_app):
    def ask():
        box = qt.QMessageBox()
        box.text = "Overwrite?"
        box.setStandardButtons(qt.QMessageBox.Save | qt.QMessageBox.Cancel)
        return int(box.exec_())

    assert ask() == int(qt.QMessageBox.Cancel)
    seen = []
    slicer_app.dialogs.answer("Save", lambda shown: seen.append(shown.dialog.text) or qt.QMessageBox.Save)
    assert [ask(), ask()] == [int(qt.QMessageBox.Save)] * 2
    assert seen == ["Overwrite?"]


def test_other_dialogs_are_used_by_a_function_and_return_its_result(slicer_app):
    dialog = qt.QDialog()
    dialog.windowTitle = "Names"
    edit = qt.QLineEdit(dialog)
    edit.setObjectName("edit")

    def fill(shown):
        shown.dialog.edit.text = "liver"
        return 1

    slicer_app.dialogs.answer(fill)
    assert (dialog.exec_(), edit.text) == (1, "liver")
    assert dialog.exec_() == 0
    assert [(shown.kind, shown.title) for shown in slicer_app.dialogs.shown] == [("dialog", "Names")] * 2


def test_files_texts_and_items_are_answered(slicer_app):
    slicer_app.dialogs.answer("/data/ct.nrrd", "/data", "liver", "CT")
    assert qt.QFileDialog.getSaveFileName(None, "Save", "", "NRRD (*.nrrd)") == "/data/ct.nrrd"
    assert qt.QFileDialog.getExistingDirectory(None, "Folder") == "/data"
    assert qt.QInputDialog.getText(None, "Name", "of the preset") == "liver"
    assert qt.QInputDialog.getItem(None, "Kind", "of image", ["CT", "MR"]) == "CT"
    assert qt.QFileDialog.getOpenFileName(None, "Open") == ""
    assert [shown.detail for shown in slicer_app.dialogs.shown] == ["NRRD (*.nrrd)", "", "", "CT\nMR", ""]


def test_exceptions_in_slots_are_recorded(panel, hands, slicer_app):
    panel.button.connect("clicked()", lambda: 1 / 0)
    hands.click(panel.button)
    assert isinstance(slicer_app.errors.pop(), ZeroDivisionError)


def test_pictures_show_the_widget(panel, tmp_path):
    panel.setStyleSheet("background: rgb(200, 40, 10)")
    panel.resize(200, 220)
    seen = pixels(screenshot(panel, tmp_path / "panel.png"))
    assert seen.shape == (220, 200, 3)
    assert seen[218, 2].tolist() == [200, 40, 10]
    assert (pixels(tmp_path / "panel.png") == seen).all()


def test_a_view_is_turned_and_drawn(slicer_app, hands):
    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    slicer.app.layoutManager().viewport().show()
    slicer_app.process_events()
    logic = slicer.app.layoutManager().sliceWidget("Red").sliceLogic()
    before = logic.GetSliceOffset()
    hands.wheel(view, 3)
    three = logic.GetSliceOffset() - before
    hands.wheel(view, -1)
    assert logic.GetSliceOffset() - before == pytest.approx(three * 2 / 3)
    assert three != 0


def test_no_main_window_no_layout_manager(no_main_window):
    assert slicer.util.mainWindow() is None
    assert slicer.app.layoutManager() is None
    assert slicer.app.commandOptions().noMainWindow


@pytest.mark.host_only("it has a main window or it has none")
def test_the_main_window_is_back_in_the_next_test(slicer_app):
    slicer_app.leave_main_window()
    slicer_app.fresh()
    assert slicer.app.layoutManager() is not None
    assert slicer.util.mainWindow() is not None


def test_layouts_that_a_test_has_added_are_forgotten(slicer_app):
    description = '<layout type="horizontal"><item><view class="vtkMRMLSliceNode" singletontag="Mine"/></item></layout>'
    node = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    assert node.AddLayoutDescription(9876, description)
    slicer.app.layoutManager().setLayout(9876)
    assert "Mine" in slicer.app.layoutManager().sliceViewNames()
    slicer_app.forget_layouts()
    manager = slicer.app.layoutManager()
    assert not manager.layoutLogic().GetLayoutNode().IsLayoutDescription(9876)
    assert "Mine" not in manager.sliceViewNames()
