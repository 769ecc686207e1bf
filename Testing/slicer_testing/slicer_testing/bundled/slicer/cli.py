"""Runs command-line modules from Python and sets their parameter nodes.

The host has none of the application's command-line modules; the functions work with any module that has the ``logic()`` of one.
"""

from __future__ import annotations

from typing import Any


def createNode(cliModule: Any, parameters: dict | None = None) -> Any:
    """Return a new parameter node of a module in the scene, with parameters set; None without a module or its logic."""
    logic = cliModule.logic() if cliModule else None
    if not logic:
        if cliModule:
            print(f"Could not find logic for module '{cliModule.name}'")
        return None
    node = logic.CreateNodeInScene()
    setNodeParameters(node, parameters)
    return node


def setNodeParameters(node: Any, parameters: dict | None) -> None:
    """Set parameters: texts, truth values, numbers, nodes; several numbers as a list, a tuple or a text with commas."""
    import slicer

    if not node or not parameters:
        return
    # A bool is an int too, so it is tested first.
    setters = (
        (str, node.SetParameterAsString),
        (bool, node.SetParameterAsBool),
        (int, node.SetParameterAsInt),
        (float, node.SetParameterAsDouble),
        (slicer.vtkMRMLNode, node.SetParameterAsNode),
    )
    for key, value in parameters.items():
        if isinstance(value, (list, tuple)):
            node.SetParameterAsString(key, ", ".join(map(repr, value)))
            continue
        setter = next((function for kind, function in setters if isinstance(value, kind)), None)
        if setter is None:
            print("parameter ", key, " has unsupported type ", type(value).__name__)
        else:
            setter(key, value)


def run(
    module: Any,
    node: Any = None,
    parameters: dict | None = None,
    wait_for_completion: bool = False,
    delete_temporary_files: bool = True,
    update_display: bool = True,
) -> Any:
    """Run a module with a parameter node, or with a new one, and return the node."""
    if node:
        setNodeParameters(node, parameters)
    else:
        node = createNode(module, parameters)
        if not node:
            return None
    logic = module.logic()
    logic.SetDeleteTemporaryFiles(int(bool(delete_temporary_files)))
    (logic.ApplyAndWait if wait_for_completion else logic.Apply)(node, update_display)
    return node


def runSync(
    module: Any, node: Any = None, parameters: dict | None = None, delete_temporary_files: bool = True, update_display: bool = True
) -> Any:
    """Run a module and wait for it; return the parameter node."""
    return run(module, node, parameters, True, delete_temporary_files, update_display)


def cancel(node: Any) -> None:
    """Do nothing: the application does not cancel modules here either."""
    print("Not yet implemented")
