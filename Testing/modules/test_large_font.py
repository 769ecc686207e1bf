"""Panels with a font of 14 points, dark colours and twice the pixels, as users of large screens have them: no text is cut off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench import MODULES, ROOT
from panels import opened

NAMES = ("DeepReg", "DeepRegRegister", "DeepRegDense", "DeepRegDescent", "DeepRegPoints", "DeepRegInspector", "DeepRegTrainer")
TWICE = os.environ.get("QT_SCALE_FACTOR") == "2"


def unfolded(app, name: str):
    """Return a module's panel at its smallest width, with all its sections open."""
    app.add_module_path(MODULES)
    panel = opened(app, name, 400).parent
    import ctk

    for button in panel.findChildren(ctk.ctkCollapsibleButton):
        button.collapsed = False
    app.process_events()
    panel.resize(panel.minimumSizeHint.width(), 2400)
    app.process_events()
    return panel


@pytest.mark.parametrize("name", NAMES)
def test_all_texts_of_a_panel_can_be_read(large_and_dark, name):
    panel = unfolded(large_and_dark, name)
    for _ in range(20):  # texts that arrive late, as the engine's version, change the layout once more
        if not large_and_dark.clipped(panel):
            break
        panel.resize(panel.minimumSizeHint.width(), 2400)
        large_and_dark.process_events(0.1)
    assert large_and_dark.clipped(panel) == []


@pytest.mark.host_only("the factor is set when the application starts")
@pytest.mark.skipif(TWICE, reason="it starts the others with twice the pixels")
def test_all_texts_can_be_read_with_twice_the_pixels():
    """The other tests of this file pass in a process with two screen pixels for each of Qt's pixels."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__))]
    done = subprocess.run(
        command, env={**os.environ, "QT_SCALE_FACTOR": "2"}, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert f"{len(NAMES) + 1} passed, 1 skipped" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(not TWICE, reason="runs in the test above")
def test_there_are_twice_the_pixels_and_they_are_dark(large_and_dark):
    from slicer_testing.pictures import pixels, screenshot

    panel = unfolded(large_and_dark, "DeepRegDense")
    seen = pixels(screenshot(panel))
    assert seen.shape[1] == 2 * panel.width
    assert seen[:, :20].mean() < 90
