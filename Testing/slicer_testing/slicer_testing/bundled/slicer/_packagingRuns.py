"""Runs of pip: waiting for them, in the background, and with a dialog or messages in the status bar."""

import logging
from subprocess import CalledProcessError

import slicer.util
from slicer._packagingProgress import _progress_dialog, _title
from slicer._packagingRequirements import _to_arguments
from slicer.i18n import tr as _

# True while pip runs in the background: two processes of pip at once could damage the environment.
_pip_install_in_progress = False


def _isSlicerAppAvailable():
    """Return False in the plain Python of Slicer (PythonSlicer), which has no application."""
    return getattr(slicer, "app", None) is not None


def _isMainQtThread():
    if not _isSlicerAppAvailable():
        return False
    import qt

    return qt.QThread.currentThread() == slicer.app.thread()


def _executePythonModule(module, args, **kwargs):
    slicer.util.executePythonModule(module, args, **kwargs)


def isPipInstallInProgress():
    """Return True while an installation runs that was started with ``blocking=False``."""
    return _pip_install_in_progress


def _build_pip_args(requirements, constraints=None, no_deps=False):
    args = ["install", *_to_arguments(requirements, "pip_install")]
    if no_deps:
        args.append("--no-deps")
    if constraints is not None:
        args += ["-c", str(constraints)]
    return args


def _steps(requirements, constraints, no_deps_requirements):
    """Return the arguments of each run of pip that an installation needs."""
    steps = [_build_pip_args(requirements, constraints)]
    if no_deps_requirements is not None:
        steps.insert(0, _build_pip_args(no_deps_requirements, constraints, no_deps=True))
    return steps


def _pip_install_simple(requirements, constraints=None, no_deps_requirements=None):
    for args in _steps(requirements, constraints, no_deps_requirements):
        _executePythonModule("pip", args, blocking=True)


def _pip_install_nonblocking(requirements, constraints=None, no_deps_requirements=None, logCallback=None, completedCallback=None):
    """Start the first run of pip; each run that succeeds starts the next one."""
    steps = _steps(requirements, constraints, no_deps_requirements)

    def setInProgress(value):
        global _pip_install_in_progress
        _pip_install_in_progress = value

    def runNext():
        try:
            _executePythonModule("pip", steps.pop(0), blocking=False, logCallback=logCallback, completedCallback=onCompleted)
        except Exception:
            setInProgress(False)
            raise

    def onCompleted(returnCode):
        if returnCode == 0 and steps:
            runNext()
            return
        setInProgress(False)
        if completedCallback:
            completedCallback(returnCode)

    setInProgress(True)
    runNext()


def _pip_install_with_dialog(requirements, constraints=None, no_deps_requirements=None, requester=None, parent=None):
    """Wait for pip while a responsive dialog shows its output."""
    import qt

    returnCodes = []

    def onLog(line):
        dialog.appendLog(line)
        print(line)

    with _progress_dialog(requester, parent) as dialog:
        _pip_install_nonblocking(requirements, constraints, no_deps_requirements, onLog, returnCodes.append)
        while not returnCodes:
            slicer.app.processEvents()
            qt.QThread.msleep(10)
    if returnCodes[0] != 0:
        slicer.util.errorDisplay(
            _("Package installation failed."), windowTitle=_title(requester, _("Installation Failed")), detailedText=dialog.getFullLog()
        )
        raise CalledProcessError(returnCodes[0], "pip install")


def _pip_install_with_statusbar(
    requirements, constraints=None, no_deps_requirements=None, requester=None, logCallback=None, completedCallback=None
):
    """Show pip's output in the status bar, with a busy cursor, until pip ends."""
    import qt

    def restore():
        qt.QApplication.restoreOverrideCursor()
        slicer.util.showStatusMessage("", 0)

    def onLog(line):
        slicer.util.showStatusMessage(f"{requester}: {line}" if requester else line, 0)
        (logCallback or print)(line)

    def onCompleted(returnCode):
        restore()
        if completedCallback:
            completedCallback(returnCode)
        elif returnCode != 0:
            logging.error(f"pip install failed with return code {returnCode}")

    qt.QApplication.setOverrideCursor(qt.Qt.BusyCursor)
    try:
        _pip_install_nonblocking(requirements, constraints, no_deps_requirements, onLog, onCompleted)
    except Exception:
        restore()
        raise
