"""Data of the moving side through a result: points, curves and models against SimpleITK; which nodes come along; boxes as masks."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from world import FLIP, TURN, add_linear, add_volume, blobs, exhaust, matrix4

LPS = np.array([-1.0, -1.0, 1.0])


@pytest.fixture
def scene(slicer_app):
    """An oblique fixed volume and a smaller moving one."""
    from bench import MODULES

    slicer_app.add_module_path(MODULES)
    slicer_app.load_module("DeepReg")
    grid = matrix4(TURN @ np.diag([2.0, 2.5, 3.0]), (-30.0, 20.0, 40.0))
    return [
        add_volume(name, blobs(size, grid).astype(np.int16), grid) for name, size in (("fixed", (30, 26, 22)), ("moving", (24, 28, 20)))
    ]


def field_result(fixed):
    """A result on the fixed volume's grid: a smooth field of up to 5 mm; and the same of SimpleITK, fixed to moving points."""
    from deepreg_slicer.grid_transforms import gridOf
    from deepreg_slicer.transforms import gridTransform, setFromParent
    from deepreg_slicer.volumes import newNode

    geometry = gridOf(fixed)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in geometry.size), indexing="ij"), axis=-1).astype(float)
    size = np.array(geometry.size)
    vectors = 5.0 * np.stack([np.sin(np.pi * index[..., (axis + 1) % 3] / size[(axis + 1) % 3]) for axis in range(3)], axis=-1)
    vectors = np.ascontiguousarray(vectors.transpose(2, 1, 0, 3)).astype(np.float32)  # (z, y, x, 3), RAS mm
    image = vtk.vtkImageData()
    image.SetDimensions(*geometry.size)
    image.GetPointData().SetScalars(numpy_to_vtk(vectors.reshape(-1, 3), deep=True))
    node = newNode("vtkMRMLGridTransformNode", "result")
    setFromParent(node, gridTransform(image, geometry), fixed, None)
    node.SetAttribute("DeepReg.Output", "transform")
    itk = sitk.GetImageFromArray((vectors * LPS).astype(np.float64), isVector=True)
    itk.SetSpacing(geometry.spacing)
    itk.SetOrigin(geometry.origin)
    itk.SetDirection(np.asarray(geometry.direction).ravel().tolist())
    return node, sitk.DisplacementFieldTransform(itk)


def linear_result():
    """A linear result that shears and scales, and the same as SimpleITK's transform of fixed to moving points."""
    matrix = matrix4(TURN @ np.array([[1.1, 0.2, 0.0], [0.0, 0.9, 0.1], [0.0, 0.0, 1.05]]), (12.0, -7.0, 5.0))
    node = add_linear("result", matrix)
    node.SetAttribute("DeepReg.Output", "transform")
    inverse = FLIP @ np.linalg.inv(matrix) @ FLIP
    itk = sitk.AffineTransform(3)
    itk.SetMatrix(inverse[:3, :3].ravel().tolist())
    itk.SetTranslation(inverse[:3, 3].tolist())
    return node, itk


def inner_points(volume, count: int = 9) -> np.ndarray:
    """Points well inside a volume, RAS mm."""
    from deepreg_slicer.grid_transforms import gridOf

    geometry = gridOf(volume)
    index = np.random.default_rng(3).uniform(0.3, 0.7, size=(count, 3)) * np.array(geometry.size)
    matrix = geometry.ijkToRas()
    return index @ matrix[:3, :3].T + matrix[:3, 3]


