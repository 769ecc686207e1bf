"""Where the rows of a plan come from: a table, two folders, a data set's pairs, or scans registered to one of them or all with all.

What is the same for all rows, such as the method, is given once, as a row that serves as the pattern.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deepreg_engine.cohort.rows import Row, name_of, stem
from deepreg_engine.errors import InputError
from deepreg_engine.geometry.files import suffix
from deepreg_engine.geometry.images import IMAGE_SUFFIXES, LABEL_SUFFIXES


@dataclass(frozen=True)
class Scan:
    """One scan of a cohort.

    Args:
        name: of the scan.
        image: file or DICOM folder.
        labels, mask, landmarks: files; "" without.
    """

    name: str
    image: str
    labels: str = ""
    mask: str = ""
    landmarks: str = ""

    def slots(self, side: str) -> dict[str, str]:
        """Return the inputs of a row with this scan as the side "fixed" or "moving"."""
        found = {side: self.image, f"{side}_labels": self.labels, f"{side}_mask": self.mask, f"test_{side}_landmarks": self.landmarks}
        return {name: path for name, path in found.items() if path}


def pair(fixed: Scan, moving: Scan, pattern: Row, name: str = "") -> Row:
    """Return the row that registers a moving to a fixed scan.

    Args:
        fixed, moving: the scans; labels and landmarks that only one has are left out, except labels of the moving side.
        pattern: has method, preset, parameters and outputs.
        name: of the row; by default those of the scans.
    """
    files = {**fixed.slots("fixed"), **moving.slots("moving")}
    for one, other in (("fixed_labels", "moving_labels"), ("test_fixed_landmarks", "test_moving_landmarks")):
        if (one in files) != (other in files):
            files.pop(one, None)
            if other != "moving_labels" or "warped_labels" not in pattern.outputs:
                files.pop(other, None)
    outputs = tuple(each for each in pattern.outputs if each != "warped_labels" or "moving_labels" in files)
    return replace(pattern, name=name or f"{moving.name} to {fixed.name}", files=files, outputs=outputs)


def from_folders(fixed: Iterable[Scan], moving: Iterable[Scan], pattern: Row) -> list[Row]:
    """Return a row for each pair of scans of the same name.

    Raises:
        InputError: if a fixed scan has no moving scan of the same name, or the other way round.
    """
    sides = [{scan.name: scan for scan in scans} for scans in (fixed, moving)]
    alone = sorted(sides[0].keys() ^ sides[1].keys())
    if alone:
        side, other = ("fixed", "moving") if alone[0] in sides[0] else ("moving", "fixed")
        raise InputError(f"no {other} scan has the name of the {side} scan {alone[0]}", "give both images of a pair the same file name")
    return [pair(scan, sides[1][name], pattern, name) for name, scan in sides[0].items()]


def to_one(reference: Scan, scans: Iterable[Scan], pattern: Row) -> list[Row]:
    """Return a row for each scan other than the reference, which is the fixed image of all."""
    same = os.path.realpath(reference.image)
    return [pair(reference, scan, pattern) for scan in scans if os.path.realpath(scan.image) != same]


def all_pairs(scans: Sequence[Scan], pattern: Row) -> list[Row]:
    """Return a row for each ordered pair of different scans."""
    return [pair(fixed, moving, pattern) for fixed, moving in itertools.permutations(scans, 2)]


def scans_of(images: str | os.PathLike, labels: str = "", masks: str = "", landmarks: str = "") -> list[Scan]:
    """Return the scans of a folder of images, in the order of their names, with files of the same names in other folders.

    Args:
        images: folder with images, or with one DICOM folder for each scan.
        labels, masks, landmarks: folders; "" without.

    Raises:
        InputError: if a folder does not exist, has no images, or two of its files have one name.
    """
    own = _files(Path(images), (*IMAGE_SUFFIXES, ""))
    if not own:
        raise InputError(f"there are no images in {images}", f"images are files that end in {', '.join(IMAGE_SUFFIXES)}, or DICOM folders")
    more = [_files(Path(folder), endings) if folder else {} for folder, endings in _more(labels, masks, landmarks)]
    for folder, found in zip((labels, masks, landmarks), more, strict=True):
        if folder and not found.keys() & own.keys():
            raise InputError(f"no file in {folder} has the name of an image in {images}", "give the files of a scan the name of its image")
    return [Scan(name, path, *(found.get(name, "") for found in more)) for name, path in own.items()]


def _more(labels: str, masks: str, landmarks: str) -> list[tuple[str, tuple[str, ...]]]:
    from deepreg_engine.geometry.points import POINT_SUFFIXES

    return [(labels, LABEL_SUFFIXES), (masks, LABEL_SUFFIXES), (landmarks, POINT_SUFFIXES)]


def _files(folder: Path, endings: Sequence[str]) -> dict[str, str]:
    """Return name to path of the files with one of the endings; "" stands for a folder with files."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", "check its name")
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not _fits(path, endings):
            continue
        name = path.name if path.is_dir() else stem(path)
        if name in found:
            raise InputError(f"{folder} has two files for {name}", "keep one of them")
        found[name] = os.path.abspath(path)
    return found


