"""Shared state of the sections of the Inspector's panel: the parameter node, the worker, the status line, and the other sections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import slicer

from deepreg_slicer.timers import makeTimer, releaseTimer
from deepreg_slicer.worker_client import workerClient

if TYPE_CHECKING:
    from DeepRegInspectorLib.sections.base import Section

#: Inputs by their names in the parameter node; the panel notifies its sections when one of them changes.
INPUTS = (
    "transform",
    "otherTransform",
    "inverseTransform",
    "fixedVolume",
    "movingVolume",
    "fixedPoints",
    "movingPoints",
    "fixedLabels",
    "movingLabels",
)


class InspectorContext:
    """Shared by the sections of one panel.

    Args:
        ui: the widgets of the module's ``.ui`` file.
        logic: of the module.
        moduleName: of the module.

    Attributes:
        node: the current parameter node (``DeepRegInspectorLib.parameters``), None without one; its ``transform``, ``fixedVolume``
            and so on are the inputs.
        client: the worker.
        sections: all sections by their names.
        updating: whether the panel itself is setting widgets and parameters; slots ignore signals meanwhile.
    """

    def __init__(self, ui: Any, logic: Any, moduleName: str) -> None:
        self.ui, self.logic, self.moduleName = ui, logic, moduleName
        self.node: Any = None
        self.client = workerClient()
        self.sections: dict[str, Section] = {}
        self.updating = False
        self._timer = makeTimer(0, self.refresh, once=True)

    def transforms(self) -> list[Any]:
        """Return the chosen transforms: the first, and the one it is compared with."""
        chosen = (self.node.transform, self.node.otherTransform) if self.node is not None else ()
        return [transform for transform in chosen if transform is not None]

    def volumes(self) -> bool:
        """Return whether both volumes are chosen."""
        return self.node is not None and self.node.fixedVolume is not None and self.node.movingVolume is not None

    def set(self, name: str, value: Any) -> None:
        """Set a parameter to the choice of the user."""
        if self.node is not None and not self.updating:
            setattr(self.node, name, value)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Within, the panel itself sets widgets or parameters."""
        self.updating, before = True, self.updating
        try:
            yield
        finally:
            self.updating = before

    def showStatus(self, text: str) -> None:
        """Show a line below the parameter set about what was done; "" hides it."""
        self.ui.statusLabel.text = text[:1].upper() + text[1:]
        self.ui.statusLabel.setVisible(bool(text))

    # ----------------------------------------------------------------- refresh

    @property
    def waiting(self) -> bool:
        """Whether a refresh is pending."""
        return self._timer.isActive()

    def refreshSoon(self) -> None:
        """Refresh all sections after the pending events."""
        self._timer.start()

    def refresh(self) -> None:
        """Refresh all sections now."""
        self._timer.stop()
        if self.node is None or slicer.mrmlScene.IsClosing():
            return
        for section in self.sections.values():
            section.refresh()
        self.enable()

    def enable(self) -> None:
        """Let all sections enable the widgets that can be used."""
        if self.node is not None:
            for section in self.sections.values():
                section.enable()

    def stop(self) -> None:
        """Cancel a pending refresh."""
        self._timer.stop()

    def cleanup(self) -> None:
        """Clean up when the panel is destroyed."""
        releaseTimer(self._timer)
