"""Pictures of widgets, and their comparison."""

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


def pixels(image: QImage) -> np.ndarray:
    """Return red, green and blue as an array (height, width, 3) of 8 bits."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def difference(first: QImage, second: QImage, tolerance: float) -> float:
    """Return the fraction of pixels with a colour that differs by more than a tolerance (0 to 255); 1 if the sizes differ."""
    if first.size() != second.size():
        return 1.0
    a, b = pixels(first).astype(np.int16), pixels(second).astype(np.int16)
    return float((np.abs(a - b).max(axis=2) > tolerance).mean())


def compare(shown: Any, reference: Path, folder: Path, tolerance: float = 8.0, share: float = 0.01) -> None:
    """Compare a widget or a picture with a picture in a file.

    Args:
        shown: widget or picture.
        reference: file to compare with.
        folder: folder that the picture is written to if it differs.
        tolerance: difference of a colour (0 to 255) that is ignored.
        share: fraction of the pixels that may differ.

    Raises:
        AssertionError: if the picture differs, or there is no such file.
    """
    image = screenshot(shown)
    kept = folder / f"{reference.stem}-now.png"
    if not reference.is_file():
        image.save(str(kept))
        raise AssertionError(f"there is no picture {reference}; the current one was written to {kept}")
    found = difference(image, QImage(str(reference)), tolerance)
    if found > share:
        image.save(str(kept))
        raise AssertionError(f"{found:.1%} of the pixels differ from {reference} (at most {share:.1%}); see {kept}")
