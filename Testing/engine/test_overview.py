"""The picture of a registration: its panels, their content and orientation, and its title."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import SimpleITK as sitk
from registering import aligned, scene, shifted
from scenes import image_on, itk_transform, make_grid, rotation, voxel_points

from deepreg_engine.errors import EngineError, OutputError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.jobs.overview import add_overview

IDENTITY = sitk.Transform(3, sitk.sitkIdentity)
BACKGROUND = (0x10, 0x14, 0x18)
BEFORE, AFTER, GRID, FIRST_COMPARISON, SECOND_COMPARISON = range(5)


def picture(folder, fixed, moving, field, alignment=IDENTITY, title="one to the other"):
    """The picture's colours (height, width, 3), 0 .. 255."""
    path = folder / "overview.png"
    with FileGroup() as files:
        add_overview(files, str(path), fixed, moving, field, alignment, title)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert image.dtype == np.uint8
    assert 300 < image.shape[0] < 2000
    assert 1000 < image.shape[1] < 2000
    return image[..., :3].astype(int)


def runs(flags, least):
    """Starts and ends of runs of True that are at least so long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if stop - start >= least]


def panels(image):
    """The parts (height, width, 3) of the picture, by row and column: whatever is not background and larger than letters."""
    drawn = (image != BACKGROUND).any(axis=2)
    found = []
    for top, bottom in runs(drawn.mean(axis=1) > 0.1, 8):
        row = runs(drawn[top:bottom].mean(axis=0) > 0.6, 8)
        found.append([image[top:bottom, left:right] for left, right in row if right - left >= 25])
    return [row for row in found if len(row) > 2]  # neither a line of text nor the bar of colours


def greyness(panel):
    """Mean difference of magenta and green where something is shown; 0 is grey."""
    seen = panel.max(axis=2) > 12
    return float(np.abs(panel[..., 0] - panel[..., 1])[seen].mean())


def truth_of(pair):
    return DisplacementField(pair.truth, pair.grid)


@pytest.fixture(scope="module")
def thorax(tmp_path_factory):
    """Parts of the picture of a phantom pair under its true deformation."""
    pair = scene("thorax")
    return panels(picture(tmp_path_factory.mktemp("thorax"), pair.fixed, pair.moving, truth_of(pair)))


# --------------------------------------------------------------------------------------------------------- what it shows


def test_the_truth_makes_grey_what_was_coloured_and_leaves_no_difference(thorax):
    assert [len(row) for row in thorax] == [5, 5, 5]
    for row in thorax:
        assert np.ptp([part.shape for part in row], axis=0).max() <= 1  # whole pixels
        assert greyness(row[AFTER]) < 0.35 * greyness(row[BEFORE])
        # Differences are drawn on white, with colour where there is one.
        assert min(part.mean() for part in row[FIRST_COMPARISON:]) > 180
        assert greyness(row[SECOND_COMPARISON]) < 0.4 * greyness(row[FIRST_COMPARISON])
        # The deformation is shown in the patient, not in the air.
        colour = np.ptp(row[GRID], axis=2)
        assert (colour > 15).mean() > 0.3


def test_no_deformation_is_drawn_in_the_air(thorax, tmp_path):
    pair = scene("thorax")
    wild = pair.truth.copy()
    air = np.linalg.norm(voxel_points(pair.grid)[..., :2] - pair.grid.centre[:2], axis=-1) > 190
    wild[:, air] += 90.0
    other = panels(picture(tmp_path, pair.fixed, pair.moving, DisplacementField(wild, pair.grid)))
    for first, second in zip(thorax, other, strict=True):
        height, width = first[GRID].shape[:2]
        inner = slice(height // 4, -height // 4), slice(width // 4, -width // 4)
        # The scale of the colours is that of the patient.
        assert np.abs(first[GRID][inner] - second[GRID][inner]).mean() < 4
    corner = thorax[0][GRID][:12, :12]
    assert np.ptp(corner, axis=2).max() < 12


def test_images_of_different_contrast_are_compared_by_outlines(tmp_path):
    pair = scene("abdomen", "mr-ct")
    parts = panels(picture(tmp_path, pair.fixed, pair.moving, truth_of(pair), aligned(pair).transform))
    assert [len(row) for row in parts] == [5, 5, 5]
    for row in parts:
        for part in row[FIRST_COMPARISON:]:
            assert part.mean() < 140  # the fixed image in grey on black, not a difference on white
            assert ((part[..., 0] > 180) & (part[..., 2] < 90)).sum() > 50  # amber lines
            assert ((part[..., 2] > 180) & (part[..., 0] < 120)).sum() > 50  # blue lines
        assert (row[FIRST_COMPARISON] != row[SECOND_COMPARISON]).any()


def test_images_far_apart_are_shown_after_the_alignment(thorax, tmp_path):
    """Before the alignment, the moving image does not cover the slices."""
    pair = scene("thorax")
    offset = np.array([300.0, -150.0, 700.0])
    field = DisplacementField(pair.truth + offset[:, None, None, None].astype(np.float32), pair.grid)
    alignment = sitk.TranslationTransform(3, offset.tolist())
    parts = panels(picture(tmp_path, pair.fixed, shifted(pair.moving, offset), field, alignment))
    for row, other in zip(parts, thorax, strict=True):
        for column in (BEFORE, AFTER, SECOND_COMPARISON):
            assert np.abs(row[column] - other[column]).mean() < 3


def test_where_the_moving_image_does_not_reach_nothing_is_compared(tmp_path):
    pair = scene("abdomen")
    lower = pair.moving[:, :, : 2 * pair.moving.GetSize()[2] // 5]
    parts = panels(picture(tmp_path, pair.fixed, lower, truth_of(pair)))
    coronal = parts[1]
    upper = slice(0, coronal[AFTER].shape[0] // 5)
    assert greyness(coronal[AFTER][upper]) < 5  # dim grey, not the magenta of a mismatch
    assert 20 < coronal[AFTER][upper].max() < 120
    assert coronal[SECOND_COMPARISON][upper].min() > 235


# ----------------------------------------------------------------------------------------------------------- where it is


def stored(kind):
    """Axes (3, 3) of scans in many ways."""
    return {
        "sagittal": np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float),
        "coronal, mirrored": np.array([[-1, 0, 0], [0, 0, 1], [0, 1, 0]], dtype=float),
        "a little oblique": rotation(11, -9, 16),
        "steeply oblique": rotation(40, 25, -35),
        "no axis nearest": rotation(0, 0, 45) @ rotation(38, 0, 0),
    }[kind]


@pytest.mark.parametrize("kind", ["sagittal", "coronal, mirrored", "a little oblique", "no axis nearest"])
def test_right_is_left_and_front_and_head_are_up(tmp_path, kind):
    """A brighter block at the patient's right, front and head is in the upper left of each cut, in the sagittal one at the front."""
    axes, middle = stored(kind), np.array([31.0, -52.0, 17.0])
    size, spacing = np.array((52, 45, 38)), np.array((4.5, 5.0, 6.0))
    grid = ImageGrid(tuple(size), tuple(spacing), tuple(middle - axes @ (spacing * (size - 1) / 2)), tuple(axes.ravel()))
    x, y, z = np.moveaxis(voxel_points(grid) - middle, -1, 0)  # left, back, head
    values = np.where(x**2 + y**2 + z**2 < 95**2, 60.0, 0.0)
    values[(values > 0) & (x < 12) & (y < 12) & (z > -12)] = 200.0
    rng = np.random.default_rng(0)
    image = image_on(grid, (values + rng.normal(0, 0.5, values.shape)).astype(np.float32))
    parts = panels(picture(tmp_path, image, image, DisplacementField.zeros(grid)))
    assert [len(row) for row in parts] == [5, 5, 5]
    for row in parts:
        grey = row[AFTER].mean(axis=2)
        height, width = (n // 2 for n in grey.shape)
        upper, lower = grey[height // 2 : height - 12], grey[height + 25 : -height // 2]
        left, right = slice(width // 2, width - 12), slice(width + 25, -width // 2)
        others = [upper[:, right].mean(), lower[:, left].mean(), lower[:, right].mean()]
        assert upper[:, left].mean() > 1.6 * max(others)
        assert greyness(row[AFTER]) < 2


@pytest.mark.parametrize(("axes", "size"), [("sagittal", (60, 55, 4)), ("steeply oblique", (40, 50, 5))])
def test_a_thin_slab_makes_no_endless_picture(tmp_path, axes, size):
    pair = scene("brain")
    axes, spacing = stored(axes), np.array((3.6, 4.0, 5.0))
    grid = ImageGrid(size, tuple(spacing), tuple(pair.grid.centre - axes @ (spacing * (np.array(size) - 1) / 2)), tuple(axes.ravel()))
    slab = sitk.Resample(pair.fixed, image_on(grid, np.zeros(grid.size[::-1], np.float32)), IDENTITY, sitk.sitkLinear)
    vectors = np.moveaxis(pair.deformation.displacement(voxel_points(grid).reshape(-1, 3)).reshape(*grid.size[::-1], 3), -1, 0)
    image = picture(tmp_path, slab, pair.moving, DisplacementField(vectors, grid))
    assert image.shape[0] < 1.2 * image.shape[1]
    assert sum(len(row) == 5 for row in panels(image)) == 3


# ------------------------------------------------------------------------------------------------------------- odd input


def small_pair():
    grid = make_grid((20, 17, 14), (6.0, 7.0, 8.0), (11, -9, 16))
    radius = np.linalg.norm(voxel_points(grid), axis=-1)
    return image_on(grid, np.where(radius < 45, 100.0, 0.0).astype(np.float32)), grid


def test_titles_are_taken_as_they_are(tmp_path):
    image, grid = small_pair()
    title = r"100% of $x^$ and \frac{ registered to {0} _^~"
    picture(tmp_path, image, image, DisplacementField.zeros(grid), title=title)


def test_a_displacement_field_as_alignment_and_images_without_any_contrast_are_drawn(tmp_path):
    image, grid = small_pair()
    field = DisplacementField(np.full((3, *grid.shape), 4.0, np.float32), grid)
    picture(tmp_path, image, image, field, itk_transform(field.vectors, grid))
    noise = image_on(grid, np.random.default_rng(0).normal(size=grid.shape).astype(np.float32))
    picture(tmp_path, noise, shifted(image, (0, 0, 5000)), field)  # nothing of it to see, and still a picture


def test_nothing_is_written_where_it_cannot_be(tmp_path, monkeypatch):
    image, grid = small_pair()
    with pytest.raises(OutputError):
        picture(tmp_path / "missing", image, image, DisplacementField.zeros(grid))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(EngineError, match="needs matplotlib.*pip install|needs matplotlib"):
        picture(tmp_path, image, image, DisplacementField.zeros(grid))
    assert list(tmp_path.iterdir()) == []
