"""A scene with the logics that the widgets need."""

from __future__ import annotations

import types

import slicer


def make_scene():
    """A scene with application logic and the logics of Markups, Segmentations, Volumes, Transforms and Units.

    Returns:
        The scene, and what stands in for ``slicer.modules``.
    """
    scene = slicer.vtkMRMLScene()
    app = slicer.vtkSlicerApplicationLogic()
    app.SetMRMLScene(scene)
    app.GetColorLogic().SetMRMLScene(scene)
    app.GetColorLogic().AddDefaultColorNodes()
    logics = {
        "Markups": slicer.vtkSlicerMarkupsLogic,
        "Segmentations": slicer.vtkSlicerSegmentationsModuleLogic,
        "Volumes": slicer.vtkSlicerVolumesLogic,
        "Transforms": slicer.vtkSlicerTransformLogic,
        "Units": slicer.vtkSlicerUnitsLogic,
    }
    modules = types.SimpleNamespace()
    for name, logic_class in logics.items():
        logic = logic_class()
        logic.SetMRMLApplicationLogic(app)
        logic.SetMRMLScene(scene)
        app.SetModuleLogic(name, logic)
        setattr(modules, name.lower(), types.SimpleNamespace(logic=lambda logic=logic: logic))
    modules.kept = app  # nodes ask it later
    return scene, modules
