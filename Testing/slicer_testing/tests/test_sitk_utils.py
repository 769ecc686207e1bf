"""sitkUtils: volumes of the scene and SimpleITK images hold the same voxels at the same places."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


@pytest.fixture(autouse=True)
def scene(slicer_app):
    return slicer_app.scene


@pytest.fixture
def sitk_utils():
    import sitkUtils

    return sitkUtils


def rotation(*angles):
    """Rotation matrix of successive rotations about the three axes."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def oblique_image(dtype="int16", components=1, size=(5, 4, 3)):
    """Anisotropic, oblique image away from the origin, with a different value in each voxel."""
    shape = (*reversed(size), components) if components > 1 else tuple(reversed(size))
    voxels = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    image = sitk.GetImageFromArray(voxels, isVector=components > 1)
    image.SetSpacing((0.7, 1.3, 3.1))
    image.SetOrigin((-31.25, 12.5, 101.1))
    image.SetDirection(rotation(0.3, -0.5, 0.9).ravel().tolist())
    return image


def assert_same(image, expected):
    assert image.GetSize() == expected.GetSize()
    assert image.GetPixelIDTypeAsString() == expected.GetPixelIDTypeAsString()
    assert image.GetSpacing() == expected.GetSpacing()
    assert image.GetOrigin() == expected.GetOrigin()
    assert image.GetDirection() == expected.GetDirection()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(expected))


@pytest.mark.parametrize("dtype", TYPES)
def test_round_trip_is_exact_for_each_type(sitk_utils, dtype):
    image = oblique_image(dtype)
    assert_same(sitk_utils.PullVolumeFromSlicer(sitk_utils.PushVolumeToSlicer(image, name="v")), image)


@pytest.mark.parametrize("components", [2, 3, 4])
def test_round_trip_of_vectors(sitk_utils, components):
    image = oblique_image("float32", components)
    node = sitk_utils.PushVolumeToSlicer(image, name="v", className="vtkMRMLVectorVolumeNode")
    assert node.GetImageData().GetNumberOfScalarComponents() == components
    assert_same(sitk_utils.PullVolumeFromSlicer(node), image)


def test_pushed_voxels_lie_where_simpleitk_has_them(sitk_utils):
    """Each voxel has the same value in the scene, at its position in SimpleITK with two signs changed."""
    import vtk
    from slicer.util import arrayFromVolume

    image = oblique_image()
    node = sitk_utils.PushVolumeToSlicer(image, name="v")
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    voxels = arrayFromVolume(node)
    for ijk in itertools.product(*map(range, image.GetSize())):
        ras = np.array(matrix.MultiplyPoint((*ijk, 1.0)))[:3]
        lps = np.array(image.TransformIndexToPhysicalPoint(ijk))
        np.testing.assert_allclose(ras, lps * (-1, -1, 1), atol=1e-12)
        assert voxels[ijk[::-1]] == image[ijk]


def test_pulled_image_resamples_like_the_file_of_the_volume(sitk_utils, tmp_path):
    """The image pulled from a node equals the one that SimpleITK reads from the node's file."""
    import slicer

    node = sitk_utils.PushVolumeToSlicer(oblique_image("float32"), name="v")
    path = str(tmp_path / "v.nrrd")
    assert slicer.util.saveNode(node, path)
    read = sitk.ReadImage(path)
    pulled = sitk_utils.PullVolumeFromSlicer(node)
    np.testing.assert_allclose(pulled.GetOrigin(), read.GetOrigin(), atol=1e-9)
    np.testing.assert_allclose(pulled.GetSpacing(), read.GetSpacing(), atol=1e-9)
    np.testing.assert_allclose(pulled.GetDirection(), read.GetDirection(), atol=1e-9)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(pulled), sitk.GetArrayFromImage(read))


def test_left_handed_directions_survive(sitk_utils):
    image = oblique_image()
    image.SetDirection((rotation(0.1, 0.2, 0.3) @ np.diag([1, 1, -1])).ravel().tolist())
    assert_same(sitk_utils.PullVolumeFromSlicer(sitk_utils.PushVolumeToSlicer(image, name="v")), image)


