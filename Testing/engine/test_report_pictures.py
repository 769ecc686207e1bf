"""The pictures of a report: positions and orientations of what they show."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from reports import FIELD, FIXED, MOVING, WAVES, scene_fixture, small_pictures_fixture  # noqa: F401 - fixtures
from scenes import image_on, itk_transform, make_grid, voxel_points

from deepreg_engine.geometry.beyond import LinearPart, linear_part
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.metrics.bins import nice_step
from deepreg_engine.reporting.figures import Measured, Pair, measure
from deepreg_engine.reporting.interest import coarse_view, deformation_of, point_of_interest
from deepreg_engine.reporting.pictures import Views, draw
from deepreg_engine.reporting.planes import letters, obliqueness, planes
from deepreg_engine.reporting.png import png

SOFT = ((-200.0, 300.0),) * 2
STILL = LinearPart(np.eye(4), "alignment")


def marked(grid: ImageGrid, places: list[np.ndarray], radius: float = 9.0) -> sitk.Image:
    """Black, with a bright ball at each place."""
    points = voxel_points(grid)
    value = np.full(grid.size[::-1], -1000.0)
    for place in places:
        value[np.linalg.norm(points - place, axis=-1) < radius] = 400.0
    return image_on(grid, value.astype(np.float32))


def centre_of(image: np.ndarray) -> np.ndarray:
    """Column and row of the middle of what is bright."""
    rows, columns = np.nonzero(image > 128)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


TURNED = (  # the same place in space, stored in other orders and directions
    make_grid((40, 32, 18), (2.0, 2.6, 4.5), (11, -8, 13)),
    make_grid((40, 32, 18), (2.0, 2.6, 4.5), (11, -8, 193)),
    make_grid((40, 32, 18), (2.0, 2.6, 4.5), (11, -8, 13), mirrored=True),
)


@pytest.mark.parametrize("grid", TURNED, ids=["straight", "turned round", "mirrored"])
def test_pictures_are_as_a_radiologist_has_them(grid):
    """The patient's left is at the right, the front above, the head above; a millimetre is as long along both axes."""
    middle = grid.centre
    for direction, name, axis, sign in (
        ((1, 0, 0), "axial", 0, 1),
        ((0, 1, 0), "axial", 1, 1),
        ((1, 0, 0), "coronal", 0, 1),
        ((0, 0, 1), "coronal", 1, -1),
        ((0, 1, 0), "sagittal", 0, 1),
        ((0, 0, 1), "sagittal", 1, -1),
    ):
        plane = next(plane for plane in planes(grid, middle, 300) if plane.name == name)
        image = marked(grid, [middle + 20.0 * np.array(direction)], 13.0)
        identity = sitk.Transform(3, sitk.sitkIdentity)
        pair = Pair(image, image, identity)
        picture = draw(pair, measure(pair), plane, Views(((-1000.0, 400.0),) * 2, None, STILL, 1.0, 10.0, True))["after"]
        assert picture.shape == (plane.grid.size[1], plane.grid.size[0], 3)
        place = centre_of(picture[..., 0])
        expected = np.array([plane.grid.size[0], plane.grid.size[1]]) / 2.0
        columns = plane.grid.axes[:, :2].T @ (20.0 * np.array(direction)) / plane.grid.spacing[0]
        np.testing.assert_allclose(place, expected + columns, atol=1.5)
        assert sign * (place - expected)[axis] > 0.8 * 20.0 / plane.grid.spacing[0]  # turned by a few degrees only
        np.testing.assert_allclose(plane.cross, expected, atol=2.5 / plane.grid.spacing[0] * max(grid.spacing))
        assert plane.sides == {"axial": ("R", "L", "A", "P"), "coronal": ("R", "L", "S", "I"), "sagittal": ("A", "P", "S", "I")}[name]


def test_letters_of_steep_directions():
    assert letters(np.array([0.99, 0.05, 0.1])) == "L"
    assert letters(np.array([0.0, -1.0, 0.0])) == "A"
    assert letters(np.array([-0.8, 0.6, 0.0])) == "RP"
    assert letters(np.array([0.1, 0.6, -0.8])) == "IP"
    assert obliqueness(make_grid((4, 5, 6), (1, 2, 3), (0, 0, 12))) == pytest.approx(12.0)
    assert obliqueness(make_grid((4, 5, 6), (1, 2, 3), (0, 0, 90))) == pytest.approx(0.0, abs=1e-4)


def test_before_and_after_are_where_the_images_are(scene):
    """Through the true deformation fixed and moving agree; before they do not."""
    fixed, moving = (sitk.ReadImage(scene.file(name)) for name in ("fixed.nii.gz", "moving.nrrd"))
    pair = Pair(fixed, moving, scene.transform)
    measured = measure(pair)
    views = Views(SOFT, None, STILL, 3.0, 10.0, True)
    for plane in planes(FIXED, FIXED.centre, 150):
        pictures = draw(pair, measured, plane, views)
        apart = {
            stage: np.abs(pictures[stage][..., 0].astype(int) - pictures[stage][..., 1])[20:-20, 20:-20].mean()
            for stage in ("before", "after")
        }
        assert apart["after"] < 0.6 * apart["before"], (plane.name, apart)
        reference = sitk.Resample(
            sitk.Cast(fixed, sitk.sitkFloat32),
            image_on(plane.grid, np.zeros(plane.grid.shape, np.uint8)),
            sitk.Transform(),
            sitk.sitkLinear,
            -1000.0,
        )
        grey = np.clip((sitk.GetArrayFromImage(reference)[0] + 200.0) / 500.0, 0, 1) * 255
        full = pictures["after"][..., 0] >= pictures["after"][..., 2]
        np.testing.assert_allclose(pictures["checkerboard"][:10, :10, 0], grey[:10, :10], atol=1.0)
        assert full.all()
        assert set(pictures) == {"before", "after", "checkerboard", "grid", "jacobian", "difference"}


