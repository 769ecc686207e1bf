"""Pictures of an application's widgets."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import qt
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy


def screenshot(shown: Any, path: str | Path | None = None) -> Any:
    """Return a picture (QImage) of a widget (a view, a panel, the whole window), and write it to a file if one is given."""
    if hasattr(shown, "grab"):
        slicer.app.processEvents()
        shown = shown.grab()
    image = shown.toImage() if hasattr(shown, "toImage") else shown
    if not hasattr(image, "save"):
        raise TypeError(f"no picture can be taken of a {type(shown).__name__}")
    if path is not None and not image.save(str(path)):
        raise OSError(f"the picture could not be written to {path}")
    return image


def pixels(image: Any) -> np.ndarray:
    """Return red, green and blue of a picture or of its file as an array (height, width, 3) of 8 bits."""
    if isinstance(image, (str, Path)):
        return _read(Path(image))
    # PythonQt offers no access to the memory of a QImage.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        screenshot(image.convertToFormat(qt.QImage.Format_RGB888), path)
        return _read(path)


def _read(path: Path) -> np.ndarray:
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    width, height, _ = image.GetDimensions()
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1]
    # Grey pictures have one component; a fourth is opacity.
    return (values[..., :3] if values.shape[2] >= 3 else np.repeat(values[..., :1], 3, axis=2)).astype(np.uint8)
