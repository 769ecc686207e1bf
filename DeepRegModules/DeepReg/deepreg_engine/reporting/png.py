"""PNG files of arrays, in memory, without a picture library.

Format: ISO/IEC 15948 (PNG), 8 bits a channel, one row filter for each row, chosen by the smallest sum of absolute differences.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}


def png(pixels: np.ndarray) -> bytes:
    """Return a picture as the bytes of a PNG file.

    Args:
        pixels: (height, width) grey, or (height, width, 3) red, green, blue, or with alpha as the fourth; uint8.
    """
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or min(pixels.shape[:2]) < 1:
        raise ValueError(f"a picture of shape {pixels.shape} and type {pixels.dtype} cannot be written")
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(_filtered(pixels), 6)) + _chunk(b"IEND", b"")


def data_uri(pixels: np.ndarray) -> str:
    """Return a picture as a data address for a page."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")


def _filtered(pixels: np.ndarray) -> bytes:
    """Return filtered rows, each after the number of its filter."""
    height, width, channels = pixels.shape
    here = pixels.astype(np.int16)
    left, above, corner = np.zeros_like(here), np.zeros_like(here), np.zeros_like(here)
    left[:, 1:], above[1:], corner[1:, 1:] = here[:, :-1], here[:-1], here[:-1, :-1]
    predictions = (np.zeros_like(here), left, above, (left + above) // 2, _paeth(left, above, corner))
    rows = np.stack([(here - prediction).astype(np.uint8).reshape(height, width * channels) for prediction in predictions])
    cost = np.abs(rows.view(np.int8).astype(np.int32)).sum(axis=2)
    best = cost.argmin(axis=0)
    chosen = rows[best, np.arange(height)]
    return np.concatenate([best[:, None].astype(np.uint8), chosen], axis=1).tobytes()


def _paeth(left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Return the neighbour that is nearest to left + above - corner."""
    guess = left + above - corner
    apart = [np.abs(guess - neighbour) for neighbour in (left, above, corner)]
    first = (apart[0] <= apart[1]) & (apart[0] <= apart[2])
    return np.where(first, left, np.where(apart[1] <= apart[2], above, corner))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
