"""The pictures of docs/report.md: the part of the panel, the page on the screen, and its two sheets of paper.

    ./run setup && .venv/bin/python Testing/report_pictures.py [--output docs/images]

Needs Chromium and pdftoppm (Debian: chromium, poppler-utils), and no display.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import tutorial_pictures
from PIL import Image
from tutorial_pictures import ROOT, Camera, Tutorial, beside

sys.path.append(str(ROOT / "Testing" / "engine"))
from browser import Browser

tutorial_pictures._LARGEST = 150_000
# Pixels of the browser's window, of its picture's width, and of an inch of paper.
_SCREEN, _SHOWN, _DOTS = (1150, 1000), 720, 54


class ReportTutorial(Tutorial):
    """A user who goes through the page."""

    def go(self) -> None:
        self.panel("DeepReg")
        from DeepRegDense import DeepRegDenseLogic
        from DeepRegLib.samples import makePhantom

        nodes = makePhantom("abdomen", 0)
        for side in ("fixed", "moving"):
            nodes[f"{side}Labels"].GetDisplayNode().SetVisibility(False)
        result = DeepRegDenseLogic().register(nodes["fixed"], nodes["moving"], preset="quick", outputs=("transform", "inverse"))
        widget = self.panel("DeepRegInspector")
        inputs = {"fixedVolume": nodes["fixed"], "movingVolume": nodes["moving"]}
        for side in ("fixed", "moving"):
            inputs.update({f"{side}Points": nodes[f"{side}Landmarks"], f"{side}Labels": nodes[f"{side}Labels"]})
        widget.panel.inspect(result.nodes["transform"], inverseTransform=result.nodes["inverse"], **inputs)
        self.host.process_events(0.5)
        self.report(widget)
        self.window.close()
        self.host.fresh()

    def report(self, widget) -> None:
        """Write the report and take pictures of it."""
        section = widget.panel.sections["report"]
        section.openPage = lambda _path: None
        for name in ("inputs", "landmarks"):
            getattr(widget.ui, f"{name}CollapsibleButton").collapsed = True
        section.ui.reportCollapsibleButton.collapsed = False
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "registration_report.html"
            section.write(str(path))
            self.host.wait_for(lambda: not widget.panel.busy, 120, "the report")
            self.take_panel(widget, "report_panel", section.ui.reportOpenButton)
            with Browser() as browser:
                size = {"width": _SCREEN[0], "height": _SCREEN[1], "deviceScaleFactor": 1, "mobile": False}
                browser.call("Emulation.setDeviceMetricsOverride", **size)
                browser.open(path)
                half = "part.value = 45; part.dispatchEvent(new Event('input'))"
                browser.ask(f"(() => {{ const part = document.getElementById('time'); {half}; }})()")
                screen = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
                (Path(folder) / "r.pdf").write_bytes(browser.pdf())
            screen = screen.crop((0, 0, _SCREEN[0] - 15, _SCREEN[1]))  # without the scroll bar
            self.camera.keep(screen.resize((_SHOWN, _SHOWN * screen.height // screen.width), Image.Resampling.LANCZOS), "report_screen")
            subprocess.run(["pdftoppm", "-r", str(_DOTS), "-png", "r.pdf", "sheet"], cwd=folder, check=True)
            sheets = [Image.open(file).convert("RGB") for file in sorted(Path(folder).glob("sheet*.png"))]
            self.camera.keep(beside(sheets, 10), "report_sheets")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    ReportTutorial(Camera(parser.parse_args().output)).go()


if __name__ == "__main__":
    main()
