"""Pictures of the host's widgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QApplication, QWidget


def screenshot(shown: Any, path: str | Path | None = None) -> QImage:
    """Return a picture of a widget (a view, a panel, the whole window), and write it to a file if one is given."""
    if isinstance(shown, QImage):
        image = shown
    elif isinstance(shown, QPixmap):
        image = shown.toImage()
    elif isinstance(shown, QWidget):
        QApplication.processEvents()
        image = shown.grab().toImage()
    else:
        raise TypeError(f"no picture can be taken of a {type(shown).__name__}")
    if path is not None and not image.save(str(path)):
        raise OSError(f"the picture could not be written to {path}")
    return image


def pixels(image: QImage | str | Path) -> np.ndarray:
    """Return red, green and blue of a picture or of its file as an array (height, width, 3) of 8 bits."""
    image = (image if isinstance(image, QImage) else QImage(str(image))).convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()
