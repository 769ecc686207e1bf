"""Shows the moving volume, warped by the result so far of a running registration, in the slice views."""

from __future__ import annotations

from typing import Any

import slicer

from deepreg_slicer.parents import parentTransform
from deepreg_slicer.request import inScene
from deepreg_slicer.slice_views import setLayers, sliceWidgets
from deepreg_slicer.temporary import removeNodes, temporaryCopy, temporaryNode
from deepreg_slicer.view_state import ViewState


class Preview:
    """Shows a copy of the moving volume, which shares its voxels, below a temporary transform. The nodes are not saved with the scene.

    Args:
        fixed, moving: the volumes.
        without: a transform above the moving volume through which it is only shown.
        opacity: of the moving volume over the fixed one.
    """

    def __init__(self, fixed: Any, moving: Any, without: Any, opacity: float) -> None:
        self._fixed, self._moving, self._opacity = fixed, moving, opacity
        self._above = parentTransform(moving, without)
        self._nodes: list[Any] = []
        self._views: ViewState | None = None
        self._hidden: list[Any] = []
        self._transform: Any = None
        self._volume: Any = None

    @property
    def volume(self) -> Any:
        """The copy of the moving volume; None before the first result."""
        return self._volume if inScene(self._volume) else None

    def show(self, fromParent: Any) -> None:
        """Show a result.

        Args:
            fromParent: takes fixed to moving points in the world.
        """
        if not all(inScene(node) for node in (self._fixed, self._moving)) or slicer.app.layoutManager() is None:
            return
        if self._volume is None:
            self._make()
        if self.volume is None or not inScene(self._transform):  # the scene was closed, or the user has removed them
            return
        self._transform.SetAndObserveTransformFromParent(fromParent)
        if self._views is None:
            self._views = ViewState()
            self._hideGrids()
            shown = any(self._fixed.GetID() == self._views.layers(name)[0] for name in sliceWidgets())
            setLayers(self._fixed, self._volume, self._opacity, fit=not shown)

    def remove(self) -> None:
        """Put back the views that still show the preview, and remove its nodes."""
        volume, views = self.volume, self._views
        if views is not None and volume is not None:
            views.restore(lambda composite: composite.GetForegroundVolumeID() == volume.GetID())
        removeNodes(self._nodes)
        for display in self._hidden:
            if inScene(display):
                display.SetVisibility2D(True)
        self._hidden = []
        self._views = self._volume = self._transform = None

    def _hideGrids(self) -> None:
        """Hide the grids of other transforms: they would be drawn again with each result, which takes longer than the result itself."""
        for display in slicer.util.getNodesByClass("vtkMRMLTransformDisplayNode"):
            if display.GetVisibility() and display.GetVisibility2D():
                display.SetVisibility2D(False)
                self._hidden.append(display)

    def _make(self) -> None:
        name = self._moving.GetName()
        self._volume, display = temporaryCopy(self._moving)
        self._transform = below = temporaryNode("vtkMRMLTransformNode", name)
        self._nodes = [self._transform, display, self._volume]
        if self._above is not None:
            below = temporaryNode("vtkMRMLTransformNode", name)
            self._nodes.insert(1, below)
            below.SetAndObserveTransformToParent(self._above)
            below.SetAndObserveTransformNodeID(self._transform.GetID())
        self._volume.SetAndObserveTransformNodeID(below.GetID())
