"""The set-up panel: what there is to compute with, installation, self-test, sample data, models."""

from __future__ import annotations

import os
import types

import numpy as np
import pytest
from panels import landmark_error, opened


@pytest.fixture
def widget(warm_app):
    widget = opened(warm_app, "DeepReg")
    settled(warm_app, widget)
    return widget


def settled(app, widget) -> None:
    """All that was asked of the worker is answered."""
    app.wait_for(lambda: not widget.panel.client.busy and not widget.panel.client._waiting, 60)
    app.process_events()


def test_it_shows_what_there_is(warm_app, widget):
    import torch

    ui = widget.ui
    assert ui.torchLabel.text == torch.__version__
    assert "Python" in ui.engineLabel.text
    assert ui.deviceLabel.text.startswith("CPU") or torch.cuda.is_available()
    assert "GB free" in ui.memoryLabel.text
    assert ui.explanationLabel.text == ""
    assert not ui.installButton.enabled


def test_the_self_test_says_in_one_line_whether_all_works(warm_app, hands, widget):
    hands.click(widget.ui.selfTestButton)
    assert not widget.ui.makePhantomButton.enabled
    assert widget.ui.selfTestProgressBar.visible
    settled(warm_app, widget)
    text = widget.ui.selfTestLabel.text
    assert text.startswith("All works.")
    assert "landmark error" in text
    assert "\n" not in text
    assert not widget.ui.selfTestProgressBar.visible
    assert widget.ui.selfTestButton.enabled
    widget.panel._onSelfTested({"passed": False, "problems": ["the landmark error fell only from 13 to 12 mm"], "summary": ""})
    assert widget.ui.selfTestLabel.text == "Something is wrong: the landmark error fell only from 13 to 12 mm."


# ---------------------------------------------------------------------------------------------------------- installation


class Installer:
    """What PyTorchUtils' logic does, under the test's hands."""

    def __init__(self, answer: object = None, error: Exception | None = None) -> None:
        self.answer, self.error, self.calls = answer, error, []

    def installTorch(self, **arguments):  # noqa: N802
        self.calls.append(arguments)
        if self.error:
            raise self.error
        return self.answer


@pytest.fixture
def bare(warm_app, monkeypatch):
    """An application without PyTorch; returns the list of what is missing, which the test may change, and what pip was asked for."""
    from DeepRegLib import installation

    missing, asked = ["torch", "safetensors", "psutil"], []
    monkeypatch.setattr(installation, "missingPackages", lambda: list(missing))
    import slicer

    monkeypatch.setattr(slicer.util, "pip_install", lambda what: (asked.append(what), missing.clear()))
    warm_app.app.commandOptions().testingEnabled = False
    yield missing, asked
    warm_app.app.commandOptions().testingEnabled = True


def test_installation_asks_first_and_says_what_it_will_do(warm_app, bare):
    import qt
    from DeepRegLib.installation import install

    _missing, asked = bare
    installer = Installer(types.SimpleNamespace(__version__="2.9"))
    warm_app.dialogs.answer(qt.QMessageBox.Ok)
    outcome = install(installer)
    text = warm_app.dialogs.shown[0].text
    for words in ("200 MB", "3 GB", "NVIDIA", "Nothing is uploaded", "safetensors, psutil", "pytorch.org"):
        assert words in text
    assert outcome.installed
    assert installer.calls == [{"askConfirmation": False, "torchVersionRequirement": ">=2.2"}]
    assert asked == ["safetensors psutil"]


def test_who_declines_gets_nothing_installed(warm_app, bare):
    import qt
    from DeepRegLib.installation import install

    installer = Installer()
    warm_app.dialogs.answer(qt.QMessageBox.Cancel)
    outcome = install(installer)
    assert not outcome.installed
    assert "Nothing was installed" in outcome.text
    assert installer.calls == []
    assert bare[1] == []


@pytest.mark.parametrize(
    ("installer", "after", "words"),
    [
        (Installer(None), None, "PyTorch was not installed. You can try again"),
        (Installer(error=RuntimeError("no network")), None, "no network"),
        (Installer("torch"), ["torch"], "restart the application"),
    ],
)
def test_what_can_go_wrong_is_reported(warm_app, bare, installer, after, words, monkeypatch):
    import qt
    import slicer
    from DeepRegLib.installation import install

    if after:
        monkeypatch.setattr(slicer.util, "pip_install", lambda what: bare[0].__setitem__(slice(None), after))
    warm_app.dialogs.answer(qt.QMessageBox.Ok)
    outcome = install(installer)
    assert not outcome.installed
    assert words in outcome.text