def test_a_single_fold_is_visible():
    """A single folded voxel is shown in magenta; without folds there is no magenta."""
    grid = make_grid((60, 50, 40), (1.1, 1.3, 1.9), (9, -7, 14))
    image = marked(grid, [grid.centre], 25.0)
    pair = Pair(image, image, sitk.Transform(3, sitk.sitkIdentity))
    measured = measure(pair)
    plane = planes(grid, grid.centre, 40)[0]  # coarser than the voxels
    views = Views(((-1000.0, 400.0),) * 2, None, STILL, 1.0, 10.0, True)

    def magenta(jacobian):
        picture = draw(pair, Measured(measured.figures, measured.split, jacobian), plane, views)["jacobian"]
        return int((picture == (255, 0, 255)).all(axis=-1).sum())

    assert magenta(measured.jacobian) == 0
    folded = measured.jacobian.copy()
    voxel = np.round(grid.physical_to_index(grid.centre[None])[0]).astype(int)
    folded[voxel[2], voxel[1] + 3, voxel[0] - 5] = -0.1
    assert 1 <= magenta(folded) <= 4


def test_the_deformation_grid_is_that_of_the_moving_image():
    """Lines of u = 0 are as far apart as asked for; a field that stretches brings them nearer."""
    grid = make_grid((60, 50, 30), (2.0, 2.2, 3.0), (0, 0, 0))
    counts = {}
    for factor in (1.0, 2.0):
        affine = sitk.AffineTransform(3)
        affine.SetMatrix((np.eye(3) * factor).ravel().tolist())
        affine.SetCenter(grid.centre.tolist())
        noisy = image_on(grid, np.random.default_rng(0).normal(size=grid.size[::-1]).astype(np.float32))
        pair = Pair(noisy, noisy, affine)
        plane = planes(grid, grid.centre, 240)[0]
        picture = draw(pair, measure(pair), plane, Views(((50.0, 60.0),) * 2, None, STILL, 1.0, 12.0, True))["grid"][..., 0]
        row = (picture[: plane.grid.size[1] // 2] > 40).mean(axis=0) > 0.9
        counts[factor] = int(np.count_nonzero(np.diff(row.astype(int)) == 1))
    assert counts[1.0] == pytest.approx(120.0 / 12.0, abs=1)
    assert counts[2.0] == pytest.approx(2 * counts[1.0], abs=2)


def test_the_views_go_where_the_tissue_is_deformed_most():
    grid = make_grid((40, 36, 30), (3.0, 3.3, 4.0), (9, -7, 14))
    points = voxel_points(grid)
    body = np.linalg.norm((points - grid.centre) / (45.0, 45.0, 50.0), axis=-1) < 1
    image = image_on(grid, np.where(body, 50.0, -1000.0).astype(np.float32))
    place = grid.centre + (20.0, -12.0, 15.0)
    bump = 8.0 * np.exp(-np.sum((points - place) ** 2, axis=-1) / (2 * 12.0**2))
    shift = np.array([15.0, -9.0, 6.0])  # a translation is not a deformation
    vectors = np.moveaxis(shift + bump[..., None] * np.array([0.6, 0.8, 0.0]), -1, 0)
    transform = itk_transform(vectors, grid)
    coarse = coarse_view(image, image, transform, SOFT)
    linear = linear_part(DisplacementField.from_transform(transform, grid))
    deformation = deformation_of(coarse, transform, linear)
    assert np.linalg.norm(linear.parts(grid.centre).shift - shift) < 2.0
    assert np.linalg.norm(deformation, axis=1).max() < 9.0  # the shift is taken out
    found, why = point_of_interest(coarse, deformation, None)
    assert np.linalg.norm(found - place) < 12.0
    assert "largest deformation" in why
    nothing, why = point_of_interest(coarse, 0.0 * deformation, None)
    assert np.linalg.norm(nothing - grid.centre) < 5.0
    assert "centre of the tissue" in why


def test_png_files_are_read_by_others(tmp_path):
    generator = np.random.default_rng(0)
    for shape in ((7, 5), (16, 9, 3), (1, 4, 3), (12, 1, 4), (40, 30, 3)):
        pixels = generator.integers(0, 256, shape).astype(np.uint8)
        if shape[0] == 40:
            pixels = np.repeat(np.linspace(0, 255, 40).astype(np.uint8)[:, None, None], 30, axis=1).repeat(3, axis=2)  # filters matter
        (tmp_path / "p.png").write_bytes(png(pixels))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "p.png"))), pixels)
    with pytest.raises(ValueError, match="cannot be written"):
        png(np.zeros((3, 3)))


def test_steps_are_round():
    assert [nice_step(value) for value in (0.03, 0.11, 1.0, 1.01, 7.0, 200.0)] == pytest.approx([0.05, 0.2, 1.0, 2.0, 10.0, 200.0])
