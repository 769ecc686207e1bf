"""Fixtures and helpers of the tests of single widgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import slicer
from PySide6.QtCore import QCoreApplication, QEvent, QSettings
from PySide6.QtWidgets import QApplication, QWidget
from view_scene import make_host

from slicer_testing import registry
from slicer_testing.pythonqt import dialogs


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A scene with application logic, which takes the place of the application's."""
    host = make_host(("Markups", "Segmentations", "Volumes", "Transforms", "Units"))
    modules = {name.lower(): SimpleNamespace(logic=lambda logic=logic: logic) for name, logic in host.modules.items()}
    # The application's logic must exist as long as the nodes.
    monkeypatch.setattr(slicer, "modules", SimpleNamespace(**modules, kept=host.logic), raising=False)
    monkeypatch.setattr(slicer, "mrmlScene", host.scene, raising=False)
    return host.scene


@pytest.fixture
def make(scene: Any) -> Iterator[Callable[..., QWidget]]:
    """Make widgets that are deleted at the end: ``make("qMRMLNodeComboBox", noneEnabled=True)``."""
    made = []

    def make_widget(name: str, with_scene: bool = True, **properties: Any) -> QWidget:
        widget = registry.widget(name)()
        made.append(widget)
        for key, value in properties.items():
            getattr(widget, f"set{key[0].upper()}{key[1:]}")(value)
        if with_scene and hasattr(widget, "setMRMLScene") and not registry.is_missing(type(widget), "setMRMLScene"):
            widget.setMRMLScene(scene)
        return widget

    yield make_widget
    for widget in made:
        widget.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@pytest.fixture
def clean_dialogs() -> Iterator[None]:
    """An empty record of dialogs; the test fails if an answer stays unused."""
    dialogs.recorder.clear()
    yield
    assert dialogs.recorder.unused == 0
    dialogs.recorder.clear()


@pytest.fixture
def clean_settings(tmp_path: Path) -> Iterator[None]:
    """Settings in a folder of the test's own."""
    old = (QCoreApplication.organizationName(), QCoreApplication.applicationName())
    QCoreApplication.setOrganizationName("slicer_testing")
    QCoreApplication.setApplicationName("ctk")
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))
    yield
    QCoreApplication.setOrganizationName(old[0])
    QCoreApplication.setApplicationName(old[1])


def record(signal: Any) -> list[Any]:
    """A list that gets the value of each emission, or a tuple of several values."""
    calls: list[Any] = []
    signal.connect(lambda *values: calls.append(values[0] if len(values) == 1 else values))
    return calls


def record_all(instance: Any, *signals: str) -> list[tuple]:
    """A list that gets (name, values...) of each emission of several signals."""
    log: list[tuple] = []
    for name in signals:
        getattr(instance, name).connect(lambda *arguments, name=name: log.append((name, *arguments)))
    return log
