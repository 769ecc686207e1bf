"""Reading, checking, resampling and writing of images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry import dicom, nifti
from deepreg_engine.geometry.files import FileGroup, suffix
from deepreg_engine.geometry.header_faults import ignored_unit_note, missing_spacing_note
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.intensity_range import IntensityRange
from deepreg_engine.geometry.itk_files import write_image
from deepreg_engine.geometry.label_like import image_note
from deepreg_engine.geometry.nifti_placement import placement_note
from deepreg_engine.geometry.segments import copy_segments, layer_count
from deepreg_engine.geometry.stored_voxels import read_checked
from deepreg_engine.texts import counted

# Endings under which ITK writes a volume and its geometry in one file. A pair of header and data (.mhd, .img) cannot be renamed.
IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
#: Endings of label maps: 3D Slicer's segmentations are NRRD files with names of segments.
LABEL_SUFFIXES = (*IMAGE_SUFFIXES, ".seg.nrrd")
INTERPOLATORS = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor, "cubic": sitk.sitkBSpline}
# Voxels along each axis that two control points and the stencil of a feature need.
SMALLEST_SIZE = 4
# Spline interpolation may exceed the range 0 to 1 of probabilities by this much.
_OVERSHOOT = 0.2


def read_volume(path: str | os.PathLike, role: str = "image", notes: list[str] | None = None, labels: bool = False) -> sitk.Image:
    """Read a scalar 3D volume in its own pixel type, from a file that ITK can read, or a DICOM series.

    Args:
        path: the file; or a folder with a DICOM series, or any file of the series.
        role: its role in messages, such as "fixed image".
        notes: receives notes on what was decided in reading it.
        labels: whether it may be a DICOM segmentation, of which a label map is made.

    Raises:
        InputError: if it is missing, not an image, damaged, not 3D, sheared, complex, or has several components per voxel.
    """
    return _as_scalar_volume(read_image_file(path, role, notes, labels), Path(path), role, notes)


def read_image_file(path: str | os.PathLike, role: str, notes: list[str] | None = None, labels: bool = False) -> sitk.Image:
    """Read any image, of any dimension and number of components, complete and undamaged; see :func:`read_volume`."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"the {role} {path} does not exist", "check the path")
    own: list[str] = [] if notes is None else notes
    if path.is_dir():
        return dicom.read_folder(path, role, labels, own)
    if path.is_file() and dicom.is_dicom(path):
        return dicom.read_file(path, role, labels, own)
    return read_checked(path, f"the {role} {path}", "give a NIfTI, NRRD, MetaImage or DICOM volume")


def _as_scalar_volume(image: sitk.Image, path: Path, role: str, notes: list[str] | None) -> sitk.Image:
    what = f"the {role} {path}"
    while image.GetDimension() > 3 and image.GetSize()[-1] == 1:  # a time axis of length one
        extract = list(image.GetSize())
        extract[-1] = 0
        image = sitk.Extract(image, extract, [0] * image.GetDimension())
    _check_scalar_volume(image, what)
    if "vector" in image.GetPixelIDTypeAsString():  # a vector of one component, as for a time series of one frame
        image = sitk.VectorIndexSelectionCast(image, 0)
    try:
        grid = ImageGrid.of(image)
    except InputError as error:
        raise error.about(what) from error
    if notes is not None:
        found = (placement_note(path, grid, what), missing_spacing_note(path, what), ignored_unit_note(path, what))
        notes += [note for note in found if note]
    else:
        placement_note(path, grid, what)  # refuses shears
    return image


def _check_scalar_volume(image: sitk.Image, what: str) -> None:
    """Raise InputError unless an image is 3D, with one real component per voxel; ``what`` is its role and name."""
    if image.GetDimension() > 3:
        raise InputError(f"{what} is {image.GetDimension()}D ({image.GetSize()[-1]} times or channels)", "extract one 3D volume")
    if image.GetDimension() < 3:
        raise InputError(f"{what} is a {image.GetDimension()}D picture", "give a 3D volume")
    if "complex" in image.GetPixelIDTypeAsString():
        raise InputError(f"{what} has complex values", "take the magnitude first")
    components = image.GetNumberOfComponentsPerPixel()
    if components > 1 and layer_count(image) > 1:
        advice = "export its segments in 3D Slicer as a label map, or each group that does not overlap into a file of its own"
        raise InputError(f"{what} has segments that overlap, in {components} layers", advice)
    if components > 1:
        kind = "an RGB image or a vector field" if components == 3 else "a vector image"
        raise InputError(f"{what} has {components} components per voxel ({kind})", "give a scalar volume")


