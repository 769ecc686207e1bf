"""Whether PyTorch is installed and intact. It is not imported, because the application's process never imports it."""

from __future__ import annotations

import importlib
import importlib.metadata

from slicer.i18n import tr as _

from deepreg_engine.packages import OLDEST, is_installed, outdated_packages
from deepreg_slicer.errors import JobError

#: Packages that the engine needs and Slicer does not bundle.
NEEDED = ("torch", "safetensors", "psutil")
#: The PyTorch that the engine works with.
TORCH_REQUIREMENT = f">={OLDEST['torch']}"
# Packages that the worker could not import.
_damaged: set[str] = set()
# Whether all packages were there at the last search.
_complete = False


def missingPackages() -> list[str]:
    """Return packages that have to be installed before anything can be computed."""
    global _complete
    missing = [name for name in NEEDED if not is_installed(name)]
    if missing:
        # They may have been installed after Python read the folders of packages.
        importlib.invalidate_caches()
        missing = [name for name in missing if not is_installed(name)]
    _complete = not missing
    return missing


def knownMissing() -> list[str]:
    """Return missing packages without another search if none was missing at the last one; for panels, which ask at each change."""
    return [] if _complete else missingPackages()


def damagedPackages() -> list[str]:
    """Return packages that are installed, but that the worker could not use: they have to be installed again."""
    return [name for name in NEEDED if name in _damaged and is_installed(name)]


def outdatedPackages() -> list[str]:
    """Return packages that are installed, but too old for the engine."""
    return [name for name in outdated_packages() if name in NEEDED]


def packagesToInstall() -> list[str]:
    """Return packages that are missing or damaged."""
    return [*knownMissing(), *damagedPackages()]


def forgetDamage() -> None:
    """Record that all packages are intact, after they were installed again or the worker has imported them."""
    _damaged.clear()


def withAdvice(error: JobError) -> JobError:
    """Return an error of the worker; one of a package is remembered, and gets the advice where to install it."""
    if error.code != "package" or not error.option:
        return error
    advice = _("it belongs to the application: reinstall the application")
    if error.option in NEEDED:
        _damaged.add(error.option)
        advice = (
            _("install it again in the module DeepReg Setup") if is_installed(error.option) else _("install it in the module DeepReg Setup")
        )
    return JobError(error.code, error.message, advice, error.changes, error.option)


def torchVersion() -> str | None:
    """Return the version of the installed PyTorch, from its metadata; None without one."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
