"""Rows of a form in which a node is chosen: for each input and output of a method, made from its description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

# Pixels, of the narrowest selector.
_LEAST_WIDTH = 80


@dataclass(frozen=True)
class NodeRow:
    """A row that chooses a node.

    Args:
        name: of the selector, without "Selector".
        field: of the parameter node that holds the choice.
        title: of the row.
        help: tool tip.
        classes: of the nodes that can be chosen.
        none: shown while nothing is chosen.
        segments: tool tip of a second box that chooses a segment of the node; "" for none.
        wanted: name of the tick box, and of its field, that asks for an output; "" if there is no choice.
    """

    name: str
    field: str
    title: str
    help: str
    classes: tuple[str, ...]
    none: str
    segments: str = ""
    wanted: str = ""


def addRow(form: Any, index: int, row: NodeRow) -> None:
    """Insert a row into a form, with the object names by which the panel finds its widgets."""
    selector = _selector(row)
    if not row.segments:
        form.insertRow(index, _label(row, selector), selector)
        return
    box = qt.QComboBox()
    box.objectName = f"{row.field}SegmentComboBox"
    box.setToolTip(row.segments)
    narrow(box)
    column = qt.QVBoxLayout()
    column.addWidget(selector)
    column.addWidget(box)
    form.insertRow(index, _label(row, selector), column)


def addGroup(form: Any, index: int, head: NodeRow, rows: list[NodeRow], *more: Any) -> None:
    """Insert a tick box for several outputs, with their selectors, and further widgets, one below the other."""
    column = qt.QVBoxLayout()
    for widget in [*(_selector(row) for row in rows), *more]:
        column.addWidget(widget)
    form.insertRow(index, _label(head, None), column)


def _label(row: NodeRow, buddy: Any) -> Any:
    if row.wanted:
        label = qt.QCheckBox(f"{row.title}:")
        label.objectName = f"{row.wanted}CheckBox"
        label.setProperty("SlicerParameterName", row.wanted)
    else:
        label = qt.QLabel(f"{row.title}:")
        label.objectName = f"{row.name}SelectorLabel"
        label.setBuddy(buddy)
    label.setToolTip(row.help)
    return label


def _selector(row: NodeRow) -> Any:
    selector = slicer.qMRMLNodeComboBox()
    selector.objectName = f"{row.name}Selector"
    selector.nodeTypes = list(row.classes)
    selector.showChildNodeTypes = False
    selector.addEnabled = selector.removeEnabled = selector.editEnabled = False
    selector.renameEnabled = selector.noneEnabled = True
    selector.noneDisplay = row.none
    selector.setToolTip(" ".join([row.help, _("Without a choice a new node is made.")]) if row.name.endswith("Output") else row.help)
    selector.setProperty("SlicerParameterName", row.field)
    narrow(selector)
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


def narrow(box: Any) -> None:
    """Let a box become as narrow as the panel, for texts of any length."""
    policy = qt.QSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
    policy.setHorizontalStretch(1)
    box.setSizePolicy(policy)
    box.setMinimumWidth(_LEAST_WIDTH)
