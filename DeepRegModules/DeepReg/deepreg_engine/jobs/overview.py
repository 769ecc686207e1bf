"""One picture of a registration: before, after, the deformation as a grid, and the difference that is left.

Drawn with matplotlib, which is not needed for anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import EngineError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import background_value, resample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Spacing of the lines of the deformation grid: about so many across the picture.
_LINES = 24
# Below this correlation after the registration the two images are of different contrast, and a difference says nothing.
_SAME_CONTRAST = 0.5
# Images that share less than this part of the fixed field of view lie in different frames.
_LEAST_COMMON = 0.05
# Lung per soft tissue from which a CT is one of the chest.
_LUNGS = 0.25
_BACKGROUND, _INK = "#101418", "#e6e6e6"


@dataclass(frozen=True)
class _View:
    """A cut through the middle: the patient's sides at left, right, bottom and top, how to take it, and what runs right and up."""

    name: str
    sides: tuple[str, str, str, str]
    axis: int
    right: int
    up: int
    flip: bool


# On volumes turned to LPS: axial seen from the feet with the front up, coronal and sagittal with the head up.
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
        raise EngineError("the overview picture needs matplotlib", "pip install matplotlib, or leave the picture out") from error


def add_overview(
    files: FileGroup, path: str, fixed: sitk.Image, moving: sitk.Image, field: DisplacementField, alignment: sitk.Transform, title: str
) -> None:
    """Put the picture into a group of files.

    Args:
        files: the group.
        path: a ``.png``.
        fixed, moving: scalar 3D images.
        field: from fixed to moving, on the fixed grid.
        alignment: the part of it that came before the deformation; what it adds is shown in colour, and where the images have
            next to nothing in common as they lie in space, this is shown as "before".
        title: a line above.

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
    before = _on(moving, grid, first)
    after = _on(moving, grid, total.to_transform())
    reference = _on(fixed, grid, None)
    windows = _windows(fixed, moving)
    shown = [_scaled(reference, windows[0]), _scaled(before, windows[1]), _scaled(after, windows[1])]
    covered = [_covered(moving, grid, first), _covered(moving, grid, total.to_transform())]
    body = (shown[0] > 0.05) & covered[1]
    middle = _middle(body)
    alike = _correlation(shown[0][body], shown[2][body]) > _SAME_CONTRAST

    extents = [grid.extent[[view.right, view.up]] for view in _VIEWS]
    heights = [extent[1] / extent[0] for extent in extents]
    columns = 5 if alike else 4
    figure = Figure(figsize=(3.6 * columns, 3.6 * sum(heights) + 1.0), facecolor=_BACKGROUND, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(_VIEWS), columns, height_ratios=heights, squeeze=False)
    lengths, picture = _beyond(total, alignment), None
    top = max(float(np.percentile(lengths, 99.5)), 1e-3)
    for row, view in zip(axes, _VIEWS):
        _blend(row[0], _cut(shown[0], view, middle), _cut(shown[1], view, middle), grid, view)
        _blend(row[1], _cut(shown[0], view, middle), _cut(shown[2], view, middle), grid, view)
        picture = _deformation(row[2], _cut(shown[0], view, middle), total, lengths, grid, view, middle, top)
        if alike:
            for place, image, there in ((row[3], shown[1], covered[0]), (row[4], shown[2], covered[1])):
                _show(place, _cut(np.where(there, image - shown[0], 0.0), view, middle), grid, view, cmap="RdBu_r", vmin=-0.6, vmax=0.6)
        else:
            _outlines(row[3], _cut(shown[0], view, middle), _cut(shown[2], view, middle), grid, view)
        for side, (x, y) in zip(view.sides, ((0.03, 0.5), (0.97, 0.5), (0.5, 0.04), (0.5, 0.96))):
            row[0].text(x, y, side, color=_INK, fontsize=10, ha="center", va="center", transform=row[0].transAxes)
        row[0].set_ylabel(view.name, color=_INK, fontsize=12)
    heads = ["before" if first is None else "after the alignment", "after", "deformation grid"]
    heads += ["difference " + heads[0].replace("the ", ""), "difference after"] if alike else ["moving's edges on fixed, after"]
    for place, head in zip(axes[0], heads):
        place.set_title(head, color=_INK, fontsize=13)
    bar = figure.colorbar(picture, ax=axes[:, 2].tolist(), location="bottom", shrink=0.8, pad=0.01, aspect=30)
    bar.set_label("deformation beyond the alignment, mm", color=_INK)
    bar.ax.tick_params(colors=_INK)
    figure.suptitle(title + "\nfixed in magenta, moving in green: grey where they agree", color=_INK, fontsize=13)
    files.add(path, lambda name: figure.savefig(name, dpi=90, facecolor=_BACKGROUND))


def _display_grid(fixed: ImageGrid) -> ImageGrid:
    """A grid along the patient's axes with cubic voxels around the fixed image, for cuts that look as a reader expects."""
    nearest = np.abs(fixed.axes).argmax(axis=1)
    extent = fixed.extent[nearest]
    spacing = max(min(fixed.spacing), float(extent.max()) / 320)
    size = np.maximum(np.round(extent / spacing).astype(int), 2)
    # The patient's axes where the grid is nearly straight; an oblique scan keeps its own, in the patient's order.
    axes = fixed.axes[:, [int(np.abs(fixed.axes[axis]).argmax()) for axis in range(3)]]
    axes = axes * np.sign(np.diag(axes))
    origin = fixed.centre - axes @ (spacing * (size - 1) / 2)
    return ImageGrid(tuple(size), (spacing,) * 3, tuple(origin), tuple(axes.ravel()))


