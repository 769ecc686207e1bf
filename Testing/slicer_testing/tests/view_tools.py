"""Fixtures with all views of an application, and functions that use the mouse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import slicer
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from view_scene import Host, make_host

from slicer_testing.pythonqt.attributes import exempt
from slicer_testing.views.layout import Layouts, qSlicerLayoutManager
from slicer_testing.views.screenshots import screenshot
from slicer_testing.views.slice_widget import qMRMLSliceWidget

# Written in PySide6's style, as the views themselves are.
exempt(__name__)

SIZE = 60


@pytest.fixture(scope="module")
def app() -> QApplication:
    return QApplication.instance() or QApplication([])


@pytest.fixture(scope="module")
def host(app: QApplication) -> Host:
    return make_host()


@pytest.fixture(scope="module")
def shown(host: Host) -> Iterator[qSlicerLayoutManager]:
    manager = qSlicerLayoutManager(host.logic)
    manager.viewport().resize(820, 680)
    manager.setMRMLScene(host.scene)
    manager.viewport().show()
    QApplication.processEvents()
    yield manager
    manager.setMRMLScene(None)
    manager.viewport().close()


@pytest.fixture
def manager(shown: qSlicerLayoutManager, host: Host) -> Iterator[qSlicerLayoutManager]:
    shown.setLayout(Layouts.SlicerLayoutFourUpView)
    host.logic.GetInteractionNode().SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.ViewTransform)
    QApplication.processEvents()
    yield shown
    host.scene.Clear(0)
    QApplication.processEvents()


def pixels(view: QWidget) -> np.ndarray:
    """The picture of a view as an array of rows, columns and RGB."""
    image = screenshot(view).convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def red(manager: qSlicerLayoutManager) -> qMRMLSliceWidget:
    return manager.sliceWidget("Red")


def place_of(widget: qMRMLSliceWidget, ras: tuple[float, float, float]) -> QPoint:
    """The pixel of a slice view at a point in RAS."""
    x, y, _ = widget.sliceView().convertRASToXYZ(list(ras))
    return QPoint(round(x), widget.sliceView().height() - 1 - round(y))


def ramps() -> np.ndarray:
    """Values from which a voxel's position can be computed: 1000 + 10 S + R, in mm."""
    k, _, i = np.mgrid[:SIZE, :SIZE, :SIZE] - (SIZE - 1) / 2
    return (1000 + 10 * k + i).astype(np.float32)


def show(manager: qSlicerLayoutManager, background: object, foreground: object = None, opacity: float = 0.5) -> None:
    for name in manager.sliceViewNames():
        composite = manager.sliceWidget(name).mrmlSliceCompositeNode()
        composite.SetBackgroundVolumeID(background.GetID())
        composite.SetForegroundVolumeID(foreground.GetID() if foreground is not None else None)
        composite.SetForegroundOpacity(opacity)
    manager.resetSliceViews()
    QApplication.processEvents()


def drag(view: QWidget, button: Qt.MouseButton, start: QPoint, steps: list[QPoint], keys: Qt.KeyboardModifier = Qt.NoModifier) -> None:
    QTest.mouseMove(view, start)
    QTest.mousePress(view, button, keys, start)
    for step in steps:
        move(view, button, step, keys)
    QTest.mouseRelease(view, button, keys, steps[-1])
    QApplication.processEvents()


def move(view: QWidget, button: Qt.MouseButton, place: QPoint, keys: Qt.KeyboardModifier = Qt.NoModifier) -> None:
    # QTest.mouseMove cannot hold a button on every platform.
    event = QMouseEvent(QEvent.Type.MouseMove, QPointF(place), view.mapToGlobal(QPointF(place)), Qt.NoButton, button, keys)
    QApplication.sendEvent(view, event)


def wheel(view: QWidget, notches: int, keys: Qt.KeyboardModifier = Qt.NoModifier) -> None:
    place = QPointF(view.rect().center())
    angle = QPoint(0, 120 * notches)
    event = QWheelEvent(place, view.mapToGlobal(place), QPoint(), angle, Qt.NoButton, keys, Qt.NoScrollPhase, False)
    QApplication.sendEvent(view, event)
    QApplication.processEvents()


def wait_until(condition: Callable[[], bool], seconds: float = 3.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)
    return condition()


def place_mode(host: Host, class_name: str = "vtkMRMLMarkupsFiducialNode") -> slicer.vtkMRMLMarkupsNode:
    node = host.scene.AddNewNodeByClass(class_name, "Landmarks")
    node.CreateDefaultDisplayNodes()
    selection = host.logic.GetSelectionNode()
    selection.SetReferenceActivePlaceNodeClassName(class_name)
    selection.SetActivePlaceNodeID(node.GetID())
    host.logic.GetInteractionNode().SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.Place)
    return node


def click(view: QWidget, place: QPoint) -> None:
    move(view, Qt.NoButton, place - QPoint(3, 3))
    move(view, Qt.NoButton, place)
    QTest.mouseClick(view, Qt.LeftButton, Qt.NoModifier, place)
    QApplication.processEvents()
