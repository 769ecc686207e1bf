"""The selector of a panel's parameter sets."""

from __future__ import annotations

from typing import Any

import slicer

from deepreg_slicer.torch_state import missingPackages


def presentSet(panel: Any) -> Any:
    """Return the parameter set that a panel shows if it is still in the scene; else the scene's first one, made if there is none.

    Args:
        panel: has the parameter set as ``node`` (None without one) and the module's ``logic``.
    """
    missingPackages()  # the user may have been in the module that installs them
    if panel.node is not None and panel.node.parameterNode.GetScene() is slicer.mrmlScene:
        return panel.node
    return panel.logic.getParameterNode()


class ParameterSetSelector:
    """Connects the selector of parameter sets with a panel, so that each shows the other's choice.

    Args:
        panel: has the parameter set that it shows as ``node`` (None without one), the module's ``logic``, and the methods
            ``setParameterNode`` and ``initialize``.
        selector: the widget.
        moduleName: of the module whose parameter sets are offered.
        baseName: of new parameter sets.
    """

    def __init__(self, panel: Any, selector: Any, moduleName: str, baseName: str) -> None:
        self._panel, self._selector = panel, selector
        selector.baseName = baseName
        selector.addAttribute("vtkMRMLScriptedModuleNode", "ModuleName", moduleName)
        selector.connect("currentNodeChanged(vtkMRMLNode*)", self._onChosen)

    def show(self, mrml: Any) -> None:
        """Select the node of a parameter set."""
        if self._selector.currentNode() is not mrml:
            self._selector.setCurrentNode(mrml)

    def _onChosen(self, mrml: Any) -> None:
        if slicer.mrmlScene.IsClosing() or slicer.mrmlScene.IsImporting():
            return
        panel = self._panel
        if mrml is None:
            if panel.node is not None and panel.node.parameterNode.GetScene() is None:
                panel.setParameterNode(None)
                panel.initialize()
        elif panel.node is None or panel.node.parameterNode is not mrml:
            panel.setParameterNode(panel.logic.wrap(mrml))
