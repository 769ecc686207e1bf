"""The choice of the features that a method compares: a formula, a trained model, or a model file."""

from __future__ import annotations

import os
from collections.abc import Iterable

import qt
from slicer.i18n import tr as _

from deepreg_engine.features.registry import features
from deepreg_engine.models.folders import shipped_folder
from deepreg_engine.models.store import list_models
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.signals import Signal

#: Emitted when one of the user's own models was added or removed: all choosers are filled again.
modelsChanged = Signal()


def generalFeatures() -> list[tuple[str, str]]:
    """Return name and title of the features that suit every method for images: formulas, and shipped models with a formula's weights."""
    shipped = [model.card for model in list_models() if model.card and model.path.parent == shipped_folder()]
    names = {card.architecture: card.name for card in shipped}
    found = []
    for feature in features("images"):
        if not feature.learned:
            found.append((feature.name, engineText(feature.title)))
        elif feature.follows_warp and feature.name in names:
            found.append((names[feature.name], engineText(feature.title)))
    return found


def modelNames(method: str) -> list[tuple[str, str]]:
    """Return name and intended use of each model whose features a method can compare."""
    cards = [model.card for model in list_models() if model.card and model.card.method == method]
    return [(card.name, card.intended_use or card.origin) for card in cards]


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
            if box.findData(name) < 0:  # a model that is already offered under a title
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
