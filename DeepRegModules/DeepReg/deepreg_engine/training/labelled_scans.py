"""Labelled scans in folders.

Three layouts are read:

- ``dataset.json`` of Learn2Reg: ``"training": [{"image": ..., "label": ...}, ...]``, and optionally ``"modality": {"0": "CT", ...}``
  with files that end in ``_0000``, ``_0001`` for each;
- folders ``images`` and ``labels`` with files of the same names;
- folders ``fixed_images``, ``fixed_labels``, ``moving_images``, ``moving_labels`` with files of the same names: pairs of one frame.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import EngineError, InputError
from deepreg_engine.geometry.files import suffix
from deepreg_engine.geometry.images import IMAGE_SUFFIXES, LABEL_SUFFIXES, check_intensities, read_image_file, read_labels, read_volume
from deepreg_engine.geometry.itk_files import read_header
from deepreg_engine.geometry.segments import segment_names, values_by_name

_IMAGES, _LABELS = "images", "labels"
# A dataset's name of a modality, and ours.
_MODALITIES = {"ct": "ct", "cbct": "other", "mr": "mr", "mri": "mr", "t1": "mr", "t2": "mr", "flair": "mr", "us": "other"}


@dataclass(frozen=True)
class LabelledScan:
    """Files of one scan.

    Args:
        name: of the scan, without the ending of its file.
        image, labels: files.
        modality: "ct", "mr" or "other".
    """

    name: str
    image: Path
    labels: Path
    modality: str


@dataclass(frozen=True)
class LabelledData:
    """Contents of a folder: single scans, and pairs (fixed, moving)."""

    scans: list[LabelledScan]
    pairs: list[tuple[LabelledScan, LabelledScan]]


def find_all(folders: Iterable[str], modality: str, moving_modality: str) -> list[tuple[str, Any]]:
    """Return name and files of all scans, then of all pairs, in several folders; arguments and errors are those of
    :func:`find_labelled`."""
    found = [find_labelled(folder, modality, moving_modality) for folder in folders]
    scans: list[tuple[str, Any]] = [(scan.name, scan) for part in found for scan in part.scans]
    return scans + [(pair[0].name, pair) for part in found for pair in part.pairs]


def find_labelled(folder: str | os.PathLike, modality: str = "other", moving_modality: str = "other") -> LabelledData:
    """Return the labelled scans of a folder, or of a ``dataset.json``.

    Args:
        folder: in one of the layouts above.
        modality: of scans whose files do not give it, and of fixed images.
        moving_modality: of moving images.

    Raises:
        InputError: if the layout is unknown, or an image has no labels.
    """
    root = Path(folder)
    if root.name == "dataset.json" or (root / "dataset.json").is_file():
        return _dataset(root if root.is_file() else root / "dataset.json", modality)
    if (root / "fixed_images").is_dir():
        fixed = _matched(root / "fixed_images", root / "fixed_labels", modality)
        moving = _matched(root / "moving_images", root / "moving_labels", moving_modality)
        known = {scan.name: scan for scan in moving}
        alone = [scan.name for scan in fixed if scan.name not in known]
        if alone:
            raise InputError(f"{root} has no moving image {alone[0]}", "fixed and moving images need the same names")
        return LabelledData([], [(scan, known[scan.name]) for scan in fixed])
    if (root / _IMAGES).is_dir():
        return LabelledData(_matched(root / _IMAGES, root / _LABELS, modality), [])
    raise InputError(
        f"{root} holds no labelled scans",
        "it needs folders images and labels, or fixed_images, fixed_labels, moving_images, moving_labels, or a dataset.json",
    )


def _stem(path: Path) -> str:
    """Return the name of a file without the ending of an image or a segmentation, "" for other files."""
    ending = suffix(path)
    return path.name[: -len(ending)] if ending in LABEL_SUFFIXES else ""


def _matched(images: Path, labels: Path, modality: str) -> list[LabelledScan]:
    found = []
    files = {_stem(path): path for path in sorted(labels.iterdir()) if _stem(path)} if labels.is_dir() else {}
    for path in sorted(images.iterdir()):
        name = _stem(path)
        if not name:
            continue
        if name not in files:
            raise InputError(f"the image {path} has no labels in {labels}", "labels have the name of their image")
        found.append(LabelledScan(name, path, files[name], modality))
    if not found:
        raise InputError(f"there are no images in {images}", f"they end in {', '.join(IMAGE_SUFFIXES)}")
    return found


def _dataset(path: Path, modality: str) -> LabelledData:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        entries = content["training"]
        kinds = {int(number): name for number, name in dict(content.get("modality", {})).items()}
        scans = []
        for entry in entries:
            image = path.parent / entry["image"]
            if not entry.get("label"):
                continue
            name = _stem(image)
            number = int(name.rsplit("_", 1)[1]) if name.rsplit("_", 1)[-1].isdigit() and len(name.rsplit("_", 1)[-1]) == 4 else 0
            # Where only one modality is listed, four digits at a name's end are a patient's number.
            kind = _MODALITIES.get(str(kinds.get(number, kinds.get(0) if len(kinds) == 1 else "")).lower(), modality)
            scans.append(LabelledScan(name, image, path.parent / entry["label"], kind))
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path} is not a Learn2Reg dataset ({type(error).__name__}: {error})"
        raise InputError(message, 'it needs "training": [{"image": ..., "label": ...}]') from error
    if not scans:
        raise InputError(f"{path} names no image with labels", 'it needs "training": [{"image": ..., "label": ...}]')
    return LabelledData(scans, [])


def read_scan(scan: LabelledScan, notes: list[str] | None = None) -> tuple[sitk.Image, sitk.Image]:
    """Return image and label map of a scan.

    Args:
        scan: its files. Labels in a fourth dimension, one volume each, become one map: later ones lie on top.
        notes: receives notes on what was decided in reading them, which name the scan.

    Raises:
        InputError: naming the scan, if it cannot be read.
    """
    own: list[str] = []
    try:
        found = check_intensities(read_volume(scan.image, "image", own), "image", scan.image), _labels(scan.labels, own)
        if notes is not None:
            notes += [f"scan {scan.name}: {note}" for note in own]
        return found
    except EngineError as error:
        raise InputError(f"scan {scan.name}: {error.message}", error.advice, error.option) from error


def _labels(path: Path, notes: list[str]) -> sitk.Image:
    try:
        reader = read_header(path)
    except RuntimeError:
        return _named_labels(path, notes)  # or raises an error with the reason
    if reader.GetDimension() != 4:
        return _named_labels(path, notes)
    image = read_image_file(path, "label map", notes)
    parts = [image[:, :, :, number] for number in range(image.GetSize()[3])]
    merged = np.zeros(parts[0].GetSize()[::-1], dtype=np.uint8)
    for number, part in enumerate(parts, start=1):
        merged[sitk.GetArrayViewFromImage(part) > 0.5] = number
    result = sitk.GetImageFromArray(merged)
    result.CopyInformation(parts[0])
    return result


def _named_labels(path: Path, notes: list[str]) -> sitk.Image:
    """Return a label map; raises InputError if several of its segments have one name, as they are paired by it with those of others."""
    labels = read_labels(path, notes=notes)
    values_by_name(segment_names(labels), f"the labels {path}", "labels")
    return labels
