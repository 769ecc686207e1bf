"""Classes of the library vtkSlicerBaseLogic in one namespace."""

from slicer_core.vtkSlicerBaseLogic import *
