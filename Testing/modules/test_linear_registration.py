"""A linear result is a linear transform node, with the conventions of Slicer and of ITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from world import FLIP, TURN, add_linear, add_volume, blobs, matrix4, through

# Oblique, anisotropic, of unequal sizes.
FIXED = matrix4(TURN * (3.0, 4.0, 2.5), (-30.0, -25.0, -40.0)), (31, 25, 37)
MOVING = matrix4(TURN.T * (2.6, 3.1, 3.7), (-45.0, -30.0, -35.0)), (33, 29, 27)


@pytest.fixture
def volumes(warm_app):
    """Two volumes of the same blobs."""
    fixed, moving = (add_volume(name, blobs(size, ijk).astype(np.float32), ijk) for name, (ijk, size) in (("F", FIXED), ("M", MOVING)))
    return fixed, moving


def register(volumes, preset="rigid", node=None, **more):
    from deepreg_slicer.registration import Registration
    from deepreg_slicer.request import Inputs, Output, Outputs, Request
    from deepreg_slicer.scripting import parametersOf

    inputs = Inputs("linear", fixed=volumes[0], moving=volumes[1], **more)
    outputs = Outputs("linear", transform=Output(True, node), inverse=Output(True))
    return Registration(Request("linear", inputs, outputs, parametersOf("linear", preset, {"working_voxels": 0.05}), preset)).compute()


def points(count=60):
    """Points (N, 3) RAS in and around the fixed volume."""
    ijk, size = FIXED
    index = np.random.default_rng(2).uniform(-0.3, 1.3, (count, 3)) * (np.array(size) - 1)
    return index @ ijk[:3, :3].T + ijk[:3, 3]


@pytest.mark.parametrize("preset", ["rigid", "affine"])
def test_the_node_is_linear_and_maps_points_as_the_report_states(volumes, preset, tmp_path):
    import slicer

    shift = add_linear("shift", matrix4(np.eye(3), (6.0, -4.0, 5.0)))
    volumes[1].SetAndObserveTransformNodeID(shift.GetID())
    result = register(volumes, preset)
    node, inverse = result.nodes["transform"], result.nodes["inverse"]
    assert {node.GetClassName(), inverse.GetClassName()} == {"vtkMRMLLinearTransformNode"}
    matrix = np.array(result.report["alignment"]["matrix"])
    fixed = points()
    lps = fixed @ FLIP[:3, :3]
    expected = (lps @ matrix[:3, :3].T + matrix[:3, 3]) @ FLIP[:3, :3]
    # The node takes moving to fixed points when it is applied; from the world it takes fixed to moving points.
    assert np.abs(through(node, fixed, inverse=True) - expected).max() < 1e-3
    assert np.abs(through(node, expected) - fixed).max() < 1e-3
    assert np.abs(through(inverse, fixed) - expected).max() < 1e-3
    # The moving volume lies 6, -4, 5 mm from where its values match, so its points are brought back.
    if preset == "rigid":  # the blobs do not determine stretches
        assert np.linalg.norm(through(node, fixed) - fixed - (-6.0, 4.0, -5.0), axis=1).mean() < 2.0
    # What Slicer saves, SimpleITK reads.
    path = str(tmp_path / "saved.tfm")
    assert slicer.util.saveNode(node, path)
    saved = sitk.ReadTransform(path)
    assert np.abs(np.array([saved.TransformPoint(point) for point in lps.tolist()]) @ FLIP[:3, :3] - expected).max() < 1e-3


def test_a_chosen_node_of_the_general_class_gets_the_matrix(volumes):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "mine")
    start = add_linear("start", matrix4(np.eye(3), (3.0, 2.0, -1.0)))
    result = register(volumes, node=node, initialTransform=start)
    assert result.nodes["transform"] is node
    assert node.IsTransformToWorldLinear()
    assert result.report["alignment"]["file"]
    assert np.linalg.norm(through(node, points()) - points(), axis=1).mean() < 2.0
    assert node.GetAttribute("DeepReg.Method") == "linear"


def test_a_damaged_linear_transform_is_named(app, tmp_path):
    from deepreg_slicer.nrrd import NrrdError
    from deepreg_slicer.transforms import readLinear

    path = tmp_path / "t.tfm"
    path.write_text("#Insight Transform File V1.0\nTransform: AffineTransform_double_3_3\nParameters: 1 0 0\nFixedParameters: 0 0 0\n")
    with pytest.raises(NrrdError, match="not a linear transform"):
        readLinear(str(path))
