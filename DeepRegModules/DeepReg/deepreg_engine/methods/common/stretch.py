"""How much a rigid or affine transform stretches the moving image: its penalty, and whether it is plausible between two people."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

# Penalty of a stretch, in nats of mutual information per squared logarithm of each singular value.
_PENALTY = 0.05
# Range of plausible stretches between two people.
_PLAUSIBLE = (0.55, 1.8)


def penalty(transform: sitk.Transform) -> float:
    """Return the penalty of the stretch, nats."""
    return _PENALTY * float(np.square(np.log(_stretch(transform))).sum())


def is_plausible(transform: sitk.Transform) -> bool:
    """Return whether a transform does not mirror, and its stretches are plausible."""
    affine = transform.GetName() == "AffineTransform"
    if affine and np.linalg.det(np.array(sitk.AffineTransform(transform).GetMatrix()).reshape(3, 3)) <= 0:
        return False
    stretch = _stretch(transform)
    return bool(stretch.min() >= _PLAUSIBLE[0] and stretch.max() <= _PLAUSIBLE[1])


def implausible_note(refused: sitk.Transform) -> str:
    """Return a note on a refused transform, which may be caused by a wrong voxel spacing in a header."""
    stretch = max(_stretch(refused), key=lambda factor: abs(np.log(factor)))
    return f"a stretch by {stretch:.2f} fits best but is implausible and was not used; check the voxel spacing of both images"


def _stretch(transform: sitk.Transform) -> np.ndarray:
    """Return the singular values of the linear part of a rigid or affine transform."""
    if transform.GetName() != "AffineTransform":
        return np.ones(3)
    return np.linalg.svd(np.array(sitk.AffineTransform(transform).GetMatrix()).reshape(3, 3), compute_uv=False)
