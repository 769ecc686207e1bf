"""DICOM files of several frames, written element by element: enhanced images and segmentations whose frames the tests choose."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from dicom_series import UID

SYNTAXES = {
    "explicit": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big": "1.2.840.10008.1.2.2",
}
#: Compressed pixels, which are fragments in items.
COMPRESSED = {"RLE": "1.2.840.10008.1.2.5", "JPEG-LS": "1.2.840.10008.1.2.4.80", "JPEG 2000": "1.2.840.10008.1.2.4.90"}
LABEL_MAPS = "1.2.840.10008.5.1.4.1.1.66.7"
CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2.1", "MR": "1.2.840.10008.5.1.4.1.1.4.1", "SEG": "1.2.840.10008.5.1.4.1.1.66.4"}
_LONG = ("OB", "OW", "SQ", "UN", "UT")


def encoded(elements: dict, syntax: str) -> bytes:
    """A data set: (group, element, representation) to a text, a number, an array of numbers, bytes, or a list of data sets."""
    order, out = ">" if syntax == "big" else "<", b""
    for (group, element, kind), value in sorted(elements.items()):
        if kind == "SQ":
            data = b"".join(struct.pack(order + "HHI", 0xFFFE, 0xE000, len(item)) + item for item in (encoded(v, syntax) for v in value))
        elif kind in ("US", "OW"):
            data = np.asarray(value, dtype=f"{order}u2").tobytes() if not isinstance(value, bytes) else value
        elif kind == "OB":
            data = value
        else:
            text = "\\".join(f"{v:.6f}".rstrip("0").rstrip(".") for v in value) if isinstance(value, (list, tuple, np.ndarray)) else value
            data = text.encode()
        data += (b"\0" if kind in ("UI", "OB") else b" ") * (len(data) % 2)
        out += struct.pack(order + "HH", group, element)
        if syntax == "implicit":
            out += struct.pack("<I", len(data))
        elif kind in _LONG:
            out += kind.encode() + struct.pack(order + "HI", 0, len(data))
        else:
            out += kind.encode() + struct.pack(order + "H", len(data))
        out += data
    return out


def write_dicom(path: Path, elements: dict, syntax: str = "explicit") -> Path:
    """Write a data set as a DICOM file, and return its path; of compressed pixels each frame is one fragment."""
    name = {**SYNTAXES, **COMPRESSED}[syntax].encode()
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(name) + len(name) % 2) + name + b"\0" * (len(name) % 2)
    content = encoded(elements, syntax if syntax in ("implicit", "big") else "explicit")
    if syntax == "deflated":
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        content = packer.compress(content) + packer.flush()
    path.write_bytes(b"\0" * 128 + b"DICM\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta)) + meta + content)
    return path


def fragments(frames: list[bytes]) -> bytes:
    """Pixel data of compressed frames, with an empty table of offsets, as an element of undefined length."""
    items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(frame)) + frame for frame in (b"", *frames))
    return struct.pack("<HH", 0x7FE0, 0x0010) + b"OB\0\0\xff\xff\xff\xff" + items + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def run_lengths(frame: np.ndarray) -> bytes:
    """A frame of 8 bits (y, x) by run lengths, without runs (PS3.5, annex G)."""
    data = frame.astype(np.uint8).tobytes()
    parts = b"".join(bytes([len(data[n : n + 128]) - 1]) + data[n : n + 128] for n in range(0, len(data), 128))
    return struct.pack("<16I", 1, 64, *[0] * 14) + parts + b"\0" * (len(parts) % 2)


def enhanced(
    kind: str, array: np.ndarray, places: np.ndarray, axes: np.ndarray, spacing=(0.9, 1.2), own: list[dict] | None = None, **more
) -> dict:
    """An enhanced image of 16-bit frames (frame, y, x).

    Args:
        kind: "CT" or "MR".
        array: stored values.
        places: of the first voxel of each frame, LPS mm.
        axes: (3, 3), columns are the directions of x, y and the normal.
        spacing: along x and y, mm.
        own: further elements of each frame.
        more: elements to replace, by group and element as ``t0008_0060=("CS", "CT")``.
    """
    count, rows, columns = array.shape
    signed = array.dtype.kind == "i"
    elements = {
        (0x0008, 0x0016, "UI"): CLASSES[kind],
        (0x0008, 0x0018, "UI"): f"{UID}9.1",
        (0x0008, 0x0060, "CS"): kind,
        (0x0020, 0x000D, "UI"): f"{UID}1",
        (0x0020, 0x000E, "UI"): f"{UID}9",
        (0x0028, 0x0002, "US"): 1,
        (0x0028, 0x0004, "CS"): "MONOCHROME2",
        (0x0028, 0x0008, "IS"): str(count),
        (0x0028, 0x0010, "US"): rows,
        (0x0028, 0x0011, "US"): columns,
        (0x0028, 0x0100, "US"): 16,
        (0x0028, 0x0101, "US"): 16,
        (0x0028, 0x0102, "US"): 15,
        (0x0028, 0x0103, "US"): int(signed),
        (0x5200, 0x9229, "SQ"): [
            {
                (0x0020, 0x9116, "SQ"): [{(0x0020, 0x0037, "DS"): [*axes[:, 0], *axes[:, 1]]}],
                (0x0028, 0x9110, "SQ"): [{(0x0028, 0x0030, "DS"): [spacing[1], spacing[0]], (0x0018, 0x0050, "DS"): "3"}],
            }
        ],
        (0x5200, 0x9230, "SQ"): [
            {(0x0020, 0x9113, "SQ"): [{(0x0020, 0x0032, "DS"): place}], **(own[number] if own else {})}
            for number, place in enumerate(places)
        ],
        (0x7FE0, 0x0010, "OW"): array.astype(np.int16 if signed else np.uint16).view(np.uint16),
    }
    for name, (representation, value) in more.items():
        elements[int(name[1:5], 16), int(name[6:], 16), representation] = value
    return elements


def scale(slope: float, intercept: float) -> dict:
    """The scale of a frame."""
    values = {(0x0028, 0x1052, "DS"): [intercept], (0x0028, 0x1053, "DS"): [slope], (0x0028, 0x1054, "LO"): "US"}
    return {(0x0028, 0x9145, "SQ"): [values]}


def segmentation(
    frames: list[tuple[int, np.ndarray, np.ndarray]], names: dict[int, str], axes: np.ndarray, step: float = 0.0, kind="BINARY"
) -> dict:
    """A segmentation.

    Args:
        frames: segment, position (LPS mm) and voxels (y, x) of each; voxels are 0 and 1, or fractions from 0 to 1.
        names: of the segments.
        axes: as of :func:`enhanced`.
        step: between slices, mm; 0 does not state it.
        kind: BINARY, FRACTIONAL, or LABELMAP, in which voxels are the segments themselves.
    """
    array = np.array([voxels for _, _, voxels in frames])
    own = [{(0x0062, 0x000A, "SQ"): [{(0x0062, 0x000B, "US"): segment}]} for segment, _, _ in frames]
    elements = enhanced("CT", array.astype(np.uint16), np.array([place for _, place, _ in frames]), axes, own=own)
    measures = {(0x0028, 0x0030, "DS"): [1.2, 0.9], **({(0x0018, 0x0088, "DS"): [step]} if step else {})}
    elements[0x5200, 0x9229, "SQ"][0][0x0028, 0x9110, "SQ"] = [measures]
    binary, mapped = kind == "BINARY", kind == "LABELMAP"
    bits = np.packbits(array.astype(bool).ravel(), bitorder="little").tobytes()
    del elements[0x7FE0, 0x0010, "OW"]
    stored = array.astype(np.uint8) if mapped else np.rint(100 * array).astype(np.uint8)
    return elements | {
        (0x0008, 0x0016, "UI"): LABEL_MAPS if mapped else CLASSES["SEG"],
        (0x0008, 0x0060, "CS"): "SEG",
        (0x0028, 0x0100, "US"): 1 if binary else 8,
        (0x0028, 0x0101, "US"): 1 if binary else 8,
        (0x0028, 0x0102, "US"): 0 if binary else 7,
        (0x0062, 0x0001, "CS"): kind,
        (0x0062, 0x0002, "SQ"): [{(0x0062, 0x0004, "US"): number, (0x0062, 0x0005, "LO"): name} for number, name in names.items()],
        **({} if binary or mapped else {(0x0062, 0x000E, "US"): 100}),
        (0x7FE0, 0x0010, "OB"): bits if binary else stored.tobytes(),
    }
