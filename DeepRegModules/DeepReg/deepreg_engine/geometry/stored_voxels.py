"""The check that a file holds all voxels that its header states, undamaged.

ITK fills files that end too early with zeros, and ignores damage of a compressed stream. Here the length of the data is compared
with the header, and a compressed stream is decompressed once so that zlib verifies its checksum (CRC-32 of gzip, Adler-32 of zlib).
NRRD, MetaImage, NIfTI and TIFF are examined, and any other file that is compressed by gzip as a whole.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry import nifti, nifti_placement, tiff
from deepreg_engine.geometry.files import suffix
from deepreg_engine.geometry.header_faults import header_fault
from deepreg_engine.geometry.itk_files import read_image
from deepreg_engine.geometry.text_headers import meta_image_header, nrrd_header, whole_numbers

_CHUNK = 1 << 20
# Deflate cannot compress to less than this share.
_HIGHEST_RATIO = 1040
_GZIP = b"\x1f\x8b"
_NRRD_BYTES = {"char": 1, "int8": 1, "short": 2, "int16": 2, "int": 4, "int32": 4, "float": 4, "longlong": 8, "int64": 8, "double": 8}
_META_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "FLOAT": 4, "LONG": 4, "ULONG": 4}
_META_BYTES |= {"LONG_LONG": 8, "ULONG_LONG": 8, "DOUBLE": 8}


@dataclass(frozen=True)
class StoredVoxels:
    """The part of a file that holds voxels.

    Args:
        path: the file with the voxels, which may differ from the file with the header.
        start: offset of the voxels, or of their compressed stream, bytes.
        length: bytes that must be there, uncompressed; 0 if that is not known.
        packed: whether they are compressed by gzip or zlib.
    """

    path: Path
    start: int
    length: int
    packed: bool

    def too_short(self) -> bool:
        """Return whether the file cannot hold that many voxels, by its size alone."""
        available = os.path.getsize(self.path) - self.start
        return available * (_HIGHEST_RATIO if self.packed else 1) < self.length

    def damage(self) -> str:
        """Return what is wrong with the voxels, "" if nothing is; compressed voxels are decompressed for that."""
        if self.too_short():
            return "ends before its last voxel"
        if not self.packed:
            return ""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self.start)
                length, complete = _decompressed(stream)
        except zlib.error:
            return "holds compressed voxels that do not agree with their checksum"
        return "" if complete and length >= self.length else "ends before its last voxel"


def _decompressed(stream: BinaryIO) -> tuple[int, bool]:
    """Return the number of bytes to which the rest of a file decompresses, and whether its last compressed part is complete.

    Raises:
        zlib.error: if the data or their checksum are wrong.
    """
    length, part, data = 0, zlib.decompressobj(wbits=47), b""  # 47: gzip or zlib, by its first bytes
    while True:
        data = data or stream.read(_CHUNK)
        if not data:
            return length, part.eof
        if part.eof:  # another gzip part may follow; zeros or other bytes after the last one are ignored
            if not (data + stream.read(1 if len(data) == 1 else 0)).startswith(_GZIP):
                return length, True
            part = zlib.decompressobj(wbits=47)
        length += len(part.decompress(data, 4 * _CHUNK))
        data = part.unused_data if part.eof else part.unconsumed_tail


def stored_voxels(path: str | os.PathLike) -> list[StoredVoxels]:
    """Return where the voxels of an image file are; empty for formats that are not known here, and for headers that are not understood."""
    path = Path(path)
    with open(path, "rb") as stream:
        begin = stream.read(16)
    layout = nifti.layout(path)
    if layout is not None:
        data = nifti.data_file(path)
        packed = nifti.is_packed(data)
        return [StoredVoxels(data, 0, layout.end, packed)]
    if begin.startswith(b"NRRD"):
        return list(_of_nrrd(path))
    if suffix(path) in (".mha", ".mhd"):
        return list(_of_meta_image(path))
    if suffix(path) in (".tif", ".tiff"):
        return [StoredVoxels(path, start, length, False) for start, length in tiff.pixel_parts(path)]
    return [StoredVoxels(path, 0, 0, True)] if begin.startswith(_GZIP) else []


def _of_nrrd(path: Path) -> Iterator[StoredVoxels]:
    fields, files, start = nrrd_header(path)
    encoding, size = fields.get("encoding", "").lower(), _nrrd_bytes(fields.get("type", ""))
    if encoding not in ("raw", "gzip", "gz") or not size:
        return
    packed = encoding != "raw"
    length = size * math.prod(whole_numbers(fields.get("sizes", "0")))
    if "datafile" not in fields:
        yield StoredVoxels(path, start, length, packed)
    elif fields.get("lineskip", "0") == "0":
        skip = 0 if packed else max(whole_numbers(fields.get("byteskip", "0"))[0], 0)
        for file in files:
            if file.is_file():
                yield StoredVoxels(file, skip, length // len(files), packed)


def _nrrd_bytes(name: str) -> int:
    """Return bytes per number of one of NRRD's many names for a type, such as "unsigned short int" or "uint16_t"; 0 for others."""
    words = [word for word in name.lower().removesuffix("_t").split() if word not in ("signed", "unsigned")]
    plain = "".join(words)
    if len(plain) > 3 or not words:
        plain = plain.removesuffix("int") if plain.startswith(("short", "longlong")) else plain
    return _NRRD_BYTES.get(plain.removeprefix("u"), 0)


