"""Both sides of a registration at one resolution: images drawn on the working grid, and what lies beyond their ends."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from registering import FIXED_TURNS, MOVING_TURNS, noisy, scene
from scenes import (
    FIXED,
    MIRRORED,
    MOVING,
    Waves,
    blank,
    image_on,
    inside,
    itk_map,
    itk_transform,
    make_grid,
    rotation,
    smooth_image,
    voxel_points,
)
from scipy import ndimage

from deepreg_engine.features.handcrafted import Mind
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.volume import covered, draw
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.boxes import boxes_around
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.dense.presets import dense_preset
from deepreg_engine.methods.dense.register import register_dense

QUICK = dense_preset("quick").parameters
CPU = torch.device("cpu")


def transforms():
    """None, a matrix, and a field of displacements that ends inside the grid."""
    affine = sitk.AffineTransform(3)
    affine.SetMatrix((rotation(9, -12, 20) @ np.array([[1.1, 0.1, 0.0], [0.0, 0.9, 0.05], [0.1, 0.0, 1.05]])).ravel().tolist())
    affine.SetCenter((31, -52, 17))
    affine.SetTranslation((2.0, -1.0, 3.0))
    return {"none": None, "affine": affine, "field": itk_transform(Waves.draw(1).on(FIXED).vectors, FIXED)}


@pytest.mark.parametrize("name", ["none", "affine", "field"])
@pytest.mark.parametrize(("source", "grid"), [(FIXED, MOVING), (MIRRORED, FIXED)])
def test_an_image_is_drawn_where_it_lies_and_its_faces_go_on(name, source, grid):
    transform = transforms()[name]
    image = smooth_image(source, 3)
    points = voxel_points(grid).reshape(-1, 3)
    there = points if transform is None else itk_map(transform, points)
    index = np.array([image.TransformPhysicalPointToContinuousIndex(point) for point in there.tolist()])
    expected = ndimage.map_coordinates(sitk.GetArrayFromImage(image), index[:, ::-1].T, order=1, mode="nearest")
    np.testing.assert_allclose(draw(image, grid, transform).numpy().ravel(), expected, atol=0.05)  # not coarser: nothing is smoothed
    seen = covered(source, grid, transform).numpy().ravel() > 0
    # Within a hundredth of a voxel of the border rounding may decide.
    apart = np.abs(np.abs(index - (np.array(source.size) - 1) / 2) - np.array(source.size) / 2).min(axis=1) > 0.01
    assert (seen == inside(source, there))[apart].all()
    assert 0.02 < seen.mean() < 0.98


def level(fixed, moving, spacing=4.0, alignment=None):
    grid = ImageGrid.of(fixed).resampled(spacing)
    alignment = alignment or sitk.Transform(3, sitk.sitkIdentity)
    return LevelData(ImagePair(fixed, moving), grid, alignment, 30.0, (Mind(), Mind()), CPU)


def test_what_is_not_known_of_the_moving_image_does_not_mismatch():
    """A slab of an image matches the whole image in the slab up to its faces, whether the whole image continues there or ends in air."""
    grid = make_grid((30, 26, 28), (4.0, 4.0, 4.0), FIXED_TURNS, (31, -52, 17))
    body = sitk.GetArrayFromImage(smooth_image(grid, 1)) + 100.0
    cut = np.full_like(body, -1000.0)
    cut[8:20] = body[8:20]
    slab = sitk.RegionOfInterest(image_on(grid, body), (30, 26, 12), (0, 0, 8))
    slab[0, 0, 0] = -1000.0  # so that its background is air, as of a CT
    zero = torch.zeros(3, *grid.shape)
    for whole in (body, cut):
        data = level(image_on(grid, whole), slab)
        mismatch = []
        for features, known, _ in (data.warped(zero), data.warped_best_padding(zero)):
            np.testing.assert_allclose(known.numpy(), cut > -1000, atol=1e-4)
            mismatch.append(float((features - data.fixed_features()).square().mean(0)[known > 0.5].mean()))
        assert mismatch[1] <= mismatch[0]
        assert mismatch[1] < 0.02, mismatch
    assert mismatch[0] > 3 * mismatch[1]  # the air in the cropped image must not continue as tissue


def test_what_is_known_is_the_same_either_way():
    fixed = smooth_image(make_grid((24, 22, 20), (4.0, 5.0, 4.5), FIXED_TURNS), 1)
    moving = smooth_image(make_grid((50, 52, 54), (4.0, 4.2, 4.4), MOVING_TURNS), 2)
    data = level(fixed, moving)
    field = torch.zeros(3, *data.grid.shape) + 1.5
    for one, other in zip(data.warped(field)[:2], data.warped_best_padding(field)[:2], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("seed", range(4))
def test_the_better_guess_is_computed_only_where_it_can_differ(monkeypatch, seed):
    fixed = smooth_image(make_grid((50, 44, 46), (4.0, 4.0, 4.0), FIXED_TURNS), 1)
    turns = np.random.default_rng(seed).uniform(-25, 25, 3)
    data = level(fixed, smooth_image(make_grid((44, 40, 36), (4.5, 4.2, 5.1), turns, (10.0, -8.0, 12.0)), 2))
    field = torch.from_numpy(Waves.draw(seed, amplitude=2.0).on(data.grid).vectors)
    marked = data.coverage(field) < 0.999
    boxes = boxes_around(marked, 3)
    count = torch.zeros(data.grid.shape)
    for box in boxes:
        count[box] += 1
    near = ndimage.binary_dilation(marked.numpy(), np.ones((7, 7, 7)))
    assert count.max() == 1
    assert (count.numpy()[near] == 1).all()
    assert 0.3 < count.mean() < 0.5 + near.mean()
    parts = data.warped_best_padding(field)[0]
    monkeypatch.setattr(
        "deepreg_engine.methods.common.level.boxes_around", lambda marked, reach: [tuple(slice(0, n) for n in marked.shape)]
    )
    # MIND divides by no less than a thousandth of its volume's mean variance, and a part has another: a few voxels decide otherwise.
    difference = (parts - data.warped_best_padding(field)[0]).abs()[:, data.coverage(field) > 0.5]
    assert (difference > 1e-3).float().mean() < 1e-3


@pytest.mark.parametrize("shape", [(4, 30, 90), (40, 40, 40)])
def testboxes_around_nothing_and_around_everything(shape):
    assert boxes_around(torch.zeros(shape, dtype=torch.bool), 3) == []
    count = torch.zeros(shape)
    for box in boxes_around(torch.ones(shape, dtype=torch.bool), 3):
        count[box] += 1
    assert (count == 1).all()


def test_a_moving_image_that_ends_within_the_patient_is_not_pulled_over_what_it_does_not_show():
    """Two scans that overlap in part: unknown surroundings must neither attract nor repel, as air at the end of the moving scan would."""
    pair = scene("abdomen")
    size = pair.moving.GetSize()
    slab = pair.moving[:, :, size[2] // 2 :]
    truth = np.moveaxis(pair.truth, 0, -1) + voxel_points(pair.grid)
    index = ImageGrid.of(slab).physical_to_index(truth.reshape(-1, 3))
    shown = np.all((index >= 0) & (index <= np.array(slab.GetSize()) - 1), axis=1).reshape(pair.body.shape) & pair.body
    beyond = pair.body & ~shown
    assert shown.sum() > 3000
    assert beyond.sum() > 3000
    shift = pair.truth[:, shown].mean(axis=1)
    result = register_dense(
        ImagePair(pair.fixed, slab, alignment=Alignment(sitk.TranslationTransform(3, shift.tolist()), "file")), QUICK, "cpu"
    )
    before, after = pair.distances(np.reshape(shift, (3, 1, 1, 1))), pair.distances(result.field.vectors)
    assert after[shown].mean() < 0.3 * before[shown].mean()
    assert after[beyond].mean() < before[beyond].mean()


def test_rounding_at_a_border_does_not_decide():
    """The working grid reaches half a voxel beyond the fixed image; a billionth of a millimetre must not change the result."""
    grid = make_grid((48, 42, 34), (5.0, 5.0, 5.0), FIXED_TURNS, (0.0, 2.0, 10.0))
    pair = scene("abdomen")
    fixed = noisy(sitk.Resample(pair.fixed, blank(grid), sitk.Transform(), sitk.sitkLinear, -1000.0), 10.0)
    overhang = grid.physical_to_index(np.array([grid.resampled(10.0).origin]))[0]
    assert overhang == pytest.approx([-0.5, -0.5, -0.5])
    still = Alignment(sitk.Transform(3, sitk.sitkIdentity), "none")
    fields = []
    for shift in (0.0, 1e-9, -1e-9):
        fixed.SetOrigin((np.array(grid.origin) + shift).tolist())
        fields.append(register_dense(ImagePair(fixed, pair.moving, alignment=still), QUICK, "cpu").field.vectors)
    assert max(np.abs(field - fields[0]).max() for field in fields[1:]) < 0.05
