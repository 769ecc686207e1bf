"""CTK's widgets: values, signals, limits and what is seen."""

from __future__ import annotations

import gc
import os

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication, QPoint, QSettings, QSize, Qt  # noqa: E402
from PySide6.QtGui import QColor, QPixmap  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication, QCheckBox, QFormLayout, QLabel, QLineEdit, QMessageBox, QVBoxLayout, QWidget  # noqa: E402

from slicer_testing.pythonqt import dialogs  # noqa: E402
from slicer_testing.registry import widget  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def application():
    running = QApplication.instance() or QApplication([])
    dialogs.install()
    return running


@pytest.fixture(autouse=True)
def clean_desk(tmp_path):
    dialogs.desk.clear()
    old = (QCoreApplication.organizationName(), QCoreApplication.applicationName())
    QCoreApplication.setOrganizationName("slicer_testing")
    QCoreApplication.setApplicationName("ctk")
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))
    yield
    assert dialogs.desk.unused == 0
    QCoreApplication.setOrganizationName(old[0])
    QCoreApplication.setApplicationName(old[1])


def recorded(instance, *signals):
    """A list that gets (name, arguments) of each signal."""
    log = []
    for name in signals:
        getattr(instance, name).connect(lambda *arguments, name=name: log.append((name, *arguments)))
    return log


def drag(slider, start, way):
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(slider, start + way)
    QApplication.processEvents()


class TestSpinBox:
    def test_defaults(self):
        box = widget("ctkDoubleSpinBox")()
        assert (box.value(), box.minimum(), box.maximum(), box.decimals(), box.singleStep()) == (0.0, 0.0, 99.99, 2, 1.0)

    def test_keeps_the_exact_value(self):
        box = widget("ctkDoubleSpinBox")()
        log = recorded(box, "valueChanged")
        box.setValue(1.23456)
        box.setValue(1.23456)
        assert (box.value(), box.cleanText(), log) == (1.23456, "1.23", [("valueChanged", 1.23456)])

    def test_limits_push_each_other_and_the_value(self):
        box = widget("ctkDoubleSpinBox")()
        box.setValue(50)
        box.setMaximum(20)
        assert (box.value(), box.maximum()) == (20.0, 20.0)
        box.setMinimum(30)
        assert (box.minimum(), box.maximum(), box.value()) == (30.0, 30.0, 30.0)

    def test_decimals_by_value_and_by_shortcut(self):
        box = widget("ctkDoubleSpinBox")()
        kind = type(box)
        box.setDecimalsOption(kind.DecimalsByValue | kind.DecimalsByShortcuts)
        box.setValue(0.125)
        decimals = box.decimals()
        assert box.cleanText() == f"{0.125:.{decimals}f}"
        assert decimals >= 3
        QTest.keyClick(box._spin_box, Qt.Key.Key_Plus, Qt.KeyboardModifier.ControlModifier)
        assert box.decimals() == decimals + 1

    def test_typing_more_decimals(self):
        box = widget("ctkDoubleSpinBox")()
        box.setDecimalsOption(box.DecimalsByKey | box.InsertDecimals)
        box._spin_box.lineEdit().selectAll()
        QTest.keyClicks(box._spin_box.lineEdit(), "1.2345")
        QApplication.processEvents()
        assert box.value() == pytest.approx(1.2345)

    def test_prefix_suffix_read_only(self):
        box = widget("ctkDoubleSpinBox")()
        box.setPrefix("z = ")
        box.setSuffix(" mm")
        box.setValue(2.5)
        assert box._spin_box.text() == "z = 2.50 mm"
        assert box.cleanText() == "2.50"
        box.setReadOnly(True)
        assert box.isReadOnly()


