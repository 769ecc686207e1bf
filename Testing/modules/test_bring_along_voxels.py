"""Volumes, label maps and segmentations of the moving side through a result, by the worker, against SimpleITK; the table of structures."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import SimpleITK as sitk
from panels import world_image
from test_bring_along import field_result
from world import FLIP, TURN, add_linear, add_volume, blobs, matrix4

SHEAR = np.array([[1.1, 0.2, 0.0], [0.0, 0.9, 0.1], [0.0, 0.0, 1.05]])
TURN_A_LITTLE = np.linalg.qr(np.array([[1.0, 0.2, -0.1], [-0.2, 1.0, 0.15], [0.1, -0.15, 1.0]]))[0]
TURN_A_LITTLE *= np.sign(np.diag(TURN_A_LITTLE))


def centre(grid: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
    """The middle of a grid, RAS mm."""
    return grid[:3, :3] @ ((np.array(size) - 1.0) / 2.0) + grid[:3, 3]


def linear_near(moving):
    """A linear result that turns, shears and scales about the middle of the moving volume; and the same of SimpleITK."""
    linear = TURN_A_LITTLE @ SHEAR
    middle = centre(ijk_to_ras(moving), (38, 36, 30))
    matrix = matrix4(linear, middle - linear @ middle + (3.0, -2.0, 4.0))
    node = add_linear("result", matrix)
    node.SetAttribute("DeepReg.Output", "transform")
    inverse = FLIP @ np.linalg.inv(matrix) @ FLIP
    itk = sitk.AffineTransform(3)
    itk.SetMatrix(inverse[:3, :3].ravel().tolist())
    itk.SetTranslation(inverse[:3, 3].tolist())
    return node, itk


@pytest.fixture
def scene(warm_app):
    """An oblique fixed volume and a smaller moving one on another grid."""
    fixed = matrix4(TURN @ np.diag([2.0, 2.5, 3.0]), (-30.0, 20.0, 40.0))
    moving = matrix4(np.diag([2.2, 1.9, 2.7]))
    moving[:3, 3] = centre(fixed, (30, 26, 22)) - centre(moving, (38, 36, 30))
    return [
        add_volume(name, blobs(size, grid).astype(np.int16), grid)
        for name, size, grid in (("fixed", (30, 26, 22), fixed), ("moving", (38, 36, 30), moving))
    ]


def ijk_to_ras(volume) -> np.ndarray:
    import vtk

    from deepreg_slicer.volumes import fromVtkMatrix

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return fromVtkMatrix(matrix)


def structures(moving) -> np.ndarray:
    """Two blocks of values 2 and 5 on the grid of the moving volume (k, j, i)."""
    array = np.zeros((30, 36, 38), dtype=np.uint8)
    array[11:18, 13:19, 14:19] = 2
    array[12:19, 17:24, 19:25] = 5
    return array


def segmentation(name: str, volume, array: np.ndarray, names: dict[int, str]):
    """A segmentation of a label array on the grid of a volume."""
    import slicer

    labels = add_volume("labels", array, ijk_to_ras(volume), "vtkMRMLLabelMapVolumeNode")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labels, node)
    slicer.mrmlScene.RemoveNode(labels)
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for number in range(node.GetSegmentation().GetNumberOfSegments()):
        segment = node.GetSegmentation().GetNthSegment(number)
        segment.SetName(names[segment.GetLabelValue()])
    return node


def expected(image: sitk.Image, fixed, itk, kind: int, outside: float) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.Resample(image, world_image(fixed), itk, kind, outside, image.GetPixelID()))


def values_of(segmentation_node, fixed) -> np.ndarray:
    """The segments of a node by their names' order, 1 on, on the grid of the fixed volume (k, j, i)."""
    import slicer

    segments = segmentation_node.GetSegmentation()
    found = np.zeros(slicer.util.arrayFromVolume(fixed).shape, dtype=np.uint8)
    ids = sorted(segments.GetSegmentIDs(), key=lambda each: segments.GetSegment(each).GetName())
    for number, each in enumerate(ids, start=1):
        found[slicer.util.arrayFromSegmentBinaryLabelmap(segmentation_node, each, fixed) > 0] = number
    return found


