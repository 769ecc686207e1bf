"""The pictures of the documentation, taken of the real panels.

    DEEPREG_MODELS=/home/user/.local/share/DeepReg/models DEEPREG_SCREENSHOTS=Resources/Screenshots \\
        ./run test Testing/modules/test_screenshots.py

writes them there (the first setting keeps your own folder out of the picture); otherwise they go to a temporary folder, and only their size
and contrast are tested.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from panels import applied, opened

from slicer_testing.pictures import pixels, screenshot

pytestmark = pytest.mark.host_only("the pictures are of the host's window")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the pictures go."""
    chosen = os.environ.get("DEEPREG_SCREENSHOTS")
    return Path(chosen).resolve() if chosen else tmp_path


def taken(shown, path: Path) -> np.ndarray:
    """Take a picture; its pixels. It is neither empty nor too large for the documentation."""
    screenshot(shown, path)
    assert path.stat().st_size < 700_000
    values = pixels(path)
    assert values.std() > 10
    return values


def test_setup(warm_app, hands, folder):
    widget = opened(warm_app, "DeepReg")
    hands.click(widget.ui.selfTestButton)
    warm_app.wait_for(lambda: widget.ui.selfTestLabel.text.startswith("All works"), 60)
    widget.parent.resize(420, 720)
    warm_app.process_events(0.1)
    taken(widget.parent, folder / "Setup.png")


def test_dense_panel_with_everything_open(warm_app, folder, pair):
    widget = opened(warm_app, "DeepRegDense", 440)
    for name in ("moreInputs", "outputs", "advanced"):
        getattr(widget.ui, f"{name}CollapsibleButton").collapsed = False
    widget.parent.resize(440, 1640)
    warm_app.process_events(0.1)
    taken(widget.parent, folder / "DenseParameters.png")


def test_dense_registration_in_the_window(warm_app, hands, folder):
    import slicer
    from DeepRegLib.samples import makePhantom

    from slicer_testing.window.main_window import make_window

    window = make_window(warm_app)
    try:
        window.resize(1320, 860)
        window.show()
        full = bool(os.environ.get("DEEPREG_SCREENSHOTS"))
        nodes = makePhantom("abdomen") if full else None
        if nodes is None:  # a smaller one does for the test
            from deepreg_engine.phantoms import make_pair, write_pair

            small = folder / "pair"
            paths = write_pair(make_pair("abdomen", detail=0.35), small)
            nodes = {side: slicer.util.loadVolume(str(paths[side])) for side in ("fixed", "moving")}
        window.moduleSelector().selectModule("DeepRegDense")
        warm_app.process_events(0.2)
        widget = slicer.modules.deepregdense.widgetRepresentation().self()
        if full:
            widget.panel.node.testFixed, widget.panel.node.testMoving = nodes["fixedLandmarks"], nodes["movingLandmarks"]
            widget.panel.node.fixedLabels, widget.panel.node.movingLabels = nodes["fixedLabels"], nodes["movingLabels"]
            nodes["fixedLabels"].CreateClosedSurfaceRepresentation()
            nodes["fixedLabels"].GetDisplayNode().SetVisibility2D(False)
            nodes["fixedLabels"].GetDisplayNode().SetVisibility(True)
        hands.choose(widget.ui.fixedSelector, nodes["fixed"])
        hands.choose(widget.ui.movingSelector, nodes["moving"])
        if not full:
            hands.choose(widget.ui.presetComboBox, "Quick preview")
        assert "folding" in applied(warm_app, hands, widget, 120)
        slicer.app.layoutManager().resetThreeDViews()
        warm_app.process_events(0.5)
        values = taken(window, folder / "DenseRegistration.png")
        red = (values[..., 0] > 180) & (values[..., 1] < 80) & (values[..., 2] < 80)
        assert red[:, 450:].mean() > 0.005  # the deformation grid
    finally:
        window.close()
