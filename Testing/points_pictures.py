"""The pictures of docs/points_panel.md, taken of the real panel while a thorax is registered.

    ./run setup && .venv/bin/python Testing/points_pictures.py [--output docs/images]

They need no display.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tutorial_pictures
from tutorial_pictures import ROOT, Camera, PhantomTutorial, beside

tutorial_pictures._LARGEST = 200_000


class PointsTutorial(PhantomTutorial):
    """A user who goes through the page."""

    anatomy = "thorax"

    def choose(self) -> None:
        """Volumes, lungs as masks, and what judges the result."""
        widget = self.points = self.panel("DeepRegPoints")
        ui = widget.ui
        self.hands.choose(ui.fixedSelector, self.nodes["fixed"])
        self.hands.choose(ui.movingSelector, self.nodes["moving"])
        ui.moreInputsCollapsibleButton.collapsed = False
        self.host.process_events(0.1)
        for side in ("fixed", "moving"):
            self.hands.choose(getattr(ui, f"{side}MaskSelector"), self.nodes[f"{side}Labels"])
            self.hands.choose(getattr(ui, f"{side}MaskSegmentComboBox"), "lung (2 segments)")
        self.hands.choose(ui.testFixedSelector, self.nodes["fixedLandmarks"])
        self.hands.choose(ui.testMovingSelector, self.nodes["movingLandmarks"])
        self.take_panel(widget, "points_inputs", ui.movingLabelsSelector)
        ui.moreInputsCollapsibleButton.collapsed = True

    def apply(self) -> None:
        """The result in the window; the lines from near, and the deformation grid."""
        import slicer

        ui, panel = self.points.ui, self.points.panel
        self.host.wait_for(lambda: ui.applyButton.isEnabled(), 60, ui.applyButton.toolTip)
        self.hands.click(ui.applyButton)
        self.host.wait_for(lambda: panel.run is None and not panel.showing, 300, "the end")
        print(ui.resultLabel.text)
        manager = slicer.app.layoutManager()
        manager.resetThreeDViews()
        view = slicer.util.getNodesByClass("vtkMRMLViewNode")[0]
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)
        for _ in range(6):
            manager.threeDWidget(0).threeDView().zoomIn()
        self.host.process_events(0.3)
        self.camera.take(self.window, "points_result")
        images = [self.camera.image(manager.threeDWidget(0).threeDView())]
        ui.leastConfidenceSlider.value = 50
        ui.fixedCloudShowCheckBox.checked = ui.movedCloudShowCheckBox.checked = False
        self.host.process_events(0.3)
        images.append(self.camera.image(manager.threeDWidget(0).threeDView()))
        ui.correspondencesShowCheckBox.checked = False
        ui.gridCheckBox.checked = True
        self.host.process_events(0.3)
        images.append(self.camera.image(self.view("Green")))
        height = min(image.height for image in images)
        self.camera.keep(beside([image.crop((0, 0, image.width, height)) for image in images]), "points_lines")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    PointsTutorial(Camera(parser.parse_args().output)).go()


if __name__ == "__main__":
    main()
