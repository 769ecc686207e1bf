"""The trainer's parameter node: data, method and parameters of a training, saved with the scene."""

from __future__ import annotations

from typing import Annotated, Any

import slicer
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper

from deepreg_engine.methods.common.parameters import DEVICES
from deepreg_slicer.parameter_pack import packFor
from DeepRegTrainerLib.methods import DEFAULT_METHOD, DEFAULT_PRESET, METHODS

SOURCES = ("scene", "folder")
MODALITIES = ("ct", "mr", "other")
_Spacing = Annotated[float, WithinRange(0.2, 10.0), Default(2.0)]
_PointSpacing = Annotated[float, WithinRange(0.05, 10.0), Default(1.0)]
_PACKS = {name: packFor(method.options, f"{name.capitalize()}TrainingPack") for name, method in METHODS.items()}

_FIELDS: dict[str, Any] = {
    "source": Annotated[str, Choice(list(SOURCES)), Default("scene")],
    "folder": str,
    "modality": Annotated[str, Choice(list(MODALITIES)), Default("other")],
    "movingModality": Annotated[str, Choice(list(MODALITIES)), Default("other")],
    "spacing": _Spacing,
    **{f"pointSpacing{axis}": _PointSpacing for axis in "XYZ"},
    "skipBad": bool,
    "method": Annotated[str, Choice(list(METHODS)), Default(DEFAULT_METHOD)],
    "preset": Annotated[str, Default(DEFAULT_PRESET)],
    "name": str,
    "start": str,
    "device": Annotated[str, Choice(list(DEVICES)), Default("auto")],
    "about": str,
    "licence": str,
    "folds": Annotated[int, WithinRange(2, 20), Default(5)],
    **_PACKS,
    # Nodes that the panel has made, to be reused.
    "curveTable": slicer.vtkMRMLTableNode,
    "curveChart": slicer.vtkMRMLPlotChartNode,
    "evaluationTable": slicer.vtkMRMLTableNode,
}

TrainerParameterNode = parameterNodeWrapper(
    type("TrainerParameterNode", (), {"__annotations__": _FIELDS, "__module__": __name__, "__doc__": "Data and method of a training."})
)
