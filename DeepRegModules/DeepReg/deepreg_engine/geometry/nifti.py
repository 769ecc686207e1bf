"""Defects of NIfTI files that ITK reads without an error or a warning.

ITK fills a file that ends too early with zeros, and reads voxels that are NaN or infinite as 0.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from dataclasses import dataclass
from io import BufferedReader

import numpy as np

from deepreg_engine.geometry.files import suffix

_SUFFIXES = (".nii", ".nii.gz")
_FLOATS = {16: "f4", 64: "f8"}
_CHUNK = 1 << 22
_Stream = gzip.GzipFile | BufferedReader


@dataclass(frozen=True)
class _Layout:
    """Layout of the voxels in a file.

    Args:
        order: byte order, "<" or ">".
        voxels: number of voxels.
        datatype: NIfTI's code of the data type.
        bits: bits per voxel.
        start: offset of the first voxel, bytes.
    """

    order: str
    voxels: int
    datatype: int
    bits: int
    start: int

    @property
    def end(self) -> int:
        """Size that the uncompressed file must have, bytes."""
        return self.start + (self.voxels * self.bits + 7) // 8


def ends_too_early(path: str | os.PathLike) -> bool:
    """Whether a NIfTI file has fewer voxels than its header states; False for files of other formats."""
    layout = _layout(path)
    if layout is None:
        return False
    if not _is_packed(path):
        return os.path.getsize(path) < layout.end
    with open(path, "rb") as stream:  # the file ends with its uncompressed size modulo 2^32; if that is right, it need not be decompressed
        stream.seek(-4, os.SEEK_END)
        if struct.unpack("<I", stream.read(4))[0] == layout.end & 0xFFFFFFFF:
            return False
    length = 0
    try:
        with gzip.open(path) as stream:
            while chunk := stream.read(_CHUNK):
                length += len(chunk)
    except (EOFError, OSError, zlib.error):
        pass  # the bytes before the damage count
    return length < layout.end


def count_not_finite(path: str | os.PathLike) -> int:
    """Number of values of a NIfTI file of floats that are NaN or infinite; 0 for other files."""
    layout = _layout(path)
    if layout is None or layout.datatype not in _FLOATS:
        return 0
    dtype = np.dtype(layout.order + _FLOATS[layout.datatype])
    count, left = 0, layout.voxels * dtype.itemsize
    with _open(path) as stream:
        stream.seek(layout.start)
        while left > 0:
            chunk = _read(stream, min(left, _CHUNK))
            if not chunk:
                break
            left -= len(chunk)
            values = np.frombuffer(chunk, dtype, len(chunk) // dtype.itemsize)
            count += int(values.size - np.count_nonzero(np.isfinite(values)))
    return count


def _read(stream: _Stream, size: int) -> bytes:
    """``size`` bytes, or all that are left if there are fewer."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _is_packed(path: str | os.PathLike) -> bool:
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _open(path: str | os.PathLike) -> _Stream:
    return gzip.open(path) if _is_packed(path) else open(path, "rb")


def _layout(path: str | os.PathLike) -> _Layout | None:
    """The layout of a NIfTI-1 or NIfTI-2 file; None for other files."""
    if suffix(path) not in _SUFFIXES:
        return None
    try:
        with _open(path) as stream:
            header = _read(stream, 544)
    except (EOFError, OSError, zlib.error):
        return None
    for order in "<>":
        if len(header) >= 348 and struct.unpack_from(order + "i", header)[0] == 348:
            sizes = struct.unpack_from(order + "8h", header, 40)
            datatype, bits = struct.unpack_from(order + "2h", header, 70)
            start = struct.unpack_from(order + "f", header, 108)[0]
        elif len(header) >= 540 and struct.unpack_from(order + "i", header)[0] == 540:
            datatype, bits = struct.unpack_from(order + "2h", header, 12)
            sizes = struct.unpack_from(order + "8q", header, 16)
            start = struct.unpack_from(order + "q", header, 168)[0]
        else:
            continue
        if not (1 <= sizes[0] <= 7 and math.isfinite(start)):
            return None
        voxels = math.prod(max(1, size) for size in sizes[1 : sizes[0] + 1])
        return _Layout(order, voxels, datatype, bits, int(start))
    return None
