"""Conversion between volumes of the scene and SimpleITK images.

In the application an ITK reader that knows the scene does this. The SimpleITK of PyPI has no such reader, so here voxels and
geometry are copied directly. The scene's geometry is RAS, that of SimpleITK is LPS: the first two axes change sign and
nothing else is computed, so a round trip preserves every number exactly. As in the application, parent transforms are ignored.
"""

import contextlib
import warnings

import numpy as np
import SimpleITK as sitk
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

# Converts RAS to LPS and back.
_FLIP = np.array([-1.0, -1.0, 1.0])

# VTK names 64-bit integers after the C type: "long" where it has 64 bits, since volumes of "long long" cannot be displayed.
_LONG_HAS_64_BITS = vtk.VTK_SIZEOF_LONG == 8
_VTK_INT64 = vtk.VTK_LONG if _LONG_HAS_64_BITS else vtk.VTK_LONG_LONG
_VTK_UINT64 = vtk.VTK_UNSIGNED_LONG if _LONG_HAS_64_BITS else vtk.VTK_UNSIGNED_LONG_LONG

_VTK_TYPES = {
    "int8": vtk.VTK_SIGNED_CHAR,
    "uint8": vtk.VTK_UNSIGNED_CHAR,
    "int16": vtk.VTK_SHORT,
    "uint16": vtk.VTK_UNSIGNED_SHORT,
    "int32": vtk.VTK_INT,
    "uint32": vtk.VTK_UNSIGNED_INT,
    "int64": _VTK_INT64,
    "uint64": _VTK_UINT64,
    "float32": vtk.VTK_FLOAT,
    "float64": vtk.VTK_DOUBLE,
}


def PushVolumeToSlicer(sitkimage, targetNode=None, name=None, className="vtkMRMLScalarVolumeNode"):
    """Store a SimpleITK image in a volume node and return the node.

    :param targetNode: node to fill; without it a new node is made.
    :param name: base of a new node's name.
    :param className: class of a new node, for example vtkMRMLLabelMapVolumeNode.
    """
    # Before the node is made, so that an image that does not fit leaves no empty node behind.
    imageData = _imageData(sitkimage)
    if not targetNode:
        targetNode = slicer.mrmlScene.AddNewNodeByClass(className, slicer.mrmlScene.GetUniqueNameByString(name))
        targetNode.CreateDefaultDisplayNodes()

    # A two-dimensional image becomes one slice.
    dimension = sitkimage.GetDimension()
    spacing, origin, directions = np.ones(3), np.zeros(3), np.eye(3)
    spacing[:dimension] = sitkimage.GetSpacing()
    origin[:dimension] = sitkimage.GetOrigin()
    directions[:dimension, :dimension] = np.reshape(sitkimage.GetDirection(), (dimension, dimension))
    directions *= _FLIP[:, np.newaxis]

    wasModifying = targetNode.StartModify()
    targetNode.SetSpacing(*spacing)
    targetNode.SetOrigin(*(origin * _FLIP))
    targetNode.SetIToRASDirection(*directions[:, 0])
    targetNode.SetJToRASDirection(*directions[:, 1])
    targetNode.SetKToRASDirection(*directions[:, 2])
    targetNode.SetAndObserveImageData(imageData)
    targetNode.EndModify(wasModifying)
    return targetNode


def _imageData(image):
    """Return the voxels of a SimpleITK image as vtkImageData of unit spacing, as volume nodes hold them."""
    dimension = image.GetDimension()
    if dimension not in (2, 3):
        raise ValueError(f"Only images of 2 or 3 dimensions fit into a volume node, this one has {dimension}.")
    voxels = sitk.GetArrayViewFromImage(image)
    scalarType = _VTK_TYPES.get(voxels.dtype.name)
    if scalarType is None:
        raise ValueError(f"Volume nodes cannot hold images of type {image.GetPixelIDTypeAsString()}.")
    imageData = vtk.vtkImageData()
    imageData.SetDimensions(*image.GetSize(), *[1] * (3 - dimension))
    imageData.AllocateScalars(scalarType, image.GetNumberOfComponentsPerPixel())
    scalars = vtk_to_numpy(imageData.GetPointData().GetScalars())
    scalars[:] = voxels.reshape(scalars.shape)
    return imageData