class TestSlider:
    def test_defaults(self):
        slider = widget("ctkSliderWidget")()
        assert (slider.minimum(), slider.maximum(), slider.value(), slider.singleStep(), slider.decimals()) == (0, 99.99, 0, 1, 2)
        assert slider.tracking()
        assert slider.isSpinBoxVisible()

    def test_value_is_exact_and_told_once(self):
        slider = widget("ctkSliderWidget")()
        log = recorded(slider, "valueChanged", "valueIsChanging")
        slider.setValue(3.14159)
        slider.setValue(3.14159)
        assert (slider.value(), log) == (3.14159, [("valueChanged", 3.14159)])

    def test_limits(self):
        slider = widget("ctkSliderWidget")()
        slider.setValue(500)
        assert slider.value() == 99.99
        log = recorded(slider, "valueChanged")
        slider.setMaximum(10)
        slider.setMinimum(20)
        assert (slider.minimum(), slider.maximum(), slider.value()) == (20.0, 20.0, 20.0)
        assert log == [("valueChanged", 10.0), ("valueChanged", 20.0)]

    def test_invalid_step_is_refused(self):
        slider = widget("ctkSliderWidget")()
        slider.setSingleStep(1000)
        assert slider.singleStep() == 1.0
        slider.setSingleStep(0.25)
        assert slider.singleStep() == 0.25

    def test_without_tracking_the_value_waits_for_the_release(self):
        slider = widget("ctkSliderWidget")()
        slider.setTracking(False)
        log = recorded(slider, "valueChanged", "valueIsChanging")
        inner = slider._slider._slider
        inner.setSliderDown(True)
        inner.setSliderPosition(7)
        assert (slider.value(), log) == (0.0, [("valueIsChanging", 7.0)])
        inner.setSliderDown(False)
        assert (slider.value(), log[-1]) == (7.0, ("valueChanged", 7.0))

    def test_siblings_share_decimals_unless_told_not_to(self):
        parent = QWidget()
        one, two, three = (widget("ctkSliderWidget")(parent) for _ in range(3))
        three.setSynchronizeSiblings(three.NoSynchronize)
        one.setDecimals(4)
        assert (two.decimals(), three.decimals()) == (4, 2)

    def test_popup_slider(self):
        slider = widget("ctkSliderWidget")()
        slider.setPopupSlider(True)
        assert slider.popupSlider()
        assert slider._slider.window() is slider._popup
        slider.setPopupSlider(False)
        assert not slider.popupSlider()
        assert slider._slider.parent() is slider

    def test_double_slider_keeps_the_rest(self):
        slider = widget("ctkDoubleSlider")(Qt.Orientation.Horizontal)
        slider.setValue(10.3)
        slider._slider.setValue(slider._slider.value() + 1)
        assert slider.value() == pytest.approx(11.3)


class TestRange:
    def test_defaults(self):
        range_widget = widget("ctkRangeWidget")()
        assert (range_widget.minimum(), range_widget.maximum()) == (0.0, 99.0)
        assert (range_widget.minimumValue(), range_widget.maximumValue()) == (0.0, 99.0)

    def test_order_of_signals(self):
        range_widget = widget("ctkRangeWidget")()
        log = recorded(range_widget, "valuesChanged", "minimumValueChanged", "maximumValueChanged", "rangeChanged")
        range_widget.setRange(-100, 300)
        range_widget.setValues(200, 100)
        names = [entry[0] for entry in log]
        assert names == ["rangeChanged", "valuesChanged", "minimumValueChanged", "maximumValueChanged"]
        assert log[1] == ("valuesChanged", 100.0, 200.0)

    def test_a_value_stops_at_the_other(self):
        range_widget = widget("ctkRangeWidget")()
        range_widget.setValues(20, 40)
        range_widget.setMinimumValue(60)
        assert (range_widget.minimumValue(), range_widget.maximumValue()) == (40.0, 40.0)

    def test_disjoint_values_one_after_the_other(self):
        range_widget = widget("ctkRangeWidget")()
        for low, high in ((1.5, 2.5), (80.25, 90.75), (3.0, 4.0)):
            range_widget.setValues(low, high)
            shown = (range_widget._low.value(), range_widget._high.value())
            assert (range_widget.minimumValue(), range_widget.maximumValue()) == pytest.approx((low, high))
            assert shown == pytest.approx((low, high))

    def test_limits_move_values(self):
        range_widget = widget("ctkRangeWidget")()
        range_widget.setValues(20, 40)
        range_widget.setMaximum(30)
        assert (range_widget.minimumValue(), range_widget.maximumValue(), range_widget._high.value()) == (20.0, 30.0, 30.0)
        range_widget.reset()
        assert (range_widget.minimumValue(), range_widget.maximumValue()) == (0.0, 30.0)

    def test_handles_are_dragged(self):
        slider = widget("ctkRangeSlider")(Qt.Orientation.Horizontal)
        slider.resize(300, 24)
        slider.setValues(20, 70)
        slider.show()
        QApplication.processEvents()
        at = slider._rect(slider._option(2), slider.style().SubControl.SC_SliderHandle).center()
        drag(slider, at, QPoint(40, 0))
        QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at + QPoint(40, 0))
        assert slider.minimumValue() == 20
        assert 80 <= slider.maximumValue() <= 90

    def test_both_handles_from_between(self):
        slider = widget("ctkRangeSlider")(Qt.Orientation.Horizontal)
        slider.resize(300, 24)
        slider.setValues(20, 40)
        slider.show()
        QApplication.processEvents()
        middle = QPoint(slider._pixel_of(30) + 5, 12)
        drag(slider, middle, QPoint(90, 0))
        low, high = slider.minimumValue(), slider.maximumValue()
        assert high - low == 20
        assert low > 40


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
        hidden.show()  # to be seen once the box is open
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
        log = recorded(box, "contentsCollapsed")
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


