"""Selection of a DICOM series, and the check that its slices are a regular stack.

ITK places slice k of a series at ``origin + k * step``, without regard to the positions in the slices. Here the position and the
orientation of every slice are compared with this, and a series with gaps, unequal distances, a tilted gantry or several images at one
position is refused.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError

# Largest distance of a slice from its regular position: as a share of the step between slices, and in mm.
_TOLERANCE = 0.1
_LARGEST_TOLERANCE = 0.3
_SMALLEST_TOLERANCE = 0.01
# Difference of two direction cosines.
_SAME_DIRECTION = 2e-3
# Series and slices that a message names.
_NAMED = 6
_ADVICE_GAP = "give a complete series, or resample it to equal distances first"
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66"
# Elements that may differ between images at one position.
_KINDS = {
    "0018|0081": "echoes",
    "0020|0100": "time points",
    "0018|1060": "trigger times",
    "0018|9087": "b-values",
    "0020|0012": "acquisitions",
    "0008|0032": "acquisition times",
    "0008|0008": "image types",
    "0020|0013": "instances",
}


@dataclass(frozen=True)
class Slice:
    """One file of a series.

    Args:
        path: the file.
        tags: values of its DICOM elements, by "group|element".
        size: voxels along x, y and z.
        pixel: SimpleITK's pixel type.
    """

    path: Path
    tags: dict[str, str]
    size: tuple[int, ...]
    pixel: int

    def numbers(self, tag: str, count: int) -> np.ndarray | None:
        """Return the numbers of an element; None if it is missing."""
        try:
            values = np.array([float(part) for part in self.tags.get(tag, "").split("\\")])
        except ValueError:
            return None
        return values if len(values) == count else None


def is_dicom(path: Path) -> bool:
    """Return whether a file has DICOM's preamble; False for a file that cannot be opened."""
    try:
        with open(path, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_folder(folder: Path, role: str) -> sitk.Image:
    """Return the series in a folder, or in a folder below it if there is none other.

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
    return _read(files, f"the DICOM series in {path}")


def read_file(path: Path, role: str) -> tuple[sitk.Image, str]:
    """Return the volume in a DICOM file, or the series to which this file belongs.

    Returns:
        The image, and a note if more files than this one were read, else "".

    Raises:
        InputError: if it cannot be read, or is not a regular stack of slices.
    """
    what = f"the {role} {path}"
    first = _slice(path, what)
    if first.size[2:] not in ((), (1,)):
        return _read([path], what), ""
    files = _files(path.parent, first.tags.get("0020|000e", ""))
    if len(files) < 2:
        return _read([path], what), ""
    return _read(files, f"the DICOM series of {path}"), f"{what} is one of the {len(files)} files of its DICOM series, which was read"


def _series_below(folder: Path) -> list[tuple[Path, str]]:
    """Return folder and UID of each series, of a folder and of those below it; a series in the folder itself hides those below."""
    found = []
    for current, folders, _ in os.walk(folder):
        folders.sort()
        found += [(Path(current), series) for series in sitk.ImageSeriesReader.GetGDCMSeriesIDs(current)]
        if found and Path(current) == folder:
            break
    return found


def _files(folder: Path, series: str) -> list[Path]:
    return [Path(name) for name in sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series)] if series else []


def _describe(path: Path, folder: Path, files: list[Path]) -> str:
    tags = _slice(files[0], f"the DICOM file {files[0]}").tags
    name = " ".join(filter(None, (tags.get("0008|0060", ""), tags.get("0008|103e", "")))) or "no description"
    where = "" if path == folder else f" in {path.relative_to(folder)}"
    return f"{name}{where}: {len(files)} file{'s' * (len(files) > 1)}, such as {files[0].name}"


def _slice(path: Path, what: str) -> Slice:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("GDCMImageIO")
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"{what} cannot be read: {path.name} is damaged or has no image", "convert it to NIfTI or NRRD first") from error
    tags = {key: reader.GetMetaData(key).strip(" \0") for key in reader.GetMetaDataKeys()}
    return Slice(path, tags, reader.GetSize(), reader.GetPixelID())


def _read(files: list[Path], what: str) -> sitk.Image:
    slices = [_slice(path, what) for path in files]
    if slices[0].tags.get("0008|0016", "").startswith(_SEGMENTATION):
        raise InputError(f"{what} is a DICOM segmentation", "convert it to a label map in NIfTI or NRRD first")
    kinds = {slice_.pixel for slice_ in slices}
    if len(files) == 1:
        frames = _check_frames(slices[0], what)
        files = [files[0]]
    else:
        frames = None
        files = _checked_stack(slices, what)
    try:
        if len(files) == 1:
            image = sitk.ReadImage(str(files[0]), imageIO="GDCMImageIO")
        else:  # slices with scales of their own have several types: the first alone would decide
            pixel = sitk.sitkFloat32 if len(kinds) > 1 else sitk.sitkUnknown
            image = sitk.ReadImage([str(path) for path in files], pixel, imageIO="GDCMImageIO")
    except RuntimeError as error:
        raise InputError(f"{what} cannot be read", "convert it to NIfTI or NRRD first") from error
    if frames is not None:
        _check_against_image(frames, image, what)
    return image


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
    turned = [slice_.path.name for slice_, own in zip(slices, axes, strict=True) if np.abs(own - common).max() > _SAME_DIRECTION]
    if turned:
        raise InputError(
            f"{what} has slices of differing orientation ({_some(turned)})", "remove what does not belong, such as a localizer"
        )
    order = np.argsort(places @ np.cross(common[:3], common[3:]), kind="stable")
    _check_regular(places[order], common, [slices[n] for n in order], what)
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


def _check_regular(places: np.ndarray, axes: np.ndarray, slices: list[Slice], what: str) -> None:
    """Raise InputError if positions (N, 3), mm, along the normal of the slices, are not ``first + k * step`` with a step along it."""
    normal = np.cross(axes[:3], axes[3:])
    along = places @ normal
    steps = np.diff(along)
    apart = steps[steps > _SMALLEST_TOLERANCE]
    if len(apart) < len(steps):
        _raise_several(slices, along, what)
    step = float(np.median(apart))
    tolerance = float(np.clip(_TOLERANCE * step, _SMALLEST_TOLERANCE, _LARGEST_TOLERANCE))
    regular = along[0] + np.arange(len(along)) * (along[-1] - along[0]) / (len(along) - 1)
    if np.abs(along - regular).max() > tolerance:
        gaps = [n for n in range(len(steps)) if abs(steps[n] - step) > tolerance]
        if gaps and min(steps[gaps]) > step and len(gaps) <= _NAMED:
            named = "; ".join(f"{steps[n]:.2f} mm between {_name(slices[n])} and {_name(slices[n + 1])}" for n in gaps)
            raise InputError(f"{what} has a gap: its slices are {step:.2f} mm apart, but {named}", _ADVICE_GAP)
        worst = int(np.argmax(np.abs(along - regular)))
        raise InputError(
            f"{what} has slices at unequal distances, {steps.min():.2f} to {steps.max():.2f} mm "
            f"({_name(slices[worst])} is {abs(along - regular)[worst]:.1f} mm from its place in a regular stack)",
            _ADVICE_GAP,
        )
    beside = places - places[0] - np.outer(along - along[0], normal)
    if np.linalg.norm(beside, axis=1).max() > tolerance:
        off = float(np.linalg.norm(beside[-1]))
        angle = np.degrees(np.arctan2(off, along[-1] - along[0]))
        raise InputError(
            f"{what} is sheared by {angle:.1f} degrees (a tilted gantry): its last slice is {off:.1f} mm beside the normal",
            "resample it to axes at right angles first: 3D Slicer does so when it loads the series",
        )


def _raise_several(slices: list[Slice], along: np.ndarray, what: str) -> None:
    groups: defaultdict[int, list[Slice]] = defaultdict(list)
    place = np.concatenate([[0], np.cumsum(np.diff(along) > _SMALLEST_TOLERANCE)])
    for number, slice_ in zip(place, slices, strict=True):
        groups[int(number)].append(slice_)
    most = max(groups.values(), key=len)
    differing = next((name for tag, name in _KINDS.items() if len({slice_.tags.get(tag, "") for slice_ in most}) == len(most)), "images")
    raise InputError(
        f"{what} holds up to {len(most)} images in one place ({differing}), {len(slices)} in {len(groups)} places",
        f"put the files of one of the {differing} into a folder of their own",
    )


def _check_frames(single: Slice, what: str) -> np.ndarray | None:
    """Return the positions (N, 3) of the frames of one file, mm; None if it has one frame or one position.

    Raises:
        InputError: if the frames are not a regular stack, or have no position.
    """
    frames = single.size[2] if len(single.size) > 2 else 1
    if frames < 2:
        return None
    places, axes = (_frame_values(single.path, tag, count) for tag, count in ((0x0032, 3), (0x0037, 6)))
    if not len(places) or not len(axes):
        raise InputError(f"{what} has {frames} frames without a position", "convert it to a volume in NIfTI or NRRD first")
    if len(places) == 1:  # nuclear medicine: one position, and a spacing for all
        return None
    if len(places) != frames:
        raise InputError(f"{what} has {frames} frames, but {len(places)} positions", "convert it to NIfTI or NRRD first")
    if np.abs(axes - axes[0]).max() > _SAME_DIRECTION:
        raise InputError(f"{what} has frames of differing orientation", "convert it to a volume in NIfTI or NRRD first")
    order = np.argsort(places @ np.cross(axes[0][:3], axes[0][3:]), kind="stable")
    named = [Slice(Path(f"frame {n + 1}"), {}, single.size, single.pixel) for n in order]
    _check_regular(places[order], axes[0], named, what)
    return places


def _frame_values(path: Path, element: int, count: int) -> np.ndarray:
    """Return the values (N, count) of every element (0020, ``element``) before the pixels, which SimpleITK does not give for frames."""
    content = path.read_bytes()
    end = content.find(b"\xe0\x7f\x10\x00")
    key = b"\x20\x00" + element.to_bytes(2, "little")
    values = []
    for match in re.finditer(re.escape(key) + rb"(?:DS..|..\x00\x00)([-+0-9.eE \\]+)", content[: end if end > 0 else None], re.DOTALL):
        try:
            numbers = [float(part) for part in match[1].split(b"\\")]
        except ValueError:
            continue
        if len(numbers) == count:
            values.append(numbers)
    return np.array(values).reshape(-1, count)


def _check_against_image(places: np.ndarray, image: sitk.Image, what: str) -> None:
    """Raise InputError if ITK places the frames elsewhere than they state."""
    read = np.array([image.TransformIndexToPhysicalPoint((0, 0, number)) for number in range(len(places))])
    far = float(np.linalg.norm(read - places, axis=1).max())
    if far > _LARGEST_TOLERANCE:
        raise InputError(f"{what} has frames that are read up to {far:.1f} mm from their places", "convert it to NIfTI or NRRD first")


def _name(slice_: Slice) -> str:
    return slice_.path.name


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