def test_target_node_keeps_identity_and_name(sitk_utils, scene):
    first = oblique_image("uint8")
    node = sitk_utils.PushVolumeToSlicer(first, name="kept")
    count = scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode")
    second = oblique_image("float64", size=(2, 6, 7))
    assert sitk_utils.PushVolumeToSlicer(second, targetNode=node, name="not used") is node
    assert node.GetName() == "kept"
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == count
    assert_same(sitk_utils.PullVolumeFromSlicer(node), second)


def test_push_notifies_observers_that_the_image_changed(sitk_utils):
    import slicer

    node = sitk_utils.PushVolumeToSlicer(oblique_image(), name="v")
    events = []
    node.AddObserver(slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, lambda *_: events.append(1))
    sitk_utils.PushVolumeToSlicer(oblique_image("float32"), targetNode=node)
    assert events


def test_new_nodes_get_unique_names_and_a_display(sitk_utils):
    nodes = [sitk_utils.PushVolumeToSlicer(oblique_image(), name="v") for _ in range(2)]
    assert nodes[0].GetName() != nodes[1].GetName()
    assert all(node.GetDisplayNode() for node in nodes)


def test_label_volume(sitk_utils):
    image = oblique_image("uint8")
    node = sitk_utils.PushVolumeToSlicer(image, name="labels", className="vtkMRMLLabelMapVolumeNode")
    assert node.IsA("vtkMRMLLabelMapVolumeNode")
    assert_same(sitk_utils.PullVolumeFromSlicer("labels"), image)


def test_pulled_image_is_a_copy(sitk_utils):
    from slicer.util import arrayFromVolume

    node = sitk_utils.PushVolumeToSlicer(oblique_image(), name="v")
    pulled = sitk_utils.PullVolumeFromSlicer(node)
    arrayFromVolume(node)[:] = -1
    assert pulled[1, 0, 0] == 1


def test_flat_image_becomes_one_slice(sitk_utils):
    image = sitk.GetImageFromArray(np.arange(6, dtype="int16").reshape(2, 3))
    image.SetSpacing((2.0, 3.0))
    image.SetOrigin((4.0, 5.0))
    pulled = sitk_utils.PullVolumeFromSlicer(sitk_utils.PushVolumeToSlicer(image, name="flat"))
    assert pulled.GetSize() == (3, 2, 1)
    assert pulled.GetSpacing() == (2.0, 3.0, 1.0)
    assert pulled.GetOrigin() == (4.0, 5.0, 0.0)


def test_what_does_not_fit_is_refused_and_leaves_no_node(sitk_utils, scene):
    count = scene.GetNumberOfNodes()
    for image in (sitk.Image([3, 3, 3, 2], sitk.sitkInt16), sitk.Image([3, 3, 3], sitk.sitkComplexFloat32)):
        with pytest.raises(ValueError, match="dimensions|pixel|complex"):
            sitk_utils.PushVolumeToSlicer(image, name="bad")
    assert scene.GetNumberOfNodes() == count


def test_nodes_without_image_are_refused(sitk_utils, scene):
    for className in ("vtkMRMLScalarVolumeNode", "vtkMRMLModelNode"):
        with pytest.raises(RuntimeError, match="no image"):
            sitk_utils.PullVolumeFromSlicer(scene.AddNewNodeByClass(className))


def test_address_names_scene_and_node(sitk_utils):
    node = sitk_utils.PushVolumeToSlicer(oblique_image(), name="v")
    address = sitk_utils.GetSlicerITKReadWriteAddress("v")
    assert address.startswith("slicer:")
    assert address.endswith("#" + node.GetID())
    with pytest.raises(RuntimeError):
        sitk.ReadImage(address)


def test_deprecated_push_reuses_its_node_only_on_request(sitk_utils):
    with pytest.warns(FutureWarning):
        first = sitk_utils.PushToSlicer(oblique_image(), "old")
    with pytest.warns(FutureWarning):
        second = sitk_utils.PushToSlicer(oblique_image("float32"), "old", overwrite=True)
    with pytest.warns(FutureWarning):
        third = sitk_utils.PushToSlicer(oblique_image("float32"), "old")
    with pytest.warns(FutureWarning):
        pulled = sitk_utils.PullFromSlicer("old")
    assert_same(pulled, oblique_image("float32"))
    assert second is first
    assert third is not first
