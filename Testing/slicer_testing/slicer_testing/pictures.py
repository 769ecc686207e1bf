"""Pictures of widgets, and their comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QApplication, QWidget


def screenshot(shown: Any, path: str | Path | None = None) -> QImage:
    """What a widget (a view, a panel, the whole window) shows; written to a file if one is given."""
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
    """Red, green and blue (height, width, 3), 8 bit."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def difference(first: QImage, second: QImage, tolerance: float) -> float:
    """Share of pixels of which a colour differs by more than a tolerance (0 to 255); 1 if the sizes differ."""
    if first.size() != second.size():
        return 1.0
    a, b = pixels(first).astype(np.int16), pixels(second).astype(np.int16)
    return float((np.abs(a - b).max(axis=2) > tolerance).mean())


def compare(shown: Any, reference: Path, folder: Path, tolerance: float = 8.0, share: float = 0.01) -> None:
    """Compare with a picture in a file.

    Args:
        shown: widget or picture.
        reference: file to compare with.
        folder: where the picture is written if it differs.
        tolerance: difference of a colour (0 to 255) that does not count.
        share: of the pixels that may differ.

    Raises:
        AssertionError: if it differs, or there is no such file.
    """
    image = screenshot(shown)
    kept = folder / f"{reference.stem}-now.png"
    if not reference.is_file():
        image.save(str(kept))
        raise AssertionError(f"there is no picture {reference}; what is shown now was written to {kept}")
    found = difference(image, QImage(str(reference)), tolerance)
    if found > share:
        image.save(str(kept))
        raise AssertionError(f"{found:.1%} of the pixels differ from {reference} (at most {share:.1%}); see {kept}")
