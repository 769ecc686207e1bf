"""slicer.packaging: its checks, questions and messages. pip is not run: a function takes the place of the process."""

import subprocess
import threading

import pytest

ABSENT = "a-package-that-does-not-exist>=1.0"


@pytest.fixture
def packaging(slicer_app):
    import slicer.packaging

    return slicer.packaging


@pytest.fixture
def pip(packaging, monkeypatch):
    """Record the runs of pip; ``pip.returnCode`` is their return code."""

    class Pip:
        returnCode = 0

        def __init__(self):
            self.runs = []

        def __call__(self, module, args, blocking=True, logCallback=None, completedCallback=None):
            import qt

            self.runs.append(args)
            if logCallback:
                logCallback("Collecting something")
            if not blocking:
                # After the caller has returned, as with a process.
                qt.QTimer.singleShot(0, lambda: completedCallback(self.returnCode))
            elif self.returnCode:
                raise subprocess.CalledProcessError(self.returnCode, ["pip", *args])

    import slicer

    pip = Pip()
    monkeypatch.setattr(slicer.util, "executePythonModule", pip)
    return pip


@pytest.fixture
def with_user(slicer_app):
    """The application as for users: not in testing mode, so that dialogs are shown."""
    with slicer_app.messages_shown():
        yield slicer_app.dialogs


def test_requirements_are_read_from_files(packaging, tmp_path):
    (tmp_path / "requirements.txt").write_text("# note\nnumpy>=1\n\n-r other.txt\nscipy ; python_version > '3'\n")
    assert [r.name for r in packaging.load_requirements(tmp_path / "requirements.txt")] == ["numpy", "scipy"]
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["numpy>=1"]\n')
    assert [str(r) for r in packaging.load_pyproject_dependencies(tmp_path / "pyproject.toml")] == ["numpy>=1"]
    (tmp_path / "pyproject.toml").write_text("[tool]\n")
    with pytest.raises(KeyError, match="pyproject.toml"):
        packaging.load_pyproject_dependencies(tmp_path / "pyproject.toml")


@pytest.mark.parametrize(
    ("requirement", "satisfied"),
    [
        ("numpy", True),
        ("numpy>=1 pytest>=7", True),
        ("numpy>=9999", False),
        (ABSENT, False),
        (["numpy", ABSENT], False),
        ([], True),
        ("nothing; sys_platform == 'elsewhere'", True),
        ("pytest[no-such-extra]", True),
    ],
)
def test_check(packaging, requirement, satisfied):
    assert packaging.pip_check(requirement) is satisfied


def test_check_refuses_other_types(packaging):
    with pytest.raises(TypeError, match="int"):
        packaging.pip_check(3)


def test_testing_mode_installs_nothing_by_itself(packaging, pip):
    assert packaging.pip_ensure(ABSENT) is None
    assert pip.runs == []


def test_ensure_asks_and_installs_only_what_is_missing(packaging, pip, with_user):
    import qt

    with_user.answer(qt.QMessageBox.Ok)
    packaging.pip_ensure(["numpy", ABSENT], requester="Mine")
    assert pip.runs == [["install", ABSENT]]
    question = with_user.shown[0]
    assert "Mine - Install Python Packages" in question.title
    assert "1 Python package needs" in question.text
    assert ABSENT in question.detail


def test_declined_installation_is_an_error_and_runs_nothing(packaging, pip, with_user):
    import qt

    with_user.answer(qt.QMessageBox.Cancel)
    with pytest.raises(RuntimeError, match="declined"):
        packaging.pip_ensure(ABSENT)
    assert pip.runs == []


def test_restart_is_offered_if_an_imported_package_changed(packaging, pip, with_user, monkeypatch):
    import qt
    import slicer

    restarts = []
    monkeypatch.setattr(slicer.util, "restart", lambda: restarts.append(1))
    versions = iter([{"numpy": "1.0"}, {"numpy": "2.0"}] * 2)
    monkeypatch.setattr(packaging, "_get_installed_versions", lambda: next(versions))
    with_user.answer(qt.QMessageBox.No)
    packaging.pip_ensure(ABSENT, prompt_install=False)
    assert "numpy: 1.0 -> 2.0" in with_user.shown[-1].detail
    assert restarts == []
    with_user.answer(qt.QMessageBox.Yes)
    packaging.pip_ensure(ABSENT, prompt_install=False)
    assert restarts == [1]


def test_failed_installation_shows_its_output(packaging, pip, with_user, monkeypatch):
    import slicer

    pip.returnCode = 3
    errors = []
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **kwargs: errors.append(kwargs["detailedText"]))
    with pytest.raises(subprocess.CalledProcessError):
        packaging.pip_install(ABSENT)
    assert errors == ["Collecting something"]
    assert not packaging.isPipInstallInProgress()


def test_busy_cursor_is_restored(packaging, pip, with_user):
    import qt

    packaging.pip_install(ABSENT, show_progress=False)
    assert qt.QApplication.overrideCursor() is None
    pip.returnCode = 1
    with pytest.raises(subprocess.CalledProcessError):
        packaging.pip_install(ABSENT, show_progress=False)
    assert qt.QApplication.overrideCursor() is None


@pytest.mark.parametrize("show_progress", [True, False])
def test_installation_in_the_background(packaging, pip, with_user, slicer_app, show_progress):
    import qt

    ends = []
    packaging.pip_install(ABSENT, no_deps_requirements="other", blocking=False, show_progress=show_progress, completedCallback=ends.append)
    assert packaging.isPipInstallInProgress()
    assert ends == []
    with pytest.raises(RuntimeError, match="already in progress"):
        packaging.pip_install(ABSENT, blocking=False)
    slicer_app.wait_for(lambda: ends)
    assert ends == [0]
    assert not packaging.isPipInstallInProgress()
    assert pip.runs == [["install", "other", "--no-deps"], ["install", ABSENT]]
    assert qt.QApplication.overrideCursor() is None


def test_skipped_packages_are_returned(packaging, pip, with_user):
    assert packaging.pip_install(f"{ABSENT} torch>=99", skip_packages=["Torch"]) == ["torch>=99"]
    assert pip.runs == [["install", ABSENT, "--no-deps"]]


def test_other_threads_install_without_windows(packaging, pip, with_user):
    errors = []

    def install():
        packaging.pip_install(ABSENT)
        try:
            packaging.pip_install(ABSENT, blocking=False)
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=install)
    thread.start()
    thread.join()
    assert pip.runs == [["install", ABSENT]]
    assert "main thread" in errors[0]


def test_uninstall_asks_pip_not_to_ask(packaging, pip):
    packaging.pip_uninstall("one two")
    packaging.pip_uninstall(["one"], blocking=False, completedCallback=lambda code: None)
    assert pip.runs == [["uninstall", "one", "two", "--yes"], ["uninstall", "one", "--yes"]]
    with pytest.raises(ValueError, match="string or list"):
        packaging.pip_uninstall(3)


def test_util_leads_here(packaging, pip):
    import slicer

    slicer.util.pip_install("one --upgrade")
    slicer.util.pip_uninstall("one")
    assert pip.runs == [["install", "one", "--upgrade"], ["uninstall", "one", "--yes"]]
