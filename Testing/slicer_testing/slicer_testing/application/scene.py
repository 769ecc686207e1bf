"""A MRML scene with the logics of Slicer's core modules."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import slicer
import vtk

from slicer_testing.application import subject_hierarchy

# Module name and class of its logic; later logics need earlier ones.
LOGICS = (
    ("Units", "vtkSlicerUnitsLogic"),
    ("Colors", "vtkSlicerColorLogic"),
    ("Data", "vtkSlicerDataModuleLogic"),
    ("Cameras", "vtkSlicerCamerasModuleLogic"),
    ("ViewControllers", "vtkSlicerViewControllersLogic"),
    ("SubjectHierarchy", "vtkSlicerSubjectHierarchyModuleLogic"),
    ("Volumes", "vtkSlicerVolumesLogic"),
    ("Models", "vtkSlicerModelsLogic"),
    ("Transforms", "vtkSlicerTransformLogic"),
    ("Markups", "vtkSlicerMarkupsLogic"),
    ("Annotations", "vtkSlicerAnnotationModuleLogic"),
    ("Segmentations", "vtkSlicerSegmentationsModuleLogic"),
    ("SegmentEditor", "vtkSlicerSegmentEditorLogic"),
    ("Terminologies", "vtkSlicerTerminologiesModuleLogic"),
    ("Tables", "vtkSlicerTablesLogic"),
    ("Plots", "vtkSlicerPlotsLogic"),
    ("Texts", "vtkSlicerTextsLogic"),
    ("Sequences", "vtkSlicerSequencesLogic"),
    ("VolumeRendering", "vtkSlicerVolumeRenderingLogic"),
    ("CropVolume", "vtkSlicerCropVolumeLogic"),
    ("Reformat", "vtkSlicerReformatLogic"),
    ("SceneViews", "vtkSlicerSceneViewsModuleLogic"),
)


class _Scene(slicer.vtkMRMLScene):
    """The scene; it keeps track of the observers that code outside this package adds to it."""

    def AddObserver(self, event: int | str, call: Callable, priority: float = 0.0) -> int:
        tag = super().AddObserver(event, call, priority)
        if not sys._getframe(1).f_globals.get("__name__", "").startswith("slicer_testing."):
            self.__dict__.setdefault("_foreign", {})[tag] = getattr(call, "__qualname__", type(call).__name__)
        return tag

    def RemoveObserver(self, tag: int) -> None:
        self.__dict__.get("_foreign", {}).pop(tag, None)
        super().RemoveObserver(tag)


_Scene.__name__ = _Scene.__qualname__ = "vtkMRMLScene"


@dataclass
class Core:
    """The parts of the application below its windows.

    Args:
        scene: the one scene of the application.
        logic: the application's logic.
        logics: of the modules, by module name.
    """

    scene: slicer.vtkMRMLScene
    logic: slicer.vtkSlicerApplicationLogic
    logics: dict[str, object] = field(default_factory=dict)
    cache: object = None
    io: object = None
    # Nodes that logics and views keep pointers to, each with a copy of its state at the start.
    lasting: list[tuple[slicer.vtkMRMLNode, slicer.vtkMRMLNode]] = field(default_factory=list)

    def clear(self) -> None:
        """Close the scene as File > Close scene does, and reset its singletons to their state at the start."""
        for node, at_start in self.lasting:
            node.Copy(at_start)
        # Defaults first: the views that the scene restores are made from them.
        self.scene.RemoveAllDefaultNodes()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene)
        self.scene.Clear(1)

    def keep_defaults(self) -> None:
        """Keep the application's own nodes, such as units and the mode of the mouse, in the scene whenever it is cleared.

        Logics and views keep pointers to these nodes and would not follow new ones in their place.
        """
        units = self.scene.GetNodesByClass("vtkMRMLUnitNode")
        units.UnRegister(None)  # the caller owns a reference
        for node in (self.logic.GetSelectionNode(), self.logic.GetInteractionNode(), *units):
            at_start = node.CreateNodeInstance()
            at_start.UnRegister(None)
            at_start.Copy(node)
            self.lasting.append((node, at_start))
        # Before the views are notified, since they use these nodes.
        self.scene.AddObserver(self.scene.EndCloseEvent, lambda *_: self.add_defaults(), 1000.0)

    def drop_foreign_observers(self) -> list[str]:
        """Remove the observers that modules have left on the scene and return the names of the functions that they called."""
        left = dict(self.scene.__dict__.get("_foreign", {}))
        for tag in left:
            self.scene.RemoveObserver(tag)
        return sorted(left.values())

    def add_defaults(self) -> None:
        """Add the nodes that a new scene of the application has."""
        for node, _ in self.lasting:
            if node.GetScene() is None:
                self.scene.AddNode(node)
        self.logic.GetColorLogic().AddDefaultColorNodes()
        if self.scene.GetFirstNodeByClass("vtkMRMLCrosshairNode") is None:
            crosshair = slicer.vtkMRMLCrosshairNode()
            crosshair.SetCrosshairName("default")
            self.scene.AddNode(crosshair)

    def modules(self) -> Iterator[str]:
        return iter(self.logics)


def make_core(temporary: str) -> Core:
    """Return a scene with all logics.

    Args:
        temporary: folder for the cache and for scenes that are unpacked.
    """
    scene = _Scene()
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetTemporaryPath(temporary)
    cache = slicer.vtkCacheManager()
    # The cache deletes files only in a folder that is marked as a cache.
    folder = Path(temporary) / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".slicer-cache").touch()
    cache.SetRemoteCacheDirectory(str(folder))
    io = slicer.vtkDataIOManager()
    io.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(io)
    logic.SetMRMLScene(scene)
    core = Core(scene, logic, cache=cache, io=io)
    for name, class_name in LOGICS:
        # Each logic registers its node classes when it gets the scene; it must know the application's logic by then.
        made = logic.GetColorLogic() if name == "Colors" and logic.GetColorLogic() else getattr(slicer, class_name)()
        made.SetMRMLApplicationLogic(logic)
        if name == "Terminologies":
            # It would search for files that are not part of the wheel and print an error for each; modules load their own.
            vtk.vtkObject.GlobalWarningDisplayOff()
        made.SetMRMLScene(scene)
        vtk.vtkObject.GlobalWarningDisplayOn()
        logic.SetModuleLogic(name, made)
        core.logics[name] = made
    scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())  # done by the logic of the module Colors
    scene.RegisterNodeClass(slicer.vtkMRMLCommandLineModuleNode())  # done by the logic of each command-line module
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    core.add_defaults()
    core.keep_defaults()
    # Last; the scene keeps its observers alive as long as it exists.
    subject_hierarchy.install(scene)
    return core
