"""Proposals for the partner of a landmark: predicted by the transform, refined by the image content within a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from deepreg_engine.features.local_match import match_point, trilinear
from deepreg_slicer.volumes import mapPoints, snapshot
from DeepRegInspectorLib.mapping import FixedToMoving, belowTransform

_FINEST = 0.5  # mm; finer than any image's content
#: Below this confidence no partner is proposed: the match in the image is on average less accurate than the prediction of the transform,
#: and the prediction itself would have no error by construction.
LEAST_CONFIDENCE = 0.1


@dataclass(frozen=True)
class Proposal:
    """A proposed partner of a landmark.

    Args:
        position: RAS mm, in the moving image; None if the image does not show the partner.
        predicted: by the transform alone.
        confidence: 0 to 1; 0 if the window has no distinctive content. Without a position it is below :data:`LEAST_CONFIDENCE`.
    """

    position: np.ndarray | None
    predicted: np.ndarray
    confidence: float


class Matcher:
    """Proposes partners of points between two volumes in their present state.

    Args:
        fixed, moving: volume nodes.
        transform: a transform node, or None.
    """

    def __init__(self, fixed: Any, moving: Any, transform: Any) -> None:
        self.mapping = FixedToMoving(transform)
        self._fixed, self._moving = _sampler(fixed, None), _sampler(moving, transform)
        finest = min(float(min(volume.GetSpacing())) for volume in (fixed, moving))
        coarsest = max(float(min(volume.GetSpacing())) for volume in (fixed, moving))
        self._step = max(_FINEST, (finest * coarsest) ** 0.5)

    def propose(self, point: np.ndarray, window: float = 10.0) -> Proposal:
        """Propose the partner of a fixed point (RAS mm) within ``window`` mm of the position that the transform predicts."""
        point = np.asarray(point, dtype=np.float64)
        predicted = self.mapping(point[None])[0]
        linear = self.mapping.linear(point, max(1.0, self._step))
        # In a fold the neighbourhood is not defined; the patch is compared without deformation.
        if not np.isfinite(linear).all() or not 0.2 < np.linalg.det(linear) < 5.0:
            linear = np.eye(3)
        if window <= 0.0:
            return Proposal(None, predicted, 0.0)
        found = match_point(self._fixed, self._moving, point, predicted, linear, self._step, window)
        if found.confidence < LEAST_CONFIDENCE:
            return Proposal(None, predicted, found.confidence)
        if found.shift > 1.8 * window:  # at the corner of the window: the partner may be beyond
            return Proposal(None, predicted, 0.0)
        return Proposal(found.position, predicted, found.confidence)


def _sampler(volume: Any, transform: Any) -> Any:
    """Return a function that samples a volume at points of the world (N, 3), RAS mm."""
    shot = snapshot(volume)
    array = slicer.util.arrayFromVolume(volume)
    above = belowTransform(volume, transform)
    toLocal = above.GetInverse() if above is not None else None
    toIndex = np.linalg.inv(shot.ijkToRas)

    def sample(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        local = mapPoints(toLocal, points)
        return trilinear(array, local @ toIndex[:3, :3].T + toIndex[:3, 3])

    return sample