@pytest.mark.parametrize("kind", ["field", "linear"])
@pytest.mark.parametrize("parent", [False, True])
def test_voxels_are_where_simpleitk_puts_them(warm_app, scene, kind, parent):
    import slicer

    from deepreg_slicer.bring_along import BringAlong

    fixed, moving = scene
    transform, itk = field_result(fixed) if kind == "field" else linear_near(moving)
    labels = add_volume("labels", structures(moving), ijk_to_ras(moving), "vtkMRMLLabelMapVolumeNode")
    dose = add_volume("dose", (blobs((38, 36, 30), ijk_to_ras(moving), 4) ** 2).astype(np.float32), ijk_to_ras(moving))
    organs = segmentation("organs", moving, structures(moving), {2: "liver", 5: "spleen"})
    if parent:
        middle = centre(ijk_to_ras(moving), (38, 36, 30))
        above = add_linear("above", matrix4(TURN_A_LITTLE, middle - TURN_A_LITTLE @ middle + (2.0, 3.0, -1.0)))
        for node in (labels, dose, organs):
            node.SetAndObserveTransformNodeID(above.GetID())
    brought = BringAlong(transform, fixed, [labels, dose, organs]).compute()
    image = world_image(labels)
    wanted = expected(image, fixed, itk, sitk.sitkNearestNeighbor, 0)
    assert len(np.unique(wanted)) == 3
    assert (slicer.util.arrayFromVolume(brought.nodes[labels]) != wanted).mean() < 1e-3  # ties of the nearest voxel
    smooth = expected(world_image(dose), fixed, itk, sitk.sitkLinear, 0.0)
    found = slicer.util.arrayFromVolume(brought.nodes[dose])
    assert np.abs(found - smooth).max() < 1e-3 * smooth.max()
    assert found.max() > 0
    table = np.zeros(6, dtype=np.uint8)
    table[[2, 5]] = 1, 2
    assert (values_of(brought.nodes[organs], fixed) != table[wanted]).mean() < 1e-3
    assert organs.GetSegmentation().GetNumberOfSegments() == 2
    for node, made in brought.nodes.items():
        assert made.GetParentTransformNode() is None
        assert made.GetNodeReference("deepRegOriginal") is node


def test_the_table_has_volumes_of_both_sides_and_the_agreement(warm_app, scene, tmp_path):
    import slicer

    from deepreg_slicer.bring_along import BringAlong
    from deepreg_slicer.moving_side import partnerOf
    from deepreg_slicer.structure_table import writeCsv

    fixed, moving = scene
    transform, itk = linear_near(moving)
    organs = segmentation("organs", moving, structures(moving), {2: "liver", 5: "spleen"})
    labels = add_volume("labels", structures(moving), ijk_to_ras(moving), "vtkMRMLLabelMapVolumeNode")
    truth = expected(world_image(labels), fixed, itk, sitk.sitkNearestNeighbor, 0)
    slicer.mrmlScene.RemoveNode(labels)
    theirs = segmentation("theirs", fixed, truth, {2: "Liver", 5: "spleen"})
    assert partnerOf([organs], fixed) is theirs
    brought = BringAlong(transform, fixed, [organs], theirs).compute()
    table = brought.structures
    columns = [table.GetTable().GetColumn(number).GetName() for number in range(table.GetNumberOfColumns())]
    rows = {table.GetCellText(row, 0): row for row in range(table.GetNumberOfRows())}
    assert {name.lower() for name in rows} == {"liver", "spleen"}

    def number(name: str, column: str) -> float:
        return float(table.GetCellText(rows[name], columns.index(column)))

    voxel = np.prod(moving.GetSpacing()) / 1000.0
    factor = np.linalg.det(SHEAR)
    for name, value in (("liver", 2), ("spleen", 5)):
        before = (structures(moving) == value).sum() * voxel
        assert number(name, "Before (ml)") == pytest.approx(before, rel=1e-3)
        assert number(name, "After (ml)") == pytest.approx(before * factor, rel=0.1)
        assert number(name, "Dice") > 0.95
    path = tmp_path / "structures.csv"
    writeCsv(table, str(path))
    with open(path, newline="", encoding="utf-8-sig") as stream:
        written = list(csv.DictReader(stream))
    assert [row["Structure"].lower() for row in written] == [name.lower() for name in rows]
    assert float(written[0]["Before (ml)"]) == pytest.approx(number(written[0]["Structure"], "Before (ml)"), rel=1e-6)