def _on(image: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None) -> np.ndarray:
    return sitk.GetArrayFromImage(resample(sitk.Cast(image, sitk.sitkFloat32), grid, transform, "linear", background_value(image)))


def _covered(moving: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None) -> np.ndarray:
    """Voxels that the moving image shows; elsewhere a difference would be with nothing."""
    ones = sitk.Image(moving.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(moving)
    return sitk.GetArrayFromImage(resample(ones, grid, transform, "nearest")) > 0


def _middle(body: np.ndarray) -> np.ndarray:
    """Index (x, y, z) of the middle of what both images show."""
    if not body.any():
        return np.array(body.shape[::-1]) // 2
    return np.round([np.median(np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))) for axis in (2, 1, 0)]).astype(int)


def _beyond(total: DisplacementField, alignment: sitk.Transform) -> np.ndarray:
    """Length of what a field adds to an alignment (z, y, x), mm."""
    return DisplacementField(total.vectors - DisplacementField.from_transform(alignment, total.grid).vectors, total.grid).lengths()


def _windows(fixed: sitk.Image, moving: sitk.Image) -> tuple[tuple[float, float], tuple[float, float]]:
    """Grey values from black to white. Two CTs share one: of soft tissue, or of the lungs where both show much of them."""
    volumes = [sitk.GetArrayViewFromImage(image) for image in (fixed, moving)]
    ends = [np.percentile(volume, [1.0, 99.5]) for volume in volumes]
    ct = [-3100.0 < low < -800.0 for low, _ in ends]  # air in Hounsfield units
    if all(ct):
        lungs = min(np.mean((volume > -950) & (volume < -600)) / max(np.mean(volume > -300), 1e-6) for volume in volumes)
        return ((-1000.0, 400.0),) * 2 if lungs > _LUNGS else ((-200.0, 300.0),) * 2
    return tuple((-200.0, 300.0) if is_ct else (float(low), float(max(high, low + 1e-6))) for is_ct, (low, high) in zip(ct, ends))


def _scaled(volume: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    return np.clip((volume - window[0]) / (window[1] - window[0]), 0.0, 1.0)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.size < 2 or first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _cut(volume: np.ndarray, view: _View, middle: np.ndarray) -> np.ndarray:
    """The slice through a voxel (x, y, z), rows along the view's second direction."""
    return np.take(volume, middle[view.axis], axis=2 - view.axis)


def _frame(grid: ImageGrid, view: _View) -> list[float]:
    """The picture's edges in mm from the grid's first voxel: left, right, bottom, top."""
    width, height = grid.extent[view.right], grid.extent[view.up]
    half = grid.spacing[0] / 2
    across, along = [-half, width - half], [-half, height - half]
    return [*across, *along] if view.flip else [*across, *along[::-1]]


def _show(place: Axes, image: np.ndarray, grid: ImageGrid, view: _View, **style: object):  # noqa: ANN202
    place.set_facecolor(_BACKGROUND)
    place.set_xticks([])
    place.set_yticks([])
    for spine in place.spines.values():
        spine.set_visible(False)
    return place.imshow(image, extent=_frame(grid, view), origin="lower" if view.flip else "upper", interpolation="bilinear", **style)


def _blend(place: Axes, fixed: np.ndarray, moving: np.ndarray, grid: ImageGrid, view: _View) -> None:
    """Fixed in magenta over moving in green."""
    _show(place, np.stack([fixed, moving, fixed], axis=-1), grid, view)


def _coordinates(image: np.ndarray, grid: ImageGrid) -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(np.arange(image.shape[1]) * grid.spacing[0], np.arange(image.shape[0]) * grid.spacing[0])


def _deformation(
    place: Axes,
    image: np.ndarray,
    field: DisplacementField,
    lengths: np.ndarray,
    grid: ImageGrid,
    view: _View,
    middle: np.ndarray,
    top: float,
):  # noqa: ANN202
    """A regular grid of the moving image as it comes to lie on the fixed one, over the displacement's length."""
    _show(place, image, grid, view, cmap="gray", vmin=0, vmax=1)
    picture = _show(place, _cut(lengths, view, middle), grid, view, cmap="viridis", vmin=0, vmax=top, alpha=0.55)
    local = np.einsum("ab,azyx->bzyx", grid.axes, field.vectors)  # along the picture's axes
    x, y = _coordinates(image, grid)
    spacing = float(max(grid.extent)) / _LINES
    for base, component in ((x, view.right), (y, view.up)):
        target = base + _cut(local[component], view, middle)
        levels = np.arange(np.floor(target.min() / spacing), np.ceil(target.max() / spacing) + 1) * spacing
        place.contour(x, y, target, levels=levels, colors="white", linewidths=0.7)
    return picture


def _outlines(place: Axes, fixed: np.ndarray, moving: np.ndarray, grid: ImageGrid, view: _View) -> None:
    """The fixed image with the moving one's steepest edges."""
    _show(place, fixed, grid, view, cmap="gray", vmin=0, vmax=1)
    x, y = _coordinates(moving, grid)
    place.contour(x, y, moving, levels=[0.25, 0.6], colors=["#ffb000", "#40e0ff"], linewidths=0.8)
