"""Files of transforms: displacement fields, read and written, and other ITK transforms, read only."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry import itk_files, nifti, transform_text
from deepreg_engine.geometry.beyond import usable
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup, suffix
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.inversion import invert
from deepreg_engine.geometry.nifti_placement import placement_note
from deepreg_engine.geometry.stored_voxels import read_checked

IMAGE_FIELD_SUFFIXES = (".nrrd", ".nii.gz", ".nii", ".mha")
TRANSFORM_SUFFIXES = (".h5", ".hdf5", ".tfm", ".txt", ".mat", ".xfm")
WRITABLE_SUFFIXES = (*IMAGE_FIELD_SUFFIXES, ".h5", ".tfm")

# Intent code of a displacement field in NRRD and NIfTI.
_DISPLACEMENT_INTENT = "1006"
# How 3D Slicer states in NRRD whether a field takes fixed to moving points (as ITK's resampling does) or moving to fixed points.
_DIRECTION, _RESAMPLING, _MODELING = "displacement field type", "resampling", "modeling"
# How a NRRD file keeps the linear part of its field: 16 numbers, row by row, fixed to moving LPS points.
_ALIGNMENT = "deepreg alignment"
# Classes of 3D Slicer for transforms that it stores in the other direction.
_INVERSE_CLASS = re.compile(rb"Inverse(?:DisplacementField|BSpline|ThinPlateSplineKernel)Transform")
_CONVERT_INVERSE = "in 3D Slicer save it as .nrrd (5.10 or newer), or convert it to a grid transform in the module Transforms first"
# Largest share of folded voxels of a field that is inverted, and largest number of voxels of the inverse for each of its own.
_MOST_FOLDED = 0.01
_FURTHEST = 20
# Composites of real programs are never nested so deeply.
_DEEPEST = 8


def check_field_suffix(path: str | os.PathLike) -> None:
    """Raise InputError if a file name has no ending of :data:`WRITABLE_SUFFIXES`."""
    if suffix(path) not in WRITABLE_SUFFIXES:
        raise InputError(f"{path} does not have the ending of a transform file", f"use one of {' '.join(WRITABLE_SUFFIXES)}")


def add_field(files: FileGroup, path: str | os.PathLike, field: DisplacementField, alignment: np.ndarray | None = None) -> None:
    """Add a displacement field to a group of files, in the format of its ending.

    ``.nrrd``, ``.nii.gz``, ``.nii`` and ``.mha`` are vector images of LPS millimetres (NRRD with ``intent_code := 1006``
    and ``displacement field type := resampling``);
    ``.h5`` and ``.tfm`` are ITK displacement field transforms. SimpleITK, ANTs and 3D Slicer read them all.

    Args:
        files: the group.
        path: of the file.
        field: to write.
        alignment: matrix (4, 4) of its linear part, which the header of a NRRD file keeps (:func:`kept_alignment`); None if there is none.

    Raises:
        InputError: on any other ending.
        OutputError: if it cannot be written.
    """
    check_field_suffix(path)
    ending = suffix(path)
    if ending in (".h5", ".tfm"):
        files.add(path, lambda name: itk_files.write_transform(field.to_transform(), name))
        return
    image = field.to_image()
    if ending == ".nrrd":  # ITK's NIfTI writer sets its own intent and refuses this one
        image.SetMetaData("intent_code", _DISPLACEMENT_INTENT)
        image.SetMetaData(_DIRECTION, _RESAMPLING)
        if alignment is not None:
            image.SetMetaData(_ALIGNMENT, " ".join(repr(float(number)) for number in np.asarray(alignment).ravel()))
    # Floating-point fields hardly shrink: only .nii.gz is compressed.
    files.add(path, lambda name: itk_files.write_image(image, name, ending == ".nii.gz"))


def kept_alignment(path: str | os.PathLike) -> np.ndarray | None:
    """Return the matrix (4, 4) of the linear part that a field's file keeps in its header; None for other files."""
    if suffix(path) != ".nrrd" or not Path(path).is_file():
        return None
    try:
        header = itk_files.read_header(path)
        text = header.GetMetaData(_ALIGNMENT) if header.HasMetaDataKey(_ALIGNMENT) else ""
        numbers = np.array([float(word) for word in text.split()])
    except (RuntimeError, ValueError):
        return None
    return usable(numbers.reshape(4, 4)) if numbers.size == 16 else None


def write_field(path: str | os.PathLike, field: DisplacementField) -> None:
    """Write one displacement field, completely or not at all."""
    with FileGroup() as files:
        add_field(files, path, field)


