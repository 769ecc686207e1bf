"""The content of volume nodes and what is wrong with a pair, seen in the window's process: from some voxels, without a copy of the volume.

The engine's modules are imported by the functions, when they are first needed: loading SimpleITK would delay the opening of panels.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import slicer

from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.volumes import Snapshot, snapshot, worldGeometry

if TYPE_CHECKING:
    from deepreg_engine.content.concerns import Concern
    from deepreg_engine.content.description import Content
    from deepreg_engine.content.sample import Sample

# Number of volumes whose samples and contents are kept; each takes about 1 MB.
_KEPT = 8
# Code of the unit that Slicer's DICOM reader notes of a CT.
_HOUNSFIELD = "[hnsf'U]"
# Elements that are read from the DICOM database.
_ELEMENTS = {
    "Modality": "0008,0060",
    "BodyPartExamined": "0018,0015",
    "ProtocolName": "0018,1030",
    "EchoTime": "0018,0081",
    "RepetitionTime": "0018,0080",
    "InversionTime": "0018,0082",
}
_samples: OrderedDict[tuple, Sample] = OrderedDict()
_contents: OrderedDict[tuple, Content] = OrderedDict()


def contentOf(node: Any) -> Content:
    """Return the content of a scalar volume node, at once; kept until the node changes.

    Raises:
        NodeError: if it has no voxels.
    """
    return finished(contentSteps(node))


def concernsOf(
    fixed: Any, moving: Any, contents: Sequence[Content] = (), hounsfield: bool = False, sameContrast: bool = False
) -> list[Concern]:
    """Return what is wrong with a pair of volume nodes, the worst first.

    Args:
        fixed, moving: the nodes.
        contents: of both, if a user has corrected them.
        hounsfield: whether the registration needs CT in HU.
        sameContrast: whether it compares intensities.

    Raises:
        NodeError: if one has no voxels.
    """
    from deepreg_engine.content.concerns import pair_concerns

    both = tuple(contents) or (contentOf(fixed), contentOf(moving))
    return pair_concerns(sampleOf(fixed), sampleOf(moving), (both[0], both[1]), hounsfield=hounsfield, same_contrast=sameContrast)


def finished(steps: Generator[Any, None, Any]) -> Any:
    """Run a generator to its end without a pause; returns its value."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def contentSteps(node: Any) -> Generator[float, None, Content]:
    """Find the content of a scalar volume node in steps of some hundredths of a second; the first call also imports what it needs.

    Raises:
        NodeError: if it has no voxels.
    """
    yield from _imports()
    key = (*_keyOf(node), frozenset(hintsOf(node).items()))
    if key not in _contents:
        from deepreg_engine.content.detection import content_steps

        sample = sampleOf(node)
        yield 0.1
        _keep(_contents, key, (yield from content_steps(sample, hintsOf(node))))
    return _contents[key]


def _imports() -> Iterator[float]:
    """Import, one after the other, what takes long to import."""
    import SimpleITK  # noqa: F401

    yield 0.0
    import deepreg_engine.content.sample

    yield 0.0
    import deepreg_engine.content.concerns  # noqa: F401

    yield 0.0


def sampleOf(node: Any) -> Sample:
    """Return some voxels of a volume node, in the world; kept until its voxels or its geometry change.

    Raises:
        NodeError: if it has no voxels.
    """
    from deepreg_engine.content.sample import Sample

    key = _keyOf(node)
    if key not in _samples:
        shot = snapshot(node)
        _keep(_samples, key, Sample.of_array(shot.values().reshape(shot.size[::-1]), gridOf(_geometry(shot))))
    return _samples[key]


def _keep(kept: OrderedDict, key: tuple, value: Any) -> None:
    """Keep a value, and let the oldest ones go."""
    kept[key] = value
    while len(kept) > _KEPT:
        kept.popitem(last=False)


def _keyOf(node: Any) -> tuple:
    """Return what changes when voxels or geometry of a volume node change; raises NodeError if it has no voxels."""
    geometry = _geometry(snapshot(node))
    image = node.GetImageData()
    return image.GetMTime(), image.GetPointData().GetScalars().GetMTime(), geometry.size, geometry.ijkToLps().tobytes()


def _geometry(shot: Snapshot) -> Geometry:
    """Return the geometry of a volume's voxels in the world; under a transform that is not rigid, that without the transform."""
    geometry, changed = worldGeometry(shot)
    return Geometry.fromIjkToRas(shot.size, shot.ijkToRas) if changed else geometry


def gridOf(geometry: Geometry) -> Any:
    """Return a geometry as a grid of the engine."""
    from deepreg_engine.geometry.image_grid import ImageGrid

    return ImageGrid(geometry.size, geometry.spacing, geometry.origin, tuple(geometry.direction.ravel().tolist()))


def hintsOf(node: Any) -> dict[str, str]:
    """Return what DICOM, attributes of a volume node and of its places in the subject hierarchy say of it, and its name."""
    found = {"name": node.GetName() or "", **_ofDatabase((node.GetAttribute("DICOM.instanceUIDs") or "").partition(" ")[0])}
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    while hierarchy is not None and item and item != hierarchy.GetSceneItemID():  # the volume, its series, study and patient
        for name in hierarchy.GetItemAttributeNames(item):
            if name.startswith("DICOM."):
                found.setdefault(name, hierarchy.GetItemAttribute(item, name))
        item = hierarchy.GetItemParent(item)
    for name in node.GetAttributeNames():  # what a user has set here counts most
        if name.startswith("DICOM."):
            found[name] = node.GetAttribute(name)
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        found["DICOM.Modality"] = "SEG"
    units = node.GetVoxelValueUnits()
    if units is not None and units.GetCodeValue() == _HOUNSFIELD:
        found.setdefault("DICOM.Modality", "CT")
    return found


@functools.lru_cache(maxsize=_KEPT)
def _ofDatabase(instance: str) -> dict[str, str]:
    """Return what the application's DICOM database says of the first instance of a volume; empty if it does not hold it."""
    database = getattr(slicer, "dicomDatabase", None)
    file = database.fileForInstance(instance) if instance and database is not None and database.isOpen else ""
    if not file:
        return {}
    found = {f"DICOM.{name}": database.fileValue(file, tag) for name, tag in _ELEMENTS.items()}
    return {name: value for name, value in found.items() if value}
