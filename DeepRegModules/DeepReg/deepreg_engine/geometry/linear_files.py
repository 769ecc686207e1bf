"""Files of linear transforms, written for ITK, 3D Slicer and ANTs."""

from __future__ import annotations

import os

import SimpleITK as sitk

from deepreg_engine.geometry import itk_files
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup, suffix
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.transform_files import IMAGE_FIELD_SUFFIXES, add_field

#: ``.mat`` is ITK's binary Matlab format, in which ANTs writes its linear transforms.
LINEAR_SUFFIXES = (".tfm", ".h5", ".txt", ".mat")


def add_linear(files: FileGroup, path: str | os.PathLike, transform: sitk.AffineTransform, grid: ImageGrid) -> None:
    """Add a linear transform to a group of files, in the format of its ending.

    Those of :data:`LINEAR_SUFFIXES` hold an ITK affine transform, the class that all programs read. Images (``.nrrd``, ``.nii.gz``,
    ``.nii``, ``.mha``) hold its displacements on a grid.

    Args:
        files: the group.
        path: of the file.
        transform: takes fixed points to moving points, LPS mm.
        grid: of the displacements.

    Raises:
        InputError: on any other ending.
        OutputError: if it cannot be written.
    """
    if suffix(path) in IMAGE_FIELD_SUFFIXES or suffix(path) not in LINEAR_SUFFIXES:
        add_field(files, path, DisplacementField.from_transform(transform, grid))
    else:
        files.add(path, lambda name: itk_files.write_transform(transform, name))
