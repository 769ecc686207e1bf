"""Colours of maps, as red, green and blue from 0 to 1.

They can be distinguished with a red-green colour vision deficiency, and by their lightness in print without colours.
"""

from __future__ import annotations

import numpy as np

#: Colour of folded voxels, the same as in the panels.
FOLD = np.array([1.0, 0.0, 1.0])
#: Magnitudes from 0 to the end of their range, also in the panels: from blue to yellow, with increasing lightness, visible on black.
LENGTHS = np.array(
    [
        [0.16, 0.33, 0.90],
        [0.14, 0.46, 0.88],
        [0.14, 0.58, 0.80],
        [0.24, 0.68, 0.68],
        [0.42, 0.77, 0.54],
        [0.62, 0.84, 0.39],
        [0.82, 0.89, 0.25],
        [0.99, 0.91, 0.14],
    ]
)
# Blue where the fixed side is larger (determinant below 1), red where it is smaller.
_SMALLER, _LARGER = np.array([0.16, 0.42, 0.86]), np.array([0.88, 0.24, 0.14])


def length_colours(share: np.ndarray) -> np.ndarray:
    """Return colours (..., 3) for lengths (...), given as shares 0 to 1 of the longest displacement."""
    place = np.clip(share, 0.0, 1.0) * (len(LENGTHS) - 1)
    return np.stack([np.interp(place, np.arange(len(LENGTHS)), channel) for channel in LENGTHS.T], axis=-1)


def jacobian_colours(determinant: np.ndarray, doublings: float) -> tuple[np.ndarray, np.ndarray]:
    """Return colours (..., 3) for Jacobian determinants, and their opacity (...), 0 to 1.

    Args:
        determinant: (...); 0 or less is a fold.
        doublings: of the volume, at which the opacity is highest.
    """
    folded = determinant <= 0.0
    change = np.log2(np.where(folded, 1.0, np.maximum(determinant, 1e-6))) / doublings
    colours = np.where((change < 0)[..., None], _SMALLER, _LARGER)
    return np.where(folded[..., None], FOLD, colours), np.where(folded, 1.0, 0.85 * np.clip(np.abs(change), 0.0, 1.0))


def hexadecimal(colour: np.ndarray) -> str:
    """Return a colour as HTML writes it."""
    return "#" + "".join(f"{round(255 * float(channel)):02x}" for channel in colour)


def length_stops(count: int = 9) -> list[str]:
    """Return the colour scale of lengths as stops of a gradient, from 0 to the longest."""
    return [hexadecimal(colour) for colour in length_colours(np.linspace(0.0, 1.0, count))]


def jacobian_stops(background: float = 0.45, count: int = 9) -> list[str]:
    """Return the colour scale of Jacobian determinants over a grey as stops of a gradient, from half to double the volume."""
    colours, cover = jacobian_colours(2.0 ** np.linspace(-1.0, 1.0, count), 1.0)
    return [hexadecimal(colour) for colour in cover[:, None] * colours + (1.0 - cover[:, None]) * background]
