"""The expected error: its model in closed form, its map and figures, and runs of Dense and Points on pairs with known truth."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from dense_runs import QUICK, plain, run
from registering import scene
from scenes import FIXED, MOVING, image_on, make_grid, rotation, voxel_points

from deepreg_engine.commands.tables import result_lines
from deepreg_engine.content.description import Content
from deepreg_engine.errors import ParameterError
from deepreg_engine.geometry.body import body_at
from deepreg_engine.jobs.registration import run_registration
from deepreg_engine.jobs.request import make_request
from deepreg_engine.methods.common.error_model import Effect, ErrorModel, Predictors, error_model
from deepreg_engine.methods.common.expected_error import ExpectedError
from deepreg_engine.methods.dense.error_predictors import localisation
from deepreg_engine.methods.points.error_predictors import expected_error, map_grid, predictors
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.register import register_points

pytestmark = pytest.mark.usefixtures("one_thread")
METHODS = ("dense", "points, belief", "points, drift")
TOY = ErrorModel(
    (
        Effect("near", True, (0.0, 1.0, 3.0), (0.0, 0.5, 0.6), (0.0, 0.1, 0.2), (0.0, 2.0), beyond=1.0),
        Effect("share", False, (-4.0, 0.0), (0.0, 2.0), (0.0, 2.5), (-3.0, -1.0)),
    ),
    bound=0.25,
    typical=-0.5,
    floor=1.5,
    features=("mind", "self-similarity"),
)


# ----------------------------------------------------------------------------------------------------------------- model


def test_the_model_is_a_sum_of_interpolated_functions_of_logarithms():
    at = Predictors({"near": 2.0 * np.exp([0.5, 2.0, 5.0, 0.5]), "share": np.exp([-2.0, -1.0, 3.0, -2.0])}, 2.0)
    bound, typical = TOY.errors(at)
    assert bound == pytest.approx(2.0 * np.exp(0.25 + np.array([0.25 + 1.0, 0.55 + 1.5, 0.6 + 2.0 + 2.0, 0.25 + 1.0])))
    assert typical == pytest.approx(2.0 * np.exp(-0.5 + np.array([0.05 + 1.25, 0.15 + 1.875, 0.2 + 2.0 + 2.5, 0.05 + 1.25])))


def test_the_bound_has_a_floor_and_the_typical_error_is_below_it():
    bound, typical = TOY.errors(Predictors({"near": np.array([0.0]), "share": np.array([0.0])}, 0.1))
    assert bound == pytest.approx(0.1 * 1.5)
    _, typical = dataclasses.replace(TOY, typical=9.0).errors(Predictors({"near": np.array([1.0]), "share": np.array([0.1])}, 1.0))
    assert typical == pytest.approx(TOY.errors(Predictors({"near": np.array([1.0]), "share": np.array([0.1])}, 1.0))[0])


def of_numbers(model, numbers, unit=1.0):
    """Predictors of a model from logarithms (K, N)."""
    lengths = [unit if effect.is_length else 1.0 for effect in model.effects]
    return Predictors({e.name: h * np.exp(z) for e, h, z in zip(model.effects, lengths, numbers, strict=True)}, unit)


@pytest.mark.parametrize("method", METHODS)
def test_a_shipped_model_is_monotone_and_follows_the_length(method):
    model, random = error_model(method), np.random.default_rng(0)
    ranges = np.array([(effect.knots[0] - 1.0, effect.knots[-1] + 1.0) for effect in model.effects])
    numbers = random.uniform(*ranges.T[..., None], (len(ranges), 200))
    bound, typical = model.errors(of_numbers(model, numbers))
    assert (typical <= bound).all()
    assert (bound >= model.floor).all()
    raised = [model.errors(of_numbers(model, numbers + 0.7 * np.eye(len(ranges))[number][:, None])) for number in range(len(ranges))]
    assert all((more >= least - 1e-9).all() for pair in raised for more, least in zip(pair, (bound, typical), strict=True))
    assert max((more[0] / bound).max() for more in raised) > 1.2
    assert np.array(model.errors(of_numbers(model, numbers, 0.2))) == pytest.approx(0.2 * np.array([bound, typical]))
    assert ErrorModel.of(model.to_plain()) == model


def on_grid(near, share, grid=FIXED):
    values = {"near": np.full(grid.shape, near), "share": np.full(grid.shape, share)}
    return Predictors(values, 1.0), grid, np.ones(grid.shape, dtype=bool)


def test_a_pair_unlike_those_of_the_calibration_is_reported():
    like = ExpectedError.of(TOY, *on_grid(np.e, np.exp(-2.0)), ("mind",))
    assert like.reason == ""
    assert like.figures()["calibrated"] is True
    for near, share, name in ((np.exp(2.3), np.exp(-2.0), "near"), (np.e, np.exp(-0.7), "share"), (np.exp(-0.3), np.exp(-2.0), "near")):
        unlike = ExpectedError.of(TOY, *on_grid(near, share))
        assert name in unlike.reason
        assert unlike.figures()["calibrated"] is False
    assert "intensity" in ExpectedError.of(TOY, *on_grid(np.e, np.exp(-2.0)), ("mind", "intensity")).reason


def test_figures_are_those_of_the_body():
    at, grid, inside = on_grid(np.e, np.exp(-2.0))
    at.values["near"][0] = np.exp(3.0)
    inside[0] = False
    inside[1:, 0] = False
    found = ExpectedError.of(TOY, at, grid, inside)
    found.bound[:] = 3.0
    found.bound[1] = 7.0
    figures = found.figures()
    body = found.bound[inside]
    assert figures["bound_mm"] == pytest.approx({"mean": body.mean(), "median": np.median(body), "percentile95": np.percentile(body, 95)})
    assert figures["bound_above_5_mm_percent"] == pytest.approx(100.0 / (grid.shape[0] - 1))
    assert figures["bound_percent"] == 90


def test_a_result_that_was_changed_afterwards_is_as_far_off_as_both_together():
    found = ExpectedError.of(TOY, *on_grid(np.e, np.exp(-2.0)))
    moved = found.moved(np.full(FIXED.shape, 4.0), "discarded")
    assert moved.bound == pytest.approx(found.bound + 4.0)
    assert moved.typical == pytest.approx(found.typical + 4.0)
    assert moved.figures()["reason"] == "discarded"


def test_the_map_lies_where_the_predictors_were_on_an_oblique_grid_of_another_size():
    """A linear function of the position in mm is reproduced at each voxel that the coarse grid surrounds."""
    at, _, inside = on_grid(np.e, np.exp(-2.0))
    slope = np.array([0.02, -0.03, 0.05])
    found = dataclasses.replace(ExpectedError.of(TOY, at, FIXED, inside), bound=40.0 + voxel_points(FIXED) @ slope)
    image = found.image(MOVING)
    surrounded = FIXED.contains(voxel_points(MOVING).reshape(-1, 3)).reshape(MOVING.shape)
    inner = FIXED.padded(-1).contains(voxel_points(MOVING).reshape(-1, 3)).reshape(MOVING.shape)
    assert 0.2 < surrounded.mean() < 0.9
    assert sitk.GetArrayFromImage(image)[inner] == pytest.approx((40.0 + voxel_points(MOVING) @ slope)[inner], abs=1e-4)
    assert np.isfinite(sitk.GetArrayViewFromImage(image)).all()


# ------------------------------------------------------------------------------------------------------------------ body


def test_the_body_includes_its_lungs_but_not_the_air_around_it():
    grid = make_grid((34, 30, 26), (5.0, 6.0, 7.0), (11, -9, 16), (20.0, -30.0, 10.0))
    asked = make_grid((20, 24, 18), (8.0, 7.0, 9.0), (-7, 12, -13), (20.0, -30.0, 10.0))
    middle = np.array([20.0, -30.0, 10.0])

    def drawn(points):
        from_middle = np.linalg.norm((points - middle) @ rotation(11, -9, 16) / [70.0, 60.0, 400.0], axis=-1)  # cut by two faces
        lung = np.linalg.norm((points - middle) @ rotation(11, -9, 16) / [30.0, 25.0, 400.0], axis=-1) < 1.0
        return from_middle, lung

    radius, lung = drawn(voxel_points(grid))
    image = image_on(grid, np.where(lung | (radius > 1.0), -1000.0, 40.0).astype(np.float32))
    found = body_at(image, asked)
    radius, _ = drawn(voxel_points(asked))
    inside = grid.padded(-1).contains(voxel_points(asked).reshape(-1, 3)).reshape(asked.shape)
    assert found[inside & (radius < 0.85)].all()
    assert not found[radius > 1.2].any()


def test_without_background_everything_is_body():
    noise = np.random.default_rng(0).normal(100.0, 20.0, FIXED.shape).astype(np.float32)
    assert body_at(image_on(FIXED, noise), MOVING).all()


# ----------------------------------------------------------------------------------------------------------------- dense


def test_localisation_is_the_root_of_the_trace_of_the_inverse():
    turn = rotation(20, -30, 50)
    matrix = turn @ np.diag([0.5, 0.02, 0.1]) @ turn.T
    entries = torch.tensor([matrix[i, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))]).view(6, 1, 1, 1)
    assert float(localisation(entries)) == pytest.approx(np.sqrt(1 / 0.5 + 1 / 0.02 + 1 / 0.1), rel=1e-3)
    nothing = float(localisation(torch.zeros(6, 1, 1, 1)))
    assert np.isfinite(nothing)
    assert nothing > 100.0


@functools.cache
def known(anatomy="abdomen"):
    pair, result = scene(anatomy), plain(anatomy)
    return pair, result, sitk.GetArrayFromImage(result.expected_error.image(pair.grid))


def test_most_true_errors_of_a_run_are_below_the_bound():
    """The phantom was not used in the calibration; its grids are oblique and its voxels large."""
    pair, result, bound = known()
    errors = pair.distances(result.field.vectors)
    assert (errors < bound)[pair.body].mean() > 0.8
    assert np.median(bound[pair.body]) < 3.0 * np.quantile(errors[pair.body], 0.9)
    high = bound > np.quantile(bound[pair.body], 0.8)
    assert errors[pair.body & high].mean() > 1.3 * errors[pair.body & ~high].mean()
    figures = result.expected_error.figures()
    assert figures["typical_mm"]["mean"] < errors[pair.body].mean() * 2.5
    assert figures["bound_mm"]["mean"] > errors[pair.body].mean()


def test_a_run_repeated_gives_the_same_map():
    pair, result, bound = known()
    again = run(pair.fixed, pair.moving, result.alignment).expected_error.image(pair.grid)
    assert np.array_equal(sitk.GetArrayFromImage(again), bound)


def test_the_map_follows_the_length_scale():
    """The same voxels a tenth as large, as of a mouse: all errors are a tenth."""
    pair, result, bound = known()

    def small(image):
        copy = sitk.Image(image)
        copy.SetSpacing([0.1 * s for s in image.GetSpacing()])
        copy.SetOrigin([0.1 * o for o in image.GetOrigin()])
        return copy

    matrix = sitk.AffineTransform(3)
    linear = np.array([result.alignment.transform.TransformPoint(tuple(axis)) for axis in np.eye(3)])
    offset = np.array(result.alignment.transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix.SetMatrix((linear - offset).T.ravel().tolist())
    matrix.SetTranslation((0.1 * offset).tolist())
    alignment = dataclasses.replace(result.alignment, transform=matrix)
    scaled = run(small(pair.fixed), small(pair.moving), alignment, QUICK.replaced({"length_scale": 0.1}))
    image = scaled.expected_error.image(scaled.field.grid)
    assert np.median(sitk.GetArrayFromImage(image) / (0.1 * bound)) == pytest.approx(1.0, abs=0.02)
    assert scaled.expected_error.figures()["bound_mm"]["median"] == pytest.approx(
        0.1 * result.expected_error.figures()["bound_mm"]["median"], rel=0.03
    )


def test_a_region_without_structure_has_a_larger_bound():
    pair, _, bound = known()
    values = sitk.GetArrayFromImage(pair.fixed)
    half = voxel_points(pair.grid) @ [0.0, 0.0, 1.0] > pair.grid.centre[2]
    flat = image_on(pair.grid, np.where(half & pair.body, np.float32(40.0), values))
    found = sitk.GetArrayFromImage(run(flat, pair.moving, known()[1].alignment).expected_error.image(pair.grid))
    deep = half & sitk.GetArrayFromImage(sitk.BinaryErode(image_on(pair.grid, pair.body.astype(np.uint8)), [2, 2, 2])).astype(bool)
    assert np.median(found[deep]) > 1.5 * np.median(bound[deep])


def test_a_discarded_deformation_is_part_of_the_error(monkeypatch):
    from deepreg_engine.methods.dense.register import _Dense

    pair, result, bound = known()
    monkeypatch.setattr(_Dense, "_better_of", lambda self, first, field, grid: torch.zeros_like(field))
    alone = run(pair.fixed, pair.moving, result.alignment)
    assert "discarded" in alone.expected_error.reason
    lost = np.linalg.norm(result.field.vectors - alone.field.vectors, axis=0)
    found = sitk.GetArrayFromImage(alone.expected_error.image(pair.grid))
    assert np.median((found - bound)[pair.body] / lost[pair.body]) == pytest.approx(1.0, abs=0.1)


def test_without_a_search_or_a_refinement_there_is_no_expected_error():
    pair = scene("abdomen")
    for changes in ({"search_stages": 0}, {"refinement_iterations": 0}):
        assert run(pair.fixed, pair.moving, known()[1].alignment, QUICK.replaced(changes)).expected_error is None


def files(folder, name):
    return {side: folder / f"{side}.nii.gz" for side in ("fixed", "moving")} | {"transform": name / "t.nrrd", "initial": "mass"}


def test_the_map_is_written_on_the_grid_of_the_fixed_image_with_its_figures(phantom_folder, phantom_pair, tmp_path):
    settings = {"working_spacing": 8.0, "search_stages": 1, "control_spacing": 20.0, "refinement_iterations": 1}
    made = files(phantom_folder, tmp_path) | {"expected_error": tmp_path / "e.nrrd"}
    report = run_registration(make_request("dense", **made, parameters=settings))
    image = sitk.ReadImage(str(tmp_path / "e.nrrd"))
    fixed = sitk.ReadImage(str(made["fixed"]))
    assert image.GetSize() == fixed.GetSize()
    for part in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(image, part)() == pytest.approx(getattr(fixed, part)(), abs=1e-5)
    figures, bound = report["expected_error"], sitk.GetArrayFromImage(image)
    body = sitk.GetArrayFromImage(phantom_pair.fixed_mask) > 0
    assert np.median(bound[body]) == pytest.approx(figures["bound_mm"]["median"], rel=0.15)
    assert np.percentile(bound[body], 95) == pytest.approx(figures["bound_mm"]["percentile95"], rel=0.15)
    assert figures["calibrated"] or any(figures["reason"] in note for note in report["notes"])
    assert f"90 % of the errors below {figures['bound_mm']['median']:.2f} mm" in "\n".join(result_lines(report))


def test_features_that_were_not_calibrated_are_noted_with_the_map_and_in_the_report(phantom_folder, tmp_path):
    settings = {"features": "intensity", "working_spacing": 8.0, "search_stages": 1, "control_spacing": 20.0, "refinement_iterations": 1}
    made = files(phantom_folder, tmp_path)
    alone = run_registration(make_request("dense", **made, parameters=settings))
    asked = run_registration(make_request("dense", **made, parameters=settings, expected_error=tmp_path / "e.nrrd"))
    for report, noted in ((alone, False), (asked, True)):
        assert report["expected_error"]["calibrated"] is False
        assert "intensity" in report["expected_error"]["reason"]
        assert any("not calibrated for the features intensity" in note for note in report["notes"]) is noted
        assert "not calibrated" in "\n".join(result_lines(report))


def test_kinds_of_images_for_which_the_bound_was_not_confirmed_are_noted(phantom_folder, tmp_path, monkeypatch):
    settings = {"working_spacing": 8.0, "search_stages": 1, "control_spacing": 20.0, "refinement_iterations": 1}
    made = files(phantom_folder, tmp_path)
    monkeypatch.setattr(ErrorModel, "unlike", lambda *_: [])  # the run is coarser than those of the calibration
    ct = run_registration(make_request("dense", **made, parameters=settings))["expected_error"]
    assert ct["calibrated"] is False
    assert ct["reason"].endswith("of this kind (CT)")
    contrasts = iter(("t1", "t1", "t1", "t2"))
    shown = lambda _image: Content("mr", next(contrasts), "head", (1.0,) * 3, (1.0,) * 3)  # noqa: E731
    monkeypatch.setattr("deepreg_engine.methods.common.expected_error.image_content", shown)
    one, two = (run_registration(make_request("dense", **made, parameters=settings))["expected_error"] for _ in range(2))
    assert (one["calibrated"], one["reason"]) == (True, "")
    assert two["reason"].endswith("of this kind (two contrasts)")
    assert one["bound_mm"] == two["bound_mm"] == ct["bound_mm"]


def test_descent_refuses_the_map():
    with pytest.raises(ParameterError, match="expected_error"):
        make_request("descent", fixed="a.nrrd", moving="b.nrrd", expected_error="e.nrrd")


# ---------------------------------------------------------------------------------------------------------------- points


def motion(points):
    return points @ np.array([[1.05, 0.04, 0.0], [-0.03, 0.95, 0.02], [0.0, 0.05, 1.08]]).T + 6.0 * np.sin(points[:, [1, 2, 0]] / 40.0)


@functools.cache
def registered(scale=1.0, features="none"):
    """Clouds with 30 of 330 points without a partner; the lower end of the box is empty."""
    random = np.random.default_rng(4)
    points = random.uniform([-60.0, -50.0, 180.0], [60.0, 50.0, 350.0], (330, 3))
    clouds = scale * points[:300], scale * random.permutation(motion(points[30:]))
    parameters = PointsParameters(features=features, length_scale=scale)
    return clouds, parameters, register_points(*clouds, parameters, "cpu")


def test_the_predictors_of_points_are_weighted_means_of_the_eight_nearest():
    clouds, _, found = registered()
    point = np.array([[5.0, -8.0, 260.0]])
    distance = np.linalg.norm(clouds[0] - point, axis=1)
    index = np.argsort(distance)[:8]
    weights = np.exp(-0.5 * (distance[index] / (0.5 * distance[index[-1]])) ** 2)
    weights /= weights.sum()
    at = predictors(point, clouds, found, 1.0).values
    gaps = (clouds[1][found.partners] - found.moved)[index]
    assert at["nearest"] == pytest.approx(distance[index[0]])
    assert at["eighth"] == pytest.approx(distance[index[-1]])
    assert at["doubt"] == pytest.approx(1.0 - weights @ found.confidence[index])
    assert at["partner_distance"] == pytest.approx(np.sqrt(weights @ (gaps**2).sum(1)))
    assert at["disagreement"] == pytest.approx(np.sqrt(weights @ ((gaps - weights @ gaps) ** 2).sum(1)))
    assert at["spread"] == pytest.approx(weights @ found.spread[index])


def test_few_fixed_points_have_predictors_too():
    clouds, _, found = registered()
    few = dataclasses.replace(found, **{name: getattr(found, name)[:5] for name in ("moved", "partners", "confidence", "spread")})
    at = predictors(clouds[0][:3] + 1.0, (clouds[0][:5], clouds[1]), few, 1.0)
    assert all(np.isfinite(value).all() for value in at.values.values())


def test_the_bound_of_points_grows_away_from_them_and_follows_the_length_scale():
    grid = make_grid((14, 12, 30), (11.0, 10.0, 12.0), (12, -9, 17), (0.0, 0.0, 240.0))
    clouds, parameters, found = registered()
    error = expected_error(clouds, found, parameters, map_grid(grid, 1.0))
    bound = sitk.GetArrayFromImage(error.image(grid))
    points = voxel_points(grid)
    among, far = (np.abs(points[..., 2] - 265.0) < 60.0) & (np.abs(points[..., :2]).max(-1) < 40.0), points[..., 2] < 130.0
    assert np.median(bound[far]) > 1.5 * np.median(bound[among])
    small, mouse = (
        dataclasses.replace(grid, spacing=tuple(0.1 * s for s in grid.spacing), origin=tuple(0.1 * o for o in grid.origin)),
        registered(0.1),
    )
    scaled = expected_error(mouse[0], mouse[2], mouse[1], map_grid(small, 0.1)).image(small)
    assert sitk.GetArrayFromImage(scaled)[among] == pytest.approx(0.1 * bound[among], rel=0.05)


def test_points_with_images_write_the_map_on_the_fixed_grid(phantom_folder, tmp_path):
    made = {key: value for key, value in files(phantom_folder, tmp_path).items() if key != "initial"} | {
        "expected_error": tmp_path / "e.nrrd"
    }
    mask = phantom_folder / "fixed_mask.nii.gz"
    coarse = {"keypoint_count": 150, "keypoint_spacing": 6.0, "keypoint_distance": 15.0, "features": "none"}
    report = run_registration(make_request("points", **made, fixed_mask=mask, parameters=coarse))
    image, fixed = sitk.ReadImage(str(tmp_path / "e.nrrd")), sitk.ReadImage(str(made["fixed"]))
    assert image.GetSize() == fixed.GetSize()
    assert image.GetDirection() == pytest.approx(fixed.GetDirection(), abs=1e-5)
    assert image.GetOrigin() == pytest.approx(fixed.GetOrigin(), abs=1e-5)
    body = sitk.GetArrayFromImage(sitk.ReadImage(str(mask))) > 0
    assert np.median(sitk.GetArrayFromImage(image)[body]) == pytest.approx(report["expected_error"]["bound_mm"]["median"], rel=0.15)


def test_coherent_point_drift_alone_is_not_calibrated():
    clouds, parameters, found = registered()
    alone = parameters.replaced({"solver": "drift"})
    grid = make_grid((6, 5, 8), (22.0, 24.0, 23.0), (12, -9, 17), (0.0, 0.0, 265.0))
    error = expected_error(clouds, found, alone, grid)
    assert "drift alone" in error.reason
    assert error.figures()["calibrated"] is False


def test_most_true_errors_of_points_are_below_the_bound():
    clouds, parameters, found = registered(features="lung-points")
    random = np.random.default_rng(9)
    places = random.uniform([-50.0, -40.0, 190.0], [50.0, 40.0, 340.0], (400, 3))
    errors = np.linalg.norm(found.map_points(places) - motion(places), axis=1)
    bound, _ = error_model("points, belief").errors(predictors(places, clouds, found, parameters.length_scale))
    assert 0.8 < (errors < bound).mean() <= 1.0
