"""The iterations of a registration as a sequence: the transform of each kept iteration, and the moving volume below it.

A browser chooses the iteration, here or in the application's own module Sequences. The transform that is shown is the browser's proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from deepreg_slicer.transforms import interpolateLinearly
from deepreg_slicer.volumes import uniqueName

INDEX = "iteration"
#: Node reference from the sequence to the volume that it moves.
MOVED = "deepRegMoved"
_FRAMES_PER_SECOND = 5.0


def available() -> bool:
    """Return whether this application has sequences."""
    return hasattr(slicer, "vtkMRMLSequenceNode") and hasattr(slicer, "vtkMRMLSequenceBrowserNode") and hasattr(slicer.modules, "sequences")


def fill(sequence: Any, transforms: list[tuple[int, Any]]) -> None:
    """Give a sequence its items.

    Args:
        sequence: the node.
        transforms: number of the iteration, and the transform from parent before it.
    """
    state = sequence.StartModify()
    try:
        sequence.RemoveAllDataNodes()
        sequence.SetIndexName(INDEX)
        sequence.SetIndexUnit("")
        sequence.SetIndexType(sequence.NumericIndex)
        for number, transform in transforms:
            item = slicer.vtkMRMLGridTransformNode()
            item.SetName(f"{INDEX} {number}")
            item.SetAndObserveTransformFromParent(transform)
            sequence.SetDataNodeAtValue(item, str(number))
    finally:
        sequence.EndModify(state)


def keepWhole(sequence: Any, make: Callable[[str, str], Any]) -> None:
    """Select a file format that preserves a sequence of grids: with the one for transforms, each item gets the field of the last item when
    it is read.
    """
    if sequence.GetStorageNode() is None or not sequence.GetStorageNode().IsA("vtkMRMLSequenceStorageNode"):
        storage = make("vtkMRMLSequenceStorageNode", f"{sequence.GetName()} storage")
        sequence.SetAndObserveStorageNodeID(storage.GetID())


def browserOf(sequence: Any) -> Any:
    """Return the browser of a sequence, None if it has none."""
    if sequence is None or not available():
        return None
    return slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(sequence)


def proxyOf(sequence: Any) -> Any:
    """Return the transform that a sequence's browser shows, None without a browser."""
    browser = browserOf(sequence)
    return browser.GetProxyNode(sequence) if browser is not None else None


def movedOf(sequence: Any) -> Any:
    """Return the moving volume below that transform."""
    return sequence.GetNodeReference(MOVED) if sequence is not None else None


def newBrowser(sequence: Any, name: str, make: Callable[[str, str], Any]) -> Any:
    """Return a browser for a sequence; its proxy gets the name too."""
    browser = make("vtkMRMLSequenceBrowserNode", f"{sequence.GetName()} browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    browser.SetOverwriteProxyName(sequence, False)
    browser.SetPlaybackItemSkippingEnabled(False)
    browser.SetPlaybackRateFps(_FRAMES_PER_SECOND)
    browser.SetIndexDisplayFormat("%.0f")
    proxy = browser.GetProxyNode(sequence)
    proxy.SetName(uniqueName(name, proxy))
    return browser


def select(browser: Any, number: int) -> None:
    """Show an item, and update the proxy."""
    browser.SetSelectedItemNumber(number)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)


def restore() -> None:
    """Make the transforms of sequences linear after a scene was loaded: files do not hold their interpolation."""
    if not available():
        return
    for sequence in slicer.util.getNodesByClass("vtkMRMLSequenceNode"):
        if sequence.GetAttribute("DeepReg.Output") == "iterations":
            for number in range(sequence.GetNumberOfDataNodes()):
                interpolateLinearly(sequence.GetNthDataNode(number))
            browser = browserOf(sequence)
            if browser is not None:
                slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
