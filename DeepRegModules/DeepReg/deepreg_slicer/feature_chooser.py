"""Chooses what a method compares: a formula, a trained model, or a model file."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from deepreg_engine.methods.common.parameters import SHIPPED_CT, SHIPPED_FEATURES
from deepreg_slicer.signals import Signal

#: Name and title of features that are the same formula for all images; the numbers of the second and third are learned.
FORMULAS = (
    ("mind", "MIND (any contrast)"),
    (SHIPPED_FEATURES, "self-similarity (learned, any contrast)"),
    (SHIPPED_CT, "CT tissue (learned, CT alone)"),
    ("intensity", "intensity (same contrast)"),
)
_LARGEST_HEADER = 10_000_000
#: Emitted when a model of the user's own has come or gone: all choosers offer what there is then.
modelsChanged = Signal()


def readCard(path: str | os.PathLike) -> dict[str, Any] | None:
    """The card in the header of a model file, read without the package safetensors; None if it has none."""
    try:
        with open(path, "rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _LARGEST_HEADER:
                return None
            return json.loads(json.loads(stream.read(length))["__metadata__"]["deepreg"])
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


def modelFolders() -> list[Path]:
    """Where models lie: the shipped ones, then the user's own."""
    from deepreg_engine.models.folders import own_folder, shipped_folder

    return [shipped_folder(), own_folder()]


def modelNames(method: str) -> list[tuple[str, str]]:
    """Name, and what is said of it, of each model that gives a method features of images."""
    found = []
    for folder in modelFolders():
        for path in sorted(folder.glob("*.safetensors")):
            card = readCard(path)
            if card and card.get("method") == method:
                found.append((str(card["name"]), str(card.get("intended_use") or card.get("origin") or "")))
    return found


class FeatureChooser:
    """A combo box for a parameter that names features.

    Args:
        method: whose models are offered.
        formulas: name and title of what is offered without a model; the first is shown at first.

    Attributes:
        widget: the combo box.

    Signals: ``changed(name)``, when the user has chosen.
    """

    def __init__(self, method: str, formulas: tuple[tuple[str, str], ...] = FORMULAS) -> None:
        self.changed = Signal()
        self.widget = qt.QComboBox()
        self.widget.objectName = "featuresParameter"
        self._method = method
        self._formulas = formulas
        self._name = formulas[0][0]
        self.fill()
        self.widget.connect("activated(int)", self._onActivated)
        modelsChanged.connect(self.fill)

    def cleanup(self) -> None:
        """Follow nothing any more."""
        modelsChanged.disconnect(self.fill)

    def fill(self) -> None:
        """Offer what there is now."""
        box = self.widget
        box.clear()
        for name, title in self._formulas:
            box.addItem(title, name)
        for name, about in modelNames(self._method):
            if box.findData(name) < 0:  # one that a method names itself has its title
                box.addItem(name, name)
            box.setItemData(box.findData(name), about, qt.Qt.ToolTipRole)
        box.addItem(_("model file..."), "")
        self.show(self._name)

    def show(self, name: str) -> None:
        """Show a name; one that is not offered, such as a file's, is added."""
        self._name = name
        box = self.widget
        index = box.findData(name)
        if index < 0:
            box.insertItem(box.count - 1, os.path.basename(name) or name, name)
            index = box.findData(name)
            box.setItemData(index, name, qt.Qt.ToolTipRole)
        box.setCurrentIndex(index)

    def _onActivated(self, index: int) -> None:
        name = self.widget.itemData(index)
        if not name:
            name = qt.QFileDialog.getOpenFileName(None, _("Model file"), "", _("Models (*.safetensors)")) or self._name
        self.show(name)
        self.changed.emit(name)
