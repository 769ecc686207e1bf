"""Pictures of views, panels and windows."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from slicer_testing.views.abstract_view import ctkVTKAbstractView


def screenshot(widget: QWidget, scale: float = 1.0) -> QImage:
    """Return a picture of a widget, whether it is on a screen or not.

    The rendered views of the widget are updated first, unless their rendering is switched off.

    Args:
        widget: a view, a panel, or a whole window.
        scale: of the result, for instance 0.5 for half the size.
    """
    if isinstance(widget, ctkVTKAbstractView):
        image = widget._current_picture()
    else:
        for view in widget.findChildren(ctkVTKAbstractView):
            # Painting renders views that are out of date; this also includes changes without an event.
            view._stale = True
        image = widget.grab().toImage()
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    if scale != 1.0:
        image = image.scaled(image.size() * scale)
    return image


def save_screenshot(widget: QWidget, path: str | Path, scale: float = 1.0) -> Path:
    """Write a widget's picture to a file in the format of its suffix.

    Raises:
        OSError: if the file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not screenshot(widget, scale).save(str(path)):
        raise OSError(f"could not write {path}")
    return path
