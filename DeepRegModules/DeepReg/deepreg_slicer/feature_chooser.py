"""The choice of the features that a method compares: a formula, a trained model, or a model file."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from deepreg_engine.features.registry import features
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.signals import Signal

_LARGEST_HEADER = 10_000_000
#: Emitted when one of the user's own models was added or removed: all choosers are filled again.
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
    """Folders of models: of the shipped ones, then of the user's own."""
    from deepreg_engine.models.folders import own_folder, shipped_folder

    return [shipped_folder(), own_folder()]


def generalFeatures() -> list[tuple[str, str]]:
    """Name and title of the features of images that suit every method: formulas, and shipped models with the weights of a formula."""
    shipped = [readCard(path) for path in sorted(modelFolders()[0].glob("*.safetensors"))]
    names = {card["architecture"]: str(card["name"]) for card in shipped if card}
    found = []
    for feature in features("images"):
        if not feature.learned:
            found.append((feature.name, engineText(feature.title)))
        elif feature.follows_warp and feature.name in names:
            found.append((names[feature.name], engineText(feature.title)))
    return found


def modelNames(method: str) -> list[tuple[str, str]]:
    """Name and intended use of each model whose features a method can compare."""
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
        method: name of the method whose models are offered.
        general: name and title of the features that are offered besides models; those of :func:`generalFeatures` by default. The first is
            the initial choice.

    Attributes:
        widget: the combo box.

    Signals: ``changed(name)``, when the user has chosen.
    """

    def __init__(self, method: str, general: Iterable[tuple[str, str]] = ()) -> None:
        self.changed = Signal()
        self.widget = qt.QComboBox()
        self.widget.objectName = "featuresParameter"
        self._method = method
        self._general = list(general) or generalFeatures()
        self._name = self._general[0][0]
        self.fill()
        self.widget.connect("activated(int)", self._onActivated)
        modelsChanged.connect(self.fill)

    def cleanup(self) -> None:
        """Remove all observers."""
        modelsChanged.disconnect(self.fill)

    def fill(self) -> None:
        """Offer the features that exist now."""
        box = self.widget
        box.clear()
        for name, title in self._general:
            box.addItem(title, name)
        for name, about in modelNames(self._method):
            if box.findData(name) < 0:  # one that is named above has its title
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
