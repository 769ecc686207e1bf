"""Python packages that a module needs: check, ask, install, uninstall.

- :func:`load_requirements`, :func:`load_pyproject_dependencies`: read what is needed from a file
- :func:`pip_check`: is it there? (no process is started)
- :func:`pip_ensure`: check, ask, install, and tell if a restart is needed
- :func:`pip_install`, :func:`pip_uninstall`: run pip
"""

import importlib
import importlib.metadata
import logging
import shlex
import sys
import tomllib
from subprocess import CalledProcessError

import slicer.util
from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from slicer._packagingProgress import _busy_cursor, _PipProgressDialog, _progress_dialog, _title
from slicer.i18n import tr as _

# True while a pip process runs that nobody waits for: two of them at once could damage the environment.
_pip_install_in_progress = False


# Requirements


def load_requirements(path):
    """Requirements listed in a requirements.txt. Comments and pip options (``-r``, ``--index-url`` ...) are passed over."""
    with open(path) as file:
        lines = [line.strip() for line in file]
    return [Requirement(line) for line in lines if line and line[0] not in "#-"]


def load_pyproject_dependencies(path):
    """Requirements of ``[project] dependencies`` in a pyproject.toml.

    :raises KeyError: if the file has no table ``[project]``.
    """
    with open(path, "rb") as file:
        tables = tomllib.load(file)
    if "project" not in tables:
        raise KeyError(f"pyproject.toml has no [project] table: {path}")
    return [Requirement(dependency) for dependency in tables["project"].get("dependencies", [])]


def _to_requirements(requirements):
    """List of Requirement objects from a string, a Requirement, or a list of both."""
    if isinstance(requirements, Requirement):
        return [requirements]
    if isinstance(requirements, list):
        return [Requirement(item) if isinstance(item, str) else item for item in requirements]
    if not isinstance(requirements, str):
        raise TypeError(f"Expected str, Requirement, or list, got {type(requirements).__name__}")
    # One requirement may hold spaces itself ("name; sys_platform == 'win32'"), so it is tried before splitting.
    try:
        return [Requirement(requirements)]
    except InvalidRequirement:
        return [Requirement(item) for item in requirements.split()]


def _to_arguments(requirements, function):
    """List of command-line arguments from a string in shell notation or a list."""
    if isinstance(requirements, str):
        return shlex.split(requirements)
    if isinstance(requirements, list):
        return list(requirements)
    raise ValueError(f"{function} requirement input must be string or list")


def pip_check(req, _seen=None):
    """True if the requirements are satisfied.

    A requirement whose marker does not apply here counts as satisfied. For ``name[extra]`` the packages that the extra
    brings in are checked as well.

    :param req: string (several requirements separated by spaces), Requirement, or list of both.
    """
    seen = set() if _seen is None else _seen
    return all(_is_satisfied(requirement, seen) for requirement in _to_requirements(req))


def _is_satisfied(requirement, seen):
    if requirement.marker is not None and not requirement.marker.evaluate(default_environment()):
        return True
    # A cycle of extras ends here.
    key = (requirement.name.lower(), frozenset(requirement.extras))
    if key in seen:
        return True
    seen.add(key)
    try:
        installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    if installed not in requirement.specifier:
        return False
    return all(_is_satisfied(dependency, seen) for dependency in _dependencies_of_extras(requirement))


def _dependencies_of_extras(requirement):
    """What the extras of a requirement bring in, without the markers that name the extras."""
    environment = default_environment()
    found = []
    for text in (importlib.metadata.requires(requirement.name) or []) if requirement.extras else []:
        dependency = Requirement(text)
        marker, dependency.marker = dependency.marker, None
        if marker is not None and any(marker.evaluate({**environment, "extra": extra}) for extra in requirement.extras):
            found.append(dependency)
    return found


