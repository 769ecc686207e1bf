"""The layout manager: it shows and arranges the views of the scene's layout node."""

from __future__ import annotations

from xml.etree import ElementTree

import slicer
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.views.displayable_managers import use_application_logic
from slicer_testing.views.layout_builder import LayoutBuilder, parse
from slicer_testing.views.layout_viewports import MAIN_VIEWPORT, ctkLayoutFactory
from slicer_testing.views.layout_views import LayoutViews
from slicer_testing.views.view_factory import WIDGETS, ctkLayoutViewFactory, qMRMLLayoutViewFactory
from slicer_testing.views.view_widget import nodes_of
from slicer_testing.widgets.mrml_observation import Observations

Layouts = slicer.vtkMRMLLayoutNode
FIRST_LAYOUT = Layouts.SlicerLayoutFourUpView
"""The layout of a scene without one."""


@slicer_widget
class qMRMLLayoutManager(LayoutViews, ctkLayoutFactory):
    """Follows the layout node of a scene.

    Args:
        viewport: widget for the views; one is made by default.
        parent: parent object.
    """

    layoutChanged = Signal(int)
    activeMRMLThreeDViewNodeChanged = Signal(object)
    activeMRMLTableViewNodeChanged = Signal(object)
    activeMRMLPlotViewNodeChanged = Signal(object)
    nodeAboutToBeEdited = Signal(object)

    def __init__(self, viewport: QWidget | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None
        self._node: slicer.vtkMRMLLayoutNode | None = None
        self._removed_node: slicer.vtkMRMLLayoutNode | None = None
        self._enabled = True
        self._arrangement = FIRST_LAYOUT
        self._shown: object = None
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._color_logic: slicer.vtkMRMLColorLogic | None = None
        self._observations = Observations(self)
        self._containers: dict[str, QWidget] = {}
        self._former_viewports: list[QWidget] = []
        self._factories: list[ctkLayoutViewFactory] = []
        self.setViewport(viewport if viewport is not None else QWidget())
        for view_class in WIDGETS:
            self.registerViewFactory(qMRMLLayoutViewFactory(view_class, self))

    # Viewport and scene

    def setViewport(self, widget: QWidget, name: str = MAIN_VIEWPORT) -> None:
        """Set the widget of a viewport; existing views move into it."""
        # Views that the current layout does not show are children of the former viewport and would be deleted with it.
        former = self._viewports.get(name)
        self._viewports[name] = widget
        if former is not None and former is not widget:
            for factory in self.mrmlViewFactories():
                for _, view in factory._shown:
                    view.setParent(widget)
            self._former_viewports.append(former)
        if widget.layout() is None:
            outer = QVBoxLayout(widget)
            outer.setContentsMargins(0, 0, 0, 0)
        self._shown = None
        if self._scene is not None:
            self._update_layout()

    def isViewportUsedInLayout(self, name: str) -> bool:
        """Return whether the current layout uses a viewport."""
        return name in self._containers

    def setSpacing(self, spacing: int) -> None:
        """Set the pixels between views."""
        self._spacing = int(spacing)
        self._shown = None
        self._update_layout()

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        """Return the scene."""
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Show the views of a scene."""
        if scene is self._scene:
            return
        self._observations.drop(self._scene)
        self._set_layout_node(None)
        self._scene = scene
        if scene is not None and scene.GetDefaultNodeByClass("vtkMRMLSliceNode") is None:
            # The orientation of a slice is set by presets, which the application adds at its start.
            slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        # The logic first, so that its observers are called before those of this object.
        self._logic.SetMRMLScene(scene)
        if scene is not None:
            self._observations.add(scene, scene.NodeAddedEvent, self._on_node_added, give="data")
            self._observations.add(scene, scene.NodeRemovedEvent, self._on_node_removed, give="data")
            self._observations.add(scene, scene.EndBatchProcessEvent, self._follow_scene)
            self._observations.add(scene, scene.EndRestoreEvent, self._update_layout)
            self._observations.add(scene, scene.EndCloseEvent, self._follow_scene)
        for factory in self.mrmlViewFactories():
            factory.setMRMLScene(scene)
        self._follow_scene()
        for factory in self.mrmlViewFactories():
            factory._later = True

    def layoutLogic(self) -> slicer.vtkMRMLLayoutLogic:
        """Return the logic that makes the view nodes of each layout."""
        return self._logic

    def mrmlColorLogic(self) -> slicer.vtkMRMLColorLogic | None:
        """Return the colour logic of plots."""
        return self._color_logic

    def setMRMLColorLogic(self, logic: slicer.vtkMRMLColorLogic | None) -> None:
        """Set the colour logic of plots."""
        self._color_logic = logic

    # Layout

    def layout(self) -> int:
        """Return the number of the layout."""
        return self._node.GetViewArrangement() if self._node is not None else Layouts.SlicerLayoutNone

    def setLayout(self, layout: int) -> None:
        """Set the layout by its number; an unknown number sets the conventional layout."""
        if self._node is None or self.layout() == layout:
            return
        if not self._node.IsLayoutDescription(layout):
            layout = Layouts.SlicerLayoutConventionalView
        self._node.RemoveAllMaximizedViewNodes()
        self._node.SetViewArrangement(layout)

    def setLayoutNumberOfCompareViewRows(self, number: int) -> None:
        """Set the number of rows of the compare layouts."""
        if self._node is not None:
            self._node.SetNumberOfCompareViewRows(number)

    def setLayoutNumberOfCompareViewColumns(self, number: int) -> None:
        """Set the number of columns of the compare layouts."""
        if self._node is not None:
            self._node.SetNumberOfCompareViewColumns(number)

    def addMaximizedViewNode(self, node: slicer.vtkMRMLAbstractViewNode) -> None:
        """Show only this view."""
        if self._node is not None:
            self._node.AddMaximizedViewNode(node)

    def removeMaximizedViewNode(self, node: slicer.vtkMRMLAbstractViewNode) -> None:
        """No longer show only this view."""
        if self._node is not None:
            self._node.RemoveMaximizedViewNode(node)

    def removeAllMaximizedViewNodes(self) -> None:
        """Show all views of the layout again."""
        if self._node is not None:
            self._node.RemoveAllMaximizedViewNodes()

    def isEnabled(self) -> bool:
        """Return whether the layout node is followed."""
        return self._enabled

    def setEnabled(self, enabled: bool) -> None:
        """Follow the layout node, or keep the current layout."""
        self._enabled = bool(enabled)
        self._update_layout()

    # Views

    def registerViewFactory(self, factory: ctkLayoutViewFactory) -> None:
        """Add a factory of views."""
        self._factories.append(factory)
        if isinstance(factory, qMRMLLayoutViewFactory):
            factory.setMRMLScene(self._scene)

    def mrmlViewFactories(self) -> list[qMRMLLayoutViewFactory]:
        """Return the factories of view nodes."""
        return [factory for factory in self._factories if isinstance(factory, qMRMLLayoutViewFactory)]

    def mrmlViewFactory(self, viewClassName: str) -> qMRMLLayoutViewFactory | None:
        """Return the factory of one class of view nodes."""
        return next((factory for factory in self.mrmlViewFactories() if factory.viewClassName() == viewClassName), None)

    def resetThreeDViews(self) -> None:
        """Let all 3D views show the whole scene."""
        for index in range(self.threeDViewCount()):
            view = self.threeDWidget(index).threeDView()
            view.resetFocalPoint()
            view.resetCamera()

    def resetSliceViews(self) -> None:
        """Fit all slice views to their lowest volume."""
        for name in self.sliceViewNames():
            self.sliceWidget(name).sliceController().fitSliceToBackground()

    def setRenderPaused(self, paused: bool) -> None:
        """Pause or resume all slice and 3D views once."""
        for view_class in ("vtkMRMLSliceNode", "vtkMRMLViewNode"):
            factory = self.mrmlViewFactory(view_class)
            for index in range(factory.viewCount()):
                factory.viewWidget(index).setRenderPaused(paused)

    def pauseRender(self) -> None:
        """Pause the rendering of all views."""
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        """Undo one `pauseRender`."""
        self.setRenderPaused(False)

    # Implementation

    def _on_node_added(self, node: slicer.vtkMRMLNode) -> None:
        if self._scene.IsBatchProcessing():
            return
        if isinstance(node, slicer.vtkMRMLLayoutNode):
            self._follow_scene()
        elif isinstance(node, slicer.vtkMRMLAbstractViewNode):
            factory = self.mrmlViewFactory(node.GetClassName())
            if factory is not None:
                factory.onViewNodeAdded(node)

    def _on_node_removed(self, node: slicer.vtkMRMLNode) -> None:
        if node is self._node:
            # The logic has a pointer to the node until the scene is closed, but no reference.
            self._removed_node = node
            self._set_layout_node(None)
        elif isinstance(node, slicer.vtkMRMLAbstractViewNode):
            factory = self.mrmlViewFactory(node.GetClassName())
            if factory is not None:
                factory.onViewNodeRemoved(node)
                self._shown = None

    def _follow_scene(self) -> None:
        """Update views and layout after the scene was loaded or closed."""
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        for factory in self.mrmlViewFactories():
            factory.onSceneModified()
        # From the scene: just after the scene has removed its singletons, the logic still points to the old node.
        layouts = nodes_of(self._scene, "vtkMRMLLayoutNode")
        self._set_layout_node(layouts[0] if layouts else None)

    def _set_layout_node(self, node: slicer.vtkMRMLLayoutNode | None) -> None:
        if node is not self._node:
            self._observations.drop(self._node)
            self._node = node
            self._observations.add(node, "ModifiedEvent", self._update_layout)
        if node is not None and node.GetViewArrangement() in (Layouts.SlicerLayoutNone, Layouts.SlicerLayoutInitialView):
            # A new layout node has no layout, so the current one is kept.
            node.SetViewArrangement(self._arrangement)
        self._update_layout()

    def _update_layout(self) -> None:
        """Build the containers of the layout, if it has changed."""
        if not self._enabled or (self._scene is not None and self._scene.IsBatchProcessing()):
            return
        arrangement = self.layout()
        if arrangement not in (Layouts.SlicerLayoutNone, Layouts.SlicerLayoutInitialView, Layouts.SlicerLayoutCustomView):
            self._arrangement = arrangement
        description = self._description()
        wanted = (description, tuple(id(node) for factory in self.mrmlViewFactories() for node, _ in factory._shown))
        if wanted == self._shown:
            return
        self._shown = wanted
        self._rebuild(parse(description))
        self.layoutChanged.emit(arrangement)

    def _description(self) -> str:
        if self._node is None:
            return ""
        current = self._node.GetCurrentLayoutDescription() or ""
        if self._node.GetNumberOfMaximizedViewNodes():
            return self._logic.GetMaximizedViewLayoutDescription(self._node.GetMaximizedViewNode(0), current) or current
        return current

    def _rebuild(self, layouts: list[ElementTree.Element]) -> None:
        old = dict(self._containers)
        self._containers.clear()
        for container in old.values():
            for widget in self._views_in(container):
                widget.hide()
                widget.setParent(self.viewport())
        builder = LayoutBuilder(self._find_views, self._spacing)
        for layout in layouts:
            name = layout.get("name", MAIN_VIEWPORT)
            if name not in self._viewports:
                window = QWidget()
                window.setWindowTitle(layout.get("label", name))
                self.setViewport(window, name)
            viewport = self._viewports[name]
            self._containers[name] = builder.build(layout, viewport)
            viewport.layout().addWidget(self._containers[name])
            self._containers[name].show()
            if name != MAIN_VIEWPORT:
                viewport.show()
        for name, container in old.items():
            container.hide()
            container.setParent(None)
            container.deleteLater()
            if name not in self._containers and name != MAIN_VIEWPORT:
                self._viewports[name].hide()

    def _find_views(self, element: ElementTree.Element) -> list[QWidget]:
        for factory in self._factories:
            found = factory._views(element)
            if found:
                return found
        return []

    def _views_in(self, container: QWidget) -> list[QWidget]:
        known = [widget for factory in self.mrmlViewFactories() for _, widget in factory._shown]
        known += [factory.widget() for factory in self._factories if hasattr(factory, "tagName") and factory.widget() is not None]
        return [widget for widget in known if container.isAncestorOf(widget)]


@slicer_widget
class qSlicerLayoutManager(qMRMLLayoutManager):
    """The application's layout manager: the application's logic knows the logics of its views.

    Args:
        application_logic: of the application.
        viewport: widget for the views; one is made by default.
        parent: parent object.
    """

    selectModule = Signal(str)

    def __init__(
        self, application_logic: slicer.vtkMRMLApplicationLogic, viewport: QWidget | None = None, parent: QObject | None = None
    ) -> None:
        use_application_logic(application_logic)
        super().__init__(viewport, parent)
        self._application_logic = application_logic
        application_logic.SetSliceLogics(self.mrmlSliceLogics())
        application_logic.SetViewLogics(self.mrmlViewLogics())
        self.setMRMLColorLogic(application_logic.GetColorLogic())
        # Interactions pause all views, so that linked views are rendered together.
        self._observations.add(application_logic, application_logic.PauseRenderEvent, self.pauseRender)
        self._observations.add(application_logic, application_logic.ResumeRenderEvent, self.resumeRender)
