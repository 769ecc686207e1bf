"""Training of point features: files of keypoints, augmentation, losses, and that a training is repeatable."""

from __future__ import annotations

import dataclasses
import json
import zipfile

import numpy as np
import pytest
import torch
from training_runs import data, train

from deepreg_engine.errors import InputError
from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.training.augmentation.draws import RandomDraws
from deepreg_engine.training.augmentation.spatial import wave
from deepreg_engine.training.loop import Monitor
from deepreg_engine.training.points.examples import PointExamples
from deepreg_engine.training.points.loss import drift_error, point_loss
from deepreg_engine.training.points.pairs import PointPair, read_point_pairs
from deepreg_engine.training.points.parameters import PointTraining

SPACING = (1.75, 1.0, 1.25)
FEW = PointTraining(steps=3, batch=1, neighbours=8, candidates=24, solver_share=0.5)


def numbers(count=60, seed=0):
    """Six numbers a point, voxels."""
    points = np.random.default_rng(seed).uniform(10, 180, (count, 3))
    return np.concatenate([points, points + 5.0 * np.sin(points[:, [1, 2, 0]] / 30.0)], 1)


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "case_001.csv", numbers(), delimiter=",")
    numbers(70, 1).astype("<f4").tofile(folder / "case_exp002.dat")
    numbers(80, 2).astype("<f4").tofile(folder / "case_insp002.dat")
    numbers(50, 3).astype("<f4").tofile(folder / "case_07.dat")
    (folder / "readme.txt").write_text("not keypoints")


@pytest.fixture(params=["folder", "zip"])
def source(request, tmp_path):
    write(tmp_path / "points" / "deep")
    if request.param == "folder":
        return tmp_path / "points"
    with zipfile.ZipFile(tmp_path / "points.zip", "w") as archive:
        for file in (tmp_path / "points" / "deep").iterdir():
            archive.write(file, f"deep/{file.name}")
        archive.writestr("__MACOSX/deep/._case_001.csv", "junk")
    return tmp_path / "points.zip"


@pytest.fixture
def pairs(tmp_path):
    write(tmp_path / "made")
    return read_point_pairs([tmp_path / "made"], SPACING)


def test_pairs_in_folders_and_zips(source):
    pairs = {pair.name: pair for pair in read_point_pairs([source], SPACING)}
    assert sorted(pairs) == ["case_001", "case_07", "case_exp002"]
    np.testing.assert_allclose(pairs["case_001"].fixed, numbers()[:, :3] * SPACING, rtol=1e-9)
    np.testing.assert_allclose(pairs["case_001"].partners, numbers()[:, 3:] * SPACING, rtol=1e-9)
    assert pairs["case_001"].moving is None
    both = pairs["case_exp002"]
    np.testing.assert_allclose(both.fixed, numbers(70, 1)[:, :3] * SPACING, rtol=1e-5)
    np.testing.assert_allclose(both.moving, numbers(80, 2)[:, :3] * SPACING, rtol=1e-5)
    np.testing.assert_allclose(both.moving_partners, numbers(80, 2)[:, 3:] * SPACING, rtol=1e-5)


def test_reversed_twice_is_the_same(pairs):
    for pair in pairs:
        again = pair.reversed().reversed()
        for one, two in zip(dataclasses.astuple(pair), dataclasses.astuple(again), strict=True):
            assert (one is None and two is None) or np.array_equal(one, two)
        assert np.array_equal(pair.reversed().fixed, pair.partners if pair.moving is None else pair.moving)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.dat", b"\x00" * 50),
        ("a.dat", b"\x00" * 48),
        ("a.dat", np.full((9, 6), np.nan, "<f4").tobytes()),
        ("a.dat", b""),
        ("a.csv", b"1,2,3,4,5\n" * 9),
        ("a.csv", b"x,y,z,a,b,c\n1,2,3,4,5,6\n"),
        ("a.csv", b""),
        ("a.csv", b"\xff\xfe\x00"),
        ("a.csv", b"1,2,3,4,5,6\n"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_damaged_keypoints_are_refused_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="a\\.(dat|csv)") as caught:
        read_point_pairs([tmp_path], SPACING)
    assert "\n" not in str(caught.value)


def test_what_holds_no_keypoints_is_refused(tmp_path):
    with pytest.raises(InputError, match="neither a folder nor a zip"):
        read_point_pairs([tmp_path / "missing.zip"], SPACING)
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(InputError, match="neither a folder nor a zip"):
        read_point_pairs([tmp_path / "text.zip"], SPACING)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no keypoints"):
        read_point_pairs([tmp_path / "empty"], SPACING)
    write(tmp_path / "whole")
    with zipfile.ZipFile(tmp_path / "hurt.zip", "w") as archive:
        archive.write(tmp_path / "whole" / "case_001.csv", "case_001.csv")
    content = bytearray((tmp_path / "hurt.zip").read_bytes())
    content[60:90] = b"x" * 30
    (tmp_path / "hurt.zip").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_point_pairs([tmp_path / "hurt.zip"], SPACING)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------------- augmentation


def test_examples_are_finite_repeatable_and_of_both_kinds(pairs):
    draws = [PointExamples(pairs, torch.Generator().manual_seed(4)) for _ in range(2)]
    sizes = set()
    for _ in range(20):
        one, two = (examples.draw() for examples in draws)
        for a, b in zip(dataclasses.astuple(one), dataclasses.astuple(two), strict=True):
            assert torch.equal(a, b)
            assert a.dtype == torch.float32
            assert torch.isfinite(a).all()
        assert one.template.shape == one.moved.shape == one.truth.shape
        sizes.add((len(one.template), len(one.target)))
    assert len(sizes) > 10


