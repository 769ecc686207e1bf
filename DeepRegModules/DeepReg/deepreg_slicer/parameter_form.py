"""All parameters of a method as widgets: grouped, with unit, range and help, made from the engine's description of them."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from typing import Any

import qt
from slicer.i18n import tr as _

from deepreg_engine.methods.common.parameters import words
from deepreg_slicer.engine_texts import engineText, sentence
from deepreg_slicer.wording import counted

# Pixels between a group and the heading of the next; of the narrowest combo box.
_ABOVE_HEADING, _LEAST_WIDTH = 6, 80


def title(name: str) -> str:
    """Return a parameter's name as a label."""
    text = engineText(words(name))
    return text[:1].upper() + text[1:]


def toolTip(description: Any) -> str:
    """Return the tool tip of a parameter: help, allowed values, default and name."""
    allowed = description.range_text()
    default = f"{description.default:g}" if isinstance(description.default, float) else str(description.default)
    lines = [sentence(description.help)]
    if allowed:
        lines.append(_("Allowed: {range}.").format(range=allowed))
    lines.append(_("Default: {default}. Name: {name}.").format(default=default, name=description.name))
    return "<p>" + "<br>".join(html.escape(line) for line in lines) + "</p>"


class ParameterForm:
    """Fills a layout with one row for each parameter.

    Args:
        parameters: the engine's class of parameters.
        layout: a form layout.
        own: name to a widget that is made and connected elsewhere.
        without: names of parameters that have their widgets elsewhere in the panel.

    Attributes:
        widgets: name to widget.
    """

    def __init__(self, parameters: type, layout: Any, own: dict[str, Any] | None = None, without: Iterable[str] = ()) -> None:
        self.widgets: dict[str, Any] = {}
        self._own = dict(own or {})
        # Label and widget of the parameters that have an effect with some networks only, and these networks.
        self._some: list[tuple[Any, Any, tuple[str, ...]]] = []
        group = None
        for description in parameters.describe():
            if description.name in without:
                continue
            if description.group and description.group != group:
                group = description.group
                heading = qt.QLabel(f"<b>{html.escape(engineText(group))}</b>")
                heading.objectName = f"{group}Heading"
                heading.setContentsMargins(0, _ABOVE_HEADING, 0, 0)
                layout.addRow(heading)
            widget = self._own.get(description.name) or _widget(description)
            if isinstance(widget, qt.QComboBox):
                _narrow(widget)
            widget.objectName = f"{description.name}Parameter"
            widget.setToolTip(toolTip(description))
            label = qt.QLabel(f"{title(description.name)}:")
            label.setToolTip(widget.toolTip)
            label.setBuddy(widget)
            layout.addRow(label, widget)
            self.widgets[description.name] = widget
            if description.only:
                self._some.append((label, widget, description.only))

    def showFor(self, network: str) -> None:
        """Hide the parameters that have no effect with a network; they keep their values."""
        for label, widget, only in self._some:
            label.setVisible(network in only)
            widget.setVisible(network in only)

    def connectTo(self, parameterNode: Any, field: str) -> Any:
        """Connect the widgets with the pack in a parameter node, in both directions; returns the tag for ``disconnectGui``."""
        return parameterNode.connectParametersToGui(
            {f"{field}.{name}": widget for name, widget in self.widgets.items() if name not in self._own}
        )


def _widget(description: Any) -> Any:
    if description.choices:
        box = qt.QComboBox()
        box.addItems(list(description.choices))
        return box
    if description.type is bool:
        return qt.QCheckBox()
    if description.type is str:
        return qt.QLineEdit()
    whole = description.type is int
    spin = qt.QSpinBox() if whole else qt.QDoubleSpinBox()
    low = description.minimum if description.minimum is not None else -1e9
    high = description.maximum if description.maximum is not None else 1e9
    if not whole:
        spin.decimals = _decimals(low, high)
    spin.minimum, spin.maximum = (int(low), int(high)) if whole else (low, high)
    spin.setSingleStep(1 if whole else _step(description.default))
    if description.unit:
        _addUnit(spin, description.unit, "int" if whole else "double")
    spin.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
    return spin


def _narrow(box: Any) -> None:
    """Let a combo box become as narrow as the panel, for texts of any length."""
    box.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
    box.setMinimumWidth(_LEAST_WIDTH)


def _decimals(low: float, high: float) -> int:
    smallest = abs(low) if low else 0.01
    return int(min(4, max(2, math.ceil(-math.log10(smallest))))) if high <= 1e6 else 2


def _step(default: float) -> float:
    return 10.0 ** math.floor(math.log10(abs(default))) / 2.0 if default else 0.1


def _addUnit(spin: Any, unit: str, kind: str) -> None:
    """Show the unit of a number in its box; "voxels" has its singular."""
    if unit != "voxels":
        spin.suffix = f" {_unit(unit)}"
        return

    def show(value: float) -> None:
        spin.suffix = counted(value, _(" voxel"), _(" voxels"))

    spin.connect(f"valueChanged({kind})", show)
    show(spin.value)


def _unit(unit: str) -> str:
    return unit.replace("^2", "\u00b2").replace("^3", "\u00b3")
