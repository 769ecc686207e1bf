"""Search for a moving image that was stored in a wrong orientation: does it fit the fixed image better when it is turned or mirrored?

The moving image is compared in all 48 orientations of its axes, 24 turned ones and 24 mirrored ones, at coarse resolution: mutual
information of the nearest voxels, at the best translation near aligned centres. This only selects the orientations whose alignment is
worth computing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.linear_transforms import copied, kind_of, make_linear

# Number of bins of each image's values, and approximate number of voxels of the fixed image that are compared.
_BINS, _POINTS = 16, 2000
# Least share of these that must lie in the moving image, relative to the largest share at any translation that was tried before.
_LEAST_INSIDE = 0.6
# Steps of the search for the best translation, voxels of the moving image.
_STEPS = (2.0, 1.0)
# Another orientation is worth an optimisation if its mutual information is at least this share of that of the stored one.
_DOUBT = 0.92
_PATIENT_AXES = ("left-right", "front-back", "head-feet")


@dataclass(frozen=True)
class Orientation:
    """One way to turn or mirror the moving image about its centre.

    Args:
        matrix: (3, 3), LPS; takes a vector of the stored image to that of the turned image.
        shift: (3,), mm, which takes fixed points to points of the turned image.
        information: mutual information at this shift, nats.
    """

    matrix: np.ndarray
    shift: np.ndarray
    information: float

    @property
    def mirrors(self) -> bool:
        """Return whether left and right are exchanged."""
        return bool(np.linalg.det(self.matrix) < 0)

    @property
    def stored(self) -> bool:
        """Return whether this is the orientation of the file."""
        return bool(np.trace(self.matrix) > 3.0 - 1e-6)

    def describe(self) -> str:
        """Return a description of what is done to the image: "turned by 180° about its left-right axis", "mirrored left-right"."""
        if self.mirrors:
            values, vectors = np.linalg.eigh(0.5 * (self.matrix + self.matrix.T))
            flips = np.flatnonzero(np.isclose(values, -1.0, atol=1e-6))
            if len(flips) == 1 and np.allclose(self.matrix, self.matrix.T, atol=1e-6):
                return f"mirrored {_nearest_axis(vectors[:, flips[0]])}"
            return "mirrored and turned"
        angle = round(float(np.degrees(np.arccos(np.clip(0.5 * (np.trace(self.matrix) - 1.0), -1.0, 1.0)))))
        values, vectors = np.linalg.eig(self.matrix)
        axis = np.real(vectors[:, int(np.argmin(np.abs(values - 1.0)))])
        if np.abs(axis).max() < 0.8:
            return f"turned by {angle}° about an oblique axis"
        return f"turned by {angle}° about its {_nearest_axis(axis)} axis"


def _nearest_axis(vector: np.ndarray) -> str:
    return _PATIENT_AXES[int(np.argmax(np.abs(vector)))]


def turned(image: sitk.Image, orientation: Orientation, centre: np.ndarray) -> sitk.Image:
    """Return the image, turned or mirrored about a centre (3,), LPS mm; its voxels stay as they are."""
    result, grid = sitk.Image(image), ImageGrid.of(image)
    result.SetDirection((orientation.matrix @ grid.axes).ravel().tolist())
    result.SetOrigin((centre + orientation.matrix @ (np.array(grid.origin) - centre)).tolist())
    return result


def unturned(transform: sitk.Transform, orientation: Orientation, centre: np.ndarray) -> sitk.Transform:
    """Return a rigid, similarity or affine transform to the turned image as one to the stored image."""
    known = copied(transform)
    there = np.array(transform.TransformPoint(known.GetCenter()))
    back = centre + orientation.matrix.T @ (there - centre)
    matrix = orientation.matrix.T @ np.array(known.GetMatrix()).reshape(3, 3)
    return make_linear(kind_of(transform), matrix, np.array(known.GetCenter()), back - np.array(known.GetCenter()))


def orientations(fixed: sitk.Image, moving: sitk.Image, known: np.ndarray, masses: tuple[np.ndarray, np.ndarray]) -> list[Orientation]:
    """Return all orientations of the moving image, the most similar one first.

    Args:
        fixed, moving: coarse images; the moving one has cubic voxels.
        known: translation (3,), mm, of an alignment in the stored orientation, which is tried too.
        masses: centres of mass (3,) of both, LPS mm.
    """
    return _Comparison(fixed, moving, known, masses).run()


def likely_orientations(every: list[Orientation]) -> list[Orientation]:
    """Return the orientations besides the stored one whose alignment is worth computing: at most a turned, then a mirrored one.

    Args:
        every: all orientations, the most similar one first.
    """
    usual = next(each.information for each in every if each.stored)
    best = (next(each for each in every if each.mirrors == mirrors and not each.stored) for mirrors in (False, True))
    return [each for each in best if each.information >= _DOUBT * usual]


class _Comparison:
    """The comparison of a pair in all orientations."""

    def __init__(self, fixed: sitk.Image, moving: sitk.Image, known: np.ndarray, masses: tuple[np.ndarray, np.ndarray]) -> None:
        own, grid = ImageGrid.of(fixed), ImageGrid.of(moving)
        self._axes, self._centre, self._masses, self._known = grid.axes, grid.centre, masses, known
        self._spacing, self._size = np.array(grid.spacing), np.array(grid.size)
        step = max(1, round((own.voxels / _POINTS) ** (1 / 3)))
        some = (slice(step // 2, None, step),) * 3
        self._fixed = _binned(sitk.GetArrayViewFromImage(fixed))[some].ravel() * _BINS
        points = own.points()[some].reshape(-1, 3)
        self._fixed_centre = own.centre
        self._offsets = (points - self._centre) @ self._axes
        self._moving = _binned(sitk.GetArrayViewFromImage(moving))

    def run(self) -> list[Orientation]:
        found = []
        for order in itertools.permutations(range(3)):
            for signs in itertools.product((1.0, -1.0), repeat=3):
                turn = np.zeros((3, 3))
                turn[range(3), order] = signs
                found.append(self._best(turn))
        return sorted(found, key=lambda each: -each.information)

    def _best(self, turn: np.ndarray) -> Orientation:
        """Return the orientation with the best translation near aligned centres; ``turn`` is along the moving image's axes."""
        matrix = self._axes @ turn @ self._axes.T
        by_mass = self._centre + matrix @ (self._masses[1] - self._centre) - self._masses[0]
        starts = [by_mass, self._centre - self._fixed_centre, *([self._known] if np.trace(turn) == 3.0 else [])]
        starts = [start @ self._axes for start in starts]
        least = _LEAST_INSIDE * max(self._information(turn, start, 0.0)[1] for start in starts)
        best, place = max(((self._information(turn, start, least)[0], number) for number, start in enumerate(starts)))
        place = starts[place]
        for step in _STEPS:
            improved = True
            while improved:
                improved = False
                for axis, sign in itertools.product(range(3), (1.0, -1.0)):
                    other = place.copy()
                    other[axis] += sign * step * self._spacing[axis]
                    value = self._information(turn, other, least)[0]
                    if value > best + 1e-9:
                        best, place, improved = value, other, True
        return Orientation(matrix, self._axes @ place, best)

    def _information(self, turn: np.ndarray, shift: np.ndarray, least: float) -> tuple[float, float]:
        """Return the mutual information, nats, and the share of the points in the moving image; -1 if it is less than ``least``."""
        index = np.rint(((self._offsets + shift) @ turn) / self._spacing + 0.5 * (self._size - 1)).astype(np.int64)
        inside = ((index >= 0) & (index < self._size)).all(axis=1)
        share = float(inside.mean())
        if share <= 0.0 or share < least:
            return -1.0, share
        x, y, z = index[inside].T
        counts = np.bincount(self._fixed[inside] + self._moving[z, y, x], minlength=_BINS * _BINS).reshape(_BINS, _BINS)
        joint = counts / counts.sum()
        product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        seen = joint > 0
        return float((joint[seen] * np.log(joint[seen] / product[seen])).sum()), share


def _binned(array: np.ndarray) -> np.ndarray:
    """Return the number of the bin of each value."""
    low, high = float(array.min()), float(array.max())
    return np.minimum((array - low) * (_BINS / max(high - low, 1e-12)), _BINS - 1).astype(np.int64)
