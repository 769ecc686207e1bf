"""How much a linear transform stretches the moving image: its penalty, and whether it is plausible between two people."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.methods.common.linear_transforms import kind_of

# Penalty of a stretch, in nats of mutual information per squared logarithm of each singular value.
_PENALTY = 0.05
# Range of plausible stretches between two people.
_PLAUSIBLE = (0.55, 1.8)


def penalty(transform: sitk.Transform) -> float:
    """Return the penalty of the stretch, nats."""
    return _PENALTY * float(np.square(np.log(_stretch(transform))).sum())


def is_plausible(transform: sitk.Transform) -> bool:
    """Return whether a transform does not mirror, and its stretches are plausible."""
    if kind_of(transform) == "affine" and np.linalg.det(_matrix(transform)) <= 0:
        return False
    stretch = _stretch(transform)
    return bool(stretch.min() >= _PLAUSIBLE[0] and stretch.max() <= _PLAUSIBLE[1])


def implausible_note(refused: sitk.Transform) -> str:
    """Return a note on a refused transform, which may be caused by a wrong voxel spacing in a header."""
    stretch = max(_stretch(refused), key=lambda factor: abs(np.log(factor)))
    return f"a stretch by {stretch:.2f} fits best but is implausible and was not used; check the voxel spacing of both images"


def _stretch(transform: sitk.Transform) -> np.ndarray:
    """Return the singular values (3,) of the linear part of a rigid, similarity or affine transform."""
    kind = kind_of(transform)
    if kind == "similarity":
        return np.full(3, sitk.Similarity3DTransform(transform).GetScale())
    return np.linalg.svd(_matrix(transform), compute_uv=False) if kind == "affine" else np.ones(3)


def _matrix(transform: sitk.Transform) -> np.ndarray:
    """Return the linear part (3, 3) of an affine transform."""
    return np.array(sitk.AffineTransform(transform).GetMatrix()).reshape(3, 3)
