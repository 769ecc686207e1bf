"""Whether two clouds of points fit much better if one is turned by 180° or mirrored: a list may hold a wrong orientation."""

from __future__ import annotations

import itertools

import numpy as np

from deepreg_engine.geometry.frames import flip_points

# Number of points of each cloud that are compared as they are, and in each other orientation.
_COMPARED, _TURNED = 3000, 1000
# Another orientation fits much better if its mean distance is below the first share of the present one, and below the second share of the
# cloud's size.
_BETTER, _CLOSE = 0.5, 0.25
# Steps of the rigid alignment of nearest neighbours.
_STEPS = 12
_AXES = ("left-right", "front-back", "head-feet")
_CHECK = "check the coordinates of both lists"


def orientation_note(fixed: np.ndarray, moving: np.ndarray) -> str:
    """Return a note if the moving points fit the fixed ones much better in RAS, turned by 180° or mirrored; else "".

    For RAS the nearest neighbours of both clouds are compared where they are. For other changes the clouds are aligned first: by their
    centres, then rigidly by their nearest neighbours (iterative closest points, Besl and McKay, IEEE TPAMI 1992), in each orientation.

    Args:
        fixed, moving: (N, 3) and (M, 3), LPS mm.
    """
    size = float(np.sqrt(((fixed - fixed.mean(0)) ** 2).sum(1).mean()))
    first, second = (points[:: max(1, len(points) // _COMPARED)] for points in (fixed, moving))
    mirrored = _apart(first, flip_points(second))
    if mirrored < _BETTER * _apart(first, second) and mirrored < _CLOSE * size:
        return "the clouds fit much better with x and y of one of them mirrored: one seems to be in RAS, the other in LPS"
    first, second = (points[:: max(1, len(points) // _TURNED)] - points.mean(0) for points in (fixed, moving))
    found = {signs: _aligned(first, second * signs) for signs in itertools.product((1.0, -1.0), repeat=3)}
    usual = found.pop((1.0, 1.0, 1.0))
    best = min(found, key=lambda signs: found[signs])
    if found[best] >= _BETTER * usual or found[best] >= _CLOSE * size:
        return ""
    return f"the clouds fit much better when the moving one is {_described(best)}: {_CHECK}"


def _described(signs: tuple[float, ...]) -> str:
    changed = [axis for axis, sign in zip(_AXES, signs, strict=True) if sign < 0.0]
    if len(changed) == 2:
        (kept,) = (axis for axis in _AXES if axis not in changed)
        return f"turned by 180° about the {kept} axis"
    return f"mirrored {changed[0]}" if len(changed) == 1 else "mirrored along all axes"


def _apart(one: np.ndarray, two: np.ndarray) -> float:
    """Return the mean distance of the nearest neighbours of two clouds, mm."""
    from scipy.spatial import KDTree

    return float(np.mean([KDTree(a).query(b)[0].mean() for a, b in ((one, two), (two, one))]))


def _aligned(fixed: np.ndarray, moving: np.ndarray) -> float:
    """Return the mean distance of the nearest neighbours after a rigid alignment from aligned centres, mm."""
    from scipy.spatial import KDTree

    tree, points = KDTree(fixed), moving
    for _ in range(_STEPS):
        partners = fixed[tree.query(points)[1]]
        centre, other = points.mean(0), partners.mean(0)
        left, _sizes, right = np.linalg.svd((points - centre).T @ (partners - other))
        handed = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
        points = (points - centre) @ (left @ handed @ right) + other
    return _apart(fixed, points)