def check_intensities(image: sitk.Image, role: str, path: str | os.PathLike = "") -> sitk.Image:
    """Check that an image can be registered; returns it as float32.

    Raises:
        InputError: if it is thinner than :data:`SMALLEST_SIZE` voxels, constant, or holds NaN, infinity or more than a float32 can.
    """
    what = " ".join(str(part) for part in (f"the {role}", path) if str(part))
    size = image.GetSize()
    if min(size) < SMALLEST_SIZE:
        axis = "xyz"[int(np.argmin(size))]
        raise InputError(
            f"{what} is only {min(size)} voxel{'s' if min(size) > 1 else ''} thick along {axis}",
            f"3D registration needs at least {SMALLEST_SIZE}",
        )
    array = sitk.GetArrayViewFromImage(image)
    if array.dtype.kind == "f":
        bad = int(array.size - np.count_nonzero(np.isfinite(array)))
        bad = bad or (nifti.count_not_finite(path) if str(path) else 0)
        if bad:
            message = counted(bad, f"{what} holds 1 voxel that is NaN or infinite", f"{what} holds {bad} voxels that are NaN or infinite")
            raise InputError(message, "replace them by the background's value")
    if array.min() == array.max():
        raise InputError(f"{what} is constant (every voxel is {array.flat[0]})", "there is nothing to align")
    if array.dtype == np.float64 and max(array.max(), -array.min()) > np.finfo(np.float32).max:
        raise InputError(f"{what} holds values up to {max(array.max(), -array.min()):.0e}", "correct them: no scanner measures that")
    return sitk.Cast(image, sitk.sitkFloat32)


def read_image(path: str | os.PathLike, role: str = "image") -> sitk.Image:
    """Read an intensity image to be registered, as float32, with all checks.

    Raises:
        InputError: see :func:`read_volume` and :func:`check_intensities`.
    """
    return check_intensities(read_volume(path, role), role, path)


def read_labels(path: str | os.PathLike, role: str = "label map", notes: list[str] | None = None) -> sitk.Image:
    """Read a label map: whole numbers, 0 is background; kept in an integer type; for ``notes`` see :func:`read_volume`.

    Raises:
        InputError: if its values are not whole numbers.
    """
    image = read_volume(path, role, notes, labels=True)
    array = sitk.GetArrayViewFromImage(image)
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and np.array_equal(array, np.rint(array))):
            raise InputError(f"the {role} {path} holds values that are not whole numbers", "give a label map, not an image")
        largest = float(np.abs(array).max())
        if largest > np.iinfo(np.int32).max:
            raise InputError(f"the {role} {path} holds values up to {largest:.0e}", "give a label map, not an image")
        image = sitk.Cast(image, sitk.sitkInt32)
    if notes is not None and (note := image_note(image, role)):
        notes.append(note)
    return image


def read_mask(path: str | os.PathLike, grid: ImageGrid, role: str = "mask") -> tuple[sitk.Image, str]:
    """Read a mask onto a grid: not 0 is inside; of probabilities, at least 0.5 is.

    Returns:
        The mask as 8-bit 0 and 1 on the grid, and notes on how it was read, else "".

    Raises:
        InputError: if it has no voxel inside the grid, or holds NaN.
    """
    notes: list[str] = []
    image = read_volume(path, role, notes, labels=True)
    inside = image != 0
    if _has_fractions(image, f"the {role} {path}"):
        inside = image >= 0.5
        notes.append(f"the {role} holds probabilities: voxels of at least 0.5 are inside")
    elif note := image_note(image, role):
        notes.append(note)
    if sitk.GetArrayViewFromImage(inside).all():
        notes.append(f"the {role} has no voxel of the value 0: everything is inside")
    image = sitk.Cast(inside, sitk.sitkUInt8)
    elsewhere = not ImageGrid.of(image).same_as(grid)
    if elsewhere:
        notes.append(f"the {role} was on another grid ({ImageGrid.of(image).describe()}) and was resampled")
        image = resample(image, grid, interpolation="nearest")
    if not sitk.GetArrayViewFromImage(image).any():
        where = " on the image's grid" if elsewhere else ""
        raise InputError(f"the {role} {path} is empty{where}", "give a mask with voxels that are not 0")
    return image, "; ".join(notes)


