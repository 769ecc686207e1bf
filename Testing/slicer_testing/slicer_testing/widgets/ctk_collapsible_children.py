"""Visibility of the children of a collapsible box, which remembers children that are hidden explicitly."""

from __future__ import annotations

from PySide6.QtCore import QChildEvent, QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget

# Dynamic property of a child, with the application's name: whether it is visible when the box is open.
_WANTED = "visibilityToParent"
_EXPLICIT = Qt.WidgetAttribute.WA_WState_ExplicitShowHide
_HIDDEN = Qt.WidgetAttribute.WA_WState_Hidden
_CREATED = Qt.WidgetAttribute.WA_WState_Created


class CollapsibleChildren:
    """Mixin of a widget that calls ``_update_children`` when it collapses or opens and has ``_is_collapsed``.

    Children are registered when they are first shown or when the box changes, not when they are added, since they are not
    complete at that time.
    """

    # Events may still arrive while Qt destroys the object, when its own attributes no longer exist.
    _forcing = False
    _children_created = False
    _collapsed = False

    def _is_collapsed(self) -> bool:
        raise NotImplementedError

    def _update_children(self) -> None:
        for child in self.children():
            if isinstance(child, QWidget) and not child.isWindow():
                self._adopt(child)
                self._show_or_hide(child)

    def _adopt(self, child: QWidget) -> None:
        if child.testAttribute(_EXPLICIT) and child.testAttribute(_HIDDEN):
            child.setProperty(_WANTED, False)
        child.installEventFilter(self)  # Qt installs the same filter only once

    def _show_or_hide(self, child: QWidget) -> None:
        # Before the box itself is created, Qt would show the children again.
        if not self.testAttribute(_CREATED):
            return
        forcing, self._forcing = self._forcing, True
        wanted = child.property(_WANTED)
        visible = not self._is_collapsed() and wanted is not False
        if child.testAttribute(_CREATED) or not visible or self._children_created:
            child.setVisible(visible)
        if wanted is not False:
            child.setAttribute(_EXPLICIT, False)  # this change was not explicit
        self._forcing = forcing

    def setVisible(self, visible: bool) -> None:
        """Show or hide the box; the first time, register its children."""
        forcing, self._forcing = self._forcing, True
        super().setVisible(visible)
        self._forcing = forcing
        if not self._children_created and self.testAttribute(_CREATED):
            self._update_children()
            self._children_created = True

    def childEvent(self, event: QChildEvent) -> None:
        """Register a child that is complete."""
        if event.type() == QEvent.Type.ChildPolished and isinstance(event.child(), QWidget):
            self._adopt(event.child())
        super().childEvent(event)

    def eventFilter(self, child: QObject, event: QEvent) -> bool:
        """Record changes of a child's visibility by other code."""
        kind = event.type()
        if kind not in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent) or self._forcing:
            return False
        if not isinstance(child, QWidget) or child.parent() is not self:
            return False
        if kind == QEvent.Type.ShowToParent:
            child.setProperty(_WANTED, True)
            self._show_or_hide(child)
        else:
            child.setProperty(_WANTED, False)
        return False
