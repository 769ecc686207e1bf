"""Conversion between LPS and RAS coordinates.

The engine, ITK and DICOM use LPS (x towards the patient's left, y towards the back, z towards the head); 3D Slicer uses
RAS. Both have the same origin and millimetres, so the conversion changes the signs of x and y and is its own inverse.
"""

from __future__ import annotations

import numpy as np

LPS_RAS_SIGNS = np.array([-1.0, -1.0, 1.0])


def flip_points(points: np.ndarray) -> np.ndarray:
    """Convert points or vectors (..., 3), x, y, z in mm, from LPS to RAS or back."""
    return np.asarray(points, dtype=np.float64) * LPS_RAS_SIGNS
