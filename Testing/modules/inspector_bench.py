"""Helpers of the Inspector's tests: a pair of volumes with a known field between them, and the panel that inspects it."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import SimpleITK as sitk
from bench import MODULES
from panels import opened
from vtk.util.numpy_support import numpy_to_vtk
from world import FLIP, TURN, add_volume, matrix4, smooth

SIZE = (44, 40, 30)
# Oblique and anisotropic.
IJK = matrix4(TURN * np.array([1.5, 1.7, 2.3]), (-40.0, -30.0, -35.0))
MOVING_SIZE = (46, 38, 32)
MOVING_IJK = matrix4(TURN * np.array([1.6, 1.8, 2.1]), (-38.0, -26.0, -30.0))
ABOVE = matrix4(TURN, (20.0, -30.0, 40.0))


def points_of(size, matrix) -> np.ndarray:
    index = np.stack(np.unravel_index(np.arange(np.prod(size)), size, order="F"), axis=1)
    return index @ matrix[:3, :3].T + matrix[:3, 3]


def texture(points: np.ndarray) -> np.ndarray:
    """Structures of some 8 to 20 mm."""
    generator = np.random.default_rng(3)
    value = np.zeros(len(points))
    for _ in range(30):
        wave = generator.normal(size=3)
        wave *= 2 * np.pi / generator.uniform(9.0, 20.0) / np.linalg.norm(wave)
        value += 60.0 * np.sin(points @ wave + generator.uniform(0, 6.3))
    return value


def displacement(points: np.ndarray) -> np.ndarray:
    """A smooth displacement of some mm, RAS."""
    return np.stack([5.0 + 0.04 * smooth(points / 2.0, seed) / 2.0 for seed in (1, 2, 3)], axis=1)


def grid_node(name: str, vectors: np.ndarray, size, matrix: np.ndarray):
    """A grid transform node as the methods make it: vectors (N, 3), RAS mm, i fastest, from fixed to moving points."""
    import slicer
    import vtk

    from deepreg_slicer.nrrd import Geometry
    from deepreg_slicer.transforms import gridTransform

    image = vtk.vtkImageData()
    image.SetDimensions(*size)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(vectors, dtype=np.float32), deep=True))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", name)
    node.SetAndObserveTransformFromParent(gridTransform(image, Geometry.fromIjkToRas(size, matrix)))
    return node


def itk_transform(vectors: np.ndarray, size, matrix: np.ndarray) -> sitk.Transform:
    """The same by SimpleITK."""
    lps = FLIP @ matrix
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.GetImageFromArray((vectors * (-1, -1, 1)).reshape(*size[::-1], 3).astype(np.float64), isVector=True)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return sitk.DisplacementFieldTransform(image)


def markups(name: str, positions: np.ndarray):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    slicer.util.updateMarkupsControlPointsFromArray(node, np.ascontiguousarray(positions, dtype=float))
    for number in range(node.GetNumberOfControlPoints()):
        node.SetNthControlPointLabel(number, str(number + 1))
    return node


@functools.cache
def pair_of_arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values (k, j, i) of the fixed and of the moving volume, and the displacements (N, 3) from one to the other."""
    fixed_points = points_of(SIZE, IJK)
    vectors = displacement(fixed_points)
    # Moving is such that moving(x + u(x)) = fixed(x), near enough: u changes slowly.
    at = points_of(MOVING_SIZE, MOVING_IJK)
    back = at.copy()
    for _ in range(20):
        back = at - displacement(back)
    fixed, moving = texture(fixed_points).reshape(SIZE[::-1]), texture(back).reshape(MOVING_SIZE[::-1])
    arrays = fixed.astype(np.int16), moving.astype(np.int16), vectors
    for array in arrays:
        array.setflags(write=False)  # the same for all tests
    return arrays


@pytest.fixture(name="scene")
def scene_fixture(slicer_app):
    """A pair with a known field between its volumes; the result refers to them."""
    fixed_values, moving_values, vectors = pair_of_arrays()
    fixed, moving = add_volume("fixed", fixed_values, IJK), add_volume("moving", moving_values, MOVING_IJK)
    transform = grid_node("result", vectors, SIZE, IJK)
    transform.SetNodeReferenceID(transform.GetFixedNodeReferenceRole(), fixed.GetID())
    transform.SetNodeReferenceID(transform.GetMovingNodeReferenceRole(), moving.GetID())
    return {"fixed": fixed, "moving": moving, "transform": transform, "vectors": vectors}


@pytest.fixture(name="widget")
def widget_fixture(slicer_app, scene):
    """The panel, with that result inspected."""
    slicer_app.add_module_path(MODULES)
    widget = opened(slicer_app, "DeepRegInspector")
    widget.panel.inspect(scene["transform"])
    slicer_app.process_events()
    return widget


def inner(count: int, seed: int = 0) -> np.ndarray:
    """Points well inside the fixed volume, RAS."""
    index = np.random.default_rng(seed).uniform(0.25, 0.75, size=(count, 3)) * np.array(SIZE)
    return index @ IJK[:3, :3].T + IJK[:3, 3]


def settle(app, widget) -> None:
    app.wait_for(lambda: not widget.panel.busy, 30, "the panel")
    app.process_events()


def texts(widget, column: int) -> list[str]:
    table = widget.ui.pairsTable
    return [table.item(row, column).text() for row in range(table.rowCount)]


def pixel_of(view, point: np.ndarray) -> tuple[int, int]:
    """Position of a point (RAS mm) in a slice view, pixels from its upper left corner."""
    from deepreg_slicer.volumes import fromVtkMatrix

    xy = np.linalg.inv(fromVtkMatrix(view.mrmlSliceNode().GetXYToRAS())) @ np.append(point, 1.0)
    return round(xy[0]), round(view.height - 1 - xy[1])
