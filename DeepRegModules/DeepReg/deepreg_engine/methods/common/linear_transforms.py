"""Linear transforms of a number of parameters: rigid (6), similarity (7: also one scale) and affine (12). No torch."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.composition import linear_matrix

_CLASSES = {"rigid": sitk.Euler3DTransform, "similarity": sitk.Similarity3DTransform, "affine": sitk.AffineTransform}
_BY_NAME = {"Euler3DTransform": "rigid", "Similarity3DTransform": "similarity", "AffineTransform": "affine"}
# By how much a rotation may differ from an orthogonal matrix by rounding.
_TOLERANCE = 1e-6


#: A transform with a matrix about a centre.
MatrixTransform = sitk.Euler3DTransform | sitk.Similarity3DTransform | sitk.AffineTransform


def make_linear(kind: str, matrix: np.ndarray, centre: np.ndarray, shift: np.ndarray) -> MatrixTransform:
    """Return the transform x -> matrix (x - centre) + centre + shift.

    Args:
        kind: "rigid", "similarity" or "affine".
        matrix: (3, 3), of that kind.
        centre, shift: (3,), mm.
    """
    transform = sitk.AffineTransform(3) if kind == "affine" else _CLASSES[kind]()
    transform.SetCenter(np.asarray(centre, dtype=float).tolist())
    values = np.asarray(matrix, dtype=float).ravel().tolist()
    transform.SetMatrix(values, *(() if kind == "affine" else (_TOLERANCE,)))
    transform.SetTranslation(np.asarray(shift, dtype=float).tolist())
    return transform


def copied(transform: sitk.Transform) -> MatrixTransform:
    """Return a copy of a rigid, similarity or affine transform, of the same class."""
    return _CLASSES[_BY_NAME[transform.GetName()]](transform)


def kind_of(transform: sitk.Transform) -> str:
    """Return "rigid", "similarity" or "affine"; "" for other classes of transforms, also linear ones."""
    return _BY_NAME.get(transform.GetName(), "")


def nearest(transform: sitk.Transform, kind: str, centre: np.ndarray) -> sitk.Transform:
    """Return the transform of a kind that is nearest to a linear one and takes the centre (3,), mm, to the same point.

    Raises:
        ValueError: if the transform is not linear, or mirrors and the kind does not.
    """
    whole = linear_matrix(transform)
    if whole is None:
        raise ValueError("the transform is not linear")
    matrix = whole[:3, :3]
    if kind != "affine":
        first, stretch, second = np.linalg.svd(matrix)
        if np.linalg.det(matrix) <= 0:
            raise ValueError("the transform mirrors")
        matrix = first @ second * (float(stretch.mean()) if kind == "similarity" else 1.0)
    return make_linear(kind, matrix, centre, whole[:3, :3] @ centre + whole[:3, 3] - centre)


def as_affine(transform: sitk.Transform) -> sitk.AffineTransform:
    """Return a linear transform as an affine one with its centre, or with the centre 0 if it has none.

    Raises:
        ValueError: if it is not linear.
    """
    whole = linear_matrix(transform)
    if whole is None:
        raise ValueError("the transform is not linear")
    centre = np.array(copied(transform).GetCenter()) if kind_of(transform) else np.zeros(3)
    return sitk.AffineTransform(make_linear("affine", whole[:3, :3], centre, whole[:3, :3] @ centre + whole[:3, 3] - centre))
