"""Output files: all of a group or none, and never half of one."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import deepreg_engine
from deepreg_engine.errors import OutputError
from deepreg_engine.geometry import files as files_module
from deepreg_engine.geometry.files import FileGroup, check_writable, suffix, write_text


def content(folder):
    """Every file below a folder, hidden ones as well, with its text."""
    return {p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8") for p in Path(folder).rglob("*") if p.is_file()}


def text(words):
    return lambda name: Path(name).write_text(words)


def write(folder, writers):
    """Write a group of files: name to writer."""
    with FileGroup() as files:
        for name, writer in writers.items():
            files.add(folder / name, writer)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.nii.gz", ".nii.gz"),
        ("A.NII.GZ", ".nii.gz"),
        ("dir.v2/a.nrrd", ".nrrd"),
        ("a.b.c.mrk.json", ".mrk.json"),
        ("case.1.json", ".json"),
        ("s.seg.nrrd", ".seg.nrrd"),
        ("a.tar.gz", ".gz"),
        ("plain", ""),
        ("dir.nrrd/plain", ""),
    ],
)
def test_suffix(name, expected):
    assert suffix(name) == expected
    assert suffix(Path(name)) == expected


# ------------------------------------------------------------------------------------------------------ all or nothing


def test_a_group_appears_at_its_end(tmp_path):
    (tmp_path / "sub").mkdir()
    with FileGroup() as files:
        files.add(tmp_path / "a.txt", text("one"))
        files.add(tmp_path / "sub" / "b.nii.gz", text("two"))
        assert not (tmp_path / "a.txt").exists()
        assert not (tmp_path / "sub" / "b.nii.gz").exists()
    assert content(tmp_path) == {"a.txt": "one", "sub/b.nii.gz": "two"}


def test_the_writer_gets_a_name_with_the_same_ending_in_the_same_folder(tmp_path):
    seen = []
    with FileGroup() as files:
        files.add(tmp_path / "a.nii.gz", lambda name: (seen.append(Path(name)), text("one")(name)))
    assert seen[0].parent == tmp_path
    assert suffix(seen[0]) == ".nii.gz"
    assert seen[0].name != "a.nii.gz"


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt(), MemoryError()])
def test_an_exception_leaves_nothing_and_passes(tmp_path, error):
    (tmp_path / "a.txt").write_text("before")

    def interrupted():
        with FileGroup() as files:
            files.add(tmp_path / "a.txt", text("one"))
            files.add(tmp_path / "b.txt", text("two"))
            raise error

    with pytest.raises(type(error)):
        interrupted()
    assert content(tmp_path) == {"a.txt": "before"}


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("ITK said no\n\n")])
def test_a_writer_that_fails_halfway_leaves_nothing(tmp_path, error):
    (tmp_path / "b.txt").write_text("before")

    def half(name):
        Path(name).write_text("half of it")
        raise error

    with pytest.raises(OutputError) as caught:
        write(tmp_path, {"a.txt": text("one"), "b.txt": half})
    assert content(tmp_path) == {"b.txt": "before"}
    line = caught.value.line()
    assert str(tmp_path / "b.txt") in line
    assert "\n" not in line
    assert caught.value.advice
    assert ("the disk is full" in line) == isinstance(error, OSError)
    assert ("ITK said no" in line) == isinstance(error, RuntimeError)


def test_a_writer_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(OutputError), FileGroup() as files:
        files.add(tmp_path / "a.txt", lambda name: None)
    assert content(tmp_path) == {}


def test_existing_files_are_replaced_in_full(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("a much longer text than afterwards")
    with FileGroup() as files:
        files.add(tmp_path / "a.txt", text("one"))
        files.add(tmp_path / "b.txt", text("two"))
        files.add(tmp_path / "c.txt", text("three"))
    assert content(tmp_path) == {"a.txt": "one", "b.txt": "two", "c.txt": "three"}
    write_text(tmp_path / "a.txt", "four, ünïcode")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "four, ünïcode"
    assert len(content(tmp_path)) == 3


@pytest.mark.parametrize("refused", ["a.txt", "b.txt", "c.txt"])
def test_if_one_name_is_refused_at_the_end_all_is_as_before(tmp_path, monkeypatch, refused):
    """Windows refuses to rename a file that another program has open."""
    (tmp_path / "a.txt").write_text("old a")
    (tmp_path / "c.txt").write_text("old c")
    replace = os.replace

    def stubborn(source, target):
        if Path(target).name == refused and "new" in Path(source).read_text(encoding="utf-8"):
            raise PermissionError(errno.EACCES, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(files_module.os, "replace", stubborn)
    with pytest.raises(OutputError, match="Permission denied") as caught:
        write(tmp_path, {name: text(f"new {name}") for name in ("a.txt", "b.txt", "c.txt")})
    assert str(tmp_path / refused) in caught.value.message
    assert content(tmp_path) == {"a.txt": "old a", "c.txt": "old c"}


@pytest.mark.parametrize("moment", range(5))
def test_ctrl_c_while_names_are_given_leaves_all_as_before(tmp_path, monkeypatch, moment):
    """Five renames: two of old files out of the way, three of new ones to their names. The interrupt comes after one of them."""
    (tmp_path / "a.txt").write_text("old a")
    (tmp_path / "c.txt").write_text("old c")
    replace, done = os.replace, []

    def interrupted(source, target):
        replace(source, target)
        done.append(target)
        if len(done) == moment + 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(files_module.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, {name: text(f"new {name}") for name in ("a.txt", "b.txt", "c.txt")})
    assert content(tmp_path) == {"a.txt": "old a", "c.txt": "old c"}


def test_ctrl_c_after_a_single_file_has_its_name_leaves_it_whole(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")
    replace = os.replace

    def interrupted(source, target):
        replace(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(files_module.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a.txt", "new")
    assert content(tmp_path) == {"a.txt": "new"}


def test_ctrl_c_while_a_folder_is_tried(tmp_path, monkeypatch):
    touch = Path.touch

    def interrupted(path, **settings):
        touch(path, **settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(files_module.Path, "touch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check_writable(tmp_path / "a.txt")
    assert content(tmp_path) == {}


def test_a_name_that_becomes_a_folder_meanwhile(tmp_path):
    def becomes_a_folder(name):
        text("two")(name)
        (tmp_path / "b.txt").mkdir()
        (tmp_path / "b.txt" / "inside.txt").write_text("kept")

    with pytest.raises(OutputError, match=r"b\.txt"):
        write(tmp_path, {"a.txt": text("one"), "b.txt": becomes_a_folder})
    assert content(tmp_path) == {"b.txt/inside.txt": "kept"}


# --------------------------------------------------------------------------------------------------- before the work


def test_a_writable_path_is_given_back_and_left_alone(tmp_path):
    assert check_writable(str(tmp_path / "new.txt")) == tmp_path / "new.txt"
    (tmp_path / "old.txt").write_text("old")
    check_writable(tmp_path / "old.txt")
    assert content(tmp_path) == {"old.txt": "old"}


def test_a_missing_folder_and_a_path_that_is_a_folder(tmp_path):
    for check in (check_writable, lambda path: write_text(path, "x")):
        with pytest.raises(OutputError, match="does not exist") as caught:
            check(tmp_path / "no" / "a.txt")
        assert str(tmp_path / "no") in caught.value.message
        assert caught.value.advice
        with pytest.raises(OutputError, match="is a folder"):
            check(tmp_path)
    (tmp_path / "a.txt").write_text("a file")
    with pytest.raises(OutputError, match="does not exist"):
        check_writable(tmp_path / "a.txt" / "b.txt")
    assert content(tmp_path) == {"a.txt": "a file"}


def test_a_folder_that_refuses(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files_module.Path, "touch", refuse)
    with pytest.raises(OutputError, match="cannot write into .*Permission denied"):
        check_writable(tmp_path / "a.txt")


def test_a_file_that_is_read_only(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(files_module.os, "access", lambda path, mode: False)  # root may write everything
    with pytest.raises(OutputError, match="read-only"):
        check_writable(tmp_path / "a.txt")


# -------------------------------------------------------------------------------------------------------- a full disk


def test_a_disk_that_is_found_full_at_the_flush(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(files_module.os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_text(tmp_path / "a.txt", "new")
    assert content(tmp_path) == {"a.txt": "old"}


_WRITE_ALL = """
import json, os, resource, sys
import numpy as np
from deepreg_engine.errors import OutputError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup, write_text
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import IMAGE_SUFFIXES, add_image
from deepreg_engine.geometry.transform_files import WRITABLE_SUFFIXES, add_field

