"""The section of the panel with the user's own models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_engine.models.card import ModelCard
from deepreg_slicer.feature_chooser import modelsChanged
from DeepRegTrainerLib import models
from DeepRegTrainerLib.session import TrainerSession


class ModelsSection:
    """Shows cards, writes models to files and reads them in.

    Args:
        ui: the widgets of the ``.ui`` file.
        session: choices of the panel.
    """

    def __init__(self, ui: Any, session: TrainerSession) -> None:
        self.ui, self._session = ui, session
        self._models: list[tuple[Path, ModelCard]] = []
        self._help = ui.exportButton.toolTip
        ui.modelComboBox.connect("currentIndexChanged(int)", lambda _index: self._showCard())
        ui.exportButton.connect("clicked(bool)", self._onExport)
        ui.importButton.connect("clicked(bool)", self._onImport)
        modelsChanged.connect(self.fill)
        self.fill()

    def cleanup(self) -> None:
        """Disconnect from objects that outlive the panel."""
        modelsChanged.disconnect(self.fill)

    def fill(self) -> None:
        """List the models; a new one is selected."""
        box = self.ui.modelComboBox
        before = [path for path, _card in self._models]
        chosen = self._chosen()
        self._models = models.ownModels()
        blocked = box.blockSignals(True)
        box.clear()
        for path, card in self._models:
            box.addItem(card.name, str(path))
        new = [path for path, _card in self._models if before and path not in before]
        wanted = new[-1] if new else chosen[0] if chosen is not None else None
        index = box.findData(str(wanted)) if wanted is not None else -1
        box.setCurrentIndex(index if index >= 0 else 0)
        box.blockSignals(blocked)
        self._showCard()

    def _chosen(self) -> tuple[Path, ModelCard] | None:
        index = self.ui.modelComboBox.currentIndex
        return self._models[index] if 0 <= index < len(self._models) else None

    def _showCard(self) -> None:
        chosen = self._chosen()
        self.ui.cardLabel.text = models.described(chosen[1]) if chosen is not None else _("There are no models of your own yet.")
        self.ui.exportButton.setEnabled(chosen is not None)
        self.ui.exportButton.toolTip = self._help if chosen is not None else _("There are no models of your own yet.")

    def _onExport(self, *_arguments: Any) -> None:
        path, _card = self._chosen()
        target = qt.QFileDialog.getSaveFileName(None, _("Export model"), path.name, _("Models (*.safetensors)"))
        if not target:
            return
        target = target if target.endswith(".safetensors") else f"{target}.safetensors"
        try:
            if Path(target).resolve() != path.resolve():
                models.export(path, target)
        except OSError as error:
            slicer.util.errorDisplay(
                _("Cannot write {path}: {reason}.").format(path=target, reason=error.strerror or error), windowTitle=_("Export model")
            )
            return
        self._session.logged.emit(_("written: {path}").format(path=target))

    def _onImport(self, *_arguments: Any) -> None:
        file = qt.QFileDialog.getOpenFileName(None, _("Import model"), "", _("Models (*.safetensors *.pth)"))
        if not file:
            return
        job = models.adopt(self._session.client, file)
        job.finished.connect(lambda result: self._session.logged.emit(_("imported: {name}").format(name=result["card"]["name"])))
        job.failed.connect(lambda error: slicer.util.errorDisplay(error.text, windowTitle=_("Import model")))
