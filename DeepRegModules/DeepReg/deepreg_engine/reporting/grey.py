"""From voxels to grey values that a reader sees: the window of each image, and where the patient is."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

# Lung per soft tissue from which a CT is one of the chest.
_LUNGS = 0.25
#: Above this grey value, 0 to 1, a voxel is of the patient.
VISIBLE = 0.05
# Percentiles of so many voxels are those of all of them.
_ENOUGH = 4_000_000

Window = tuple[float, float]


def grey_windows(fixed: sitk.Image, moving: sitk.Image) -> tuple[Window, Window]:
    """Values from black to white. Two CTs share one: of soft tissue, or of the lungs where both show much of them."""
    volumes = [_thinned(sitk.GetArrayViewFromImage(image)) for image in (fixed, moving)]
    ends = [np.percentile(volume, [1.0, 99.5]) for volume in volumes]
    ct = [-3100.0 < low < -800.0 for low, _ in ends]  # air in Hounsfield units
    if all(ct):
        lungs = min(np.mean((volume > -950) & (volume < -600)) / max(np.mean(volume > -300), 1e-6) for volume in volumes)
        return ((-1000.0, 400.0),) * 2 if lungs > _LUNGS else ((-200.0, 300.0),) * 2
    return tuple((-200.0, 300.0) if is_ct else (float(low), float(max(high, low + 1e-6))) for is_ct, (low, high) in zip(ct, ends))


def _thinned(volume: np.ndarray) -> np.ndarray:
    step = int(np.ceil((volume.size / _ENOUGH) ** (1.0 / 3.0)))
    return volume[::step, ::step, ::step]


def scaled(volume: np.ndarray, window: Window) -> np.ndarray:
    """Grey values from 0 to 1."""
    return np.clip((volume - window[0]) / (window[1] - window[0]), 0.0, 1.0)


def patient_mask(fixed: np.ndarray) -> np.ndarray:
    """Where the patient is in a volume of grey values 0 .. 1, lungs and bowel gas included; everywhere if that is hard to say."""
    from scipy import ndimage

    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[1, 1], in_plane[1, :, 1] = True, True
    body = np.pad(fixed > VISIBLE, 3, mode="edge")
    body = ndimage.binary_closing(body, in_plane, iterations=2)  # a thin chest wall may have gaps
    body = ndimage.binary_opening(ndimage.binary_fill_holes(body, in_plane), in_plane)[3:-3, 3:-3, 3:-3]
    return body if body.mean() > 0.02 else np.ones_like(body)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation of two arrays; 0 where it is not defined."""
    if first.size < 2 or first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
