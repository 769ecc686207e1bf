"""Selection of a DICOM series or file, and its volume.

ITK places slice k of a series at ``origin + k * step``, without regard to the positions in the slices. Here the position and the
orientation of every slice are compared with this, and a series with gaps, unequal distances, a tilted gantry or several images at one
position is refused.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.dicom_elements import read_elements
from deepreg_engine.geometry.dicom_frames import number_of_frames, placed_frames
from deepreg_engine.geometry.dicom_segmentation import is_segmentation, read_segmentation
from deepreg_engine.geometry.dicom_stack import SAME_DIRECTION, Slice, check_axes, check_regular
from deepreg_engine.geometry.itk_files import dicom_files, dicom_series, read_dicom, read_header

# Largest number of voxels per byte of a compressed file.
_HIGHEST_RATIO = 500
# Largest number of series that a message names.
_NAMED = 6


def is_dicom(path: Path) -> bool:
    """Return whether a file has DICOM's preamble; False for a file that cannot be opened."""
    try:
        with open(path, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_folder(folder: Path, role: str, labels: bool, notes: list[str]) -> sitk.Image:
    """Return the series in a folder, or in a folder below it if there is none other; for the arguments see :func:`read_file`.

    Raises:
        InputError: if there is none, or several, or it is not a regular stack of slices.
    """
    found = {(path, series): _files(path, series) for path, series in _series_below(folder)}
    if not found:
        raise InputError(f"the {role} {folder} is a folder without DICOM images", "give an image file")
    if len(found) > 1:
        lines = [_describe(path, folder, files) for (path, _), files in found.items()]
        more = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
        raise InputError(
            f"the {role} {folder} holds {len(found)} DICOM series ({'; '.join(lines[:_NAMED])}{more})",
            "give a folder with one series, or any file of the series",
        )
    ((path, _), files), *_ = found.items()
    what = f"the DICOM series in {path}"
    return _read_single(files[0], what, labels, notes) if len(files) == 1 else _read_stack(files, what)


def read_file(path: Path, role: str, labels: bool, notes: list[str]) -> sitk.Image:
    """Return the volume in a DICOM file, or the series to which this file belongs.

    Args:
        path: the file.
        role: of it, for messages.
        labels: whether it may be a segmentation.
        notes: receives notes: that more files than this one were read, and on segments.

    Raises:
        InputError: if it cannot be read, or is not a regular stack of slices.
    """
    what = f"the {role} {path}"
    elements = read_elements(path, what)
    if number_of_frames(elements) > 1 or is_segmentation(elements):
        return _read_single(path, what, labels, notes)
    files = _files(path.parent, _slice(path, what).tags.get("0020|000e", ""))
    if len(files) < 2:
        return _read_single(path, what, labels, notes)
    image = _read_stack(files, f"the DICOM series of {path}")
    notes.append(f"{what} is one of the {len(files)} files of a DICOM series; the whole series was read")
    return image


def dicom_tags(path: Path) -> dict[str, str]:
    """Return the elements of a DICOM file, or of the first file of the first series in a folder, by tag (``0008|0060``).

    Empty for other files, and for those that cannot be read.
    """
    try:
        if path.is_dir():
            folder, series = _series_below(path)[0]
            path = _files(folder, series)[0]
        return _slice(path, str(path)).tags if is_dicom(path) else {}
    except (InputError, IndexError, OSError):
        return {}


def _series_below(folder: Path) -> list[tuple[Path, str]]:
    """Return folder and UID of each series in a folder, or, if there is none in it, in the folders below it."""
    found = []
    for current, folders, _ in os.walk(folder):
        folders.sort()
        found += [(Path(current), series) for series in dicom_series(current)]
        if found and Path(current) == folder:
            break
    return found


def _files(folder: Path, series: str) -> list[Path]:
    return dicom_files(folder, series) if series else []


def _describe(path: Path, folder: Path, files: list[Path]) -> str:
    tags = _slice(files[0], f"the DICOM file {files[0]}").tags
    name = " ".join(filter(None, (tags.get("0008|0060", ""), tags.get("0008|103e", "")))) or "no description"
    where = "" if path == folder else f" in {path.relative_to(folder)}"
    return f"{name}{where}: {len(files)} file{'s' * (len(files) > 1)}, such as {files[0].name}"


def _slice(path: Path, what: str) -> Slice:
    try:
        reader = read_header(path, "GDCMImageIO")
    except RuntimeError as error:
        raise InputError(f"{what} cannot be read: {path.name} is damaged or has no image", "convert it to NIfTI or NRRD first") from error
    if float(np.prod([float(n) for n in reader.GetSize()])) > _HIGHEST_RATIO * path.stat().st_size:  # before memory is allocated
        raise InputError(f"{what} cannot be read: {path.name} is shorter than its header says", "get it again")
    tags = {key: reader.GetMetaData(key).strip(" \0") for key in reader.GetMetaDataKeys()}
    return Slice(path, tags, reader.GetSize(), reader.GetPixelID())


def _read_single(path: Path, what: str, labels: bool, notes: list[str]) -> sitk.Image:
    """Return the volume of one file, which may have several frames, or be a segmentation if ``labels`` is true."""
    elements = read_elements(path, what)
    if is_segmentation(elements):
        if not labels:
            raise InputError(f"{what} is a DICOM segmentation", "give an image, and the segmentation as labels or mask")
        return read_segmentation(elements, what, notes)
    _check_scales([_slice(path, what)], what)
    image = _image([path], sitk.sitkUnknown, what)
    several = image.GetDimension() == 3 and image.GetSize()[2] > 1
    return placed_frames(elements, image, what) if several else image


def _read_stack(files: list[Path], what: str) -> sitk.Image:
    """Return the volume of a series of files with one slice each."""
    slices = [_slice(path, what) for path in files]
    _check_scales(slices, what)
    kinds = {slice_.pixel for slice_ in slices}
    spacing = slices[0].numbers("0028|0030", 2)
    if spacing is None or spacing.min() <= 0.0:
        raise InputError(f"{what} has slices without a pixel spacing", "convert it to NIfTI or NRRD with the right spacing first")
    # If slices have different scales, they may have different types; ITK would use the type of the first slice for all.
    image = _image(_checked_stack(slices, what), sitk.sitkFloat32 if len(kinds) > 1 else sitk.sitkUnknown, what)
    if not np.allclose(image.GetSpacing()[:2], spacing[::-1], rtol=1e-3):  # some classes of images state it in another element
        raise InputError(f"{what} is read with another pixel spacing than its slices state", "convert it to NIfTI or NRRD first")
    return image


def _check_scales(slices: list[Slice], what: str) -> None:
    """Raise InputError if the scale of values of a slice cannot be used: GDCM would read the slice without it."""
    for slice_ in slices:
        for tag, name in (("0028|1053", "slope"), ("0028|1052", "intercept")):
            given, number = slice_.tags.get(tag, ""), slice_.numbers(tag, 1)
            if given and (number is None or (name == "slope" and number[0] == 0.0)):
                raise InputError(f"{what} has the {name} {given[:20]!r} for the values of {slice_.name}", "get it again")


def _image(files: list[Path], pixel: int, what: str) -> sitk.Image:
    try:
        return read_dicom(files, pixel)
    except RuntimeError as error:
        raise InputError(f"{what} cannot be read", "convert it to NIfTI or NRRD first") from error


def _checked_stack(slices: list[Slice], what: str) -> list[Path]:
    """Return the files in their order along the normal of the slices.

    Raises:
        InputError: if they are not a regular stack.
    """
    if slices[0].size[2:] not in ((), (1,)):
        raise InputError(f"{what} has {len(slices)} files of several frames each", "give the one to register")
    places, axes = _placements(slices, what)
    shapes = [(slice_.size, slice_.tags.get("0028|0030", ""), slice_.tags.get("0028|0002", "")) for slice_ in slices]
    (usual, _), *others = Counter(shapes).most_common()
    if others:
        odd = _some([slice_.path.name for slice_, shape in zip(slices, shapes, strict=True) if shape != usual])
        raise InputError(f"{what} has slices of {1 + len(others)} sizes or pixel spacings ({odd} differ)", "remove what does not belong")
    common = np.median(axes, axis=0)
    turned = [slice_.path.name for slice_, own in zip(slices, axes, strict=True) if np.abs(own - common).max() > SAME_DIRECTION]
    if turned:
        raise InputError(
            f"{what} has slices of differing orientation ({_some(turned)})", "remove what does not belong, such as a localizer"
        )
    order = np.argsort(places @ np.cross(common[:3], common[3:]), kind="stable")
    check_axes(common, what)
    check_regular(places[order], common, [slices[n] for n in order], what)
    return [slices[n].path for n in order]


def _placements(slices: list[Slice], what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (N, 3), mm, and directions of rows and columns (N, 6).

    Raises:
        InputError: if a slice has none.
    """
    found = [(slice_.numbers("0020|0032", 3), slice_.numbers("0020|0037", 6)) for slice_ in slices]
    whole = [(place, axes) for place, axes in found if place is not None and axes is not None]
    if len(whole) < len(slices):
        lost = [slice_.path.name for slice_, (place, axes) in zip(slices, found, strict=True) if place is None or axes is None]
        raise InputError(f"{what} has {len(lost)} of {len(slices)} files without a position ({_some(lost)})", "remove these files")
    return np.array([place for place, _ in whole]), np.array([axes for _, axes in whole])


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
