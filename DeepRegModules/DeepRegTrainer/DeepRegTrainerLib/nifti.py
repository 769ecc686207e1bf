"""NIfTI files, written in pieces, so that the window stays responsive.

The layout is that of the standard NIfTI-1 (https://nifti.nimh.nih.gov/nifti-1): a header of 348 bytes, four of extensions, then the
voxels; here always packed with gzip. The header gives the position of the voxels twice, as a quaternion and as a matrix.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deepreg_slicer.nrrd import Geometry

# A piece takes some ten milliseconds to pack.
_PIECE_BYTES = 500_000
# Stronger compression takes three times as long for files a tenth smaller.
_PACKING = 1
_LONGEST_AXIS = 32767
_MILLIMETRES = 2
_TYPES = {
    "uint8": 2,
    "int16": 4,
    "int32": 8,
    "float32": 16,
    "float64": 64,
    "int8": 256,
    "uint16": 512,
    "uint32": 768,
    "int64": 1024,
    "uint64": 1280,
}


def write(path: str | Path, values: np.ndarray, geometry: Geometry) -> Iterator[float]:
    """Write an array as ``.nii.gz``; yields the share that is written. The file appears when it is complete.

    Args:
        path: of the file.
        values: flat, i fastest; one number a voxel.
        geometry: of the voxels.

    Raises:
        ValueError: if the array does not fit the geometry or the format.
        OSError: if the file cannot be written.
    """
    values = values.reshape(-1)
    if values.size != geometry.voxels:
        raise ValueError(f"{values.size} values for {geometry.voxels} voxels")
    if max(geometry.size) > _LONGEST_AXIS or values.dtype.name not in _TYPES:
        raise ValueError(f"{geometry.size} voxels of {values.dtype} do not fit a NIfTI file")
    path = Path(path)
    partial = path.with_name(f"{path.name}.part")
    try:
        with open(partial, "wb") as file, gzip.GzipFile("", "wb", _PACKING, file, mtime=0) as stream:
            stream.write(header(values.dtype, geometry) + b"\0\0\0\0")
            step = max(1, _PIECE_BYTES // values.itemsize)
            for start in range(0, values.size, step):
                stream.write(np.ascontiguousarray(values[start : start + step], dtype=values.dtype.newbyteorder("=")).tobytes())
                yield min(1.0, (start + step) / values.size)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def header(dtype: np.dtype, geometry: Geometry) -> bytes:
    """Return the 348 bytes before the voxels."""
    matrix = geometry.ijkToRas()
    rotation = matrix[:3, :3] / np.asarray(geometry.spacing)
    mirrored = np.linalg.det(rotation) < 0.0
    b, c, d = quaternion(rotation * (1.0, 1.0, -1.0) if mirrored else rotation)
    code = dtype.newbyteorder("=")
    found = bytearray(348)
    for offset, layout, *values in (
        (0, "i", 348),
        (38, "c", b"r"),
        (40, "8h", 3, *geometry.size, 1, 1, 1, 1),  # number of axes, and voxels along each
        (70, "2h", _TYPES[code.name], 8 * dtype.itemsize),
        (76, "4f", -1.0 if mirrored else 1.0, *geometry.spacing),
        (108, "2f", 352.0, 1.0),  # where the voxels begin, and their scale
        (123, "B", _MILLIMETRES),
        (148, "80s", f"DeepRegModules {sys.byteorder}".encode()),
        (252, "2h6f12f", 1, 1, b, c, d, *matrix[:3, 3], *matrix[:3].ravel()),
        (344, "4s", b"n+1\0"),
    ):
        struct.pack_into(f"={layout}", found, offset, *values)
    return bytes(found)


def quaternion(rotation: np.ndarray) -> tuple[float, float, float]:
    """Return the last three parts of the unit quaternion of a rotation 3x3; the first is not negative.

    From its eigenvector: K q = q for the symmetric matrix of I. Y. Bar-Itzhack, New Method for Extracting the Quaternion from a
    Rotation Matrix, Journal of Guidance 2000, eq. 3; valid for half turns too.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    k = np.zeros((4, 4))
    k[np.tril_indices(4)] = [xx - yy - zz, yx + xy, yy - xx - zz, zx + xz, zy + yz, zz - xx - yy, zy - yz, xz - zx, yx - xy, xx + yy + zz]
    b, c, d, a = np.linalg.eigh(k / 3.0)[1][:, -1].tolist()  # of the lower triangle
    sign = math.copysign(1.0, a)
    return sign * b, sign * c, sign * d
