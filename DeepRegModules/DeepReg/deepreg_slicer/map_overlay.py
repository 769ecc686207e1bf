"""Maps of a result over the fixed volume, in colours with a legend: expected error, uncertainty, Jacobian, displacement."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from deepreg_engine.methods.slots import slots
from deepreg_slicer.confidence import RELIABILITIES, unreliable
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.length_colors import barOf, lengthRamp
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.request import inScene
from deepreg_slicer.signals import Signal
from deepreg_slicer.temporary import removeNodes, temporaryCopy, temporaryNode

_SHADES = 256
# Ends of a Jacobian's range of colours, from which the least that covers nearly all values is chosen: 1 minus and plus this.
_SPANS = (0.1, 0.2, 0.5, 1.0)
_SAMPLE = 500_000
# Blue where the fixed side is larger, dark where nothing changes, so that the image is visible, orange where it is smaller.
_CHANGES = np.array([[150, 215, 255], [40, 110, 255], [10, 10, 12], [230, 115, 10], [255, 210, 90]]) / 255.0


class MapOverlay:
    """The row for maps in the section Look.

    Args:
        ui: the widgets of the panel.

    Signals: ``changed()``, when the user has chosen another map.
    """

    def __init__(self, ui: Any) -> None:
        self.changed = Signal()
        self._box = ui.mapComboBox
        self._maps: dict[str, Any] = {}
        self._chosen = ""
        self._nodes: list[Any] = []
        self._display: Any = None
        self._copy: Any = None
        self._box.connect("activated(int)", self._onChosen)
        self._fill()

    @property
    def node(self) -> Any:
        """The map that is shown, as a temporary copy with colours of its own; None for no map."""
        original = self._maps.get(self._chosen)
        if not inScene(original):
            return None
        if self._copy is None or not inScene(self._copy):
            self._make(self._chosen, original)
        return self._copy

    def offer(self, transform: Any) -> None:
        """Offer the maps that were made in the run of a transform; None offers no map."""
        maps = mapsOf(transform) if transform is not None else {}
        if maps != self._maps:
            self.rest()
            self._maps = maps
            self._chosen = self._chosen if self._chosen in maps else ""
            self._fill()

    def show(self) -> None:
        """Show the legend of the map."""
        bar = barOf(self._display, create=True)
        if bar is not None:
            bar.SetSaveWithScene(False)
            bar.SetTitleText(_titles().get(self._chosen, ""))
            bar.SetLabelFormat("%.2f" if self._chosen == "jacobian" else "%.1f")
            bar.SetNumberOfLabels(5)
            bar.SetMaxNumberOfColors(_SHADES)
            bar.SetSize(0.1, 0.32)
            bar.SetPosition(0.96, 0.88)
            bar.SetVisibility(True)
            # Slice views find the volumes that they show at the end of a batch; a volume that was made since the last one is not found yet.
            slicer.mrmlScene.StartState(slicer.vtkMRMLScene.BatchProcessState)
            slicer.mrmlScene.EndState(slicer.vtkMRMLScene.BatchProcessState)

    def rest(self) -> None:
        """Remove the copy of the map and its legend."""
        bar = barOf(self._display) if inScene(self._display) else None
        if bar is not None:
            slicer.mrmlScene.RemoveNode(bar)
        removeNodes(self._nodes)
        self._copy = self._display = None

    def clear(self) -> None:
        """Forget all maps."""
        self.rest()
        self._maps, self._chosen = {}, ""
        self._fill()

    def _fill(self) -> None:
        self._box.clear()
        self._box.addItem(_("none"), "")
        for name in self._maps:
            self._box.addItem(_titles()[name], name)
        self._box.setCurrentIndex(max(0, self._box.findData(self._chosen)))
        self._box.setEnabled(bool(self._maps))
        help_ = _("Colours over the fixed volume; the slider changes their opacity.")
        self._box.toolTip = help_ if self._maps else _("There is no map: tick one under Outputs, and apply.")

    def _onChosen(self, index: int) -> None:
        self.rest()
        self._chosen = self._box.itemData(index) or ""
        self.changed.emit()

    def _make(self, name: str, original: Any) -> None:
        self.rest()
        self._copy, self._display = temporaryCopy(original)
        low, high, colours = _rangeOf(name, original)
        table = temporaryNode("vtkMRMLColorTableNode", _titles()[name])
        table.SetTypeToUser()
        table.SetNumberOfColors(_SHADES)
        for number, colour in enumerate(colours):
            table.SetColor(number, str(number), *(float(part) for part in colour), 1.0)
        self._display.SetAutoWindowLevel(False)
        self._display.SetWindowLevelMinMax(low, high)
        self._display.SetAndObserveColorNodeID(table.GetID())
        self._nodes = [table, self._display, self._copy]


def mapsOf(transform: Any) -> dict[str, Any]:
    """Return the maps that were made in the run of a transform: name of the slot to node, in the order of the slots."""
    created = transform.GetAttribute(f"{PREFIX}Created")
    if not created:
        return {}
    made = {
        node.GetAttribute(f"{PREFIX}Output"): node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if node.GetAttribute(f"{PREFIX}Created") == created
    }
    return {slot.name: made[slot.node] for slot in slots(kinds=("map",)) if slot.node in made}


def _titles() -> dict[str, str]:
    """Return the titles of the maps, with units."""
    titles = {slot.name: engineText(slot.title) for slot in slots(kinds=("map",))}
    known = {"jacobian": _("Jacobian"), "magnitude": _("displacement (mm)"), "uncertainty": _("uncertainty (mm)")}
    return {**titles, **known, "expected_error": _("expected error (mm)")}


def _rangeOf(name: str, node: Any) -> tuple[float, float, np.ndarray]:
    """Return the ends of the range of colours of a map, and the colours (N, 3)."""
    values = vtk_to_numpy(node.GetImageData().GetPointData().GetScalars())
    sample = values[:: max(1, values.size // _SAMPLE)]
    places = np.linspace(0.0, 1.0, _SHADES)
    if name == "jacobian":
        most = float(np.percentile(np.abs(sample - 1.0), 99.5))
        span = next((span for span in _SPANS if most <= span), _SPANS[-1])
        stops = np.linspace(0.0, 1.0, len(_CHANGES))
        return 1.0 - span, 1.0 + span, np.stack([np.interp(places, stops, channel) for channel in _CHANGES.T], axis=1)
    if name == "expected_error":
        stops = np.linspace(0.0, 1.0, len(RELIABILITIES))
        return 0.0, unreliable(node), np.stack([np.interp(places, stops, channel) for channel in RELIABILITIES.T], axis=1)
    longest = max(float(np.percentile(sample, 99.0)), 0.1)
    ramp = lengthRamp(1.0)
    return 0.0, longest, np.array([ramp.GetColor(place) for place in places.tolist()])
