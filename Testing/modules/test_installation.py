"""Installation from the set-up panel: what is missing, damaged or too old, and what is said of it."""

from __future__ import annotations

import os
import types

import pytest
from panels import opened
from test_deepreg_panel import settled, widget_fixture  # noqa: F401 - a fixture


class Installer:
    """A replacement of PyTorchUtils' logic that the test controls."""

    #: Packages that are missing; ``installTorch`` takes PyTorch off, if ``found``.
    missing: list[str] = []

    def __init__(self, answer: object = None, error: Exception | None = None, found: bool | None = None) -> None:
        self.answer, self.error, self.calls = answer, error, []
        self.found = answer is not None if found is None else found

    def installTorch(self, **arguments):  # noqa: N802
        self.calls.append(arguments)
        if self.found and "torch" in self.missing:
            self.missing.remove("torch")
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

    def pip_install(what):
        asked.append(what)
        missing[:] = [name for name in missing if name not in what.split()]

    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    monkeypatch.setattr(Installer, "missing", missing)
    with warm_app.messages_shown():
        yield missing, asked


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
    ("installer", "words"),
    [
        (Installer(None), "PyTorch was not installed. You can try again"),
        (Installer(error=RuntimeError("no network")), "Download failed. Check the network or proxy, and 6 GB of disk."),
        (Installer("torch", found=False), "restart the application"),
    ],
)
def test_what_can_go_wrong_is_reported(warm_app, bare, installer, words):
    import qt
    from DeepRegLib.installation import install

    warm_app.dialogs.answer(qt.QMessageBox.Ok)
    outcome = install(installer)
    assert not outcome.installed
    assert words in outcome.text
    assert outcome.details == ("RuntimeError: no network" if installer.error else "")
    assert bare[1] == ["safetensors psutil"]  # the small ones are there, whatever becomes of the large one


def test_pytorch_that_only_the_application_cannot_import_is_installed(warm_app, bare):
    """PyTorchUtils imports it after the installation, in a process whose libraries may not fit; it is for the worker."""
    import qt
    from DeepRegLib.installation import install

    warm_app.dialogs.answer(qt.QMessageBox.Ok)
    outcome = install(Installer(error=ImportError("libiomp5.dylib: symbol not found"), found=True))
    assert outcome.installed
    assert "self-test" in outcome.text


def test_what_the_worker_does_not_find_is_missing(warm_app, widget):
    info = {**widget.panel._info, "missing": ["torch"]}
    widget.panel._onInfo(info)
    assert widget.ui.explanationLabel.text == "The computing process cannot find PyTorch: restart the application."


def test_details_of_a_failed_installation_are_folded(warm_app, hands, widget, bare, monkeypatch):
    import qt
    from DeepRegLib import installation

    monkeypatch.setattr(installation, "torchInstaller", lambda: Installer(error=RuntimeError("proxy refused")))
    warm_app.dialogs.answer(qt.QMessageBox.Ok)
    widget.ui.installButton.setEnabled(True)
    hands.click(widget.ui.installButton)
    assert "Download failed." in widget.ui.explanationLabel.text
    assert widget.ui.detailsGroupBox.visible
    assert not widget.ui.detailsLabel.visible
    widget.ui.detailsGroupBox.collapsed = False
    assert widget.ui.detailsLabel.visible
    assert "proxy refused" in widget.ui.detailsLabel.text


def test_packages_that_are_too_old_are_replaced(warm_app, hands, widget, bare, monkeypatch):
    import qt
    from DeepRegLib import installation, panel

    bare[0].clear()
    old = ["torch"]
    for module in (installation, panel):
        monkeypatch.setattr(module, "outdatedPackages", lambda: list(old))

    class Replacing(Installer):
        def uninstallTorch(self, **_arguments):  # noqa: N802
            self.calls.append("removed")

        def installTorch(self, **arguments):  # noqa: N802
            old.clear()
            return super().installTorch(**arguments)

    installer = Replacing("torch")
    monkeypatch.setattr(installation, "torchInstaller", lambda: installer)
    ui = widget.ui
    widget.panel.refresh()
    settled(warm_app, widget)
    assert ui.torchLabel.text.endswith(", too old")
    assert ui.explanationLabel.text == "Too old: PyTorch. At least PyTorch 2.2 is needed."
    assert ui.installButton.text == "Reinstall PyTorch..."
    warm_app.dialogs.answer(qt.QMessageBox.Ok)
    hands.click(ui.installButton)
    assert "PyTorch will be replaced by a newer version" in warm_app.dialogs.shown[0].text
    assert "damaged" not in warm_app.dialogs.shown[0].text
    assert installer.calls == ["removed", {"askConfirmation": False, "torchVersionRequirement": ">=2.2"}]
    settled(warm_app, widget)
    assert not ui.torchLabel.text.endswith("too old")
    assert not ui.installButton.enabled
    assert ui.explanationLabel.text == "Installed. Run the self-test to check the installation."  # also after the refresh


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


@pytest.mark.host_only("PyTorchUtils cannot pretend there")
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
    with app.messages_shown():
        app.dialogs.answer(qt.QMessageBox.Ok)
        hands.click(ui.installButton)
    settled(app, setup)
    assert (len(removed), len(installer.calls)) == (1, 1)
    assert not ui.installButton.enabled
    assert "damaged" not in ui.torchLabel.text
    hands.click(dense.ui.applyButton)
    finish(app, dense)
    assert "folding" in dense.ui.resultLabel.text
    assert not dense.ui.setUpButton.visible