def read_transform(path: str | os.PathLike, role: str = "transform", notes: list[str] | None = None) -> sitk.Transform:
    """Read any transform that takes fixed points to moving points: a displacement field or an ITK transform.

    Args:
        path: the file.
        role: its role in messages.
        notes: receives notes on what was decided in reading it.

    Raises:
        InputError: if the file is missing, damaged, or holds neither.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"the {role} {path} does not exist", "check the path")
    if suffix(path) in TRANSFORM_SUFFIXES:
        if _ends_too_early(path):
            raise InputError(f"the {role} {path} ends before its last number", "the file is damaged: get it again")
        if wrong := transform_text.damage(path):
            raise InputError(f"the {role} {path} {wrong}", "the file is damaged: get it again")
        try:
            transform = itk_files.read_transform(path)
        except (RuntimeError, UnicodeDecodeError) as error:  # the reader's message may repeat binary data
            inverse = path.is_file() and _INVERSE_CLASS.search(path.read_bytes())
            if inverse:
                message = f"the {role} {path} is of a class of 3D Slicer's own, {inverse[0].decode()}, which ITK cannot read"
                raise InputError(message, _CONVERT_INVERSE) from error
            raise InputError(
                f"the {role} {path} cannot be read as an ITK transform", "save it as .h5, .tfm or a displacement field"
            ) from error
        return _checked(_known(transform, f"the {role} {path}"), path, role)
    return read_field(path, role, notes).to_transform()


def read_field(path: str | os.PathLike, role: str = "displacement field", notes: list[str] | None = None) -> DisplacementField:
    """Read a displacement field that is sampled on a grid; see :func:`read_transform`.

    A NRRD file of ``displacement field type := modeling`` (3D Slicer, since September 2025) takes moving points to fixed points and is
    inverted.

    Raises:
        InputError: if the file is missing, or holds something else, such as a scalar image or an affine transform.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"the {role} {path} does not exist", "check the path")
    if suffix(path) in TRANSFORM_SUFFIXES:
        transform = read_transform(path, role)
        grid = field_grid(transform)
        if grid is None:
            raise InputError(f"the {role} {path} has no grid of its own ({transform.GetName()})", "give a displacement field")
        return DisplacementField.from_transform(transform, grid)
    what = f"the {role} {path}"
    image = _read_vectors(path, what)
    try:
        field = DisplacementField.from_image(sitk.Cast(image, sitk.sitkVectorFloat32))
    except InputError as error:
        raise error.about(what) from error
    found = [placement_note(path, field.grid, what)]
    direction = image.GetMetaData(_DIRECTION) if image.HasMetaDataKey(_DIRECTION) else _RESAMPLING
    if direction == _MODELING:
        field, note = _inverted(field, what)
        found.append(note)
    elif direction != _RESAMPLING:
        raise InputError(f"{what} has the unknown {_DIRECTION} {direction}", f"it is {_RESAMPLING} or {_MODELING}")
    if notes is not None:
        notes += filter(None, found)
    return field


def _read_vectors(path: Path, what: str) -> sitk.Image:
    """Return the 3D image of three floats per voxel in a file.

    Raises:
        InputError: if it is another image, or holds values that are not finite.
    """
    image = read_checked(path, what, "give a displacement field (.nrrd, .nii.gz, .h5) or an ITK transform")
    if image.GetDimension() == 5 and image.GetSize()[3] == 1:  # as other programs write NIfTI fields: x, y, z, 1, 3
        array = np.moveaxis(sitk.GetArrayFromImage(image)[:, 0], 0, -1)
        spatial = sitk.Extract(image[..., 0], [*image.GetSize()[:3], 0], [0] * 4)
        image = ImageGrid.of(spatial).to_image(np.ascontiguousarray(array), vector=True)
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 3:
        raise InputError(f"{what} is an image, not a displacement field", "a field has three components per voxel")
    if image.GetPixelID() not in (sitk.sitkVectorFloat32, sitk.sitkVectorFloat64):
        raise InputError(f"{what} is a colour image, not a displacement field", "a field holds millimetres as floats")
    if nifti.count_not_finite(path):
        raise InputError(f"{what} holds values that are not finite", "compute it again")
    return image


