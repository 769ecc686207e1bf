"""Expected values of the scene by SimpleITK or closed forms."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import vtk

FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
# Steeply oblique, anisotropic, and no two sizes alike.
TURN = np.linalg.qr(np.array([[0.8, -0.5, 0.3], [0.4, 0.85, -0.2], [-0.2, 0.35, 0.9]]))[0]


def matrix4(linear: np.ndarray, shift=(0.0, 0.0, 0.0)) -> np.ndarray:
    """A 4x4 matrix."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, shift
    return matrix


def to_vtk(matrix: np.ndarray) -> vtk.vtkMatrix4x4:
    """A 4x4 array as VTK's matrix."""
    result = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            result.SetElement(row, column, float(matrix[row, column]))
    return result


def itk_image(array: np.ndarray, ijk_to_ras: np.ndarray) -> sitk.Image:
    """An array (k, j, i) with a geometry in RAS, as SimpleITK's image."""
    lps = FLIP @ ijk_to_ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return image


def blobs(size: tuple[int, int, int], ijk_to_ras: np.ndarray, seed: int = 0) -> np.ndarray:
    """A smooth array (k, j, i): the values of a function of the world on a grid."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), axis=-1).reshape(-1, 3)
    points = index @ ijk_to_ras[:3, :3].T + ijk_to_ras[:3, 3]
    return smooth(points, seed).reshape(size).transpose(2, 1, 0)


def smooth(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """A smooth function of the world (N, 3) RAS mm."""
    generator = np.random.default_rng(seed)
    value = np.zeros(len(points))
    for _ in range(6):
        wave, phase = generator.normal(size=3) / 25.0, generator.uniform(0, 6)
        value += 100.0 * np.sin(points @ wave + phase)
    return value


def add_volume(name: str, array: np.ndarray, ijk_to_ras: np.ndarray, class_name: str = "vtkMRMLScalarVolumeNode"):
    """A volume node of an array (k, j, i)."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass(class_name, name)
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(to_vtk(ijk_to_ras))
    node.CreateDefaultDisplayNodes()
    return node


def add_linear(name: str, matrix: np.ndarray):
    """A linear transform node; the matrix is to its parent, RAS."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    node.SetMatrixTransformToParent(to_vtk(matrix))
    return node


def add_warp(name: str, strength: float = 6.0):
    """A thin-plate spline transform node, smooth and invertible."""
    import slicer

    generator = np.random.default_rng(5)
    source = generator.uniform(-80, 80, size=(12, 3))
    target = source + generator.normal(scale=strength, size=source.shape)
    points = []
    for positions in (source, target):
        points.append(vtk.vtkPoints())
        for position in positions:
            points[-1].InsertNextPoint(*position)
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    spline.SetSourceLandmarks(points[0])
    spline.SetTargetLandmarks(points[1])
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", name)
    node.SetAndObserveTransformToParent(spline)
    return node


def through(node, points: np.ndarray, inverse: bool = False) -> np.ndarray:
    """Points (N, 3) RAS through a transform node into the world, or back."""
    general = vtk.vtkGeneralTransform()
    (node.GetTransformFromWorld if inverse else node.GetTransformToWorld)(general)
    return np.array([general.TransformPoint(point) for point in np.asarray(points, dtype=float)])


def exhaust(generator):
    """Run a generator to its end; returns what it returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value
