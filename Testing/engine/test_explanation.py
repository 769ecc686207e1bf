"""Why a result is as it is: probabilities around it against closed forms and the run's own, on an oblique, anisotropic pair."""

from __future__ import annotations

import csv
import functools

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scenes import Waves, image_on, itk_transform, make_grid, voxel_points

from deepreg_engine.errors import InputError, NotEnoughMemoryError, ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.jobs import explanation as job
from deepreg_engine.jobs.explanation_answers import answer
from deepreg_engine.jobs.memory import kept_memory, make_room
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.explain import ImageExplanation
from deepreg_engine.methods.common.registration import ImagePair
from deepreg_engine.methods.dense.explain import DenseExplanation
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense import register as dense
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.points.explain import explain_points
from deepreg_engine.methods.points.parameters import PointsParameters

FIXED = make_grid((38, 44, 26), (3.1, 2.6, 4.3), (21, -14, 33), centre=(31.0, -52.0, 17.0))
MOVING = make_grid((52, 40, 42), (2.7, 3.4, 3.6), (-17, 24, -9), centre=(29.0, -55.0, 20.0))
SHIFT = np.array([7.0, -4.0, 5.0])
PARAMETERS = DenseParameters(
    initial="none", working_spacing=3.0, control_spacing=12.0, capture_range=24.0, search_stages=2, refinement_iterations=0
)
STAGES = ("search 1", "search 2", "fine")
IDENTITY = sitk.Transform(3, sitk.sitkIdentity)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def texture(points: np.ndarray, flat: bool = False) -> np.ndarray:
    """Random structures of some 10 to 20 mm; with ``flat`` none where the first coordinate is above 15 mm."""
    waves = Waves.draw(3, amplitude=40.0, wavelength=22.0, count=60)
    values = waves.at(points.reshape(-1, 3))[:, 0].reshape(points.shape[:-1])
    return np.where(points[..., 0] > 15.0, 0.0, values) if flat else values


def drawn(grid: ImageGrid, shift=np.zeros(3), flat: bool = False) -> sitk.Image:
    return image_on(grid, texture(voxel_points(grid) - shift, flat).astype(np.float32))


@functools.cache
def pair(flat: bool = False) -> ImagePair:
    """The same texture twice, moved by SHIFT: fixed x is moving x + SHIFT."""
    return ImagePair(drawn(FIXED, flat=flat), drawn(MOVING, SHIFT, flat))


def translation(shift) -> sitk.Transform:
    return sitk.TranslationTransform(3, np.asarray(shift, dtype=float).tolist())


@functools.cache
def explained(shift: tuple[float, ...] = (0.0, 0.0, 0.0), flat: bool = False) -> DenseExplanation:
    return DenseExplanation(pair(flat), translation(shift), PARAMETERS, "cpu")


def inner_points(count: int = 8, share: float = 0.25) -> np.ndarray:
    index = np.random.default_rng(1).uniform(share, 1.0 - share, size=(count, 3)) * np.array(FIXED.size)
    return FIXED.index_to_physical(index)


# -------------------------------------------------------------------------------------------------------------- one point


@pytest.mark.parametrize("stage", STAGES)
def test_a_moved_texture_is_found_within_one_step(stage):
    for point in inner_points():
        found = explained().at(point, stage)
        step = found.grid.spacing[0]
        error = FIXED.axes.T @ (found.likeliest - SHIFT)
        assert np.abs(error).max() < step, f"{found.likeliest} for {SHIFT}, steps of {step}"
        assert found.probability.sum() == pytest.approx(1.0, abs=1e-5)
        assert 0.0 <= found.bits <= found.most_bits
        # The grid says the same in the world: the voxel of the peak lies at point + displacement, as SimpleITK places it.
        image = found.grid.to_image(found.probability)
        peak = np.unravel_index(found.probability.argmax(), found.probability.shape)[::-1]
        place = np.array(image.TransformIndexToPhysicalPoint([int(n) for n in peak]))
        assert place == pytest.approx(point + found.likeliest, abs=1e-6)
        assert found.peak == pytest.approx(float(found.probability.max()), abs=1e-6)


