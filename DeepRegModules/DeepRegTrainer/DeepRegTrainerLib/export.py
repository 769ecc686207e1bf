"""Scans of the scene as files for a training: folders ``images`` and ``labels``, in world coordinates."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from slicer.i18n import tr as _

from deepreg_slicer.labels import Layer, isSegmentation, oneLayer
from deepreg_slicer.parents import isResult, parents
from deepreg_slicer.volumes import NodeError, snapshot, writeVolume
from DeepRegTrainerLib import nifti
from DeepRegTrainerLib.scans import SceneScan

#: Names of the labels, beside the folders.
LABEL_NAMES = "label_names.json"
_MOST_LABELS = 65535


@dataclass
class Exported:
    """The exported scans.

    Args:
        folder: with ``images`` and ``labels``.
        files: key of a scan to the name of its files, without ending.
        problems: key of a scan that was not written to the reason.
        notes: remarks for the user, one sentence each.
        labels: value to name.
    """

    folder: str
    files: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)


def writeScans(scans: list[SceneScan], folder: str) -> Generator[float, None, Exported]:
    """Write scans; segments with the same name get the same value in all scans. Scans that cannot be written are named, and the others are
    written.

    Args:
        scans: to be written, all of them.
        folder: is made.

    Raises:
        OSError: if the disk is full, or the folder cannot be written to.
    """
    done = Exported(folder)
    for name in ("images", "labels"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    drawn = yield from _drawLabels(scans, done)
    values = _values([(scan, drawn[scan.key]) for scan in scans if scan.key in drawn])
    if len(values) > _MOST_LABELS:
        raise NodeError(f"there are {len(values)} structures: choose segmentations with fewer")
    for scan in [scan for scan in scans if scan.key in drawn]:
        name = _fileName(scan.name, set(done.files.values()))
        try:
            yield from _write(scan, drawn[scan.key], values, Path(folder), name)
        except (NodeError, ValueError) as error:
            done.problems[scan.key] = str(error)
            continue
        done.files[scan.key] = name
    done.labels = dict(values.values())
    with open(os.path.join(folder, LABEL_NAMES), "w", encoding="utf-8") as stream:
        json.dump({"label_names": {str(value): name for value, name in sorted(done.labels.items())}}, stream, indent=1, ensure_ascii=False)
    return done


def _drawLabels(scans: list[SceneScan], done: Exported) -> Generator[float, None, dict[str, Layer]]:
    """Return the labels of each scan as one label map, by the key of the scan.

    Scans without labels, and scans that have no structure in common with another, become problems of ``done``.
    """
    drawn: dict[str, Layer] = {}
    for scan in scans:
        try:
            if scan.problem:
                raise NodeError(scan.problem)
            drawn[scan.key], overlap = oneLayer(scan.labels, scan.leftOut(scan.labels))
        except NodeError as error:
            done.problems[scan.key] = str(error)
            continue
        done.notes.extend(_belowResults(scan))
        if overlap:
            done.notes.append(_("{name}: segments overlap; there the later segment replaces the earlier one.").format(name=scan.name))
        yield 0.0
    for key in _strangers(drawn):
        done.problems[key] = _("no segment has the same name as a segment of another scan: rename them")
        del drawn[key]
    return drawn


def _belowResults(scan: SceneScan) -> list[str]:
    """Return notes on a volume or labels that are below a result of a registration."""
    notes = []
    for node in (scan.volume, scan.labels):
        left = scan.leftOut(node)
        text = _("{name} is shown through the result {transform}: the training reads it without this result.")
        if left is None:
            left = next((each for each in parents(node) if isResult(each)), None)
            text = _("{name} is below the result {transform}: the training reads it as this result transforms it.")
        if left is not None:
            notes.append(text.format(name=node.GetName(), transform=left.GetName()))
    return notes


def _write(scan: SceneScan, layer: Layer, values: dict[str, tuple[int, str]], folder: Path, name: str) -> Generator[float, None, None]:
    """Write both files of a scan, or none."""
    files = [folder / what / f"{name}.nii.gz" for what in ("images", "labels")]
    highest = max(int(layer.shot.image.GetScalarRange()[1]), max(segment.value for segment in layer.segments))
    table = np.zeros(highest + 1, dtype=np.uint16 if max(value for value, _name in values.values()) > 255 else np.uint8)
    for segment in layer.segments:
        table[segment.value] = values[_word(segment.name)][0]
    try:
        yield from writeVolume(snapshot(scan.volume, scan.leftOut(scan.volume)), str(files[0]), write=nifti.write)
        yield from writeVolume(
            layer.shot,
            str(files[1]),
            labels=True,
            change=lambda piece: table[np.clip(piece, 0, len(table) - 1).astype(np.int64)],
            write=nifti.write,
        )
    except BaseException:
        for file in files:
            file.unlink(missing_ok=True)
        raise


def _values(layers: list[tuple[SceneScan, Layer]]) -> dict[str, tuple[int, str]]:
    """Return value and title of each structure, by its name in small letters. If all scans have label maps, their values are kept."""
    byValue = not any(isSegmentation(scan.labels) for scan, _layer in layers)
    found: dict[str, tuple[int, str]] = {}
    for _scan, layer in layers:
        for segment in layer.segments:
            value = segment.value if byValue else len(found) + 1
            found.setdefault(_word(segment.name), (value, segment.name.strip()))
    numbers = {value for value, _title in found.values()}
    # A value may have two names, or be too large.
    if byValue and (len(numbers) < len(found) or max(numbers, default=0) > _MOST_LABELS):
        return {word: (number, title) for number, (word, (_value, title)) in enumerate(found.items(), start=1)}
    return found


def _strangers(drawn: dict[str, Layer]) -> list[str]:
    """Return the keys of scans that have no structure in common with any other; none if that is true of all scans."""
    words = {key: {_word(segment.name) for segment in layer.segments} for key, layer in drawn.items()}
    alone = [key for key, own in words.items() if not any(own & others for other, others in words.items() if other != key)]
    return alone if len(alone) < len(drawn) else []


def _word(name: str) -> str:
    return name.strip().lower()


def _fileName(name: str, taken: set[str]) -> str:
    """Return a file name that is valid on all file systems and unique among the scans."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "_" for letter in name).strip("_") or "scan"
    number, found = 1, plain
    while found.lower() in {other.lower() for other in taken}:
        number += 1
        found = f"{plain}-{number}"
    return found
