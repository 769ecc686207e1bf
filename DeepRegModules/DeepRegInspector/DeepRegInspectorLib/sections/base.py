"""The base class of the sections of the panel."""

from __future__ import annotations

import os
from typing import Any

import slicer

from deepreg_slicer.wrapped_text import fitHeight
from DeepRegInspectorLib.context import InspectorContext


class Section:
    """One part of the Inspector's panel.

    All hooks may be left out. ``onInputs`` and ``showParameters`` are called with ``context.updating`` set.

    Args:
        context: what the sections share.

    Attributes:
        name: key of this section in ``context.sections``.
        inputs: parameters, besides those of ``context.INPUTS``, that are nodes and whose changes are passed to :meth:`onInputs`.
        ui: the widgets; those of the module's ``.ui`` file unless the section loads its own with :meth:`loadUi`.
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
        """Whether a computation is running."""
        return False

    def forget(self) -> None:
        """Drop the results of the former parameter set, because another one, or none, is shown."""

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        """React to other inputs.

        Args:
            changed: names of the inputs that have changed.
            former: the former input nodes, by name.
        """

    def onModified(self, name: str) -> None:
        """React to changes of an input transform or volume, or of its parent transform."""

    def showParameters(self) -> None:
        """Show parameters in widgets that have no property ``SlicerParameterName``."""

    def onParameters(self, changed: set[str]) -> None:
        """Show what depends on parameters: after each change of any, after ``onInputs`` and ``showParameters`` of all sections."""

    def refresh(self) -> None:
        """Compute and show the measurements that are fast; called after each change of parameters, inputs or landmarks."""

    def enable(self) -> None:
        """Enable the widgets that can be used; tool tips of the others name what is missing."""

    def resume(self) -> None:
        """Go on when the module is shown again: observe events of views."""

    def rest(self) -> None:
        """Rest while another module is shown: observe no events of views."""

    def onViewsPutBack(self) -> None:
        """React after the views have been put back, because the module was left."""

    def hide(self) -> None:
        """Take note that the views do not show what this section has drawn: the module is entered, or its drawings were hidden."""

    def cleanup(self) -> None:
        """Clean up when the panel is destroyed: stop all computations."""

    # ------------------------------------------------------------------- tools

    @property
    def node(self) -> Any:
        """The current parameter node, None without one."""
        return self.context.node

    def allow(self, widget: Any, there: Any, missing: str, keep: bool = False) -> None:
        """Enable a widget if its inputs exist; else its tool tip names what is missing.

        Args:
            widget: which.
            there: whether it can be used.
            missing: the tool tip while it cannot be used.
            keep: whether it stays enabled even then, so that it can be switched off.
        """
        if widget not in self._tips:
            self._tips[widget] = widget.toolTip
        widget.setEnabled(bool(there) or keep)
        widget.toolTip = self._tips[widget] if there else missing

    def loadUi(self, fileName: str) -> Any:
        """Add the widgets of a ``.ui`` file of the module at the end of the panel; returns them as ``self.ui``.

        Args:
            fileName: in ``Resources/UI``; its outermost widget is a qMRMLWidget.
        """
        folder = os.path.dirname(slicer.util.modulePath(self.context.moduleName))
        widget = slicer.util.loadUI(os.path.join(folder, "Resources", "UI", fileName))
        widget.setMRMLScene(slicer.mrmlScene)
        self.addWidget(widget)
        shareToolTips(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        return self.ui

    def addWidget(self, widget: Any) -> None:
        """Add a widget at the end of the panel."""
        layout = self.context.ui.inputsCollapsibleButton.parentWidget().layout()
        layout.insertWidget(layout.count() - 1, widget)  # the last item is the spacer


def shareToolTips(widget: Any) -> None:
    """Give each label without a tool tip that of its buddy, the widget that it describes."""
    for label in slicer.util.findChildren(widget, className="QLabel"):
        if label.buddy() is not None and not label.toolTip:
            label.toolTip = label.buddy().toolTip


def showText(label: Any, text: str) -> None:
    """Show a text in a label with word wrap, with the height that its lines need.

    A form layout may use the height for another width.
    """
    label.text = text
    fitHeight(label)
