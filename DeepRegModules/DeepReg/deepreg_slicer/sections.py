"""Panels of sections: a part that several panels have is one ``.ui`` file, which all of them load.

In a module's ``.ui`` file, a widget with the property ``section`` stands where ``Resources/UI/sections/<section>.ui`` of the module
DeepReg goes. Rows of a form within this widget go into the form of the section that has the name ``form``, each above the row of the widget
that its property ``above`` names, or below all others. A section with the property ``pinned`` stays in view below all others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import ctk
import qt
import slicer

from deepreg_slicer.pinned import pin

_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Resources", "UI", "sections")


def loadPanel(path: str, addRows: Callable[[Any], None]) -> Any:
    """Load a module's ``.ui`` file with its sections; returns the widget, without a scene.

    Args:
        path: of the file.
        addRows: gets the widget when its sections are there, to add rows that are made in code.
    """
    panel = slicer.util.loadUI(path)
    rows = []
    places = _placesIn(panel)
    while places:
        place = places.pop(0)
        section = slicer.util.loadUI(os.path.join(_FOLDER, f"{place.property('section')}.ui"))
        places += _placesIn(section)
        place.parentWidget().layout().replaceWidget(place, section)
        panel.connect("mrmlSceneChanged(vtkMRMLScene*)", section, "setMRMLScene(vtkMRMLScene*)")
        rows.append((place, section))
    addRows(panel)
    for place, section in rows:
        if place.layout() is not None:
            _moveRows(place.layout(), section)
        place.setParent(None)
    pin(panel)
    return panel


def _placesIn(widget: Any) -> list[Any]:
    """Return the widgets in a widget that stand for a section."""
    return [child for child in widget.findChildren(qt.QWidget) if child.property("section")]


def _moveRows(rows: Any, section: Any) -> None:
    for row in range(rows.rowCount()):
        span = _at(rows, row, qt.QFormLayout.SpanningRole)
        widgets = [span] if span is not None else [_at(rows, row, role) for role in (qt.QFormLayout.LabelRole, qt.QFormLayout.FieldRole)]
        form = section.findChild(qt.QFormLayout, widgets[-1].property("form"))
        form.insertRow(rowOf(form, widgets[-1].property("above")), *widgets)


def _at(form: Any, row: int, role: Any) -> Any:
    item = form.itemAt(row, role)
    return item.widget() if item is not None else None


def rowOf(form: Any, name: str | None) -> int:
    """Return the row of a form that contains the widget of a name; the number of rows if there is none."""
    for row in range(form.rowCount()):
        for role in (qt.QFormLayout.LabelRole, qt.QFormLayout.FieldRole, qt.QFormLayout.SpanningRole):
            widget = _at(form, row, role)
            if name and widget is not None and widget.objectName == name:
                return row
    return form.rowCount()


def orderTabs(panel: Any) -> None:
    """Let the tabulator key visit the widgets of a panel in the order of the layouts."""
    before = None
    for widget in inOrder(panel):
        if widget.focusPolicy in (qt.Qt.NoFocus, qt.Qt.ClickFocus) or widget.focusProxy() is not None:
            continue
        if before is not None:
            qt.QWidget.setTabOrder(before, widget)
        before = widget


def inOrder(widget: Any) -> Iterator[Any]:
    """Yield a widget and those within it in the order of the layouts; the parts of widgets that can have the focus are left out."""
    yield widget
    focusable = widget.focusPolicy not in (qt.Qt.NoFocus, qt.Qt.ClickFocus) and widget.focusProxy() is None
    if focusable and not isinstance(widget, ctk.ctkCollapsibleButton):
        return
    if isinstance(widget, qt.QScrollArea):
        yield from inOrder(widget.widget())
    if widget.layout() is not None:
        yield from _within(widget.layout())


def _within(layout: Any) -> Iterator[Any]:
    if isinstance(layout, qt.QFormLayout):
        roles = (qt.QFormLayout.LabelRole, qt.QFormLayout.FieldRole, qt.QFormLayout.SpanningRole)
        items = [layout.itemAt(row, role) for row in range(layout.rowCount()) for role in roles]
    else:
        items = [layout.itemAt(index) for index in range(layout.count())]
    for item in items:
        if item is None:
            continue
        if item.widget() is not None:
            yield from inOrder(item.widget())
        elif item.layout() is not None:
            yield from _within(item.layout())
