"""Segmentations and label maps between the scene and files for the engine.

A segmentation keeps its segments in layers: label maps in each of which no two overlap. A layer is written as it is, on its own grid;
nothing is resampled for the worker.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.parents import parentTransform
from deepreg_slicer.volumes import NodeError, Snapshot, fromVtkMatrix, setVolume, snapshot, toVtkMatrix, writeVolume

BINARY = "Binary labelmap"
# Many tools give each segment a layer of its own. With more layers than this, those that do not overlap are put together first.
_MOST_LAYERS = 4


@dataclass
class Segment:
    """One structure of a layer.

    Args:
        id: of the segment; "" for a label map's.
        name: as the user reads it.
        value: of its voxels in the layer.
        original: the segment, from which colour and terminology are taken; None for a label map's.
    """

    id: str
    name: str
    value: int
    original: Any = None


@dataclass
class Layer:
    """A label map and the structures of its values."""

    shot: Snapshot
    segments: list[Segment] = field(default_factory=list)


def isSegmentation(node: Any) -> bool:
    """Return whether a node is a segmentation."""
    return node is not None and node.IsA("vtkMRMLSegmentationNode")


def layers(node: Any, without: Any = None) -> list[Layer]:
    """Return the layers of a segmentation or a label map; ``without`` is a transform above it that is left out.

    Raises:
        NodeError: if it is empty.
    """
    return _segmentationLayers(node, without) if isSegmentation(node) else [_labelMapLayer(node, without)]


def _labelMapLayer(node: Any, without: Any) -> Layer:
    shot = snapshot(node, without)
    colors = node.GetDisplayNode().GetColorNode() if node.GetDisplayNode() is not None else None
    values = np.unique(shot.values())
    if values.size > 1000 or not np.array_equal(values, np.rint(values)):
        raise NodeError(_("{name} is an image, not a label map").format(name=node.GetName()), _("choose a segmentation or a label map"))
    segments = []
    for value in (int(value) for value in values if value != 0):
        name = colors.GetColorName(value) if colors is not None and value < colors.GetNumberOfColors() else ""
        segments.append(Segment("", name if name and name != "(none)" else _("label {value}").format(value=value), value))
    if not segments:
        raise NodeError(_("the label map {name} is empty").format(name=node.GetName()), _("choose another"))
    return Layer(shot, segments)


def _segmentationLayers(node: Any, without: Any) -> list[Layer]:
    segmentation = node.GetSegmentation()
    if segmentation.GetNumberOfSegments() == 0:
        raise NodeError(_("the segmentation {name} has no segments").format(name=node.GetName()), _("choose another"))
    if not segmentation.ContainsRepresentation(BINARY):
        # Closed surfaces are converted to label maps in a copy, so that the user's segmentation does not change.
        copy = slicer.vtkSegmentation()
        copy.DeepCopy(segmentation)
        if not copy.CreateRepresentation(BINARY):
            raise NodeError(
                _("the segmentation {name} has no label map").format(name=node.GetName()), _("create its binary labelmap representation")
            )
        segmentation = copy
    if segmentation.GetNumberOfLayers(BINARY) > _MOST_LAYERS:
        if segmentation is node.GetSegmentation():
            segmentation = slicer.vtkSegmentation()
            segmentation.DeepCopy(node.GetSegmentation())
        segmentation.CollapseBinaryLabelmaps()
    toWorld = parentTransform(node, without)
    found = []
    for number in range(segmentation.GetNumberOfLayers(BINARY)):
        data = segmentation.GetLayerDataObject(number, BINARY)
        ids = segmentation.GetSegmentIDsForLayer(number, BINARY)
        if data is None or min(data.GetDimensions()) < 1:
            continue  # nothing is painted yet
        layer = Layer(_oriented(node.GetName(), data, toWorld))
        for segmentId in ids:
            segment = segmentation.GetSegment(segmentId)
            layer.segments.append(Segment(segmentId, segment.GetName() or segmentId, int(segment.GetLabelValue()), segment))
        found.append(layer)
    if not found:
        raise NodeError(_("the segmentation {name} is empty").format(name=node.GetName()), _("choose another"))
    return found


def segmentNames(node: Any) -> list[tuple[str, str]]:
    """Return ID and name of each segment of a segmentation, in order; nothing for other nodes."""
    if not isSegmentation(node):
        return []
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    return [(segmentId, segmentation.GetSegment(segmentId).GetName() or segmentId) for segmentId in ids]


# ------------------------------------------------------------------------------------------------------------------ writing


def writeMask(node: Any, segmentId: str | list[str], path: str, without: Any = None) -> Generator[float, None, None]:
    """Write a mask: one segment, several, all segments (""), or the voxels of a label map that are not 0.

    Args:
        node: a segmentation or a label map.
        segmentId: of the segment, or of several.
        path: of the file.
        without: a transform above the node that is left out.

    Raises:
        NodeError: if it is empty.
    """
    found = layers(node, without)
    if isinstance(segmentId, list):
        yield from writeVolume(_merged(node, without, segmentId), path, labels=True, change=lambda piece: (piece != 0).astype(np.uint8))
        return
    if segmentId and isSegmentation(node):
        layer = next((layer for layer in found if any(segment.id == segmentId for segment in layer.segments)), None)
        if layer is None:
            raise NodeError(
                _("the segmentation {name} has no such segment any more, or it is empty").format(name=node.GetName()), _("choose another")
            )
        value = next(segment.value for segment in layer.segments if segment.id == segmentId)
        yield from writeVolume(layer.shot, path, labels=True, change=lambda piece: (piece == value).astype(np.uint8))
        return
    shot = found[0].shot if len(found) == 1 else _merged(node, without)
    yield from writeVolume(shot, path, labels=True, change=lambda piece: (piece != 0).astype(np.uint8))


def _merged(node: Any, without: Any, chosen: list[str] | None = None) -> Snapshot:
    """Return all segments, or those of some IDs, in one label map, values from 1 on in their order; where they overlap, the later one
    replaces the earlier.
    """
    merged = slicer.vtkOrientedImageData()
    ids, values = vtk.vtkStringArray(), vtk.vtkIntArray()
    for value, (segmentId, _name) in enumerate(segmentNames(node), start=1):
        if chosen is not None and segmentId not in chosen:
            continue
        ids.InsertNextValue(segmentId)
        values.InsertNextValue(value)
    extent = slicer.vtkSegmentation.EXTENT_UNION_OF_EFFECTIVE_SEGMENTS
    if not node.GenerateMergedLabelmapForAllSegments(merged, extent, None, ids, values):
        raise NodeError(_("the segments of {name} cannot be put together").format(name=node.GetName()), _("choose one of them"))
    return _oriented(node.GetName(), merged, parentTransform(node, without))


def _oriented(name: str, data: Any, toWorld: Any) -> Snapshot:
    """Return a snapshot of an oriented image; its first index may differ from 0."""
    matrix = vtk.vtkMatrix4x4()
    data.GetImageToWorldMatrix(matrix)
    ijkToRas = fromVtkMatrix(matrix)
    ijkToRas[:3, 3] += ijkToRas[:3, :3] @ np.array(data.GetExtent()[::2], dtype=np.float64)
    image = vtk.vtkImageData()
    image.ShallowCopy(data)
    image.SetExtent(*(bound for n in data.GetDimensions() for bound in (0, n - 1)))
    return Snapshot(name, image, ijkToRas, toWorld)


def oneLayer(node: Any, without: Any = None) -> tuple[Layer, bool]:
    """Return a segmentation or label map as one label map, and whether structures overlap in it; there the later one replaces the earlier.

    ``without`` is a transform above it that is left out.

    Raises:
        NodeError: if it is empty.
    """
    found = layers(node, without)
    if len(found) == 1:
        return found[0], False
    together = _merged(node, without)
    overlap = np.count_nonzero(together.values()) != sum(np.count_nonzero(layer.shot.values()) for layer in found)
    return Layer(together, [Segment(i, name, value) for value, (i, name) in enumerate(segmentNames(node), start=1)]), bool(overlap)


def writeLayers(found: Iterable[Layer], prefix: str) -> Generator[float, None, list[str]]:
    """Write label maps as they are; returns their files."""
    paths = []
    for number, layer in enumerate(found):
        path = f"{prefix}{number}.nrrd"
        yield from writeVolume(layer.shot, path, labels=True)
        paths.append(path)
    return paths


@dataclass
class Comparison:
    """Two label maps in which the same structure has the same value.

    Args:
        names: value to name, of the structures that both have.
        notes: sentences for the user: on segments that overlap, and on names that disagree with values.
    """

    fixed: str
    moving: str
    names: dict[int, str]
    notes: list[str]


def _byKey(layer: Layer, byValue: bool) -> dict[Any, Any]:
    """Return the segments of a layer by their values, or by their plain names."""
    return {(segment.value if byValue else _plain(segment.name)): segment for segment in layer.segments}


def _newValues(layer: Layer, values: dict[int, int]) -> np.ndarray:
    """Return the new value of each value of a layer, as given by ``values``; 0 for values that are not listed."""
    highest = max(int(layer.shot.image.GetScalarRange()[1]), max(segment.value for segment in layer.segments))
    table = np.zeros(highest + 1, dtype=np.uint16)
    for value, new in values.items():
        table[value] = new
    return table


def _compared(node: Any, without: Any, notes: list[str]) -> Layer:
    """Return a segmentation or label map as one label map (:func:`oneLayer`); ``notes`` receives one if structures overlap."""
    layer, overlap = oneLayer(node, without)
    if overlap:
        notes.append(_("segments of {name} overlap: where they do, the later one was compared").format(name=node.GetName()))
    return layer


def _writeRenumbered(layer: Layer, values: dict[int, int], path: str) -> Generator[float, None, None]:
    """Write a label map with new values, as given by ``values``; values that are not listed become 0."""
    table = _newValues(layer, values)
    yield from writeVolume(layer.shot, path, labels=True, change=lambda piece: table[np.clip(piece, 0, len(table) - 1).astype(np.int64)])


def writeComparison(fixed: Any, moving: Any, prefix: str, without: Any = None) -> Generator[float, None, Comparison]:
    """Write two segmentations or label maps so that structures of one name, or of one value in two label maps, can be compared.

    Args:
        fixed, moving: segmentations or label maps.
        prefix: begin of the paths.
        without: a transform above the moving one that is left out.

    Raises:
        NodeError: if they have no structure in common.
    """
    notes: list[str] = []
    sides = [_compared(fixed, None, notes), _compared(moving, without, notes)]
    byValue, note = _keysOf((fixed, moving), sides)
    notes += [note] if note else []
    keys = [_byKey(layer, byValue) for layer in sides]
    common = [key for key in keys[0] if key in keys[1]]
    _checkCommon((fixed, moving), sides, common, byValue)
    values = {key: keys[0][key].value if byValue else number for number, key in enumerate(common, start=1)}
    names = {value: keys[0][key].name for key, value in values.items()}
    paths = []
    for layer, known, side in zip(sides, keys, ("fixed", "moving"), strict=True):
        paths.append(f"{prefix}-{side}.nrrd")
        yield from _writeRenumbered(layer, {known[key].value: value for key, value in values.items()}, paths[-1])
    return Comparison(paths[0], paths[1], names, notes)


def _plain(name: str) -> str:
    return name.strip().lower()


def _keysOf(nodes: tuple[Any, Any], sides: list[Layer]) -> tuple[bool, str]:
    """Return whether structures correspond by their values, else by their names; and a note if names of label maps disagree with values.

    Segments correspond by name. Structures of two label maps correspond by name if the colour tables give the same name to different
    values.
    """
    if any(isSegmentation(node) for node in nodes):
        return False, ""
    first, second = ({segment.value: segment.name for segment in layer.segments} for layer in sides)
    names = {"fixed": nodes[0].GetName(), "moving": nodes[1].GetName()}
    values = {_plain(name): value for value, name in second.items()}
    for value, name in first.items():
        if values.get(_plain(name), value) != value and second.get(value) != name:
            text = _('structures were compared by name: "{name}" is {value} in {fixed} and {other} in {moving}')
            return False, text.format(name=name, value=value, other=values[_plain(name)], **names)
    for value, name in first.items():
        if _plain(second.get(value, name)) != _plain(name):
            text = _('structures were compared by value, although {value} is "{name}" in {fixed} and "{other}" in {moving}')
            return True, text.format(value=value, name=name, other=second[value], **names)
    return True, ""


def _checkCommon(nodes: tuple[Any, Any], sides: list[Layer], common: list[Any], byValue: bool) -> None:
    """Raise NodeError if two label maps have no structure in common, or if a common name stands for several structures."""
    for node, layer in zip(nodes, sides, strict=True):
        _checkSingle(node, layer, () if byValue else common)
    if not common:
        raise NodeError(
            _("{fixed} and {moving} have no structure of the same name").format(fixed=nodes[0].GetName(), moving=nodes[1].GetName()),
            _("rename their segments"),
        )


def _checkSingle(node: Any, layer: Layer, names: Iterable[str]) -> None:
    """Raise NodeError if one of the names stands for several structures."""
    found = [_plain(segment.name) for segment in layer.segments]
    for name in names:
        if found.count(name) > 1:
            raise NodeError(
                _('{node} has several segments with the name "{name}"').format(node=node.GetName(), name=name), _("rename them")
            )


# ------------------------------------------------------------------------------------------------------------------ reading


def setSegmentation(node: Any, results: list[tuple[Layer, vtk.vtkImageData, Geometry]], reference: Any) -> None:
    """Fill a segmentation node with label maps of the worker's; its former contents are removed."""
    segmentation = node.GetSegmentation()
    node.SetAndObserveTransformNodeID(None)
    segmentation.RemoveAllSegments()
    segmentation.SetSourceRepresentationName(BINARY)
    for layer, image, geometry in results:
        data = slicer.vtkOrientedImageData()
        data.ShallowCopy(image)
        data.SetImageToWorldMatrix(toVtkMatrix(geometry.ijkToRas()))
        for segment in layer.segments:
            copy = slicer.vtkSegment()
            copy.DeepCopyMetadata(segment.original)  # colour, terminology
            copy.SetName(segment.name)
            copy.SetLabelValue(segment.value)
            copy.AddRepresentation(BINARY, data)
            segmentation.AddSegment(copy, segment.id)
    node.CreateDefaultDisplayNodes()
    if reference is not None and reference.GetScene() is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(reference)


def setLabelMap(node: Any, image: vtk.vtkImageData, geometry: Geometry, like: Any) -> None:
    """Set the voxels and the geometry of a label map node, and the colours of another."""
    setVolume(node, image, geometry)
    node.CreateDefaultDisplayNodes()
    display = like.GetDisplayNode() if like is not None else None
    if display is not None and display.GetColorNodeID():
        node.GetDisplayNode().SetAndObserveColorNodeID(display.GetColorNodeID())
