"""A picture of a registration: before, after, the deformation as a grid, and the remaining difference.

It is drawn with matplotlib, which no other part of the engine needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import EngineError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import background_value, resample
from deepreg_engine.reporting.colours import LENGTHS
from deepreg_engine.reporting.grey import VISIBLE, correlation, grey_windows, patient_mask, scaled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

# Number of lines of the deformation grid across the picture.
_LINES = 24
# Below this correlation after the registration the images have different contrasts, and their difference is meaningless.
_SAME_CONTRAST = 0.5
# If the moving image covers a smaller share of the fixed one than this, the alignment is shown as "before".
_LEAST_COMMON = 0.05
_COLUMNS = 5
# Smallest and largest height of a row, in widths, so that thin slabs are visible and tall ones fit.
_HEIGHTS = (0.25, 1.6)
# A slice thinner than this share of its longer side has space for the letters of its long sides only.
_THIN = 0.2
# A scan is cut along its own axes if the cosine of their angles to the patient's axes is at least this.
_STRAIGHT = 0.93
# Brightness of the fixed image outside the moving one.
_DIM = 0.35
_BACKGROUND, _INK = "#101418", "#e6e6e6"


@dataclass(frozen=True)
class _View:
    """A slice through the centre: the patient's sides at left, right, bottom and top, its axis, and the axes to the right and up."""

    name: str
    sides: tuple[str, str, str, str]
    axis: int
    right: int
    up: int
    flip: bool


# In LPS order: axial viewed from the feet with anterior up, coronal and sagittal with superior up.
_VIEWS = (
    _View("axial", ("R", "L", "P", "A"), 2, 0, 1, False),
    _View("coronal", ("R", "L", "I", "S"), 1, 0, 2, True),
    _View("sagittal", ("A", "P", "I", "S"), 0, 1, 2, True),
)


