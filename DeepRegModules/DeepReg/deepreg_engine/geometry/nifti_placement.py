"""Where a NIfTI file places its voxels.

A header may hold two placements: the qform, a rotation and a shift, and the sform, any affine map. ITK uses one of them, and images of
ITK cannot be sheared. Here the grid that ITK has read is compared with both.
"""

from __future__ import annotations

import os

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry import nifti
from deepreg_engine.geometry.image_grid import ImageGrid

RESAMPLE_FIRST = "resample it to axes at right angles first, with the program that wrote it"
# Largest part of a voxel, and distance in mm, by which two placements of an image may differ.
_TOLERANCE = 0.05
_SMALLEST_TOLERANCE = 0.01
# Largest cosine between two axes at right angles; headers are in single precision.
_RIGHT_ANGLE = 2e-3
# The code of a placement in the coordinates of the scanner.
_SCANNER = 1
_MILLIMETRES = {1: 1000.0, 2: 1.0, 3: 0.001}
_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def placement_note(path: str | os.PathLike, grid: ImageGrid, what: str) -> str:
    """Compare the grid that ITK has read with the qform and the sform of the file.

    Args:
        path: the file, of any format.
        grid: of the image.
        what: its role and name, for messages.

    Returns:
        A note if qform and sform differ, or one of them is not finite; "" if they agree, and for files of other formats.

    Raises:
        InputError: if the image is sheared, or is not where its header places it.
    """
    known = placements(path)
    if not known:
        return ""
    distances = _distances(known, grid)
    tolerance = max(_TOLERANCE * min(grid.spacing), _SMALLEST_TOLERANCE)
    far = max(distances.values())
    if far <= tolerance:
        left = unreadable(path)
        return f"{what} has numbers in its {left[0]} that are not finite: it is not used" if left else ""
    shear = sheared(path)
    codes = {code for code, _ in known.values()}
    if shear and (len(codes) == 1 or known["sform"][0] == _SCANNER):
        raise InputError(f"{what} {shear}: without the shear it would be up to {far:.1f} mm off", RESAMPLE_FIRST)
    used = min(distances, key=lambda name: distances[name])
    if distances[used] > tolerance:
        raise InputError(f"{what} is read up to {distances[used]:.1f} mm away from where its header places it", RESAMPLE_FIRST)
    other = next(name for name in known if name != used)
    also = f", and the {other} is sheared" if shear else ""
    return f"{what} has two placements that differ by up to {far:.1f} mm{also}: the {used} is used, the {other} is not"


def _distances(placements: dict[str, tuple[int, np.ndarray]], grid: ImageGrid) -> dict[str, float]:
    """Return the largest distance of a corner of the grid from its place under each placement, mm."""
    index = np.array(np.meshgrid(*((0, size - 1) for size in grid.size))).reshape(3, -1).T
    corners = grid.index_to_physical(index.astype(np.float64))
    return {
        name: float(np.linalg.norm(index @ matrix[:, :3].T + matrix[:, 3] - corners, axis=1).max())
        for name, (_, matrix) in placements.items()
    }


def sheared(path: str | os.PathLike) -> str:
    """Return a description of the shear of a NIfTI file's sform, which follows the file's name in a message; "" if it is not sheared."""
    _, matrix = placements(path).get("sform", (0, np.eye(3, 4)))
    axes = matrix[:, :3] / np.maximum(np.linalg.norm(matrix[:, :3], axis=0), 1e-12)
    cosines = np.abs(axes.T @ axes - np.diag(np.diag(axes.T @ axes)))
    if not cosines.max() > _RIGHT_ANGLE:
        return ""
    return f"is sheared (two axes of its sform meet at {np.degrees(np.arccos(min(cosines.max(), 1.0))):.1f} degrees)"


def placements(path: str | os.PathLike) -> dict[str, tuple[int, np.ndarray]]:
    """Return the code and matrix (3, 4), voxel index to LPS mm, of "sform" and "qform", as far as the header holds finite ones."""
    return {name: found for name, found in _all_placements(path).items() if np.isfinite(found[1]).all()}


def _all_placements(path: str | os.PathLike) -> dict[str, tuple[int, np.ndarray]]:
    """Return the placements of the header, whose numbers may be NaN or infinite."""
    layout = nifti.layout(path)
    if layout is None or layout.is_analyze:
        return {}
    precision, integer = ("f", "h") if layout.version == 1 else ("d", "i")
    pixdim = layout.numbers(f"8{precision}", 76, 104)
    unit = layout.numbers("b" if layout.version == 1 else "i", 123, 500)[0] & 7
    found = {}
    for name, code in (("qform", layout.numbers(integer, 252, 344)[0]), ("sform", layout.numbers(integer, 254, 348)[0])):
        if code > 0:
            if name == "sform":
                matrix = np.array(layout.numbers(f"12{precision}", 280, 400)).reshape(3, 4)
            else:
                matrix = _qform(*layout.numbers(f"6{precision}", 256, 352), pixdim=pixdim)
            with np.errstate(invalid="ignore"):  # of infinite numbers
                found[name] = code, _TO_LPS @ matrix * _MILLIMETRES.get(unit, 1.0)
    return found


def unreadable(path: str | os.PathLike) -> list[str]:
    """Return which of "sform" and "qform" a NIfTI file holds with numbers that are NaN or infinite."""
    return [name for name, (_, matrix) in _all_placements(path).items() if not np.isfinite(matrix).all()]


def _qform(b: float, c: float, d: float, *offset: float, pixdim: tuple[float, ...]) -> np.ndarray:
    """Return the matrix (3, 4) of a unit quaternion (a, b, c, d), an offset, and the voxel spacing with the sign of its third axis."""
    length = b * b + c * c + d * d
    if length > 1.0:
        b, c, d, length = (b / length**0.5, c / length**0.5, d / length**0.5, 1.0)
    a = (1.0 - length) ** 0.5
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    spacing = [abs(size) or 1.0 for size in pixdim[1:4]]
    spacing[2] *= -1.0 if pixdim[0] < 0 else 1.0
    return np.column_stack([rotation * spacing, offset])
