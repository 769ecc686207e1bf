"""The pictures of docs/inspector.md, "Confidence and alternatives", taken of the real panel.

    ./run setup && .venv/bin/python Testing/explain_pictures.py [--output docs/images]

They need no display.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import tutorial_pictures
from PIL import Image
from tutorial_pictures import ROOT, Camera, Tutorial, beside

tutorial_pictures._WINDOW = (1240, 820)
_LARGEST = 60_000


def stacked(part: Image.Image, views: list[Image.Image]) -> Image.Image:
    """A part of the panel with views on its right, scaled to its height."""
    height = part.height
    return beside([part, *(fitted(view, height) for view in views)])


def palette_of(image: Image.Image) -> Image.Image:
    """A palette of greys and the colours of an image, including rare ones."""
    pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    coloured = pixels[np.ptp(pixels.astype(int), axis=1) > 24]
    colours = Image.fromarray(coloured[None]).quantize(128, Image.Quantize.MEDIANCUT) if len(coloured) else None
    entries = [] if colours is None else list(colours.getpalette())[: 3 * 128]
    entries += [value for grey in np.linspace(0, 255, 48).astype(int).tolist() for value in (grey, grey, grey)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(entries + entries[-3:] * (256 - len(entries) // 3))
    return palette


def fitted(view: Image.Image, height: int) -> Image.Image:
    """A view scaled to a height."""
    return view.resize((round(height / view.height * view.width), height), Image.Resampling.LANCZOS)


class ExplainTutorial(Tutorial):
    """A user who requests explanations."""

    def go(self) -> None:
        self.panel("DeepReg")
        self.inspector = self.panel("DeepRegInspector")
        self.part = self.inspector.panel.sections["explanation"]
        self.dense()
        self.maps()
        self.points()
        self.window.close()
        self.host.fresh()

    def keep(self, image: Image.Image, name: str) -> None:
        """Save a picture, scaled down if its file is large; rare colours are kept."""
        path = self.folder / f"{name}.png"
        for scale in (1.0, 0.85, 0.7, 0.6, 0.5):
            small = image.resize((round(scale * image.width), round(scale * image.height)), Image.Resampling.LANCZOS)
            small.quantize(palette=palette_of(small), dither=Image.Dither.NONE).save(path, optimize=True)
            if path.stat().st_size < _LARGEST:
                print(f"{path} {small.width} x {small.height}, {path.stat().st_size / 1000:.0f} kB")
                return
        raise RuntimeError(f"{name} is too large")

    def part_image(self) -> Image.Image:
        """The open part of the panel."""
        import qt

        whole = self.camera.image(self.inspector.parent)
        first, last = self.part.ui.explainCollapsibleButton, self.part.ui.explainRemoveButton
        top, bottom = (
            widget.mapTo(self.inspector.parent, qt.QPoint(0, place)).y() for widget, place in ((first, -4), (last, last.height + 8))
        )
        return whole.crop((0, max(top, 0), whole.width, min(bottom, whole.height)))

    def settle(self) -> None:
        self.host.wait_for(lambda: not self.inspector.panel.busy, 120, "the panel")
        self.host.process_events(0.5)

    def load(self, anatomy: str, detail: float) -> list:
        import slicer

        from deepreg_engine.phantoms import make_pair, write_pair

        with tempfile.TemporaryDirectory() as folder:
            paths = write_pair(make_pair(anatomy, detail=detail), folder)
            nodes = [slicer.util.loadVolume(str(paths[side]), {"name": f"{anatomy} {side}"}) for side in ("fixed", "moving")]
        slicer.util.setSliceViewerLayers(background=nodes[0], fit=True)
        return nodes

    def ask(self, transform, fixed, point) -> None:  # noqa: ANN001
        """Open the part and choose a point."""
        ui = self.inspector.ui
        self.panel("DeepRegInspector")
        self.inspector.panel.inspect(transform)
        for name in ("inputs", "landmarks", "deformation", "overlap"):
            getattr(ui, f"{name}CollapsibleButton").collapsed = True
        for child in ui.inputsCollapsibleButton.parentWidget().children():
            if hasattr(child, "collapsed"):
                child.collapsed = True
        self.part.ui.explainCollapsibleButton.collapsed = False
        self.settle()
        self.part.setPoint(point)
        self.settle()
        import slicer

        for name in ("Red", "Green", "Yellow"):
            slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode().JumpSliceByOffsetting(*point)
        self.settle()

    def dense(self) -> None:
        """Probabilities around a point of a brain, of a result that was shifted on purpose."""
        from DeepRegDense import DeepRegDenseLogic

        self.brain = self.load("brain", 1.0)
        self.panel("DeepRegDense")
        result = DeepRegDenseLogic().register(*self.brain, preset="brain-mr", outputs=("transform",))
        print(result.summary)
        self.result = result.nodes["transform"]
        fixed = self.brain[0]
        bounds = np.zeros(6)
        fixed.GetRASBounds(bounds)
        middle = (bounds[::2] + bounds[1::2]) / 2.0
        self.place = middle + (24.0, -8.0, 14.0)
        self.ask(self.result, fixed, self.place)
        self.hands.choose(self.part.ui.explainStageComboBox, self.part.ui.explainStageComboBox.itemText(2))
        self.settle()
        self.zoom(self.place, 50.0)
        self.part.enable()
        self.settle()
        self.keep(stacked(self.part_image(), [self.camera.image(self.view("Green"))]), "inspector_explain_point")

    def zoom(self, point, width: float) -> None:  # noqa: ANN001
        """Set the field of view of slices around a point, mm."""
        import slicer

        for name in ("Red", "Green", "Yellow"):
            node = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
            across, up, deep = node.GetFieldOfView()
            node.SetFieldOfView(width, width * up / across, deep)
            node.JumpSliceByCentering(*point)
        self.settle()

    def maps(self) -> None:
        """Entropy, and features of both volumes, in one view."""
        import slicer

        images = []
        for name in ("Red", "Green", "Yellow"):
            slicer.app.layoutManager().sliceWidget(name).sliceLogic().FitSliceToAll()
        for choice in ("uncertainty", "features of fixed", "features of moving, warped"):
            self.hands.choose(self.part.ui.explainShownComboBox, choice)
            self.settle()
            images.append(self.camera.image(self.view("Green")))
        height = min(image.height for image in images)
        self.keep(beside([image.crop((0, 0, image.width, height)) for image in images]), "inspector_explain_maps")
        self.hands.choose(self.part.ui.explainShownComboBox, "nothing")
        self.hands.click(self.part.ui.explainRemoveButton)

    def points(self) -> None:
        """Confidence of keypoints, and the partners of one."""
        import slicer
        from DeepRegPoints import DeepRegPointsLogic
        from vtk.util.numpy_support import vtk_to_numpy

        lung = self.load("thorax", 0.5)
        self.panel("DeepRegPoints")
        result = DeepRegPointsLogic().register(
            fixed=lung[0],
            moving=lung[1],
            preset="lung",
            parameters={"keypoint_count": 600},
            outputs=("transform", "fixedCloud", "movingCloud"),
        )
        print(result.summary)
        for name in ("fixedCloud", "movingCloud"):
            result.nodes[name].GetDisplayNode().SetVisibility(False)
        bounds = np.zeros(6)
        lung[0].GetRASBounds(bounds)
        point = (bounds[::2] + bounds[1::2]) / 2.0 + (70.0, 0.0, -20.0)
        self.ask(result.nodes["transform"], lung[0], point)
        self.hands.choose(self.part.ui.explainShownComboBox, "confidence of the points")
        self.settle()
        # A point that is not quite sure.
        data = self.inspector.panel.node.confidences.GetPolyData()
        confidence = vtk_to_numpy(data.GetPointData().GetArray("Confidence")).reshape(600, -1)[:, 0]
        places = vtk_to_numpy(data.GetPoints().GetData()).reshape(600, -1, 3).mean(axis=1)
        inside = np.abs(places - (bounds[::2] + bounds[1::2]) / 2.0).max(axis=1) < 70.0
        point = places[np.argmin(np.abs(confidence - 0.7) + ~inside)]
        self.part.setPoint(point)
        slicer.app.layoutManager().resetThreeDViews()
        self.zoom(point, 120.0)
        self.keep(stacked(self.part_image(), [self.camera.image(self.view("Green"))]), "inspector_explain_points")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    folder = parser.parse_args().output
    tutorial = ExplainTutorial(Camera(folder))
    tutorial.folder = folder
    tutorial.go()


if __name__ == "__main__":
    main()
