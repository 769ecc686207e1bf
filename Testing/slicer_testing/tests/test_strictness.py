"""The host refuses what the application refuses, and behaves like it where PySide6 differs. Each case was seen in the application."""

from __future__ import annotations

import subprocess

import pytest
import qt
import slicer


@pytest.fixture(autouse=True)
def app(slicer_app):
    """A fresh application."""
    return slicer_app


def test_lists_from_qt_are_tuples(app):
    box, table, entries = qt.QComboBox(), qt.QTableWidget(1, 1), qt.QListWidget()
    box.addItem("a", ["x", ["y"]])
    assert box.itemData(0) == ("x", ("y",))
    item = qt.QTableWidgetItem("a")
    item.setData(qt.Qt.UserRole, ["x"])
    table.setItem(0, 0, item)
    table.selectAll()
    assert item.data(qt.Qt.UserRole) == ("x",)
    assert [type(found) for found in (table.selectedItems(), table.selectionModel().selectedRows(), entries.selectedItems())] == [tuple] * 3
    qt.QSettings().setValue("names", ["a", "b"])
    assert qt.QSettings().value("names") == ("a", "b")
    assert type(slicer.app.layoutManager().mrmlViewFactories()) is tuple
    assert type(slicer.app.moduleManager().modulesNames()) is tuple


@pytest.mark.parametrize(
    "call",
    [
        lambda: qt.QSpinBox().setValue("7"),
        lambda: qt.QComboBox().setItemText("x"),
        lambda: qt.QTimer().start("soon"),
        # An iterator is no list.
        lambda: qt.QComboBox().addItems(name for name in ("a", "b")),
        lambda: qt.QComboBox().addItems(iter(["a"])),
    ],
)
def test_wrong_arguments_raise_value_errors(call):
    with pytest.raises(ValueError, match=r"Called \w+\(...\) with wrong arguments"):
        call()


@pytest.mark.parametrize("name", ["qMRMLNodeComboBox", "qMRMLSegmentSelectorWidget", "qSlicerSimpleMarkupsWidget"])
def test_a_node_is_not_set_by_its_name(name):
    widget = getattr(slicer, name)()
    widget.setMRMLScene(slicer.mrmlScene)
    with pytest.raises(TypeError, match="VTK object"):
        widget.setCurrentNode("CT")
    with pytest.raises(TypeError, match="VTK object"):
        widget.setMRMLScene("scene")
    widget.setCurrentNode(None)


def test_functions_of_widgets_are_still_connected_and_disconnected():
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLModelNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    other = slicer.qMRMLNodeComboBox()
    other.nodeTypes = ["vtkMRMLModelNode"]
    other.setMRMLScene(slicer.mrmlScene)
    selector.connect("currentNodeChanged(vtkMRMLNode*)", other.setCurrentNode)
    selector.setCurrentNode(node)
    assert other.currentNode() is node
    assert selector.disconnect("currentNodeChanged(vtkMRMLNode*)", other.setCurrentNode)


def test_options_of_the_start_are_read_only(app):
    options = slicer.app.commandOptions()
    for name in ("testingEnabled", "noMainWindow", "pythonScript"):
        with pytest.raises(AttributeError, match=f"{name}.*not writable"):
            setattr(options, name, True)
    options.runPythonAndExit = True
    assert slicer.app.testingEnabled()
    with app.messages_shown():
        assert not slicer.app.testingEnabled()
    assert slicer.app.testingEnabled()


def test_settings_are_those_of_ctk():
    for settings in (slicer.app.settings(), slicer.app.userSettings(), slicer.app.revisionUserSettings()):
        assert settings.className() == "ctkSettings"
    slicer.app.userSettings().setValue("Mine", 3)
    assert int(qt.QSettings().value("Mine")) == 3


def test_enumerators_print_as_their_numbers():
    assert str(qt.Qt.AlignRight) == f"{qt.Qt.AlignRight}" == repr(qt.Qt.AlignRight) == "2"
    assert f"{qt.QMessageBox.Ok:d}" == "1024"


def test_single_shot_is_the_static_function():
    timer, calls = qt.QTimer(), []
    timer.singleShot(0, lambda: calls.append(1))
    slicer.app.processEvents()
    assert calls == [1]
    with pytest.raises(AttributeError, match="can not be overwritten"):
        timer.singleShot = True
    timer.setSingleShot(True)
    assert timer.isSingleShot()


def test_names_that_differ_between_the_versions_of_qt_are_absent():
    layout = qt.QVBoxLayout()
    absent = [(layout, "contentsMargins"), (layout, "getContentsMargins"), (qt.QWidget(), "getContentsMargins")]
    absent += [(slicer.qMRMLSegmentSelectorWidget(), "onCurrentNodeChanged"), (slicer.qSlicerSingletonViewFactory(), "createViewFromXML")]
    for thing, name in absent:
        with pytest.raises(AttributeError, match=name):
            getattr(thing, name)
    layout.setContentsMargins(1, 2, 3, 4)
    assert qt.Signal
    assert qt.Slot


def test_python_slicer_is_a_launcher_with_a_child():
    program = "import os, sys; print(os.getpid(), sys.stdin.read(), flush=True); {}"
    process = subprocess.Popen(
        ["PythonSlicer", "-c", program.format("os.kill(os.getpid(), 9)")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    out, _ = process.communicate("from above")
    number, text = out.strip().split(" ", 1)
    assert int(number) != process.pid
    assert text == "from above"
    assert process.returncode == 1  # of a killed child
    assert subprocess.run(["PythonSlicer", "-c", program.format("sys.exit(7)")], stdin=subprocess.DEVNULL, check=False).returncode == 7


def test_the_seed_of_the_order_of_views_is_reported(pytestconfig):
    from slicer_testing import random_order
    from slicer_testing.plugin import pytest_report_header

    assert f"SLICER_TESTING_SEED={random_order.seed()} " in pytest_report_header(pytestconfig)
