"""A panel of which a part stays in view: what has the property ``pinned`` is below an area that scrolls."""

from __future__ import annotations

from typing import Any

import qt

# Lowest height of the area that scrolls, in lines of text.
_LINES = 10


def pin(panel: Any) -> None:
    """Put the widgets of a panel's layout into an area that scrolls, and below it those with the property ``pinned``."""
    layout = panel.layout()
    widgets = [layout.itemAt(index).widget() for index in range(layout.count())]
    pinned = [widget for widget in widgets if widget is not None and widget.property("pinned")]
    if not pinned:
        return
    for widget in pinned:
        layout.removeWidget(widget)
    area = _Area(panel)
    area.body.setLayout(layout)  # takes it from the panel
    layout.setContentsMargins(0, 0, 0, 0)
    whole = qt.QVBoxLayout()
    whole.setContentsMargins(0, 0, 0, 0)
    panel.setLayout(whole)
    whole.addWidget(area.widget, 1)
    for widget in pinned:
        whole.addWidget(widget)


class _Area(qt.QObject):
    """An area that scrolls up and down only: it is never narrower than its body.

    Args:
        panel: its parent.
    """

    def __init__(self, panel: Any) -> None:
        qt.QObject.__init__(self, panel)
        self.widget, self.body = qt.QScrollArea(panel), qt.QWidget()
        self.widget.setObjectName("panelScrollArea")
        self.widget.setWidgetResizable(True)
        self.widget.setFrameShape(qt.QFrame.NoFrame)
        self.widget.setFocusPolicy(qt.Qt.NoFocus)
        self.widget.setMinimumHeight(_LINES * panel.fontMetrics().height())
        self.widget.setWidget(self.body)
        self.body.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() == qt.QEvent.LayoutRequest:
            self.widget.setMinimumWidth(self.body.minimumSizeHint.width() + self.widget.verticalScrollBar().sizeHint.width())
        return False
