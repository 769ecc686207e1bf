"""Point files: CSV and Slicer's, in the frame that they state, and errors of defective ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.points import POINT_SUFFIXES, PointSet, read_pairs, read_points, write_points

LPS = np.array([[12.5, -34.25, 56.125], [-7.0625, 8.0, -9.5]])
RAS = LPS * [-1, -1, 1]
NAMES = ("carina", "apex, left")

coordinates = st.lists(st.tuples(*[st.floats(-2000, 2000)] * 3), min_size=1, max_size=8)
names = st.text(st.sampled_from("abcXYZ é肺,;\"'#=1 -_"), min_size=1, max_size=12).map(lambda name: " ".join(name.split())).filter(bool)


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


# ---------------------------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("suffix", POINT_SUFFIXES)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(coordinates, st.data())
def test_points_come_back(tmp_path_factory, suffix, positions, data):
    labels = tuple(data.draw(st.lists(names, min_size=len(positions), max_size=len(positions))))
    path = tmp_path_factory.mktemp("points") / f"p{suffix}"
    write_points(path, PointSet(positions, labels))
    again = read_points(path)
    np.testing.assert_allclose(again.positions, positions, atol=1.01e-7)
    assert again.labels == labels
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", POINT_SUFFIXES)
def test_names_are_numbers_where_none_are_given(tmp_path, suffix):
    points = PointSet(LPS)
    assert points.labels == ("1", "2")
    assert len(points) == 2
    write_points(tmp_path / f"p{suffix}", points)
    assert read_points(tmp_path / f"p{suffix}").labels == ("1", "2")


def test_what_is_written_is_lps_and_says_so(tmp_path):
    for suffix in POINT_SUFFIXES:
        write_points(tmp_path / f"p{suffix}", PointSet(LPS, NAMES))
    assert (tmp_path / "p.csv").read_text().splitlines() == ["x,y,z,label", "12.5,-34.25,56.125,carina", '-7.0625,8,-9.5,"apex, left"']
    lines = (tmp_path / "p.fcsv").read_text().splitlines()
    assert "# CoordinateSystem = LPS" in lines
    assert lines[3] == "1,12.5,-34.25,56.125,0,0,0,1,1,1,0,carina,,"
    markup = json.loads((tmp_path / "p.mrk.json").read_text())["markups"][0]
    assert (markup["type"], markup["coordinateSystem"], markup["coordinateUnits"]) == ("Fiducial", "LPS", "mm")
    assert [p["position"] for p in markup["controlPoints"]] == LPS.tolist()


# ------------------------------------------------------------------------------------------------------------------ CSV


@pytest.mark.parametrize(
    "text",
    [
        "x,y,z\n12.5,-34.25,56.125\n-7.0625,8,-9.5\n",
        "\ufeffX, Y, Z\r\n12.5, -34.25, 56.125\r\n-7.0625, 8.0, -9.5\r\n",  # as spreadsheets save it
        "z,name,x,y\n56.125,1,12.5,-34.25\n\n-9.5,2,-7.0625,8\n,,,\n",
        "\n\nx,y,z,r\n1.25e1,-3.425e1,5.6125e1,9\n-7.0625,+8,-9.5,9",
    ],
)
def test_csv_of_other_programs(tmp_path, text):
    points = read_points(written(tmp_path / "p.csv", text))
    np.testing.assert_array_equal(points.positions, LPS)
    assert points.labels == ("1", "2")


@pytest.mark.parametrize("column", ["label", "Name", "ID"])
def test_csv_names(tmp_path, column):
    points = read_points(written(tmp_path / "p.csv", f'x,y,z,{column}\n1,2,3,"apex, left"\n4,5,6,\n7,8,9,\n'))
    assert points.labels == ("apex, left", "2", "3")


# ----------------------------------------------------------------------------------------------------------------- fcsv


def fcsv(frame):
    header = f"# CoordinateSystem = {frame}\n" if frame else ""
    positions = LPS if frame in ("LPS", "1", "lps") else RAS
    columns = "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    rows = "".join(
        f"vtkMRML_{x},{x},{y},{z},0,0,0,1,1,1,0,{quoted},,vtkMRMLVolume1\n"
        for (x, y, z), quoted in zip(positions, ("carina", '"apex, left"'), strict=True)
    )
    return f"# Markups fiducial file version = 4.11\n{header}{columns}{rows}"


@pytest.mark.parametrize("frame", ["RAS", "LPS", "0", "1", "lps", None])
def test_fcsv_is_read_in_its_frame(tmp_path, frame):
    points = read_points(written(tmp_path / "p.fcsv", fcsv(frame)))
    np.testing.assert_array_equal(points.positions, LPS)
    assert points.labels == NAMES


def test_fcsv_columns_in_another_order(tmp_path):
    text = "# CoordinateSystem = LPS\n# columns = label,z,y,x\ncarina,56.125,-34.25,12.5\n\n,-9.5,8,-7.0625\n"
    points = read_points(written(tmp_path / "p.fcsv", text))
    np.testing.assert_array_equal(points.positions, LPS)
    assert points.labels == ("carina", "2")


# ------------------------------------------------------------------------------------------------------------- mrk.json


def markups(positions=LPS, frame="LPS", **extra):
    points = [
        {"id": name, "label": name, "position": list(position), "positionStatus": "defined"}
        for position, name in zip(positions, NAMES, strict=False)
    ]
    return {"markups": [{"type": "Fiducial", "coordinateSystem": frame, "controlPoints": points, **extra}]}


@pytest.mark.parametrize(("frame", "positions"), [("LPS", LPS), ("RAS", RAS), ("0", RAS), ("1", LPS)])
def test_markups_are_read_in_their_frame(tmp_path, frame, positions):
    for suffix in (".mrk.json", ".json"):
        points = read_points(written(tmp_path / f"p{suffix}", json.dumps(markups(positions, frame))))
        np.testing.assert_array_equal(points.positions, LPS)
        assert points.labels == NAMES


@pytest.mark.parametrize("units", ["mm", ["mm", "UCUM", "millimeter"], None])
def test_markups_in_millimetres(tmp_path, units):
    content = markups(coordinateUnits=units)
    np.testing.assert_array_equal(read_points(written(tmp_path / "p.mrk.json", json.dumps(content))).positions, LPS)


def test_points_that_are_not_placed_are_skipped(tmp_path):
    content = markups()
    control = content["markups"][0]["controlPoints"]
    control.insert(0, {"label": "later", "position": [0.0, 0.0, 0.0], "positionStatus": "undefined"})
    control.insert(2, {"label": "mouse", "position": [1.0, 1.0, 1.0], "positionStatus": "preview"})
    control[3].pop("positionStatus")  # missing in old files
    control[3].pop("label")
    notes: list[str] = []
    points = read_points(written(tmp_path / "p.mrk.json", json.dumps(content)), "landmarks", notes)
    np.testing.assert_array_equal(points.positions, LPS)
    assert points.labels == ("carina", "4")  # by its place in the list
    assert notes == ["2 of 4 landmarks have no position and were left out"]


def test_the_first_list_that_has_points(tmp_path):
    content = {"markups": [{"type": "Fiducial", "controlPoints": []}, *markups()["markups"]]}
    np.testing.assert_array_equal(read_points(written(tmp_path / "p.mrk.json", json.dumps(content))).positions, LPS)


# -------------------------------------------------------------------------------------------------------- what is wrong


def without(key):
    content = markups()
    del content["markups"][0]["controlPoints"][1][key]
    return json.dumps(content)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.csv", None, "do not exist"),
        ("p.txt", "x,y,z\n1,2,3\n", "the ending of a points file"),
        ("p", "x,y,z\n1,2,3\n", "the ending of a points file"),
        ("p.csv", "", "no points"),
        ("p.csv", "x,y,z\n", "no points"),
        ("p.csv", "1,2,3\n4,5,6\n", "not a header"),
        ("p.csv", "x,y\n1,2\n", "not a header"),
        ("p.csv", "x y z\n1 2 3\n", "not a header"),
        ("p.csv", "x,y,z\n1,2,3\n4,five,6\n", "line 3 "),
        ("p.csv", "\nx,y,z\n\n1,2,3\n\n4,5\n", "line 6 "),
        ("p.csv", "x,y,z\n1,2,\n", "line 2 .*z is empty"),
        ("p.csv", "x,y,z\n1,2,3\n4,nan,6\n", "point 2 is not finite"),
        ("p.csv", "x,y,z,label\n1,2,-inf,apex\n", "point apex is not finite"),
        ("p.csv", "x,y,z\n" + "1" * 200_000 + ",2,3\n", "cannot be read"),
        ("p.fcsv", "", "no points"),
        ("p.fcsv", "# CoordinateSystem = LPS\n", "no points"),
        ("p.fcsv", "1,2\n", "no three numbers"),
        ("p.fcsv", "1,a,b,c\n", "no three numbers"),
        ("p.fcsv", "1,nan,2,3\n", "not finite"),
        ("p.fcsv", "# columns = id,a,b\n1,2,3\n", "no three numbers"),
        ("p.fcsv", "# CoordinateSystem = IJK\n1,2,3,4\n", "not LPS or RAS"),
        ("p.mrk.json", "", "not a Slicer markups file"),
        ("p.mrk.json", "{]", "not a Slicer markups file"),
        ("p.mrk.json", "[1, 2]", "not a Slicer markups file"),
        ("p.mrk.json", '{"markups": []}', "not a Slicer markups file"),
        ("p.mrk.json", '{"markups": {"a": 1}}', "not a Slicer markups file"),
        ("p.mrk.json", '{"markups": [{"controlPoints": []}]}', "no points"),
        ("p.mrk.json", without("position"), "not a Slicer markups file"),
        ("p.mrk.json", json.dumps(markups([[1, 2, 3, 4, 5, 6]])), "not a Slicer markups file"),
        ("p.mrk.json", json.dumps(markups([[1, 2], [3, 4]])), "not a Slicer markups file"),
        ("p.mrk.json", json.dumps(markups([["a", 2, 3]])), "not a Slicer markups file"),
        ("p.mrk.json", json.dumps(markups([[float("nan"), 2, 3]])), "not finite"),
        ("p.mrk.json", json.dumps(markups(frame="IJK")), "not LPS or RAS"),
        ("p.mrk.json", json.dumps(markups(coordinateUnits="m")), "not in millimetres"),
        ("p.json", '{"name": "a dataset"}', "not a Slicer markups file"),
    ],
)
def test_wrong_files_are_refused_in_one_line(tmp_path, name, text, message):
    path = tmp_path / name
    if text is not None:
        written(path, text)
    with pytest.raises(InputError, match=message) as caught:
        read_points(path, "fixed landmarks")
    line = caught.value.line()
    assert "\n" not in line
    assert str(path) in line
    assert "fixed landmarks" in line
    assert caught.value.advice


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        read_points(tmp_path / "p.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_points(tmp_path / "folder.csv")


def test_pairs(tmp_path):
    write_points(tmp_path / "f.csv", PointSet(LPS))
    write_points(tmp_path / "m.fcsv", PointSet(LPS + 1))
    write_points(tmp_path / "three.csv", PointSet(np.vstack([LPS, LPS[:1]])))
    fixed, moving = read_pairs(tmp_path / "f.csv", tmp_path / "m.fcsv")
    np.testing.assert_array_equal(moving.positions - fixed.positions, 1.0)
    with pytest.raises(InputError, match="2 fixed landmarks but 3 moving"):
        read_pairs(tmp_path / "f.csv", tmp_path / "three.csv")


def test_names_and_points_must_be_as_many():
    with pytest.raises(ValueError, match="3 names for 2 points"):
        PointSet(LPS, ("a", "b", "c"))


@pytest.mark.parametrize("name", ["p.txt", "p", "p.vtk"])
def test_unknown_endings_are_not_written(tmp_path, name):
    with pytest.raises(InputError, match="the ending of a points file"):
        write_points(tmp_path / name, PointSet(LPS))
    assert not list(tmp_path.iterdir())
