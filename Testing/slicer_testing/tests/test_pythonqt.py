"""The interface of PythonQt: properties, conversions, signals, existing and missing names."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path

import ctk
import numpy as np
import pytest
import qt
import slicer


@pytest.fixture(autouse=True)
def app(slicer_app):
    """A fresh application."""
    return slicer_app


# -- properties


def test_properties_are_attributes_and_have_setters():
    button = qt.QPushButton("Apply")
    button.enabled = False
    button.toolTip = "Run it"
    assert not button.enabled
    assert not button.isEnabled()
    assert button.toolTip == "Run it"
    button.setEnabled(True)
    button.setText("Cancel")
    assert button.enabled
    assert button.text == "Cancel"
    assert button.objectName == button.name == ""
    button.name = "applyButton"
    assert button.objectName == "applyButton"


def test_dynamic_properties_and_children_are_found_by_name():
    parent = qt.QWidget()
    child = qt.QLabel("text", parent)
    child.objectName = "status"
    parent.setProperty("SlicerParameterName", "volume")
    assert parent.status is child
    assert parent.SlicerParameterName == "volume"
    parent.SlicerParameterName = "mask"
    assert parent.property("SlicerParameterName") == "mask"


@pytest.mark.parametrize(("value", "shown"), [(None, False), (0, False), (1, True), ("", False), ("x", True), ([], False), ([1], True)])
def test_anything_is_a_truth_value(value, shown):
    box = qt.QCheckBox()
    box.checked = value
    assert box.checked is shown
    box.setEnabled(value)
    assert box.enabled is shown
    button = ctk.ctkCollapsibleButton()
    button.collapsed = value
    assert button.collapsed is shown


def test_anything_is_a_text():
    label = qt.QLabel()
    for value, shown in ((5, "5"), (1.5, "1.5"), (True, "True"), (Path("a/b"), "a/b")):
        label.text = value
        assert label.text == shown
        label.clear()
        label.setText(value)
        assert label.text == shown


@pytest.mark.parametrize(
    ("value", "whole", "floating"), [(7, 7, 7.0), (2.9, 2, 2.9), (True, 1, 1.0), (np.int64(3), 3, 3.0), (np.float32(2.5), 2, 2.5)]
)
def test_numbers_become_those_that_are_wanted(value, whole, floating):
    spin, double = qt.QSpinBox(), qt.QDoubleSpinBox()
    double.decimals = 3
    for number in (spin, double):
        number.value = value
    assert spin.value == whole
    assert double.value == pytest.approx(floating, abs=1e-6)


def test_what_is_no_number_is_refused():
    for box in (qt.QSpinBox(), qt.QDoubleSpinBox()):
        for value in ("7", None):
            with pytest.raises(AttributeError, match="does not accept"):
                box.value = value
            with pytest.raises(ValueError, match="wrong arguments"):
                box.setValue(value)
        assert box.value == 0


def test_functions_of_qt_convert_what_they_get(tmp_path):
    script = tmp_path / "echo.py"
    script.write_text("import sys; print(sys.argv[1:])")
    process = qt.QProcess()
    process.start(Path(sys.executable), [script, 3, 0.5], qt.QProcess.Unbuffered | qt.QProcess.ReadOnly)
    assert process.waitForFinished(-1)
    assert process.state() == process.NotRunning
    assert process.readAll().data() == b"['3', '0.5']\n"
    table = qt.QTableWidget()
    table.setColumnCount(2.0)
    assert table.columnCount == 2


def test_lists_come_back_as_tuples():
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLModelNode", ""]
    assert selector.nodeTypes == ("vtkMRMLModelNode",)


# -- signals


def record(calls):
    return lambda *arguments: calls.append(arguments)


@pytest.mark.parametrize(
    "connect",
    [
        lambda slider, function: slider.connect("valueChanged(int)", function),
        lambda slider, function: slider.valueChanged.connect(function),
    ],
)
@pytest.mark.parametrize(
    "disconnect",
    [
        lambda slider, function: slider.disconnect("valueChanged(int)", function),
        lambda slider, function: slider.valueChanged.disconnect(function),
        lambda slider, function: slider.disconnect("valueChanged(int)"),
        lambda slider, function: slider.valueChanged.disconnect(),
        lambda slider, function: slider.disconnect(),
    ],
)
def test_a_function_is_connected_and_disconnected(connect, disconnect):
    slider, calls = qt.QSlider(), []
    function = record(calls)
    connect(slider, function)
    slider.value = 7
    disconnect(slider, function)
    slider.value = 8
    assert calls == [(7,)]


def test_a_function_gets_as_many_arguments_as_it_takes():
    button, calls = qt.QPushButton(), []
    button.checkable = True
    button.connect("clicked(bool)", lambda: calls.append("none"))
    button.clicked.connect(lambda checked: calls.append(checked))
    button.clicked.connect(lambda checked, more=5: calls.append((checked, more)))
    button.clicked.connect(lambda *all_of_them: calls.append(all_of_them))
    button.click()
    assert calls == ["none", True, (True, 5), (True,)]


def test_slots_of_qt_are_connected_and_disconnected():
    box, label, other = qt.QCheckBox(), qt.QLabel(), qt.QCheckBox()
    box.connect("toggled(bool)", label.setVisible)
    box.toggled.connect(other.setChecked)
    box.clicked.connect(other.toggle)  # takes no argument
    box.checked = True
    assert label.visible
    assert other.checked
    box.disconnect("toggled(bool)", label.setVisible)
    box.toggled.disconnect(other.setChecked)
    box.checked = False
    assert label.visible
    assert other.checked
    box.click()
    assert not other.checked
    box.connect("toggled(bool)", label, "setEnabled(bool)")
    box.checked = False
    assert not label.enabled


def test_signals_are_sent_by_modules():
    button, calls = qt.QPushButton(), []
    button.clicked.connect(record(calls))
    button.clicked.emit(True)
    button.clicked(False)
    assert calls == [(True,), (False,)]
    first, second = qt.QSlider(), qt.QSpinBox()
    first.valueChanged.connect(second.valueChanged)
    second.valueChanged.connect(record(calls))
    first.value = 3
    assert calls[-1] == (3,)


def test_a_signal_that_is_not_there_is_a_warning(caplog):
    assert qt.QPushButton().connect("pushed(bool)", print) is False
    assert "pushed(bool)" in caplog.text


# -- names


def test_enumerators_are_found_at_classes_and_objects():
    edit = ctk.ctkPathLineEdit()
    edit.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Readable
    assert edit.filters == edit.Dirs | edit.Readable
    assert qt.Qt.AlignRight | qt.Qt.AlignVCenter == 130
    assert qt.QMessageBox().Yes == qt.QMessageBox.Yes
    policy = qt.QSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
    assert policy.horizontalPolicy() == qt.QSizePolicy.Expanding


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: qt.QPushButton(), "setLabel"),
        (lambda: ctk.ctkSliderWidget(), "ticks"),
        (lambda: slicer.qMRMLNodeComboBox(), "currentNodeName"),
        (lambda: slicer, "qMRMLNodeChooser"),
        (lambda: ctk, "ctkSlider"),
        (lambda: qt, "QPyNullVariant"),
        (lambda: slicer.modules, "nothingofthekind"),
        (lambda: slicer, "nothing"),
    ],
)
def test_a_name_that_the_application_lacks_is_an_error(make, name):
    thing = make()
    with pytest.raises(AttributeError):
        getattr(thing, name)
    assert not hasattr(thing, name)


def test_objects_of_qt_take_no_attributes():
    with pytest.raises(AttributeError, match="not allowed"):
        qt.QPushButton().mine = 5
    with pytest.raises(AttributeError, match="not allowed"):
        slicer.qMRMLNodeComboBox().mine = 5

    class Own(qt.QPushButton):
        pass

    own = Own()
    own.mine = 5
    assert own.mine == 5


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda: slicer.modules.dicom, "DICOM"),
        (lambda: slicer.modules.brainsfit, "BRAINSFit"),
        (lambda: slicer.qMRMLSegmentEditorWidget, "qMRMLSegmentEditorWidget"),
        (lambda: slicer.qMRMLSubjectHierarchyTreeView().editCurrentItem(), "qMRMLSubjectHierarchyTreeView.editCurrentItem"),
        (lambda: slicer.app.openExtensionsManagerDialog(), "qSlicerApplication.openExtensionsManagerDialog"),
        (lambda: slicer.app.extensionsManagerModel().installExtensionFromServer("PyTorch"), "installExtensionFromServer"),
        (lambda: slicer.app.coreIOManager().openScreenshotDialog(), "openScreenshotDialog"),
        (lambda: slicer.app.dicomDatabase(), "dicomDatabase"),
        (lambda: slicer.modules.volumes.widgetRepresentation(), "Volumes"),
    ],
)
def test_missing_names_raise_not_implemented(use, name):
    with pytest.raises(NotImplementedError, match=name):
        use()


def test_older_imports_are_found():
    exec("from __main__ import vtk, qt, ctk, slicer\nimport vtkSegmentationCorePython\nfrom MRMLCorePython import vtkMRMLModelNode", {})


def test_access_to_a_destroyed_object_raises():
    label = qt.QLabel()
    label.deleteLater()
    qt.QApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
    with pytest.raises((ValueError, RuntimeError)):
        _ = label.text


def test_pictures_go_to_vtk_and_back():
    import vtk

    image = qt.QImage(3, 2, qt.QImage.Format_RGB32)
    image.fill(qt.QColor(10, 20, 30))
    image.setPixelColor(1, 0, qt.QColor(200, 100, 50))  # in the top row
    data, again = vtk.vtkImageData(), qt.QImage()
    assert slicer.qMRMLUtils().qImageToVtkImageData(image, data)
    assert data.GetDimensions() == (3, 2, 1)
    assert data.GetScalarComponentAsDouble(1, 1, 0, 0) == 200
    assert slicer.qMRMLUtils().vtkImageDataToQImage(data, again)
    assert again.pixelColor(1, 0) == qt.QColor(200, 100, 50)
    assert again.pixelColor(0, 1) == qt.QColor(10, 20, 30)


def test_flags_add_up():
    assert qt.Qt.AlignRight + qt.Qt.AlignVCenter == qt.Qt.AlignRight | qt.Qt.AlignVCenter == 1 + 129
    assert qt.QDialog.Accepted - 1 == qt.QDialog.Rejected


class Owner:
    """An object with a timer that calls one of its methods."""

    def __init__(self) -> None:
        self.timer = qt.QTimer()
        self.timer.connect("timeout()", self.called)

    def called(self) -> None:
        """Do nothing."""


def test_a_connection_holds_its_object_until_it_is_disconnected_or_deleted():
    """Objects are released without the garbage collector, because PythonQt only counts references."""
    owners = [Owner() for _ in range(3)]
    timers = [owner.timer for owner in owners]
    alive = [weakref.ref(owner) for owner in owners]
    del owners
    gc.collect()
    assert [owner() is not None for owner in alive] == [True, True, True]
    gc.disable()
    try:
        timers[0].disconnect("timeout()")
        timers[1].delete()
        assert [owner() is not None for owner in alive] == [False, False, True]
        timers[2].deleteLater()
        qt.QCoreApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
        assert alive[2]() is None
    finally:
        gc.enable()
