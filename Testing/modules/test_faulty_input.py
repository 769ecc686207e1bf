"""Inputs that cannot be registered: each ends in a clear message, and the panel can be used again."""

from __future__ import annotations

import numpy as np
import pytest
from panels import ended, quick, works_again
from world import add_linear, add_volume


@pytest.fixture
def widget(dense_widget):
    return dense_widget


# ------------------------------------------------------------------------------------------------------------- the input


def test_a_constant_volume(warm_app, hands, widget, pair):
    flat = add_volume("flat", np.zeros((12, 12, 12), dtype=np.int16), np.diag([5.0, 5.0, 5.0, 1.0]))
    widget.panel.node.movingVolume = flat
    widget.panel.apply()
    ended(warm_app, widget, "constant", "nothing to align")
    widget.panel.node.movingVolume = pair[1]
    works_again(warm_app, hands, widget)


def test_a_thin_volume(warm_app, hands, widget, pair):
    array = np.random.default_rng(0).normal(size=(2, 30, 30)).astype(np.float32)
    widget.panel.node.movingVolume = add_volume("thin", array, np.diag([5.0, 5.0, 5.0, 1.0]))
    widget.panel.apply()
    ended(warm_app, widget, "2 voxels thick")


def test_not_a_number(warm_app, widget):
    array = np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32)
    array[3, 4, 5] = np.nan
    widget.panel.node.movingVolume = add_volume("holes", array, np.diag([5.0, 5.0, 5.0, 1.0]))
    widget.panel.apply()
    ended(warm_app, widget, "NaN")


def test_an_empty_mask(warm_app, widget, pair):
    import vtk

    from deepreg_slicer.volumes import fromVtkMatrix

    matrix = vtk.vtkMatrix4x4()
    pair[0].GetIJKToRASMatrix(matrix)
    mask = add_volume("mask", np.zeros((5, 5, 5), dtype=np.uint8), fromVtkMatrix(matrix), "vtkMRMLLabelMapVolumeNode")
    widget.panel.node.fixedMask = mask
    widget.panel.apply()
    ended(warm_app, widget, "is empty")


def test_a_mask_elsewhere(warm_app, widget):
    far = np.diag([5.0, 5.0, 5.0, 1.0])
    far[:3, 3] = 5000.0
    mask = add_volume("mask", np.ones((5, 5, 5), dtype=np.uint8), far, "vtkMRMLLabelMapVolumeNode")
    widget.panel.node.fixedMask = mask
    widget.panel.apply()
    ended(warm_app, widget, "mask", "empty")


def test_no_overlap_without_alignment(warm_app, widget, pair):
    far = np.eye(4)
    far[:3, 3] = 5000.0
    pair[1].SetAndObserveTransformNodeID(add_linear("far", far).GetID())
    quick(widget, initial="none")
    widget.panel.apply()
    text = ended(warm_app, widget, "no point in common")
    assert "--" not in text


def test_a_transform_that_cannot_be_inverted(warm_app, widget):
    widget.panel.node.initialTransform = add_linear("flat", np.diag([1.0, 1.0, 0.0, 1.0]))
    widget.panel.apply()
    ended(warm_app, widget, "cannot be inverted")


def test_a_device_that_is_not_there(warm_app, hands, widget):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a graphics card")
    widget.panel.node.device = "cuda"
    widget.panel.apply()
    text = ended(warm_app, widget, "CUDA")
    assert "--" not in text
    widget.panel.node.device = "auto"
    works_again(warm_app, hands, widget)
