"""Buttons that place and delete control points of a markups node."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolButton, QWidget

from slicer_testing.registry import slicer_widget, widget
from slicer_testing.widgets.mrml_icons import icon
from slicer_testing.widgets.mrml_markups_place_options import MarkupsPlaceOptions
from slicer_testing.widgets.mrml_widget import qSlicerWidget


def markups_logic() -> Any:
    """Return the logic of the Markups module, None if it is not there."""
    module = getattr(getattr(slicer, "modules", None), "markups", None)
    return module.logic() if module is not None else None


@slicer_widget
class qSlicerMarkupsPlaceWidget(MarkupsPlaceOptions, qSlicerWidget):
    """Buttons for colour, placing, deleting and more, for the current markups node.

    Place mode is a state of the scene: the node is the active one of the selection node, and the interaction node is in place mode.
    """

    ShowPlaceMultipleMarkupsOption, HidePlaceMultipleMarkupsOption, ForcePlaceSingleMarkup, ForcePlaceMultipleMarkups = range(4)

    activeMarkupsPlaceModeChanged = Signal(bool)
    activeMarkupsFiducialPlaceModeChanged = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = None
        self._interaction = None
        self._selection = None
        self._place_multiple = self.ShowPlaceMultipleMarkupsOption
        self._default_color = QColor(0, 255, 0)
        self._reported_place_mode = False
        self._updating = False
        self._delete_all_visible = True
        self._unset_last_visible = False
        self._unset_all_visible = False
        self._make_buttons()
        self._make_menus()
        self._update()

    def _make_buttons(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._color = widget("ctkColorPickerButton")(self)
        self._color.setObjectName("ColorButton")
        self._color.setToolTip("Color of the control points")
        self._color.setDisplayColorName(False)
        self._place, self._delete, self._more = QToolButton(self), QToolButton(self), QToolButton(self)
        for button, name, picture, tip in (
            (self._place, "PlaceButton", "place", "Place a control point"),
            (self._delete, "DeleteButton", "delete", "Delete the last control point"),
            (self._more, "MoreButton", "more", "More options"),
        ):
            button.setObjectName(name)
            button.setIcon(icon(picture))
            button.setToolTip(tip)
        self._place.setCheckable(True)
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        for button in self._buttons():
            button.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
            layout.addWidget(button)
        self._color.colorChanged.connect(self._on_color)
        self._place.toggled.connect(self.setPlaceModeEnabled)
        self._delete.clicked.connect(lambda: self.modifyLastPoint())

    def _make_menus(self) -> None:
        def action(text: str, name: str, do: Any, menu: QMenu) -> QAction:
            made = QAction(text, self)
            made.setObjectName(name)
            made.triggered.connect(lambda *_: do())
            menu.addAction(made)
            return made

        self._place_menu, self._delete_menu, self._more_menu = QMenu(self), QMenu(self), QMenu(self)
        self._persistent = QAction("Place multiple control points", self)
        self._persistent.setObjectName("ActionPlacePersistentPoint")
        self._persistent.setCheckable(True)
        self._persistent.toggled.connect(self.setPlaceModePersistency)
        self._place_menu.addAction(self._persistent)
        self._unset_last = action("Clear last control point position", "ActionUnsetLast", self.unsetLastDefinedPoint, self._delete_menu)
        self._unset_all = action("Clear all control point positions", "ActionUnsetAll", self.unsetAllPoints, self._delete_menu)
        self._delete_all = action("Delete all control points", "ActionDeleteAll", self.deleteAllPoints, self._delete_menu)
        self._visibility = action("Visibility", "ActionVisibility", self._toggle_visibility, self._more_menu)
        self._lock = action("Locked", "ActionLocked", self._toggle_lock, self._more_menu)
        self._fix = action("Control point number locked", "ActionFixedNumberOfControlPoints", self._toggle_fixed, self._more_menu)
        self._more.setMenu(self._more_menu)
        self.setPlaceMultipleMarkups(self._place_multiple)

    def _buttons(self) -> tuple[QWidget, ...]:
        return self._color, self._place, self._delete, self._more

    # -- nodes

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene, and use its selection and interaction nodes for place mode."""
        super().setMRMLScene(scene)
        self.setInteractionNode(scene.GetNodeByID("vtkMRMLInteractionNodeSingleton") if scene is not None else None)
        self.setSelectionNode(scene.GetNodeByID("vtkMRMLSelectionNodeSingleton") if scene is not None else None)
        if scene is not None:
            self._observations.add(scene, slicer.vtkMRMLScene.NodeRemovedEvent, self._on_node_removed, give="data")
            self._observations.add(scene, slicer.vtkMRMLScene.EndCloseEvent, self._on_scene_closed)
        self._update()

    def _on_node_removed(self, node: Any) -> None:
        if node is not None and node is self._node:
            self.setCurrentNode(None)

    def _on_scene_closed(self) -> None:
        if self._node is not None and self._node.GetScene() is None:
            self.setCurrentNode(None)

    def currentNode(self) -> Any:
        """Return the markups node that points are placed in, or None."""
        return self._node

    def currentMarkupsNode(self) -> Any:
        """Return the current node, as ``currentNode``."""
        return self._node

    def currentMarkupsFiducialNode(self) -> Any:
        """Return the current node if it is a point list."""
        return self._node if self._node is not None and self._node.IsA("vtkMRMLMarkupsFiducialNode") else None

    def setCurrentNode(self, node: Any) -> None:
        """Set the node that points are placed in; a node that is no markups node counts as None."""
        if node is not None and not node.IsA("vtkMRMLMarkupsNode"):
            node = None
        if node is self._node:
            return
        if self._node is not None:
            self._observations.drop(self._node)
        self._node = node
        if node is not None:
            at = slicer.vtkMRMLMarkupsNode
            for event in (
                "ModifiedEvent",
                at.PointAddedEvent,
                at.PointRemovedEvent,
                at.FixedNumberOfControlPointsModifiedEvent,
                at.DisplayModifiedEvent,
                at.PointPositionDefinedEvent,
                at.PointPositionUndefinedEvent,
            ):
                self._observations.add(node, event, self._update)
        self._update()

    def interactionNode(self) -> Any:
        """Return the node with the interaction mode of the views."""
        return self._interaction

    def setInteractionNode(self, node: Any) -> None:
        """Set the node with the interaction mode of the views."""
        if self._interaction is not None:
            self._observations.drop(self._interaction)
        self._interaction = node
        self._observations.add(node, "ModifiedEvent", self._update)

    def selectionNode(self) -> Any:
        """Return the node that refers to the active node."""
        return self._selection

    def setSelectionNode(self, node: Any) -> None:
        """Set the node that refers to the active node."""
        if self._selection is not None:
            self._observations.drop(self._selection)
        self._selection = node
        self._observations.add(node, "ModifiedEvent", self._update)
        self._observations.add(node, slicer.vtkMRMLSelectionNode.ActivePlaceNodePlacementValidEvent, self._update)

    # -- place mode

    def _is_ready(self) -> bool:
        return None not in (markups_logic(), self._scene, self._node, self._interaction, self._selection)

    def currentNodeActive(self) -> bool:
        """Return whether points that views place go to the current node."""
        return (
            self._is_ready()
            and markups_logic().GetActiveListID() == self._node.GetID()
            and self._selection.GetActivePlaceNodeClassName() == self._node.GetClassName()
        )

    def setCurrentNodeActive(self, active: bool) -> None:
        """Make the current node the active one, or end placing."""
        if not self._is_ready() or bool(active) == self.currentNodeActive():
            return
        if active:
            markups_logic().SetActiveList(self._node)
        else:
            markups_logic().SetActiveList(None)
            self._interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.ViewTransform)

    def placeModeEnabled(self) -> bool:
        """Return whether a click in a view places a point of the current node."""
        return self.currentNodeActive() and self._interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place

    def setPlaceModeEnabled(self, enabled: bool) -> None:
        """Start or end placing points of the current node."""
        if not self._is_ready():
            return
        if not enabled:
            self._interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.ViewTransform)
            return
        if not self.currentNodeActive():
            markups_logic().SetActiveList(self._node)
        self._force_persistency()
        self._interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.Place)

    def _force_persistency(self) -> None:
        if self._place_multiple in (self.ForcePlaceSingleMarkup, self.ForcePlaceMultipleMarkups):
            self.setPlaceModePersistency(self._place_multiple == self.ForcePlaceMultipleMarkups)

    def placeModePersistency(self) -> bool:
        """Return whether place mode continues after a point."""
        return bool(self._interaction is not None and self._interaction.GetPlaceModePersistence())

    def setPlaceModePersistency(self, persistent: bool) -> None:
        """Set whether place mode continues after a point."""
        if self._interaction is not None:
            self._interaction.SetPlaceModePersistence(int(persistent))

    def placeMultipleMarkups(self) -> int:
        """Return whether the user chooses between one point and several."""
        return self._place_multiple

    def setPlaceMultipleMarkups(self, option: int) -> None:
        """Let the user choose between one point and several, hide this choice, or force one of them."""
        self._place_multiple = int(option)
        shown = self._place_multiple == self.ShowPlaceMultipleMarkupsOption
        self._place.setMenu(self._place_menu if shown else None)
        modes = QToolButton.ToolButtonPopupMode
        self._place.setPopupMode(modes.MenuButtonPopup if shown else modes.DelayedPopup)
        if self.placeModeEnabled():
            self._force_persistency()

    # -- points

    def modifyLastPoint(self) -> None:
        """Delete the last point; clear its position if the number of points is fixed."""
        if self._node is not None and self._node.GetFixedNumberOfControlPoints():
            self.unsetLastDefinedPoint()
        else:
            self.deleteLastPoint()

    def deleteLastPoint(self) -> None:
        """Delete the last point."""
        if self._node is not None and self._node.GetNumberOfControlPoints():
            self._node.RemoveNthControlPoint(self._node.GetNumberOfControlPoints() - 1)

    def deleteLastMarkup(self) -> None:
        """Old name of ``deleteLastPoint``."""
        self.deleteLastPoint()

    def deleteAllPoints(self) -> None:
        """Delete all points."""
        if self._node is not None:
            self._node.RemoveAllControlPoints()

    def deleteAllMarkups(self) -> None:
        """Old name of ``deleteAllPoints``."""
        self.deleteAllPoints()

    def unsetLastDefinedPoint(self) -> None:
        """Clear the position of the last point that has one."""
        if self._node is None:
            return
        undefined = slicer.vtkMRMLMarkupsNode.PositionUndefined
        for index in reversed(range(self._node.GetNumberOfControlPoints())):
            if self._node.GetNthControlPointPositionStatus(index) != undefined:
                self._node.UnsetNthControlPointPosition(index)
                return

    def unsetAllPoints(self) -> None:
        """Clear the positions of all points."""
        if self._node is not None:
            self._node.UnsetAllControlPoints()

    # -- updates from the scene

    def _update(self) -> None:
        if self._updating:
            return
        self._updating = True
        ready = self._is_ready()
        for button in self._buttons():
            button.setEnabled(ready)
        if ready:
            self._update_buttons()
        else:
            self._show_color(self._default_color)
        self._updating = False
        if self._reported_place_mode != self.placeModeEnabled():
            self._reported_place_mode = self.placeModeEnabled()
            self.activeMarkupsFiducialPlaceModeChanged.emit(self._reported_place_mode)
            self.activeMarkupsPlaceModeChanged.emit(self._reported_place_mode)

    def _update_buttons(self) -> None:
        self._place.setEnabled(bool(self._selection.GetActivePlaceNodePlacementValid()))
        self._delete.setEnabled(self._node.GetNumberOfControlPoints() > 0)
        display = self._node.GetDisplayNode()
        if display is not None:
            self._show_color(QColor.fromRgbF(*display.GetSelectedColor()))
        fixed = bool(self._node.GetFixedNumberOfControlPoints())
        self._delete.setIcon(icon("clear" if fixed else "delete"))
        self._delete.setToolTip("Clear the position of the last control point" if fixed else "Delete the last control point")
        self._update_delete_menu()
        self._lock.setIcon(icon("lock" if self._node.GetLocked() else "unlock"))
        self._fix.setIcon(icon("lock" if fixed else "unlock"))
        self._visibility.setEnabled(display is not None)
        self._visibility.setIcon(icon("visible" if display is not None and display.GetVisibility() else "invisible"))
        for button, checked in ((self._place, self.placeModeEnabled()), (self._persistent, self.placeModePersistency())):
            blocked = button.blockSignals(True)
            button.setChecked(checked)
            button.blockSignals(blocked)

    def _update_delete_menu(self) -> None:
        fixed = self._node is not None and bool(self._node.GetFixedNumberOfControlPoints())
        shown = [
            (self._delete_all, self._delete_all_visible and not fixed),
            (self._unset_last, self._unset_last_visible and not fixed),
            (self._unset_all, self._unset_all_visible),
        ]
        for action, visible in shown:
            action.setVisible(visible)
        any_visible = any(visible for _, visible in shown)
        modes = QToolButton.ToolButtonPopupMode
        self._delete.setMenu(self._delete_menu if any_visible else None)
        self._delete.setPopupMode(modes.MenuButtonPopup if any_visible else modes.DelayedPopup)

    def _show_color(self, color: QColor) -> None:
        blocked = self._color.blockSignals(True)
        self._color.setColor(color)
        self._color.blockSignals(blocked)

    def _on_color(self, color: QColor) -> None:
        if self._node is not None and self._node.GetDisplayNode() is not None:
            self._node.GetDisplayNode().SetSelectedColor(color.redF(), color.greenF(), color.blueF())

    def _toggle_visibility(self) -> None:
        if self._node is not None and self._node.GetDisplayNode() is not None:
            self._node.GetDisplayNode().SetVisibility(not self._node.GetDisplayNode().GetVisibility())

    def _toggle_lock(self) -> None:
        if self._node is not None:
            self._node.SetLocked(not self._node.GetLocked())

    def _toggle_fixed(self) -> None:
        if self._node is not None:
            self._node.SetFixedNumberOfControlPoints(not self._node.GetFixedNumberOfControlPoints())
            self.setPlaceModeEnabled(False)

    # -- parts

    def placeButton(self) -> QToolButton:
        """Return the button that starts and ends placing."""
        return self._place

    def deleteButton(self) -> QToolButton:
        """Return the button that deletes the last point."""
        return self._delete