def test_most_points_have_a_partner_and_moved_ones_are_near(pairs):
    examples = PointExamples(pairs, torch.Generator().manual_seed(5), independent=0.0)
    for _ in range(10):
        example = examples.draw()
        distance = torch.cdist(example.truth, example.target).amin(1)
        assert float((distance < 5.0).float().mean()) > 0.3
        assert float((example.moved - example.truth).norm(dim=1).mean()) < 40.0


def test_waves_have_the_given_length():
    draws = RandomDraws(torch.Generator().manual_seed(6))
    points = torch.rand(200, 3) * 200.0
    assert float(wave(draws, points, 7.0, 50.0).norm(dim=1).mean()) == pytest.approx(7.0, rel=1e-4)


# ----------------------------------------------------------------------------------------------------------------- training


def test_same_seed_same_weights(pairs, tmp_path):
    lines = []
    monitor = Monitor(tmp_path / "log.jsonl", progress=lambda share, line: lines.append((share, line)))
    one = train(FEW, data(pairs), monitor).network
    two = train(FEW, data(pairs)).network
    other = train(FEW.replaced({"seed": 1}), data(pairs)).network
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    assert not one.training
    assert all(torch.isfinite(value).all() for value in one.state_dict().values())
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 3
    assert all(np.isfinite(value) for value in log[-1].values())
    assert lines[-1][0] == 1.0
    assert "error" in lines[-1][1]


@pytest.mark.parametrize(("solve", "solver", "unused"), [(False, "belief", 1), (True, "belief", 0), (True, "drift", 1)])
def test_losses_have_finite_gradients_and_fall_along_them(pairs, solve, solver, unused):
    torch.manual_seed(0)
    matcher, example = Matcher(8), PointExamples(pairs, torch.Generator().manual_seed(1), independent=0.0).draw()
    options = FEW.replaced({"solver": solver})
    value, figures = point_loss(matcher, example, options, solve)
    assert ("error" in figures) is solve
    assert all(np.isfinite(figure) for figure in figures.values())
    parameters = list(matcher.parameters())
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    assert all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)
    assert sum(gradient is None for gradient in gradients) == unused  # the bond is learned through belief propagation
    length = sum(float(gradient.square().sum()) for gradient in gradients if gradient is not None) ** 0.5
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter -= 1e-3 * gradient / length
        after, _ = point_loss(matcher, example, options, solve)
    assert after < value - 0.3e-3 * length


def test_progress_may_stop_it(pairs):
    def stop(share, line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(FEW, data(pairs), Monitor(progress=stop))


def test_a_paused_training_resumes_bit_for_bit_and_keeps_the_best(pairs, tmp_path):
    options = dataclasses.replace(FEW, steps=6)
    given = data(pairs[:2], pairs[2:])
    whole = train(options, given, checkpoint_every=2)
    monitor = Monitor(tmp_path / "log.jsonl", tmp_path / "c.ckpt", command=iter(["", "", "pause"]).__next__)
    assert train(options, given, monitor, checkpoint_every=2).state == "paused"
    resumed = train(options, given, Monitor(tmp_path / "log.jsonl", tmp_path / "c.ckpt"), checkpoint_every=2)
    assert resumed.state == "finished"
    assert resumed.best.to_dict() == whole.best.to_dict()
    assert all(torch.equal(a, b) for a, b in zip(whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True))


def test_pairs_without_independent_keypoints_are_enough():
    values = numbers(60)
    alone = [PointPair("alone", values[:, :3], values[:, 3:])]
    train(FEW.replaced({"steps": 1}), data(alone))


@pytest.mark.parametrize("pause", [False, True])
def test_training_through_coherent_point_drift_is_repeatable(pairs, tmp_path, pause):
    options, given = FEW.replaced({"solver": "drift", "steps": 4}), data(pairs[:2], pairs[2:])
    whole = train(options, given, checkpoint_every=2)
    assert whole.best.figure == "tre"
    if pause:
        train(options, given, Monitor(checkpoint=tmp_path / "c.ckpt", command=iter(["", "", "pause"]).__next__), checkpoint_every=2)
    again = train(options, given, Monitor(checkpoint=tmp_path / "c.ckpt"), checkpoint_every=2)
    assert all(torch.equal(a, b) for a, b in zip(whole.network.state_dict().values(), again.network.state_dict().values(), strict=True))
    through_belief = train(options.replaced({"solver": "belief"}), given).network
    assert not all(
        torch.equal(a, b) for a, b in zip(whole.network.state_dict().values(), through_belief.state_dict().values(), strict=True)
    )


def test_the_error_of_coherent_point_drift_has_the_gradient_of_finite_differences(pairs):
    """Gradients pass through all iterations to the prior, and through it to the features and their scale."""
    torch.manual_seed(3)
    matcher = Matcher(8).double()
    example = PointExamples(pairs, torch.Generator().manual_seed(1), independent=0.0).draw()
    example = type(example)(*(part.double() for part in vars(example).values()))

    def error():
        return drift_error(matcher, example).square().mean()

    weights = {"log_scale": matcher.log_scale, "head": matcher.features.head[2].weight, "edge": matcher.features.first.edge.weight}
    gradients = torch.autograd.grad(error(), list(weights.values()))
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        direction = gradient / gradient.norm()
        values = []
        for sign in (1.0, -1.0):
            with torch.no_grad():
                weight += sign * 1e-5 * direction
            values.append(float(error().detach()))
            with torch.no_grad():
                weight -= sign * 1e-5 * direction
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(float(gradient.norm()), rel=1e-4), name
        assert float(gradient.norm()) > 0
