"""Round and flattened tubes along centrelines: vessels, gut, ribs, nerves.

A tube is a dense row of samples along its centreline; the distance of a point is measured to its nearest sample, near which the centreline
is taken as straight.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import KDTree

from deepreg_engine.phantoms.shapes import Shape

_OUTSIDE = np.float32(1e3)
# Distance (mm) from the surface up to which walls, layers and fillets need it.
_REACH = 12.0


@dataclass(frozen=True)
class Centreline:
    """Samples along one or many centrelines.

    Args:
        positions: (N, 3), mm.
        tangents: (N, 3), unit vectors along the line.
        radii: (N,), mm.
        along: (N,), arc length from the start of each line, mm.
    """

    positions: np.ndarray
    tangents: np.ndarray
    radii: np.ndarray
    along: np.ndarray

    def joined(self, *others: Centreline) -> Centreline:
        """Return the samples of this line and others in one set."""
        lines = (self, *others)
        return Centreline(*(np.concatenate([getattr(line, part.name) for line in lines]) for part in fields(self)))

    def subset(self, mask: np.ndarray) -> Centreline:
        """Return the samples where a mask (N,) is true."""
        return Centreline(*(getattr(self, part.name)[mask] for part in fields(self)))


def centreline(knots: np.ndarray | list, radii: np.ndarray | list | float, step: float = 2.0) -> Centreline:
    """Sample a smooth line through knots.

    Args:
        knots: (K, 3), mm, K at least 2.
        radii: one for all knots or one each, mm.
        step: distance of the samples, mm.
    """
    knots = np.asarray(knots, dtype=np.float64)
    radii = np.broadcast_to(np.asarray(radii, dtype=np.float64), len(knots))
    chord = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    count = max(int(chord[-1] / step) + 1, 2)
    at = np.linspace(0.0, chord[-1], count)
    kind = "natural" if len(knots) > 2 else "not-a-knot"
    spline = CubicSpline(chord, knots, bc_type=kind) if len(knots) > 2 else None
    if spline is None:
        positions = knots[0] + (knots[1] - knots[0]) * (at / chord[-1])[:, None]
        tangents = np.broadcast_to((knots[1] - knots[0]) / chord[-1], positions.shape).copy()
    else:
        positions, tangents = spline(at), spline(at, 1)
        tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-9)
    return Centreline(positions, tangents, np.interp(at, chord, radii), at)


def tube(
    line: Centreline, waist: tuple[float, float] | None = None, flat: tuple[float, np.ndarray] | None = None, reach: float = _REACH
) -> Shape:
    """Return the solid tube around a centreline.

    Args:
        line: its centreline; lines with very different radii need one tube each.
        waist: (period in mm, depth as a share of the radius): constrictions at regular distances, as the haustra of
            the colon.
        flat: (share, normals (N, 3)): thickness along the normals as a share of the thickness across them, as in a rib.
        reach: distance (mm) from the surface beyond which a large constant is returned.
    """
    tree = KDTree(line.positions, leafsize=16)
    half_step = np.float32(_half_step(line))
    positions, tangents = line.positions.astype(np.float32), line.tangents.astype(np.float32)
    radii = line.radii.astype(np.float32)
    if waist is not None:
        period, depth = waist
        radii = radii * (1 - np.float32(depth) * (0.5 - 0.5 * np.cos(2 * np.pi * line.along / period)) ** 4).astype(np.float32)
    # Between samples the radius changes linearly, or a tube with constrictions would have steps.
    widening = np.zeros(len(radii), dtype=np.float32)
    same_line = np.diff(line.along) > 0
    widening[:-1][same_line] = (np.diff(radii) / np.maximum(np.diff(line.along), 1e-6))[same_line]
    bound = float(line.radii.max()) + reach

    def distance(points: np.ndarray) -> np.ndarray:
        result = np.full(points.shape[1], _OUTSIDE, dtype=np.float32)
        if not points.shape[1]:
            return result
        nearest = np.asarray(tree.query(points.T, distance_upper_bound=bound)[1])
        found = np.flatnonzero(nearest < len(positions))
        nearest = nearest[found]
        offset = points[:, found] - positions[nearest].T
        tangent = tangents[nearest].T
        slide = np.clip(np.einsum("cn,cn->n", offset, tangent), -half_step, half_step)
        offset -= slide * tangent
        length = np.sqrt(np.einsum("cn,cn->n", offset, offset))
        radius = radii[nearest] + slide * widening[nearest]
        if flat is None:
            result[found] = length - radius
            return result
        share, normals = flat
        across = np.einsum("cn,cn->n", offset, normals.astype(np.float32)[nearest].T)
        stretched = np.sqrt(np.maximum(length**2 - across**2, 0) + (across / share) ** 2)
        # Scaled back by the ratio of true to stretched length, so that the distance stays one in mm.
        result[found] = (stretched - radius) * length / np.maximum(stretched, np.float32(1e-3))
        return result

    thickness = line.radii.max()
    return Shape(distance, line.positions.min(axis=0) - thickness, line.positions.max(axis=0) + thickness)


def _half_step(line: Centreline) -> float:
    steps = np.diff(line.along)
    steps = steps[steps > 0]
    return float(steps.max()) if len(steps) else 1.0
