"""A guard that lets the mouse wheel scroll a panel, instead of changing the values below the mouse."""

from __future__ import annotations

from typing import Any

import qt


class WheelGuard(qt.QObject):
    """Keeps wheel events from combo boxes and spin boxes that do not have the focus.

    Args:
        panel: that contains them.
    """

    def __init__(self, panel: Any) -> None:
        qt.QObject.__init__(self, panel)
        for kind in (qt.QComboBox, qt.QAbstractSpinBox):
            for widget in panel.findChildren(kind):
                widget.setFocusPolicy(qt.Qt.StrongFocus)  # the wheel does not set the focus
                widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        if event.type() == qt.QEvent.Wheel and not watched.hasFocus():
            event.ignore()  # so that the scroll area receives it
            return True
        return False
