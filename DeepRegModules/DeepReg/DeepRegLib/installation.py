"""Installation of the packages for computing, on request: PyTorch through the extension PyTorch, small packages by pip."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.torch_state import TORCH_REQUIREMENT, damagedPackages, forgetDamage, missingPackages, outdatedPackages


class TorchInstaller(Protocol):
    """The interface of ``PyTorchUtils.PyTorchUtilsLogic`` that is used."""

    def installTorch(
        self, askConfirmation: bool = False, forceComputationBackend: str | None = None, torchVersionRequirement: str | None = None
    ) -> Any:
        """Install PyTorch; returns None if the user declines."""

    def uninstallTorch(self, askConfirmation: bool = False) -> Any:
        """Remove PyTorch."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of an installation.

    Args:
        installed: whether all packages are installed now.
        text: for the user.
        details: what was reported, for those who look for the cause; shown folded.
    """

    installed: bool
    text: str
    details: str = ""


def torchInstaller() -> TorchInstaller | None:
    """Return the extension's logic; None if the extension is not installed."""
    try:
        import PyTorchUtils
    except ImportError:
        return None
    return PyTorchUtils.PyTorchUtilsLogic()


def titles(names: Sequence[str]) -> str:
    """Return the names of packages as the user knows them."""
    return ", ".join("PyTorch" if name == "torch" else name for name in names)


def explanation(missing: list[str], damaged: Sequence[str] = (), outdated: Sequence[str] = ()) -> str:
    """Return the description of an installation, for the user's decision; packages ``damaged`` and ``outdated`` are installed again."""
    lines = []
    if outdated:
        lines.append(_("{names} will be replaced by a newer version.").format(names=titles(outdated)))
    if damaged := [name for name in damaged if name not in outdated]:
        lines.append(_("{names} will be removed and installed again: the files are damaged.").format(names=titles(damaged)))
    if "torch" in missing:
        lines.append(
            _(
                "PyTorch will be downloaded from pytorch.org: about 200 MB (1 GB on the disk), with a graphics card from NVIDIA about"
                " 3 GB (6 GB on the disk). That takes some minutes, in which the window does not answer."
            )
        )
    small = [name for name in missing if name != "torch"]
    if small:
        lines.append(_("The small packages {names} (under 2 MB) will be downloaded from pypi.org.").format(names=", ".join(small)))
    lines.append(_("All packages are installed into the Python of this application. Nothing is uploaded."))
    return "\n\n".join(lines)


def _installPackages(installer: TorchInstaller | None, missing: list[str], again: list[str]) -> bool:
    """Install packages; those of ``again`` are installed again. Return whether PyTorch is installed."""
    # Small packages come first, so that they are installed even if the large download fails or the application cannot import PyTorch.
    small = [name for name in missing if name != "torch"]
    if small:
        options = "--force-reinstall --no-deps " if set(small) & set(again) else ""
        slicer.util.pip_install(options + " ".join(small))
    if "torch" not in missing:
        return True
    if "torch" in again:
        installer.uninstallTorch()
    try:
        # The user has already been asked, in more detail than by PyTorchUtils.
        installed = installer.installTorch(askConfirmation=False, torchVersionRequirement=TORCH_REQUIREMENT) is not None
    except Exception:
        # PyTorchUtils imports PyTorch after the installation. If that fails because of libraries in the application's process, PyTorch may
        # still work in the worker, and only the worker needs it.
        if "torch" in missingPackages():
            raise
        logging.exception("DeepReg: PyTorch is installed, but the application could not import it")
        installed = True
    return installed


def install(installer: TorchInstaller | None = None) -> Outcome:
    """Ask, then install what is missing, and what is damaged again."""
    damaged, outdated = damagedPackages(), outdatedPackages()
    again = [*damaged, *(name for name in outdated if name not in damaged)]
    missing = [*missingPackages(), *again]
    if not missing:
        return Outcome(True, _("Everything is installed."))
    installer = installer or torchInstaller()
    if "torch" in missing and installer is None:
        return Outcome(
            False,
            _(
                "The extension PyTorch is not installed. Install it in the Extensions Manager, restart the application, and open this "
                "module again."
            ),
        )
    if not slicer.util.confirmOkCancelDisplay(explanation(missing, damaged, outdated), windowTitle=_("Install PyTorch")):
        return Outcome(False, _("Nothing was installed. The modules open, but cannot compute. You can install it at any time."))
    try:
        if not _installPackages(installer, missing, again):
            return Outcome(False, _("PyTorch was not installed. You can try again at any time."))
    except Exception as error:  # noqa: BLE001 - pip and PyTorchUtils raise many kinds
        return Outcome(
            False,
            _("Download failed. Check the network or proxy, and 6 GB of disk."),
            f"{type(error).__name__}: {error}".strip().rstrip(":"),
        )
    forgetDamage()
    still = missingPackages()
    if still:
        return Outcome(False, _("Installed, but {names} cannot be found yet: restart the application.").format(names=", ".join(still)))
    return Outcome(True, _("Installed. Run the self-test to check the installation."))