def _inverted(field: DisplacementField, what: str) -> tuple[DisplacementField, str]:
    """Return the inverse of a field, on a grid that covers the field's own grid and the points to which it maps, and a note.

    Raises:
        InputError: if it cannot be inverted.
    """
    refusal = InputError(f"{what} takes moving points to fixed points, and cannot be inverted", "give the field of the other direction")
    if np.mean(field.jacobian_determinant() <= 0) > _MOST_FOLDED:
        raise refusal
    index = field.grid.physical_to_index(field.map_points(field.grid.points().reshape(-1, 3)))
    start = np.minimum(np.floor(index.min(0)), 0)
    stop = np.maximum(np.ceil(index.max(0)) + 1, field.grid.size)
    if np.prod(stop - start) > _FURTHEST * field.grid.voxels:
        raise refusal
    inverse = invert(field, field.grid.cropped(start, stop))
    if inverse.mean_error > min(field.grid.spacing):
        raise refusal
    note = f"{what} takes moving points to fixed points ({_DIRECTION} {_MODELING}) and was inverted, to {inverse.worst_error:.2g} mm"
    return inverse.field, note


def field_grid(transform: sitk.Transform) -> ImageGrid | None:
    """Return the grid of a displacement field transform, alone or as the only part of a composite; None for other transforms."""
    if transform.GetName() == "CompositeTransform":
        composite = sitk.CompositeTransform(transform)
        if composite.GetNumberOfTransforms() != 1:
            return None
        transform = composite.GetNthTransform(0)
    if transform.GetName() != "DisplacementFieldTransform":
        return None
    return ImageGrid.of(sitk.DisplacementFieldTransform(transform).GetDisplacementField())


def _checked(transform: sitk.Transform, path: Path, role: str) -> sitk.Transform:
    if transform.GetDimension() != 3:
        raise InputError(f"the {role} {path} is {transform.GetDimension()}D", "give a 3D transform")
    if not _finite(transform):
        raise InputError(f"the {role} {path} holds values that are not finite", "compute it again")
    return transform


def _known(transform: sitk.Transform, what: str) -> sitk.Transform:
    """Return the transform, with each object of ITK's class MatrixOffsetTransformBase replaced by an equal affine transform.

    Raises:
        InputError: if SimpleITK does not support the class of a part that is not affine.
    """
    if transform.GetName() != "CompositeTransform":
        return transform
    if _of_unknown_class(transform):
        if len(transform.GetParameters()) != 12 or len(transform.GetFixedParameters()) != 3 or not transform.IsLinear():
            raise InputError(
                f"{what} is of a class that SimpleITK does not support", "save it as an affine transform or a displacement field"
            )
        affine = sitk.AffineTransform(3)
        affine.SetFixedParameters(transform.GetFixedParameters())
        affine.SetParameters(transform.GetParameters())
        return affine
    composite = sitk.CompositeTransform(transform)
    parts = [composite.GetNthTransform(number) for number in range(composite.GetNumberOfTransforms())]
    known = [_known(part, what) for part in parts]
    return transform if all(new is old for new, old in zip(known, parts, strict=True)) else sitk.CompositeTransform(known)


def _of_unknown_class(transform: sitk.Transform) -> bool:
    """Return whether SimpleITK does not support a transform's class; it then returns a composite of itself."""
    for _ in range(_DEEPEST):
        if transform.GetName() != "CompositeTransform":
            return False
        composite = sitk.CompositeTransform(transform)
        if composite.GetNumberOfTransforms() != 1:
            return False
        transform = composite.GetNthTransform(0)
    return True


def _ends_too_early(path: Path) -> bool:
    """Return whether a text file lacks the last line of a transform, which ITK then reads as the identity."""
    if suffix(path) not in (".tfm", ".txt"):
        return False
    content = path.read_bytes()
    begun = content.count(b"\nTransform:") - content.count(b"\nTransform: CompositeTransform")
    return content.startswith(b"#Insight Transform File") and content.count(b"\nFixedParameters:") < begun


def _finite(transform: sitk.Transform) -> bool:
    if transform.GetName() == "CompositeTransform":
        composite = sitk.CompositeTransform(transform)
        return all(_finite(composite.GetNthTransform(n)) for n in range(composite.GetNumberOfTransforms()))
    if transform.GetName() == "DisplacementFieldTransform":  # its parameters would be a tuple of millions of numbers
        field = sitk.DisplacementFieldTransform(transform).GetDisplacementField()
        return bool(np.isfinite(sitk.GetArrayViewFromImage(field)).all())
    return bool(np.isfinite(transform.TransformPoint((0.0, 0.0, 0.0))).all() and np.isfinite(transform.GetParameters()).all())