class TestCoordinatesAndMatrix:
    def test_coordinates(self):
        coordinates = widget("ctkCoordinatesWidget")()
        log = recorded(coordinates, "coordinatesChanged")
        coordinates.setCoordinates(1, 2.5, -3)
        assert coordinates.coordinates() == "1,2.5,-3"
        assert log == [("coordinatesChanged", [1.0, 2.5, -3.0])]
        coordinates.setCoordinates("4, 5, 6")
        assert coordinates.getCoordinate(2) == 6.0
        coordinates.setCoordinates("7,8")
        assert coordinates.coordinates() == "4,5,6"
        coordinates.setDimension(2)
        assert coordinates.coordinates() == "4,5"

    def test_an_edit_is_told(self):
        coordinates = widget("ctkCoordinatesWidget")()
        log = recorded(coordinates, "coordinatesChanged")
        coordinates._boxes[1].setValue(5)
        assert log == [("coordinatesChanged", [0.0, 5.0, 0.0])]

    def test_normalized(self):
        coordinates = widget("ctkCoordinatesWidget")()
        coordinates.setCoordinates(3, 0, 4)
        coordinates.setNormalized(True)
        assert coordinates.coordinates() == "0.6,0,0.8"
        coordinates._boxes[0].setValue(0.5)
        assert sum(coordinates.getCoordinate(index) ** 2 for index in range(3)) == pytest.approx(1.0)

    def test_matrix(self):
        matrix = widget("ctkMatrixWidget")()
        assert matrix.values() == [float(row == column) for row in range(4) for column in range(4)]
        log = recorded(matrix, "matrixChanged")
        matrix.setValue(0, 3, 500)
        assert matrix.value(0, 3) == 100.0
        assert len(log) == 1
        matrix.setValues([2.0] * 16)
        assert len(log) == 2
        matrix.setValues([2.0] * 16)
        assert len(log) == 2
        matrix.identity()
        assert matrix.value(1, 1) == 1.0
        with pytest.raises(ValueError, match="16"):
            matrix.setValues([1.0])


class TestPaths:
    def test_valid_and_invalid(self, tmp_path):
        edit = widget("ctkPathLineEdit")()
        log = recorded(edit, "currentPathChanged", "validInputChanged")
        edit.setCurrentPath(str(tmp_path))
        edit.setCurrentPath("")
        assert log == [("currentPathChanged", str(tmp_path)), ("validInputChanged", True), ("validInputChanged", False)]

    def test_name_filters(self):
        edit = widget("ctkPathLineEdit")()
        edit.setNameFilters(["Images (*.png *.nrrd)"])
        log = recorded(edit, "currentPathChanged")
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
        dialogs.desk.answer("/chosen/path")
        edit.browse()
        assert edit.currentPath() == "/chosen/path"
        assert dialogs.desk.shown[-1].text == kind
        edit.browse()  # given up
        assert edit.currentPath() == "/chosen/path"

    def test_without_history(self):
        edit = widget("ctkPathLineEdit")()
        edit.setCurrentPath("/a")
        edit.setShowHistoryButton(False)
        assert edit.comboBox() is None
        assert edit.currentPath() == "/a"
        assert not edit.showHistoryButton()
        log = recorded(edit, "currentPathChanged")
        edit.setCurrentPath("/b")
        assert log == [("currentPathChanged", "/b")]

    def test_directory_button(self, tmp_path):
        button = widget("ctkDirectoryButton")()
        log = recorded(button, "directoryChanged", "directorySelected")
        dialogs.desk.answer(str(tmp_path))
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
        log = recorded(combo, "checkedIndexesChanged")
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
        log = recorded(button, "colorChanged")
        assert button.color() == QColor("black")
        assert button.isCheckable()
        dialogs.desk.answer(QColor("red"))
        button.click()
        assert button.color() == QColor("red")
        assert not button.isChecked()
        assert len(log) == 1
        button.click()  # given up
        assert button.color() == QColor("red")

    def test_checkable(self):
        button = widget("ctkCheckablePushButton")("Apply")
        log = recorded(button, "checkBoxToggled", "clicked")
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
        log = recorded(button, "clicked")
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
        dialogs.desk.answer(QMessageBox.StandardButton.Cancel)
        assert first.exec() == QMessageBox.StandardButton.Cancel
        assert not box().dontShowAgain()
        second = box()
        dialogs.desk.answer(lambda shown: QMessageBox.StandardButton.Ok)
        second.exec()
        third = box()
        dialogs.desk.answer(tick)
        third.exec()
        seen = len(dialogs.desk.shown)
        fourth = box()
        assert fourth.dontShowAgain()
        assert fourth.exec() == QMessageBox.StandardButton.Ok
        assert len(dialogs.desk.shown) == seen

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
        log = recorded(box, "textEdited")
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
        log = recorded(dialog, "settingChanged")
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
        log = recorded(popup, "popupOpened")
        popup.showPopup()
        QTest.qWait(120)
        assert popup.isVisible()
        assert popup.width() == window.width()
        popup.hidePopup()
        QTest.qWait(120)
        assert not popup.isVisible()
        assert log == [("popupOpened", True), ("popupOpened", False)]

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
        log = recorded(mapper, "complementChanged")
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


def test_what_is_not_implemented_says_so():
    with pytest.raises(NotImplementedError, match="ctkThumbnailLabel.operationProgress"):
        _ = widget("ctkThumbnailLabel")().operationProgress
    with pytest.raises(NotImplementedError, match="ctkConsole"):
        widget("ctkConsole")
    with pytest.raises(AttributeError):
        widget("ctkPythonConsole")
