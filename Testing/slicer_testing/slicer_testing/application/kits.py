"""The application's compiled kits by their own module names: ``import MRMLCorePython`` gives the classes of ``slicer``.

The wheel holds all wrapped classes in one module. Scripts and Slicer's tests import some of them from their kit.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import slicer

KITS = (
    "MRMLCorePython",
    "MRMLLogicPython",
    "MRMLDisplayableManagerPython",
    "MRMLCLIPython",
    "vtkSegmentationCorePython",
    "vtkAddon",
    "vtkAddonPython",
    "vtkITK",
    "vtkITKPython",
    "vtkTeem",
    "vtkTeemPython",
    "vtkSlicerMarkupsModuleMRMLPython",
    "vtkSlicerSegmentationsModuleLogicPython",
    "vtkSlicerSegmentationsModuleMRMLPython",
    "vtkSlicerTransformsModuleMRMLDisplayableManagerPython",
    "vtkSlicerVolumesModuleLogicPython",
    "mrml",
)


def _kit(name: str) -> ModuleType:
    module = ModuleType(name, f"Classes of Slicer's kit {name}.")
    module.__all__ = [member for member in vars(slicer) if member.startswith("vtk")]

    def find(member: str) -> Any:
        if member.startswith("vtk") and member in vars(slicer):
            return vars(slicer)[member]
        raise AttributeError(f"module '{name}' has no attribute '{member}'")

    module.__getattr__ = find
    return module


def install() -> None:
    """Make the kits importable."""
    for name in KITS:
        sys.modules.setdefault(name, _kit(name))