def _of_meta_image(path: Path) -> Iterator[StoredVoxels]:
    fields, end = meta_image_header(path)
    size = _META_BYTES.get(fields.get("ElementType", "").removeprefix("MET_").removesuffix("_ARRAY"), 0)
    if not (end and size) or fields.get("BinaryData", "True").lower().startswith("f"):
        return
    length = size * math.prod(whole_numbers(fields.get("DimSize", "0")))
    length *= whole_numbers(fields.get("ElementNumberOfChannels", "1"))[0]
    packed = fields.get("CompressedData", "False").lower().startswith("t")
    name = fields["ElementDataFile"]
    if name.lower() == "local":
        yield StoredVoxels(path, end, length, packed)
    elif (path.parent / name).is_file():
        skip = whole_numbers(fields.get("HeaderSize", "0"))[0]
        yield StoredVoxels(path.parent / name, max(skip, 0), length, packed)


def read_checked(path: str | os.PathLike, what: str, advice: str) -> sitk.Image:
    """Read an image file of any kind, and check that its voxels are complete and undamaged.

    The check runs in a thread beside ITK's reading.

    Args:
        path: the file.
        what: its role and name, for messages.
        advice: which files can be read.

    Raises:
        InputError: if it is damaged, or not an image.
    """
    again = "the file is damaged: get it again"
    try:
        parts = stored_voxels(path)
    except OSError as error:
        raise InputError(f"{what} cannot be read ({error.strerror or error})", advice) from error
    if fault := header_fault(path):
        raise InputError(f"{what} {fault}", "correct its header with the program that wrote it")
    if any(part.too_short() for part in parts):
        raise InputError(f"{what} ends before its last voxel", again)
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(_first_damage, parts)
        try:
            image = read_image(path, [part.path for part in parts])
        except RuntimeError as error:
            damage, shear = checked.result(), nifti_placement.sheared(path)
            reason, advice = (damage, again) if damage else (shear, nifti_placement.RESAMPLE_FIRST) if shear else ("", advice)
            raise InputError(f"{what} {reason or 'cannot be read as an image'}", advice) from error
    if checked.result():
        raise InputError(f"{what} {checked.result()}", again)
    return image


def _first_damage(parts: list[StoredVoxels]) -> str:
    return next((damage for part in parts if (damage := part.damage())), "")
