"""Nodes that show explanations: probabilities around a point, maps, features, confidences and partners; and their removal."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

from deepreg_engine.reporting.colours import LENGTHS
from deepreg_slicer.length_colors import CONFIDENCES, showBar
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.volumes import newNode, setVolume
from DeepRegInspectorLib.colors import colorTable, lengthColors

#: Parameters of the Inspector's node with the nodes that are made here.
MADE = ("explainedPoint", "heat", "explainedMap", "fixedFeatures", "movingFeatures", "confidences", "partners")
CONFIDENCE, PROBABILITY = "Confidence", "Probability"
# The colours of magnitudes; small probabilities are transparent, and an unknown match is bright.
HEAT = np.column_stack([LENGTHS, np.interp(np.linspace(0.0, 1.0, len(LENGTHS)), [0.0, 0.25, 0.5, 1.0], [0.0, 0.5, 0.85, 1.0])])


def heat(node: Any, image: vtk.vtkImageData, geometry: Geometry, peak: float) -> Any:
    """Show probabilities around a point as a small volume; 0 is transparent.

    Args:
        node: the volume of a former point, or None.
        image, geometry: probabilities and their positions.
        peak: the highest probability.

    Returns:
        The node.
    """
    node = node or newNode("vtkMRMLScalarVolumeNode", _("Displacement probability"))
    state = node.StartModify()  # one event, so that views draw once
    try:
        setVolume(node, image, geometry)
        _display(node, colorTable("heat", _("Displacement probability"), HEAT), 0.0, peak)
    finally:
        node.EndModify(state)
    return node


def heatIn3D(node: Any, on: bool, peak: float) -> None:
    """Show or hide the probability volume in 3D views."""
    logic = slicer.modules.volumerendering.logic() if hasattr(slicer.modules, "volumerendering") else None
    if logic is None or node is None:
        return
    display = logic.GetFirstVolumeRenderingDisplayNode(node)
    if display is None:
        if not on:
            return
        display = logic.CreateDefaultVolumeRenderingNodes(node)
    if on:
        ramp, opacity = vtk.vtkColorTransferFunction(), vtk.vtkPiecewiseFunction()
        for share, color in zip(np.linspace(0.0, 1.0, len(HEAT)), HEAT, strict=True):
            ramp.AddRGBPoint(share * peak, *color[:3].tolist())
            opacity.AddPoint(share * peak, 0.8 * share)
        properties = display.GetVolumePropertyNode().GetVolumeProperty()
        properties.SetColor(ramp)
        properties.SetScalarOpacity(opacity)
        properties.SetScalarOpacityUnitDistance(0.5 * max(node.GetSpacing()))
        properties.SetInterpolationTypeToLinear()
        properties.ShadeOff()
    display.SetVisibility(on)


def entropyMap(node: Any, image: vtk.vtkImageData, geometry: Geometry, mostBits: float) -> Any:
    """Show the entropy over the fixed image, from 0 to the maximum; returns the node."""
    node = node or newNode("vtkMRMLScalarVolumeNode", _("Uncertainty"))
    node.SetName(_("Uncertainty of the displacement (bits)"))
    setVolume(node, image, geometry)
    _display(node, lengthColors(), 0.0, mostBits)
    return node


def offsetMap(node: Any, image: vtk.vtkImageData, geometry: Geometry, most: float) -> Any:
    """Show the length of the expected displacement from the result, mm; returns the node."""
    node = node or newNode("vtkMRMLScalarVolumeNode", _("Offset"))
    node.SetName(_("Expected displacement from the result (mm)"))
    setVolume(node, image, geometry)
    _display(node, lengthColors(), 0.0, most)
    return node


def showBars(parameters: Any, shown: str) -> None:
    """Show the colour bar of the displayed volume, and hide the others.

    Args:
        parameters: the Inspector's parameter node; it has the volumes.
        shown: "heat", "entropy" or "offset", or anything else for none.
    """
    titles = {"heat": _("probability"), "entropy": _("uncertainty (bits)"), "offset": _("from the result (mm)")}
    for name, kinds in (("heat", ("heat",)), ("explainedMap", ("entropy", "offset"))):
        node = getattr(parameters, name)
        display = node.GetScalarVolumeDisplayNode() if node is not None else None
        if display is not None:
            digits = 1 if shown != "heat" else 2 if display.GetWindowLevelMax() >= 0.1 else 3
            showBar(display, shown in kinds, titles.get(shown, ""), "right", digits)


def features(node: Any, name: str, image: vtk.vtkImageData, geometry: Geometry) -> Any:
    """Show features as colours; returns the node."""
    node = node or newNode("vtkMRMLVectorVolumeNode", name)
    setVolume(node, image, geometry)
    new = node.GetDisplayNode() is None
    node.CreateDefaultDisplayNodes()
    if new:  # colours without window and level
        node.GetDisplayNode().SetAutoWindowLevel(False)
        node.GetDisplayNode().SetWindowLevelMinMax(0.0, 255.0)
    return node


def confidences(node: Any, fixed: np.ndarray, moved: np.ndarray, confidence: np.ndarray) -> Any:
    """Show all fixed points as spheres in the colours of their confidence; returns the node.

    Args:
        node: an earlier model, or None.
        fixed, moved: (N, 3), RAS mm: the points, and the points mapped by the result.
        confidence: (N,), 0 to 1.
    """
    node = node or newNode("vtkMRMLModelNode", _("Confidence of the correspondences"))
    data = vtk.vtkPolyData()
    data.SetPoints(_points(fixed))
    for name, values in ((CONFIDENCE, confidence), ("Displacement", np.linalg.norm(moved - fixed, axis=1))):
        _add(data, name, values)
    sphere = vtk.vtkSphereSource()
    sphere.SetThetaResolution(10)
    sphere.SetPhiResolution(8)
    extent = float(np.linalg.norm(np.ptp(fixed, axis=0))) or 100.0
    sphere.SetRadius(float(np.clip(0.25 * extent / max(len(fixed), 1) ** (1 / 3), 0.003 * extent, 0.012 * extent)))
    glyphs = vtk.vtkGlyph3D()
    glyphs.SetInputData(data)
    glyphs.SetSourceConnection(sphere.GetOutputPort())
    glyphs.SetScaleModeToDataScalingOff()
    glyphs.Update()
    result = vtk.vtkPolyData()
    result.ShallowCopy(glyphs.GetOutput())
    node.SetAndObservePolyData(result)
    _model(node, CONFIDENCE, 0.0, 1.0, _("confidence"), "left")
    return node


def partners(node: Any, fixed: np.ndarray, positions: np.ndarray, probability: np.ndarray) -> Any:
    """Show lines from a point to its possible partners, in the colours of their probability; returns the node.

    Args:
        node: an earlier model, or None.
        fixed: (3,), RAS mm.
        positions: (K, 3), RAS mm, mapped into the fixed volume.
        probability: (K,).
    """
    node = node or newNode("vtkMRMLModelNode", _("Partners of the point"))
    count = len(positions)
    ends = np.stack([np.broadcast_to(fixed, positions.shape), positions], axis=1).reshape(-1, 3)
    lines = vtk.vtkPolyData()
    lines.SetPoints(_points(ends))
    cells = vtk.vtkCellArray()
    cells.SetData(2, numpy_to_vtkIdTypeArray(np.arange(2 * count, dtype=np.int64), deep=True))
    lines.SetLines(cells)
    _add(lines, PROBABILITY, np.repeat(probability, 2))
    node.SetAndObservePolyData(lines)
    display = _model(node, PROBABILITY, 0.0, max(float(probability.max()) if count else 1.0, 0.05), _("probability"), "right")
    display.SetLineWidth(4)
    display.SetLighting(False)
    display.SetSliceDisplayModeToProjection()
    return node


def remove(parameters: Any) -> list[str]:
    """Remove all nodes that were made here from the scene; returns their names.

    Args:
        parameters: the Inspector's parameter node.
    """
    gone = []
    for name in MADE:
        node = getattr(parameters, name)
        if node is None or node.GetScene() is None:
            continue
        for display in [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]:
            if display is not None:
                showBar(display, False)
        gone.append(node.GetName())
        rendered = [display for display in _renderings(node) if display is not None]
        for display in rendered:
            _removeRendering(display)
        slicer.mrmlScene.RemoveNode(node)
    return gone


def _removeRendering(display: Any) -> None:
    """Remove a display node of a volume rendering, with its property and region, from the scene."""
    for other in (display.GetVolumePropertyNode(), display.GetROINode() if hasattr(display, "GetROINode") else None, display):
        if other is not None and other.GetScene() is not None:
            slicer.mrmlScene.RemoveNode(other)


def hide(parameters: Any, names: tuple[str, ...]) -> None:
    """Hide models."""
    for name in names:
        node = getattr(parameters, name)
        if node is not None and node.GetDisplayNode() is not None:
            node.GetDisplayNode().SetVisibility(False)
            showBar(node.GetDisplayNode(), False)


def _renderings(node: Any) -> list[Any]:
    found = [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]
    return [display for display in found if display is not None and display.IsA("vtkMRMLVolumeRenderingDisplayNode")]


def _display(node: Any, colors: Any, low: float, high: float) -> Any:
    if node.GetScalarVolumeDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    display = node.GetScalarVolumeDisplayNode()
    state = display.StartModify()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(low, max(high, low + 1e-6))
    display.SetAndObserveColorNodeID(colors.GetID())
    display.SetInterpolate(True)
    display.EndModify(state)
    return display


def _model(node: Any, scalars: str, low: float, high: float, title: str, place: str) -> Any:
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    state = display.StartModify()
    display.SetActiveScalarName(scalars)
    display.SetScalarVisibility(True)
    display.SetScalarRangeFlag(display.UseManualScalarRange)
    display.SetScalarRange(low, high)
    display.SetAndObserveColorNodeID(colorTable("confidence", _("Confidence"), CONFIDENCES).GetID())
    display.SetVisibility2D(True)
    display.SetSliceIntersectionThickness(3)
    display.SetVisibility(True)
    display.EndModify(state)
    showBar(display, True, title, place, 2)
    return display


def _points(values: np.ndarray) -> vtk.vtkPoints:
    points = vtk.vtkPoints()
    points.SetDataTypeToDouble()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(values, dtype=np.float64).reshape(-1, 3), deep=True))
    return points


def _add(data: vtk.vtkPolyData, name: str, values: np.ndarray) -> None:
    array = numpy_to_vtk(np.ascontiguousarray(values, dtype=np.float32), deep=True)
    array.SetName(name)
    data.GetPointData().AddArray(array)
    data.GetPointData().SetActiveScalars(name)
