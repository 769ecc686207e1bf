"""DICOM segmentations as label maps: each segment is a value, and has a name.

A segmentation has a frame for each segment and slice in which it has voxels (PS3.3, A.51); slices without any have none. Frames are placed
by their positions.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.dicom_elements import Elements
from deepreg_engine.geometry.dicom_frames import (
    AXES,
    POSITION,
    SPACING,
    common_axes,
    frame_groups,
    frame_numbers,
    image_of,
    number_of_frames,
    stored_values,
)
from deepreg_engine.geometry.dicom_stack import SMALLEST_TOLERANCE, check_not_sheared, tolerance
from deepreg_engine.texts import counted

_CLASS = 0x00080016
_SEGMENTS, _NUMBER, _LABEL, _REFERENCED = 0x00620002, 0x00620004, 0x00620005, 0x0062000B
_KIND, _MOST = 0x00620001, 0x0062000E
_THICKNESS, _BETWEEN = 0x00180050, 0x00180088
# SOP classes of segmentations that store voxels, and of the one that stores surfaces.
_VOXELS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_SURFACES = "1.2.840.10008.5.1.4.1.1.66.5"
_CONVERT = "convert it to a label map in NIfTI or NRRD first"
# Largest number of slices of a volume; more mean that the step between them is wrong.
_MOST_SLICES = 20_000


def is_segmentation(elements: Elements) -> bool:
    """Return whether a file is a segmentation of any kind."""
    return elements.text(_CLASS) in (*_VOXELS, _SURFACES)


def _named(image: sitk.Image, names: dict[int, str]) -> sitk.Image:
    """Give a label map the names of its values, as :func:`deepreg_engine.geometry.segments.segment_names` finds them; return it."""
    for number, (value, name) in enumerate(sorted(names.items())):
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
        image.SetMetaData(f"Segment{number}_Name", name)
    return image


def read_segmentation(elements: Elements, what: str, notes: list[str]) -> sitk.Image:
    """Return the label map of a segmentation, with the names of its values (:func:`segment_names`).

    Args:
        elements: of the file.
        what: its role and name, for messages.
        notes: receives notes on segments, overlaps and thresholds.

    Raises:
        InputError: if it cannot be read, or its frames do not fit a grid.
    """
    if elements.text(_CLASS) == _SURFACES:
        raise InputError(f"{what} is a DICOM segmentation by surfaces", _CONVERT)
    count = number_of_frames(elements)
    groups = frame_groups(elements, count, what)
    inside = _inside(elements, count, what, notes)
    names = {item.whole(_NUMBER): item.text(_LABEL) for item in elements.items(_SEGMENTS)}
    found = {int(number): name or f"segment {number}" for number, name in names.items() if number}
    mapped = elements.text(_KIND) == "LABELMAP"
    values = np.zeros(count, dtype=np.int64) if mapped else _referenced(groups, found, what)
    level, first, axes, spacing = _grid(groups, what)
    _check_single(values, level, found, what)
    highest = max([*found, int(inside.max())])
    array = np.zeros((int(level.max()) + 1, *inside.shape[1:]), dtype=np.uint8 if highest < 256 else np.uint16)
    overlaps: dict[str, int] = {}
    if mapped:
        array[level] = inside
    else:
        overlaps = _fill(array, inside, values, level, found)
    notes.append(f"{what} has the segments {', '.join(f'{value} {name}' for value, name in sorted(found.items()))}")
    for name, voxels in overlaps.items():
        one = f"{what}: {name} overlaps other segments in 1 voxel, which was given to {name} alone"
        notes.append(counted(voxels, one, f"{what}: {name} overlaps other segments in {voxels} voxels, which were given to {name} alone"))
    return _named(image_of(array, first, axes, spacing), found)


def _fill(array: np.ndarray, inside: np.ndarray, values: np.ndarray, level: np.ndarray, names: dict[int, str]) -> dict[str, int]:
    """Fill a label map (z, y, x) with the frames of segments, of lower values first.

    Args:
        array: the label map, filled with 0.
        inside: (frame, y, x), not 0 inside the segment of the frame.
        values, level: segment and slice of each frame (N,).
        names: of the segments.

    Returns:
        Name of a segment to the number of voxels in which it replaces other segments.
    """
    overlaps: dict[str, int] = {}
    for number in np.lexsort((level, values)):
        plane, here, value = array[level[number]], inside[number] != 0, int(values[number])
        if covered := int(np.count_nonzero(plane[here])):
            overlaps[names[value]] = overlaps.get(names[value], 0) + covered
        plane[here] = value
    return overlaps


def _inside(elements: Elements, count: int, what: str, notes: list[str]) -> np.ndarray:
    """Return numbers (frame, y, x): not 0 inside the segment of the frame; in a label map the segment itself."""
    rows, columns = elements.whole(0x00280010), elements.whole(0x00280011)
    if elements.whole(0x00280100) == 1 and elements.native and rows and columns:
        bits = np.unpackbits(np.frombuffer(elements.pixels, np.uint8), bitorder="little")
        stored = bits[: count * rows * columns].reshape(count, rows, columns) if len(bits) >= count * rows * columns else None
    else:
        stored = stored_values(elements, count)
    if stored is None:
        cut = elements.native and elements.whole(0x00280100) in (1, 8, 16)
        raise InputError(f"{what} {'ends before its last voxel' if cut else 'is compressed'}", "get it again" if cut else _CONVERT)
    if elements.text(_KIND) == "FRACTIONAL":
        most = elements.whole(_MOST) or 255
        notes.append(f"{what} holds fractions: voxels of at least one half are inside")
        return (2 * stored >= most).astype(np.uint8)
    return stored


def _referenced(groups: list[list[Elements]], names: dict[int, str], what: str) -> np.ndarray:
    """Return the segment of each frame (N,)."""
    found = [next((v for each in group if (v := each.whole(_REFERENCED)) is not None), 0) for group in groups]
    if not groups or not set(found) <= set(names):
        raise InputError(f"{what} has frames that belong to no segment", "get it again, or " + _CONVERT)
    return np.array(found)


def _check_single(values: np.ndarray, level: np.ndarray, names: dict[int, str], what: str) -> None:
    """Raise InputError if two frames have the same segment and slice; these are given for each frame (N,)."""
    for one, two in pairwise(sorted(zip(values.tolist(), level.tolist(), strict=True))):
        if one == two:
            name = names.get(one[0], "all segments")
            raise InputError(f"{what} has two frames of {name} in one place", "get it again, or " + _CONVERT)


def _grid(groups: list[list[Elements]], what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float, float]]:
    """Return the slice of each frame (N,), position of the first voxel, axes (6,) and spacing (x, y, z), mm."""
    places, axes, spacing = (frame_numbers(groups, tag, size) for tag, size in ((POSITION, 3), (AXES, 6), (SPACING, 2)))
    if places is None or axes is None or spacing is None or spacing.min() <= 0.0:
        raise InputError(f"{what} has frames without a position or spacing", _CONVERT)
    if np.abs(spacing - spacing[0]).max() > 1e-4 * spacing[0].min():
        raise InputError(f"{what} has frames of several pixel spacings", _CONVERT)
    common = common_axes(axes, what)
    normal = np.cross(common[:3], common[3:])
    along = places @ normal
    order = np.argsort(along, kind="stable")
    step = _step(groups, along[order], what)
    check_not_sheared(places[order], along[order], normal, step, what)
    level = np.rint((along - along.min()) / step).astype(int)
    return level, places[order[0]], common, (float(spacing[0, 1]), float(spacing[0, 0]), step)


def _step(groups: list[list[Elements]], along: np.ndarray, what: str) -> float:
    """Return the distance between slices, mm: the stated one if the positions of all frames fit it, else the least distance of two.

    Args:
        groups: of the frames.
        along: positions of the frames along their normal (N,), mm, in ascending order.
        what: role and name of the file, for messages.

    Raises:
        InputError: if the positions fit neither.
    """
    apart = np.diff(along)
    apart = apart[apart > SMALLEST_TOLERANCE]
    stated = [frame_numbers(groups, tag, 1) for tag in (_BETWEEN, _THICKNESS)]
    steps = [float(abs(each[0, 0])) for each in stated if each is not None and each[0, 0]]
    steps += [float(apart.min())] if len(apart) else []
    for step in steps:
        if _fits(along - along[0], step):
            return step
    unequal = f"{what} has frames at unequal distances, {apart.min():.2f} to {apart.max():.2f} mm" if len(apart) else ""
    raise InputError(unequal or f"{what} has one slice, and no thickness", "resample it to equal distances first")


def _fits(distances: np.ndarray, step: float) -> bool:
    """Return whether distances (N,) from the first slice, mm, are multiples of a step, and different distances are different multiples."""
    if step < SMALLEST_TOLERANCE or distances.max() / step > _MOST_SLICES:
        return False
    level = np.rint(distances / step)
    same = np.unique(np.round(distances / SMALLEST_TOLERANCE)).size
    return bool(np.abs(distances - level * step).max() <= tolerance(step)) and np.unique(level).size <= same
