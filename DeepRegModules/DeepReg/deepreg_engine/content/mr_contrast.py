"""Contrast of MR of a head, by the fluid in the brain and by the white matter beneath the cortex."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.content.body_shape import BodyShape
from deepreg_engine.content.sample import Sample

# Depths beneath the surface of the body, mm: cortex (or scalp), and the brain's inside with white matter and ventricles.
_NEAR, _DEEP, _FEWEST = (2.0, 14.0), (18.0, 34.0), 200
# Fluid is bright (T2): the brightest values of the inside lie further above its median than this share of it, and further by this
# factor than the darkest lie below it.
_BRIGHT_FLUID, _BRIGHTER = 1.1, 1.5
# Fluid is dark (T1, FLAIR): the darkest values of the inside lie further below its median than this share of it.
_DARK_FLUID = 0.3
# White matter is brighter than cortex (T1): the ratio of the medians of the inside and of what is near the surface; a smaller ratio is
# sufficient if nothing is much brighter than white matter. About equal, and brighter lesions or cortex: FLAIR.
_WHITE_MATTER, _SLIGHTLY, _BRIGHTEST = 1.15, 1.06, 0.3
# A scalp of fat, several times as bright as the brain, hides the cortex.
_SCALP = 1.6


def contrast_of(sample: Sample, body: BodyShape, part: str) -> tuple[str, str]:
    """Return "t1", "t2" or "flair", and why; "" and "" if the contrast of MR is not clear, or if it is not of a head."""
    if part != "head":
        return "", ""
    values, depth = sample.clamped, _depth(body)
    near = values[(depth >= _NEAR[0]) & (depth < _NEAR[1])]
    deep = values[(depth >= _DEEP[0]) & (depth < _DEEP[1])]
    if min(len(near), len(deep)) < _FEWEST:
        return "", ""
    background = sample.levels[0]
    darkest, median, brightest = (float(each) - background for each in np.quantile(deep, (0.05, 0.5, 0.95)))
    if median <= 0.0:
        return "", ""
    above, below = brightest / median - 1.0, 1.0 - darkest / median
    if above > _BRIGHT_FLUID and above > _BRIGHTER * below:
        return "t2", "T2: fluid is the brightest in the brain"
    if below < _DARK_FLUID or above > _BRIGHT_FLUID:
        return "", ""
    ratio = median / max(float(np.median(near)) - background, 1e-6)
    if ratio > _WHITE_MATTER or (ratio > _SLIGHTLY and above < _BRIGHTEST):
        return "t1", "T1: fluid is dark, white matter brighter than cortex"
    scalp = (float(np.quantile(near, 0.95)) - background) / median
    if ratio <= _SLIGHTLY and above >= _BRIGHTEST and scalp < _SCALP:
        return "flair", "FLAIR: fluid is dark, cortex as bright as white matter or brighter"
    return "", ""


def _depth(body: BodyShape) -> np.ndarray:
    """Return the depth (z, y, x) of each voxel beneath the surface of the body, mm; negative outside."""
    image = sitk.GetImageFromArray(np.pad(body.outline, 1).astype(np.uint8))
    image.SetSpacing(body.spacing[::-1])
    distances = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    return -sitk.GetArrayFromImage(distances)[1:-1, 1:-1, 1:-1]
