"""Deformation beyond the alignment, Jacobian, expected error and structures at the mouse position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.beyond import Linear, linearPartOf
from deepreg_slicer.confidence import expectedErrorOf
from deepreg_slicer.errors import NodeError
from deepreg_slicer.labels import layers
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.volumes import mapPoints
from DeepRegInspectorLib import views
from DeepRegInspectorLib.fields import probe
from DeepRegInspectorLib.mapping import FixedToMoving, belowTransform


class Probe:
    """Follows the mouse over the fixed views.

    Args:
        show: is called with the text.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._node: Any = None
        self._tag = 0
        self._inputs: tuple[Any, Any, Any] = (None, None, None)
        self._mapping: FixedToMoving | None = None
        self._linear: Linear | None = None
        self._errors: Any = None
        self._structures: dict[str, tuple[Any, list[Any]]] = {}

    def setInputs(self, transform: Any, fixedLabels: Any, movingLabels: Any, region: Geometry | None = None) -> None:
        """Set the inputs; to be called again when they change. Displacements are those beyond the linear part of the transform, which is
        fitted over the region if it is not known."""
        self._inputs = transform, fixedLabels, movingLabels
        self._mapping = FixedToMoving(transform)
        self._linear = linearPartOf(transform, region)
        self._errors = expectedErrorOf(transform)
        self._structures.clear()

    def start(self) -> None:
        """Follow the mouse."""
        if self._node is None:
            self._node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
            if self._node is not None:
                self._tag = self._node.AddObserver(slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent, self._onMouse)

    def stop(self) -> None:
        """Stop following the mouse."""
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node, self._mapping, self._errors, self._inputs = None, None, None, (None, None, None)
        self._structures.clear()
        self._show("")

    def _onMouse(self, *_arguments: Any) -> None:
        place = [0.0, 0.0, 0.0]
        if self._mapping is None or not self._node.GetCursorPositionRAS(place):
            self._show("")
            return
        pixel = [0.0, 0.0, 0.0]
        seen = self._node.GetCursorPositionXYZ(pixel)
        if seen is not None and seen in views.movingNodes():
            self._show(_("Move the mouse over a view of the fixed volume."))
            return
        self._show(self.text(np.array(place)))

    def text(self, point: np.ndarray) -> str:
        """Describe a fixed point (RAS mm)."""
        if self._mapping.outside(point).any():
            return _("Outside the transform's grid: the displacement is not known here.")
        displacement, determinant = probe(self._mapping, point, self._linear)
        right, anterior, superior = displacement
        lines = [
            _("Deformation {length:.2f} mm (R {r:+.2f}, A {a:+.2f}, S {s:+.2f})").format(
                length=np.linalg.norm(displacement), r=right, a=anterior, s=superior
            ),
            _("Jacobian {value:.3f}").format(value=determinant) + (_(" (folded)") if determinant <= 0 else ""),
        ]
        transform, fixed, moving = self._inputs
        sides = (self._structure("fixed", fixed, None, point), self._structure("moving", moving, transform, self._mapping(point[None])[0]))
        names = [name for name in sides if name]
        return "\n".join([" \u00b7 ".join(lines), *self._expectedError(point), *names])

    def _expectedError(self, point: np.ndarray) -> list[str]:
        """Return a line about the map of the expected error at a fixed point, none without a map there."""
        found = self._errors
        if found is None or found.GetImageData() is None:
            return []
        matrix = vtk.vtkMatrix4x4()
        found.GetRASToIJKMatrix(matrix)
        index = [round(value) for value in matrix.MultiplyPoint((*point.tolist(), 1.0))[:3]]
        if not all(0 <= place < count for place, count in zip(index, found.GetImageData().GetDimensions(), strict=True)):
            return []
        value = found.GetImageData().GetScalarComponentAsDouble(*index, 0)
        return [_("90 % of the errors here are expected below {value:.1f} mm").format(value=value)]

    def _structure(self, side: str, node: Any, transform: Any, point: np.ndarray) -> str:
        if node is None:
            return ""
        if side not in self._structures:
            try:
                found = layers(node)
            except NodeError:
                found = []
            above = belowTransform(node, transform)
            self._structures[side] = (above.GetInverse() if above is not None else None, found)
        toLocal, found = self._structures[side]
        names = []
        for layer in found:
            local = mapPoints(toLocal, point[None])[0]
            index = np.rint(np.linalg.inv(layer.shot.ijkToRas) @ np.append(local, 1.0))[:3].astype(int)
            if (index >= 0).all() and (index < layer.shot.size).all():
                value = int(layer.shot.values()[index[0] + layer.shot.size[0] * (index[1] + layer.shot.size[1] * index[2])])
                names += [segment.name for segment in layer.segments if segment.value == value]
        title = _("Fixed") if side == "fixed" else _("Moving")
        return f"{title}: {', '.join(names) or _('no structure')}"
