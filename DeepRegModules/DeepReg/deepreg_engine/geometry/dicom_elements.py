"""The elements of a DICOM file, with sequences, up to the pixels. SimpleITK gives no element of a sequence.

Little and big endian, explicit and implicit value representations, and deflated files are read (PS3.5 of the standard).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deepreg_engine.errors import InputError

_IMPLICIT, _DEFLATED, _BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_NATIVE = (_IMPLICIT, "1.2.840.10008.1.2.1", _DEFLATED, _BIG)
_SYNTAX = 0x00020010
#: Tags of the pixel data: of whole numbers, of floats and of doubles.
PIXELS, FLOAT_PIXELS, DOUBLE_PIXELS = 0x7FE00010, 0x7FE00008, 0x7FE00009
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
# Value representations whose length has four bytes.
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
# Largest depth of nested sequences; a file with a deeper one is damaged.
_DEEPEST = 32


@dataclass
class Elements:
    """Elements of a file or of an item of a sequence.

    Args:
        values: by tag (group in the upper 16 bits), bytes or the items of a sequence.
        big: whether numbers are big endian.
        native: whether the pixels are not compressed.
        pixels: bytes of the pixel data; empty if there are none or they are compressed.
    """

    values: dict[int, bytes | list[Elements]] = field(default_factory=dict)
    big: bool = False
    native: bool = True
    pixels: bytes = b""

    def text(self, tag: int) -> str:
        """Return the text of an element, "" without one."""
        value = self.values.get(tag, b"")
        if not isinstance(value, bytes):
            return ""
        try:
            return value.decode("utf-8").strip(" \0")
        except UnicodeDecodeError:
            return value.decode("latin-1").strip(" \0")

    def numbers(self, tag: int, count: int) -> np.ndarray | None:
        """Return the decimal numbers of an element; None unless there are ``count`` finite ones."""
        try:
            values = np.array([float(part) for part in self.text(tag).split("\\")])
        except ValueError:
            return None
        return values if len(values) == count and np.isfinite(values).all() else None

    def whole(self, tag: int) -> int | None:
        """Return the unsigned binary number of an element of 2 or 4 bytes; None without one."""
        value = self.values.get(tag, b"")
        if not isinstance(value, bytes) or len(value) not in (2, 4):
            return None
        return int.from_bytes(value, "big" if self.big else "little")

    def items(self, tag: int) -> list[Elements]:
        """Return the items of a sequence; none without one."""
        value = self.values.get(tag, [])
        return value if isinstance(value, list) else []

    def all(self) -> Iterator[Elements]:
        """Yield these elements, and the elements of all items of their sequences."""
        yield self
        for value in self.values.values():
            for item in value if isinstance(value, list) else ():
                yield from item.all()


def read_elements(path: Path, what: str) -> Elements:
    """Return the elements of a file.

    Args:
        path: the file.
        what: its role and name, for messages.

    Raises:
        InputError: if it is damaged or cannot be read.
    """
    try:
        return _Parser(path.read_bytes()).parsed()
    except OSError as error:
        raise InputError(f"{what} cannot be read ({error.strerror or error})", "check it") from error
    except (ValueError, struct.error, zlib.error) as error:
        raise InputError(f"{what} cannot be read: {path.name} is damaged or has no image", "convert it to NIfTI or NRRD first") from error


class _Parser:
    """Parses the content of a file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._big = self._explicit = False
        self._native = True
        self._pixels = b""

    def parsed(self) -> Elements:
        """Return all elements before the pixels.

        Raises:
            ValueError, struct.error, zlib.error: if they are damaged.
        """
        at, meta = 132 if self._content[128:132] == b"DICM" else 0, Elements()
        self._explicit = True
        while self._content[at : at + 2] == b"\x02\x00":
            at = self._element(at, len(self._content), meta, 0)
        syntax = meta.text(_SYNTAX) or _IMPLICIT
        self._native, self._explicit, self._big = syntax in _NATIVE, syntax != _IMPLICIT, syntax == _BIG
        if syntax == _DEFLATED:
            self._content, at = zlib.decompress(self._content[at:], wbits=-zlib.MAX_WBITS), 0
        found = Elements(big=self._big, native=self._native)
        while at < len(self._content) and not self._pixels:
            at = self._element(at, len(self._content), found, 0)
        found.pixels = self._pixels if self._native else b""
        return found

    def _unpack(self, form: str, at: int) -> tuple[int, ...]:
        return struct.unpack_from((">" if self._big else "<") + form, self._content, at)

    def _tag(self, at: int) -> int:
        group, element = self._unpack("HH", at)
        return group << 16 | element

    def _header(self, at: int) -> tuple[int, bytes, int, int]:
        """Return an element's tag, value representation (b"" if it is implicit) and length, and the offset of its value."""
        tag = self._tag(at)
        if not self._explicit:
            return tag, b"", self._unpack("I", at + 4)[0], at + 8
        kind = self._content[at + 4 : at + 6]
        if not kind.isalpha() or not kind.isupper():
            raise ValueError(f"no value representation at {at}")
        if kind in _LONG:
            return tag, kind, self._unpack("I", at + 8)[0], at + 12
        return tag, kind, self._unpack("H", at + 6)[0], at + 8

    def _element(self, at: int, end: int, into: Elements, depth: int) -> int:
        """Read the element at an offset, add it to a set, and return the offset of the next element."""
        tag, kind, length, start = self._header(at)
        if depth == 0 and tag in (PIXELS, FLOAT_PIXELS, DOUBLE_PIXELS):
            into.values[tag] = b""
            return self._read_pixels(start, length)
        if length != _UNDEFINED and start + length > end:
            raise ValueError("an element is longer than the file")
        stop = end if length == _UNDEFINED else start + length
        if kind == b"SQ" or length == _UNDEFINED or (not kind and self._has_items(start, length)):
            explicit = self._explicit
            self._explicit = explicit and kind != b"UN"  # items of a sequence of type UN are written without types
            into.values[tag], stop = self._items(start, stop, length == _UNDEFINED, depth + 1)
            self._explicit = explicit
            return stop
        into.values[tag] = self._content[start:stop]
        return stop

    def _read_pixels(self, start: int, length: int) -> int:
        """Read the pixels, and return the offset of the next element."""
        stop = len(self._content) if length == _UNDEFINED else start + length
        if stop > len(self._content):
            raise ValueError("the pixels are cut")
        self._pixels = self._content[start:stop] or b"\0"
        return stop

    def _has_items(self, at: int, length: int) -> bool:
        return length >= 8 and self._tag(at) == _ITEM

    def _items(self, at: int, end: int, delimited: bool, depth: int) -> tuple[list[Elements], int]:
        """Return the items of a sequence, and the offset behind it."""
        if depth > _DEEPEST:
            raise ValueError("sequences are nested too deeply")
        found: list[Elements] = []
        while at < end:
            tag, (length,) = self._tag(at), self._unpack("I", at + 4)
            at += 8
            if tag == _SEQUENCE_END and delimited:
                return found, at
            if tag != _ITEM or (length != _UNDEFINED and at + length > end):
                raise ValueError("a sequence has no item where one should be")
            item, at = self._item(at, end if length == _UNDEFINED else at + length, length == _UNDEFINED, depth)
            found.append(item)
        if delimited:
            raise ValueError("a sequence has no end")
        return found, at

    def _item(self, at: int, end: int, delimited: bool, depth: int) -> tuple[Elements, int]:
        """Return an item of a sequence, and the offset behind it; ``at`` is the offset of its first element."""
        item = Elements(big=self._big)
        while at < end:
            if delimited and self._tag(at) == _ITEM_END:
                return item, at + 8
            at = self._element(at, end, item, depth)
        return item, at
