"""The bodies of the fixed and of the moving volume, before and after the registration, in 3D views."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from deepreg_slicer.body_surface import bodySurface
from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.parents import shownThrough
from deepreg_slicer.request import inScene
from deepreg_slicer.temporary import removeNodes, temporaryNode

_CHOICES = (
    ("both", _("Body before and after"), _("Grey: fixed volume; orange: moving volume before, blue: after the registration.")),
    ("before", _("Body before"), _("Grey: fixed volume; orange: moving volume before the registration.")),
    ("after", _("Body after"), _("Grey: fixed volume; blue: moving volume after the registration.")),
    ("none", _("nothing"), _("No surface in the 3D views.")),
)
# Colour, opacity, and the choices with which it is shown.
_SHOWN_AS = {
    "fixed": ((0.85, 0.85, 0.85), 0.3, ("both", "before", "after")),
    "before": ((0.9, 0.45, 0.04), 0.35, ("both", "before")),
    "after": ((0.16, 0.45, 0.94), 0.45, ("both", "after")),
}


class SurfacesShown:
    """The row for 3D views in the section Look.

    Args:
        ui: the widgets of the panel.
    """

    def __init__(self, ui: Any) -> None:
        self._box = ui.surfaceComboBox
        self._choice = ChoiceBox(self._box, _CHOICES)
        self._choice.changed.connect(lambda _value: self._onChosen())
        self._volumes: dict[str, Any] = {}
        self._nodes: list[Any] = []
        self._displays: dict[str, Any] = {}
        self._work: Cooperative | None = None
        self._shown = self._resting = False
        self._box.setEnabled(False)

    @property
    def busy(self) -> bool:
        """Whether surfaces are being computed."""
        return self._work is not None

    def offer(self, fixed: Any, registered: Any, moving: Any) -> None:
        """Choose the volumes; None for one that does not exist."""
        volumes = {name: node for name, node in (("fixed", fixed), ("before", moving), ("after", registered)) if inScene(node)}
        if volumes != self._volumes:
            self.clear()
            self._volumes = volumes
        self._box.setEnabled(len(volumes) > 1)

    def show(self) -> None:
        """Show the surfaces that are chosen; they are computed in pieces."""
        self.rest()
        self._resting = False
        if self._chosen == "none" or len(self._volumes) < 2 or slicer.app.layoutManager() is None:
            return
        self._shown = True
        self._work = Cooperative(self._make())
        self._work.finished.connect(self._onMade)
        self._work.failed.connect(self._onMade)
        self._work.start()

    def rest(self) -> None:
        """Remove the surfaces."""
        self._resting, self._shown = self._resting or self._shown, False
        if self._work is not None:
            self._work.stop()
            self._work = None
        removeNodes(self._nodes)
        self._displays = {}

    def resume(self) -> None:
        """Show again what :meth:`rest` has removed."""
        if self._resting:
            self.show()

    def clear(self) -> None:
        """Remove the surfaces, and forget the volumes."""
        self.rest()
        self._resting, self._volumes = False, {}
        self._box.setEnabled(False)

    def _make(self) -> Generator[float, None, None]:
        for name, volume in list(self._volumes.items()):
            surface = yield from bodySurface(volume, shownThrough(volume) if name == "before" else None)
            display, model = temporaryNode("vtkMRMLModelDisplayNode", name), temporaryNode("vtkMRMLModelNode", name)
            self._nodes += [display, model]
            self._displays[name] = display
            colour, opacity, _choices = _SHOWN_AS[name]
            display.SetColor(*colour)
            display.SetOpacity(opacity)
            display.SetVisibility2D(False)
            display.SetBackfaceCulling(False)
            model.SetAndObservePolyData(surface)
            model.SetAndObserveDisplayNodeID(display.GetID())
            self._apply()
            yield 1.0

    def _onMade(self, _outcome: Any) -> None:
        self._work = None
        if self._chosen == "both" and self._apart():  # both at once would be two specks
            self._choice.show("after")
            self._apply()
        resetViews()

    @property
    def _chosen(self) -> str:
        return self._box.itemData(self._box.currentIndex)

    def _apart(self) -> bool:
        """Return whether the bodies lie apart before the registration, as those of two scanners may."""
        models = {node.GetName(): node for node in self._nodes if node.IsA("vtkMRMLModelNode") and inScene(node)}
        if not {"fixed", "before"} <= set(models):
            return False
        bounds = np.zeros((2, 6))
        for row, name in zip(bounds, ("fixed", "before"), strict=True):
            models[name].GetRASBounds(row)
        return bool((bounds[:, ::2].max(axis=0) > bounds[:, 1::2].min(axis=0)).any())

    def _onChosen(self) -> None:
        chosen = self._chosen
        if chosen == "none":
            self.rest()
            self._resting = False
        elif self._displays:
            self._apply()
        else:
            self.show()

    def _apply(self) -> None:
        chosen = self._chosen
        for name, display in self._displays.items():
            if inScene(display):
                display.SetVisibility(chosen in _SHOWN_AS[name][2])


def resetViews() -> None:
    """Let the 3D views show all that is in them."""
    manager = slicer.app.layoutManager()
    for number in range(manager.threeDViewCount if manager is not None else 0):
        manager.threeDWidget(number).threeDView().resetFocalPoint()
        manager.threeDWidget(number).threeDView().resetCamera()
