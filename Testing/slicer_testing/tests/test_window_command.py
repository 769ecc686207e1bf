"""The command that opens the window."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from PySide6.QtGui import QImage

from slicer_testing.__main__ import main

SCRIPT = """from slicer.ScriptedLoadableModule import *
class Shown(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "Shown here"
class ShownWidget(ScriptedLoadableModuleWidget):
    def setup(self):
        import qt
        ScriptedLoadableModuleWidget.setup(self)
        label = qt.QLabel()
        label.setStyleSheet("background: rgb(10, 200, 30)")
        label.setFixedHeight(60)
        self.layout.addWidget(label)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "modules" / "Shown").mkdir(parents=True)
    (tmp_path / "modules" / "Shown" / "Shown.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


@pytest.fixture
def without_display(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def test_a_picture_of_panel_and_slices(slicer_app, folder, without_display):
    voxels = np.zeros((20, 20, 20), np.int16)
    voxels[5:15, 5:15, 5:15] = 100
    volume, picture = folder / "box.nrrd", folder / "window.png"
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(volume))
    paths = list(slicer_app.loader.paths)
    try:
        assert (
            main(
                [
                    str(volume),
                    "--module-path",
                    str(folder / "modules"),
                    "--module",
                    "Shown",
                    "--screenshot",
                    str(picture),
                    "--size",
                    "1000x700",
                ]
            )
            == 0
        )
    finally:
        slicer_app.loader.paths[:] = paths
    image = QImage(str(picture)).convertToFormat(QImage.Format.Format_RGB888)
    assert (image.width(), image.height()) == (1000, 700)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(700, image.bytesPerLine())[:, :3000].reshape(700, 1000, 3)
    panel, views = pixels[:, :430], pixels[:, 440:]
    assert (np.abs(panel.astype(int) - (10, 200, 30)).max(axis=2) < 8).sum() > 5000
    # The box is white on black in three slices.
    for top, left in ((slice(0, 330), slice(0, 270)), (slice(360, 690), slice(0, 270)), (slice(360, 690), slice(290, 560))):
        assert (views[top, left] > 240).all(axis=2).sum() > 3000


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        ([], "there is no display"),
        (["nothing.nrrd", "--screenshot", "a.png"], "there is no file nothing.nrrd"),
        (["--size", "wide", "--screenshot", "a.png"], "--size must have the form 1320x860"),
        (["--module-path", "nowhere", "--screenshot", "a.png"], "there is no folder nowhere"),
        (["--module", "Missing", "--screenshot", "a.png"], "there is no module Missing"),
    ],
)
def test_what_cannot_be_done_is_one_line(slicer_app, folder, without_display, monkeypatch, capsys, arguments, output):
    monkeypatch.chdir(folder)
    assert main(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("slicer_testing: ")
    assert output in lines[0]


def test_a_file_of_no_known_kind_is_refused(slicer_app, folder, without_display, capsys):
    strange = folder / "a.strange"
    strange.write_text("?", encoding="utf-8")
    assert main([str(strange), "--screenshot", str(folder / "a.png")]) == 2
    assert "a.strange cannot be read" in capsys.readouterr().err
    assert not (folder / "a.png").exists()