def PullVolumeFromSlicer(nodeObjectOrName):
    """Return a copy of a volume node, given as a node or by its name or ID, as a SimpleITK image.

    :raises RuntimeError: if the node holds no image.
    """
    node = _node(nodeObjectOrName)
    imageData = node.GetImageData() if isinstance(node, slicer.vtkMRMLVolumeNode) else None
    scalars = imageData.GetPointData().GetScalars() if imageData else None
    if scalars is None:
        raise RuntimeError(f"Node {node.GetID()} holds no image that can be read.")

    shape = list(reversed(imageData.GetDimensions()))
    components = scalars.GetNumberOfComponents()
    voxels = vtk_to_numpy(scalars).reshape(shape + [components] if components > 1 else shape)
    image = sitk.GetImageFromArray(voxels, isVector=components > 1)

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASDirectionMatrix(matrix)
    directions = [matrix.GetElement(row, column) * _FLIP[row] for row in range(3) for column in range(3)]
    image.SetSpacing(node.GetSpacing())
    image.SetOrigin((np.array(node.GetOrigin()) * _FLIP).tolist())
    image.SetDirection(directions)
    return image


def _node(nodeObjectOrName):
    return nodeObjectOrName if isinstance(nodeObjectOrName, slicer.vtkMRMLNode) else slicer.util.getNode(nodeObjectOrName)


def GetSlicerITKReadWriteAddress(nodeObjectOrName):
    """Return the address of a node for the application's ITK reader.

    The address is that of the application, but only the application's ITK can open it: with another SimpleITK, ``sitk.ReadImage``
    raises an error.
    """
    node = _node(nodeObjectOrName)
    return "slicer:" + node.GetScene().GetAddressAsString("").replace("Addr=", "") + "#" + node.GetID()


def EnsureRegistration():
    """Do nothing: the functions above do not need the application's ITK reader for nodes."""


# Deprecated in the application too: functions that find nodes by name.


def _warnDeprecated(name, instead):
    warnings.warn(f"'{name}' method is deprecated and will be removed in the future. Use {instead} instead.", FutureWarning, stacklevel=3)


def CloneSlicerNode(NodeName, NewNodeNamePrefix):
    """Clone a volume node and return the new node's name."""
    _warnDeprecated("CloneSlicerNode", "slicer.modules.volumes.logic().CloneVolume")
    logic = slicer.modules.volumes.logic()
    return logic.CloneVolume(slicer.mrmlScene, slicer.util.getNode(NodeName), NewNodeNamePrefix).GetName()


def PullFromSlicer(NodeName):
    """Return the result of :func:`PullVolumeFromSlicer`."""
    _warnDeprecated("PullFromSlicer", "PullVolumeFromSlicer")
    return PullVolumeFromSlicer(NodeName)


def PushToSlicer(sitkimage, NodeName, compositeView=0, overwrite=False):
    """Store an image in a node of that name, show it as background (0), foreground (1) or label (2), and return the node."""
    _warnDeprecated("PushToSlicer", "PushVolumeToSlicer and slicer.util.setSliceViewerLayers")
    return _pushAndShow(sitkimage, NodeName, compositeView, overwrite)


def _pushAndShow(image, nodeName, compositeView, overwrite):
    if compositeView not in range(3):
        raise Exception(
            f"Unknown compositeView option given: {compositeView}. Valid values are 0 = background, 1 = foreground, or 2 = label."
        )
    className = "vtkMRMLLabelMapVolumeNode" if compositeView == 2 else "vtkMRMLScalarVolumeNode"
    targetNode = None
    if overwrite:
        with contextlib.suppress(slicer.util.MRMLNodeNotFoundException):
            targetNode = slicer.util.getNode(nodeName)
        if targetNode and targetNode.GetClassName() != className:
            slicer.mrmlScene.RemoveNode(targetNode)
            targetNode = None
    targetNode = PushVolumeToSlicer(image, targetNode=targetNode, name=nodeName, className=className)
    slicer.util.setSliceViewerLayers(**{["background", "foreground", "label"][compositeView]: targetNode})
    return targetNode


def PushBackground(sitkImage, nodeName, overwrite=False):
    """Store an image in a node of that name and show it as background."""
    _warnDeprecated("PushBackground", "PushVolumeToSlicer and slicer.util.setSliceViewerLayers")
    _pushAndShow(sitkImage, nodeName, 0, overwrite)


def PushForeground(sitkImage, nodeName, overwrite=False):
    """Store an image in a node of that name and show it as foreground."""
    _warnDeprecated("PushForeground", "PushVolumeToSlicer and slicer.util.setSliceViewerLayers")
    _pushAndShow(sitkImage, nodeName, 1, overwrite)


def PushLabel(sitkImage, nodeName, overwrite=False):
    """Store an image in a node of that name and show it as label."""
    _warnDeprecated("PushLabel", "PushVolumeToSlicer and slicer.util.setSliceViewerLayers")
    _pushAndShow(sitkImage, nodeName, 2, overwrite)
