"""Plans of cohorts: tables, folders, data sets, and the identity of rows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepreg_engine.cohort.identity import Digests, identity
from deepreg_engine.cohort.rows import INPUTS, OUTPUT_FILES, Row, as_csv, check_rows, read_csv
from deepreg_engine.cohort.sources import Scan, all_pairs, from_dataset, from_folders, pair, scans_of, to_one
from deepreg_engine.errors import EngineError, InputError

PATTERN = Row("", {}, preset="people-mr", outputs=("transform", "warped_labels"))
_WORD = st.text("abc_1 äß,;'=", min_size=1, max_size=8).map(lambda text: f"x{text}x")


@given(
    st.lists(
        st.builds(
            Row,
            name=_WORD,
            files=st.dictionaries(st.sampled_from(INPUTS), _WORD.map(lambda text: f'/data/{text}"'), min_size=1),
            method=st.sampled_from(("dense", "points")),
            preset=st.sampled_from(("", "quick")),
            parameters=st.dictionaries(st.sampled_from(("smoothness", "features")), st.sampled_from(("1.5", "mind"))),
            initial=st.sampled_from(("", "rigid", "/data/start.tfm")),
            label_names=st.sampled_from(("", "/data/names.json")),
            outputs=st.lists(st.sampled_from(tuple(OUTPUT_FILES)), min_size=1, unique=True).map(tuple),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda row: row.name.casefold(),
    )
)
def test_a_table_is_read_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("plan") / "plan.csv"
    path.write_text(as_csv(rows), encoding="utf-8")
    assert read_csv(path) == rows


def test_a_table_as_a_spreadsheet_writes_it(tmp_path):
    text = "\ufefffixed;moving;parameters\nscans/a.nii.gz;scans/b.nii.gz;smoothness=2\n;;\n"
    (tmp_path / "pairs.csv").write_text(text, encoding="utf-8")
    (row,) = read_csv(tmp_path / "pairs.csv")
    assert row.name == "b to a"
    assert row.files == {"fixed": str(tmp_path / "scans/a.nii.gz"), "moving": str(tmp_path / "scans/b.nii.gz")}
    assert row.parameters == {"smoothness": "2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fixed,movign\na,b\n", "'movign'"),
        ("fixed,fixed\na,b\n", "two columns"),
        ("fixed,moving\na,b,c\n", "line 2"),
        ("fixed,moving\na\n", "line 2"),
        ("fixed,moving\n", "no rows"),
        ("", "no rows"),
        ("row,fixed\nA,x\na,y\n", "two rows are named a"),
        ("row,fixed\n../up,x\n", "cannot be the name"),
        ("row,fixed\nnul,x\n", "cannot be the name"),
        ("row,fixed,outputs\na,x,warp\n", "no output 'warp'"),
        ("row,method\na,dense\n", "names no image"),
        ("row,fixed,parameters\na,x,smooth\n", "are no parameters"),
        ('fixed,moving\n"a,b\n', "save the table"),
    ],
)
def test_what_is_wrong_in_a_table_is_named(tmp_path, text, message):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(EngineError) as caught:
        read_csv(tmp_path / "pairs.csv")
    assert message in caught.value.line()


def scans(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)
    return folder


def test_scans_of_a_folder_with_labels(tmp_path):
    images = scans(tmp_path / "images", "p1.nii.gz", "p2.nrrd", "notes.txt", ".hidden.nii")
    scans(images / "p3", "slice.dcm")
    labels = scans(tmp_path / "labels", "p2.seg.nrrd", "p1.nii.gz", "p9.nii.gz")
    found = scans_of(images, str(labels))
    assert [(scan.name, scan.labels) for scan in found] == [
        ("p1", str(labels / "p1.nii.gz")),
        ("p2", str(labels / "p2.seg.nrrd")),
        ("p3", ""),
    ]


@pytest.mark.parametrize(
    ("files", "labels", "message"),
    [((), None, "no images"), (("a.nii", "a.nrrd"), None, "two files for a"), (("a.nii",), ("b.nii",), "has the name of an image")],
)
def test_folders_that_do_not_fit(tmp_path, files, labels, message):
    images = scans(tmp_path / "images", *files)
    with pytest.raises(InputError, match=message):
        scans_of(images, str(scans(tmp_path / "labels", *labels)) if labels else "")


def test_pairs_of_scans():
    a, b, c = Scan("a", "/a.nii", "/a_labels.nii"), Scan("b", "/b.nii", "/b_labels.nii"), Scan("c", "/c.nii", landmarks="/c.csv")
    assert [row.name for row in all_pairs([a, b, c], PATTERN)] == ["b to a", "c to a", "a to b", "c to b", "a to c", "b to c"]
    rows = to_one(a, [a, b, c], PATTERN)
    assert [row.name for row in rows] == ["b to a", "c to a"]
    assert rows[0].files == {"fixed": "/a.nii", "moving": "/b.nii", "fixed_labels": "/a_labels.nii", "moving_labels": "/b_labels.nii"}
    assert rows[1].files == {"fixed": "/a.nii", "moving": "/c.nii"}
    assert rows[1].outputs == ("transform",)
    assert pair(c, b, PATTERN).files == {"fixed": "/c.nii", "moving": "/b.nii", "moving_labels": "/b_labels.nii"}


def test_two_folders_need_the_same_names():
    fixed, moving = [Scan("p1", "/f/p1.nii"), Scan("p2", "/f/p2.nii")], [Scan("p1", "/m/p1.nii"), Scan("p2", "/m/p2.nii")]
    rows = from_folders(fixed, moving, PATTERN)
    assert [(row.name, row.files["moving"]) for row in rows] == [("p1", "/m/p1.nii"), ("p2", "/m/p2.nii")]
    with pytest.raises(InputError, match="the fixed scan p2"):
        from_folders(fixed, moving[:1], PATTERN)


def test_a_learn2reg_data_set(tmp_path):
    content = {
        "training": [{"image": f"./imagesTr/s{number}.nii.gz", "label": f"./labelsTr/s{number}.nii.gz"} for number in (1, 2, 3)],
        "registration_val": [{"fixed": "./imagesTr/s2.nii.gz", "moving": "./imagesTr/s3.nii.gz"}],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (row,) = from_dataset(tmp_path, PATTERN)
    assert row.name == "s3 to s2"
    assert row.files["moving_labels"] == str(tmp_path / "labelsTr/s3.nii.gz")
    assert len(from_dataset(tmp_path / "dataset.json", PATTERN, all_training=True)) == 6
    (tmp_path / "dataset.json").write_text('{"training": []}')
    with pytest.raises(InputError, match="names no pairs"):
        from_dataset(tmp_path, PATTERN)
    (tmp_path / "dataset.json").write_text("[1")
    with pytest.raises(InputError, match="not a Learn2Reg"):
        from_dataset(tmp_path, PATTERN)


def test_the_identity_of_a_row(tmp_path):
    for name in ("a.nii", "b.nii"):
        (tmp_path / name).write_text(name)
    row = Row("r", {"fixed": str(tmp_path / "a.nii"), "moving": str(tmp_path / "b.nii")})
    own = identity(row, Digests(tmp_path / "inputs.json"))
    others = [
        replace(row, preset="quick"),
        replace(row, parameters={"smoothness": "2"}),
        replace(row, outputs=("warped",)),
        replace(row, files={"fixed": row.files["moving"], "moving": row.files["fixed"]}),
        replace(row, initial="rigid"),
    ]
    assert len({own, *(identity(other, Digests(tmp_path / "inputs.json")) for other in others)}) == 6
    assert identity(replace(row, name="other"), Digests(tmp_path / "inputs.json")) == own


def test_digests_are_kept_until_a_file_changes(tmp_path):
    file, kept = tmp_path / "a.nii", tmp_path / "inputs.json"
    file.write_text("one")
    digests = Digests(kept)
    first = digests.of(str(file))
    digests.save()
    known = json.loads(kept.read_text())
    known[str(file)][1] = "stored"
    kept.write_text(json.dumps(known))
    assert Digests(kept).of(str(file)) == "stored"  # not read again
    file.write_text("other")
    assert Digests(kept).of(str(file)) not in (first, "stored")
    kept.write_text("{")  # damaged
    assert Digests(kept).of(str(file)) != first
    with pytest.raises(InputError, match="cannot read"):
        Digests(kept).of(str(tmp_path / "missing.nii"))


def test_names_that_windows_cannot_write():
    for name in ("a/b", "a:b", "ends.", "con", "COM1.x", " " * 130, ""):
        with pytest.raises(InputError):
            check_rows([Row(name, {"fixed": "x"})])