def check_matplotlib() -> None:
    """Raise EngineError if there is no matplotlib."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise EngineError("the overview picture needs matplotlib", "install matplotlib, or leave the picture out", "overview") from error


def add_overview(
    files: FileGroup, path: str, fixed: sitk.Image, moving: sitk.Image, field: DisplacementField, alignment: sitk.Transform, title: str
) -> None:
    """Add the picture to a group of files.

    Args:
        files: the group.
        path: a ``.png``.
        fixed, moving: scalar 3D images.
        field: from fixed to moving, on the fixed grid.
        alignment: the part of the field before the deformation. Colours show the deformation beyond it; if the images hardly overlap
            without registration, the images after it are shown as "before".
        title: a line above the pictures.

    Raises:
        EngineError: if there is no matplotlib.
        OutputError: if it cannot be written.
    """
    check_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    grid = _display_grid(ImageGrid.of(fixed))
    total = field.resampled(grid)
    first = None if _covered(moving, grid, None).mean() > _LEAST_COMMON else alignment
    known = _covered(fixed, grid, None)
    covered = [_covered(moving, grid, transform) & known for transform in (first, total.to_transform())]
    windows = grey_windows(fixed, moving)
    shown = [scaled(_on(fixed, grid, None), windows[0])]
    shown += [scaled(_on(moving, grid, transform), windows[1]) for transform in (first, total.to_transform())]
    patient = patient_mask(shown[0])
    both = (shown[0] > VISIBLE) & covered[1]
    middle = _middle(both)
    alike = correlation(shown[0][both], shown[2][both]) > _SAME_CONTRAST

    heights = _row_heights(grid)
    figure = Figure(figsize=(3.6 * _COLUMNS, 3.6 * sum(heights) + 1.0), facecolor=_BACKGROUND, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(_VIEWS), _COLUMNS, height_ratios=heights, squeeze=False)
    lengths = np.ma.masked_array(_beyond(total, alignment), ~(patient & known))
    compare, drawn = _difference if alike else _outlines, []
    top = max(float(np.percentile(lengths.data[patient], 99.5)), 0.1)
    for row, view in zip(axes, _VIEWS, strict=True):
        fixed_cut, *moving_cuts = (_cut(image, view, middle) for image in shown)
        covered_cuts = [_cut(there, view, middle) for there in covered]
        for place, image, there in zip(row[:2], moving_cuts, covered_cuts, strict=True):
            _blend(place, fixed_cut, image, there, grid, view)
        drawn.append(_deformation(row[2], fixed_cut, total, lengths, view, middle, top))
        for place, image, there in zip(row[3:], moving_cuts, covered_cuts, strict=True):
            compare(place, fixed_cut, image, there, grid, view)
        _name_sides(row[0], grid, view)
    for place, head in zip(axes[0], _heads(first is not None, alike), strict=True):
        place.set_title(head, color=_INK, fontsize=13)
    bar = figure.colorbar(drawn[-1], ax=axes.ravel().tolist(), location="bottom", shrink=0.8 / _COLUMNS, pad=0.02, aspect=30)
    bar.set_label("deformation beyond the alignment, mm", color=_INK)
    bar.ax.tick_params(colors=_INK)
    figure.suptitle(_caption(title, alike), color=_INK, fontsize=13, parse_math=False)
    files.add(path, lambda name: figure.savefig(name, dpi=90, facecolor=_BACKGROUND))


def _name_sides(place: Axes, grid: ImageGrid, view: _View) -> None:
    """Write the plane's name beside a picture, and the letters of the patient's sides where there is space for them."""
    from matplotlib.patheffects import withStroke

    width, height = grid.extent[view.right], grid.extent[view.up]
    for side, (x, y) in zip(view.sides, ((0.03, 0.5), (0.97, 0.5), (0.5, 0.04), (0.5, 0.96)), strict=True):
        if (width if y == 0.5 else height) < _THIN * max(width, height):
            continue  # the letters would overlap
        text = place.text(x, y, side, color=_INK, fontsize=10, ha="center", va="center", transform=place.transAxes)
        text.set_path_effects([withStroke(linewidth=2.5, foreground=_BACKGROUND)])  # readable on bright tissue as well
    place.set_ylabel(view.name, color=_INK, fontsize=12)


def _row_heights(grid: ImageGrid) -> list[float]:
    """Return the height of the row of each view, in widths of a picture."""
    extents = [grid.extent[[view.right, view.up]] for view in _VIEWS]
    return [float(np.clip(extent[1] / extent[0], *_HEIGHTS)) for extent in extents]


def _caption(title: str, alike: bool) -> str:
    legend = "equal values are grey" if alike else "of different contrast: their outlines should coincide"
    return f"{title}\nfixed in magenta, moving in green, {legend}"


def _heads(aligned: bool, alike: bool) -> list[str]:
    """Return the titles of the columns: "before" shows the images after the alignment or without it, the last two their difference or
    outlines."""
    heads = ["after the alignment" if aligned else "before", "after", "deformation grid"]
    what = "difference" if alike else "outlines of moving on fixed,"
    return [*heads, *(f"{what} {head.replace('the ', '')}" for head in heads[:2])]


def _display_grid(fixed: ImageGrid) -> ImageGrid:
    """Return a grid of cubic voxels over the fixed image, with axes in the patient's order, for slices in radiological orientation.

    A nearly straight scan is cut along its own planes, a strongly oblique one along the patient's.
    """
    order = list(max(permutations(range(3)), key=lambda axes: sum(abs(fixed.axes[row, axis]) for row, axis in enumerate(axes))))
    axes, extent = fixed.axes[:, order], fixed.extent[order]
    axes = axes * np.where(np.diag(axes) < 0, -1.0, 1.0)
    if np.diag(axes).min() < _STRAIGHT:
        extent, axes = np.abs(fixed.axes) @ fixed.extent, np.eye(3)
    spacing = max(min(fixed.spacing), float(extent.max()) / 320)
    size = np.maximum(np.round(extent / spacing).astype(int), 2)
    origin = fixed.centre - axes @ (spacing * (size - 1) / 2)
    return ImageGrid(tuple(size), (spacing, spacing, spacing), tuple(origin), tuple(axes.ravel()))


def _on(image: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None) -> np.ndarray:
    return sitk.GetArrayFromImage(resample(sitk.Cast(image, sitk.sitkFloat32), grid, transform, "linear", background_value(image)))


def _covered(moving: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None) -> np.ndarray:
    """Return the mask of the voxels that the moving image covers."""
    ones = sitk.Image(moving.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(moving)
    return sitk.GetArrayFromImage(resample(ones, grid, transform, "nearest")) > 0


def _middle(body: np.ndarray) -> np.ndarray:
    """Return the index (x, y, z) of the centre of a region."""
    if not body.any():
        return np.array(body.shape[::-1]) // 2
    return np.round([np.median(np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))) for axis in (2, 1, 0)]).astype(int)


def _beyond(total: DisplacementField, alignment: sitk.Transform) -> np.ndarray:
    """Return the length of the displacement beyond an alignment (z, y, x), mm."""
    return DisplacementField(total.vectors - DisplacementField.from_transform(alignment, total.grid).vectors, total.grid).lengths()


def _cut(volume: np.ndarray, view: _View, middle: np.ndarray) -> np.ndarray:
    """Return the slice through a voxel (x, y, z), rows along the view's second direction."""
    return np.take(volume, middle[view.axis], axis=2 - view.axis)


