"""The linear part of a transform node, and the deformation beyond it for the views.

A result carries the linear part of its run (``DeepReg.LinearPart``); that of another transform is fitted by least squares. Views draw the
deformation beyond it, in a node of its own that is neither saved nor listed: with two scanners whose origins are a metre apart the whole
transform could not be drawn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from deepreg_slicer.grid_transforms import ownGrid
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.provenance import LINEAR_PART, PREFIX, readReport
from deepreg_slicer.transforms import gridTransform
from deepreg_slicer.volumes import fromVtkMatrix, mapPoints, newNode

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
# Number of vectors, at most, of a deformation that is drawn, and of points to which a linear part is fitted.
_DRAWN, _FITTED = 200_000, 8_000
#: Attribute of the nodes that show a deformation; reference from such a node to the transform that it belongs to.
SHOWN, SHOWN_OF = f"{PREFIX}ShownDeformation", "deepRegShownOf"
_STATE = f"{PREFIX}ShownState"


@dataclass(frozen=True)
class Linear:
    """The linear part of a transform.

    Args:
        matrix: (4, 4), from fixed to moving points, RAS mm.
        source: "alignment", "transform", "fitted rigid" or "fitted affine"; see :mod:`deepreg_engine.geometry.beyond`.
    """

    matrix: np.ndarray
    source: str

    def beyond(self, points: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Return the displacements (..., 3) of points (..., 3) beyond the linear part, from their moving points, RAS mm."""
        back = np.linalg.inv(self.matrix)
        return moved @ back[:3, :3].T + back[:3, 3] - points

    @property
    def isIdentity(self) -> bool:
        """Whether there is no linear part."""
        return bool(np.abs(self.matrix - np.eye(4)).max() < 1e-6)

    def parts(self, centre: np.ndarray) -> Any:
        """Return the parts about a centre, RAS mm (:class:`deepreg_engine.geometry.linear_parts.LinearParts`)."""
        from deepreg_engine.geometry.linear_parts import linear_parts

        return linear_parts(_FLIP @ self.matrix @ _FLIP, _FLIP[:3, :3] @ np.asarray(centre))

    def words(self, centre: np.ndarray) -> str:
        """Return shift and rotation about a centre, RAS mm, in words, and how they are known."""
        parts = self.parts(centre)
        text = {
            "transform": _("linear transform: shift {shift:.1f} mm, rotation {angle:.1f}\u00b0"),
            "fitted rigid": _("alignment not known, rigid fit: shift {shift:.1f} mm, rotation {angle:.1f}\u00b0"),
            "fitted affine": _("alignment not known, affine fit: shift {shift:.1f} mm, rotation {angle:.1f}\u00b0"),
        }.get(self.source, _("alignment: shift {shift:.1f} mm, rotation {angle:.1f}\u00b0"))
        return text.format(shift=parts.shift_length, angle=parts.rotation)


def linearPartOf(node: Any, region: Geometry | None) -> Linear | None:
    """Return the linear part of a transform node.

    Args:
        node: takes the moving to the fixed side, as the application applies it.
        region: grid of the fixed side, over which a part is fitted to a transform without a grid of its own; None if there is none.

    Returns:
        None if the transform has no grid and there is no region.
    """
    if node.IsTransformToWorldLinear():
        matrix = vtk.vtkMatrix4x4()
        node.GetMatrixTransformToWorld(matrix)
        toWorld = fromVtkMatrix(matrix)
        return Linear(np.linalg.inv(toWorld), "transform") if abs(np.linalg.det(toWorld[:3, :3])) > 1e-9 else None
    kept = _kept(node) if ownGrid(node) is not None else None  # a result that was inverted or put below another has another one
    if kept is not None:
        return Linear(_FLIP @ kept @ _FLIP, "alignment")
    found = _samples(node, region, _FITTED)
    if found is None or not np.isfinite(found[1]).all():
        return None
    from deepreg_engine.geometry.beyond import fitted_part

    part = fitted_part(found[0].reshape(-1, 3), found[1].reshape(-1, 3))
    return Linear(part.matrix, part.source)


def _kept(node: Any) -> np.ndarray | None:
    """Return the matrix (4, 4), LPS mm, that a result carries; None for other nodes."""
    from deepreg_engine.geometry.beyond import usable

    text = node.GetAttribute(LINEAR_PART)
    try:
        kept = usable(json.loads(text)) if text else None
    except ValueError:
        kept = None
    report = readReport(node) or {} if kept is None else {}
    return kept if kept is not None else usable((report.get("alignment") or {}).get("matrix"))  # results of earlier versions


def _samples(node: Any, region: Geometry | None, most: int) -> tuple[np.ndarray, np.ndarray, Geometry] | None:
    """Return points (z, y, x, 3), their moving points, RAS mm, and their grid: of the transform's own grid, else over a region."""
    own = ownGrid(node)
    if own is None and region is None:
        return None
    geometry = own[1] if own is not None else region
    places = [_places(size, step) for size, step in zip(geometry.size, _steps(geometry, most), strict=True)]
    coarse = _every(geometry, places)
    matrix = coarse.ijkToRas()
    index = np.stack(np.meshgrid(*(np.arange(n) for n in coarse.size[::-1]), indexing="ij"), axis=-1)[..., ::-1]
    points = index @ matrix[:3, :3].T + matrix[:3, 3]
    if own is not None:
        last = [np.minimum(place, size - 1) for place, size in zip(places, geometry.size, strict=True)]
        x, y, z = last
        inside = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1)[..., ::-1]
        full = geometry.ijkToRas()
        # Beyond the last voxel, the nearest displacement of the field applies.
        return points, inside @ full[:3, :3].T + full[:3, 3] + own[0][np.ix_(z, y, x)], coarse
    general, frozen = vtk.vtkGeneralTransform(), vtk.vtkGeneralTransform()
    node.GetTransformFromWorld(general)
    frozen.DeepCopy(general)
    return points, mapPoints(frozen, points.reshape(-1, 3)).reshape(points.shape), coarse


