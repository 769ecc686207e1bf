"""Python packages that a module needs: check, ask, install, uninstall.

- :func:`load_requirements`, :func:`load_pyproject_dependencies`: read the requirements of a file
- :func:`pip_check`: check whether requirements are satisfied, without starting a process
- :func:`pip_ensure`: check, ask the user, install, and offer a restart if one is needed
- :func:`pip_install`, :func:`pip_uninstall`: run pip
"""

import dataclasses
import importlib
import importlib.metadata
import logging
import sys
from collections.abc import Callable

import slicer.util
from packaging.utils import canonicalize_name
from slicer._packagingProgress import _busy_cursor, _progress_dialog, _title
from slicer._packagingRequirements import _to_arguments, _to_requirements, load_pyproject_dependencies, load_requirements, pip_check
from slicer._packagingRuns import (
    _executePythonModule,
    _isMainQtThread,
    _isSlicerAppAvailable,
    _pip_install_nonblocking,
    _pip_install_simple,
    _pip_install_with_dialog,
    _pip_install_with_statusbar,
    isPipInstallInProgress,
)
from slicer._packagingSkips import SkippingInstallation
from slicer.i18n import tr as _


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install=True,
    prompt_restart=True,
    requester=None,
    skip_in_testing=True,
    show_progress=True,
):
    """Install missing packages, after asking the user. Call it where the packages are needed, for example in Apply.

    :param requirements: as for :func:`pip_check`.
    :param constraints: path of a constraints file for pip.
    :param skip_packages: as for :func:`pip_install`.
    :param prompt_install: ask before installing.
    :param prompt_restart: offer a restart if a package changed that is imported already.
    :param requester: name of the module that needs the packages, for the title of the dialog.
    :param skip_in_testing: do not install when the application runs in testing mode.
    :param show_progress: show a dialog while pip runs, otherwise only a busy cursor.
    :return: requirements that were skipped if ``skip_packages`` is given, else None.
    :raises RuntimeError: if the user declines.
    :raises subprocess.CalledProcessError: if pip fails.
    """
    missing = [str(requirement) for requirement in _to_requirements(requirements) if not pip_check(requirement)]
    if not missing:
        return None
    if not _isSlicerAppAvailable():
        return pip_install(missing, constraints=constraints, skip_packages=skip_packages)
    if skip_in_testing and slicer.app.testingEnabled():
        logging.info(f"Testing mode is enabled: skipping pip_ensure for [{', '.join(missing)}]")
        return None
    if prompt_install and not _confirm_installation(missing, requester):
        raise RuntimeError("User declined package installation")

    before = _get_installed_versions() if prompt_restart else None
    skipped = pip_install(
        missing, constraints=constraints, skip_packages=skip_packages, blocking=True, show_progress=show_progress, requester=requester
    )
    if prompt_restart:
        _offer_restart(_find_updated_imported_packages(before, _get_installed_versions()), requester)
    return skipped


def _confirm_installation(missing, requester):
    if len(missing) == 1:
        message = _("1 Python package needs to be installed.\n\nThis will modify Slicer's Python environment. Continue?")
    else:
        message = _("{count} Python packages need to be installed.\n\nThis will modify Slicer's Python environment. Continue?").format(
            count=len(missing)
        )
    details = "\n".join(f"- {requirement}" for requirement in missing)
    return slicer.util.confirmOkCancelDisplay(message, _title(requester, _("Install Python Packages")), detailedText=details)


def _offer_restart(updated, requester):
    if not updated:
        return
    details = "\n".join(f"- {name}: {old} -> {new}" if old else f"- {name}: (reinstalled) -> {new}" for name, old, new in updated)
    logging.info(f"Updated packages already imported (restart recommended): {details}")
    if slicer.app.testingEnabled():
        # In testing mode the question is answered with yes.
        return
    message = _(
        "{count} updated packages are already in use and may not work correctly until Slicer is restarted.\n\n"
        "Would you like to restart now?"
    ).format(count=len(updated))
    if slicer.util.confirmYesNoDisplay(message, _title(requester, _("Restart Recommended")), detailedText=details):
        slicer.util.restart()


def _get_installed_versions():
    """Return the version of each installed distribution by its canonical name, those installed by another process included."""
    importlib.invalidate_caches()
    return {
        canonicalize_name(distribution.metadata["Name"]): distribution.metadata["Version"]
        for distribution in importlib.metadata.distributions()
    }


