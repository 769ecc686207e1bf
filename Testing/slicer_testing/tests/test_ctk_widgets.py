"""CTK's boxes, paths, lists, buttons and dialogs: values, signals and what is visible."""

from __future__ import annotations

import gc

import pytest
from PySide6.QtCore import QPoint, QSettings, QSize, Qt
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QFormLayout, QLabel, QLineEdit, QMessageBox, QVBoxLayout, QWidget
from view_tools import wait_until
from widget_tools import record_all

from slicer_testing.pythonqt import dialogs
from slicer_testing.registry import widget

pytestmark = pytest.mark.usefixtures("clean_dialogs", "clean_settings")


class TestCollapsible:
    @pytest.mark.parametrize("name", ["ctkCollapsibleButton", "ctkCollapsibleGroupBox"])
    def test_children(self, name):
        window = QWidget()
        layout = QVBoxLayout(window)
        box = widget(name)("Inputs")
        layout.addWidget(box)
        form = QFormLayout(box)
        shown, hidden = QLineEdit(), QLabel("hidden on purpose")
        form.addRow(shown)
        form.addRow(hidden)
        hidden.hide()
        window.show()
        QApplication.processEvents()
        assert shown.isVisible()
        assert not hidden.isVisible()
        box.setCollapsed(True)
        QApplication.processEvents()
        assert box.collapsed()
        assert not shown.isVisible()
        late = QLabel("added while closed")
        form.addRow(late)
        QApplication.processEvents()
        assert not late.isVisible()
        hidden.show()  # visible once the box is open
        assert not hidden.isVisible()
        box.setCollapsed(False)
        QApplication.processEvents()
        assert shown.isVisible()
        assert hidden.isVisible()
        assert late.isVisible()

    def test_closed_before_it_is_shown(self):
        window = QWidget()
        layout = QVBoxLayout(window)
        box = widget("ctkCollapsibleButton")()
        box.setText("Advanced")
        box.setCollapsed(True)
        layout.addWidget(box)
        edit = QLineEdit()
        QFormLayout(box).addRow("Name", edit)
        window.show()
        QApplication.processEvents()
        assert not edit.isVisible()
        assert box.height() < 60
        box.setCollapsed(False)
        QApplication.processEvents()
        assert edit.isVisible()

    def test_click_and_signal(self):
        box = widget("ctkCollapsibleButton")("Inputs")
        log = record_all(box, "contentsCollapsed")
        box.resize(200, 100)
        QTest.mouseClick(box, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(50, 8))
        QTest.mouseClick(box, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(50, 8))
        assert log == [("contentsCollapsed", True), ("contentsCollapsed", False)]
        assert box.isChecked()

    def test_many_are_made_and_dropped(self):
        for _ in range(300):
            box = widget("ctkCollapsibleButton")("x")
            layout = QFormLayout(box)
            layout.addRow("a", widget("ctkSliderWidget")())
            box.setCollapsed(True)
        del box, layout
        gc.collect()


class TestPaths:
    def test_valid_and_invalid(self, tmp_path):
        edit = widget("ctkPathLineEdit")()
        log = record_all(edit, "currentPathChanged", "validInputChanged")
        edit.setCurrentPath(str(tmp_path))
        edit.setCurrentPath("")
        assert log == [("currentPathChanged", str(tmp_path)), ("validInputChanged", True), ("validInputChanged", False)]

    def test_name_filters(self):
        edit = widget("ctkPathLineEdit")()
        edit.setNameFilters(["Images (*.png *.nrrd)"])
        log = record_all(edit, "currentPathChanged")
        edit.setCurrentPath("/a/b.txt")
        assert not log
        edit.setCurrentPath("/a/b.nrrd")
        assert log == [("currentPathChanged", "/a/b.nrrd")]

    def test_history_is_shared_by_key(self):
        edit = widget("ctkPathLineEdit")()
        edit.setSettingKey("volumes")
        for index in range(7):
            edit.setCurrentPath(f"/data/{index}")
            edit.addCurrentPathToHistory()
        edit.addCurrentPathToHistory()
        assert [edit.comboBox().itemText(index) for index in range(edit.comboBox().count())] == [f"/data/{i}" for i in (6, 5, 4, 3, 2)]
        other = widget("ctkPathLineEdit")()
        other.setSettingKey("volumes")
        assert other.currentPath() == "/data/6"

    @pytest.mark.parametrize(("filters", "kind"), [("Files", "open"), ("Dirs", "folder"), ("Files|Writable", "save")])
    def test_browse(self, filters, kind):
        edit = widget("ctkPathLineEdit")()
        number = 0
        for name in filters.split("|"):
            number |= getattr(edit, name)
        edit.setFilters(number)
        dialogs.recorder.answer("/chosen/path")
        edit.browse()
        assert edit.currentPath() == "/chosen/path"
        assert dialogs.recorder.shown[-1].text == kind
        edit.browse()  # cancelled
        assert edit.currentPath() == "/chosen/path"

    def test_without_history(self):
        edit = widget("ctkPathLineEdit")()
        edit.setCurrentPath("/a")
        edit.setShowHistoryButton(False)
        assert edit.comboBox() is None
        assert edit.currentPath() == "/a"
        assert not edit.showHistoryButton()
        log = record_all(edit, "currentPathChanged")
        edit.setCurrentPath("/b")
        assert log == [("currentPathChanged", "/b")]

    def test_directory_button(self, tmp_path):
        button = widget("ctkDirectoryButton")()
        log = record_all(button, "directoryChanged", "directorySelected")
        dialogs.recorder.answer(str(tmp_path))
        QTest.mouseClick(button._button, Qt.MouseButton.LeftButton)
        assert button.directory() == str(tmp_path)
        button.setDirectory(str(tmp_path))
        assert [entry[0] for entry in log] == ["directorySelected", "directoryChanged", "directorySelected"]