def _frame(grid: ImageGrid, view: _View) -> tuple[float, float, float, float]:
    """Return the picture's edges in mm from the grid's first voxel: left, right, bottom, top."""
    width, height = grid.extent[view.right], grid.extent[view.up]
    half = grid.spacing[0] / 2
    bottom, top = (-half, height - half) if view.flip else (height - half, -half)
    return -half, width - half, bottom, top


def _show(place: Axes, image: np.ndarray, grid: ImageGrid, view: _View, **style: Any) -> AxesImage:
    place.set_facecolor(_BACKGROUND)
    place.set_xticks([])
    place.set_yticks([])
    for spine in place.spines.values():
        spine.set_visible(False)
    return place.imshow(image, extent=_frame(grid, view), origin="lower" if view.flip else "upper", interpolation="bilinear", **style)


def _blend(place: Axes, fixed: np.ndarray, moving: np.ndarray, covered: np.ndarray, grid: ImageGrid, view: _View) -> None:
    """Show fixed in magenta and moving in green; only the dimmed fixed image outside the moving one."""
    picture = np.stack([fixed, moving, fixed], axis=-1)
    picture[~covered] = _DIM * fixed[~covered, None]
    _show(place, picture, grid, view)


def _coordinates(image: np.ndarray, grid: ImageGrid) -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(np.arange(image.shape[1]) * grid.spacing[0], np.arange(image.shape[0]) * grid.spacing[0])


def _deformation(
    place: Axes, image: np.ndarray, field: DisplacementField, lengths: np.ma.MaskedArray, view: _View, middle: np.ndarray, top: float
) -> AxesImage:
    """Return a regular grid of the moving image, deformed onto the fixed one, over the length of the displacement.

    Only in the region of the patient, because the displacement of air is arbitrary.
    """
    grid = field.grid
    _show(place, image, grid, view, cmap="gray", vmin=0, vmax=1)
    air = _cut(np.ma.getmaskarray(lengths), view, middle)
    coloured = np.ma.masked_array(_cut(lengths.data, view, middle), air)
    picture = _show(place, coloured, grid, view, cmap=_length_map(), vmin=0, vmax=top, alpha=0.55)
    local = np.einsum("ab,azyx->bzyx", grid.axes, field.vectors)  # along the picture's axes
    x, y = _coordinates(image, grid)
    spacing = float(max(grid.extent)) / _LINES
    for base, component in ((x, view.right), (y, view.up)):
        target = np.ma.masked_array(base + _cut(local[component], view, middle), air)
        if target.count():
            levels = np.arange(np.floor(target.min() / spacing), np.ceil(target.max() / spacing) + 1) * spacing
            place.contour(x, y, target, levels=levels, colors="white", linewidths=0.7, linestyles="solid")
    return picture


def _length_map() -> Any:
    """Return matplotlib's colour map of the colours of lengths."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("lengths", LENGTHS)


def _difference(place: Axes, fixed: np.ndarray, moving: np.ndarray, covered: np.ndarray, grid: ImageGrid, view: _View) -> None:
    """Show the moving image minus the fixed one, red where it is darker and blue where it is brighter."""
    _show(place, np.where(covered, moving - fixed, 0.0), grid, view, cmap="RdBu_r", vmin=-0.6, vmax=0.6)


def _outlines(place: Axes, fixed: np.ndarray, moving: np.ndarray, covered: np.ndarray, grid: ImageGrid, view: _View) -> None:
    """Show the fixed image with contours of the moving one: at a low and at a high grey value."""
    moving = np.where(covered, moving, 0.0)
    _show(place, fixed, grid, view, cmap="gray", vmin=0, vmax=1)
    x, y = _coordinates(moving, grid)
    place.contour(x, y, moving, levels=[0.25, 0.6], colors=["#ffb000", "#40e0ff"], linewidths=0.8)
