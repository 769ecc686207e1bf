"""Functions of the widgets that edit a linear transform in one of two coordinate systems."""

from __future__ import annotations

from typing import Any

import vtk

GLOBAL, LOCAL = 0, 1


def matrix_to_parent(node: Any) -> vtk.vtkMatrix4x4:
    """Return a copy of the node's matrix to its parent."""
    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToParent(matrix)
    return matrix


def moved(
    node: Any, reference: int, rotation: tuple[int, float] | None = None, translation: tuple[float, float, float] = (0, 0, 0)
) -> vtk.vtkMatrix4x4:
    """Return the node's matrix after a rotation or translation.

    Args:
        node: linear transform.
        reference: GLOBAL moves along the axes of the parent, LOCAL along those of the transform.
        rotation: axis and angle in degrees.
        translation: in mm.
    """
    transform = vtk.vtkTransform()
    if reference == GLOBAL:
        transform.PostMultiply()
    transform.SetMatrix(matrix_to_parent(node))
    if rotation is not None:
        (transform.RotateX, transform.RotateY, transform.RotateZ)[rotation[0]](rotation[1])
    else:
        transform.Translate(*translation)
    return transform.GetMatrix()