def made_of(points: np.ndarray) -> dict:
    """A point list, a curve and a model through points of the world, and what reads their positions."""
    import slicer

    nodes = {}
    for name, kind in (("list", "vtkMRMLMarkupsFiducialNode"), ("curve", "vtkMRMLMarkupsCurveNode")):
        nodes[name] = slicer.mrmlScene.AddNewNodeByClass(kind, name)
        for number, point in enumerate(points):
            nodes[name].AddControlPoint(point.tolist(), f"p{number}")
    surface = vtk.vtkPolyData()
    places = vtk.vtkPoints()
    places.SetData(numpy_to_vtk(points, deep=True))
    surface.SetPoints(places)
    cells = vtk.vtkCellArray()
    for number in range(len(points) - 2):
        cells.InsertNextCell(3, (number, number + 1, number + 2))
    surface.SetPolys(cells)
    nodes["model"] = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "model")
    nodes["model"].SetAndObservePolyData(surface)
    return nodes


def places_of(node) -> np.ndarray:
    """Positions of a node without parents (N, 3), RAS mm."""
    if node.IsA("vtkMRMLModelNode"):
        return vtk_to_numpy(node.GetPolyData().GetPoints().GetData()).astype(float)
    return np.array([node.GetNthControlPointPositionWorld(number) for number in range(node.GetNumberOfControlPoints())])


@pytest.mark.parametrize("kind", ["field", "linear"])
@pytest.mark.parametrize("parent", [False, True])
def test_points_curves_and_models_go_to_where_simpleitk_maps_them_back(slicer_app, scene, kind, parent):
    """SimpleITK maps each new point back to its original: the result maps fixed points to moving ones."""
    from deepreg_slicer.bring_along import BringAlong

    fixed, moving = scene
    transform, itk = field_result(fixed) if kind == "field" else linear_result()
    points = inner_points(fixed)
    nodes = made_of(points)
    if parent:  # the same places below a rigid transform
        above = add_linear("above", matrix4(TURN, (5.0, 6.0, 7.0)))
        back = np.linalg.inv(matrix4(TURN, (5.0, 6.0, 7.0)))
        for node in made_of(points @ back[:3, :3].T + back[:3, 3]).values():
            nodes[node.GetName().rpartition("_")[0] or node.GetName()] = node
            node.SetAndObserveTransformNodeID(above.GetID())
    before = {name: places_of(node) for name, node in nodes.items()}
    brought = BringAlong(transform, fixed, list(nodes.values()), suffix="(r)").compute()
    assert brought.notes == []
    for name, node in nodes.items():
        made = brought.nodes[node]
        found = places_of(made)
        mapped = np.array([itk.TransformPoint(point) for point in (found * LPS).tolist()]) * LPS
        assert np.abs(mapped - points).max() < 1e-3, name
        assert np.abs(found - points).max() > 2.0, name
        assert made.GetParentTransformNode() is None
        assert made.GetClassName() == node.GetClassName()
        assert "(r)" in made.GetName()
        assert np.array_equal(places_of(node), before[name])  # the original is as it was
    labels = brought.nodes[nodes["list"]]
    assert labels.GetNthControlPointLabel(3) == "p3"


def test_points_that_lie_below_the_result_go_through_it_once(slicer_app, scene):
    from deepreg_slicer.bring_along import BringAlong

    fixed, _moving = scene
    transform, itk = field_result(fixed)
    points = inner_points(fixed)
    node = made_of(points)["list"]
    node.SetAndObserveTransformNodeID(transform.GetID())
    made = BringAlong(transform, fixed, [node]).compute().nodes[node]
    mapped = np.array([itk.TransformPoint(point) for point in (places_of(made) * LPS).tolist()]) * LPS
    assert np.abs(mapped - points).max() < 1e-3


def test_points_where_the_result_is_not_known_are_counted(slicer_app, scene):
    from deepreg_slicer.bring_along import BringAlong

    fixed, _moving = scene
    transform, _itk = field_result(fixed)
    points = np.concatenate([inner_points(fixed, 3), inner_points(fixed, 2) + (500.0, 0.0, 0.0)])
    node = made_of(points)["list"]
    notes = BringAlong(transform, fixed, [node]).compute().notes
    assert len(notes) == 1
    assert "2 of 5 points of list" in notes[0]


