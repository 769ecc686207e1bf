"""Helpers of the panels' tests."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from world import FLIP, through

QUICK = {"working_spacing": 6.0, "control_spacing": 18.0, "search_stages": 1, "refinement_iterations": 2}


def opened(app, name: str = "DeepRegDense", width: int = 420):
    """A module's panel, shown; its Python widget."""
    panel = app.load_module(name).widgetRepresentation()
    panel.resize(width, 900)
    panel.show()
    panel.enter()
    app.process_events()
    return panel.self()


def quick(widget, **changes) -> None:
    """Parameters with which a small phantom takes less than a second."""
    for name, value in {**QUICK, **changes}.items():
        setattr(widget.panel.node.parameters, name, value)


def finish(app, widget, seconds: float = 60.0) -> None:
    """Wait for the end of a run and for what is shown after it."""
    app.wait_for(lambda: widget.panel.run is None, seconds, "the end of the run")
    app.wait_for(lambda: not widget.panel.showing, 10, "the views")
    app.process_events()


@contextmanager
def pieces_of_work(interval: int) -> Iterator[list[float]]:
    """Yield a list that receives, while the block runs, the processor time of the window's thread between two events of a timer, s.

    Processor time of the thread does not depend on other programs of the machine.

    Args:
        interval: of the timer, ms.
    """
    import qt

    last, gaps = [time.thread_time()], []

    def tick() -> None:
        now = time.thread_time()
        gaps.append(now - last[0])
        last[0] = now

    timer = qt.QTimer()
    timer.setInterval(interval)
    timer.connect("timeout()", tick)
    timer.start()
    try:
        yield gaps
    finally:
        timer.stop()


def applied(app, hands, widget, seconds: float = 60.0) -> str:
    """Press Apply, wait for the end; the result line."""
    hands.click(widget.ui.applyButton)
    finish(app, widget, seconds)
    return widget.ui.resultLabel.text


def check_texts(app, widget, width: int, height: int, sections: tuple[str, ...] = ("moreInputs", "outputs", "advanced", "result")) -> list:
    """Check that no text of a panel of this size is cut off, with sections open; returns the visible buttons with a text."""
    import qt

    for name in sections:
        getattr(widget.ui, f"{name}CollapsibleButton").collapsed = False
    panel = widget.parent
    panel.resize(width, height)
    app.process_events()
    for label in panel.findChildren(qt.QLabel):
        if label.visible and label.text and not label.wordWrap:
            assert label.width >= label.sizeHint.width(), label.text
    found = [button for kind in (qt.QPushButton, qt.QCheckBox) for button in panel.findChildren(kind) if button.visible and button.text]
    for button in found:
        if not os.path.isabs(button.text):  # a path is shortened in its middle
            assert button.width >= button.sizeHint.width() - 2, button.text
    assert panel.width == width
    return found


def check_focus_order(widget, wanted: list[str]) -> None:
    """Check that the tabulator key visits widgets in an order; the part of a widget that has the focus need not have a name."""
    import qt

    chain, at = [], widget.ui.parameterNodeSelector
    for _ in range(600):
        at = at.nextInFocusChain()
        if at.focusPolicy == qt.Qt.NoFocus or not at.visible:
            continue
        named = at
        while named is not None and (not named.objectName or named.objectName.startswith("qt_")):
            named = named.parentWidget()
        if named is not None:
            chain.append(named.objectName)
    positions = [chain.index(name) for name in wanted]
    assert positions == sorted(positions), chain


def world_image(node) -> sitk.Image:
    """A volume node as SimpleITK's image where the world sees it (its parents, if any, are rigid)."""
    import slicer
    import vtk

    from deepreg_slicer.volumes import fromVtkMatrix

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    to_world = np.eye(4)
    if node.GetParentTransformNode() is not None:
        above = vtk.vtkMatrix4x4()
        node.GetParentTransformNode().GetMatrixTransformToWorld(above)
        to_world = fromVtkMatrix(above)
    lps = FLIP @ to_world @ fromVtkMatrix(matrix)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.GetImageFromArray(slicer.util.arrayFromVolume(node))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return image


def load_points(path: Path, name: str):
    """A points file of a phantom as markups."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    with open(path, newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            node.AddControlPoint([-float(row["x"]), -float(row["y"]), float(row["z"])], row["label"])
    return node


def landmark_error(transform, fixed, moving) -> float:
    """Mean distance of fixed landmarks, carried by a transform node's inverse, from the moving ones, mm: the field as it was found."""
    from deepreg_slicer.landmarks import definedPoints

    pairs = [np.array([position for _, position in definedPoints(node)]) for node in (fixed, moving)]
    return float(np.linalg.norm(through(transform, pairs[0], inverse=True) - pairs[1], axis=1).mean())


def nodes() -> dict[str, str]:
    """Names and classes of the data in the scene that a user sees."""
    import slicer

    kinds = ("vtkMRMLVolumeNode", "vtkMRMLTransformNode", "vtkMRMLSegmentationNode", "vtkMRMLMarkupsNode")
    return {
        node.GetName(): node.GetClassName() for kind in kinds for node in slicer.util.getNodesByClass(kind) if not node.GetHideFromEditors()
    }


def check_volume_and_transform(volume, transform, moving) -> None:
    """Check that the warped volume has the values of the moving one at the points to which the transform, saved and read by SimpleITK, maps
    each voxel."""
    import slicer

    path = f"{slicer.app.temporaryPath}/checked.h5"
    assert slicer.util.saveNode(transform, path)
    saved = sitk.ReadTransform(path)
    shown, source = world_image(volume), world_image(moving)
    lowest = float(sitk.GetArrayViewFromImage(source).min())
    expected = sitk.GetArrayFromImage(
        sitk.Resample(sitk.Cast(source, sitk.sitkFloat32), shown, saved, sitk.sitkLinear, max(lowest, -1024.0))
    )
    found = sitk.GetArrayFromImage(shown).astype(np.float32)
    # Rounding to integers is half a unit; a twentieth of a voxel at an edge between air and fat would be 45.
    assert np.percentile(np.abs(found - expected), 99.9) < 3.0
    assert np.abs(found - expected).mean() < 0.6


def ended(app, widget, *words: str) -> str:
    """The run is over, with a message that has some words; returns it."""
    finish(app, widget, 40)
    text = widget.ui.resultLabel.text
    for word in words:
        assert word.lower() in text.lower(), text
    assert widget.ui.applyButton.text == "Apply"
    assert not widget.ui.progressBar.visible
    return text


def works_again(app, hands, widget) -> None:
    """The same panel registers."""
    widget.panel.client.silence = 30.0
    quick(widget, search_stages=1, mean_field_passes=1)
    assert "folding" in applied(app, hands, widget)


def drawn(transform):
    """The display node of what views draw of a transform: the deformation beyond its alignment. None if it is not drawn."""
    from deepreg_slicer.result_view import displayOf

    return displayOf(transform)
