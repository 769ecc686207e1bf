"""Installation of the packages for computing, on request: PyTorch through the extension PyTorch, small packages by pip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.torch_state import TORCH_REQUIREMENT, damagedPackages, forgetDamage, missingPackages


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
    """

    installed: bool
    text: str


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


def explanation(missing: list[str], damaged: Sequence[str] = ()) -> str:
    """Return the description of an installation, for the user's decision; packages among ``damaged`` are installed again."""
    lines = []
    if damaged:
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


def _installPackages(installer: TorchInstaller | None, missing: list[str], damaged: list[str]) -> bool:
    """Install packages, damaged ones again; return whether PyTorch is there."""
    # The question has been asked before, with more than PyTorchUtils' own question.
    if "torch" in damaged:
        installer.uninstallTorch()
    if "torch" in missing and installer.installTorch(askConfirmation=False, torchVersionRequirement=TORCH_REQUIREMENT) is None:
        return False
    small = [name for name in missing if name != "torch"]
    if small:
        again = "--force-reinstall --no-deps " if set(small) & set(damaged) else ""
        slicer.util.pip_install(again + " ".join(small))
    return True


def install(installer: TorchInstaller | None = None) -> Outcome:
    """Ask, then install what is missing, and what is damaged again."""
    damaged = damagedPackages()
    missing = [*missingPackages(), *damaged]
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
    if not slicer.util.confirmOkCancelDisplay(explanation(missing, damaged), windowTitle=_("Install PyTorch")):
        return Outcome(False, _("Nothing was installed. The modules open, but cannot compute. You can install it at any time."))
    try:
        if not _installPackages(installer, missing, damaged):
            return Outcome(False, _("PyTorch was not installed. You can try again at any time."))
    except Exception as error:  # noqa: BLE001 - pip and PyTorchUtils raise many kinds
        return Outcome(
            False,
            _(
                "The installation failed ({reason}). Check the connection and the free space. If files were in use, restart the"
                " application and try again."
            ).format(reason=str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__),
        )
    forgetDamage()
    still = missingPackages()
    if still:
        return Outcome(False, _("Installed, but {names} cannot be found yet: restart the application.").format(names=", ".join(still)))
    return Outcome(True, _("Installed. Run the self-test to check the installation."))
