"""The content of volume nodes and what is wrong with a pair, seen in the window's process: from some voxels, without a copy of the volume.

The engine's modules are imported by the functions, when they are first needed: loading SimpleITK would delay the opening of panels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import slicer

from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.volumes import Snapshot, snapshot, worldGeometry

if TYPE_CHECKING:
    from deepreg_engine.content.concerns import Concern
    from deepreg_engine.content.description import Content
    from deepreg_engine.content.sample import Sample

# Number of volumes whose samples are kept; each takes about 1 MB.
_KEPT = 8
# Code of the unit that Slicer's DICOM reader notes of a CT.
_HOUNSFIELD = "[hnsf'U]"
_samples: OrderedDict[tuple, Sample] = OrderedDict()


def contentOf(node: Any) -> Content:
    """Return the content of a scalar volume node.

    Raises:
        NodeError: if it has no voxels.
    """
    from deepreg_engine.content.detection import sample_content

    return sample_content(sampleOf(node), hintsOf(node))


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


def sampleOf(node: Any) -> Sample:
    """Return some voxels of a volume node, in the world; kept until its voxels or its geometry change.

    Raises:
        NodeError: if it has no voxels.
    """
    from deepreg_engine.content.sample import Sample

    shot = snapshot(node)
    geometry = _geometry(shot)
    scalars = node.GetImageData().GetPointData().GetScalars()
    key = (node.GetImageData().GetMTime(), scalars.GetMTime(), geometry.size, geometry.ijkToLps().tobytes())
    if key not in _samples:
        _samples[key] = Sample.of_array(shot.values().reshape(shot.size[::-1]), gridOf(geometry))
        while len(_samples) > _KEPT:
            _samples.popitem(last=False)
    _samples.move_to_end(key)
    return _samples[key]


def _geometry(shot: Snapshot) -> Geometry:
    """Return the geometry of a volume's voxels in the world; under a transform that is not rigid, that without the transform."""
    geometry, changed = worldGeometry(shot)
    return Geometry.fromIjkToRas(shot.size, shot.ijkToRas) if changed else geometry


def gridOf(geometry: Geometry) -> Any:
    """Return a geometry as a grid of the engine."""
    from deepreg_engine.geometry.image_grid import ImageGrid

    return ImageGrid(geometry.size, geometry.spacing, geometry.origin, tuple(geometry.direction.ravel().tolist()))


def hintsOf(node: Any) -> dict[str, str]:
    """Return what attributes of a volume node and of its places in the subject hierarchy say of it, and its name."""
    found = {"name": node.GetName() or ""}
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    while hierarchy is not None and item and item != hierarchy.GetSceneItemID():  # the volume, its series, study and patient
        for name in hierarchy.GetItemAttributeNames(item):
            if name.startswith("DICOM."):
                found.setdefault(name, hierarchy.GetItemAttribute(item, name))
        item = hierarchy.GetItemParent(item)
    for name in node.GetAttributeNames():
        if name.startswith("DICOM."):
            found[name] = node.GetAttribute(name)
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        found["DICOM.Modality"] = "SEG"
    units = node.GetVoxelValueUnits()
    if units is not None and units.GetCodeValue() == _HOUNSFIELD:
        found.setdefault("DICOM.Modality", "CT")
    return found
