"""Surface models in VTK's XML format, ``.vtp``: their points are read, and written as text; other arrays stay as they are."""

from __future__ import annotations

import base64
import zlib
from xml.etree import ElementTree

import numpy as np

from deepreg_engine.errors import InputError

_TYPES = {
    "Int8": "i1",
    "UInt8": "u1",
    "Int16": "i2",
    "UInt16": "u2",
    "Int32": "i4",
    "UInt32": "u4",
    "Int64": "i8",
    "UInt64": "u8",
    "Float32": "f4",
    "Float64": "f8",
    "String": "i1",
}
_APPENDED = b"<AppendedData"


class XmlModel:
    """The content of a ``.vtp`` file.

    Args:
        content: of the file.

    Raises:
        InputError: if it is not such a file, or compressed by another method than zlib.
        ValueError: if it is damaged.
    """

    def __init__(self, content: bytes) -> None:
        place = content.find(_APPENDED)
        head, self._tail = (content, b"") if place < 0 else (content[:place], content[place:])
        try:
            self._root = ElementTree.fromstring(head if place < 0 else head + b"</VTKFile>")
        except ElementTree.ParseError as error:
            raise ValueError("damaged XML") from error
        if self._root.tag != "VTKFile" or self._root.get("type") != "PolyData":
            raise InputError("is not a surface model", "give a .vtp file of surfaces")
        compressor = self._root.get("compressor", "")
        if compressor not in ("", "vtkZLibDataCompressor"):
            raise InputError(f"is compressed by {compressor}", "save it with zlib or without compression")
        self._order = ">" if self._root.get("byte_order") == "BigEndian" else "<"
        self._header = np.dtype(self._order + _TYPES[self._root.get("header_type", "UInt32")])
        self._compressed = bool(compressor)

    def points(self) -> np.ndarray:
        """Return the points (N, 3) of all pieces."""
        found = [self._values(array).reshape(-1, 3).astype(np.float64) for array in self._arrays()]
        return np.concatenate(found) if found else np.empty((0, 3))

    @property
    def has_normals(self) -> bool:
        """Whether the points have normals."""
        return any(array.get("Name") == "Normals" for array in self._root.iterfind(".//PointData/DataArray"))

    def space(self) -> str:
        """Return "LPS" or "RAS", or "" if the file does not state it."""
        for array in self._root.iterfind(".//FieldData/*"):
            if array.get("Name") == "SPACE":
                text = self._values(array).astype(np.uint8).tobytes().decode("latin-1")
                return next((space for space in ("RAS", "LPS") if space in text), "")
        return ""

    def with_points(self, points: np.ndarray) -> bytes:
        """Return the file with other points (N, 3), written as text."""
        root, start = ElementTree.fromstring(ElementTree.tostring(self._root)), 0
        for array in root.iterfind(".//Piece/Points/DataArray"):
            piece = self._size(root, array)
            for name in ("offset", "RangeMin", "RangeMax"):
                array.attrib.pop(name, None)
            for child in list(array):
                array.remove(child)
            array.set("format", "ascii")
            array.text = "\n" + "\n".join(" ".join(f"{v:.9g}" for v in point) for point in points[start : start + piece].tolist()) + "\n"
            start += piece
        text = ElementTree.tostring(root)
        return b'<?xml version="1.0"?>\n' + (text[: text.rindex(b"</VTKFile>")] + self._tail if self._tail else text)

    def _arrays(self) -> list[ElementTree.Element]:
        return list(self._root.iterfind(".//Piece/Points/DataArray"))

    @staticmethod
    def _size(root: ElementTree.Element, array: ElementTree.Element) -> int:
        """Return the number of points of the piece to which an array of points belongs."""
        for piece in root.iterfind(".//Piece"):
            if piece.find("Points/DataArray") is array:
                return int(piece.get("NumberOfPoints", "0"))
        raise ValueError("an array of points without a piece")

    def _values(self, array: ElementTree.Element) -> np.ndarray:
        """Return the numbers of an array."""
        dtype = np.dtype(self._order + _TYPES[array.get("type", "")])
        style = array.get("format", "ascii")
        if style == "ascii":
            return np.array((array.text or "").split(), dtype=np.float64)
        if style == "binary":
            return np.frombuffer(self._decoded((array.text or "").strip().encode("ascii")), dtype)
        start = self._tail.index(b"_") + 1 + int(array.get("offset", "0"))
        raw = self._tail[: self._tail.index(b">")].find(b'"raw"') >= 0
        return np.frombuffer(self._block(self._tail[start:]) if raw else self._decoded(self._tail[start:]), dtype)

    def _decoded(self, text: bytes) -> bytes:
        """Return the block at the beginning of base64 text; its header is encoded apart from compressed data, and together with others."""
        size = self._header.itemsize
        if not self._compressed:
            count = int(np.frombuffer(_unpacked(text, size), self._header)[0])
            return _unpacked(text, size + count)[size:]
        blocks = int(np.frombuffer(_unpacked(text, size), self._header)[0])
        length = size * (3 + blocks)
        header = np.frombuffer(_unpacked(text, length), self._header)
        total = int(header[3:].sum())
        return _inflated(header, _unpacked(text[4 * ((length + 2) // 3) :], total))

    def _block(self, data: bytes) -> bytes:
        """Return the block at the beginning of raw data."""
        size = self._header.itemsize
        first = int(np.frombuffer(data[:size], self._header)[0])
        if not self._compressed:
            return data[size : size + first]
        length = size * (3 + first)
        return _inflated(np.frombuffer(data[:length], self._header), data[length:])


def _unpacked(text: bytes, count: int) -> bytes:
    """Return the first bytes of base64 text; raises ValueError if there are fewer."""
    found = base64.b64decode(text[: 4 * ((count + 2) // 3)], validate=True)[:count]
    if len(found) < count:
        raise ValueError(count)
    return found


def _inflated(header: np.ndarray, data: bytes) -> bytes:
    """Return the compressed blocks that follow a header: number of blocks, their size, size of the last one, and the compressed sizes."""
    parts, start = [], 0
    try:
        for size in header[3:].tolist():
            parts.append(zlib.decompress(data[start : start + size]))
            start += size
    except zlib.error as error:
        raise ValueError("damaged block") from error
    return b"".join(parts)