class TestCombos:
    def test_checkable(self):
        combo = widget("ctkCheckableComboBox")()
        combo.addItems(["a", "b", "c"])
        assert combo.noneChecked()
        assert combo._shown_text() == "None"
        log = record_all(combo, "checkedIndexesChanged")
        model = combo.checkableModel()
        combo.setCheckState(model.index(0, 0), Qt.CheckState.Checked)
        combo.setCheckState(model.index(2, 0), 2)
        assert len(log) == 2
        assert combo._shown_text() == "a, c"
        assert [index.row() for index in combo.checkedIndexes()] == [0, 2]
        combo.setCheckState(model.index(1, 0), Qt.CheckState.Checked)
        assert combo.allChecked()
        assert combo._shown_text() == "All"
        combo.removeItem(0)
        assert len(combo.checkedIndexes()) == 2

    def test_default_text_and_user_data(self):
        combo = widget("ctkComboBox")()
        combo.setDefaultText("Select one")
        combo.addItem("A", "first")
        combo.addItem("B", "second")
        combo.setCurrentUserDataAsString("second")
        assert combo.currentText() == "B"
        assert combo.currentUserDataAsString() == "second"
        combo.setCurrentUserDataAsString("third")
        assert combo.currentText() == "B"
        combo.setCurrentIndex(-1)
        assert combo.defaultText() == "Select one"
        assert combo.currentUserDataAsString() == ""


class TestButtons:
    def test_color(self):
        button = widget("ctkColorPickerButton")()
        log = record_all(button, "colorChanged")
        assert button.color() == QColor("black")
        assert button.isCheckable()
        dialogs.recorder.answer(QColor("red"))
        button.click()
        assert button.color() == QColor("red")
        assert not button.isChecked()
        assert len(log) == 1
        button.click()  # cancelled
        assert button.color() == QColor("red")

    def test_checkable(self):
        button = widget("ctkCheckablePushButton")("Apply")
        log = record_all(button, "checkBoxToggled", "clicked")
        button.resize(200, 30)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, button._icon_rect().center())
        assert button.checkState() == Qt.CheckState.Checked
        assert button.isCheckable()
        assert log == [("checkBoxToggled", True)]
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(120, 15))
        assert button.isChecked()
        assert log[-1][0] == "clicked"

    def test_menu_button_is_clicked_beside_its_arrow(self):
        from PySide6.QtWidgets import QMenu

        button = widget("ctkMenuButton")("Load")
        menu = QMenu(button)
        menu.addAction("Other")
        button.setMenu(menu)
        button.resize(120, 30)
        button.show()
        log = record_all(button, "clicked")
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(30, 15))
        assert len(log) == 1
        assert not menu.isVisible()
        QTest.mousePress(button, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(114, 15))
        assert menu.isVisible()
        assert len(log) == 1
        menu.close()