def _fits(path: Path, endings: Sequence[str]) -> bool:
    if path.is_dir():
        return "" in endings and any(each.is_file() for each in path.iterdir())
    return suffix(path) in endings and suffix(path) != ""


def from_dataset(path: str | os.PathLike, pattern: Row, all_training: bool = False) -> list[Row]:
    """Return the pairs that a ``dataset.json`` of Learn2Reg names: those for validation, or else those for training.

    Args:
        path: the file, or its folder.
        pattern: has method, preset, parameters and outputs.
        all_training: register all scans for training with each other instead.

    Raises:
        InputError: if it is no such data set, or names no pairs.
    """
    path = Path(path) / "dataset.json" if Path(path).is_dir() else Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        scans = {_key(entry["image"]): _scan(path.parent, entry) for entry in content.get("training", []) + _more_scans(content)}
        if all_training:
            return all_pairs([scans[_key(entry["image"])] for entry in content["training"]], pattern)
        pairs = next((content[name] for name in _PAIRS if content.get(name)), [])
        rows = [pair(_found(scans, path.parent, each["fixed"]), _found(scans, path.parent, each["moving"]), pattern) for each in pairs]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not a Learn2Reg data set ({type(error).__name__}: {error})", "see learn2reg.grand-challenge.org"
        ) from error
    if not rows:
        raise InputError(f"{path} names no pairs", "register all of its scans with each other, or give a table of pairs")
    return rows


# Lists of pairs in a data set, the first that exists is taken.
_PAIRS = ("registration_val", "registration_test", "test_paired_images", "training_paired_images")


def _more_scans(content: dict[str, Any]) -> list[Any]:
    """Return the scans of a data set that are not for training; some are given by their image's path alone."""
    return [entry if isinstance(entry, dict) else {"image": entry} for entry in content.get("test", [])]


def _key(image: str) -> str:
    return Path(image).name


def _scan(folder: Path, entry: dict[str, Any]) -> Scan:
    keys = ("image", "label", "mask", "keypoints")
    return Scan(stem(Path(entry["image"])), *(os.path.abspath(folder / entry[key]) if entry.get(key) else "" for key in keys))


def _found(scans: dict[str, Scan], folder: Path, image: str) -> Scan:
    """Return the scan of an image, which may be named as in the list of scans or by its path alone."""
    return scans.get(_key(image)) or _scan(folder, {"image": image})


def from_bids(root: str | os.PathLike, pattern: Row, fixed: dict[str, str], moving: dict[str, str]) -> list[Row]:
    """Return a row for each subject of a BIDS data set: one image against another of the same subject.

    Args:
        root: of the data set.
        pattern: has method, preset, parameters and outputs.
        fixed, moving: entities that choose the two images, such as {"session": "01", "suffix": "T1w"}; "subject" limits the subjects.

    Raises:
        PackageError: if pybids is not installed.
        InputError: if the folder is not a BIDS data set, or the entities choose several images of a subject or no pair at all.
    """
    try:
        from bids import BIDSLayout  # type: ignore[import-not-found]
    except ImportError as error:
        from deepreg_engine.errors import PackageError

        raise PackageError("reading a BIDS data set needs pybids", "install it with pip install pybids", "pybids") from error
    try:
        layout = BIDSLayout(root, validate=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{root} is not a BIDS data set ({error})", "give the folder with the file dataset_description.json") from error
    rows = []
    for subject in layout.get_subjects():
        sides = [_of_subject(layout, subject, chosen) for chosen in (fixed, moving)]
        if None in sides:
            continue
        files = {side: str(path) for side, path in zip(("fixed", "moving"), sides, strict=True)}
        if files["fixed"] == files["moving"]:
            raise InputError(f"fixed and moving are the same image of subject {subject}", "choose two by session or suffix")
        rows.append(replace(pattern, name=name_of(files), files=files))
    if not rows:
        raise InputError(f"no subject of {root} has both images", "check session and suffix")
    return rows


def _of_subject(layout: Any, subject: str, chosen: dict[str, str]) -> str | None:
    entities = {"subject": subject, "extension": [".nii", ".nii.gz"], "scope": "raw", **chosen}
    if chosen.get("subject") not in (None, subject):
        return None
    found = [entry.path for entry in layout.get(**entities)]
    if len(found) > 1:
        raise InputError(f"subject {subject} has {len(found)} images with {chosen}", "choose one by session, suffix or run")
    return found[0] if found else None
