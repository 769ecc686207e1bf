"""The pictures of a report: slices of the pair before and after, checkerboard, difference, deformation grid, Jacobian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.beyond import LinearPart
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.metrics.bins import nice_step
from deepreg_engine.reporting.colours import jacobian_colours, length_colours
from deepreg_engine.reporting.figures import Measured, Pair
from deepreg_engine.reporting.grey import VISIBLE, Window, scaled
from deepreg_engine.reporting.interest import covered, drawn
from deepreg_engine.reporting.planes import Plane

# Lines of the deformation grid across the longest side, at most.
_LINES = 26
# Fields of the checkerboard across the longest side.
_FIELDS = 8
# Brightness of the fixed image outside the moving one.
_DIM = 0.5
# Maximal width of a line where space is compressed or folded, as a share of the distance of lines.
_WIDEST = 0.5
# Doublings of the volume with the highest opacity.
_DOUBLINGS = 1.0
# Factor by which the Jacobian is sampled more finely; a pixel shows its smallest value if that is a fold, so that single folded voxels are
# visible.
_FINER = 2
_DIFFERENCE = 0.6


@dataclass
class Views:
    """Settings of all pictures of a report.

    Args:
        windows: of the fixed and of the moving image.
        before: transform with which the moving image is shown as "before"; None is the identity.
        linear: the linear part of the transform, which is taken off for the grid and its colours.
        longest: length of the displacement with the last colour, mm.
        spacing: distance of the lines of the deformation grid, mm.
        alike: whether the images have the same contrast.
    """

    windows: tuple[Window, Window]
    before: sitk.Transform | None
    linear: LinearPart
    longest: float
    spacing: float
    alike: bool


def grid_spacing(fixed: ImageGrid) -> float:
    """Return the distance of the lines of a deformation grid, mm."""
    return nice_step(float(fixed.extent.max()) / _LINES)


def draw(pair: Pair, measured: Measured, plane: Plane, views: Views) -> dict[str, np.ndarray]:
    """Draw the pictures of one plane.

    Returns:
        (height, width, 3) uint8 each: "before" and "after" (red and blue: fixed, green: moving), "checkerboard", "grid", "jacobian", the
        further maps by their names, and "difference" if the images have the same contrast.
    """
    fixed = scaled(drawn(pair.fixed, plane.grid, None)[0], views.windows[0])
    before, after = (scaled(drawn(pair.moving, plane.grid, transform)[0], views.windows[1]) for transform in (views.before, pair.transform))
    there = [covered(pair.moving, plane.grid, transform)[0] for transform in (views.before, pair.transform)]
    field = views.linear.beyond(DisplacementField.from_transform(pair.transform, plane.grid))
    pictures = {
        "before": _blend(fixed, before, there[0]),
        "after": _blend(fixed, after, there[1]),
        "checkerboard": _checkerboard(fixed, after, plane.grid),
        "grid": _deformation(fixed, field, plane, views),
        "jacobian": _jacobian(fixed, measured, plane),
    }
    for name in measured.maps:
        pictures[name] = _map(fixed, measured, name, plane)
    if views.alike:
        pictures["difference"] = _difference(fixed, after, there[1])
    return {name: _bytes(picture) for name, picture in pictures.items()}


def blend(fixed: np.ndarray, moving: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None, window: Window) -> np.ndarray:
    """Draw a slice of both images, the fixed one in magenta and the moving one in green.

    Args:
        fixed: grey values (height, width) of the fixed image, 0 to 1.
        moving: the moving image.
        grid: of the slice.
        transform: from fixed to moving points; None is the identity.
        window: values of the moving image for black and white.

    Returns:
        (height, width, 3) uint8.
    """
    picture = _blend(fixed, scaled(drawn(moving, grid, transform)[0], window), covered(moving, grid, transform)[0])
    return _bytes(picture)


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(255.0 * picture), 0, 255).astype(np.uint8)


def _grey(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[..., None], 3, axis=-1)


def _blend(fixed: np.ndarray, moving: np.ndarray, covered_: np.ndarray) -> np.ndarray:
    """Draw the fixed image in magenta and the moving one in green, so that equal values are grey; only the dimmed fixed image outside the
    moving one."""
    share = np.where(covered_, 1.0, _DIM)
    return np.stack([share * fixed, np.where(covered_, moving, 0.0), share * fixed], axis=-1)


def _checkerboard(fixed: np.ndarray, after: np.ndarray, grid: ImageGrid) -> np.ndarray:
    """Draw alternating fields of both images; those of the moving image are tinted green."""
    side = max(4, int(np.ceil(max(fixed.shape) / _FIELDS)))
    rows, columns = (np.arange(n) // side for n in fixed.shape)
    moving = (rows[:, None] + columns[None]) % 2 == 1
    return np.where(moving[..., None], _grey(after) * np.array([0.86, 1.0, 0.86]), _grey(fixed))


def _difference(fixed: np.ndarray, after: np.ndarray, covered_: np.ndarray) -> np.ndarray:
    """Draw warped minus fixed: grey for equal values, orange where the warped image is brighter, blue where it is darker."""
    change = np.clip(np.where(covered_, after - fixed, 0.0) / _DIFFERENCE, -1.0, 1.0)[..., None]
    brighter, darker = np.array([1.0, 0.62, 0.1]), np.array([0.15, 0.45, 1.0])
    share = np.abs(change)
    return (1.0 - share) * 0.5 + share * np.where(change > 0, brighter, darker)


def _deformation(fixed: np.ndarray, field: DisplacementField, plane: Plane, views: Views) -> np.ndarray:
    """Return a regular grid of the aligned moving image, deformed onto the fixed one, over the lengths of the deformation.

    Lines are where a coordinate of x + d(x) is a multiple of their distance. The gradient of the coordinate keeps their width constant.
    Only tissue is coloured, because the displacement of air is arbitrary.
    """
    grid = plane.grid
    vectors = field.vectors[:, 0]
    lengths = np.linalg.norm(vectors, axis=0)
    cover = np.where(fixed > VISIBLE, 0.45, 0.0)[..., None]
    picture = (1.0 - cover) * _grey(0.85 * fixed) + cover * length_colours(lengths / views.longest)
    strength = np.where(fixed > VISIBLE, 0.9, 0.45)[..., None]
    local = np.einsum("ab,ayx->byx", grid.axes, vectors)  # along the picture's axes
    rows, columns = (np.arange(n) * grid.spacing[0] for n in fixed.shape)
    for coordinate in (columns[None] + local[0], rows[:, None] + local[1]):
        apart = np.abs(coordinate / views.spacing - np.round(coordinate / views.spacing)) * views.spacing
        slope = np.hypot(*(np.gradient(coordinate, axis=axis) if coordinate.shape[axis] > 1 else 0.0 * coordinate for axis in (0, 1)))
        slope = np.maximum(slope, views.spacing * 1e-3)
        pixels = apart / slope
        line = strength * (np.clip(1.1 - pixels, 0.0, 1.0) * (apart < _WIDEST * views.spacing / 2))[..., None]
        picture = (1.0 - line) * picture + line
    return picture


def _map(fixed: np.ndarray, measured: Measured, name: str, plane: Plane) -> np.ndarray:
    """Return a map of the deformation over the tissue of the fixed image, from 0 to its 95th percentile."""
    image = resample(measured.split.field.grid.to_image(measured.maps[name]), plane.grid, None, "linear", -1.0)
    values = sitk.GetArrayFromImage(image)[0]
    top = max(float(measured.figures["maps"][name]["percentile95"]), 1e-6)
    cover = np.where((fixed > VISIBLE) & (values >= 0.0), 0.6, 0.0)[..., None]  # outside the grid the field is not known
    return (1.0 - cover) * _grey(0.85 * fixed) + cover * length_colours(values / top)


def _jacobian(fixed: np.ndarray, measured: Measured, plane: Plane) -> np.ndarray:
    """Return the determinant over the fixed image: blue below 1, red above; every folded voxel is at least one magenta pixel."""
    grid = plane.grid
    width, height, _ = grid.size
    step = grid.spacing[0] / _FINER
    corner = np.array(grid.origin) - (grid.axes[:, 0] + grid.axes[:, 1]) * step * (_FINER - 1) / 2
    fine = ImageGrid((width * _FINER, height * _FINER, 1), (step, step, grid.spacing[2]), tuple(corner), grid.direction)
    image = measured.split.field.grid.to_image(measured.jacobian)
    values = sitk.GetArrayFromImage(resample(image, fine, None, "nearest", 1.0))[0].reshape(height, _FINER, width, _FINER)
    lowest = values.min(axis=(1, 3))
    determinant = np.where(lowest <= 0.0, lowest, values.mean(axis=(1, 3)))
    colours, cover = jacobian_colours(determinant, _DOUBLINGS)
    return (1.0 - cover[..., None]) * _grey(0.9 * fixed) + cover[..., None] * colours
