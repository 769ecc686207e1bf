"""Volumes whose frames are in one DICOM file: enhanced CT and MR, nuclear medicine, doses.

The functional groups of an enhanced file state the place, the spacing and the scale of each frame (PS3.3, C.7.6.16). ITK uses those of the
first frame for all frames.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.dicom_elements import Elements
from deepreg_engine.geometry.dicom_stack import KINDS, SAME_DIRECTION, Slice, check_axes, check_regular
from deepreg_engine.texts import counted

_SHARED, _EACH = 0x52009229, 0x52009230
POSITION, AXES, SPACING = 0x00200032, 0x00200037, 0x00280030
_SCALE, _SLOPE, _INTERCEPT = 0x00289145, 0x00281053, 0x00281052
_FRAMES, _MODALITY, _OFFSETS, _DOSE_SCALE = 0x00280008, 0x00080060, 0x3004000C, 0x3004000E
_CONVERT = "convert it to a volume in NIfTI or NRRD first"


def number_of_frames(elements: Elements) -> int:
    """Return the number of frames of a file."""
    text = elements.text(_FRAMES)
    return int(text) if text.isdigit() else 1


def frame_groups(elements: Elements, count: int, what: str) -> list[list[Elements]]:
    """Return for each frame the items that describe it, its own before the shared ones; empty if the file has no functional groups.

    Raises:
        InputError: if their number differs from that of the frames.
    """
    own, shared = elements.items(_EACH), elements.items(_SHARED)
    if not own and not shared:
        return []
    if own and len(own) != count:
        raise InputError(f"{what} has {count} frames, but describes {len(own)}", "get it again")
    common = [each for item in shared for each in item.all()]
    return [[*(own[number].all() if own else ()), *common] for number in range(count)]


def frame_numbers(groups: list[list[Elements]], tag: int, count: int) -> np.ndarray | None:
    """Return the numbers of an element for each frame (N, ``count``); None unless every frame has them."""
    found = [next((v for each in group if (v := each.numbers(tag, count)) is not None), None) for group in groups]
    return np.array(found) if found and all(value is not None for value in found) else None


def common_axes(axes: np.ndarray, what: str) -> np.ndarray:
    """Return the directions of rows and columns (6,) of all frames.

    Raises:
        InputError: if the frames differ, or the directions are not at a right angle.
    """
    if np.abs(axes - axes[0]).max() > SAME_DIRECTION:
        raise InputError(f"{what} has frames of differing orientation", _CONVERT)
    check_axes(axes[0], what)
    return axes[0]


def image_of(array: np.ndarray, first: np.ndarray, axes: np.ndarray, spacing: tuple[float, float, float]) -> sitk.Image:
    """Return an image of voxels (z, y, x).

    Args:
        array: frames along the normal of rows and columns.
        first: position of the first voxel, mm.
        axes: directions of rows and columns (6,).
        spacing: along x, y and z, mm.
    """
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(first.tolist())
    rows, columns = axes[:3] / np.linalg.norm(axes[:3]), axes[3:] / np.linalg.norm(axes[3:])
    image.SetDirection(np.column_stack([rows, columns, np.cross(rows, columns)]).ravel().tolist())
    return image


def placed_frames(elements: Elements, image: sitk.Image, what: str) -> sitk.Image:
    """Return the volume of a file with several frames, from its elements and from ITK's image of it.

    Raises:
        InputError: if the frames are not a regular stack, or have no position.
    """
    count = image.GetSize()[2]
    groups = frame_groups(elements, count, what)
    places, axes = _places(elements, groups, count, what)
    if len(places) == 1:
        return image
    order = np.argsort(places @ np.cross(axes[:3], axes[3:]), kind="stable")
    check_regular(places[order], axes, [_frame(groups, n) for n in order], what)
    spacing = frame_numbers(groups, SPACING, 2)
    if spacing is not None and np.abs(spacing - spacing[0]).max() > 1e-4 * spacing[0].min():
        raise InputError(f"{what} has frames of several pixel spacings", _CONVERT)
    columns, rows = image.GetSpacing()[:2] if spacing is None else (float(spacing[0, 1]), float(spacing[0, 0]))
    if min(columns, rows) <= 0.0:
        raise InputError(f"{what} has no pixel spacing", _CONVERT)
    step = float((places[order[-1]] - places[order[0]]) @ np.cross(axes[:3], axes[3:])) / (count - 1)
    return image_of(_values(elements, groups, image, what)[order], places[order[0]], axes, (columns, rows, step))


def _places(elements: Elements, groups: list[list[Elements]], count: int, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the frames (N, 3), mm, and their axes (6,). Only one position is returned if ITK places the others by a
    constant step."""
    places, axes = _stated(elements, groups, POSITION, 3), _stated(elements, groups, AXES, 6)
    if places is None or axes is None:
        raise InputError(
            counted(count, f"{what} has 1 frame without a position", f"{what} has {count} frames without a position"), _CONVERT
        )
    common = common_axes(axes, what)
    if not groups and len(places) == 1:
        offsets = elements.numbers(_OFFSETS, count)
        if offsets is not None:  # a dose: positions are offsets from the first frame
            return places + np.outer(offsets - offsets[0], np.cross(common[:3], common[3:])), common
        if elements.text(_MODALITY) in ("NM", "PT"):  # the file states one position, and the spacing of the frames
            return places, common
    if len(places) != count:
        few, many = f"{what} has {count} frames, but 1 position", f"{what} has {count} frames, but {len(places)} positions"
        raise InputError(counted(len(places), few, many), _CONVERT)
    return places, common


