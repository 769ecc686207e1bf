"""Colours of maps, as red, green and blue from 0 to 1.

Chosen so that those who see no red and green, and a printer without colours, still tell low from high.
"""

from __future__ import annotations

import numpy as np

#: Of folded voxels, as everywhere in this extension.
FOLD = np.array([1.0, 0.0, 1.0])
# From dark blue over green to yellow, of evenly rising lightness.
_LENGTH = np.array(
    [
        [0.27, 0.00, 0.33],
        [0.28, 0.17, 0.48],
        [0.23, 0.32, 0.55],
        [0.17, 0.44, 0.56],
        [0.13, 0.57, 0.55],
        [0.21, 0.69, 0.48],
        [0.43, 0.80, 0.35],
        [0.71, 0.87, 0.17],
        [0.99, 0.91, 0.14],
    ]
)
# Blue where the fixed side is larger, red where it is smaller.
_SMALLER, _LARGER = np.array([0.16, 0.42, 0.86]), np.array([0.88, 0.24, 0.14])


def length_colours(share: np.ndarray) -> np.ndarray:
    """Colours (..., 3) of shares 0 to 1 of the longest displacement."""
    place = np.clip(share, 0.0, 1.0) * (len(_LENGTH) - 1)
    return np.stack([np.interp(place, np.arange(len(_LENGTH)), channel) for channel in _LENGTH.T], axis=-1)


def jacobian_colours(determinant: np.ndarray, doublings: float) -> tuple[np.ndarray, np.ndarray]:
    """Colours (..., 3) of Jacobian determinants, and how much they cover what is below (...), 0 to 1.

    Args:
        determinant: of any size; 0 and less is a fold.
        doublings: of the volume at which the colour is full.
    """
    folded = determinant <= 0.0
    change = np.log2(np.where(folded, 1.0, np.maximum(determinant, 1e-6))) / doublings
    colours = np.where((change < 0)[..., None], _SMALLER, _LARGER)
    return np.where(folded[..., None], FOLD, colours), np.where(folded, 1.0, 0.85 * np.clip(np.abs(change), 0.0, 1.0))


def hexadecimal(colour: np.ndarray) -> str:
    """A colour as a page writes it."""
    return "#" + "".join(f"{round(255 * float(channel)):02x}" for channel in colour)


def length_stops(count: int = 9) -> list[str]:
    """The scale of lengths as colours of a gradient, from none to the longest."""
    return [hexadecimal(colour) for colour in length_colours(np.linspace(0.0, 1.0, count))]


def jacobian_stops(background: float = 0.45, count: int = 9) -> list[str]:
    """The scale of Jacobians as colours of a gradient over a grey, from half to double."""
    colours, cover = jacobian_colours(2.0 ** np.linspace(-1.0, 1.0, count), 1.0)
    return [hexadecimal(colour) for colour in cover[:, None] * colours + (1.0 - cover[:, None]) * background]
