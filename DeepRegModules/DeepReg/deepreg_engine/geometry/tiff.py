"""Where the pixels of a TIFF file are: a reader of its directories, without the pixels.

A file that was cut off in transfer still has its first pages, and libraries read these without an error.

TIFF Revision 6.0, Adobe, 1992; BigTIFF has the same structure with 64-bit offsets.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

# Tags of the offsets and of the lengths of strips and tiles.
_OFFSETS, _LENGTHS = (273, 324), (279, 325)
# Field types of whole numbers: 16, 32 and 64 bits.
_TYPES = {3: "H", 4: "I", 16: "Q"}


@dataclass(frozen=True)
class _Layout:
    """How numbers are stored: byte order, letter and bytes of an offset, and letter of the number of entries of a directory."""

    order: str
    offset: str
    width: int
    entries: str

    def read(self, stream: BinaryIO, letters: str) -> tuple[int, ...]:
        """Read numbers; raises struct.error at the end of the file."""
        form = self.order + letters
        return struct.unpack(form, stream.read(struct.calcsize(form)))


def pixel_parts(path: str | os.PathLike) -> list[tuple[int, int]]:
    """Return offset and length, bytes, of each directory and of each part of the pixels; empty if the file is no TIFF.

    A directory that does not lie in the file is the last part of the list.
    """
    with open(path, "rb") as stream:
        layout = _layout(stream.read(8))
        return [] if layout is None else list(_parts(stream, layout))


def _layout(begin: bytes) -> _Layout | None:
    order = {b"II": "<", b"MM": ">"}.get(begin[:2])
    if order is None or len(begin) < 8:
        return None
    version = struct.unpack(order + "H", begin[2:4])[0]
    return {42: _Layout(order, "I", 4, "H"), 43: _Layout(order, "Q", 8, "Q")}.get(version)


def _parts(stream: BinaryIO, layout: _Layout) -> Iterator[tuple[int, int]]:
    stream.seek(layout.width)  # the first offset follows the version, in BigTIFF also the width of offsets
    position, seen = 0, set()
    try:
        position = layout.read(stream, layout.offset)[0]
        while position and position not in seen:
            seen.add(position)
            stream.seek(position)
            entries = layout.read(stream, layout.entries)[0]
            found = {}
            for _ in range(entries):
                tag, kind, count = layout.read(stream, f"HH{layout.offset}")
                value = stream.read(layout.width)
                if tag in (*_OFFSETS, *_LENGTHS) and kind in _TYPES:
                    found[tag] = _numbers(stream, layout, _TYPES[kind], count, value)
            following = layout.read(stream, layout.offset)[0]
            for offsets, lengths in zip(_OFFSETS, _LENGTHS, strict=True):
                yield from zip(found.get(offsets, ()), found.get(lengths, ()), strict=False)
            position = following
    except struct.error:
        yield position, os.fstat(stream.fileno()).st_size + 1


def _numbers(stream: BinaryIO, layout: _Layout, letter: str, count: int, value: bytes) -> tuple[int, ...]:
    """Return the numbers of a field, which are in its ``value`` or at the offset that it holds; the stream stays where it is."""
    form = f"{layout.order}{count}{letter}"
    size = struct.calcsize(form)
    if size <= layout.width:
        return struct.unpack(form, value[:size])
    place = stream.tell()
    stream.seek(struct.unpack(layout.order + layout.offset, value)[0])
    numbers = struct.unpack(form, stream.read(size))
    stream.seek(place)
    return numbers
