"""Pairs of real people with labels, from the data folder; and the split of the hippocampi."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk


@dataclass(frozen=True)
class PersonPair:
    """Two scans of two people.

    Args:
        name: of the pair.
        fixed, moving: files of the images.
        fixed_labels, moving_labels: files of the label maps.
        common: labels with one meaning in both.
        fixed_to, moving_to: values of a map to those of ``common``, where they differ.
    """

    name: str
    fixed: Path
    moving: Path
    fixed_labels: Path
    moving_labels: Path
    common: Sequence[int]
    fixed_to: dict[int, int] | None = None
    moving_to: dict[int, int] | None = None

    def labels(self) -> tuple[sitk.Image, sitk.Image]:
        """The label maps of both scans, with the values of :attr:`common`."""
        return _changed(self.fixed_labels, self.fixed_to), _changed(self.moving_labels, self.moving_to)


def _changed(path: Path, values: dict[int, int] | None) -> sitk.Image:
    image = sitk.ReadImage(str(path))
    image = sitk.Cast(image, sitk.sitkUInt16)
    if values is None:
        return image
    array = sitk.GetArrayFromImage(image)
    changed = np.zeros_like(array)
    for old, new in values.items():
        changed[array == old] = new
    found = sitk.GetImageFromArray(changed)
    found.CopyInformation(image)
    return found


def halves(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the scans for tuning, and of those for the report: the names in order, shuffled by seed 0, every second one each."""
    names = sorted(path.name for path in (folder / "images").glob("*.nii.gz"))
    random.Random(0).shuffle(names)
    return sorted(names[::2]), sorted(names[1::2])


def hippocampus(options: argparse.Namespace) -> list[PersonPair]:
    """Random pairs of hippocampi of one half (Medical Segmentation Decathlon, CC BY-SA 4.0): anterior and posterior part."""
    folder = options.data / "hippocampus"
    tune, report = halves(folder)
    names, generator = (tune if options.half == "tune" else report), random.Random(options.seed)
    chosen: dict[tuple[str, str], None] = {}
    while len(chosen) < min(options.pairs, len(names) * (len(names) - 1)):
        chosen[tuple(generator.sample(names, 2))] = None  # type: ignore[index]
    return [
        PersonPair(f"{a[12:15]} {b[12:15]}", *(folder / "images" / x for x in (a, b)), *(folder / "labels" / x for x in (a, b)), (1, 2))
        for a, b in chosen
    ]


def abdomen(options: argparse.Namespace) -> list[PersonPair]:
    """Two CT of two people, both ways (TotalSegmentator's example, CHAOS): the liver."""
    folder = options.data / "abdomen"
    sides = [
        ("example_ct", folder / "example_ct.nii.gz", folder / "example_seg_fast_force_split.nii.gz", {5: 1}),
        ("chaos_ct3", folder / "chaos_ct3_3mm.nii.gz", folder / "chaos_ct3_liver_3mm.nii.gz", None),
    ]
    return [_pair(sides[a], sides[1 - a], (1,)) for a in (0, 1)]


def ct_mr(options: argparse.Namespace) -> list[PersonPair]:
    """CT and MR of two people, both ways: spleen, kidneys, gallbladder, liver, stomach, pancreas, aorta, vena cava."""
    folder = options.data / "abdomen"
    own = {value: value for value in range(1, 8)}
    sides = [
        ("example_ct_sm", folder / "example_ct_sm.nii.gz", folder / "example_seg.nii.gz", {**own, 52: 52, 63: 63}),
        ("example_mr_sm", folder / "example_mr_sm.nii.gz", folder / "example_seg_mr.nii.gz", {**own, 23: 52, 24: 63}),
    ]
    present = [set(np.unique(sitk.GetArrayFromImage(_changed(side[2], side[3])))) for side in sides]
    common = tuple(int(value) for value in sorted((present[0] & present[1]) - {0}))
    return [_pair(sides[a], sides[1 - a], common) for a in (0, 1)]


Side = tuple[str, Path, Path, dict[int, int] | None]


def _pair(fixed: Side, moving: Side, common: Sequence[int]) -> PersonPair:
    return PersonPair(f"{fixed[0]} {moving[0]}", fixed[1], moving[1], fixed[2], moving[2], common, fixed[3], moving[3])


#: Name to the function that returns the pairs.
SETS: dict[str, Callable[[argparse.Namespace], list[PersonPair]]] = {"hippocampus": hippocampus, "abdomen": abdomen, "ct-mr": ct_mr}
