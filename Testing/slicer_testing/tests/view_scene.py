"""Scenes with logics, and nodes for views and widgets to show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import slicer
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersSources import vtkSphereSource

LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Colors": "vtkSlicerColorLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Models": "vtkSlicerModelsLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Units": "vtkSlicerUnitsLogic",
}
VIEW_LOGICS = ("Volumes", "Colors", "Markups", "Transforms", "Segmentations", "Models", "VolumeRendering")


@dataclass
class Host:
    """The parts of an application that views need.

    Args:
        scene: the application's scene.
        logic: the application's logic.
        modules: logic of each module, by name.
    """

    scene: slicer.vtkMRMLScene
    logic: slicer.vtkSlicerApplicationLogic
    modules: dict[str, object]


def make_host(names: Iterable[str] = VIEW_LOGICS) -> Host:
    """Make a scene with the application's logic and the logics of some modules."""
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    modules = {}
    for name in names:
        module = logic.GetColorLogic() if name == "Colors" else getattr(slicer, LOGICS[name])()
        if name != "Colors":
            module.SetMRMLApplicationLogic(logic)
            module.SetMRMLScene(scene)
        logic.SetModuleLogic(name, module)
        modules[name] = module
    return Host(scene, logic, modules)


def add_volume(scene: slicer.vtkMRMLScene, name: str, values: np.ndarray, label: bool = False) -> slicer.vtkMRMLScalarVolumeNode:
    """A volume of 1 mm voxels, centred on the origin, with values indexed k, j, i along S, A, R."""
    kind = "vtkMRMLLabelMapVolumeNode" if label else "vtkMRMLScalarVolumeNode"
    node = scene.AddNewNodeByClass(kind, name)
    image = vtkImageData()
    image.SetDimensions(values.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(values).ravel(), deep=True))
    node.SetAndObserveImageData(image)
    node.SetOrigin([-(size - 1) / 2 for size in values.shape[::-1]])
    node.CreateDefaultDisplayNodes()
    return node


def set_window(node: slicer.vtkMRMLScalarVolumeNode, window: float, level: float) -> None:
    """Show the values from level - window / 2 to level + window / 2 in grey."""
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    display.SetInterpolate(False)
    display.SetWindowLevel(window, level)


def add_sphere(scene: slicer.vtkMRMLScene, radius: float = 30.0) -> slicer.vtkMRMLModelNode:
    """A red sphere at the origin, shown in 3D and cut by slices."""
    source = vtkSphereSource()
    source.SetRadius(radius)
    source.SetThetaResolution(32)
    source.SetPhiResolution(32)
    source.Update()
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "Sphere")
    node.SetAndObservePolyData(source.GetOutput())
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetColor(1, 0, 0)
    node.GetDisplayNode().SetVisibility2D(True)
    return node
