"""The check that slices or frames of DICOM files are a regular stack."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepreg_engine.errors import InputError

# Largest distance of a slice from its regular position: as a share of the step between slices, and in mm.
_TOLERANCE = 0.1
_LARGEST_TOLERANCE = 0.3
#: Positions nearer than this along the normal are one, mm.
SMALLEST_TOLERANCE = 0.01
#: Difference of two direction cosines.
SAME_DIRECTION = 2e-3
# Largest number of slices that a message names.
_NAMED = 6
_ADVICE_GAP = "give a complete series, or resample it to equal distances first"
#: Elements that may differ between images at one position.
KINDS = {
    "0018|0081": "echoes",
    "0018|9082": "echoes",
    "0020|0100": "time points",
    "0020|9128": "time points",
    "0018|1060": "trigger times",
    "0018|9087": "b-values",
    "0020|9056": "stacks",
    "0020|0012": "acquisitions",
    "0008|0032": "acquisition times",
    "0008|0008": "image types",
    "0020|0013": "instances",
}


@dataclass(frozen=True)
class Slice:
    """One file of a series, or one frame of a file.

    Args:
        path: the file; for a frame its name.
        tags: values of its DICOM elements, by "group|element".
        size: voxels along x, y and z.
        pixel: SimpleITK's pixel type.
    """

    path: Path
    tags: dict[str, str]
    size: tuple[int, ...] = ()
    pixel: int = 0

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.path.name

    def numbers(self, tag: str, count: int) -> np.ndarray | None:
        """Return the numbers of an element; None if it is missing, or holds others than ``count`` finite numbers."""
        try:
            values = np.array([float(part) for part in self.tags.get(tag, "").split("\\")])
        except ValueError:
            return None
        return values if len(values) == count and np.isfinite(values).all() else None


def tolerance(step: float) -> float:
    """Return the largest distance of a slice from its place in a stack, mm."""
    return float(np.clip(_TOLERANCE * step, SMALLEST_TOLERANCE, _LARGEST_TOLERANCE))


def check_axes(axes: np.ndarray, what: str) -> None:
    """Raise InputError if directions of rows and columns (6,) are not unit vectors at a right angle."""
    rows, columns = axes[:3], axes[3:]
    off = max(abs(np.linalg.norm(rows) - 1.0), abs(np.linalg.norm(columns) - 1.0), abs(float(rows @ columns)))
    if not off < SAME_DIRECTION:
        raise InputError(f"{what} has rows and columns that are not at right angles", "get it again, or convert it to NIfTI or NRRD first")


def check_regular(places: np.ndarray, axes: np.ndarray, slices: list[Slice], what: str) -> None:
    """Raise InputError if positions (N, 3), mm, along the normal of the slices, are not ``first + k * step`` with a step along it."""
    normal = np.cross(axes[:3], axes[3:])
    along = places @ normal
    steps = np.diff(along)
    apart = steps[steps > SMALLEST_TOLERANCE]
    if len(apart) < len(steps):
        _raise_several(slices, along, what)
    step = float(np.median(apart))
    regular = along[0] + np.arange(len(along)) * (along[-1] - along[0]) / (len(along) - 1)
    if np.abs(along - regular).max() > tolerance(step):
        gaps = [n for n in range(len(steps)) if abs(steps[n] - step) > tolerance(step)]
        if gaps and min(steps[gaps]) > step and len(gaps) <= _NAMED:
            named = "; ".join(f"{steps[n]:.2f} mm between {slices[n].name} and {slices[n + 1].name}" for n in gaps)
            raise InputError(f"{what} has a gap: its slices are {step:.2f} mm apart, but {named}", _ADVICE_GAP)
        worst = int(np.argmax(np.abs(along - regular)))
        raise InputError(
            f"{what} has slices at unequal distances, {steps.min():.2f} to {steps.max():.2f} mm "
            f"({slices[worst].name} is {abs(along - regular)[worst]:.1f} mm from its place in a regular stack)",
            _ADVICE_GAP,
        )
    check_not_sheared(places, along, normal, step, what)


def check_not_sheared(places: np.ndarray, along: np.ndarray, normal: np.ndarray, step: float, what: str) -> None:
    """Raise InputError if positions (N, 3), mm, with distances ``along`` the normal, are not above each other."""
    beside = np.linalg.norm(places - places[0] - np.outer(along - along[0], normal), axis=1)
    if beside.max() > tolerance(step):
        off = float(beside[-1])
        angle = np.degrees(np.arctan2(off, along[-1] - along[0]))
        raise InputError(
            f"{what} is sheared by {angle:.1f} degrees (a tilted gantry): its last slice is {off:.1f} mm beside the normal",
            "resample it to axes at right angles first: 3D Slicer does so when it loads the series",
        )


def _raise_several(slices: list[Slice], along: np.ndarray, what: str) -> None:
    groups: defaultdict[int, list[Slice]] = defaultdict(list)
    place = np.concatenate([[0], np.cumsum(np.diff(along) > SMALLEST_TOLERANCE)])
    for number, slice_ in zip(place, slices, strict=True):
        groups[int(number)].append(slice_)
    most = max(groups.values(), key=len)
    differing = next((name for tag, name in KINDS.items() if len({slice_.tags.get(tag, "") for slice_ in most}) == len(most)), "images")
    raise InputError(
        f"{what} holds up to {len(most)} images in one place ({differing}), {len(slices)} in {len(groups)} places",
        f"put the files of one of the {differing} into a folder of their own",
    )
