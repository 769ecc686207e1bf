"""Files of transforms: displacement fields, read and written, and other ITK transforms, read only."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry import nifti
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup, suffix
from deepreg_engine.geometry.image_grid import ImageGrid

IMAGE_FIELD_SUFFIXES = (".nrrd", ".nii.gz", ".nii", ".mha")
TRANSFORM_SUFFIXES = (".h5", ".hdf5", ".tfm", ".txt", ".mat", ".xfm")
WRITABLE_SUFFIXES = (*IMAGE_FIELD_SUFFIXES, ".h5", ".tfm")

# Intent code of a displacement field in NRRD and NIfTI.
_DISPLACEMENT_INTENT = "1006"


def check_field_suffix(path: str | os.PathLike) -> None:
    """Raise InputError if a file name has no ending of :data:`WRITABLE_SUFFIXES`."""
    if suffix(path) not in WRITABLE_SUFFIXES:
        raise InputError(f"{path} does not have the ending of a transform file", f"use one of {' '.join(WRITABLE_SUFFIXES)}")


def add_field(files: FileGroup, path: str | os.PathLike, field: DisplacementField) -> None:
    """Add a displacement field to a group of files, in the format of its ending.

    ``.nrrd``, ``.nii.gz``, ``.nii`` and ``.mha`` are vector images of LPS millimetres (NRRD with ``intent_code := 1006``);
    ``.h5`` and ``.tfm`` are ITK displacement field transforms. SimpleITK, ANTs and 3D Slicer read them all.

    Raises:
        InputError: on any other ending.
        OutputError: if it cannot be written.
    """
    check_field_suffix(path)
    ending = suffix(path)
    if ending in (".h5", ".tfm"):
        files.add(path, lambda name: sitk.WriteTransform(field.to_transform(), name))
        return
    image = field.to_image()
    if ending == ".nrrd":  # ITK's NIfTI writer sets its own intent and refuses this one
        image.SetMetaData("intent_code", _DISPLACEMENT_INTENT)
    # Floating-point fields hardly shrink: only .nii.gz is compressed.
    files.add(path, lambda name: sitk.WriteImage(image, name, useCompression=ending == ".nii.gz", compressionLevel=1))


def write_field(path: str | os.PathLike, field: DisplacementField) -> None:
    """Write one displacement field, completely or not at all."""
    with FileGroup() as files:
        add_field(files, path, field)


def read_transform(path: str | os.PathLike, role: str = "transform") -> sitk.Transform:
    """Read any transform that takes fixed points to moving points: a displacement field or an ITK transform.

    Raises:
        InputError: if the file is missing, damaged, or holds neither.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"the {role} {path} does not exist", "check the path")
    if suffix(path) in TRANSFORM_SUFFIXES:
        if _ends_too_early(path):
            raise InputError(f"the {role} {path} ends before its last number", "the file is damaged: get it again")
        try:
            transform = sitk.ReadTransform(str(path))
        except RuntimeError as error:
            raise InputError(
                f"the {role} {path} cannot be read as an ITK transform", "save it as .h5, .tfm or a displacement field"
            ) from error
        return _checked(transform, path, role)
    return read_field(path, role).to_transform()


def read_field(path: str | os.PathLike, role: str = "displacement field") -> DisplacementField:
    """Read a displacement field that is sampled on a grid.

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
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(
            f"the {role} {path} cannot be read", "give a displacement field (.nrrd, .nii.gz, .h5) or an ITK transform"
        ) from error
    if nifti.ends_too_early(path):
        raise InputError(f"the {role} {path} ends before its last voxel", "the file is damaged: get it again")
    if image.GetDimension() == 5 and image.GetSize()[3] == 1:  # as other programs write NIfTI fields: x, y, z, 1, 3
        array = np.moveaxis(sitk.GetArrayFromImage(image)[:, 0], 0, -1)
        spatial = sitk.Extract(image[..., 0], [*image.GetSize()[:3], 0], [0] * 4)
        image = ImageGrid.of(spatial).to_image(np.ascontiguousarray(array), vector=True)
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 3:
        raise InputError(f"the {role} {path} is an image, not a displacement field", "a field has three components per voxel")
    if image.GetPixelID() not in (sitk.sitkVectorFloat32, sitk.sitkVectorFloat64):
        raise InputError(f"the {role} {path} is a colour image, not a displacement field", "a field holds millimetres as floats")
    if nifti.count_not_finite(path):
        raise InputError(f"the {role} {path} holds values that are not finite", "compute it again")
    try:
        return DisplacementField.from_image(sitk.Cast(image, sitk.sitkVectorFloat32))
    except InputError as error:
        raise error.about(f"the {role} {path}") from error


def field_grid(transform: sitk.Transform) -> ImageGrid | None:
    """The grid of a displacement field transform, alone or as the only part of a composite; None for other transforms."""
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


def _ends_too_early(path: Path) -> bool:
    """Whether a text file lacks the last line of a transform, which ITK then reads as the identity."""
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
