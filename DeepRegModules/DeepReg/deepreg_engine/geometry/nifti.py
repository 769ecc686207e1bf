"""The layout of NIfTI files, and voxels that ITK changes when it reads them: those that are NaN or infinite become 0."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np

from deepreg_engine.geometry.files import suffix

_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img")
_FLOATS = {16: "f4", 64: "f8"}
_CHUNK = 1 << 22
_Stream = gzip.GzipFile | BufferedReader


@dataclass(frozen=True)
class Layout:
    """The header of a NIfTI file, and the layout of its voxels.

    Args:
        header: its bytes.
        order: byte order, "<" or ">".
        version: 1 or 2.
        sizes: along each axis.
        datatype: NIfTI's code of the data type.
        bits: bits per voxel.
        start: offset of the first voxel, bytes.
    """

    header: bytes
    order: str
    version: int
    sizes: tuple[int, ...]
    datatype: int
    bits: int
    start: int

    @property
    def voxels(self) -> int:
        """Number of voxels, over all axes."""
        return math.prod(max(1, size) for size in self.sizes)

    @property
    def end(self) -> int:
        """Size that the uncompressed file must have, bytes."""
        return self.start + (self.voxels * self.bits + 7) // 8

    def numbers(self, code: str, first: int, second: int) -> tuple:
        """Return the numbers of the header, by their struct code and their offsets in version 1 and 2."""
        return struct.unpack_from(self.order + code, self.header, first if self.version == 1 else second)


def layout(path: str | os.PathLike) -> Layout | None:
    """Return the layout of a NIfTI-1 or NIfTI-2 file, or of a pair of header and data; None for other files."""
    path = Path(path)
    if suffix(path) not in _SUFFIXES:
        return None
    try:
        with _open(path.with_suffix(".hdr") if suffix(path) == ".img" else path) as stream:
            header = _read(stream, 544)
    except (EOFError, OSError, zlib.error):
        return None
    for order in "<>":
        if len(header) >= 348 and struct.unpack_from(order + "i", header)[0] == 348:
            version, sizes = 1, struct.unpack_from(order + "8h", header, 40)
            datatype, bits = struct.unpack_from(order + "2h", header, 70)
            start = struct.unpack_from(order + "f", header, 108)[0]
        elif len(header) >= 540 and struct.unpack_from(order + "i", header)[0] == 540:
            version, sizes = 2, struct.unpack_from(order + "8q", header, 16)
            datatype, bits = struct.unpack_from(order + "2h", header, 12)
            start = struct.unpack_from(order + "q", header, 168)[0]
        else:
            continue
        if not (1 <= sizes[0] <= 7 and math.isfinite(start) and start >= 0):
            return None
        return Layout(header, order, version, sizes[1 : sizes[0] + 1], datatype, bits, int(start))
    return None


def data_file(path: str | os.PathLike) -> Path:
    """Return the file that holds the voxels: the .img or .img.gz of a pair, else the file itself."""
    path = Path(path)
    if suffix(path) != ".hdr":
        return path
    return next((data for ending in (".img", ".img.gz") if (data := path.with_suffix(ending)).is_file()), path)


def count_not_finite(path: str | os.PathLike) -> int:
    """Return the number of values of a NIfTI file of floats that are NaN or infinite; 0 for other files."""
    found = layout(path)
    if found is None or found.datatype not in _FLOATS:
        return 0
    dtype = np.dtype(found.order + _FLOATS[found.datatype])
    count, left = 0, found.voxels * dtype.itemsize
    with _open(data_file(path)) as stream:
        stream.seek(found.start)
        while left > 0:
            chunk = _read(stream, min(left, _CHUNK))
            if not chunk:
                break
            left -= len(chunk)
            values = np.frombuffer(chunk, dtype, len(chunk) // dtype.itemsize)
            count += int(values.size - np.count_nonzero(np.isfinite(values)))
    return count


def _read(stream: _Stream, size: int) -> bytes:
    """Return ``size`` bytes, or all that are left if there are fewer."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def is_packed(path: str | os.PathLike) -> bool:
    """Return whether a file begins as gzip's do."""
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _open(path: str | os.PathLike) -> _Stream:
    return gzip.open(path) if is_packed(path) else open(path, "rb")
