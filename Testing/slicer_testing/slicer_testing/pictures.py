"""Pictures of widgets, and their comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slicer_testing.backend import inside_application

if inside_application():
    from slicer_testing.inside.pictures import pixels, screenshot
else:
    from slicer_testing.qt_pictures import pixels, screenshot

__all__ = ["compare", "difference", "pixels", "screenshot"]


def difference(first: Any, second: Any, tolerance: float) -> float:
    """Return the fraction of pixels with a colour that differs by more than a tolerance (0 to 255); 1 if the sizes differ."""
    a, b = pixels(first).astype(np.int16), pixels(second).astype(np.int16)
    return float((np.abs(a - b).max(axis=2) > tolerance).mean()) if a.shape == b.shape else 1.0


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
        screenshot(image, kept)
        raise AssertionError(f"there is no picture {reference}; the current one was written to {kept}")
    found = difference(image, reference, tolerance)
    if found > share:
        screenshot(image, kept)
        raise AssertionError(f"{found:.1%} of the pixels differ from {reference} (at most {share:.1%}); see {kept}")