grid = ImageGrid((31, 29, 27), (1.3, 2.1, 0.8))
values = np.random.default_rng(0).normal(size=(3, *grid.shape)).astype(np.float32)  # noise: no writer can compress it
field, image = DisplacementField(values, grid), grid.to_image(values[0])
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))  # no file grows further, as on a full disk
results = {}
for kind, add, what, suffixes in (("field", add_field, field, WRITABLE_SUFFIXES), ("image", add_image, image, IMAGE_SUFFIXES)):
    for suffix in suffixes:
        try:
            with FileGroup() as files:
                add(files, kind + suffix, what)
            results[kind + suffix] = "written"
        except OutputError as error:
            results[kind + suffix] = error.line()
try:
    write_text("text.txt", "x" * 200_000)
    results["text.txt"] = "written"
except OutputError as error:
    results["text.txt"] = error.line()
print(json.dumps(results), flush=True)
os._exit(0)  # ITK's HDF5 still tries to write what the disk refused
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
@pytest.mark.parametrize("limit", [0, 60_000, 90_000])
def test_every_writer_notices_a_full_disk(tmp_path, limit):
    environment = {**os.environ, "PYTHONPATH": str(Path(deepreg_engine.__file__).parents[1])}
    run = subprocess.run(
        [sys.executable, "-c", _WRITE_ALL, str(limit)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    results = json.loads(run.stdout.strip().splitlines()[-1])
    assert len(results) == 11
    for name, line in results.items():
        assert line.startswith(f"cannot write {name}"), line
        assert "free some space" in line, (name, line)
    assert list(tmp_path.iterdir()) == []
