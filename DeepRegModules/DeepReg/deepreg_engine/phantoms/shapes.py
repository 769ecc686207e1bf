"""Implicit shapes, given by signed distances (negative inside), and their combinations.

The distance to a curved shape is not exact here, but its gradient has length one near the surface, as soft edges, walls and layers
need. Points are arrays (3, N), rows x, y, z, in mm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

_FAR = 1e4


@dataclass(frozen=True)
class Shape:
    """A region of space.

    Args:
        distance: points (3, N) to signed distances (N,), mm.
        lower: (3,), lower corner of its bounding box, mm.
        upper: (3,), upper corner of its bounding box, mm.
    """

    distance: Callable[[np.ndarray], np.ndarray]
    lower: np.ndarray
    upper: np.ndarray

    def grown(self, margin: float) -> Shape:
        """Return the shape dilated by ``margin`` mm; eroded if it is negative."""
        reach = max(margin, 0.0)
        return Shape(lambda p: self.distance(p) - np.float32(margin), self.lower - reach, self.upper + reach)

    def minus(self, other: Shape, blend: float = 0.0) -> Shape:
        """Return the shape without the other; the new edge rounded over ``blend`` mm."""
        return Shape(lambda p: -smooth_minimum(-self.distance(p), other.distance(p), blend), self.lower, self.upper)

    def within(self, other: Shape, blend: float = 0.0) -> Shape:
        """Return the intersection with another shape; the new edge rounded over ``blend`` mm."""
        lower, upper = np.maximum(self.lower, other.lower), np.minimum(self.upper, other.upper)
        return Shape(lambda p: -smooth_minimum(-self.distance(p), -other.distance(p), blend), lower, upper)

    def roughened(self, field: Callable[[np.ndarray], np.ndarray], amplitude: float) -> Shape:
        """Return the shape with its surface displaced by a field of unit variance times ``amplitude`` mm."""
        reach = 2.5 * amplitude
        return Shape(lambda p: self.distance(p) + np.float32(amplitude) * field(p), self.lower - reach, self.upper + reach)


def smooth_minimum(first: np.ndarray, second: np.ndarray, blend: float) -> np.ndarray:
    """Return the minimum of two distances, with a fillet where they differ by less than ``blend`` mm."""
    smaller = np.minimum(first, second)
    if blend <= 0:
        return smaller
    overlap = np.maximum(np.float32(blend) - np.abs(first - second), 0)
    return smaller - overlap * overlap * np.float32(0.25 / blend)


def union(*shapes: Shape, blend: float = 0.0) -> Shape:
    """Return the union of shapes, with fillets over ``blend`` mm."""

    def distance(points: np.ndarray) -> np.ndarray:
        result = shapes[0].distance(points)
        for shape in shapes[1:]:
            result = smooth_minimum(result, shape.distance(points), blend)
        return result

    reach = blend / 4
    lower = np.min([shape.lower for shape in shapes], axis=0) - reach
    upper = np.max([shape.upper for shape in shapes], axis=0) + reach
    return Shape(distance, lower, upper)


def ellipsoid(centre: tuple | np.ndarray, radii: tuple | np.ndarray, axes: np.ndarray | None = None) -> Shape:
    """Return an ellipsoid; the columns of ``axes`` (3, 3) are its axes, by default those of the frame."""
    centre, radii = np.asarray(centre, dtype=np.float64), np.asarray(radii, dtype=np.float64)
    axes = np.eye(3) if axes is None else np.asarray(axes, dtype=np.float64)
    to_sphere = (axes / radii).T.astype(np.float32)
    to_gradient = (axes / radii**2).T.astype(np.float32)
    middle = centre.astype(np.float32)[:, None]

    def distance(points: np.ndarray) -> np.ndarray:
        offset = points - middle
        first = np.sqrt(_squared_length(to_sphere @ offset))
        second = np.sqrt(_squared_length(to_gradient @ offset))
        return first * (first - 1) / np.maximum(second, np.float32(1e-6))

    half = np.sqrt(((axes * radii) ** 2).sum(axis=1))
    return Shape(distance, centre - half, centre + half)


def capsule(start: tuple | np.ndarray, end: tuple | np.ndarray, first: float, last: float) -> Shape:
    """Return a straight tube with round ends whose radius changes from ``first`` to ``last`` mm."""
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    axis = (end - start).astype(np.float32)
    squared = np.float32(axis @ axis)
    origin = start.astype(np.float32)[:, None]

    def distance(points: np.ndarray) -> np.ndarray:
        offset = points - origin
        share = np.clip((axis @ offset) / squared, 0, 1)
        offset -= axis[:, None] * share
        return np.sqrt(_squared_length(offset)) - (np.float32(first) + np.float32(last - first) * share)

    reach = max(first, last)
    return Shape(distance, np.minimum(start, end) - reach, np.maximum(start, end) + reach)


def half_space(point: tuple | np.ndarray, normal: tuple | np.ndarray) -> Shape:
    """Return the side of a plane that its normal points away from."""
    normal = np.asarray(normal, dtype=np.float64) / np.linalg.norm(normal)
    offset = np.float32(normal @ np.asarray(point, dtype=np.float64))
    row = normal.astype(np.float32)
    return Shape(lambda p: row @ p - offset, np.full(3, -_FAR), np.full(3, _FAR))


def implicit(distance: Callable[[np.ndarray], np.ndarray], lower: tuple = (-_FAR,) * 3, upper: tuple = (_FAR,) * 3) -> Shape:
    """Return a shape given by its distance and, optionally, by its bounding box."""
    return Shape(distance, np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64))


def rotation(*turns: tuple[str, float]) -> np.ndarray:
    """Return a 3x3 rotation from turns about axes in degrees, the last one first: ``rotation(("z", 10), ("x", 5))``."""
    matrix = np.eye(3)
    for axis, degrees in turns:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        step = np.eye(3)
        step[first, first] = step[second, second] = c
        step[first, second], step[second, first] = -s, s
        matrix = matrix @ step
    return matrix


class Profile:
    """A smooth function of one variable through knots, such as the half-width of the body along z.

    Args:
        knots: pairs (position, value), ascending; the function is constant beyond the ends.
    """

    def __init__(self, *knots: tuple[float, float]) -> None:
        at, values = np.array(knots, dtype=np.float64).T
        self.at = np.linspace(at[0], at[-1], 512)
        self.values = PchipInterpolator(at, values)(self.at)

    def __call__(self, position: np.ndarray) -> np.ndarray:
        """Return values at positions, single precision."""
        return np.interp(position, self.at, self.values).astype(np.float32)

    def slope(self, position: np.ndarray) -> np.ndarray:
        """Return derivative at positions."""
        return np.interp(position, self.at, np.gradient(self.values, self.at)).astype(np.float32)


def column(half_width: Profile, half_depth: Profile, centre: Profile, exponent: float = 2.4) -> Callable[[np.ndarray], np.ndarray]:
    """Return the signed distance to a column along z whose cross-sections are super-ellipses of varying size, as the layers of the trunk.

    Args:
        half_width: half-axis along x at each z, mm.
        half_depth: half-axis along y.
        centre: y of the centre; x is 0.
        exponent: 2 is an ellipse; the larger, the closer to a rectangle.
    """
    power = np.float32(exponent)

    def distance(points: np.ndarray) -> np.ndarray:
        x, y, z = points
        a, b = half_width(z), half_depth(z)
        u, v = np.abs(x) / a, np.abs(y - centre(z)) / b
        u1, v1 = u ** (power - 1), v ** (power - 1)
        norm = np.maximum(u1 * u + v1 * v, np.float32(1e-9))
        radius = norm ** (1 / power)
        # d radius / d x = radius^(1-n) |u|^(n-1) / a, and along z through the half-axes.
        rise = (u1 * u * half_width.slope(z) / a + v1 * v * half_depth.slope(z) / b) * radius / norm
        gradient = np.sqrt((u1 / a) ** 2 + (v1 / b) ** 2) * radius / norm
        return (radius - 1) / np.sqrt(gradient * gradient + rise * rise)

    return distance


def _squared_length(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("cn,cn->n", vectors, vectors)
