"""The pictures of docs/descent_panel.md, taken of the real panel while a CT is registered to an MR image.

    ./run setup && .venv/bin/python Testing/descent_pictures.py [--output docs/images] [--set name=value ...]

They need no display.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tutorial_pictures
from tutorial_pictures import ROOT, Camera, Tutorial, beside

tutorial_pictures._LARGEST = 130_000
tutorial_pictures._WINDOW = (1120, 760)


class DescentTutorial(Tutorial):
    """A user who goes through the page.

    Args:
        camera: takes the pictures.
        changes: name to value of parameters that differ from the preset.
    """

    def __init__(self, camera: Camera, changes: dict[str, str]) -> None:
        super().__init__(camera)
        self._changes = changes

    def go(self) -> None:
        self.sample()
        self.choose()
        self.apply()
        self.features()
        self.iterations()
        self.energy()
        self.window.close()
        self.host.fresh()

    def sample(self) -> None:
        """The pair, as the module DeepReg Setup makes it."""
        self.setup = self.panel("DeepReg")
        from DeepRegLib.samples import makePhantom

        self.nodes = makePhantom("abdomen", 0, "mr-ct")
        self.organs_in_3d(self.nodes["fixedLabels"])

    def choose(self) -> None:
        """Volumes, check landmarks and outputs."""
        widget = self.descent = self.panel("DeepRegDescent")
        ui = widget.ui
        self.hands.choose(ui.fixedSelector, self.nodes["fixed"])
        self.hands.choose(ui.movingSelector, self.nodes["moving"])
        widget.panel.node.testFixed, widget.panel.node.testMoving = self.nodes["fixedLandmarks"], self.nodes["movingLandmarks"]
        ui.outputsCollapsibleButton.collapsed = False
        self.host.process_events(0.1)
        for name in ("features", "iterations"):
            self.hands.click(getattr(ui, f"{name}WantedCheckBox"))
        self.take_panel(widget, "descent_inputs", ui.keptIterationsSpinBox)
        ui.outputsCollapsibleButton.collapsed = True
        for name, value in self._changes.items():
            kind = type(getattr(widget.panel.node.parameters, name))
            setattr(widget.panel.node.parameters, name, kind(value))

    def apply(self) -> None:
        """The result in the window."""
        ui, panel = self.descent.ui, self.descent.panel
        self.host.wait_for(lambda: ui.applyButton.isEnabled(), 60, ui.applyButton.toolTip)
        self.hands.click(ui.applyButton)
        self.host.wait_for(lambda: panel.run is None and not panel.showing, 300, "the end")
        print(ui.resultLabel.text)
        ui.inputsCollapsibleButton.collapsed = True
        self.host.process_events(0.3)
        self.camera.take(self.window, "descent_result")

    def row(self, name: str, images: list) -> None:
        """Pictures of views side by side."""
        height = min(image.height for image in images)
        self.camera.keep(beside([image.crop((0, 0, image.width, height)) for image in images]), name)

    def features(self) -> None:
        """Features of the fixed volume, half and half, and of the moving one."""
        ui = self.descent.ui
        self.hands.click(ui.gridCheckBox)
        self.hands.click(ui.showFeaturesCheckBox)
        images = []
        for fade in (0, 50, 100):
            ui.fadeSlider.value = fade
            self.host.process_events(0.3)
            images.append(self.camera.image(self.view("Green")))
        self.row("descent_features", images)
        ui.fadeSlider.value = 50

    def iterations(self) -> None:
        """The first, one of the first, and the last iteration; the player."""
        ui = self.descent.ui
        self.hands.click(ui.showIterationsCheckBox)
        self.hands.click(ui.gridCheckBox)
        ui.fadeSlider.value = 60
        seek = self.descent.panel.resultSection._players[0].slider()
        images = []
        for item in (0, min(2, seek.maximum), seek.maximum):
            seek.value = item
            self.host.process_events(0.3)
            images.append(self.camera.image(self.view("Green")))
        self.row("descent_iterations", images)
        seek.value = min(2, seek.maximum)
        self.take_panel(self.descent, "descent_player", ui.inspectButton)
        self.hands.click(ui.showIterationsCheckBox)

    def energy(self) -> None:
        """The plot."""
        self.hands.click(self.descent.ui.energyButton)
        self.host.process_events(0.5)
        self.camera.take(self.host.app.layoutManager().plotWidget(0).plotView(), "descent_energy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    DescentTutorial(Camera(arguments.output), dict(change.split("=", 1) for change in arguments.changes)).go()


if __name__ == "__main__":
    main()
