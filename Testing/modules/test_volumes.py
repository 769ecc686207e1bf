"""Volumes to the engine and back: the file is in world coordinates, for any parent transforms."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from world import FLIP, TURN, add_linear, add_volume, add_warp, blobs, exhaust, matrix4, smooth, through, to_vtk

SIZE = (23, 17, 29)
IJK_TO_RAS = matrix4(TURN * (3.1, 4.2, 2.3), (-30.0, -25.0, -40.0))


@pytest.fixture
def volumes(app):
    from deepreg_slicer import volumes

    return volumes


def world_points(image: sitk.Image) -> np.ndarray:
    """RAS positions of all voxels, in the order of the flat array."""
    size = image.GetSize()
    index = np.stack(np.meshgrid(*(np.arange(n) for n in size[::-1]), indexing="ij"), axis=-1).reshape(-1, 3)[:, ::-1]
    linear = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    return (index @ linear.T + np.array(image.GetOrigin())) @ FLIP[:3, :3]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "uint64", "float32", "float64"])
def test_voxels_of_any_type_arrive_unchanged(volumes, tmp_path, dtype):
    array = np.clip(blobs(SIZE, IJK_TO_RAS), 0 if dtype.startswith("u") else -100, 100).astype(dtype)
    node = add_volume("volume", array, IJK_TO_RAS)
    exhaust(volumes.writeVolume(volumes.snapshot(node), str(tmp_path / "v.nrrd")))
    image = sitk.ReadImage(str(tmp_path / "v.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(image), array)
    assert sitk.GetArrayFromImage(image).dtype == dtype
    corner = np.array([*(n - 1 for n in SIZE), 1.0])
    assert np.allclose(image.TransformIndexToPhysicalPoint([n - 1 for n in SIZE]), (FLIP @ IJK_TO_RAS @ corner)[:3], atol=1e-6)


PARENTS = {
    "none": [],
    "rotation": [matrix4(TURN.T, (7.0, -12.0, 9.0))],
    "chain": [matrix4(TURN.T, (7.0, -12.0, 9.0)), matrix4(TURN @ TURN, (-3.0, 4.0, 11.0))],
    "uniform scale": [matrix4(1.25 * TURN.T, (7.0, -12.0, 9.0))],
    "mirror": [matrix4(np.diag([-1.0, 1.0, 1.0]) @ TURN, (7.0, 0.0, 9.0))],
    "shear": [matrix4(np.array([[1.0, 0.15, 0.0], [0.0, 1.1, 0.1], [0.0, 0.0, 0.9]]), (5.0, 6.0, 7.0))],
    "warp": ["warp"],
    "warp under a rotation": ["warp", matrix4(TURN.T, (7.0, -12.0, 9.0))],
}


@pytest.mark.parametrize("parents", PARENTS)
def test_the_file_shows_what_the_world_shows(volumes, tmp_path, parents):
    array = blobs(SIZE, IJK_TO_RAS).astype(np.float32)
    node = add_volume("volume", array, IJK_TO_RAS)
    top = node
    for number, parent in enumerate(PARENTS[parents]):
        transform = add_warp(f"warp {number}") if isinstance(parent, str) else add_linear(f"linear {number}", parent)
        top.SetAndObserveTransformNodeID(transform.GetID())
        top = transform
    shot = volumes.snapshot(node)
    _, drawn = volumes.worldGeometry(shot)
    assert drawn == (parents in ("shear", "warp", "warp under a rotation"))
    exhaust(volumes.writeVolume(shot, str(tmp_path / "v.nrrd")))
    image = sitk.ReadImage(str(tmp_path / "v.nrrd"))
    world = world_points(image)
    local = world if not PARENTS[parents] else through(node.GetParentTransformNode(), world, inverse=True)
    index = (local - IJK_TO_RAS[:3, 3]) @ np.linalg.inv(IJK_TO_RAS[:3, :3]).T
    inside = ((index > 0.01) & (index < np.array(SIZE) - 1.01)).all(axis=1)
    expected, found = smooth(local), sitk.GetArrayFromImage(image).ravel()
    # All of the volume is in the file, and where it is, it has its values; linear interpolation of waves costs a little.
    assert np.count_nonzero(inside) * np.prod(image.GetSpacing()) > 0.75 * np.prod(np.array(SIZE) - 1) * 3.1 * 4.2 * 2.3 * (
        0.8 if drawn else 1.0
    )
    assert np.abs(found - expected)[inside].mean() < (2.5 if drawn else 1e-4)
    if drawn:
        corners = IJK_TO_RAS[:3, 3] + np.array([[0, 0, 0], [22, 16, 28], [22, 0, 0], [0, 16, 28]]) @ IJK_TO_RAS[:3, :3].T
        there = through(node.GetParentTransformNode(), corners) @ FLIP[:3, :3]
        for point in there:
            at = np.array(image.TransformPhysicalPointToContinuousIndex(point.tolist()))
            assert (at > -0.6).all()
            assert (at < np.array(image.GetSize()) - 0.4).all()


def test_labels_under_a_warp_stay_labels(volumes, tmp_path):
    array = (blobs(SIZE, IJK_TO_RAS) > 0).astype(np.uint8) * 7
    node = add_volume("labels", array, IJK_TO_RAS, "vtkMRMLLabelMapVolumeNode")
    node.SetAndObserveTransformNodeID(add_warp("warp").GetID())
    exhaust(volumes.writeVolume(volumes.snapshot(node), str(tmp_path / "v.nrrd"), labels=True))
    assert set(np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "v.nrrd"))))) == {0, 7}


def test_a_snapshot_is_not_changed_by_what_comes_after(volumes, tmp_path):
    import slicer

    array = blobs(SIZE, IJK_TO_RAS).astype(np.int16)
    node = add_volume("volume", array, IJK_TO_RAS)
    parent = add_linear("parent", PARENTS["rotation"][0])
    node.SetAndObserveTransformNodeID(parent.GetID())
    shot = volumes.snapshot(node)
    before = volumes.worldGeometry(shot)[0].ijkToRas()
    parent.SetMatrixTransformToParent(to_vtk(np.eye(4)))
    slicer.util.updateVolumeFromArray(node, np.zeros((2, 2, 2), dtype=np.int16))
    slicer.mrmlScene.RemoveNode(node)
    slicer.mrmlScene.RemoveNode(parent)
    exhaust(volumes.writeVolume(shot, str(tmp_path / "v.nrrd")))
    image = sitk.ReadImage(str(tmp_path / "v.nrrd"))
    assert np.array_equal(sitk.GetArrayFromImage(image), array)
    assert np.allclose(image.GetOrigin(), (FLIP @ before)[:3, 3])


def test_what_the_worker_writes_comes_to_lie_where_it_belongs(volumes, tmp_path):
    import slicer

    image = sitk.GetImageFromArray(blobs(SIZE, IJK_TO_RAS).astype(np.float32))
    lps = FLIP @ IJK_TO_RAS
    image.SetSpacing((3.1, 4.2, 2.3))
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / (3.1, 4.2, 2.3)).ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "v.nrrd"), useCompression=False)
    loaded = slicer.util.loadVolume(str(tmp_path / "v.nrrd"))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "read")
    node.SetAndObserveTransformNodeID(add_linear("old", PARENTS["rotation"][0]).GetID())
    volumes.setVolume(node, *exhaust(volumes.readImage(str(tmp_path / "v.nrrd"))))
    assert np.array_equal(slicer.util.arrayFromVolume(node), slicer.util.arrayFromVolume(loaded))
    import vtk

    matrices = [vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()]
    node.GetIJKToRASMatrix(matrices[0])
    loaded.GetIJKToRASMatrix(matrices[1])
    assert np.allclose(volumes.fromVtkMatrix(matrices[0]), volumes.fromVtkMatrix(matrices[1]), atol=1e-6)
    assert node.GetParentTransformNode() is None  # the file is in the world


@pytest.mark.parametrize(("kind", "words"), [("empty", "is empty"), ("vector", "3 components a voxel"), ("flat", "are degenerate")])
def test_what_cannot_be_used_is_named(volumes, kind, words, tmp_path):
    import slicer
    import vtk

    if kind == "empty":
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "volume")
    elif kind == "vector":
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "volume")
        image = vtk.vtkImageData()
        image.SetDimensions(4, 4, 4)
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
        node.SetAndObserveImageData(image)
    else:
        node = add_volume("volume", np.zeros((4, 4, 4), dtype=np.int16), IJK_TO_RAS)
        node.SetAndObserveTransformNodeID(add_linear("flat", np.diag([1.0, 0.0, 1.0, 1.0])).GetID())
    with pytest.raises(volumes.NodeError, match=words):
        exhaust(volumes.writeVolume(volumes.snapshot(node), str(tmp_path / "v.nrrd")))


def test_a_second_node_of_a_name_gets_a_number_in_brackets(app):
    from deepreg_slicer.volumes import newNode, uniqueName

    made = [newNode("vtkMRMLScalarVolumeNode", "moving warped") for _ in range(3)]
    assert [node.GetName() for node in made] == ["moving warped", "moving warped (2)", "moving warped (3)"]
    assert uniqueName("moving warped", made[0]) == "moving warped"
    assert uniqueName("moving warped (2)") == "moving warped (2) (2)"
