"""Parent transforms of nodes, and results through which nodes are only shown.

A panel can show the moving volume through a result: it puts the volume below the result's transform. This does not change the position of
the volume: computations leave the transform out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import slicer
import vtk

from deepreg_slicer.provenance import PREFIX

#: Node references from a stand-in to the parent that it stands for, and from a node to the result through which it is shown; attribute of
#: stand-ins.
FORMER_PARENT, STAND_IN, SHOWN_THROUGH = "deepRegFormerParent", "DeepReg.StandIn", "deepRegShownThrough"


def parents(node: Any) -> Iterator[Any]:
    """Yield the transforms above a node, from its parent upwards."""
    parent = node.GetParentTransformNode() if node is not None else None
    while parent is not None:
        yield parent
        parent = parent.GetParentTransformNode()


def isBelow(node: Any, transform: Any) -> bool:
    """Return whether a node is below a transform, directly or through other transforms."""
    return any(parent is transform for parent in parents(node))


def isStandIn(transform: Any) -> bool:
    """Return whether a transform stands between a node that is shown through a result, and that result, for the parents of the node."""
    return transform is not None and transform.GetAttribute(STAND_IN) == "1"


def isMoved(node: Any, transform: Any) -> bool:
    """Return whether a node is shown through a transform: directly below it, or below a stand-in for its own parents."""
    parent = node.GetParentTransformNode()
    return parent is transform or (isStandIn(parent) and parent.GetParentTransformNode() is transform)


def shownThrough(node: Any) -> Any:
    """Return the result through which a panel shows a node; None without one."""
    result = node.GetNodeReference(SHOWN_THROUGH) if node is not None else None
    return result if result is not None and isMoved(node, result) else None


def isResult(transform: Any) -> bool:
    """Return whether a transform is the result of a registration."""
    return transform is not None and transform.GetAttribute(f"{PREFIX}Output") == "transform"


def ownParent(node: Any, without: Any = None) -> Any:
    """Return the parent transform of a node, None without one. For a node that is shown through a result, it is the parent that the node
    has apart from that."""
    parent = node.GetParentTransformNode()
    if without is None or not isMoved(node, without):
        return parent
    return parent.GetNodeReference(FORMER_PARENT) if isStandIn(parent) else None


def parentTransform(node: Any, without: Any = None) -> vtk.vtkAbstractTransform | None:
    """Return a copy of the present transform from a node's own coordinates to the world, both RAS; None for the identity.

    Args:
        node: any that can be transformed.
        without: a transform above it that is left out, with all above that; None takes all transforms.
    """
    if without is not None and isMoved(node, without):
        parent, without = ownParent(node, without), None
    else:
        parent = node.GetParentTransformNode()
        if not isBelow(node, without):
            without = None
    return toWorld(parent, without)


def toWorld(parent: Any, without: Any = None) -> vtk.vtkAbstractTransform | None:
    """Return the transform from the coordinates below a transform to the world, or to the coordinates below ``without``, a transform above
    it. None for no transform."""
    if parent is None:
        return None
    if parent.IsTransformToNodeLinear(without):
        matrix = vtk.vtkMatrix4x4()
        parent.GetMatrixTransformToNode(without, matrix)
        transform = vtk.vtkTransform()
        transform.SetMatrix(matrix)
        return transform
    general, frozen = vtk.vtkGeneralTransform(), vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(parent, without, general)
    frozen.DeepCopy(general)
    return frozen
