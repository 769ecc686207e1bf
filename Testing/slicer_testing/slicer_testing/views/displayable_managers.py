"""The displayable managers of slice and 3D views.

Slicer's widgets and modules register each manager with a factory, once for the application. Here all managers of the installed
slicer-core are registered in the same order: first those of the views themselves, then those of the modules.
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
    """Return the application's factory for slice views, with all managers registered."""
    return _registered(slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), SLICE_MANAGERS)


def threed_factory() -> slicer.vtkMRMLThreeDViewDisplayableManagerFactory:
    """Return the application's factory for 3D views, with all managers registered."""
    return _registered(slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), THREED_MANAGERS)


def use_application_logic(application_logic: slicer.vtkMRMLApplicationLogic) -> None:
    """Set the application's logic for all views that are made afterwards."""
    for factory in (slice_factory(), threed_factory()):
        factory.SetMRMLApplicationLogic(application_logic)


def application_logic() -> slicer.vtkMRMLApplicationLogic | None:
    """Return the application's logic for views; None before it is set."""
    return slice_factory().GetMRMLApplicationLogic()


def make_group(factory: slicer.vtkMRMLDisplayableManagerFactory, renderer: vtkRenderer) -> slicer.vtkMRMLDisplayableManagerGroup:
    """Return a group with all managers of a factory, which draw into one renderer."""
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.Initialize(factory, renderer)
    return group


def _registered(factory: slicer.vtkMRMLDisplayableManagerFactory, names: tuple[str, ...]) -> slicer.vtkMRMLDisplayableManagerFactory:
    for name in names:
        # Older releases of slicer-core lack some of the managers.
        if hasattr(slicer, name) and not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    return factory