# Ensuring


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
    """Install what is missing, after asking. To be called where the packages are needed, for example in Apply.

    :param requirements: as for :func:`pip_check`.
    :param constraints: path of a constraints file for pip.
    :param skip_packages: as for :func:`pip_install`.
    :param prompt_install: ask before installing.
    :param prompt_restart: offer a restart if a package changed that is imported already.
    :param requester: name of who asks, for the title of the dialog.
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
        # The question would be answered with yes by itself.
        return
    message = _(
        "{count} updated packages are already in use and may not work correctly until Slicer is restarted.\n\n"
        "Would you like to restart now?"
    ).format(count=len(updated))
    if slicer.util.confirmYesNoDisplay(message, _title(requester, _("Restart Recommended")), detailedText=details):
        slicer.util.restart()


def _get_installed_versions():
    """Version of each installed distribution by its canonical name, with what another process installed just now."""
    importlib.invalidate_caches()
    return {
        canonicalize_name(distribution.metadata["Name"]): distribution.metadata["Version"]
        for distribution in importlib.metadata.distributions()
    }


def _find_updated_imported_packages(before_versions, after_versions):
    """Distributions that changed although a module of them is imported: list of (name, old version or None, new version).

    The old version is None for one that was uninstalled after it was imported, and is back now.
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


def _isSlicerAppAvailable():
    """False in the plain Python of Slicer (PythonSlicer), which has no application."""
    return getattr(slicer, "app", None) is not None


def _isMainQtThread():
    if not _isSlicerAppAvailable():
        return False
    import qt

    return qt.QThread.currentThread() == slicer.app.thread()


def _executePythonModule(module, args, **kwargs):
    slicer.util.executePythonModule(module, args, **kwargs)


def isPipInstallInProgress():
    """True while an installation runs that was started with ``blocking=False``."""
    return _pip_install_in_progress


def pip_install(
    requirements,
    constraints=None,
    no_deps_requirements=None,
    skip_packages=None,
    blocking=True,
    show_progress=True,
    requester=None,
    parent=None,
    logCallback=None,
    completedCallback=None,
):
    """Install Python packages.

    :param requirements: arguments of ``pip install`` as one string or as a list.
    :param constraints: path of a constraints file.
    :param no_deps_requirements: installed first, without what they depend on. Not together with ``skip_packages``.
    :param skip_packages: names of packages to leave out wherever in the tree of dependencies they occur; needs ``blocking``.
    :param blocking: return when pip has ended; otherwise at once, and the callbacks tell the rest.
    :param show_progress: show a dialog (blocking) or messages in the status bar (not blocking). Not in testing mode.
    :param requester: name of who asks, for title and messages.
    :param parent: parent of the dialog.
    :param logCallback: called with each line of pip's output, if not blocking.
    :param completedCallback: called with pip's return code, if not blocking.
    :return: requirements that were skipped if ``skip_packages`` is given, else None.
    :raises subprocess.CalledProcessError: if pip fails (blocking).
    :raises ValueError: if arguments do not go together.
    """
    if skip_packages is not None and no_deps_requirements is not None:
        raise ValueError(
            "skip_packages and no_deps_requirements are mutually exclusive. skip_packages installs each package with --no-deps internally."
        )
    if skip_packages is not None and not blocking:
        raise ValueError("skip_packages requires blocking=True. The recursive dependency walk cannot run in non-blocking mode.")

    application = _isSlicerAppAvailable()
    if application and not _isMainQtThread():
        logging.warning("pip_install was called from a non-main thread; disabling progress UI.")
        if not blocking:
            raise RuntimeError("pip_install(blocking=False) is only supported on the main thread")
        if skip_packages is not None:
            raise RuntimeError("pip_install(skip_packages=...) is only supported on the main thread")
        application = False
    if application and slicer.app.testingEnabled():
        logging.info("Testing mode is enabled: skipping progress UI for pip_install")
        application = False
    if not application:
        # Nothing is shown, and the caller waits in any case.
        if skip_packages is not None:
            return _pip_install_with_skips(requirements, skip_packages, constraints)
        return _pip_install_simple(requirements, constraints, no_deps_requirements)

    if not blocking and _pip_install_in_progress:
        raise RuntimeError("A non-blocking pip_install is already in progress. Wait for it to complete or use blocking=True.")

    if skip_packages is not None:
        with _progress_dialog(requester, parent) if show_progress else _busy_cursor() as dialog:
            return _pip_install_with_skips(requirements, skip_packages, constraints, log_fn=dialog.appendLog if dialog else None)
    packages = (requirements, constraints, no_deps_requirements)
    if not blocking:
        if show_progress:
            return _pip_install_with_statusbar(*packages, requester, logCallback, completedCallback)
        return _pip_install_nonblocking(*packages, logCallback, completedCallback)
    if show_progress:
        return _pip_install_with_dialog(*packages, requester, parent)
    with _busy_cursor():
        return _pip_install_simple(*packages)


