"""The parts of a linear transform: shift of a centre, rotation, scales and shear.

A linear transform of LPS points is ``T(x) = c + s + A (x - c)`` about a centre c, with the shift s of the centre. Its matrix is
``A = R S`` (polar decomposition): R is the rotation nearest to A, and S the symmetric stretch. The parts are those of R and S, and do not
depend on the coordinate system's origin. The matrix of a transform that mirrors is ``A = R S M``, where M exchanges left and right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# Below this angle, degrees, the axis of a rotation is not determined.
_NO_ROTATION = 1e-6
_MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class LinearParts:
    """The parts of a linear transform from fixed to moving points.

    Args:
        centre: the point c about which they are taken, (3,), LPS mm.
        shift: s, from the centre to its moving point, (3,), LPS mm: to the left, posterior and superior.
        rotation: angle of R, degrees, 0 to 180.
        axis: of the rotation, (3,), LPS, of length 1, by the right-hand rule; zeros without a rotation.
        scales: diagonal of S, (3,): factors of lengths along left, posterior and superior.
        shear: other entries of S, (3,): between left and posterior, left and superior, posterior and superior.
        volume_ratio: determinant of A without its sign: moving volume by fixed volume.
        mirrored: whether the transform mirrors.
    """

    centre: np.ndarray
    shift: np.ndarray
    rotation: float
    axis: np.ndarray
    scales: np.ndarray
    shear: np.ndarray
    volume_ratio: float
    mirrored: bool

    @property
    def shift_length(self) -> float:
        """Length of the shift, mm."""
        return float(np.linalg.norm(self.shift))

    def to_dict(self) -> dict[str, Any]:
        """Return the parts as plain data, for a report."""
        return {
            "centre_lps": self.centre.tolist(),
            "shift_mm": self.shift_length,
            "shift_lps_mm": self.shift.tolist(),
            "rotation_degrees": self.rotation,
            "axis_lps": self.axis.tolist(),
            "scales": self.scales.tolist(),
            "shear": self.shear.tolist(),
            "volume_ratio": self.volume_ratio,
            "mirrored": self.mirrored,
        }


def linear_parts(matrix: np.ndarray, centre: np.ndarray) -> LinearParts:
    """Return the parts of a linear transform about a centre.

    Args:
        matrix: homogeneous, (4, 4), from fixed to moving LPS points, mm.
        centre: LPS mm, (3,), such as the middle of the fixed image.
    """
    matrix, centre = np.asarray(matrix, dtype=np.float64), np.asarray(centre, dtype=np.float64)
    linear = matrix[:3, :3]
    mirrored = bool(np.linalg.det(linear) < 0.0)
    left, stretches, right = np.linalg.svd(linear @ _MIRROR if mirrored else linear)
    turn, stretch = left @ right, right.T @ np.diag(stretches) @ right
    angle, axis = _angle_and_axis(turn)
    return LinearParts(
        centre,
        linear @ centre + matrix[:3, 3] - centre,
        angle,
        axis,
        np.diag(stretch).copy(),
        stretch[[0, 0, 1], [1, 2, 2]],
        float(np.prod(stretches)),
        mirrored,
    )


def _angle_and_axis(turn: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the angle, degrees, and the axis (3,) of a rotation matrix."""
    twice = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])  # 2 sin(angle) axis
    sine, cosine = float(np.linalg.norm(twice)) / 2.0, (float(np.trace(turn)) - 1.0) / 2.0
    angle = float(np.degrees(np.arctan2(sine, cosine)))
    if angle < _NO_ROTATION:
        return 0.0, np.zeros(3)
    if sine > 1e-6:
        return angle, twice / np.linalg.norm(twice)
    values, vectors = np.linalg.eigh((turn + turn.T) / 2.0)  # half a turn: the axis is the vector that stays
    axis = vectors[:, int(np.argmax(values))]
    return angle, axis * (np.sign(axis[np.argmax(np.abs(axis))]) or 1.0)