class TestOthers:
    def test_message_box_remembers(self):
        def box():
            made = widget("ctkMessageBox")()
            made.setText("Sure?")
            made.setStandardButtons(QMessageBox.StandardButton.Ok | QMessageBox.StandardButton.Cancel)
            made.setDontShowAgainSettingsKey("question")
            return made

        first = box()
        first.setDontShowAgain(True)
        QSettings().remove("question")
        first.setDontShowAgain(False)

        def tick(shown):
            shown.dialog.setDontShowAgain(True)
            return QMessageBox.StandardButton.Ok

        assert first.isDontShowAgainVisible()
        dialogs.recorder.answer(QMessageBox.StandardButton.Cancel)
        assert first.exec() == QMessageBox.StandardButton.Cancel
        assert not box().dontShowAgain()
        second = box()
        dialogs.recorder.answer(lambda shown: QMessageBox.StandardButton.Ok)
        second.exec()
        third = box()
        dialogs.recorder.answer(tick)
        third.exec()
        seen = len(dialogs.recorder.shown)
        fourth = box()
        assert fourth.dontShowAgain()
        assert fourth.exec() == QMessageBox.StandardButton.Ok
        assert len(dialogs.recorder.shown) == seen

    def test_fitted_text(self):
        browser = widget("ctkFittedTextBrowser")()
        browser.setCollapsiblePlainText("first\nsecond\nthird")
        assert "first" in browser.toPlainText()
        assert "second" not in browser.toPlainText()
        browser.setCollapsed(False)
        assert "second" in browser.toPlainText()
        assert "Hide details." in browser.toPlainText()
        assert browser.heightForWidth(50) > browser.heightForWidth(500)

    def test_search_box_clears(self):
        box = widget("ctkSearchBox")()
        box.resize(200, 26)
        box.setText("brain")
        log = record_all(box, "textEdited")
        QTest.mouseClick(box, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, box._clear_rect().center())
        assert box.text() == ""
        assert log == [("textEdited", "")]

    def test_settings(self, tmp_path):
        settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
        dialog, panel, check = widget("ctkSettingsDialog")(), widget("ctkSettingsPanel")(), QCheckBox()
        slider = widget("ctkSliderWidget")()
        dialog.setSettings(settings)
        dialog.addPanel("General", panel)
        panel.registerProperty("on", check, "checked", "toggled(bool)")
        panel.registerProperty("value", slider, "value", b"valueChanged(double)", "Value", panel.OptionRequireRestart)
        log = record_all(dialog, "settingChanged")
        check.setChecked(True)
        slider.setValue(5)
        assert settings.value("on") in (True, "true")
        assert ("settingChanged", "value", 5.0) in log
        assert dialog.isRestartRequired()
        dialog.reject()
        assert not check.isChecked()
        assert slider.value() == 0.0
        check.setChecked(True)
        dialog.accept()
        other = QCheckBox()
        fresh = widget("ctkSettingsPanel")()
        fresh.setSettings(settings)
        fresh.registerProperty("on", other, "checked", "toggled(bool)")
        assert other.isChecked()

    def test_flow_layout_wraps(self):
        window = QWidget()
        layout = widget("ctkFlowLayout")(window)
        for _ in range(6):
            label = QLabel("x")
            label.setFixedSize(50, 20)
            layout.addWidget(label)
        window.resize(130, 200)
        window.show()
        QApplication.processEvents()
        rows = {layout.itemAt(index).geometry().y() for index in range(layout.count())}
        assert len(rows) >= 3
        assert layout.heightForWidth(1000) < layout.heightForWidth(130)

    def test_popup(self):
        window = QWidget()
        window.resize(200, 30)
        window.show()
        popup = widget("ctkPopupWidget")(window)
        popup.setAutoHide(False)
        popup.setAutoShow(False)
        popup.setEffectDuration(20)
        QVBoxLayout(popup).addWidget(QLabel("inside"))
        log = record_all(popup, "popupOpened")
        popup.showPopup()
        assert wait_until(lambda: log == [("popupOpened", True)])
        assert popup.isVisible()
        assert popup.width() == window.width()
        popup.hidePopup()
        assert wait_until(lambda: log == [("popupOpened", True), ("popupOpened", False)])
        assert not popup.isVisible()

    def test_proxies_and_mapper(self):
        proxy = widget("ctkLinearValueProxy")()
        proxy.setCoefficient(10)
        proxy.setOffset(1)
        proxy.setValue(2)
        assert proxy.proxyValue() == 21.0
        proxy.setProxyValue(31)
        assert proxy.value() == 3.0
        check = QCheckBox()
        mapper = widget("ctkBooleanMapper")(check, "checked", "toggled(bool)")
        log = record_all(mapper, "complementChanged")
        check.setChecked(True)
        assert mapper.valueAsString() == "true"
        assert log == [("complementChanged", False)]
        mapper.setComplement(True)
        assert not check.isChecked()

    def test_expandable_spacer_axes_thumbnail(self):
        frame = widget("ctkExpandableWidget")()
        frame.setOrientations(Qt.Orientation.Vertical)
        frame._grip.setWidgetSizeHint(QSize(-1, 333))
        assert frame.sizeHint().height() == 333
        spacer = widget("ctkDynamicSpacer")()
        spacer.setInactive(False)
        assert spacer.isActive()
        axes = widget("ctkAxesWidget")()
        axes.resize(200, 200)
        QTest.mouseClick(axes, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(100, 12))
        assert axes.currentAxis() == axes.Superior
        thumbnail = widget("ctkThumbnailLabel")()
        thumbnail.setPixmap(QPixmap(40, 20))
        QTest.mouseClick(thumbnail, Qt.MouseButton.LeftButton)
        assert thumbnail.isSelected()
        assert thumbnail.heightForWidth(100) == 50

    def test_file_dialog(self, tmp_path):
        dialog = widget("ctkFileDialog")(None, "Open", str(tmp_path))
        extra = QCheckBox("centred")
        dialog.setBottomWidget(extra, "Options")
        assert dialog.bottomWidget() is extra
        dialog.setAcceptButtonEnable(False)
        assert not dialog._accept_button().isEnabled()


def test_missing_members_raise_not_implemented():
    with pytest.raises(NotImplementedError, match="ctkThumbnailLabel.operationProgress"):
        _ = widget("ctkThumbnailLabel")().operationProgress
    with pytest.raises(NotImplementedError, match="ctkConsole"):
        widget("ctkConsole")
    with pytest.raises(AttributeError):
        widget("ctkPythonConsole")