def test_an_unplaced_point_stays_unplaced(slicer_app, scene):
    from deepreg_slicer.bring_along import BringAlong

    fixed, _moving = scene
    transform, _itk = linear_result()
    node = made_of(inner_points(fixed, 4))["list"]
    node.UnsetNthControlPointPosition(1)
    made = BringAlong(transform, fixed, [node]).compute().nodes[node]
    statuses = [made.GetNthControlPointPositionStatus(number) == made.PositionDefined for number in range(4)]
    assert statuses == [True, False, True, True]


# ----------------------------------------------------------------------------------------------------------- which nodes


def test_what_lies_with_the_moving_volume_is_known_from_geometry_and_folder(slicer_app, scene):
    import slicer

    from deepreg_slicer.moving_side import candidates, liesWith

    fixed, moving = scene
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "second date")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(moving), study)
    nodes = made_of(inner_points(moving))
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(nodes["curve"]), study)
    theirs, ours = (slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name) for name in ("of fixed", "of moving"))
    for node, volume in ((theirs, fixed), (ours, moving)):
        node.GetSegmentation().AddEmptySegment("a")
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    result = add_volume("made", np.zeros((4, 4, 4), dtype=np.int16), np.eye(4))
    result.SetAttribute("DeepReg.Output", "volume")
    found = candidates(fixed, moving)
    assert {node.GetName() for node in found} == {"of moving", "list", "curve", "model"}
    assert {node.GetName() for node in found if liesWith(node, moving, fixed)} == {"of moving", "curve"}


# ------------------------------------------------------------------------------------------------------------------ boxes


@pytest.mark.parametrize("parent", [False, True])
def test_the_mask_of_a_rotated_box_has_the_voxels_inside_it(slicer_app, scene, tmp_path, parent):
    import slicer
    from world import to_vtk

    from deepreg_slicer.box_mask import writeBox
    from deepreg_slicer.grid_transforms import gridOf

    fixed = scene[0]
    geometry = gridOf(fixed)
    middle = inner_points(fixed).mean(axis=0)
    turn = np.linalg.qr(np.array([[0.9, 0.3, 0.1], [-0.4, 0.8, 0.3], [0.1, -0.5, 0.9]]))[0]
    size = np.array([24.0, 31.0, 17.0])
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    above = matrix4(TURN, (3.0, -4.0, 5.0)) if parent else np.eye(4)
    roi.SetAndObserveObjectToNodeMatrix(to_vtk(np.linalg.inv(above) @ matrix4(turn, middle)))
    roi.SetSize(*size)
    if parent:
        roi.SetAndObserveTransformNodeID(add_linear("above", above).GetID())
    path = str(tmp_path / "box.nrrd")
    exhaust(writeBox(roi, geometry, path))
    image = sitk.ReadImage(path)
    mask = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in geometry.size), indexing="ij"), axis=-1).reshape(-1, 3)
    points = np.array([image.TransformIndexToPhysicalPoint(each) for each in index.tolist()]) * LPS
    inside = (np.abs((points - middle) @ turn) <= size / 2.0).all(axis=1)
    assert 500 < inside.sum() < mask.size / 2
    assert np.array_equal(mask.reshape(-1), inside.astype(mask.dtype))


def test_a_box_outside_the_volume_is_refused(slicer_app, scene, tmp_path):
    import slicer

    from deepreg_slicer.box_mask import writeBox
    from deepreg_slicer.errors import NodeError
    from deepreg_slicer.grid_transforms import gridOf

    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    with pytest.raises(NodeError, match="not placed"):
        exhaust(writeBox(roi, gridOf(scene[0]), str(tmp_path / "box.nrrd")))
    roi.SetCenter([900.0, 0.0, 0.0])
    roi.SetSize(10.0, 10.0, 10.0)
    with pytest.raises(NodeError, match="outside the fixed volume"):
        exhaust(writeBox(roi, gridOf(scene[0]), str(tmp_path / "box.nrrd")))