def _has_fractions(image: sitk.Image, what: str) -> bool:
    """Return whether a mask holds probabilities instead of whole numbers; raises InputError for other fractions, and for NaN."""
    array = sitk.GetArrayViewFromImage(image)
    if array.dtype.kind != "f":
        return False
    if not np.isfinite(array).all():  # NaN differs from 0 and would count as inside
        raise InputError(f"{what} holds values that are NaN or infinite", "write 0 where it is not")
    if np.array_equal(array, np.rint(array)):
        return False
    low, high = float(array.min()), float(array.max())
    if low < -_OVERSHOOT or high > 1 + _OVERSHOOT:
        raise InputError(
            f"{what} holds fractions between {low:.3g} and {high:.3g}", "give a mask of whole numbers, or of probabilities from 0 to 1"
        )
    return True


def resample(
    image: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None = None, interpolation: str = "linear", default: float = 0.0
) -> sitk.Image:
    """Resample an image onto a grid, through a transform that takes points of the grid to points of the image.

    Args:
        image: scalar, 3D.
        grid: of the result.
        transform: None is the identity.
        interpolation: a key of :data:`INTERPOLATORS`.
        default: value outside the image.
    """
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(grid.size)
    resampler.SetOutputSpacing(grid.spacing)
    resampler.SetOutputOrigin(grid.origin)
    resampler.SetOutputDirection(grid.direction)
    resampler.SetInterpolator(INTERPOLATORS[interpolation])
    resampler.SetDefaultPixelValue(default)
    if transform is not None:
        resampler.SetTransform(transform)
    return resampler.Execute(image)


def background_value(image: sitk.Image) -> float:
    """Return the padding value for voxels outside an image: its minimum, apart from the padding of a scanner or a program.

    See :class:`IntensityRange`. CT scanners mark the corners outside their circular field of view with values far below air (-2000, -3024).
    Used as padding, these would make an edge that the patient does not have.
    """
    return IntensityRange.of(image).background


def without_outliers(image: sitk.Image) -> sitk.Image:
    """Return the image with all values clamped to its :class:`IntensityRange`: marks outside the field of view become background."""
    found = IntensityRange.of(image)
    return sitk.Clamp(image, lowerBound=found.low, upperBound=found.high) if found.clamps else image


def warp_intensities(
    moving: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None, interpolation: str = "linear", background: float | None = None
) -> sitk.Image:
    """Return an image resampled onto a grid through a transform, in its own pixel type.

    Outside the image it has the background, by default its background value, as far as its pixel type holds that.

    Integers are rounded and clipped to their range; ITK's resampling alone would truncate them.
    """
    if background is None:
        background = background_value(moving)
    kind, dtype = moving.GetPixelID(), sitk.GetArrayViewFromImage(moving).dtype
    if dtype.kind in "iu":
        background = float(np.clip(background, np.iinfo(dtype).min, np.iinfo(dtype).max))
    if interpolation == "nearest" or kind in (sitk.sitkFloat32, sitk.sitkFloat64):
        return resample(moving, grid, transform, interpolation, background)
    # float32 does not hold every integer of more than 16 bits, and ITK's own rounding wraps around at 2^30.
    wide = sitk.sitkFloat64 if dtype.itemsize > 2 else sitk.sitkFloat32
    warped = sitk.GetArrayFromImage(resample(sitk.Cast(moving, wide), grid, transform, interpolation, background))
    bounds = np.iinfo(dtype)
    return grid.to_image(np.clip(np.rint(warped, out=warped), bounds.min, bounds.max, out=warped).astype(dtype))


def warp_labels(labels: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None) -> sitk.Image:
    """Return a label map resampled onto a grid through a transform, 0 outside, with the names of its segments if it has them."""
    warped = resample(labels, grid, transform, "nearest")
    copy_segments(labels, warped)
    return warped


def add_image(files: FileGroup, path: str | os.PathLike, image: sitk.Image, compress: bool = True) -> None:
    """Add an image to a group of files, compressed if the format allows it and ``compress`` is true.

    Raises:
        InputError: if the ending is not that of an image file.
        OutputError: if it cannot be written.
    """
    check_image_suffix(path)
    compress = compress and suffix(path) in (".nii.gz", ".nrrd", ".mha", ".seg.nrrd")
    files.add(path, lambda name: write_image(image, name, compress))


def check_image_suffix(path: str | os.PathLike) -> None:
    """Raise InputError if a file name has no ending of :data:`LABEL_SUFFIXES`."""
    if suffix(path) not in LABEL_SUFFIXES:
        raise InputError(f"{path} does not have the ending of an image file that can be written", "use .nii.gz, .nrrd or .mha")
