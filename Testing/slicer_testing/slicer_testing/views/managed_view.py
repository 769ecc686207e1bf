"""Views of a scene into which Slicer's displayable managers draw."""

from __future__ import annotations

import slicer
from PySide6.QtGui import QCursor
from vtkmodules.vtkCommonCore import vtkCollection

from slicer_testing.views.displayable_managers import make_group


class ManagedView:
    """Mixin of the slice and 3D views: the group of displayable managers, the scene and the mouse pointer."""

    _scene: slicer.vtkMRMLScene | None = None
    _node: slicer.vtkMRMLAbstractViewNode | None = None

    def _set_up(self, factory: slicer.vtkMRMLDisplayableManagerFactory, style: slicer.vtkMRMLViewInteractorStyle) -> None:
        """Make the displayable managers of a factory, and let the interactor style pass events to them."""
        self._group = make_group(factory, self._renderer)
        self._style = style
        self._style.SetInteractor(self._interactor)
        self._style.SetDisplayableManagers(self._group)
        self._observations.add(self._group, "UpdateEvent", self.scheduleRender)
        self.setRenderEnabled(False)

    def _set_node(self, node: slicer.vtkMRMLAbstractViewNode | None) -> None:
        """Show a view node; the subclasses have the application's name for it."""
        raise NotImplementedError

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Set the scene; while it is loaded or closed, the view does not render."""
        if scene is self._scene:
            return
        self._observations.drop(self._scene)
        self._scene = scene
        if scene is not None:
            self._observations.add(scene, scene.StartBatchProcessEvent, self._on_batch_started)
            self._observations.add(scene, scene.EndBatchProcessEvent, self._on_batch_ended)
        self.setRenderEnabled(scene is not None and not scene.IsBatchProcessing())
        if self._node is not None and self._node.GetScene() is not scene:
            self._set_node(None)

    def interactorObserver(self) -> slicer.vtkMRMLViewInteractorStyle:
        """Return the object that passes the interactor's events to the displayable managers."""
        return self._style

    def getDisplayableManagers(self, managers: vtkCollection) -> None:
        """Add the managers of this view to a collection."""
        for index in range(self._group.GetDisplayableManagerCount()):
            managers.AddItem(self._group.GetNthDisplayableManager(index))

    def displayableManagerByClassName(self, name: str) -> slicer.vtkMRMLAbstractDisplayableManager | None:
        """Return a displayable manager of this view by its class name."""
        return self._group.GetDisplayableManagerByClassName(name)

    def setDefaultViewCursor(self, cursor: QCursor) -> None:
        """Set the shape of the mouse pointer for the view."""
        self.setViewCursor(cursor)

    def setViewCursor(self, cursor: QCursor) -> None:
        """Set the shape of the mouse pointer until it is unset."""
        self._own_cursor = True
        self.setCursor(cursor)

    def unsetViewCursor(self) -> None:
        """Let the displayable managers set the shape of the mouse pointer again."""
        self._own_cursor = False
        self.unsetCursor()

    def _on_batch_started(self) -> None:
        self.setRenderEnabled(False)

    def _on_batch_ended(self) -> None:
        self._stale = True
        self.setRenderEnabled(True)
