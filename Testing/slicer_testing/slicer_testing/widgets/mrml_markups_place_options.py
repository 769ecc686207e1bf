"""Options of the buttons that place control points: colours, and which entries their menus show."""

from __future__ import annotations

from PySide6.QtGui import QColor


class MarkupsPlaceOptions:
    """Mixin of ``qSlicerMarkupsPlaceWidget``."""

    def buttonsVisible(self) -> bool:
        """Return whether all buttons are shown."""
        return all(button.isVisibleTo(self) for button in self._buttons())

    def setButtonsVisible(self, visible: bool) -> None:
        """Show or hide all buttons."""
        for button in self._buttons():
            button.setVisible(bool(visible))

    def defaultNodeColor(self) -> QColor:
        """Return the colour that is shown if there is no node."""
        return self._default_color

    def setDefaultNodeColor(self, color: QColor) -> None:
        """Set the colour that is shown if there is no node, and that other widgets use for new nodes."""
        self._default_color = QColor(color)

    def nodeColor(self) -> QColor:
        """Return the colour of the current node's points."""
        display = self._node.GetDisplayNode() if self._node is not None else None
        return QColor.fromRgbF(*display.GetSelectedColor()) if display is not None else self._default_color

    def setNodeColor(self, color: QColor) -> None:
        """Set the colour of the current node's points."""
        display = self._node.GetDisplayNode() if self._node is not None else None
        if display is not None:
            color = QColor(color)
            display.SetColor(color.redF(), color.greenF(), color.blueF())
            display.SetSelectedColor(color.redF(), color.greenF(), color.blueF())

    def deleteAllControlPointsOptionVisible(self) -> bool:
        """Return whether the menu offers to delete all points."""
        return self._delete_all_visible

    def setDeleteAllControlPointsOptionVisible(self, visible: bool) -> None:
        """Offer to delete all points."""
        self._delete_all_visible = bool(visible)
        self._update_delete_menu()

    def deleteAllMarkupsOptionVisible(self) -> bool:
        """Old name of ``deleteAllControlPointsOptionVisible``."""
        return self._delete_all_visible

    def setDeleteAllMarkupsOptionVisible(self, visible: bool) -> None:
        """Old name of ``setDeleteAllControlPointsOptionVisible``."""
        self.setDeleteAllControlPointsOptionVisible(visible)

    def unsetLastControlPointOptionVisible(self) -> bool:
        """Return whether the menu offers to clear the last position."""
        return self._unset_last_visible

    def setUnsetLastControlPointOptionVisible(self, visible: bool) -> None:
        """Offer to clear the last position."""
        self._unset_last_visible = bool(visible)
        self._update_delete_menu()

    def unsetAllControlPointsOptionVisible(self) -> bool:
        """Return whether the menu offers to clear all positions."""
        return self._unset_all_visible

    def setUnsetAllControlPointsOptionVisible(self, visible: bool) -> None:
        """Offer to clear all positions."""
        self._unset_all_visible = bool(visible)
        self._update_delete_menu()
