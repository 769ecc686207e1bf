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
        start: offset of the first voxel, bytes; negative if the header's is not a number.
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

    @property
    def is_analyze(self) -> bool:
        """Whether it is the older format Analyze, which has no placement and no scale."""
        return self.header[344 if self.version == 1 else 4 :][:1] != b"n"

    @property
    def is_pair(self) -> bool:
        """Whether the voxels are in a file of their own, without the header."""
        return self.is_analyze or self.header[344 if self.version == 1 else 4 :][:3] in (b"ni1", b"ni2")

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel spacing along each axis, in the file's unit."""
        return self.numbers("8f" if self.version == 1 else "8d", 76, 104)[1 : 1 + len(self.sizes)]

    @property
    def scale(self) -> tuple[float, float]:
        """Slope and intercept of the values; a slope that is 0 or not finite stands for none."""
        slope, intercept = self.numbers("2f" if self.version == 1 else "2d", 112, 176)
        return slope, intercept

    def numbers(self, code: str, first: int, second: int) -> tuple:
        """Return the numbers of the header, by their struct code and their offsets in version 1 and 2."""
        return struct.unpack_from(self.order + code, self.header, first if self.version == 1 else second)


def layout(path: str | os.PathLike) -> Layout | None:
    """Return the layout of a NIfTI-1 or NIfTI-2 file, or of a pair of header and data; None for other files."""
    path = Path(path)
    if suffix(path) not in _SUFFIXES:
        return None
    found = _header(path)
    if found is None:
        return None
    header, order, version = found
    if version == 1:
        sizes, (datatype, bits) = struct.unpack_from(order + "8h", header, 40), struct.unpack_from(order + "2h", header, 70)
        start = struct.unpack_from(order + "f", header, 108)[0]
    else:
        sizes, (datatype, bits) = struct.unpack_from(order + "8q", header, 16), struct.unpack_from(order + "2h", header, 12)
        start = struct.unpack_from(order + "q", header, 168)[0]
    if not 1 <= sizes[0] <= 7:
        return None
    start = int(start) if math.isfinite(start) else -1
    return Layout(header, order, version, sizes[1 : sizes[0] + 1], datatype, bits, start)


def _header(path: Path) -> tuple[bytes, str, int] | None:
    """Return the bytes of a header, their order and the version of the format; None if it is no header of NIfTI or Analyze."""
    try:
        with _open(path.with_suffix(".hdr") if suffix(path) == ".img" else path) as stream:
            header = _read(stream, 544)
    except (EOFError, OSError, zlib.error):
        return None
    for order in "<>":
        for version, size in ((1, 348), (2, 540)):
            if len(header) >= size and struct.unpack_from(order + "i", header)[0] == size:
                return header, order, version
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
    if found is None or found.datatype not in _FLOATS or found.start < 0:
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
