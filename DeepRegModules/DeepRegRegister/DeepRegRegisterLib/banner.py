"""The banner of a panel that cannot compute: it says what is missing, and its button installs it."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.torch_state import packagesToInstall


class InstallBanner:
    """Shown while packages are missing or damaged.

    Args:
        panel: of the module.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self._outcome = ""
        self._ui.installButton.connect("clicked(bool)", self.install)

    def install(self, *_arguments: Any) -> None:
        """Install what is missing, after asking in a dialog."""
        from DeepRegLib import installation

        with slicer.util.tryWithErrorDisplay(_("The installation failed."), waitCursor=False):
            outcome = installation.install()
            self._panel.client.stop()  # the next worker finds the new packages
            self._outcome = "" if outcome.installed else outcome.text
            if outcome.installed:
                self._panel.runSection.showMessage(outcome.text, bad=False)
        self._panel.refresh()

    def update(self) -> None:
        """Show what is missing."""
        from DeepRegLib import installation

        needed = packagesToInstall()
        self._ui.installBanner.setVisible(bool(needed))
        if needed:
            missing = _("{names} is not installed: nothing can be computed yet.").format(names=installation.titles(needed))
            self._ui.bannerLabel.text = self._outcome or missing
