"""Distances between the surfaces of two binary objects.

- The surface of an object consists of its voxels that share a face with a voxel outside it, or with the border of the image. Distances
  are between voxel centres, in mm.
- HD95 = the larger of the 95th percentiles of the distances from the surface of A to that of B, and from B to A.
- Mean surface distance = the mean over the points of both surfaces of the distance to the other surface (average symmetric surface
  distance).

Sources: Heimann et al., "Comparison and evaluation of methods for liver segmentation from CT datasets", IEEE TMI 2009;
the distances by Maurer, Qi and Raghavan, "A linear time algorithm for computing exact Euclidean distance transforms",
IEEE PAMI 2003, in ITK.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk


def surface_distances(first: np.ndarray, second: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float]:
    """Return HD95 and mean surface distance (mm) of two objects (z, y, x), bool, neither empty; spacing (x, y, z) in mm."""
    surfaces = [_surface(mask, spacing) for mask in (first, second)]
    there, back = (_distances(surfaces[a], surfaces[b]) for a, b in ((0, 1), (1, 0)))
    hd95 = max(np.percentile(there, 95), np.percentile(back, 95))
    return float(hd95), float(np.concatenate([there, back]).mean(dtype=np.float64))


def _surface(mask: np.ndarray, spacing: tuple[float, float, float]) -> sitk.Image:
    # Padding with one voxel of background gives the object a surface at the border of the image.
    image = sitk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8))
    image.SetSpacing(spacing)
    return sitk.LabelContour(image, fullyConnected=False)


def _distances(surface: sitk.Image, other: sitk.Image) -> np.ndarray:
    """Return distances (mm) from the points of one surface to the nearest point of another."""
    here = sitk.GetArrayViewFromImage(surface) != 0
    image = sitk.SignedMaurerDistanceMap(other, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    distances = sitk.GetArrayViewFromImage(image)[here]
    # Rounding in the filter makes the distance of common points differ from 0.
    distances[sitk.GetArrayViewFromImage(other)[here] != 0] = 0.0
    return distances
