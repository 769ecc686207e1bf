"""Surface models that are brought along, written and read by VTK as 3D Slicer does."""

from __future__ import annotations

import numpy as np
import pytest
from brought_along import folder_fixture  # noqa: F401 - fixture

from deepreg_engine.errors import EngineError
from deepreg_engine.geometry.points import read_points
from deepreg_engine.jobs.apply import ApplyRequest, Warping, run_apply

vtk = pytest.importorskip("vtk")
numpy_support = pytest.importorskip("vtk.util.numpy_support")


def surface(points: np.ndarray):
    """A fan of triangles over points, with a scalar at each."""
    data, corners, cells = vtk.vtkPolyData(), vtk.vtkPoints(), vtk.vtkCellArray()
    corners.SetData(numpy_support.numpy_to_vtk(np.ascontiguousarray(points, dtype=np.float32), deep=True))
    for n in range(1, len(points) - 1):
        cells.InsertNextCell(3, (0, n, n + 1))
    data.SetPoints(corners)
    data.SetPolys(cells)
    scalars = numpy_support.numpy_to_vtk(np.arange(len(points), dtype=np.float32), deep=True)
    scalars.SetName("depth")
    data.GetPointData().SetScalars(scalars)
    return data


def written(data, path, mode: str, space: str) -> None:
    """Write a surface as 3D Slicer does."""
    ending = path.suffix
    if ending == ".vtp":
        writer, array = vtk.vtkXMLPolyDataWriter(), vtk.vtkStringArray()
        array.SetName("SPACE")
        array.InsertNextValue(space)
        if space:
            data.GetFieldData().AddArray(array)
        getattr(writer, f"SetDataModeTo{mode.removesuffix(' raw').removesuffix(' plain').capitalize()}")()
        if mode.endswith("raw"):
            writer.EncodeAppendedDataOff()
        if mode.endswith("plain"):
            writer.SetCompressorTypeToNone()
    else:
        writer = {".vtk": vtk.vtkPolyDataWriter, ".stl": vtk.vtkSTLWriter, ".ply": vtk.vtkPLYWriter}[ending]()
        writer.SetFileTypeToASCII() if mode == "ascii" else writer.SetFileTypeToBinary()
        if ending == ".ply":
            writer.AddComment(f"SPACE={space}")
        else:
            writer.SetHeader(f"3D Slicer output. SPACE={space}")
    writer.SetInputData(data)
    writer.SetFileName(str(path))
    writer.Write()


def points_of(path) -> tuple[np.ndarray, object]:
    readers = {".vtk": vtk.vtkPolyDataReader, ".vtp": vtk.vtkXMLPolyDataReader, ".stl": vtk.vtkSTLReader, ".ply": vtk.vtkPLYReader}
    reader = readers[path.suffix]()
    reader.SetFileName(str(path))
    reader.Update()
    data = reader.GetOutput()
    return np.array([data.GetPoint(n) for n in range(data.GetNumberOfPoints())]), data


@pytest.mark.parametrize(
    ("ending", "mode", "space"),
    [
        (".vtk", "ascii", "RAS"),
        (".vtk", "binary", "LPS"),
        (".vtp", "ascii", "LPS"),
        (".vtp", "binary", "RAS"),
        (".vtp", "binary plain", "LPS"),
        (".vtp", "appended", "RAS"),
        (".vtp", "appended raw", "LPS"),
        (".vtp", "appended plain", "LPS"),
        (".stl", "ascii", "LPS"),
        (".stl", "binary", "RAS"),
        (".ply", "ascii", "RAS"),
        (".ply", "binary", "LPS"),
    ],
)
def test_models_go_to_the_fixed_side_and_keep_the_rest(folder, tmp_path, ending, mode, space):
    signs = np.array([-1.0, -1.0, 1.0]) if space == "RAS" else np.ones(3)
    moving, fixed = (read_points(folder / f"{side}.csv").positions for side in ("moving", "fixed"))
    source, target = tmp_path / f"m{ending}", tmp_path / f"f{ending}"
    written(surface(moving * signs), source, mode, space)
    found = run_apply(ApplyRequest(str(folder / "t.nrrd"), [Warping(str(source), str(target))]))
    positions, data = points_of(target)
    before, former = points_of(source)
    # Corner by corner, because formats and readers order them in their own ways.
    assert data.GetNumberOfCells() == former.GetNumberOfCells() == len(moving) - 2
    ids = [data.GetCell(n).GetPointId(k) for n in range(data.GetNumberOfCells()) for k in range(3)]
    olds = [former.GetCell(n).GetPointId(k) for n in range(data.GetNumberOfCells()) for k in range(3)]
    partner = [int(np.argmin(np.linalg.norm(moving - before[n] * signs, axis=1))) for n in olds]
    np.testing.assert_allclose(positions[ids] * signs, fixed[partner], atol=5e-3)
    if ending in (".vtk", ".vtp"):
        scalars = data.GetPointData().GetArray("depth")
        assert [scalars.GetValue(n) for n in range(scalars.GetNumberOfTuples())] == list(range(len(moving)))
    assert found["files"][0]["kind"] == "model"
    assert found["notes"] == []


def test_models_that_cannot_be_read_are_refused(folder, tmp_path):
    cut = tmp_path / "cut.stl"
    written(surface(read_points(folder / "moving.csv").positions), cut, "binary", "LPS")
    cut.write_bytes(cut.read_bytes()[:200])
    (tmp_path / "image.vtk").write_text("# vtk DataFile Version 3.0\nimage\nASCII\nDATASET STRUCTURED_POINTS\nDIMENSIONS 1 1 1\n")
    (tmp_path / "torn.vtp").write_text("<VTKFile type='PolyData'><PolyData>")
    (tmp_path / "other.ply").write_text("ply\nformat ascii 1.0\nelement face 1\nend_header\n1\n")
    for name in ("cut.stl", "image.vtk", "torn.vtp", "other.ply", "missing.vtk"):
        target = str(tmp_path / f"o{name[-4:]}")
        with pytest.raises(EngineError, match=name.replace(".", r"\.")):
            run_apply(ApplyRequest(str(folder / "t.nrrd"), [Warping(str(tmp_path / name), target)]))