def test_fine_steps_tell_the_displacement_to_a_voxel():
    errors = [np.linalg.norm(explained().at(point, "fine").expected - SHIFT) for point in inner_points(12)]
    assert np.mean(errors) < 2.5  # steps of 4 mm


@pytest.mark.parametrize("stage", STAGES)
def test_a_right_translation_is_no_surprise(stage):
    under = explained(tuple(SHIFT))
    for point in inner_points():
        found = under.at(point, stage)
        assert np.allclose(found.likeliest, 0.0)
        assert found.at_result == found.peak
        assert np.linalg.norm(found.expected) < 0.5 * found.grid.spacing[0]
        assert found.bits < 0.6 * found.most_bits


def test_a_field_explains_as_the_translation_that_it_is():
    """A displacement field on another grid than the image's, as the scene hands it over."""
    grid = make_grid((9, 8, 7), (25.0, 28.0, 31.0), (5, 9, -12), centre=tuple(FIXED.centre))
    field = itk_transform(np.broadcast_to(SHIFT[:, None, None, None], (3, *grid.shape)), grid)
    found = DenseExplanation(pair(), field, PARAMETERS, "cpu")
    for point in inner_points(3):
        one, other = found.at(point, "search 2"), explained(tuple(SHIFT)).at(point, "search 2")
        assert np.abs(one.probability - other.probability).max() < 1e-3


def test_entropy_is_low_where_a_match_is_unique_and_high_where_nothing_is_seen():
    found = explained(tuple(SHIFT), True)
    points = inner_points(40, 0.15)
    seen, flat = points[points[:, 0] < 0.0], points[points[:, 0] > 58.0]
    assert len(seen) > 2
    assert len(flat) > 2
    for stage in ("search 2", "fine"):
        sure = np.array([found.at(point, stage).bits for point in seen])
        unsure = np.array([found.at(point, stage).bits for point in flat])
        most = found.stage(stage).describe()["most_bits"]
        assert sure.max() < 0.5 * most
        assert unsure.min() > 0.85 * most


def test_a_point_outside_is_refused():
    with pytest.raises(InputError, match="outside"):
        explained().at(FIXED.index_to_physical(np.array([[-3.0, 5.0, 5.0]]))[0])
    with pytest.raises(InputError, match="outside"):
        explained().at(np.full(3, np.nan))
    with pytest.raises(ParameterError, match="search 3") as caught:
        explained().at(FIXED.centre, "search 3")
    assert "search 1, search 2, fine" in caught.value.advice


def test_too_little_memory_is_said_before_anything_is_computed(monkeypatch):
    monkeypatch.setattr(DenseExplanation, "_free_memory", lambda self: 1e6)
    with pytest.raises(NotEnoughMemoryError, match="GB are free"):
        DenseExplanation(pair(), IDENTITY, PARAMETERS, "cpu")


def test_images_apart_are_refused():
    with pytest.raises(InputError, match="no point in common"):
        DenseExplanation(pair(), translation((900.0, 0.0, 0.0)), PARAMETERS, "cpu")


# -------------------------------------------------------------------------------------------------- as the run computes it