def _find_updated_imported_packages(before_versions, after_versions):
    """Return the distributions that changed while one of their modules was imported: list of (name, old version or None, new version).

    The old version is None if the distribution was uninstalled after its import and installed again.
    """
    modules = {}
    for module, distributions in importlib.metadata.packages_distributions().items():
        for distribution in distributions:
            modules.setdefault(canonicalize_name(distribution), set()).add(module)
    return [
        (name, before_versions.get(name), version)
        for name, version in after_versions.items()
        if before_versions.get(name) != version and any(module in sys.modules for module in modules.get(name, ()))
    ]


# Running pip


def pip_install(
    requirements,
    constraints=None,
    no_deps_requirements=None,
    skip_packages=None,
    blocking=True,
    show_progress=True,
    requester=None,
    parent=None,
    **callbacks,
):
    """Install Python packages.

    :param requirements: arguments of ``pip install`` as one string or as a list.
    :param constraints: path of a constraints file.
    :param no_deps_requirements: installed first, without their dependencies. Not together with ``skip_packages``.
    :param skip_packages: names of packages to leave out wherever they occur in the tree of dependencies; needs ``blocking``.
    :param blocking: return when pip has ended; otherwise return at once and report through the callbacks.
    :param show_progress: show a dialog (blocking) or messages in the status bar (not blocking). Not in testing mode.
    :param requester: name of the module that installs, for title and messages.
    :param parent: parent of the dialog.
    :param callbacks: ``logCallback``, called with each line of pip's output, and ``completedCallback``, called with pip's return
      code; both if not blocking.
    :return: requirements that were skipped if ``skip_packages`` is given, else None.
    :raises subprocess.CalledProcessError: if pip fails (blocking).
    :raises ValueError: if arguments contradict each other.
    """
    callbacks = _Callbacks(**callbacks)
    if skip_packages is not None:
        _check_skips(no_deps_requirements, blocking)
    if not _is_progress_possible(blocking, skip_packages):
        # Without a display of progress the caller always waits.
        if skip_packages is not None:
            return SkippingInstallation(skip_packages, constraints).run(requirements)
        return _pip_install_simple(requirements, constraints, no_deps_requirements)

    if not blocking and isPipInstallInProgress():
        raise RuntimeError("A non-blocking pip_install is already in progress. Wait for it to complete or use blocking=True.")

    if skip_packages is not None:
        with _progress_dialog(requester, parent) if show_progress else _busy_cursor() as dialog:
            return SkippingInstallation(skip_packages, constraints, dialog.appendLog if dialog else None).run(requirements)
    packages = (requirements, constraints, no_deps_requirements)
    if not blocking:
        if show_progress:
            return _pip_install_with_statusbar(*packages, requester, callbacks.logCallback, callbacks.completedCallback)
        return _pip_install_nonblocking(*packages, callbacks.logCallback, callbacks.completedCallback)
    if show_progress:
        return _pip_install_with_dialog(*packages, requester, parent)
    with _busy_cursor():
        return _pip_install_simple(*packages)


@dataclasses.dataclass
class _Callbacks:
    """Callbacks of an installation in the background; the fields are the keywords of :func:`pip_install`."""

    logCallback: Callable | None = None
    completedCallback: Callable | None = None


def _check_skips(no_deps_requirements, blocking):
    if no_deps_requirements is not None:
        raise ValueError(
            "skip_packages and no_deps_requirements are mutually exclusive. skip_packages installs each package with --no-deps internally."
        )
    if not blocking:
        raise ValueError("skip_packages requires blocking=True. The recursive dependency walk cannot run in non-blocking mode.")


def _is_progress_possible(blocking, skip_packages):
    """Return True in the application's main thread, unless in testing mode.

    :raises RuntimeError: in another thread, if the installation needs the main thread.
    """
    if not _isSlicerAppAvailable():
        return False
    if not _isMainQtThread():
        logging.warning("pip_install was called from a non-main thread; disabling progress UI.")
        if not blocking:
            raise RuntimeError("pip_install(blocking=False) is only supported on the main thread")
        if skip_packages is not None:
            raise RuntimeError("pip_install(skip_packages=...) is only supported on the main thread")
        return False
    if slicer.app.testingEnabled():
        logging.info("Testing mode is enabled: skipping progress UI for pip_install")
        return False
    return True


def pip_uninstall(requirements, blocking=True, logCallback=None, completedCallback=None):
    """Uninstall Python packages; for the parameters see :func:`pip_install`."""
    args = ["uninstall", *_to_arguments(requirements, "pip_uninstall"), "--yes"]
    if not _isSlicerAppAvailable():
        _executePythonModule("pip", args, blocking=True)
    else:
        _executePythonModule("pip", args, blocking=blocking, logCallback=logCallback, completedCallback=completedCallback)
