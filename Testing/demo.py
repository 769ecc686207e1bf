"""A registration with the panel of Dense Registration in a window without Slicer: ``./run demo [FIXED MOVING]``.

The demo loads a phantom pair or two images of the user, fills in the panel and clicks Apply. It writes transform, warped volume, report,
an overview, the scene and a picture of the window into one folder. Exit code 0, or 2 with one line for an error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "Testing" / "slicer_testing"), str(ROOT / "DeepRegModules" / "DeepReg")]
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from deepreg_engine.commands import demo as engine_demo  # noqa: E402
from deepreg_engine.commands.console import end_process, report_error  # noqa: E402
from deepreg_engine.commands.parsing import Parser, paragraph  # noqa: E402
from deepreg_engine.commands.phantom import check_folder  # noqa: E402
from deepreg_engine.commands.progress import ProgressBar  # noqa: E402
from deepreg_engine.errors import EngineError  # noqa: E402
from deepreg_engine.geometry.images import read_image  # noqa: E402
from deepreg_engine.jobs.outputs import check_outputs  # noqa: E402
from deepreg_engine.methods.dense.presets import DEFAULT_DENSE_PRESET, dense_preset  # noqa: E402

_RESULTS = {
    "transform": "transform.nrrd",
    "warped": "warped.nii.gz",
    "report": "report.json",
    "overview": "overview.png",
    "scene": "scene.mrb",
    "window": "window.png",
}
_ABOUT = """
Make a phantom pair, or load two images of your own, register them with the panel of Dense Registration, print the figures before and after,
and write transform, warped image, report, scene and pictures into a folder.
"""
_WINDOW = (1500, 980)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    parser = Parser(prog="./run demo", description=paragraph(_ABOUT))
    engine_demo.add_choices(parser)
    parser.add_argument("--stay", action="store_true", help="leave the window open (needs a display)")
    try:
        options = parser.parse(arguments)
        _run(options)
    except SystemExit as end:  # the help page
        return int(end.code or 0)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - one line instead of a page
        return report_error(error, parser)
    return 0


def _run(options: argparse.Namespace) -> None:
    engine_demo.check_images(options)
    anatomy = options.anatomy or "abdomen"
    preset = dense_preset(options.preset or (DEFAULT_DENSE_PRESET if options.images else engine_demo.PHANTOM_PRESETS[anatomy]))
    folder = Path(options.output)
    results = {name: str(folder / file) for name, file in _RESULTS.items()}
    with engine_demo.made_folder(folder) as written, ProgressBar() as progress:
        check_outputs(results, options.images)
        if options.images:
            files = dict(zip(("fixed", "moving"), options.images, strict=True))
            for role, path in files.items():
                read_image(path, f"{role} image")  # errors of files are reported before a window is made
        else:
            check_folder(folder)
            progress(0.0, f"making the phantom ({anatomy})")
            files = engine_demo.written_phantom(anatomy, options.seed or 0, folder, written)
        progress(0.02, "opening the window")
        demo = _Demo(files, preset, results, "" if options.images else anatomy)
        try:
            report = demo.run(progress)
            gained = (
                engine_demo.similarity_rows(files["fixed"], files["moving"], results["transform"])
                if options.images
                else engine_demo.phantom_rows(report)
            )
            written.clear()
        except BaseException:
            written += [Path(path) for path in results.values() if Path(path).exists() and path not in demo.before]
            raise
    sys.stdout.write("\n".join(engine_demo.summary_lines(report, gained, results)) + "\n")
    sys.stdout.flush()
    if options.stay:
        demo.stay()
    demo.close()


class _Demo:
    """The actions of a user who registers one pair.

    Args:
        files: "fixed", "moving", and for a phantom its labels, landmarks and label names.
        preset: the preset to choose.
        results: name to path of each result.
        anatomy: of a phantom; "" for images of the user.
    """

    def __init__(self, files: dict[str, str], preset: Any, results: dict[str, str], anatomy: str = "") -> None:
        self.files, self.preset, self.results, self.anatomy = files, preset, results, anatomy
        self.before = {path for path in results.values() if Path(path).exists()}
        import slicer_testing
        from slicer_testing.hands import QtHands
        from slicer_testing.window.main_window import make_window

        self.host = slicer_testing.start((ROOT / "DeepRegModules",))
        self.hands = QtHands(self.host)
        self.window = make_window(self.host)
        self.window.resize(*_WINDOW)
        self.window.show()

    def run(self, progress: ProgressBar) -> dict:
        """Load, register and write; returns the report."""
        self._load()
        self.window.moduleSelector().selectModule("DeepRegDense")
        self.host.process_events(0.1)
        self.widget = self.host.app.moduleManager().module("DeepRegDense").widgetRepresentation().self()
        self._fill_in()
        panel, ui = self.widget.panel, self.widget.ui
        # Like a user, wait until the button is enabled: the set-up panel may be waiting for the worker.
        self.host.wait_for(lambda: ui.applyButton.isEnabled(), 60, f"Apply ({ui.applyButton.toolTip})")
        self.hands.click(ui.applyButton)
        if panel.run is None:
            raise EngineError(ui.resultLabel.text.rstrip("."))
        run = panel.run
        run.progressed.connect(lambda share, stage, left: progress(0.05 + 0.85 * share, stage))
        self.host.wait_for(lambda: panel.run is None and not panel.showing, 24 * 3600, "the end of the registration")
        if run.error is not None:
            raise EngineError(run.error.message, run.error.advice)
        progress(0.92, "writing the results")
        return self._write(run.result)

    def _load(self) -> None:
        import slicer
        from DeepRegLib.samples import showInWindow

        names = {}
        for side in ("fixed", "moving"):
            name = Path(self.files[side]).name.split(".")[0]
            node = slicer.util.loadVolume(
                _as_file(self.files[side], Path(slicer.app.temporaryPath) / f"{side}.nrrd"), {"name": name, "show": False}
            )
            if self.anatomy:
                showInWindow(node, self.anatomy)
            names[side] = node
        self.volumes = names
        slicer.util.setSliceViewerLayers(background=names["fixed"], foreground=names["moving"], foregroundOpacity=0.5, fit=True)

    def _fill_in(self) -> None:
        """Choose volumes, preset and test data in the panel."""
        ui = self.widget.ui
        self.hands.choose(ui.fixedSelector, self.volumes["fixed"])
        self.hands.choose(ui.movingSelector, self.volumes["moving"])
        self.hands.choose(ui.presetComboBox, self.preset.title)
        node = self.widget.panel.node
        if "fixed_labels" in self.files:
            from DeepRegLib.samples import loadPoints, loadSegmentation

            labels = json.loads(Path(self.files["label_names"]).read_text(encoding="utf-8"))["label_names"]
            labels = {int(value): name for value, name in labels.items()}
            node.fixedLabels, node.movingLabels = (
                loadSegmentation(self.files[f"{side}_labels"], f"{side} organs", labels) for side in ("fixed", "moving")
            )
            node.testFixed, node.testMoving = (
                loadPoints(self.files[f"test_{side}_landmarks"], f"{side} landmarks") for side in ("fixed", "moving")
            )

    def _write(self, result: Any) -> dict:
        import slicer

        from deepreg_engine.geometry.files import FileGroup
        from deepreg_engine.geometry.transform_files import read_field
        from deepreg_engine.jobs.overview import add_overview
        from deepreg_engine.metrics.report import to_json
        from slicer_testing.pictures import screenshot

        transform, warped = result.nodes["transform"], result.nodes["volume"]
        self.host.app.layoutManager().resetThreeDViews()
        self.host.process_events(0.3)
        screenshot(self.window, self.results["window"])
        for name, node in (("transform", transform), ("warped", warped)):
            if not slicer.util.saveNode(node, self.results[name]):
                raise EngineError(f"{self.results[name]} cannot be written", "check the disk")
        if not slicer.util.saveScene(self.results["scene"]):
            raise EngineError(f"{self.results['scene']} cannot be written", "check the disk")
        field = read_field(self.results["transform"])
        with FileGroup() as files:
            text = to_json(result.report)
            files.add(self.results["report"], lambda name: Path(name).write_text(text, encoding="utf-8"))
            alignment = _alignment(result.report)
            title = f"{self.volumes['moving'].GetName()} registered to {self.volumes['fixed'].GetName()}"
            add_overview(
                files, self.results["overview"], read_image(self.files["fixed"]), read_image(self.files["moving"]), field, alignment, title
            )
        return result.report

    def stay(self) -> None:
        """Leave the window to the user."""
        self.host.dialogs.interactive = True
        self.host.app.setQuitOnLastWindowClosed(True)
        self.host.app.exec()

    def close(self) -> None:
        """Close the window and the scene."""
        self.window.close()
        self.host.fresh()


def _as_file(path: str, copy: Path) -> str:
    """A folder with a DICOM series as one file: the host has no DICOM database, through which the application reads series."""
    if not Path(path).is_dir():
        return path
    import SimpleITK as sitk

    sitk.WriteImage(read_image(path), str(copy))
    return str(copy)


def _alignment(report: dict) -> Any:
    """The alignment of a report, for the overview."""
    import numpy as np
    import SimpleITK as sitk

    matrix = report["alignment"]["matrix"]
    if matrix is None:
        return sitk.Transform(3, sitk.sitkIdentity)
    matrix = np.array(matrix)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(matrix[:3, :3].ravel().tolist())
    affine.SetTranslation(matrix[:3, 3].tolist())
    return affine


if __name__ == "__main__":
    end_process(main)
