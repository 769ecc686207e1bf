"""The pictures of docs/inspector.md, taken of the real panel while a registration of a phantom pair is inspected.

    ./run setup && .venv/bin/python Testing/inspector_pictures.py [--output docs/images]

They need no display.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tutorial_pictures
from PIL import Image
from tutorial_pictures import ROOT, Camera, Tutorial, beside

tutorial_pictures._WINDOW = (1240, 840)
_LARGEST = 260_000


class ColourCamera(Camera):
    """Keeps rare colours: of arrows, grids and colour bars on grey images."""

    def keep(self, image: Image.Image, name: str) -> None:
        path = self._folder / f"{name}.png"
        image.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size > _LARGEST:
            raise RuntimeError(f"{path} has {path.stat().st_size} bytes")
        print(f"{path} {image.width} x {image.height}, {path.stat().st_size / 1000:.0f} kB")


class InspectorTutorial(Tutorial):
    """A user who goes through the page."""

    def go(self) -> None:
        self.sample()
        self.register()
        self.landmarks()
        self.table()
        self.deformation()
        self.overlap()
        self.window.close()
        self.host.fresh()

    def sample(self) -> None:
        """The pair, as the module DeepReg Setup makes it."""
        self.setup = self.panel("DeepReg")
        from DeepRegLib.samples import makePhantom

        self.nodes = makePhantom("abdomen", 0)
        for side in ("fixed", "moving"):
            self.nodes[f"{side}Labels"].GetDisplayNode().SetVisibility(False)
            self.nodes[f"{side}Landmarks"].GetDisplayNode().SetVisibility(False)

    def register(self) -> None:
        """A quick registration, with its inverse."""
        from DeepRegDense import DeepRegDenseLogic

        result = DeepRegDenseLogic().register(self.nodes["fixed"], self.nodes["moving"], preset="quick", outputs=("transform", "inverse"))
        self.transform, self.inverse = result.nodes["transform"], result.nodes["inverse"]
        print(result.summary)

    def settle(self) -> None:
        self.host.wait_for(lambda: not self.inspector.panel.busy, 120, "the panel")
        self.host.process_events(0.4)

    def landmarks(self) -> None:
        """Pairs that were picked, side by side, with arrows and histogram."""
        import numpy as np
        import slicer

        widget = self.inspector = self.panel("DeepRegInspector")
        ui, panel = widget.ui, widget.panel
        panel.inspect(self.transform, fixedVolume=self.nodes["fixed"], movingVolume=self.nodes["moving"])
        self.settle()
        fixed, _moving = panel.sections["landmarks"].lists()
        truth = slicer.util.arrayFromMarkupsControlPoints(self.nodes["fixedLandmarks"], world=True)
        for number, point in enumerate(truth[:: max(1, len(truth) // 14)][:14]):
            fixed.AddControlPoint(np.array(point).tolist(), str(number + 1))
        self.hands.click(ui.sideBySideButton)
        panel.sections["landmarkFiles"].actions["propose"].trigger()
        self.settle()
        for _ in range(9):
            self.hands.click(ui.acceptButton)
        self.hands.click(ui.vectorsButton)
        self.hands.click(ui.histogramButton)
        panel.node.vectorScale = 20.0
        self.zoom()
        panel.sections["landmarks"].table.select(4)
        self.settle()
        self.camera.take(self.window, "inspector_landmarks")

    def table(self) -> None:
        """The table in a wide panel: one partner was dragged away, and its pair is an outlier and excluded."""
        import qt
        from PySide6.QtCore import Qt
        from PySide6.QtWidgets import QDockWidget

        widget, ui, panel = self.inspector, self.inspector.ui, self.inspector.panel
        moving = panel.node.movingPoints
        place = moving.GetNthControlPointPosition(6)
        moving.SetNthControlPointPosition(6, place[0] + 3.0, place[1] - 2.5, place[2] + 1.5)
        self.settle()
        panel.sections["landmarkFiles"].actions["exclude"].trigger()
        ui.pairsTable.horizontalHeader().sectionClicked.emit(2)
        panel.sections["landmarks"].table.select(6)
        dock = self.window.findChild(QDockWidget, "PanelDockWidget")
        self.window.resizeDocks([dock], [900], Qt.Orientation.Horizontal)
        self.settle()
        whole = self.camera.image(widget.parent)
        ends = ((ui.pickButton, -8), (ui.summaryLabel, ui.summaryLabel.height + 4))
        top, bottom = (shown.mapTo(widget.parent, qt.QPoint(0, y)).y() for shown, y in ends)
        self.camera.keep(whole.crop((0, top, whole.width, bottom)), "inspector_table")
        self.window.resizeDocks([dock], [430], Qt.Orientation.Horizontal)
        for _ in range(2):
            self.hands.click(ui.undoButton)
        panel.sections["landmarks"].table.select(4)
        self.settle()

    def zoom(self) -> None:
        """Zoom to the landmarks in the 3D view."""
        import slicer

        self.host.app.layoutManager().resetThreeDViews()
        self.host.process_events(0.2)
        camera = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCameraNode")
        camera.GetCamera().Zoom(1.9)
        camera.ResetClippingRange()

    def deformation(self) -> None:
        """Grid, checkerboard and Jacobian."""
        ui, panel = self.inspector.ui, self.inspector.panel
        self.hands.click(ui.vectorsButton)
        self.hands.click(ui.sideBySideButton)
        for node in panel.sections["landmarks"].lists():
            node.GetDisplayNode().SetVisibility(False)
        ui.inputsCollapsibleButton.collapsed = True
        ui.landmarksCollapsibleButton.collapsed = True
        ui.deformationCollapsibleButton.collapsed = False
        self.host.process_events(0.2)
        images = []
        for box, choice in (
            (ui.displayComboBox, "grid"),
            (ui.displayComboBox, "arrows"),
            (ui.overlayComboBox, "checkerboard"),
            (ui.mapComboBox, "Jacobian"),
        ):
            if box is not ui.displayComboBox:
                self.hands.choose(ui.displayComboBox, "not shown")
            self.hands.choose(box, choice)
            self.settle()
            images.append(self.camera.image(self.view("Green")))
        height = min(image.height for image in images)
        self.camera.keep(beside([image.crop((0, 0, image.width, height)) for image in images]), "inspector_deformation")

    def overlap(self) -> None:
        """Structures before and after."""
        ui, panel = self.inspector.ui, self.inspector.panel
        labels = {name: self.nodes[name] for name in ("fixedLabels", "movingLabels")}
        panel.inspect(self.transform, inverseTransform=self.inverse, **labels)
        ui.deformationCollapsibleButton.collapsed = True
        ui.overlapCollapsibleButton.collapsed = False
        self.settle()
        self.hands.click(ui.compareButton)
        self.settle()
        self.take_panel(self.inspector, "inspector_overlap", ui.consistencyLabel)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    InspectorTutorial(ColourCamera(parser.parse_args().output)).go()


if __name__ == "__main__":
    main()
