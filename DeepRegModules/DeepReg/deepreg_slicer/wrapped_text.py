"""Labels of several lines that keep their full height; a layout without enough space would cut them."""

from __future__ import annotations

from typing import Any

import qt


class WrappedText(qt.QObject):
    """Keeps labels as high as their text needs at their width.

    Args:
        labels: with word wrap.
    """

    def __init__(self, *labels: Any) -> None:
        qt.QObject.__init__(self, labels[0].parentWidget())
        self._labels = labels
        for label in labels:
            label.installEventFilter(self)
            self.fit(label)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() == qt.QEvent.Resize:
            self.fit(watched)
        return False

    def refit(self) -> None:
        """Adjust all labels after a change of their texts."""
        for label in self._labels:
            self.fit(label)

    def fit(self, label: Any) -> None:
        """Give a label the height that its text needs."""
        fitHeight(label)


def fitHeight(label: Any) -> None:
    """Give a label with word wrap the height that its text needs at its present width."""
    label.setMinimumHeight(0)  # heightForWidth is at least the minimal height
    if label.text:
        label.setMinimumHeight(max(0, label.heightForWidth(label.width)))
