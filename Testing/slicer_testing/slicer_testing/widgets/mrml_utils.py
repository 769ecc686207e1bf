"""Conversion of pictures and colours between Qt and VTK."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtGui import QColor, QImage
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from slicer_testing.registry import slicer_widget


@slicer_widget
class qMRMLUtils(QObject):
    """Conversions; ``slicer.qMRMLUtils().qImageToVtkImageData(image, data)``."""

    def qImageToVtkImageData(self, qImage: QImage, vtkImageData: Any) -> bool:
        """Copy a picture; Qt starts with the top row, VTK with the bottom row."""
        if qImage.isNull():
            return False
        has_alpha = qImage.hasAlphaChannel()
        image = qImage.convertToFormat(QImage.Format.Format_RGBA8888 if has_alpha else QImage.Format.Format_RGB888)
        channels = 4 if has_alpha else 3
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        pixels = rows[::-1, : channels * image.width()].reshape(-1, channels)
        vtkImageData.SetDimensions(image.width(), image.height(), 1)
        vtkImageData.GetPointData().SetScalars(numpy_to_vtk(pixels, deep=True))
        return True

    def vtkImageDataToQImage(self, vtkImageData: Any, qImage: QImage) -> bool:
        """Copy a picture of 8 bits per channel: grey, RGB or RGBA."""
        scalars = vtkImageData.GetPointData().GetScalars() if vtkImageData is not None else None
        if scalars is None or scalars.GetNumberOfComponents() not in (1, 3, 4):
            return False
        width, height, _ = vtkImageData.GetDimensions()
        channels = scalars.GetNumberOfComponents()
        formats = {1: QImage.Format.Format_Grayscale8, 3: QImage.Format.Format_RGB888, 4: QImage.Format.Format_RGBA8888}
        pixels = np.ascontiguousarray(vtk_to_numpy(scalars).astype(np.uint8).reshape(height, width * channels)[::-1])
        qImage.swap(QImage(pixels.data, width, height, width * channels, formats[channels]).copy())
        return True

    def colorToQColor(self, color: Any) -> QColor:
        """Return the QColor of a VTK colour, given as numbers from 0 to 1."""
        return QColor.fromRgbF(*color[:3])

    def qColorToColor(self, qcolor: QColor, color: Any) -> None:
        """Write a QColor into a list of three numbers from 0 to 1."""
        color[:3] = [qcolor.redF(), qcolor.greenF(), qcolor.blueF()]