def pip_uninstall(requirements, blocking=True, logCallback=None, completedCallback=None):
    """Uninstall Python packages; the parameters are those of :func:`pip_install`."""
    args = ["uninstall", *_to_arguments(requirements, "pip_uninstall"), "--yes"]
    if not _isSlicerAppAvailable():
        _executePythonModule("pip", args, blocking=True)
    else:
        _executePythonModule("pip", args, blocking=blocking, logCallback=logCallback, completedCallback=completedCallback)


def _build_pip_args(requirements, constraints=None, no_deps=False):
    args = ["install", *_to_arguments(requirements, "pip_install")]
    if no_deps:
        args.append("--no-deps")
    if constraints is not None:
        args += ["-c", str(constraints)]
    return args


def _steps(requirements, constraints, no_deps_requirements):
    """Arguments of each run of pip that an installation takes."""
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
    """Wait for pip behind a dialog that stays alive and shows its output."""
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
    """Show pip's output in the status bar, under a busy cursor, until it ends."""
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


# Leaving packages out of the tree of dependencies


def _pip_install_with_skips(requirements, skip_packages, constraints=None, log_fn=None):
    """Install each package alone and walk its dependencies, without those in ``skip_packages``; return what was skipped.

    A dependency that fails is passed over with a warning, a requirement of the caller is not.
    """
    skip_set = {canonicalize_name(name) for name in skip_packages}
    seen = set()
    skipped = []

    def log(message):
        if log_fn:
            log_fn(message)
        if _isSlicerAppAvailable():
            slicer.app.processEvents()

    def install(requirement):
        name = canonicalize_name(requirement.name)
        if name in seen:
            return
        seen.add(name)
        if name in skip_set:
            skipped.append(str(requirement))
            log(f"Skipping {requirement.name} (in skip list)")
            return
        if requirement.marker is not None and not requirement.marker.evaluate():
            return
        if pip_check(requirement):
            log(f"{requirement.name} already satisfied")
            return
        log(f"Installing {requirement.name}...")
        # The marker has been evaluated, and pip would get it split at its spaces.
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        args = _build_pip_args(f"{requirement.name}{extras}{requirement.specifier}", constraints, no_deps=True)
        _executePythonModule("pip", args, blocking=True, logCallback=log_fn)

        importlib.invalidate_caches()
        try:
            dependencies = importlib.metadata.requires(requirement.name) or []
        except importlib.metadata.PackageNotFoundError:
            dependencies = []
        # Before the walk, so that an interrupted walk leaves no package that asks for the skipped ones.
        if skip_set:
            _scrub_metadata(name, skip_set)
        for text in dependencies:
            installDependency(text)

    def installDependency(text):
        try:
            dependency = Requirement(text)
        except InvalidRequirement:
            return
        if dependency.marker is not None and "extra" in str(dependency.marker):
            return
        try:
            install(dependency)
        except CalledProcessError:
            logging.warning("Failed to install %s, continuing with remaining dependencies", dependency.name)
            log(f"WARNING: Failed to install {dependency.name}")

    for text in shlex.split(requirements) if isinstance(requirements, str) else requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            logging.warning("Could not parse requirement: %s", text)
            continue
        install(requirement)
    return skipped


def _scrub_metadata(package_name, skip_set):
    """Remove ``skip_set`` (canonical names) from what an installed package says it requires, so that pip forgets them."""
    try:
        files = importlib.metadata.distribution(package_name).files or []
    except importlib.metadata.PackageNotFoundError:
        logging.warning("_scrub_metadata: distribution not found for %s", package_name)
        return
    path = next((file.locate() for file in files if file.name == "METADATA"), None)
    if path is None:
        logging.warning("_scrub_metadata: METADATA file not found for %s", package_name)
        return

    def isSkipped(line):
        key, _separator, value = line.partition(": ")
        try:
            return key == "Requires-Dist" and canonicalize_name(Requirement(value.strip()).name) in skip_set
        except InvalidRequirement:
            return False

    # Latin-1 keeps every byte of a file in an unknown encoding.
    with open(path, "r+", encoding="latin-1", newline="") as file:
        lines = file.readlines()
        file.seek(0)
        file.writelines(line for line in lines if not isSkipped(line))
        file.truncate()
