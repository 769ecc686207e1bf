"""Grey values for display: the window of each image, and the region of the patient."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

# Ratio of lung to soft tissue above which a CT is of the chest.
_LUNGS = 0.25
#: Grey value, 0 to 1, above which a voxel belongs to the patient.
VISIBLE = 0.05
# Approximate number of voxels from which percentiles are estimated.
_ENOUGH = 4_000_000

Window = tuple[float, float]
_CHEST: Window = (-1000.0, 400.0)
_SOFT: Window = (-200.0, 300.0)


def grey_windows(fixed: sitk.Image, moving: sitk.Image) -> tuple[Window, Window]:
    """Return the values of black and white for both images.

    Two CTs have the same window: of the lungs if both show the chest, else of soft tissue.
    """
    volumes = [_thinned(sitk.GetArrayViewFromImage(image)) for image in (fixed, moving)]
    ends = [np.percentile(volume, [1.0, 99.5]) for volume in volumes]
    ct = [-3100.0 < low < -800.0 for low, _ in ends]  # air in Hounsfield units
    if all(ct):
        lungs = min(np.mean((volume > -950) & (volume < -600)) / max(np.mean(volume > -300), 1e-6) for volume in volumes)
        window = _CHEST if lungs > _LUNGS else _SOFT
        return window, window
    first, second = (_SOFT if is_ct else (float(low), float(max(high, low + 1e-6))) for is_ct, (low, high) in zip(ct, ends, strict=True))
    return first, second


def _thinned(volume: np.ndarray) -> np.ndarray:
    step = int(np.ceil((volume.size / _ENOUGH) ** (1.0 / 3.0)))
    return volume[::step, ::step, ::step]


def scaled(volume: np.ndarray, window: Window) -> np.ndarray:
    """Return grey values from 0 to 1."""
    return np.clip((volume - window[0]) / (window[1] - window[0]), 0.0, 1.0)


def patient_mask(fixed: np.ndarray) -> np.ndarray:
    """Return the region of the patient (z, y, x), bool, in grey values 0 to 1; the whole volume if none is found.

    The region includes lungs and bowel gas.
    """
    from scipy import ndimage

    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[1, 1], in_plane[1, :, 1] = True, True
    body = np.pad(fixed > VISIBLE, 3, mode="edge")
    body = ndimage.binary_closing(body, in_plane, iterations=2)  # closes gaps in a thin chest wall
    body = ndimage.binary_opening(ndimage.binary_fill_holes(body, in_plane), in_plane)[3:-3, 3:-3, 3:-3]
    return body if body.mean() > 0.02 else np.ones_like(body)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation of two arrays; 0 where it is not defined."""
    if first.size < 2 or first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
