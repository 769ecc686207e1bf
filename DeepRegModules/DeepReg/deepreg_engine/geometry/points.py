"""Point sets and their files: CSV, and 3D Slicer's ``.mrk.json`` and ``.fcsv``.

In memory points are LPS millimetres. A CSV file has a header with x, y and z and is LPS; the Slicer files state
whether they are LPS or RAS, and are read accordingly.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from deepreg_engine.errors import InputError, concerning
from deepreg_engine.geometry.files import FileGroup, suffix
from deepreg_engine.geometry.point_pairs import chosen_pairs, paired
from deepreg_engine.geometry.point_sets import PointList, PointPair, PointSet
from deepreg_engine.geometry.points_csv import csv_text, read_csv
from deepreg_engine.geometry.points_slicer import fcsv_text, markups_text, read_fcsv, read_markups

__all__ = ["POINT_SUFFIXES", "PointList", "PointPair", "PointSet", "add_points", "read_list", "read_pairs", "read_points", "write_points"]

POINT_SUFFIXES = (".csv", ".mrk.json", ".json", ".fcsv")


def read_points(path: str | os.PathLike, role: str = "points", notes: list[str] | None = None) -> PointSet:
    """Read a point set. Points without a position are left out, and a note about them is added to ``notes``.

    Raises:
        InputError: see :func:`read_list`.
    """
    found = read_list(path, role, notes)
    missing = int((~found.defined[: found.placed]).sum())
    if notes is not None and missing:
        notes.append(f"{missing} of {found.placed} {role} have no position and were left out")
    return found.points()


def read_list(path: str | os.PathLike, role: str = "points", notes: list[str] | None = None) -> PointList:
    """Read a list of points, with those that have no position.

    Args:
        path: .csv, .mrk.json or .fcsv.
        role: name of the points in messages.
        notes: receives notes on what was decided in reading it.

    Raises:
        InputError: if the file is missing, of another format, without a position, or holds coordinates that are not finite numbers.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"the {role} {path} do not exist", "check the path")
    own: list[str] = []
    readers = {".csv": lambda text: read_csv(text, own), ".fcsv": read_fcsv, ".mrk.json": lambda text: read_markups(text, own)}
    reader = {**readers, ".json": readers[".mrk.json"]}.get(suffix(path))
    if reader is None:
        raise InputError(f"the {role} {path} do not have the ending of a points file", f"use one of {' '.join(POINT_SUFFIXES)}")
    try:
        points = reader(path.read_text(encoding="utf-8-sig"))
    except InputError as error:
        raise error.about(f"the {role} {path}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the {role} {path} cannot be read as UTF-8 text", "save them as a text file with the encoding UTF-8") from error
    except (OSError, csv.Error) as error:
        raise InputError(f"the {role} {path} cannot be read", "give a text file of points") from error
    if not points.defined.any():
        raise InputError(f"the {role} {path} hold no points", "give at least one")
    bad = np.flatnonzero(points.defined & ~np.isfinite(points.positions).all(axis=1))
    if len(bad):
        raise InputError(f"the {role} {path}: point {points.names()[bad[0]]} is not finite", "remove or correct it")
    if notes is not None:
        notes += [f"the {role}: {note}" for note in own]
    return points


def read_pairs(
    fixed: str | os.PathLike,
    moving: str | os.PathLike,
    option: str = "{side}_landmarks",
    name: str = "landmarks",
    notes: list[str] | None = None,
) -> PointPair:
    """Read corresponding landmarks; see :func:`deepreg_engine.geometry.point_pairs.paired`.

    Args:
        fixed, moving: files.
        option: name of the inputs, with ``{side}`` for "fixed" or "moving", for errors.
        name: of the landmarks, for messages.
        notes: receives notes on how they were read and paired.

    Raises:
        InputError: if a file cannot be read, or has fewer points than the other.
    """
    with concerning(option.format(side="fixed")):
        first = read_list(fixed, f"fixed {name}", notes)
    with concerning(option.format(side="moving")):
        second = read_list(moving, f"moving {name}", notes)
        pairing = paired(first, second, name)
    if notes is not None:
        notes += pairing.notes
    return chosen_pairs(first, second, pairing)


def add_points(files: FileGroup, path: str | os.PathLike, points: PointSet | PointList) -> None:
    """Add points to a group of files, in the format of its ending.

    Raises:
        InputError: on an unknown ending.
        OutputError: if it cannot be written.
    """
    writers = {".csv": csv_text, ".fcsv": fcsv_text, ".mrk.json": markups_text, ".json": markups_text}
    writer = writers.get(suffix(path))
    if writer is None:
        raise InputError(f"{path} does not have the ending of a points file", f"use one of {' '.join(POINT_SUFFIXES)}")
    text = writer(points if isinstance(points, PointList) else PointList(points.positions, points.labels))
    files.add(path, lambda name: Path(name).write_text(text, encoding="utf-8"))


def write_points(path: str | os.PathLike, points: PointSet | PointList) -> None:
    """Write points, completely or not at all."""
    with FileGroup() as files:
        add_points(files, path, points)
