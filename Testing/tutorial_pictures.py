"""The pictures of the user guide, taken of the real panels while a phantom pair is registered.

    ./run setup && .venv/bin/python Testing/tutorial_pictures.py [--output docs/images]

Each picture is a step of the tutorial in docs/user_guide.md; the names are those that it shows. They need no display.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "Testing" / "slicer_testing"), str(ROOT / "DeepRegModules" / "DeepReg")]
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# The panel shows the folder of the user's own models: a neutral path for the pictures.
os.environ["DEEPREG_MODELS"] = "/home/user/.local/share/DeepReg/models"

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

_WINDOW = (1240, 800)
_LARGEST = 150_000


class Camera:
    """Takes pictures of widgets and makes them small.

    Args:
        folder: where they go.
        largest: size of a file that none may reach, bytes.
    """

    def __init__(self, folder: Path, largest: int = _LARGEST) -> None:
        self._folder, self._largest = folder, largest
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, shown: Any, name: str) -> None:
        """Take a picture of a widget."""
        self.keep(self.image(shown), name)

    def image(self, shown: Any) -> Image.Image:
        """What a widget shows."""
        from slicer_testing.pictures import pixels, screenshot

        return Image.fromarray(pixels(screenshot(shown)))

    def keep(self, image: Image.Image, name: str) -> None:
        """Write a picture with as many colours as its size allows.

        Raises:
            RuntimeError: if it is too large with few colours too.
        """
        path = self._folder / f"{name}.png"
        for colours in (256, 128, 64, 32):
            image.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
            if path.stat().st_size < self._largest:
                print(f"{path} {image.width} x {image.height}, {path.stat().st_size / 1000:.0f} kB")
                return
        raise RuntimeError(f"{path} has {path.stat().st_size} bytes")


def beside(images: list[Image.Image], gap: int = 4) -> Image.Image:
    """Pictures of one height in a row."""
    whole = Image.new("RGB", (sum(image.width for image in images) + gap * (len(images) - 1), images[0].height), "white")
    left = 0
    for image in images:
        whole.paste(image, (left, 0))
        left += image.width + gap
    return whole


class Tutorial:
    """A user who goes through the guide.

    Args:
        camera: takes the pictures.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        import slicer_testing
        from slicer_testing.hands import QtHands
        from slicer_testing.window.main_window import make_window

        self.host = slicer_testing.start((ROOT / "DeepRegModules",))
        self.hands = QtHands(self.host)
        self.window = make_window(self.host)
        self.window.resize(*_WINDOW)
        self.window.show()
        self.host.process_events(0.2)

    def go(self) -> None:
        """All steps."""
        self.without_pytorch()
        self.set_up()
        self.sample_pair()
        self.choose()
        self.apply()
        self.look()
        self.measure()
        self.masks()
        self.window.close()
        self.host.fresh()

    def panel(self, name: str) -> Any:
        """Open a module; its Python widget."""
        self.window.moduleSelector().selectModule(name)
        self.host.process_events(0.2)
        return self.host.app.moduleManager().module(name).widgetRepresentation().self()

    def take_panel(self, widget: Any, name: str, last: Any) -> None:
        """A picture of a panel, down to a widget."""
        import qt

        self.host.process_events(0.2)
        whole = self.camera.image(widget.parent)
        bottom = last.mapTo(widget.parent, qt.QPoint(0, last.height)).y() + 8
        self.camera.keep(whole.crop((0, 0, whole.width, min(bottom, whole.height))), name)

    # ------------------------------------------------------------------- steps

    def without_pytorch(self) -> None:
        """The panels on a computer on which PyTorch is not installed yet."""
        import PyTorchUtils

        PyTorchUtils.pretend("missing")
        try:
            setup = self.panel("DeepReg")
            self.take_panel(setup, "setup_missing", setup.ui.refreshButton)
        finally:
            PyTorchUtils.pretend("actual")
        setup.panel.enter()

    def set_up(self) -> None:
        """The set-up panel after its self-test."""
        setup = self.setup = self.panel("DeepReg")
        self.settle()
        self.hands.click(setup.ui.selfTestButton)
        self.host.wait_for(lambda: setup.ui.selfTestLabel.text.startswith("All works"), 60, "the self-test")
        self.settle()
        self.take_panel(setup, "setup", setup.ui.verifyModelsButton)

    def settle(self) -> None:
        """Wait until the worker has answered all questions."""
        client = self.setup.panel.client
        self.host.wait_for(lambda: not client.busy and not client._waiting, 60, "the worker")

    def sample_pair(self) -> None:
        """The pair, before: the moving volume over the fixed one."""
        import slicer

        self.hands.click(self.setup.ui.makePhantomButton)
        self.nodes = {name: slicer.util.getNode(f"abdomen {name}") for name in ("fixed", "moving")}
        for side in ("fixed", "moving"):
            for what in ("organs", "landmarks"):
                self.nodes[f"{side} {what}"] = slicer.util.getNode(f"abdomen {side} {what}")
        self.settle()
        self.organs_in_3d(self.nodes["fixed organs"])
        self.camera.take(self.window, "pair")
        self.before = self.camera.image(self.view("Green"))

    def organs_in_3d(self, segmentation: Any) -> None:
        """As the module Segmentations does with Show 3D; slices stay free."""
        segmentation.CreateClosedSurfaceRepresentation()
        display = segmentation.GetDisplayNode()
        display.SetVisibility(True)
        display.SetVisibility2D(False)
        display.SetVisibility3D(True)
        segmentation_ = segmentation.GetSegmentation()
        for number in range(segmentation_.GetNumberOfSegments()):
            if segmentation_.GetNthSegment(number).GetName() in ("body", "skin", "muscle", "fat"):
                display.SetSegmentVisibility3D(segmentation_.GetNthSegmentID(number), False)
        self.host.app.layoutManager().resetThreeDViews()
        self.host.process_events(0.3)

    def view(self, name: str) -> Any:
        """A slice view."""
        return self.host.app.layoutManager().sliceWidget(name).sliceView()

    def choose(self) -> None:
        """Inputs, preset, what judges the result, and outputs."""
        widget = self.dense = self.panel("DeepRegDense")
        ui = widget.ui
        self.hands.choose(ui.fixedSelector, self.nodes["fixed"])
        self.hands.choose(ui.movingSelector, self.nodes["moving"])
        self.hands.choose(ui.presetComboBox, "Abdomen CT")
        self.take_panel(widget, "inputs", ui.presetHelpLabel)
        ui.inputsCollapsibleButton.collapsed = True
        ui.moreInputsCollapsibleButton.collapsed = False
        self.host.process_events(0.1)
        for selector, name in (
            ("testFixedSelector", "fixed landmarks"),
            ("testMovingSelector", "moving landmarks"),
            ("fixedLabelsSelector", "fixed organs"),
            ("movingLabelsSelector", "moving organs"),
        ):
            self.hands.choose(getattr(ui, selector), self.nodes[name])
        ui.outputsCollapsibleButton.collapsed = False
        self.take_panel(widget, "checks_and_outputs", ui.uncertaintyOutputSelector)
        ui.inputsCollapsibleButton.collapsed = False
        ui.moreInputsCollapsibleButton.collapsed = True
        ui.outputsCollapsibleButton.collapsed = True

    def apply(self) -> None:
        """While it computes, and afterwards."""
        ui = self.dense.ui
        self.host.wait_for(lambda: ui.applyButton.isEnabled(), 60, ui.applyButton.toolTip)
        self.hands.click(ui.applyButton)
        self.host.wait_for(lambda: "refinement" in ui.stageLabel.text and "left" in ui.stageLabel.text, 120, "the refinement")
        self.take_panel(self.dense, "running", ui.stageLabel)
        self.finish()
        self.camera.take(self.window, "result")

    def finish(self) -> None:
        """Wait for the end of a run, and for the views."""
        panel = self.dense.panel
        self.host.wait_for(lambda: panel.run is None and not panel.showing, 120, "the end")
        self.host.process_events(0.3)

    def look(self) -> None:
        """Before and after, without the grid: fade."""
        ui = self.dense.ui
        self.hands.click(ui.gridCheckBox)
        images = [self.before]
        for fade in (0, 50, 100):
            ui.fadeSlider.value = fade
            self.host.process_events(0.2)
            images.append(self.camera.image(self.view("Green")))
        self.camera.keep(beside(images), "fade")

    def measure(self) -> None:
        """Apply again with more outputs: outlines of the warped organs, and the Jacobian map."""
        import slicer

        diverging()
        ui = self.dense.ui
        ui.outputsCollapsibleButton.collapsed = False
        self.host.process_events(0.1)
        for name in ("labels", "jacobian"):
            self.hands.click(getattr(ui, f"{name}WantedCheckBox"))
        ui.outputsCollapsibleButton.collapsed = True
        self.hands.click(ui.applyButton)
        self.finish()
        self.hands.click(ui.gridCheckBox)
        made = {
            node.GetAttribute("DeepReg.Output"): node
            for node in slicer.util.getNodesByClass("vtkMRMLNode")
            if node.GetAttribute("DeepReg.Output")
        }
        ui.fadeSlider.value = 0
        self.host.process_events(0.3)
        outlines = [self.camera.image(self.view(name)) for name in ("Red", "Green")]
        made["labels"].GetDisplayNode().SetVisibility(False)
        slicer.util.setSliceViewerLayers(foreground=made["jacobian"], foregroundOpacity=0.6)
        self.host.process_events(0.3)
        outlines.append(self.camera.image(self.view("Green")))
        height = min(image.height for image in outlines)
        self.camera.keep(beside([image.crop((0, 0, image.width, height)) for image in outlines]), "checks")
        slicer.util.setSliceViewerLayers(foreground=made["volume"], foregroundOpacity=0.5)

    def masks(self) -> None:
        """A segment as a mask."""
        ui = self.dense.ui
        ui.inputsCollapsibleButton.collapsed = True
        ui.resultCollapsibleButton.collapsed = True
        ui.moreInputsCollapsibleButton.collapsed = False
        self.host.process_events(0.1)
        self.hands.choose(ui.fixedMaskSelector, self.nodes["fixed organs"])
        self.hands.choose(ui.fixedMaskSegmentComboBox, "liver")
        self.take_panel(self.dense, "masks", ui.initialTransformSelector)


