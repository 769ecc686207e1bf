"""Which displayable managers draw in slice and in 3D views.

Slicer's widgets and modules register each manager with a factory, once for the application. Here all that the installed slicer-core
offers are registered in the same order: first those of the views themselves, then those of the modules.
"""

from __future__ import annotations

import slicer
from vtkmodules.vtkRenderingCore import vtkRenderer

SLICE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLLinearTransformsDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)

THREED_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLThreeDReformatDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLTransformsDisplayableManager3D",
    "vtkMRMLLinearTransformsDisplayableManager",
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)


def slice_factory() -> slicer.vtkMRMLSliceViewDisplayableManagerFactory:
    """The application's factory for slice views, with all managers registered."""
    return _registered(slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), SLICE_MANAGERS)


def threed_factory() -> slicer.vtkMRMLThreeDViewDisplayableManagerFactory:
    """The application's factory for 3D views, with all managers registered."""
    return _registered(slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), THREED_MANAGERS)


def use_application_logic(application_logic: slicer.vtkMRMLApplicationLogic) -> None:
    """Name the logic that every view made from now on belongs to."""
    for factory in (slice_factory(), threed_factory()):
        factory.SetMRMLApplicationLogic(application_logic)


def application_logic() -> slicer.vtkMRMLApplicationLogic | None:
    """The logic that views belong to; None before there is one."""
    return slice_factory().GetMRMLApplicationLogic()


def make_group(factory: slicer.vtkMRMLDisplayableManagerFactory, renderer: vtkRenderer) -> slicer.vtkMRMLDisplayableManagerGroup:
    """All managers of a factory, drawing into one renderer."""
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.Initialize(factory, renderer)
    return group


def _registered(factory: slicer.vtkMRMLDisplayableManagerFactory, names: tuple[str, ...]) -> slicer.vtkMRMLDisplayableManagerFactory:
    for name in names:
        # Older releases of slicer-core lack some of the managers.
        if hasattr(slicer, name) and not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    return factory
