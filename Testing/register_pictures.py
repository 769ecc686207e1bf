"""The pictures of docs/register.md, taken of the real panel while an abdomen is registered.

    ./run setup && .venv/bin/python Testing/register_pictures.py [--output docs/images]

They need no display.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tutorial_pictures import ROOT, Camera, PhantomTutorial


class RegisterTutorial(PhantomTutorial):
    """A user who goes through the page."""

    anatomy = "abdomen"

    def choose(self) -> None:
        """The panel as it opens, with the organs that come along."""
        widget = self.register = self.panel("DeepRegRegister")
        widget.ui.bringCollapsibleButton.collapsed = False
        self.host.wait_for(lambda: not widget.panel.contents.busy, 30, "the contents")
        self.host.wait_for(lambda: widget.ui.applyButton.enabled, 60, widget.ui.applyButton.toolTip)
        self.host.process_events(0.5)
        self.camera.take(self.window, "register")

    def apply(self) -> None:
        """The result, and its verdict."""
        ui, panel = self.register.ui, self.register.panel
        self.hands.click(ui.applyButton)
        self.host.wait_for(lambda: panel.run is None and not panel.showing, 300, "the end")
        print(ui.verdictLabel.text, ui.resultLabel.text, ui.bringLabel.text)
        ui.bringCollapsibleButton.collapsed = True
        self.host.process_events(0.5)
        self.camera.take(self.window, "register_result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    RegisterTutorial(Camera(parser.parse_args().output, largest=100_000)).go()


if __name__ == "__main__":
    main()