def test_without_the_extension_it_says_where_to_get_it(warm_app, bare, monkeypatch):
    from DeepRegLib import installation

    monkeypatch.setattr(installation, "torchInstaller", lambda: None)
    outcome = installation.install()
    assert not outcome.installed
    assert "Extensions Manager" in outcome.text
    assert warm_app.dialogs.shown == []


def test_a_package_is_missing_until_it_is_installed(tmp_path, monkeypatch):
    from deepreg_slicer import torch_state

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(torch_state, "NEEDED", ("torch", "installed_later"))
    assert torch_state.missingPackages() == ["installed_later"]
    changed = os.stat(tmp_path)
    (tmp_path / "installed_later.py").touch()
    os.utime(tmp_path, ns=(changed.st_atime_ns, changed.st_mtime_ns))  # within the resolution of the clock
    assert torch_state.missingPackages() == []


def test_the_panel_without_pytorch(slicer_app, running_worker):
    import PyTorchUtils

    PyTorchUtils.pretend("missing")
    try:
        pids = running_worker.pids
        widget = opened(slicer_app, "DeepReg")
        assert widget.ui.torchLabel.text == "not installed"
        assert widget.ui.installButton.enabled
        assert "Missing: torch" in widget.ui.explanationLabel.text
        assert running_worker.pids == pids
        assert not running_worker.busy
    finally:
        PyTorchUtils.pretend("actual")


# ------------------------------------------------------------------------------------------------------------ sample data


def test_sample_data_are_offered(warm_app, widget):
    import SampleData

    sources = {source.sampleName: source for source in SampleData.SampleDataLogic.sampleDataSourcesByCategory("DeepReg")}
    assert {"Abdomen CT phantom", "Brain tumor MR pair", "Dental CBCT pair"} <= set(sources)
    # Slicer's own are referred to by names that Slicer has.
    from DeepRegLib.samples import PAIRS

    logic = SampleData.SampleDataLogic()
    for _title, names in PAIRS:
        for name in names:
            assert logic.sourceForSampleName(name) is not None, name


def test_own_pairs_are_downloaded_by_reference(warm_app, widget, monkeypatch):
    import SampleData

    asked = []
    monkeypatch.setattr(SampleData.SampleDataLogic, "downloadSamples", lambda self, name: asked.append(name) or [name])
    source = SampleData.SampleDataLogic().sourceForSampleName("Brain tumor MR pair")
    assert source.customDownloader(source) == ["MRBrainTumor1", "MRBrainTumor2"] == asked


def test_a_phantom_is_made_with_organs_and_landmarks(warm_app, hands, widget):
    import slicer

    hands.choose(widget.ui.phantomComboBox, "Brain MR phantom")
    widget.ui.seedSpinBox.value = 3
    hands.click(widget.ui.makePhantomButton)
    settled(warm_app, widget)
    assert "Loaded: brain fixed" in widget.ui.sampleLabel.text
    fixed, moving = (slicer.util.getNode(f"brain {side}") for side in ("fixed", "moving"))
    assert fixed.GetImageData().GetDimensions() != moving.GetImageData().GetDimensions()
    for side in ("fixed", "moving"):
        organs = slicer.util.getNode(f"brain {side} organs").GetSegmentation()
        names = [organs.GetNthSegment(n).GetName() for n in range(organs.GetNumberOfSegments())]
        assert len(names) > 4, names
        assert not any(name.startswith("Segment") for name in names), names
    points = [slicer.util.getNode(f"brain {side} landmarks") for side in ("fixed", "moving")]
    identity = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    assert points[0].GetNumberOfControlPoints() == points[1].GetNumberOfControlPoints() > 10
    assert 1.0 < landmark_error(identity, *points) < 30.0
    # The landmarks lie in the volumes; a saved scene does not point to temporary files.
    bounds = np.zeros(6)
    fixed.GetRASBounds(bounds)
    for n in range(points[0].GetNumberOfControlPoints()):
        position = points[0].GetNthControlPointPositionWorld(n)
        assert all(bounds[2 * a] <= position[a] <= bounds[2 * a + 1] for a in range(3))
    assert fixed.GetStorageNode() is None


# ----------------------------------------------------------------------------------------------------------------- models


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    """A folder for models of one's own, with one in it; the worker knows it too."""
    from deepreg_engine.models.card import ModelCard, write_model

    monkeypatch.setenv("DEEPREG_MODELS", str(tmp_path))
    card = ModelCard("liver 7", "dense", "obelisk", origin="a test", licence="CC0", training_data="nothing", figures={"Dice": 0.5})
    write_model(tmp_path / "liver.safetensors", card, {"a": np.zeros(3, dtype=np.float32)})
    return tmp_path


