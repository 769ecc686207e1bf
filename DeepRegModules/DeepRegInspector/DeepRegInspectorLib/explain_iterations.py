"""A slider over the iterations that a Descent registration has kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

_MOVED = "deepRegMoved"


class Iterations:
    """A slider over the items of a sequence of transforms.

    Args:
        label, slider: the widgets; visible only if there is a sequence.
        jumped: is called with a text and the moving volume warped at the iteration, or None.
    """

    def __init__(self, label: Any, slider: Any, jumped: Callable[[str, Any], None]) -> None:
        self._label, self._slider, self._jumped = label, slider, jumped
        self._sequence: Any = None
        self._setting = False
        slider.connect("valueChanged(double)", self._onValue)
        self.setSequence(None)

    def setSequence(self, sequence: Any) -> None:
        """Offer the items of a sequence, or none."""
        self._sequence = sequence if self._browser(sequence) is not None else None
        there = self._sequence is not None
        self._label.setVisible(there)
        self._slider.setVisible(there)
        if there:
            self._setting = True
            self._slider.maximum = max(1, sequence.GetNumberOfDataNodes() - 1)
            self._slider.value = self._browser(sequence).GetSelectedItemNumber()
            self._setting = False

    def _browser(self, sequence: Any) -> Any:
        if sequence is None or not hasattr(slicer.modules, "sequences"):
            return None
        return slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(sequence)

    def _onValue(self, value: float) -> None:
        sequence = self._sequence
        browser = self._browser(sequence) if sequence is not None and sequence.GetScene() is not None else None
        if self._setting or browser is None:
            return
        number = min(int(round(value)), sequence.GetNumberOfDataNodes() - 1)
        browser.SetSelectedItemNumber(number)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        text = _("Iterations so far: {number} (kept: {place} of {count}).").format(
            number=sequence.GetNthIndexValue(number), place=number + 1, count=sequence.GetNumberOfDataNodes()
        )
        self._jumped(text, sequence.GetNodeReference(_MOVED))
