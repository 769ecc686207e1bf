"""Points as other programs write them: decimal commas, separators, points without a position; and the pairing of landmarks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import call, check_refusal, succeed
from scenes import FIXED, Waves, random_points
from test_points import LPS, NAMES, RAS, markups, written

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.points import PointSet, read_list, read_pairs, read_points, write_points
from deepreg_engine.geometry.transform_files import write_field

# ------------------------------------------------------------------------------------------------------------------------- CSV


@pytest.mark.parametrize(
    "text",
    [
        "x,y,z\n1,5,2,5,3,5\n",
        "x,y,z\n1.5,2.5,3.5\n1,5,2,3\n",
        "x,y,z,label\n1,5,2,5,3,5,apex\n",
        "x,y,z,label\n1,5,2,3,apex\n",
        'x,y,z\n"1,5","2,5","3,5"\n',
        'x,y,z\n"1,234",2,3\n',  # or a thousand
        "x,y,z\n1,2,3,\n",
    ],
)
def test_decimal_commas_between_commas_are_refused(tmp_path, text):
    with pytest.raises(InputError, match="line [23] has") as caught:
        read_points(written(tmp_path / "p.csv", text), "fixed landmarks")
    assert "decimal commas" in caught.value.advice


@pytest.mark.parametrize("closing", ["", '"def'])
def test_a_quotation_mark_that_is_not_closed_is_refused(tmp_path, closing):
    text = f'x,y,z,label\n0,0,0,tip\n1,2,3,"abc\n4,5,6,base\n7,8,9,{closing}\n'
    with pytest.raises(InputError, match="a cell of line 3 begins with a quotation mark that is not closed"):
        read_points(written(tmp_path / "p.csv", text))


def test_a_name_in_quotes_may_have_a_line_break_and_others_a_mark_within(tmp_path):
    points = read_points(written(tmp_path / "p.csv", 'x,y,z,label\n1,2,3,"left\nlung"\n4,5,6,5" mark\n'))
    assert points.labels == ("left\nlung", '5" mark')
    np.testing.assert_array_equal(points.positions, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("rows", "noted"),
    [
        ("x,y,z,label\n10,5,20,30\n", True),  # or 10.5, 20, 30
        ("label,x,y,z\n10,5,20,-30\n-4,25,7,31\n", True),
        ("x,y,z,label,size\n10,5,2,25,30\n", True),
        ("x,y,z,label\n10,5,20,1\n12,8,-3,2\n", False),  # numbered
        ("label,x,y,z\n0,10,5,20\n1,12,8,-3\n", False),
        ("x,y,z,label\n10,5,20,30\n11,5,7.5,31\n", False),  # a decimal point
        ("x,y,z,label\n10,5,20,30\n11,5,7,apex\n", False),
        ("x,y,z,label\n10,5,20,30\n11,5,7,\n", False),
        ("x,y,z,label\n10,-5,-20,-30\n", False),  # decimals have no sign
        ("x,y,z\n10,5,20\n", False),
        ("x;y;z;label\n10;5;20;30\n", False),
    ],
)
def test_decimal_commas_that_fill_the_other_columns_are_noted(tmp_path, rows, noted):
    notes: list[str] = []
    points = read_points(written(tmp_path / "p.csv", rows), "fixed landmarks", notes)
    text = "the fixed landmarks: all cells are whole numbers: if the numbers have decimal commas, they were split; write decimal points"
    assert notes == ([text] if noted else [])
    assert np.array_equal(points.positions, np.rint(points.positions)) != ("7.5" in rows)


def test_the_command_line_names_decimal_commas(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_field("t.nrrd", Waves.draw(1).on(FIXED))
    for name in ("a.csv", "b.csv"):
        written(tmp_path / name, "x,y,z\n31,5,-52,5,17,5\n")
    line = ("evaluate", "--transform", "t.nrrd", "--fixed-landmarks", "a.csv", "--moving-landmarks", "b.csv")
    check_refusal(call(*line), "fixed landmarks a.csv: line 2 has 6 cells, but the header has 3", "decimal commas", "--fixed-landmarks")
    check_refusal(call("warp", "--transform", "t.nrrd", "--points", "a.csv", "--output", "w.csv"), "decimal commas")
    assert not (tmp_path / "w.csv").exists()


@pytest.mark.parametrize(
    "text",
    [
        "x;y;z\n12,5;-34,25;56,125\n-7,0625;8;-9,5\n",
        "x;y;z\n12.5;-34.25;56.125\n-7.0625;8;-9.5\n",
        "\ufeffsep=;\nname;x;y;z\n;12,5;-34,25;56,125\n;-7,0625;8,0;-9,5\n",
        "X\tY\tZ\n12,5\t-34,25\t56,125\n-7,0625\t8\t-9,5\n",
        "x\ty\tz\n1.25e1\t-3.425e1\t5.6125e1\n-7.0625\t+8\t-9.5\n",
        '"x","y","z"\n"12.5","-34.25","56.125"\n-7.0625,8.,-9.5\n;;\n'.replace(";", ","),
    ],
)
def test_separators_and_decimal_marks_of_spreadsheets(tmp_path, text):
    notes: list[str] = []
    np.testing.assert_array_equal(read_points(written(tmp_path / "p.csv", text), notes=notes).positions, LPS)
    assert notes == []


@pytest.mark.parametrize(
    "text",
    [
        "label,r,a,s,defined,selected\nA,-1,-2,3,1,1\nB,0,0,0,0,1\nC,-4,-5,6,1,1\n",  # as a table of 3D Slicer's points
        "L;P;S;label\n1;2;3;A\n;;;B\n4;5;6;C\n",
    ],
)
def test_coordinates_with_the_names_of_their_frame(tmp_path, text):
    (tmp_path / "points.csv").write_text(text, encoding="utf-8")
    found = read_list(tmp_path / "points.csv")
    assert found.labels == ("A", "B", "C")
    np.testing.assert_array_equal(found.positions, [[1, 2, 3], [np.nan] * 3, [4, 5, 6]])


def test_names_with_commas_after_a_space(tmp_path):
    points = read_points(written(tmp_path / "p.csv", 'x, y, z, label\n1, 2, 3, "apex, left"\n'))
    assert points.labels == ("apex, left",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x;y;z\n1,5;2.5;3\n", "line 2 has '2.5', but numbers before it have the decimal mark ','"),
        ("x;y;z\n1.5;2;3\n1;2,5;3\n", "line 3 has '2,5'"),
        ("x;y;z\n1.234,5;2;3\n", "x is '1.234,5'"),
        ('x,y,z\n"1,234.5",2,3\n', "x is '1,234.5'"),
        ("x,y,z\n1'234.5,2,3\n", "three numbers"),
        ("x,y,z\n1_000,2,3\n", "x is '1_000'"),  # a number for Python
        ("x,y,z\n\u0661,2,3\n", "three numbers"),
        ("x,y,z\n1,2,3\n4,5\n", "line 3 has 2 cells, but the header has 3"),
        ("x,y,z,label\n1,2,3\n", "line 2 has 3 cells, but the header has 4"),
        ("x,y,z\n1,,3\n", "line 2 has no three numbers: y is empty"),
        ("x,y,z,label\n1,,,apex\n", "y is empty"),
        ("x,y,z\n1,infinity,3\n", "point 1 is not finite"),
        ("x,y,z,x\n1,2,3,4\n", "several columns x"),
        ("x,y,z,name,name\n1,2,3,a,b\n", "several columns name"),
        ("1,2,3,4,5,6\n7,8,9,10,11,12\n", "not a header"),
        ("x,y,z\n,,\n,,\n", "no points"),
    ],
)
def test_what_could_be_meant_otherwise_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message.replace("'", ".").replace("\\", ".")) as caught:
        read_points(written(tmp_path / "p.csv", text))
    assert caught.value.advice


def test_other_encodings_are_named(tmp_path):
    (tmp_path / "p.csv").write_bytes("x,y,z,label\n1,2,3,Kèhle\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_points(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_text("x\ty\tz\n1\t2\t3\n", encoding="utf-16")
    with pytest.raises(InputError, match="UTF-8"):
        read_points(tmp_path / "p.csv")


# ---------------------------------------------------------------------------------------------------------- files of 3D Slicer

_FCSV = "# CoordinateSystem = LPS\n# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"


def fcsv_of_slicer(statuses, numbers=LPS):
    """Lines as 3D Slicer 5 writes them, with the status and the origin of each point after the columns of the header."""
    rows = "".join(
        f"{n},{x},{y},{z},0,0,0,1,1,1,0,{name!r},,vtkMRMLScalarVolumeNode1,{status},0\n".replace("'", '"')
        for n, ((x, y, z), name, status) in enumerate(zip(numbers, NAMES, statuses, strict=True), start=1)
    )
    return "# Markups fiducial file version = 5.8\n" + _FCSV + rows


def test_the_status_of_points_in_fcsv(tmp_path):
    found = read_list(written(tmp_path / "p.fcsv", fcsv_of_slicer((2, 2))))
    np.testing.assert_array_equal(found.positions, LPS)
    assert found.labels == NAMES
    for status in (0, 1, 3):  # undefined, preview, missing: the file still holds where the point was
        found = read_list(written(tmp_path / "p.fcsv", fcsv_of_slicer((status, 2))))
        assert found.defined.tolist() == [False, True]
        assert found.labels == NAMES
        np.testing.assert_array_equal(found.points().positions, LPS[1:])


@pytest.mark.parametrize(
    "row",
    [
        "1,1,5,2,5,3,5,0,0,0,1,1,1,0,F-1,,,2,0",
        "1,1,5,2,3,0,0,0,1,1,1,0,F-1,,,2,0",
        "1,1,5,2,3,0,0,0,1,1,1,0,F-1,,",
        "1,1,5,2,5,3,0,0,0,1,1,1,0,F-1,,vtkMRMLScalarVolumeNode1",
        "1,1,5,2,5,3,5",
        "1,1.5,2.5,3.5",
    ],
)
def test_fcsv_lines_of_another_length_are_refused(tmp_path, row):
    with pytest.raises(InputError, match="line 3 has"):
        read_points(written(tmp_path / "p.fcsv", _FCSV + row + "\n"))
    if row.count(",") > 3:
        with pytest.raises(InputError, match="line 1 has"):
            read_points(written(tmp_path / "p.fcsv", row + "\n"))


def test_points_without_a_position_in_markups(tmp_path):
    content = markups()
    for status, position in (("undefined", ""), ("missing", ""), ("preview", [1.0, 2.0, 3.0]), (None, ""), (None, None)):
        point = {"label": "x", "position": position, **({"positionStatus": status} if status else {})}
        content["markups"][0]["controlPoints"][0] = point
        found = read_list(written(tmp_path / "p.mrk.json", json.dumps(content)))
        assert found.defined.tolist() == [False, True]
    content["markups"][0]["controlPoints"][0] = {"label": "x", "position": [1, 2, 3], "positionStatus": "strange"}
    with pytest.raises(InputError, match="not a Slicer markups file"):
        read_list(written(tmp_path / "p.mrk.json", json.dumps(content)))


def test_frames_and_units_of_markups(tmp_path):
    for frame, positions in ((0, RAS), (1, LPS), ("ras", RAS), ("lps", LPS)):
        np.testing.assert_array_equal(read_points(written(tmp_path / "p.mrk.json", json.dumps(markups(positions, frame)))).positions, LPS)
    for units in (["m", "UCUM", "meter, not mm"], "cmm", 1, ["cm"]):
        with pytest.raises(InputError, match="not in millimetres"):
            read_points(written(tmp_path / "p.mrk.json", json.dumps(markups(coordinateUnits=units))))
    content = {"markups": [*markups()["markups"], *markups(LPS + 1)["markups"]]}
    notes: list[str] = []
    np.testing.assert_array_equal(read_points(written(tmp_path / "p.mrk.json", json.dumps(content)), notes=notes).positions, LPS)
    assert notes == ["the points: the file has 2 lists of points, of which the first was read"]


# ----------------------------------------------------------------------------------------------------------------------- pairs

POINTS = random_points(FIXED, 5, 12)
FIELD = Waves.draw(1, amplitude=8.0)


def mapped(points):
    """The moving partners of fixed points under the field."""
    return FIXED_FIELD.map_points(points)


FIXED_FIELD = FIELD.on(FIXED)


def listed(path, positions, labels=None, missing=(), order=None):
    """Write a list with some points without a position, in the format of its ending, as the programs write it."""
    order = range(len(positions)) if order is None else order
    rows = [(positions[n], labels[n] if labels else "", n in missing) for n in order]
    if path.suffix == ".csv":
        cells = [(["", "", ""] if gone else [f"{value:.6f}" for value in point], label) for point, label, gone in rows]
        head = "x,y,z,label\n" if labels else "x,y,z\n"
        text = head + "".join(",".join([*xyz, label] if labels else xyz) + "\n" for xyz, label in cells)
    elif path.suffix == ".fcsv":
        text = _FCSV + "".join(
            f"{n},{','.join(f'{value:.6f}' for value in point)},0,0,0,1,1,1,0,{label},,,{0 if gone else 2},0\n"
            for n, (point, label, gone) in enumerate(rows)
        )
    else:
        controls = [
            {"label": label, "position": "" if gone else point.tolist(), "positionStatus": "undefined" if gone else "defined"}
            for point, label, gone in rows
        ]
        text = json.dumps({"markups": [{"coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": controls}]})
    return written(path, text)


def errors(folder, fixed, moving):
    """Largest error of the pairs of two files under the true field, mm; their number; and the notes."""
    notes: list[str] = []
    one, two = read_pairs(folder / fixed, folder / moving, notes=notes)
    return float(np.linalg.norm(mapped(one.positions) - two.positions, axis=1).max()), len(one), notes


@pytest.mark.parametrize("suffix", [".csv", ".fcsv", ".mrk.json"])
@pytest.mark.parametrize("labels", [None, [f"L{n}" for n in range(12)]])
def test_points_without_a_position_keep_their_place(tmp_path, suffix, labels):
    listed(tmp_path / f"f{suffix}", POINTS, labels, missing=(2,))
    listed(tmp_path / f"m{suffix}", mapped(POINTS), labels, missing=(8, 11))
    largest, count, notes = errors(tmp_path, f"f{suffix}", f"m{suffix}")
    assert largest < 1e-4
    assert count == 9
    assert notes == ["3 of 12 pairs of landmarks have a point without a position and were left out"]


def test_evaluate_pairs_by_position_and_says_what_is_left_out(tmp_path):
    listed(tmp_path / "f.mrk.json", POINTS, missing=(2,))
    listed(tmp_path / "m.csv", mapped(POINTS), missing=(8,))
    write_field(tmp_path / "t.nrrd", FIXED_FIELD)
    report = tmp_path / "r.json"
    files = ("--fixed-landmarks", tmp_path / "f.mrk.json", "--moving-landmarks", tmp_path / "m.csv")
    out = succeed("evaluate", "--transform", tmp_path / "t.nrrd", *files, "--report", report)
    note = "2 of 12 pairs of landmarks have a point without a position and were left out"
    assert f"note: {note}" in out
    content = json.loads(report.read_text())
    assert content["landmarks"]["after"]["max"] < 1e-3
    assert content["landmarks"]["after"]["count"] == 10
    assert content["notes"] == [note]


def test_another_order_is_paired_by_label_and_noted(tmp_path):
    labels = [f"Landmark {n}" for n in (3, 1, 4, 15, 9, 2, 6, 5, 35, 8, 97, 93)]
    listed(tmp_path / "f.fcsv", POINTS, labels, missing=(4,))
    listed(tmp_path / "m.csv", mapped(POINTS), [label.upper() for label in labels], order=np.random.default_rng(0).permutation(12))
    largest, count, notes = errors(tmp_path, "f.fcsv", "m.csv")
    assert largest < 1e-4
    assert count == 11
    assert any("the same labels in another order: they were paired by label" in note for note in notes)


def test_labels_that_differ_are_noted_and_paired_by_order(tmp_path):
    listed(tmp_path / "f.csv", POINTS, [f"L{n}" for n in range(11)] + ["apex"])
    listed(tmp_path / "m.csv", mapped(POINTS), [f"L{n}" for n in range(11)] + ["hilum"])
    largest, count, notes = errors(tmp_path, "f.csv", "m.csv")
    assert (largest < 1e-4, count) == (True, 12)
    assert notes == ["1 of 12 pairs of landmarks have labels that differ, such as 'apex' and 'hilum': they were paired by their order"]
    # The names that a program gives to the lists' points are no difference, but other numbers are.
    listed(tmp_path / "f.csv", POINTS, [f"Fixed-{n + 1}" for n in range(12)])
    listed(tmp_path / "m.csv", mapped(POINTS), [f"Moving-{n + 1:02d}" for n in range(12)])
    assert errors(tmp_path, "f.csv", "m.csv")[1:] == (12, [])
    listed(tmp_path / "m.csv", mapped(POINTS), [f"Moving-{n}" for n in range(12)])
    (note,) = errors(tmp_path, "f.csv", "m.csv")[2]
    assert "the pairs of landmarks have labels that differ, such as 'Fixed-1' and 'Moving-0'" in note
    listed(tmp_path / "m.csv", mapped(POINTS))  # no labels
    assert errors(tmp_path, "f.csv", "m.csv")[1:] == (12, [])


@pytest.mark.parametrize(
    ("labels", "gaps"),
    [
        ([str(n + 1) for n in range(12)], ((2,), (8,))),
        ([str(n + 1) for n in range(12)], ((2,), (3,))),  # the labels that both have are at the same places
        ([f"{name} left" for name in "abcdefghijkl"], ((0, 5), (8, 11))),
    ],
)
def test_lists_with_gaps_at_different_places_are_paired_by_label(tmp_path, labels, gaps):
    for name, points, gap in (("f", POINTS, gaps[0]), ("m", mapped(POINTS), gaps[1])):
        kept = [n for n in range(12) if n not in gap]
        listed(tmp_path / f"{name}.csv", points[kept], [labels[n] for n in kept])
    largest, count, notes = errors(tmp_path, "f.csv", "m.csv")
    shared = 12 - len(gaps[0]) - len(gaps[1])
    assert (largest < 1e-4, count) == (True, shared)
    same = f"{shared} of {12 - len(gaps[0])} landmarks have the same label in both lists"
    assert notes == [f"{same}: they were paired by label, and the others left out"]


def test_labels_of_programs_that_count_from_0_and_from_1_are_paired_by_order(tmp_path):
    listed(tmp_path / "f.csv", POINTS, [f"F-{n}" for n in range(12)])
    listed(tmp_path / "m.csv", mapped(POINTS), [f"F-{n + 1}" for n in range(12)])
    largest, count, notes = errors(tmp_path, "f.csv", "m.csv")
    assert (largest < 1e-4, count) == (True, 12)
    assert "they were paired by their order" in notes[0]


def test_lists_of_unequal_length(tmp_path):
    listed(tmp_path / "f.csv", POINTS)
    listed(tmp_path / "m.csv", mapped(POINTS)[:11])
    with pytest.raises(InputError, match="12 fixed landmarks but 11 moving landmarks"):
        errors(tmp_path, "f.csv", "m.csv")
    # A point without a position at the end is one that is being placed.
    listed(tmp_path / "f.mrk.json", POINTS, missing=(11,))
    assert errors(tmp_path, "f.mrk.json", "m.csv")[1:] == (11, [])
    # One in the middle may have the same number of partners in another order.
    listed(tmp_path / "f.mrk.json", POINTS, missing=(5,))
    with pytest.raises(InputError, match="12 fixed .1 of them without a position. landmarks but 11 moving landmarks"):
        errors(tmp_path, "f.mrk.json", "m.csv")
    # Labels show the partners.
    labels = [f"L{n}" for n in range(12)]
    listed(tmp_path / "f.mrk.json", POINTS, labels, missing=(5,))
    listed(tmp_path / "m.csv", mapped(POINTS), labels, order=[n for n in range(12) if n != 5])
    largest, count, _ = errors(tmp_path, "f.mrk.json", "m.csv")
    assert (largest < 1e-4, count) == (True, 11)


def test_blank_lines_are_skipped_and_noted(tmp_path):
    for name, points, place in (("f.csv", POINTS, 3), ("m.csv", mapped(POINTS), 7)):
        write_points(tmp_path / name, PointSet(points))
        lines = (tmp_path / name).read_text().splitlines()
        written(tmp_path / name, "\n".join([*lines[:place], "", *lines[place:]]) + "\n\n")
    largest, count, notes = errors(tmp_path, "f.csv", "m.csv")
    assert (largest < 1e-3, count) == (True, 12)
    assert notes == ["blank lines between the landmarks were skipped; a point without a position is a line of empty cells"]


def test_no_pair_at_all(tmp_path):
    listed(tmp_path / "f.csv", POINTS[:2], missing=(0,))
    listed(tmp_path / "m.csv", POINTS[:2], missing=(1,))
    with pytest.raises(InputError, match="no pair of landmarks"):
        read_pairs(tmp_path / "f.csv", tmp_path / "m.csv")