@pytest.mark.parametrize(
    ("changes", "masked"),
    [
        ({}, False),
        ({}, True),
        ({"mean_field_passes": 2, "message_weight": 0.5}, True),
        ({"mean_field_passes": 0}, False),
        ({"search_weights": "published", "mean_field_passes": 2}, True),
    ],
)
def test_probabilities_are_the_run_s_own(monkeypatch, changes, masked):
    """From the same state, before the first stage, at control points in the middle and at the faces."""
    parameters = PARAMETERS.replaced({"search_stages": 1, **changes})
    images = pair(True)
    masks = (None, None)
    if masked:
        masks = [sitk.Cast(image > -60.0, sitk.sitkUInt8) for image in (images.fixed, images.moving)]
    asked = ImagePair(images.fixed, images.moving, *masks, alignment=Alignment(IDENTITY, "none"))
    kept = []
    real = dense.probabilities
    monkeypatch.setattr(dense, "probabilities", lambda cost, sharpness: kept.append(real(cost, sharpness)) or kept[-1])
    dense.register_dense(asked, parameters, "cpu")
    assert len(kept) == 1
    run = kept[0].numpy()
    found = DenseExplanation(ImagePair(images.fixed, images.moving, *masks), IDENTITY, parameters, "cpu")
    bits, _, grid = found.maps("search 1")
    assert run.shape[:2] + run.shape[5:] == bits.shape
    tried = 0
    for k in np.ndindex(*bits.shape):
        point = grid.index_to_physical(np.array([k[::-1]], dtype=float))[0]
        if (k[0] + 2 * k[1] + 3 * k[2]) % 11 or not FIXED.contains(point[None])[0]:
            continue
        own = found.at(point, "search 1")
        expected = run[k[0], k[1], ..., k[2]]
        assert np.abs(own.probability - expected).max() < 2e-3 * expected.max()
        assert own.bits == pytest.approx(bits[k], abs=0.02)
        tried += 1
    assert tried > 30


def test_an_eighth_of_a_large_lattice_tells_the_mean(monkeypatch):
    whole = explained(tuple(SHIFT)).at(FIXED.centre, "fine")
    monkeypatch.setattr("deepreg_engine.methods.dense.search_costs._MANY", 1000)
    part = DenseExplanation(pair(), translation(SHIFT), PARAMETERS, "cpu").at(FIXED.centre, "fine")
    assert np.abs(whole.probability - part.probability).max() < 0.03 * whole.peak


def test_maps_do_not_depend_on_slabs(monkeypatch):
    whole = explained(tuple(SHIFT)).maps("fine")
    monkeypatch.setattr("deepreg_engine.methods.dense.explain.SLAB_VALUES", 1)
    parts = explained(tuple(SHIFT)).maps("fine")
    assert np.abs(whole[0] - parts[0]).max() < 1e-3
    assert np.abs(whole[1] - parts[1]).max() < 1e-2
    assert whole[2].same_as(parts[2])
    # Under the right translation the displacement that is expected is small wherever both images are seen.
    assert np.median(whole[1]) < 2.0


# --------------------------------------------------------------------------------------------------------------- features


@pytest.mark.parametrize("method", ["dense", "descent"])
def test_colours_are_alike_where_images_are(method):
    if method == "dense":
        fixed, moving, grid = explained(tuple(SHIFT)).feature_colours()
    else:
        parameters = DescentParameters(working_spacing=4.0, initial="none")
        fixed, moving, grid = ImageExplanation(pair(), translation(SHIFT), parameters, "cpu").feature_colours()
    assert fixed.shape == moving.shape == (3, *grid.shape)
    assert fixed.dtype == np.uint8
    inside = tuple(slice(5, -5) for _ in range(3))
    apart = np.abs(fixed[(slice(None), *inside)].astype(float) - moving[(slice(None), *inside)])
    unlike = np.abs(fixed[(slice(None), *inside)].astype(float) - fixed[:, 6:-4, 7:-3, 2:-8])
    assert apart.mean() < 0.35 * unlike.mean()
    assert fixed.std() > 20.0


# ----------------------------------------------------------------------------------------------------------------- points


