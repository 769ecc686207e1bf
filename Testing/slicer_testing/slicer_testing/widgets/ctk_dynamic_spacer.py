"""ctkDynamicSpacer: a spacer with two size policies."""

from __future__ import annotations

from PySide6.QtWidgets import QSizePolicy, QWidget

from slicer_testing.registry import slicer_widget


@slicer_widget
class ctkDynamicSpacer(QWidget):
    """An empty widget with one size policy while it is active and another while it is not."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._active = False
        self._policies = {True: self.sizePolicy(), False: self.sizePolicy()}

    def isActive(self) -> bool:
        return self._active

    def setActive(self, active: bool = True) -> None:
        """Use the active size policy, or the inactive one."""
        self._active = bool(active)
        self.setSizePolicy(self._policies[self._active])

    def setInactive(self, inactive: bool = True) -> None:
        """The opposite of ``setActive``."""
        self.setActive(not inactive)

    def activeSizePolicy(self) -> QSizePolicy:
        return self._policies[True]

    def setActiveSizePolicy(self, policy: QSizePolicy) -> None:
        self._set_policy(True, policy)

    def inactiveSizePolicy(self) -> QSizePolicy:
        return self._policies[False]

    def setInactiveSizePolicy(self, policy: QSizePolicy) -> None:
        self._set_policy(False, policy)

    def _set_policy(self, active: bool, policy: QSizePolicy) -> None:
        self._policies[active] = policy
        if self._active == active:
            self.setSizePolicy(policy)
