"""Transforms between the scene and the engine: the node maps points as SimpleITK does with the file."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from world import FLIP, TURN, add_linear, add_warp, exhaust, matrix4, through

REGION = matrix4(TURN * (3.0, 4.0, 2.5), (-30.0, -25.0, -40.0))
SIZE = (21, 15, 27)


@pytest.fixture
def transforms(app):
    from deepreg_slicer import transforms

    return transforms


@pytest.fixture
def region(app):
    from deepreg_slicer.nrrd import Geometry

    return Geometry.fromIjkToRas(SIZE, REGION)


def inside(margin: float = 1.0, number: int = 200) -> np.ndarray:
    """Points (N, 3) RAS within the region."""
    index = np.random.default_rng(2).uniform(margin, np.array(SIZE) - 1 - margin, size=(number, 3))
    return index @ REGION[:3, :3].T + REGION[:3, 3]


@pytest.fixture
def field(tmp_path):
    """A displacement field as the engine writes it: oblique, anisotropic, of unequal sizes."""
    from deepreg_engine.geometry.displacement_field import DisplacementField
    from deepreg_engine.geometry.image_grid import ImageGrid
    from deepreg_engine.geometry.transform_files import write_field

    lps = FLIP @ REGION
    grid = ImageGrid(SIZE, (3.0, 4.0, 2.5), tuple(lps[:3, 3]), tuple((lps[:3, :3] / (3.0, 4.0, 2.5)).ravel()))
    points = np.moveaxis(grid.points(), -1, 0)
    vectors = np.stack([5.0 * np.sin(points[1] / 20.0), 8.0 * np.cos(points[2] / 25.0), 4.0 * np.sin(points[0] / 15.0) + 3.0])
    path = tmp_path / "field.nrrd"
    write_field(path, DisplacementField(vectors.astype(np.float32), grid))
    return path


def test_a_field_of_the_engine_maps_points_as_simpleitk_does(transforms, field):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", "result")
    transforms.setFromParent(node, exhaust(transforms.readField(str(field))), None, None)
    itk = sitk.DisplacementFieldTransform(sitk.ReadImage(str(field), sitk.sitkVectorFloat64))
    points = inside()
    found = through(node, points, inverse=True)  # from the world: fixed to moving
    expected = np.array([itk.TransformPoint((FLIP[:3, :3] @ point).tolist()) for point in points]) @ FLIP[:3, :3]
    assert np.linalg.norm(expected - points, axis=1).mean() > 3.0
    assert np.abs(found - expected).max() < 1e-3
    # And the node takes moving to fixed when it is applied.
    back = through(node, expected)
    assert np.abs(back - points).max() < 0.05


def test_the_node_says_between_which_volumes(transforms, field):
    import slicer

    volumes = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name) for name in ("fixed", "moving")]
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "result")
    transforms.setFromParent(node, exhaust(transforms.readField(str(field))), *volumes)
    assert node.GetNodeReference(node.GetFixedNodeReferenceRole()) is volumes[0]
    assert node.GetNodeReference(node.GetMovingNodeReferenceRole()) is volumes[1]


def test_what_slicer_saves_simpleitk_reads(transforms, field, tmp_path):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", "result")
    transforms.setFromParent(node, exhaust(transforms.readField(str(field))), None, None)
    points = [(FLIP[:3, :3] @ point).tolist() for point in inside()]
    itk = sitk.DisplacementFieldTransform(sitk.ReadImage(str(field), sitk.sitkVectorFloat64))
    expected = np.array([itk.TransformPoint(point) for point in points])
    for ending in ("h5", "nrrd", "nii.gz"):
        path = tmp_path / f"saved.{ending}"
        assert slicer.util.saveNode(node, str(path))
        if ending == "h5":
            saved = sitk.ReadTransform(str(path))
        else:
            saved = sitk.DisplacementFieldTransform(sitk.ReadImage(str(path), sitk.sitkVectorFloat64))
        found = np.array([saved.TransformPoint(point) for point in points])
        assert np.abs(found - expected).max() < 1e-3, ending


def test_a_damaged_field_is_named(transforms, field, tmp_path):
    from deepreg_slicer.nrrd import NrrdError

    field.write_bytes(field.read_bytes()[:-100])
    with pytest.raises(NrrdError, match="ends before"):
        exhaust(transforms.readField(str(field)))
    image = sitk.Image(4, 4, 4, sitk.sitkFloat32)
    sitk.WriteImage(image, str(tmp_path / "image.nrrd"), useCompression=False)
    with pytest.raises(NrrdError, match="not a displacement field"):
        exhaust(transforms.readField(str(tmp_path / "image.nrrd")))


# -------------------------------------------------------------------------------------------------------- to the engine

LINEAR = matrix4(1.1 * TURN.T @ np.array([[1.0, 0.2, 0.0], [0.0, 0.9, 0.1], [0.0, 0.0, 1.0]]), (11.0, -7.0, 5.0))


def written(path: str) -> sitk.Transform:
    from deepreg_engine.geometry.transform_files import read_transform

    return read_transform(path)


@pytest.mark.parametrize("kind", ["linear", "chain of linear", "warp", "warp under linear", "linear under warp", "inverse of a warp"])
def test_an_initial_transform_takes_fixed_points_to_moving_points(transforms, region, tmp_path, kind):
    if kind == "linear":
        node = add_linear("t", LINEAR)
    elif kind == "chain of linear":
        node = add_linear("t", LINEAR)
        node.SetAndObserveTransformNodeID(add_linear("above", matrix4(TURN, (1.0, 2.0, 3.0))).GetID())
    elif kind == "warp under linear":
        node = add_warp("t")
        node.SetAndObserveTransformNodeID(add_linear("above", matrix4(TURN.T, (1.0, 2.0, 3.0))).GetID())
    elif kind == "linear under warp":
        node = add_linear("t", matrix4(TURN.T, (1.0, 2.0, 3.0)))
        node.SetAndObserveTransformNodeID(add_warp("above").GetID())
    else:
        node = add_warp("t")
        if kind == "inverse of a warp":
            node.Inverse()
    path = exhaust(transforms.writeFromParent(node, region, str(tmp_path / "initial")))
    assert path.endswith(".tfm" if "warp" not in kind else ".nrrd")
    itk = written(path)
    points = inside()
    expected = through(node, points, inverse=True)
    found = np.array([itk.TransformPoint((FLIP[:3, :3] @ point).tolist()) for point in points]) @ FLIP[:3, :3]
    assert np.abs(found - expected).max() < (1e-4 if "warp" not in kind else 0.1)
    # The corners of the region are within the field.
    corners = np.array([[0, 0, 0], [20, 14, 26], [20, 0, 26]]) @ REGION[:3, :3].T + REGION[:3, 3]
    found = np.array([itk.TransformPoint((FLIP[:3, :3] @ point).tolist()) for point in corners]) @ FLIP[:3, :3]
    assert np.abs(found - through(node, corners, inverse=True)).max() < 0.2


def test_a_transform_that_cannot_be_inverted_is_named(transforms, region, tmp_path):
    from deepreg_slicer.volumes import NodeError

    with pytest.raises(NodeError, match="cannot be inverted"):
        exhaust(transforms.writeFromParent(add_linear("t", np.diag([1.0, 1.0, 0.0, 1.0])), region, str(tmp_path / "initial")))


def test_a_large_region_is_sampled_coarsely_but_wholly(transforms):
    from deepreg_slicer.nrrd import Geometry

    large = Geometry.fromIjkToRas((512, 512, 300), matrix4(TURN * (0.7, 0.7, 1.5), (10.0, 20.0, 30.0)))
    grid = transforms.sampling(large)
    assert 200_000 < grid.voxels < 700_000
    corners = np.array([[x, y, z] for x in (0, 511) for y in (0, 511) for z in (0, 299)])
    world = corners @ large.ijkToRas()[:3, :3].T + large.ijkToRas()[:3, 3]
    index = (world - grid.ijkToRas()[:3, 3]) @ np.linalg.inv(grid.ijkToRas()[:3, :3]).T
    assert (index >= 1.0).all()
    assert (index <= np.array(grid.size) - 2.0).all()


def test_interpolation_is_itks(transforms, field):
    transform = exhaust(transforms.readField(str(field)))
    assert transform.GetInterpolationModeAsString() == "Linear"
    assert transform.GetDisplacementGrid().GetScalarType() == vtk.VTK_FLOAT
