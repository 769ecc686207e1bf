"""Shared by the tests of explanations: a textured pair with a known translation, the panel, and what its views show."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from panels import opened, world_image
from world import FLIP, TURN, add_linear, add_volume, matrix4

SIZE = (40, 46, 28)
IJK = matrix4(TURN * np.array([3.1, 2.6, 4.3]), (-60.0, -50.0, -45.0))
MOVING_SIZE = (50, 42, 44)
MOVING_AXES = TURN.T * np.array([2.9, 3.3, 3.4])
ABOVE = matrix4(TURN, (20.0, -30.0, 40.0))
SHIFT = np.array([6.0, -5.0, 7.0])  # RAS, from fixed to moving points
DENSE = {"initial": "none", "working_spacing": 3.0, "control_spacing": 12.0, "capture_range": 24.0, "search_stages": 2}


def points_of(size, matrix) -> np.ndarray:
    index = np.stack(np.unravel_index(np.arange(np.prod(size)), size, order="F"), axis=1)
    return index @ matrix[:3, :3].T + matrix[:3, 3]


def texture(points: np.ndarray) -> np.ndarray:
    """Structures of some 10 to 20 mm."""
    generator = np.random.default_rng(3)
    value = np.zeros(len(points))
    for _ in range(60):
        wave = generator.normal(size=3)
        wave *= 2 * np.pi / generator.uniform(22.0, 44.0) / np.linalg.norm(wave)
        value += 40.0 * np.sin(points @ wave + generator.uniform(0, 6.3))
    return value


def translation(name: str, shift: np.ndarray, fixed, moving, **attributes):
    """A transform node that takes fixed points to fixed + shift, as a result of a method if attributes say so."""
    node = add_linear(name, matrix4(np.eye(3), -shift))
    node.SetNodeReferenceID(node.GetFixedNodeReferenceRole(), fixed.GetID())
    node.SetNodeReferenceID(node.GetMovingNodeReferenceRole(), moving.GetID())
    for attribute, value in attributes.items():
        node.SetAttribute(f"DeepReg.{attribute}", value)
    return node


@pytest.fixture(name="scene")
def scene_fixture(warm_app):
    """The same texture twice, moved; fixed under a turned parent, the moving one under another."""
    world = ABOVE @ IJK
    fixed = add_volume("fixed", texture(points_of(SIZE, world)).reshape(SIZE[::-1]).astype(np.int16), IJK)
    fixed.SetAndObserveTransformNodeID(add_linear("above fixed", ABOVE).GetID())
    above = matrix4(TURN @ TURN, (24.0, -26.0, 38.0))
    middle = (world @ np.append((np.array(SIZE) - 1) / 2.0, 1.0))[:3]
    moving_world = matrix4(MOVING_AXES, middle + (3.0, -4.0, 5.0) - MOVING_AXES @ ((np.array(MOVING_SIZE) - 1) / 2.0))
    values = texture(points_of(MOVING_SIZE, moving_world) - SHIFT).reshape(MOVING_SIZE[::-1]).astype(np.int16)
    moving = add_volume("moving", values, np.linalg.inv(above) @ moving_world)
    moving.SetAndObserveTransformNodeID(add_linear("above moving", above).GetID())
    return {"fixed": fixed, "moving": moving, "middle": middle}


def dense(scene, shift=SHIFT, **more):
    parameters = json.dumps({**DENSE, **more})
    return translation(
        "result", shift, scene["fixed"], scene["moving"], Method="dense", Output="transform", Preset="brain-mr", Parameters=parameters
    )


def settle(app, widget, seconds: float = 40.0) -> None:
    app.wait_for(lambda: not widget.panel.busy, seconds, "the panel")
    app.process_events()


@pytest.fixture(name="widget")
def widget_fixture(warm_app, scene):
    widget = opened(warm_app, "DeepRegInspector")
    section(widget).ui.explainCollapsibleButton.collapsed = False
    warm_app.process_events()
    return widget


def section(widget):
    return widget.panel.sections["explanation"]


def inspect(app, widget, transform) -> None:
    widget.panel.inspect(transform)
    settle(app, widget)


def layers() -> tuple[str | None, str | None]:
    import slicer

    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    return composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()


def bar(node) -> str:
    """Title of the colour bar of a volume, "" if it is not visible."""
    import slicer

    found = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node.GetScalarVolumeDisplayNode())
    return found.GetTitleText() if found is not None and found.GetVisibility() else ""


def rendered() -> list[tuple[float, ...]]:
    """Bounds of the volumes that the 3D view shows, RAS mm."""
    import slicer

    volumes = slicer.app.layoutManager().threeDWidget(0).threeDView().renderWindow().GetRenderers().GetItemAsObject(0).GetVolumes()
    found = (volumes.GetItemAsObject(number) for number in range(volumes.GetNumberOfItems()))
    return [volume.GetBounds() for volume in found if volume.GetVisibility()]


def heat_peak(node) -> tuple[np.ndarray, float]:
    """Position of the highest probability, RAS mm in the world, by SimpleITK."""
    image = world_image(node)
    array = sitk.GetArrayFromImage(image)
    index = np.unravel_index(array.argmax(), array.shape)[::-1]
    place = np.array(image.TransformIndexToPhysicalPoint([int(n) for n in index]))
    return place * np.diag(FLIP)[:3], float(array.sum())


# ------------------------------------------------------------------------------------------------------------------ Dense
