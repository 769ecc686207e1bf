"""The slice views of the application; there are none without a main window."""

from __future__ import annotations

from typing import Any

import slicer


def sliceWidgets() -> dict[str, Any]:
    """Return the widgets of all slice views by their names, in no particular order; also of views that the layout does not show."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return {}
    found = {name: manager.sliceWidget(name) for name in manager.sliceViewNames()}
    return {name: widget for name, widget in found.items() if widget is not None}


def composites() -> list[Any]:
    """Return the nodes that hold the volumes of the slice views."""
    return [widget.sliceLogic().GetSliceCompositeNode() for widget in sliceWidgets().values()]


def redraw() -> None:
    """Make the slice views draw the transforms of a loaded scene, which they otherwise do only when a view changes."""
    for widget in sliceWidgets().values():
        widget.mrmlSliceNode().Modified()


def setLayers(background: Any, foreground: Any, opacity: float, fit: bool) -> None:
    """Show one volume over the other in all slice views.

    Args:
        background, foreground: the volumes.
        opacity: of the one above.
        fit: whether the views are fitted to the volume below.
    """
    if slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=background, foreground=foreground, foregroundOpacity=opacity, fit=fit)