def _stated(elements: Elements, groups: list[list[Elements]], tag: int, count: int) -> np.ndarray | None:
    """Return the numbers of an element (N, ``count``): of each frame, or, in a file without functional groups, wherever it occurs; None if
    it is missing."""
    if groups:
        return frame_numbers(groups, tag, count)
    return frame_numbers([[each] for each in elements.all() if each.numbers(tag, count) is not None], tag, count)


def _frame(groups: list[list[Elements]], number: int) -> Slice:
    """Return a frame, with the elements that distinguish frames at the same position."""
    tags = {}
    for name in KINDS if groups else ():
        tag = int(name.replace("|", ""), 16)
        tags[name] = next((str(each.values[tag]) for each in groups[number] if tag in each.values), "")
    return Slice(Path(f"frame {number + 1}"), tags)


def _values(elements: Elements, groups: list[list[Elements]], image: sitk.Image, what: str) -> np.ndarray:
    """Return the voxels (frame, y, x), each frame with its own scale."""
    dose = elements.numbers(_DOSE_SCALE, 1)
    if dose is not None:  # ITK does not apply it
        stored = stored_values(elements, image.GetSize()[2])
        if stored is None:
            raise InputError(f"{what} is a compressed dose", "save it uncompressed, or as NIfTI or NRRD")
        return (stored * dose).astype(np.float32)
    scales = _scales(groups, what)
    if scales is None:
        return sitk.GetArrayFromImage(image)
    stored = stored_values(elements, len(groups))
    if stored is None:
        if len(np.unique(np.column_stack(scales), axis=0)) > 1:
            raise InputError(f"{what} has compressed frames with scales of their own", "save it uncompressed, or as NIfTI or NRRD")
        return sitk.GetArrayFromImage(image)
    return _scaled(stored, *scales)


def _scales(groups: list[list[Elements]], what: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return slope and intercept of each frame (N, 1); None if no frame has them."""
    with_scale = [[each for each in group if _SLOPE in each.values and _INTERCEPT in each.values] for group in groups]
    slopes, shifts = (frame_numbers(with_scale, tag, 1) for tag in (_SLOPE, _INTERCEPT))
    if slopes is not None and shifts is not None:
        return slopes, shifts
    if any(with_scale):
        raise InputError(f"{what} has frames with and without a scale", _CONVERT)
    return None


def _scaled(stored: np.ndarray, slopes: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return stored numbers (frame, y, x) with the scale of each frame (N, 1): as integers where all slopes are 1, else as float32."""
    if np.all(slopes == 1.0) and np.array_equal(shifts, np.rint(shifts)):
        whole = stored.astype(np.int64) + shifts.astype(np.int64)[:, :, None]
        return whole.astype(np.int16 if np.abs(whole).max() < 1 << 15 else np.int32)
    return (stored * slopes[:, :, None] + shifts[:, :, None]).astype(np.float32)


def stored_values(elements: Elements, count: int) -> np.ndarray | None:
    """Return the numbers in the pixel data (frame, y, x), without a scale; None if they are compressed, coloured, or not whole numbers.

    It also returns None if the pixel data end too early.
    """
    rows, columns, allocated, stored = (elements.whole(tag) for tag in (0x00280010, 0x00280011, 0x00280100, 0x00280101))
    if not elements.native or elements.whole(0x00280002) != 1 or allocated not in (8, 16, 32) or not rows or not columns or not stored:
        return None
    number = count * rows * columns
    kind = np.dtype(f"u{allocated // 8}").newbyteorder(">" if elements.big else "<")
    if len(elements.pixels) < number * kind.itemsize or stored > allocated:
        return None
    values = np.frombuffer(elements.pixels, kind, number).astype(np.int64) & ((1 << stored) - 1)
    if elements.whole(0x00280103) == 1:  # signed: the highest bit is the sign
        values -= (values >> (stored - 1)) << stored
    return values.reshape(count, rows, columns)
