"""The folded surface of the brain: sulci that cut into a smooth hull at right angles.

The lines of sulci on the hull are the zero crossings of a narrow-band random field, which have a nearly constant distance, as gyri have a
nearly constant width. The field is evaluated at the point of the hull nearest to each point, so that a sulcus extends at a right angle
from the surface, to a depth that varies along it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepreg_engine.phantoms.noise import NoiseField
from deepreg_engine.phantoms.shapes import Shape

_GRADIENT_STEP = np.float32(1.0)


class Folding:
    """Sulci on a hull.

    Args:
        rng: random generator of their courses.
        spacing: distance of neighbouring sulci, mm.
        depth: mean and standard deviation of their depth, mm.
        width: half of their width at the surface, mm.
    """

    def __init__(self, rng: np.random.Generator, spacing: float, depth: tuple[float, float], width: float) -> None:
        self._lines = NoiseField(rng, 2 * spacing, 0.22, size=72, samples=9.0)
        self._depths = NoiseField(rng, 30.0)
        self._depth, self._depth_spread = (np.float32(value) for value in depth)
        self._width = np.float32(width)
        self._steepness = np.float32(np.pi / spacing)

    def folded(self, hull: Shape, also: Shape | None = None) -> Shape:
        """Return the hull with sulci.

        Args:
            hull: smooth outer surface.
            also: further fissures to cut out.
        """

        def distance(points: np.ndarray) -> np.ndarray:
            below = hull.distance(points)
            deepest = float(self._depth + 2.5 * self._depth_spread) + 6.0
            result = below.copy()
            near = np.flatnonzero((below < 2.0) & (below > -deepest))
            if len(near):
                result[near] = self._cut(hull, points[:, near], below[near])
            if also is not None:
                result = np.maximum(result, -also.distance(points))
            return result

        return Shape(distance, hull.lower, hull.upper)

    def _cut(self, hull: Shape, points: np.ndarray, below: np.ndarray) -> np.ndarray:
        normal = _gradient(hull.distance, points, below)
        normal /= np.maximum(np.sqrt(np.einsum("cn,cn->n", normal, normal)), np.float32(0.1))
        surface = points - 0.9 * below * normal
        value = self._lines(surface)
        slope = _gradient(self._lines, surface, value)
        slope -= np.einsum("cn,cn->n", slope, normal) * normal
        steep = np.sqrt(np.einsum("cn,cn->n", slope, slope))
        aside = np.abs(value) / np.maximum(steep, 0.45 * self._steepness)
        floor = np.maximum(self._depth + self._depth_spread * self._depths(surface), 2.0)
        over = np.maximum(-below - floor, 0)
        # Sulci narrow towards their floor.
        open_width = self._width * np.clip(1.0 + below / (1.6 * floor), 0.25, 1.0)
        wall = np.sqrt(np.maximum(aside - open_width, 0) ** 2 + over**2)
        wall = np.where((aside < open_width) & (over == 0), aside - open_width, wall)
        return np.maximum(below, -wall).astype(np.float32)


def _gradient(field: Callable[[np.ndarray], np.ndarray], points: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return forward differences (3, N) of a field (3, N) -> (N,)."""
    gradient = np.empty_like(points)
    for axis in range(3):
        moved = points.copy()
        moved[axis] += _GRADIENT_STEP
        gradient[axis] = (field(moved) - value) / _GRADIENT_STEP
    return gradient
