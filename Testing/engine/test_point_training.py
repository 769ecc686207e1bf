"""Learning of point features: files of keypoints, made-up motion, and that a training is repeatable."""

from __future__ import annotations

import dataclasses
import json
import zipfile

import numpy as np
import pytest
import torch

from deepreg_engine.errors import InputError
from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.training.course import Places
from deepreg_engine.training.point_augmentation import Examples
from deepreg_engine.training.point_pairs import PointPair, read_point_pairs
from deepreg_engine.training.point_training import PointTraining, loss, train_points

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
        for one, two in zip(dataclasses.astuple(pair), dataclasses.astuple(again)):
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
    draws = [Examples(pairs, torch.Generator().manual_seed(4)) for _ in range(2)]
    sizes = set()
    for _ in range(20):
        one, two = (examples.draw() for examples in draws)
        for a, b in zip(dataclasses.astuple(one), dataclasses.astuple(two)):
            assert torch.equal(a, b)
            assert a.dtype == torch.float32
            assert torch.isfinite(a).all()
        assert one.template.shape == one.moved.shape == one.truth.shape
        sizes.add((len(one.template), len(one.target)))
    assert len(sizes) > 10


def test_most_points_have_a_partner_and_moved_ones_are_near(pairs):
    examples = Examples(pairs, torch.Generator().manual_seed(5), independent=0.0)
    for _ in range(10):
        example = examples.draw()
        distance = torch.cdist(example.truth, example.target).amin(1)
        assert float((distance < 5.0).float().mean()) > 0.3
        assert float((example.moved - example.truth).norm(dim=1).mean()) < 40.0


def test_waves_have_the_length_asked_for(pairs):
    examples = Examples(pairs, torch.Generator().manual_seed(6))
    points = torch.rand(200, 3) * 200.0
    assert float(examples.wave(points, 7.0, 50.0).norm(dim=1).mean()) == pytest.approx(7.0, rel=1e-4)


# ----------------------------------------------------------------------------------------------------------------- training


def test_same_seed_same_weights(pairs, tmp_path):
    lines = []
    places = Places(tmp_path / "log.jsonl", tell=lambda share, line: lines.append((share, line)))
    one = train_points(pairs, FEW, places=places).network
    two = train_points(pairs, FEW).network
    other = train_points(pairs, dataclasses.replace(FEW, seed=1)).network
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values()))
    assert not all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values()))
    assert not one.training
    assert all(torch.isfinite(value).all() for value in one.state_dict().values())
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 3
    assert all(np.isfinite(value) for value in log[-1].values())
    assert lines[-1][0] == 1.0
    assert "error" in lines[-1][1]


@pytest.mark.parametrize("solve", [False, True])
def test_losses_have_finite_gradients_and_fall_along_them(pairs, solve):
    torch.manual_seed(0)
    matcher, example = Matcher(8), Examples(pairs, torch.Generator().manual_seed(1), independent=0.0).draw()
    value, figures = loss(matcher, example, FEW, solve)
    assert ("error" in figures) is solve
    assert all(np.isfinite(figure) for figure in figures.values())
    parameters = list(matcher.parameters())
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    assert all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)
    assert sum(gradient is None for gradient in gradients) == (0 if solve else 1)  # the bond is learned through the solver
    length = sum(float(gradient.square().sum()) for gradient in gradients if gradient is not None) ** 0.5
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients):
            if gradient is not None:
                parameter -= 1e-3 * gradient / length
        after, _ = loss(matcher, example, FEW, solve)
    assert after < value - 0.3e-3 * length


def test_progress_may_stop_it(pairs):
    def stop(share, line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_points(pairs, FEW, places=Places(tell=stop))


def test_a_paused_training_goes_on_as_if_it_had_not_been_and_keeps_the_best(pairs, tmp_path):
    options = dataclasses.replace(FEW, steps=6)
    whole = train_points(pairs[:2], options, held_out=pairs[2:], keep_every=2)
    places = Places(tmp_path / "log.jsonl", tmp_path / "c.ckpt", asked=iter(["", "", "pause"]).__next__)
    assert train_points(pairs[:2], options, places=places, held_out=pairs[2:], keep_every=2).course.state == "paused"
    places = Places(tmp_path / "log.jsonl", tmp_path / "c.ckpt")
    resumed = train_points(pairs[:2], options, places=places, held_out=pairs[2:], keep_every=2)
    assert resumed.course.state == "finished"
    assert resumed.course.best.to_dict() == whole.course.best.to_dict()
    assert all(torch.equal(a, b) for a, b in zip(whole.network.state_dict().values(), resumed.network.state_dict().values()))


def test_pairs_without_independent_keypoints_are_enough():
    values = numbers(60)
    alone = [PointPair("alone", values[:, :3], values[:, 3:])]
    train_points(alone, dataclasses.replace(FEW, steps=1))