class PhantomTutorial(Tutorial):
    """A user who registers a phantom that the module DeepReg Setup makes; derived classes add ``choose`` and ``apply``."""

    #: Anatomy of the phantom.
    anatomy = ""

    def go(self) -> None:
        self.sample()
        self.choose()
        self.apply()
        self.window.close()
        self.host.fresh()

    def sample(self) -> None:
        """Make the phantom."""
        self.setup = self.panel("DeepReg")
        from DeepRegLib.samples import makePhantom

        self.nodes = makePhantom(self.anatomy)


def diverging() -> None:
    """The application's colours from blue over white to red: the host has none of its colour files."""
    import slicer

    if slicer.util.getFirstNodeByClassByName("vtkMRMLColorNode", "DivergingBlueRed") is not None:
        return
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", "DivergingBlueRed")
    node.SetTypeToUser()
    node.SetNumberOfColors(255)
    stops = np.array([[6, 50, 99], [67, 147, 195], [209, 229, 240], [247, 246, 246], [252, 221, 202], [214, 96, 77], [103, 0, 31]]) / 255.0
    for number, place in enumerate(np.linspace(0, len(stops) - 1, 255)):
        node.SetColor(number, str(number), *(np.interp(place, range(len(stops)), stops[:, channel]) for channel in range(3)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    Tutorial(Camera(parser.parse_args().output)).go()


if __name__ == "__main__":
    main()