def _steps(geometry: Geometry, most: int) -> list[int]:
    """Return the steps in voxels along i, j and k with which at most about ``most`` points remain."""
    step = max(1.0, (geometry.voxels / most) ** (1.0 / 3.0))
    return [int(max(1, min(np.ceil(step), max(1, size // 3)))) for size in geometry.size]


def _places(size: int, step: int) -> np.ndarray:
    """Return indices from 0 in steps that reach the last one."""
    return np.arange(0, size - 1 + step, step) if size > 1 else np.zeros(1, dtype=int)


def _every(geometry: Geometry, places: list[np.ndarray]) -> Geometry:
    """Return the grid of some voxels, at regular indices along each axis."""
    steps = [int(place[1]) if len(place) > 1 else 1 for place in places]
    size = tuple(len(place) for place in places)
    return Geometry(size, tuple(np.array(geometry.spacing) * steps), geometry.origin, geometry.direction)


# ------------------------------------------------------------------------------------------------------------------ views


def shownNode(transform: Any) -> Any:
    """Return the node in which the deformation of a transform is drawn, None if it was not drawn yet."""
    if transform is None:
        return None
    for node in slicer.util.getNodesByClass("vtkMRMLGridTransformNode"):
        if node.GetAttribute(SHOWN) == "1" and node.GetNodeReferenceID(SHOWN_OF) == transform.GetID():
            return node
    return None


def deformationNode(transform: Any, region: Geometry | None) -> Any:
    """Return a node with the deformation of a transform beyond its linear part, for the views; made at the first call, and brought up to
    date at others. The transform itself if it has neither a grid nor a region.
    """
    linear = linearPartOf(transform, region)
    found = _samples(transform, region, _DRAWN) if linear is not None else None
    if linear is None or found is None:
        return transform
    node = shownNode(transform)
    state = f"{transform.GetTransformFromParent().GetMTime()} {linear.matrix.tolist()} {found[2]}"
    if node is None:
        node = newNode("vtkMRMLGridTransformNode", _("Deformation of {name}").format(name=transform.GetName()), _hide)
        node.SetNodeReferenceID(SHOWN_OF, transform.GetID())
        _watch(transform)
    elif node.GetAttribute(_STATE) == state:
        return node
    points, moved, geometry = found
    vectors = np.ascontiguousarray(linear.beyond(points, moved).reshape(-1, 3), dtype=np.float32)
    image = vtk.vtkImageData()
    image.SetDimensions(*geometry.size)
    image.GetPointData().SetScalars(numpy_to_vtk(vectors, deep=True))
    node.SetAndObserveTransformFromParent(gridTransform(image, geometry))
    node.SetAttribute(_STATE, state)
    return node


def _hide(node: Any) -> None:
    """Keep a node out of lists, files and undo."""
    node.SetAttribute(SHOWN, "1")
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    node.SetUndoEnabled(False)


# Transforms whose deformation is drawn, and the objects that are observed for each with the tags of the observers.
_watched: dict[Any, list[tuple[Any, int]]] = {}


def _watch(transform: Any) -> None:
    """Follow changes of a transform whose deformation is drawn, such as the steps of a sequence, and its removal."""
    for observed, tag in _watched.pop(transform, []):
        observed.RemoveObserver(tag)
    scene = slicer.mrmlScene
    _watched[transform] = [
        (scene, scene.AddObserver(slicer.vtkMRMLScene.NodeRemovedEvent, _onRemoved)),
        (transform, transform.AddObserver(slicer.vtkMRMLTransformableNode.TransformModifiedEvent, _onChanged)),
    ]


def _onChanged(transform: Any, _event: Any) -> None:
    """Draw the present deformation of a transform that is shown; one without a grid of its own is drawn again when it is chosen."""
    shown = shownNode(transform)
    display = shown.GetDisplayNode() if shown is not None else None
    if display is not None and display.GetVisibility() and ownGrid(transform) is not None:
        deformationNode(transform, None)


def _onRemoved(*_arguments: Any) -> None:
    qt.QTimer.singleShot(0, removeOrphans)


def removeOrphans() -> None:
    """Remove the drawn deformations whose transform is no longer in the scene."""
    for transform in [each for each in _watched if each.GetScene() is None]:
        for observed, tag in _watched.pop(transform):
            observed.RemoveObserver(tag)
    if slicer.mrmlScene.IsClosing():
        return
    for node in slicer.util.getNodesByClass("vtkMRMLGridTransformNode"):
        if node.GetAttribute(SHOWN) == "1" and node.GetNodeReference(SHOWN_OF) is None:
            slicer.mrmlScene.RemoveNode(node)
