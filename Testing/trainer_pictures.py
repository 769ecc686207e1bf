"""The pictures of docs/trainer.md, taken of the real panel while features are learned from phantoms.

    ./run setup && .venv/bin/python Testing/trainer_pictures.py [--output docs/images] [--steps N] [--network context]

They need no display. Models and trainings go to a folder that is removed. The results are printed, because the page quotes them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import tutorial_pictures
from tutorial_pictures import ROOT, Camera, Tutorial

tutorial_pictures._LARGEST = 130_000
tutorial_pictures._WINDOW = (1240, 900)
_PATIENTS = (0, 1, 2, 3)
_FOLDS = 2
# Voxel size (mm), channels and features of a network that is asked for: small ones, to be done soon.
_SMALL = 2.0, 16, 12
_SHOWN_FOLDER = "/home/user/.local/share/DeepReg/trainings"


class TrainerTutorial(Tutorial):
    """A user who goes through the page.

    Args:
        camera: takes the pictures.
        steps: of the training.
        network: that learns; "" for the recipe's.
    """

    def __init__(self, camera: Camera, steps: int, network: str) -> None:
        super().__init__(camera)
        self._steps, self._network = steps, network

    def go(self) -> None:
        self.sample()
        self.choose()
        self.learn()
        self.evaluate()
        self.window.close()
        self.host.fresh()

    def sample(self) -> None:
        """Four patients, as the module DeepReg Setup makes them."""
        self.setup = self.panel("DeepReg")
        for number in _PATIENTS:
            self.setup.ui.seedSpinBox.value = number
            self.hands.click(self.setup.ui.makePhantomButton)
            self.settle()

    def choose(self) -> None:
        """Scans, roles, recipe and estimate."""
        widget = self.trainer = self.panel("DeepRegTrainer")
        ui = widget.ui
        self.hands.choose(ui.methodComboBox, "Dense")
        self.hands.choose(ui.presetComboBox, "Quick try")
        widget.panel.node.name = "my-abdomen"
        self.hands.click(ui.addAllButton)
        # One scan of each patient: those that are held out are of other patients than those that are learned from.
        for row in reversed(range(ui.scansTable.rowCount)):
            if "moving" in ui.scansTable.item(row, 0).text():
                ui.scansTable.selectRow(row)
                self.hands.click(ui.removeButton)
        ui.scansTable.clearSelection()
        self.hands.click(ui.splitButton)
        self.hands.choose(ui.modalityComboBox, "CT")
        if self._steps:
            widget.panel.node.dense.steps = self._steps
        if self._network:
            dense = widget.panel.node.dense
            dense.network = self._network
            dense.spacing, dense.width, dense.channels = _SMALL
        self.hands.click(ui.estimateButton)
        self.host.wait_for(lambda: not widget.panel.session.preparing, 300, "the estimate")
        print(ui.estimateLabel.text or ui.resultLabel.text)
        self.take_panel(widget, "trainer_scans", ui.curveButton)

    def learn(self) -> None:
        """While it learns, and afterwards."""
        ui, panel = self.trainer.ui, self.trainer.panel
        for name in ("method", "scans"):
            getattr(ui, f"{name}CollapsibleButton").collapsed = True
        self.hands.click(ui.startButton)
        self.host.wait_for(lambda: ui.curveButton.isEnabled(), 600, "the first figures")
        self.hands.click(ui.curveButton)
        self.host.wait_for(lambda: panel.run is None or ui.progressBar.value > 850, 1800, "a validation")
        self.shown_folder()
        self.camera.take(self.window, "trainer_running")
        self.host.wait_for(lambda: panel.run is None and not panel.client.busy, 1800, "the end")
        self.host.process_events(0.3)
        print(ui.resultLabel.text)

    def evaluate(self) -> None:
        """A cross-validation of the same scans."""
        ui, panel = self.trainer.ui, self.trainer.panel
        ui.trainingCollapsibleButton.collapsed = True
        ui.evaluationCollapsibleButton.collapsed = False
        panel.node.folds = _FOLDS
        self.host.wait_for(lambda: ui.evaluateButton.isEnabled(), 30, ui.evaluateButton.toolTip)
        self.hands.click(ui.evaluateButton)
        self.host.wait_for(lambda: panel.run is None and not panel.client.busy, 3600, "the end")
        self.host.process_events(0.3)
        print(ui.evaluationLabel.text)
        self.shown_folder()
        self.camera.take(self.window, "trainer_evaluation")

    def shown_folder(self) -> None:
        """A neutral path of the folder of trainings for the pictures."""
        self.trainer.ui.rootDirectoryButton.text = _SHOWN_FOLDER
        self.host.process_events(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--steps", type=int, default=0, help="instead of the recipe's")
    parser.add_argument(
        "--network",
        default="",
        choices=("", "context"),
        help="context: a small one that learns through the search, instead of the recipe's",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DEEPREG_MODELS"] = folder
        TrainerTutorial(Camera(options.output), options.steps, options.network).go()


if __name__ == "__main__":
    main()
