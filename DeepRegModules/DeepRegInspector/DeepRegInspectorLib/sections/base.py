"""What every section of the panel has."""

from __future__ import annotations

import os
from typing import Any

import slicer

from DeepRegInspectorLib.context import InspectorContext


class Section:
    """One part of the Inspector's panel.

    All hooks may be left out. ``onInputs`` and ``showParameters`` are called with ``context.updating`` set.

    Args:
        context: what the sections share.

    Attributes:
        name: under which other sections find this one in ``context.sections``.
        inputs: further parameters that are nodes, of whose change this section wants to be told; those of ``context.INPUTS`` are told
            anyhow.
        ui: the widgets; those of the module's ``.ui`` file unless the section loads one of its own with :meth:`loadUi`.
    """

    name = ""
    inputs: tuple[str, ...] = ()

    def __init__(self, context: InspectorContext) -> None:
        self.context = context
        self.ui = context.ui
        self._tips: dict[Any, str] = {}

    # ------------------------------------------------------------------- hooks

    @property
    def busy(self) -> bool:
        """Whether something is being computed."""
        return False

    def forget(self) -> None:
        """Another parameter set is shown from now on, or none: drop what was made of the former one."""

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        """Other inputs were chosen.

        Args:
            changed: names of inputs that are another node now.
            former: the nodes that were inputs before, by name.
        """

    def onModified(self, name: str) -> None:
        """A transform or volume that is an input has itself changed, or its parent has."""

    def showParameters(self) -> None:
        """Show in widgets what the parameter node says, where that is not done by the property ``SlicerParameterName``."""

    def onParameters(self, changed: set[str]) -> None:
        """After ``onInputs`` and ``showParameters`` of all sections: show what follows from parameters, at each change of any."""

    def refresh(self) -> None:
        """Measure what is fast to measure, and show it: soon after any change, and after changes of landmarks."""

    def enable(self) -> None:
        """Say what can be used now, and why not."""

    def resume(self) -> None:
        """The module is shown again: follow what moves."""

    def rest(self) -> None:
        """Another module is shown: follow nothing that moves."""

    def cleanup(self) -> None:
        """The panel goes: stop what runs."""

    # ------------------------------------------------------------------- tools

    @property
    def node(self) -> Any:
        """The parameter node that is shown, None without one."""
        return self.context.node

    def allow(self, widget: Any, there: Any, missing: str, keep: bool = False) -> None:
        """Enable a widget if what it needs is there; else its tool tip says what is missing.

        Args:
            widget: which.
            there: true if it can be used.
            missing: what the user has to do first.
            keep: whether it stays enabled without, to be switched off.
        """
        if widget not in self._tips:
            self._tips[widget] = widget.toolTip
        widget.setEnabled(bool(there) or keep)
        widget.toolTip = self._tips[widget] if there else missing

    def loadUi(self, fileName: str) -> Any:
        """Put the widgets of a ``.ui`` file of the module at the end of the panel; returns them as ``self.ui``.

        Args:
            fileName: in ``Resources/UI``; its outermost widget is a qMRMLWidget.
        """
        folder = os.path.dirname(slicer.util.modulePath(self.context.moduleName))
        widget = slicer.util.loadUI(os.path.join(folder, "Resources", "UI", fileName))
        widget.setMRMLScene(slicer.mrmlScene)
        self.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        return self.ui

    def addWidget(self, widget: Any) -> None:
        """Put a widget, a ctkCollapsibleButton that was made in code for example, at the end of the panel."""
        layout = self.context.ui.inputsCollapsibleButton.parentWidget().layout()
        layout.insertWidget(layout.count() - 1, widget)  # the last item is what takes the room that is left


def showText(label: Any, text: str) -> None:
    """Show a text in a label that wraps lines, with room for all of them.

    A form alone may give it the height that it would have at another width.
    """
    label.text = text
    if label.visible:
        label.setMinimumHeight(max(0, label.heightForWidth(label.width)) if text else 0)