def test_models_are_listed_with_card_and_checksum(slicer_app, own_models):
    from bench import MODULES, stop_worker

    slicer_app.add_module_path(MODULES)
    stop_worker()  # one that runs already does not know of the folder
    try:
        widget = opened(slicer_app, "DeepReg")
        settled(slicer_app, widget)
        table = widget.ui.modelsTable
        rows = [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]
        own = [row for row in rows if row[0] == "liver 7"]
        assert own == [["liver 7", "dense", "CC0", "whole"]]
        assert [row[0] for row in rows[:2]] == ["mind", "intensity"]
        table.setCurrentCell(rows.index(own[0]), 0)
        for words in ("a test", "CC0", "Dice: 0.5", "Trained on"):
            assert words in widget.ui.modelLabel.text
        data = bytearray((own_models / "liver.safetensors").read_bytes())
        data[-1] ^= 1
        (own_models / "liver.safetensors").write_bytes(bytes(data))
        widget.panel.listModels()
        settled(slicer_app, widget)
        assert "damaged" in [table.item(row, 3).text() for row in range(table.rowCount)]
        # The registration panel offers it by name.
        from deepreg_slicer.feature_chooser import modelNames

        assert ("liver 7", "a test") in modelNames("dense")
    finally:
        stop_worker()


# ---------------------------------------------------------------------------------------------------------- a damaged one


@pytest.mark.parametrize(
    ("package", "advice"),
    [("torch", "Install it again in"), ("safetensors", "Install it again in"), ("numpy", "reinstall the application")],
)
def test_an_error_of_a_package_says_where_to_install_it(app, package, advice):
    from deepreg_slicer import torch_state
    from deepreg_slicer.errors import JobError

    try:
        error = torch_state.withAdvice(JobError("package", "it is damaged (why)", "reinstall it", option=package))
        assert error.message == "it is damaged (why)"
        assert advice.lower() in error.text.lower()
        assert torch_state.damagedPackages() == ([package] if package in torch_state.NEEDED else [])
    finally:
        torch_state.forgetDamage()
    assert torch_state.damagedPackages() == []


def test_a_small_package_is_installed_again(warm_app, bare, monkeypatch):
    import qt
    from DeepRegLib import installation

    missing, asked = bare
    missing.clear()
    monkeypatch.setattr(installation, "damagedPackages", lambda: ["safetensors"])
    warm_app.dialogs.answer(qt.QMessageBox.Ok)
    assert installation.install(Installer()).installed
    assert "safetensors will be removed and installed again" in warm_app.dialogs.shown[0].text
    assert asked == ["--force-reinstall --no-deps safetensors"]


def test_a_damaged_pytorch_is_reported_and_reinstalled(app, hands, pair, tmp_path, monkeypatch):
    """The true worker, a method's panel, the self-test, and the button that installs PyTorch again."""
    import qt
    from panels import finish, quick

    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('[WinError 127] Error loading \"shm.dll\"')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    dense = opened(app)
    dense.panel.client.stop()  # the worker of other tests
    quick(dense, initial="none")
    assert not dense.ui.setUpButton.visible
    hands.click(dense.ui.applyButton)
    finish(app, dense)
    assert dense.ui.resultLabel.text.startswith('PyTorch is damaged ([WinError 127] Error loading "shm.dll"). Install it again in')
    assert dense.ui.applyButton.enabled
    assert dense.ui.setUpButton.visible
    setup = opened(app, "DeepReg")
    settled(app, setup)
    ui = setup.ui
    assert ui.installButton.enabled
    assert ui.installButton.text == "Reinstall PyTorch..."
    assert ui.torchLabel.text.endswith(", damaged")
    assert "Press Reinstall PyTorch." in ui.explanationLabel.text
    hands.click(ui.selfTestButton)
    settled(app, setup)
    assert ui.selfTestLabel.text.startswith("PyTorch is damaged")
    removed = []

    class Whole(Installer):
        def uninstallTorch(self, **_arguments):  # noqa: N802
            removed.append((tmp_path / "torch" / "__init__.py").unlink())
            (tmp_path / "torch").rename(tmp_path / "removed")

    from DeepRegLib import installation

    installer = Whole("torch")
    monkeypatch.setattr(installation, "torchInstaller", lambda: installer)
    app.app.commandOptions().testingEnabled = False
    try:
        app.dialogs.answer(qt.QMessageBox.Ok)
        hands.click(ui.installButton)
    finally:
        app.app.commandOptions().testingEnabled = True
    settled(app, setup)
    assert (len(removed), len(installer.calls)) == (1, 1)
    assert not ui.installButton.enabled
    assert "damaged" not in ui.torchLabel.text
    hands.click(dense.ui.applyButton)
    finish(app, dense)
    assert "folding" in dense.ui.resultLabel.text
    assert not dense.ui.setUpButton.visible