def clouds(count: int = 150) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fixed points, moving points in another order, and which of these is whose partner."""
    generator = np.random.default_rng(2)
    fixed = generator.uniform(-60.0, 60.0, size=(count, 3)) + (100.0, -80.0, 40.0)
    order = generator.permutation(count)
    return fixed, fixed[order] + SHIFT, np.argsort(order)


@pytest.mark.parametrize("solver", ["belief", "belief+drift", "drift"])
def test_partners_are_found_and_missed_where_they_are_missing(solver):
    fixed, moving, partner = clouds()
    lost = 17
    moving = np.delete(moving, partner[lost], axis=0)
    partner = partner - (partner > partner[lost])
    parameters = PointsParameters(features="none", solver=solver, outliers=0.2)
    found = explain_points(fixed, moving, fixed + SHIFT, parameters, sigma=1.0, device="cpu")
    others = np.arange(len(fixed)) != lost
    assert (found.candidates[others, 0] == partner[others]).all()
    assert (found.probability.sum(1) < 1.0 + 1e-6).all()
    assert (np.diff(found.probability, axis=1) <= 0).all()
    assert found.confidence[others].mean() > 0.9
    assert found.confidence[lost] < 0.05
    assert found.nearest(fixed[lost] + (0.1, 0.0, -0.1)) == lost


def test_drift_s_probabilities_are_the_mixture_s():
    """Against equation 6 written out, with the moving points as centres."""
    generator = np.random.default_rng(4)
    moved, moving = generator.uniform(0.0, 20.0, size=(12, 3)), generator.uniform(0.0, 20.0, size=(9, 3))
    outliers, sigma = 0.3, 4.0
    found = explain_points(moved, moving, moved, PointsParameters(features="none", solver="drift", outliers=outliers), sigma, "cpu")
    weight = np.exp(-np.square(moved[:, None] - moving).sum(2) / (2.0 * sigma**2))
    constant = (2.0 * np.pi * sigma**2) ** 1.5 * outliers / (1.0 - outliers) * len(moving) / np.prod(np.ptp(moved, axis=0))
    expected = weight / (weight.sum(1, keepdims=True) + constant)
    assert found.probability == pytest.approx(np.take_along_axis(expected, found.candidates, 1), rel=1e-6)


# -------------------------------------------------------------------------------------------------------------------- job


@pytest.fixture
def files(tmp_path):
    """A pair and its result in files."""
    images = pair()
    paths = {name: str(tmp_path / f"{name}.nrrd") for name in ("fixed", "moving")}
    for name, path in paths.items():
        sitk.WriteImage(getattr(images, name), path)
    paths["transform"] = str(tmp_path / "transform.tfm")
    sitk.WriteTransform(translation(SHIFT), paths["transform"])
    yield paths
    job.drop()


def request(files, method="dense", **more):
    names = ("working_spacing", "control_spacing", "capture_range") if method == "dense" else ()
    parameters = {name: getattr(PARAMETERS, name) for name in names}
    return job.ExplanationRequest(method=method, **files, parameters=parameters, **more)


def test_a_pair_is_opened_once(files, tmp_path):
    first = job.open_explanation(request(files))
    assert not first["warm"]
    assert [stage["name"] for stage in first["stages"]] == list(STAGES)
    assert first["stage"] == "search 2"
    again = {name: str(tmp_path / f"again_{name}.{'tfm' if name == 'transform' else 'nrrd'}") for name in files}
    for name, path in files.items():
        (tmp_path / again[name].split("/")[-1]).write_bytes(open(path, "rb").read())
    assert job.open_explanation(request(again)) == {**first, "warm": True}

    output = str(tmp_path / "probabilities.nrrd")
    point = inner_points()[0]
    answered = answer({"what": "probabilities", "state": first["state"], "point": point.tolist(), "output": output, "stage": "fine"})
    image = sitk.ReadImage(output)
    place = [image.TransformPhysicalPointToIndex((point + answered["likeliest"]).tolist())][0]
    assert image.GetPixel(*place) == pytest.approx(answered["peak"], abs=1e-6)
    assert sitk.GetArrayFromImage(image).sum() == pytest.approx(1.0, abs=1e-4)

    maps = {name: str(tmp_path / f"{name}.nrrd") for name in ("bits", "offset")}
    answered = answer({"what": "entropy", "state": first["state"], **maps})
    values = sitk.GetArrayFromImage(sitk.ReadImage(maps["bits"]))
    assert answered["mean_bits"] == pytest.approx(values.mean(), abs=1e-3)
    assert values.min() >= 0
    assert values.max() <= answered["most_bits"] + 1e-4

    colours = {name: str(tmp_path / f"{name}_colours.nrrd") for name in ("fixed", "moving")}
    assert answer({"what": "features", "state": first["state"], **colours})["features"] == "mind"
    assert sitk.ReadImage(colours["fixed"]).GetNumberOfComponentsPerPixel() == 3


def test_other_images_take_the_place_and_a_run_takes_the_memory(files, tmp_path):
    first = job.open_explanation(request(files))["state"]
    sitk.WriteTransform(translation(SHIFT + 1.0), files["transform"])
    second = job.open_explanation(request(files))["state"]
    assert second != first
    question = {"what": "probabilities", "point": inner_points()[0].tolist(), "output": str(tmp_path / "p.nrrd")}
    with pytest.raises(job.StateError, match="not kept"):
        answer({**question, "state": first})
    answer({**question, "state": second})
    with kept_memory():  # as every registration of images begins
        with pytest.raises(job.StateError) as caught:
            answer({**question, "state": second})
    assert caught.value.code == "state"
    job.open_explanation(request(files))
    make_room()
    with pytest.raises(job.StateError):
        answer({**question, "state": second})


def test_points_are_answered_from_files(tmp_path):
    fixed, moving, partner = clouds(60)
    names = {name: str(tmp_path / f"{name}.csv") for name in ("fixed_points", "moving_points")}
    for path, cloud in zip(names.values(), (fixed, moving)):
        np.savetxt(path, cloud, delimiter=",", header="x,y,z", comments="", fmt="%.9f")
    grid = make_grid((6, 7, 8), (30.0, 26.0, 22.0), (9, 4, -7), centre=(100.0, -80.0, 40.0))
    field = image_on(grid, np.broadcast_to(SHIFT, (*grid.shape, 3)).astype(np.float32).copy(), vector=True)
    field.SetMetaData("intent_code", "1006")
    sitk.WriteImage(field, str(tmp_path / "transform.nrrd"))
    asked = job.ExplanationRequest("points", str(tmp_path / "transform.nrrd"), **names, parameters={"features": "none"})
    try:
        answered = job.open_explanation(asked)
        assert answered["outside"] == int((~grid.contains(fixed)).sum())
        assert answered["fixed"] == 60
        found = answer({"what": "confidences", "state": answered["state"], "output": str(tmp_path / "c.csv")})
        with open(tmp_path / "c.csv", newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == found["points"] == 60
        place, output = (fixed[5] + 0.2).tolist(), str(tmp_path / "p.csv")
        own = answer({"what": "partners", "state": answered["state"], "point": place, "output": output})
        with open(tmp_path / "p.csv", newline="", encoding="utf-8") as stream:
            best = next(csv.DictReader(stream))
        assert own["number"] == 5
        assert [float(best[axis]) for axis in "xyz"] == pytest.approx(moving[partner[5]].tolist(), abs=1e-5)
        assert float(best["probability"]) > 0.5
        assert own["confidence"] > 0.9
        with pytest.raises(InputError, match="no probabilities"):
            answer({"what": "probabilities", "state": answered["state"], "point": [0, 0, 0], "output": str(tmp_path / "q.nrrd")})
    finally:
        job.drop()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"what": "reasons"}, "there is no question 'reasons'"),
        ({"what": "partners", "state": "x", "points": []}, "no argument 'points'"),
        ({"what": "partners", "state": "x"}, "argument point is missing"),
        ({"what": "entropy", "state": "x", "bits": "b", "progress": 1}, "no argument 'progress'"),
    ],
)
def test_a_wrong_question_is_refused(arguments, text):
    with pytest.raises(ParameterError, match=text):
        answer(arguments)


def test_what_cannot_be_opened_is_said(files):
    with pytest.raises(ParameterError, match="no method 'elastix'"):
        job.open_explanation(request(files, method="elastix"))
    with pytest.raises(InputError, match="fixed points is missing"):
        job.open_explanation(request(files, method="points"))
    with pytest.raises(InputError, match="cannot be read"):
        job.open_explanation(request({**files, "moving": "/nowhere/m.nrrd"}))
