"""Whether the lengths of two images may be in different units: m, cm and mm, or a spacing that was lost. No SimpleITK."""

from __future__ import annotations

import numpy as np

from deepreg_engine.geometry.image_grid import ImageGrid

# Images whose extents differ by this factor along every axis may have spacings in different units.
_OTHER_UNIT = 5.0


def unit_factor(fixed: ImageGrid, moving: ImageGrid) -> float:
    """Return the ratio of the sizes of both images if all axes differ by a factor between two units of length; otherwise 1.

    The smallest factor of all axes counts, so that a thin slab of a large image gives 1.
    """
    ratios = np.sort(fixed.extent) / np.sort(moving.extent)
    if ratios.min() >= _OTHER_UNIT:
        return float(ratios.min())
    return float(ratios.max()) if ratios.max() <= 1.0 / _OTHER_UNIT else 1.0
