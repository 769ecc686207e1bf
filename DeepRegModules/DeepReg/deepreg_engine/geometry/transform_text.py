"""The check of ITK transforms in text files (.tfm, .txt) before ITK reads them.

ITK stops at the first number that it does not understand, and reads beyond the end of its memory if there are too few parameters.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

# Parameters of classes in 3D.
_PARAMETERS = {
    "IdentityTransform": 0,
    "TranslationTransform": 3,
    "ScaleTransform": 3,
    "ScaleLogarithmicTransform": 3,
    "VersorTransform": 3,
    "Euler3DTransform": 6,
    "CenteredEuler3DTransform": 9,
    "Rigid3DTransform": 12,
    "VersorRigid3DTransform": 6,
    "QuaternionRigidTransform": 7,
    "Similarity3DTransform": 7,
    "ScaleVersor3DTransform": 9,
    "ScaleSkewVersor3DTransform": 15,
    "ComposeScaleSkewVersor3DTransform": 12,
    "AffineTransform": 12,
    "MatrixOffsetTransformBase": 12,
}
# Classes whose parameters are vectors on a grid, and how many numbers state the place of the grid.
_ON_GRIDS = {"DisplacementFieldTransform": 18, "BSplineTransform": 18, "BSplineDeformableTransform": 18}
# A centre, and the order of the angles.
_CENTRE = (3, 4)


def damage(path: Path) -> str:
    """Return what is wrong with the numbers of a transform in a text file; "" if nothing is, or the file is not a transform in text."""
    content = path.read_bytes() if path.is_file() else b""
    if not content.startswith(b"#Insight Transform File"):
        return ""
    name, numbers = "", np.empty(0)
    for line in content.decode("latin-1").splitlines():
        key, _, text = line.partition(":")
        if key == "Transform":
            name, numbers = text.strip(), np.empty(0)
        elif key in ("Parameters", "FixedParameters"):
            try:
                values = np.array([float(part) for part in text.split()])
            except ValueError:
                return "holds something that is not a number"
            if key == "Parameters":
                numbers = values
            elif wrong := _wrong(name, numbers, values):
                return wrong
    return ""


def _wrong(name: str, numbers: np.ndarray, fixed: np.ndarray) -> str:
    """Return what is wrong with the parameters and the fixed parameters of a class."""
    plain, _, kind = name.partition("_")
    if not kind.endswith("_3_3"):
        return ""
    if plain in _ON_GRIDS:
        size = fixed[:3]
        if len(fixed) != _ON_GRIDS[plain] or not np.array_equal(size, np.rint(size)) or size.min() < 1:
            return "does not state the place of its grid"
        needed = 3.0 * float(np.prod(size))
    else:
        if plain not in _PARAMETERS:
            return ""
        needed = float(_PARAMETERS[plain])
        if len(fixed) and len(fixed) not in _CENTRE:
            return f"has {len(fixed)} fixed parameters"
    return "" if len(numbers) == needed else f"has {len(numbers)} parameters instead of {needed:.0f}"
