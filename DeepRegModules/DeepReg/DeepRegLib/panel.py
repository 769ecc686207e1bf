"""The set-up panel."""

from __future__ import annotations

import html
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_engine.features.registry import features
from deepreg_engine.packages import OLDEST
from deepreg_slicer.appearance import BAD, GOOD, PLAIN, keepHeading, setTone
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.feature_chooser import modelsChanged
from deepreg_slicer.torch_state import damagedPackages, missingPackages, outdatedPackages, torchVersion
from deepreg_slicer.wheel_guard import WheelGuard
from deepreg_slicer.worker_client import JobError, workerClient
from deepreg_slicer.worker_job import Job
from DeepRegLib import installation, samples

_COLUMNS = (_("Name"), _("Method"), _("Licence"), _("State"))


class SetupPanel:
    """Computing, self-test, sample data, models.

    Args:
        ui: the widgets of the ``.ui`` file.
    """

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self.client = workerClient()
        self.client.acquire(self)
        self.client.busyChanged.connect(self._onBusy)
        modelsChanged.connect(self.listModels)
        self._jobs: list[Job] = []
        self.models: list[dict[str, Any]] = []
        self._info: dict[str, Any] | None = None
        self._installed = ""  # what the last installation has reported
        for title, *_rest in samples.PHANTOMS:
            ui.phantomComboBox.addItem(title)
        ui.selfTestProgressBar.setRange(0, 100)
        ui.selfTestProgressBar.setVisible(False)
        ui.modelsTable.setColumnCount(len(_COLUMNS))
        ui.modelsTable.setHorizontalHeaderLabels(list(_COLUMNS))
        ui.modelsTable.verticalHeader().setVisible(False)
        header = ui.modelsTable.horizontalHeader()
        for column in range(len(_COLUMNS)):
            last = column == len(_COLUMNS) - 1
            header.setSectionResizeMode(column, qt.QHeaderView.Stretch if last else qt.QHeaderView.ResizeToContents)
        keepHeading(ui.modelsTable, len(_COLUMNS) - 1)
        ui.modelsTable.setWordWrap(False)
        self._wheelGuard = WheelGuard(ui.computingCollapsibleButton.parentWidget())
        ui.installButton.connect("clicked(bool)", self.install)
        ui.refreshButton.connect("clicked(bool)", self.refresh)
        ui.selfTestButton.connect("clicked(bool)", self.selfTest)
        ui.makePhantomButton.connect("clicked(bool)", self.makePhantom)
        ui.importModelButton.connect("clicked(bool)", self.importModel)
        ui.verifyModelsButton.connect("clicked(bool)", self.listModels)
        ui.modelsTable.connect("itemSelectionChanged()", self._showModel)
        for label in (ui.selfTestLabel, ui.modelLabel):
            _show(label, "")
        self._explain("")
        self._showState()
        self._fillModels()

    def enter(self) -> None:
        """Ask the worker once for versions and devices when the panel is shown, without waiting for the answer."""
        self._showState()
        if self._info is None and not self.client.busy and not missingPackages():
            self.refresh()

    def cleanup(self) -> None:
        """Remove all observers and disconnect all jobs, because the worker may answer after the panel's widgets were deleted."""
        for job in self._jobs:
            job.disconnectAll()
        self.client.busyChanged.disconnect(self._onBusy)
        modelsChanged.disconnect(self.listModels)
        self.client.release(self)

    # ------------------------------------------------------------------ worker

    def _submit(self, operation: str, arguments: dict[str, Any]) -> Job:
        """Give the worker a job for this panel."""
        self._jobs = [job for job in self._jobs if not job.over]
        self._jobs.append(self.client.submit(operation, arguments))
        return self._jobs[-1]

    def _onBusy(self, _busy: bool) -> None:
        for name in ("selfTestButton", "makePhantomButton", "importModelButton", "verifyModelsButton", "refreshButton"):
            getattr(self.ui, name).setEnabled(not self.client.computing)

    # --------------------------------------------------------------- computing

    def refresh(self, *_arguments: Any) -> None:
        """Ask the worker for versions, devices, memory and models."""
        self._showState()
        self.ui.deviceLabel.text = _("asking...")
        job = self._submit("info", {})
        job.finished.connect(self._onInfo)
        job.failed.connect(self._onInfoFailed)
        self.listModels()

    def _onInfo(self, info: dict[str, Any]) -> None:
        self._info = info
        self._showState()
        if info.get("missing") and not missingPackages():  # what counts is what the worker finds
            names = installation.titles(info["missing"])
            self._explain(_("The computing process cannot find {names}: restart the application.").format(names=names))

    def _onInfoFailed(self, error: JobError) -> None:
        self.ui.deviceLabel.text = "-"
        self._showState()
        self._explain(self._textOf(error))

    def _textOf(self, error: JobError) -> str:
        """Return an error as sentences; for a damaged package the advice is the button of this panel."""
        if error.option not in damagedPackages():
            return error.text
        return JobError(error.code, error.message, _("press {button}").format(button=self.ui.installButton.text.rstrip("."))).text

    def _showState(self) -> None:
        ui, info, missing, damaged = self.ui, self._info, missingPackages(), damagedPackages()
        outdated, version = outdatedPackages(), torchVersion()
        again = [*damaged, *(name for name in outdated if name not in damaged)]
        ui.torchLabel.text = _("not installed") if "torch" in missing or version is None else version
        if "torch" in damaged:
            ui.torchLabel.text = _("{version}, damaged").format(version=version)
        if "torch" in outdated:
            ui.torchLabel.text = _("{version}, too old").format(version=version)
        ui.installButton.setEnabled(bool(missing or again))
        names = "PyTorch" if "torch" in missing or not missing else ", ".join(missing)
        ui.installButton.text = _("Install {names}...").format(names=names)
        if again:
            ui.installButton.text = _("Reinstall {names}...").format(names=installation.titles([*again, *missing]))
        if outdated:
            needed = ", ".join(f"{installation.titles([name])} {OLDEST[name]}" for name in outdated)
            self._explain(_("Too old: {names}. At least {needed} is needed.").format(names=installation.titles(outdated), needed=needed))
        elif damaged:
            self._explain(_("Damaged: {names}. The modules open, but cannot compute.").format(names=installation.titles(damaged)))
        elif missing:
            self._explain(_("Missing: {names}. The modules open, but cannot compute.").format(names=", ".join(missing)))
        elif info is not None:
            self._explain(self._installed)
        if info is None:
            from deepreg_engine import __version__

            ui.engineLabel.text = __version__
            return
        ui.engineLabel.text = _("{engine}, Python {python}").format(**info)
        self._showDevices(info)

    def _showDevices(self, info: dict[str, Any]) -> None:
        """Show the best device and the memory."""
        ui, best = self.ui, info["devices"][-1]
        ui.deviceLabel.text = (
            engineText(best["title"])
            if best["name"] != "cpu"
            else _("CPU (cores: {n}); no graphics card was found that PyTorch can use").format(n=info["processors"])
        )
        texts = []
        if info["memory"]:
            texts.append(_("{available:.1f} of {total:.1f} GB free").format(**{k: v / 1e9 for k, v in info["memory"].items()}))
        if best["memory"]:
            texts.append(
                _("on the graphics card {available:.1f} of {total:.1f} GB").format(**{k: v / 1e9 for k, v in best["memory"].items()})
            )
        ui.memoryLabel.text = "; ".join(texts) or "-"

    def _explain(self, text: str, details: str = "") -> None:
        _show(self.ui.explanationLabel, text)
        self.ui.detailsLabel.text = details
        self.ui.detailsGroupBox.setVisible(bool(details))
        self.ui.detailsGroupBox.collapsed = True

    def install(self, *_arguments: Any) -> None:
        """Install what is missing, after asking."""
        with slicer.util.tryWithErrorDisplay(_("The installation failed."), waitCursor=False):
            outcome = installation.install()
            self.client.stop()  # the next worker finds the new packages
            self._info, self._installed = None, outcome.text if outcome.installed else ""
            self._showState()
            if outcome.installed:
                self.refresh()
            self._explain(outcome.text, outcome.details)

    # --------------------------------------------------------------- self-test

    def selfTest(self, *_arguments: Any) -> None:
        """Register a small pair, and show whether the result is right."""
        ui = self.ui
        self._installed = ""
        _show(ui.selfTestLabel, _("starting..."))
        setTone(ui.selfTestLabel, PLAIN)
        ui.selfTestProgressBar.setValue(0)
        ui.selfTestProgressBar.setVisible(True)
        job = self._submit("self-test", {})
        job.progressed.connect(self._onSelfTestProgress)
        job.finished.connect(self._onSelfTested)
        job.failed.connect(self._onSelfTestFailed)

    def _onSelfTestProgress(self, fraction: float, stage: str, _left: float | None) -> None:
        self.ui.selfTestProgressBar.setValue(round(100 * fraction))
        self.ui.selfTestLabel.text = stage

    def _onSelfTested(self, result: dict[str, Any]) -> None:
        if result["passed"]:
            self._showTested(_("All works. {summary}.").format(summary=result["summary"]), GOOD)
        else:
            self._showTested(_("Something is wrong: {problems}.").format(problems="; ".join(result["problems"])), BAD)

    def _onSelfTestFailed(self, error: JobError) -> None:
        self._showState()
        self._showTested(self._textOf(error), BAD)

    def _showTested(self, text: str, tone: str) -> None:
        self.ui.selfTestProgressBar.setVisible(False)
        _show(self.ui.selfTestLabel, text)
        setTone(self.ui.selfTestLabel, tone)

    # ------------------------------------------------------------- sample data

    def makePhantom(self, *_arguments: Any) -> None:
        """Make a synthetic pair and load it."""
        title, anatomy, modalities = samples.PHANTOMS[self.ui.phantomComboBox.currentIndex]
        self.ui.sampleLabel.text = _("Making {title}...").format(title=title)
        try:
            nodes = samples.makePhantom(anatomy, self.ui.seedSpinBox.value, modalities)
        except RuntimeError as error:
            self.ui.sampleLabel.text = str(error)
            return
        self.ui.sampleLabel.text = _("Loaded: {names}.").format(names=", ".join(node.GetName() for node in nodes.values()))

    # ------------------------------------------------------------------ models

    def listModels(self, *_arguments: Any) -> None:
        """Ask the worker for all models and their state."""
        job = self._submit("models", {})
        job.finished.connect(self._onModels)
        job.failed.connect(lambda error: _show(self.ui.modelLabel, error.text))

    def _onModels(self, result: dict[str, Any]) -> None:
        self.models = result["models"]
        self._fillModels()
        _show(self.ui.modelLabel, _("Models of your own are kept in {folder}.").format(folder=result["own_folder"]))

    def _rows(self) -> list[tuple[tuple[str, ...], str]]:
        """Return cells and detail of each row."""
        rows = [
            ((feature.name, _("any"), "-", _("OK, built in")), _described((_("Origin"), feature.origin), (_("For"), feature.intended_use)))
            for feature in features("images")
            if not feature.learned
        ]
        for model in self.models:
            card = model["card"]
            if card is None:
                rows.append(((model["path"], "?", "?", _("damaged")), engineText(model["problem"])))
                continue
            state = model["problem"] and _("damaged") or (_("OK, built in") if model["shipped"] else _("OK"))
            rows.append(((card["name"], card["method"], card["licence"] or "?", state), _details(card, model)))
        return rows

    def _fillModels(self) -> None:
        table = self.ui.modelsTable
        rows = self._rows()
        table.setRowCount(len(rows))
        for number, (cells, _detail) in enumerate(rows):
            for column, text in enumerate(cells):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(text)
                table.setItem(number, column, item)
        table.resizeRowsToContents()

    def _showModel(self) -> None:
        row = self.ui.modelsTable.currentRow()
        rows = self._rows()
        if 0 <= row < len(rows):
            _show(self.ui.modelLabel, rows[row][1])

    def importModel(self, *_arguments: Any) -> None:
        """Add a model file to the user's own."""
        path = qt.QFileDialog.getOpenFileName(None, _("Import model"), "", _("Models (*.safetensors *.pth)"))
        if not path:
            return
        job = self._submit("import-model", {"file": path})
        job.finished.connect(lambda _result: modelsChanged.emit())
        job.failed.connect(lambda error: slicer.util.errorDisplay(error.text, windowTitle=_("Import model")))


def _show(label: Any, text: str) -> None:
    """Give a label a text; without one it is hidden."""
    label.text = text
    label.setVisible(bool(text))


def _details(card: dict[str, Any], model: dict[str, Any]) -> str:
    """Return a model's card as text."""
    lines = (
        (_("Origin"), card["origin"]),
        (_("Licence"), card["licence"]),
        (_("Trained on"), card["training_data"]),
        (_("Date"), card["date"]),
        (_("For"), card["intended_use"]),
        (_("Figures"), ", ".join(f"{name}: {value}" for name, value in card["figures"].items())),
        (_("Checksum"), engineText(model["problem"]) or _("OK ({digest})").format(digest=card["sha256"][:12])),
    )
    return _described(*lines)


def _described(*lines: tuple[str, str]) -> str:
    """Return the lines of rich text, each of a name and an engine's text; those without a text are left out."""
    return "<br>".join(f"<b>{html.escape(name)}:</b> {html.escape(engineText(str(text)))}" for name, text in lines if text)
