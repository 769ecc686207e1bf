"""Coherent point drift: against the paper's formulas written with loops, and known maps."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreg_engine.solvers import point_drift as module
from deepreg_engine.solvers.kernel import Kernel, SmoothMap
from deepreg_engine.solvers.point_drift import (
    DriftOptions,
    Sums,
    affine_map,
    drift_linear,
    drift_smooth,
    expectation,
    feature_prior,
    first_variance,
)


def cloud(count, seed=0, size=100.0):
    return size * torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shuffled(points, seed=5):
    return points[torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))]


def rotation(x, y, z):
    turn = torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]], dtype=torch.float64)
    return torch.linalg.matrix_exp(turn)


def number(value):
    return torch.tensor(value, dtype=torch.float64)


def plain_expectation(moved, target, variance, outliers, prior):
    """Eq. 6, one pair after the other; outliers are spread over the target's box."""
    centres, points = len(moved), len(target)
    volume = (target.amax(0) - target.amin(0)).prod()
    probability = torch.zeros(centres, points, dtype=torch.float64)
    for n in range(points):
        weights = [float(prior[m, n]) * math.exp(-float((moved[m] - target[n]).square().sum()) / (2.0 * variance)) for m in range(centres)]
        noise = (2.0 * math.pi * variance) ** 1.5 * outliers / (1.0 - outliers) * centres / float(volume)
        for m in range(centres):
            probability[m, n] = weights[m] / (sum(weights) + noise)
    return probability


# -------------------------------------------------------------------------------------------------------------------- E-step


@pytest.mark.parametrize("outliers", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("with_prior", [False, True])
@pytest.mark.parametrize("pairs", [30, 250_000])
def test_e_step_is_the_formula(outliers, with_prior, pairs, monkeypatch, device):
    monkeypatch.setattr(module, "_PAIRS", pairs)
    monkeypatch.setattr(module, "_PAIRS_GPU", pairs)
    moved, target = cloud(13, 0), cloud(17, 1)
    prior = torch.rand(13, 17, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 0.1 if with_prior else None
    variance = 400.0
    expected = plain_expectation(moved, target, variance, outliers, torch.ones(13, 17) if prior is None else prior)
    for grad, tolerance in ((False, 1e-5), (True, 1e-12)):  # float32 without gradients: sigma is wide
        with torch.set_grad_enabled(grad):
            at = None if prior is None else prior.to(device)
            sums = expectation(moved.to(device), target.to(device), number(variance).to(device), outliers, at)
        torch.testing.assert_close(sums.p1.cpu(), expected.sum(1), atol=tolerance, rtol=tolerance)
        torch.testing.assert_close(sums.pt1.cpu(), expected.sum(0), atol=tolerance, rtol=tolerance)
        torch.testing.assert_close(sums.px.cpu(), expected @ target, atol=100 * tolerance, rtol=10 * tolerance)


def test_narrow_mixtures_are_as_exact_without_gradients():
    moved, target = cloud(40, 0, 10.0), cloud(50, 1, 10.0)
    with torch.no_grad():
        sums = expectation(moved, target, number(0.6), 0.2)
    expected = plain_expectation(moved, target, 0.6, 0.2, torch.ones(40, 50))
    torch.testing.assert_close(sums.px, expected @ target, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("sigma", [0.01, 2.0])
def test_without_outliers_a_far_point_belongs_to_the_nearest_centre(sigma):
    moved = torch.tensor([[0.0, 0, 0], [10, 0, 0], [0, 10, 0]], dtype=torch.float64)
    target = torch.cat([moved, torch.tensor([[900.0, 0, 0], [0, 500, 0]], dtype=torch.float64)])
    with torch.no_grad():
        sums = expectation(moved, target, number(sigma**2), 0.0)
    torch.testing.assert_close(sums.pt1, torch.ones(5, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(sums.p1, number([1.0, 2.0, 2.0]), atol=1e-4, rtol=0)


def test_an_outlier_belongs_to_nobody():
    moved = cloud(30, 0, 20.0)
    target = torch.cat([moved, torch.tensor([[300.0, 0.0, 0.0]], dtype=torch.float64)])
    with torch.no_grad():
        columns = expectation(moved, target, number(4.0), 0.1).pt1
    assert float(columns[-1]) < 1e-6
    assert float(columns[:-1].min()) > 0.9


def test_duplicates_share():
    moved = torch.tensor([[0.0, 0, 0], [0, 0, 0], [9, 9, 9]], dtype=torch.float64)
    with torch.no_grad():
        sums = expectation(moved, moved, number(0.01), 0.0)
    torch.testing.assert_close(sums.p1, number([1.0, 1.0, 1.0]), atol=1e-9, rtol=0)


def test_first_variance_is_that_of_all_pairs():
    one, two = cloud(9, 0), cloud(12, 1) + 30.0
    expected = sum(float((a - b).square().sum()) for a in one for b in two) / (3 * 9 * 12)
    assert float(first_variance(one, two)) == pytest.approx(expected)


def test_feature_prior_is_a_softmax_with_mean_one():
    own, other = cloud(6, 0, 1.0), cloud(7, 1, 1.0)
    prior = feature_prior(own, other, 2.0)
    for m in range(7):
        likeness = [math.exp(-2.0 * float((own[n] - other[m]).square().sum())) for n in range(6)]
        for n in range(6):
            assert float(prior[n, m]) == pytest.approx(6 * likeness[n] / sum(likeness))
    torch.testing.assert_close(feature_prior(own, other, 0.0), torch.ones(6, 7, dtype=torch.float64))


# ------------------------------------------------------------------------------------------------------------------- linear


@given(angles=st.tuples(*[st.floats(-0.4, 0.4)] * 3), offset=st.tuples(*[st.floats(-200, 200)] * 3), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_rigid_map_is_recovered_from_points_in_any_order(angles, offset, seed):
    template = cloud(60, seed)
    template[:, 0] *= 1.7  # not the same from all sides
    matrix, offset = rotation(*angles), number(offset)
    target = shuffled(template @ matrix.T + offset)
    centred = template - template.mean(0) + target.mean(0)
    with torch.no_grad():
        found = drift_linear(centred, target, "rigid", DriftOptions(outliers=0.0, iterations=200, tolerance=1e-9, variance=50.0))
    torch.testing.assert_close(found.map.matrix, matrix, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.moved, template @ matrix.T + offset, atol=1e-2, rtol=0)


@pytest.mark.parametrize("kind", ["similarity", "affine"])
def test_linear_maps_are_recovered(kind, device):
    template = cloud(80)
    matrix = 1.2 * rotation(0.1, -0.2, 0.15)
    if kind == "affine":
        matrix = matrix @ torch.tensor([[1.0, 0.1, 0.0], [0.0, 0.8, 0.05], [0.1, 0.0, 1.1]], dtype=torch.float64)
    target = template @ matrix.T + number([15.0, -8.0, 30.0])
    with torch.no_grad():
        found = drift_linear(
            template.to(device), shuffled(target).to(device), kind, DriftOptions(outliers=0.0, iterations=300, tolerance=1e-9)
        )
    torch.testing.assert_close(found.map.matrix.cpu(), matrix, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.map(template.to(device)).cpu(), target, atol=1e-3, rtol=0)
    assert found.variance < 1e-4


def test_the_m_step_is_weighted_least_squares():
    template, truth = cloud(20), cloud(20, 1)
    rows = torch.rand(20, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    matrix, offset = affine_map(Sums(rows, rows, rows[:, None] * truth), template, "affine")
    root = rows.sqrt()[:, None]
    solution = torch.linalg.lstsq(root * torch.cat([template, torch.ones(20, 1, dtype=torch.float64)], 1), root * truth).solution
    torch.testing.assert_close(matrix, solution[:3].T, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(offset, solution[3], atol=1e-5, rtol=1e-6)


def test_a_mirrored_cloud_is_not_mirrored_by_a_rigid_map():
    template = cloud(30)
    matrix, _ = affine_map(Sums(*[torch.ones(30, dtype=torch.float64)] * 2, template * number([-1.0, 1.0, 1.0])), template, "rigid")
    assert float(torch.linalg.det(matrix)) == pytest.approx(1.0)


def test_an_unknown_map_is_refused():
    with pytest.raises(ValueError, match="no such map: projective"):
        drift_linear(cloud(5), cloud(5), "projective")


def test_the_step_may_stop_it_and_sees_sigma_fall():
    seen = []

    def step(count, sigma):
        seen.append(sigma)
        if count == 5:
            raise KeyboardInterrupt

    for run in (
        lambda: drift_linear(cloud(20), cloud(20), options=DriftOptions(step=step)),
        lambda: drift_smooth(cloud(20), cloud(20), Kernel((30.0,)), 2.0, DriftOptions(step=step)),
    ):
        seen.clear()
        with pytest.raises(KeyboardInterrupt):
            run()
        assert len(seen) == 5
        assert seen[-1] < seen[0]


# ------------------------------------------------------------------------------------------------------------------- smooth


def plain_smooth(template, target, kernel, stiffness, outliers, iterations, variance):
    """Fig. 4, with the dense solve of eq. 22."""
    gram, moved = kernel.matrix(template, template), template
    for _ in range(iterations):
        probability = plain_expectation(moved, target, variance, outliers, torch.ones(len(template), len(target)))
        rows, columns = probability.sum(1), probability.sum(0)
        right = torch.diag(1.0 / rows) @ probability @ target - template
        weights = torch.linalg.solve(gram + stiffness * variance * torch.diag(1.0 / rows), right)
        moved = template + gram @ weights
        error = (
            (columns * target.square().sum(1)).sum() - 2.0 * ((probability @ target) * moved).sum() + (rows * moved.square().sum(1)).sum()
        )
        variance = float(error / (3.0 * rows.sum()))
    return moved, variance


@pytest.mark.parametrize("outliers", [0.0, 0.2])
def test_smooth_drift_is_the_papers(outliers):
    template = cloud(14)
    target = shuffled(template + 6.0 * torch.sin(template[:, [1, 2, 0]] / 20.0))
    kernel = Kernel((40.0,))
    moved, variance = plain_smooth(template, target, kernel, 2.0, outliers, 6, 300.0)
    found = drift_smooth(template, target, kernel, 2.0, DriftOptions(outliers=outliers, iterations=6, tolerance=0.0, variance=300.0))
    assert found.iterations == 6
    torch.testing.assert_close(found.moved, moved, atol=1e-4, rtol=0)
    assert found.variance == pytest.approx(variance, rel=1e-5)
    # The map is the same function, also between the points.
    torch.testing.assert_close(found.map(template), found.moved, atol=1e-6, rtol=0)


def test_a_smooth_motion_is_recovered_with_outliers(device):
    inside = cloud(220)
    truth = inside + 5.0 * torch.sin(inside[:, [1, 2, 0]] / 30.0)
    target = shuffled(torch.cat([truth[:200], cloud(30, 7)]))
    with torch.no_grad():
        found = drift_smooth(inside.to(device), target.to(device), Kernel((30.0,)), 2.0, DriftOptions(outliers=0.15, iterations=100))
    assert float((found.moved.cpu() - truth).norm(dim=1)[:200].mean()) < 0.5


def test_the_base_is_gone_on_from():
    template = cloud(30)
    base = SmoothMap(rotation(0.1, 0.0, 0.2), number([5.0, 0.0, -3.0]))
    with torch.no_grad():
        found = drift_smooth(
            template, base(template), Kernel((20.0,)), 2.0, DriftOptions(outliers=0.0, iterations=5, variance=1.0), base=base
        )
    torch.testing.assert_close(found.moved, base(template), atol=0.05, rtol=0)
    assert len(found.map.terms) == 1


def test_a_prior_decides_what_positions_leave_open():
    """Each point has two candidates at equal distances; the prior favours the right one."""
    template = cloud(25)
    template = template[(torch.cdist(template, template) + 1e3 * torch.eye(25)).amin(1) > 12.0]
    count = len(template)
    target = torch.cat([template + number([4.0, 0, 0]), template - number([4.0, 0, 0])])
    prior = torch.ones(count, 2 * count, dtype=torch.float64)
    prior[:, count:] = 0.01  # points at -4 mm have no similar features, and are outliers
    with torch.no_grad():
        blind = drift_smooth(template, target, Kernel((60.0,)), 2.0, DriftOptions(outliers=0.3, iterations=40, variance=16.0))
        seeing = drift_smooth(template, target, Kernel((60.0,)), 2.0, DriftOptions(outliers=0.3, iterations=40, variance=16.0), prior=prior)
    assert abs(float((blind.moved - template)[:, 0].mean())) < 0.5
    assert float((seeing.moved - template)[:, 0].mean()) > 3.0


# ---------------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("kind", ["rigid", "similarity", "affine"])
def test_gradients_of_linear_drift(kind):
    template, target = cloud(6, 0, 10.0), cloud(7, 1, 10.0)
    prior = 0.5 + torch.rand(6, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    inputs = [part.requires_grad_() for part in (template, target, prior)]

    def moved(one, two, weights):
        return drift_linear(one, two, kind, DriftOptions(outliers=0.1, iterations=3, tolerance=0.0), prior=weights).moved

    assert torch.autograd.gradcheck(moved, inputs, atol=1e-5)


@pytest.mark.parametrize("outliers", [0.0, 0.1])
def test_gradients_of_smooth_drift(outliers):
    template, target = cloud(6, 0, 10.0), cloud(7, 1, 10.0)
    prior = 0.5 + torch.rand(6, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    inputs = [part.requires_grad_() for part in (template, target, prior)]

    def moved(one, two, weights):
        drift = drift_smooth(
            one, two, Kernel((8.0,)), 2.0, DriftOptions(outliers=outliers, iterations=3, tolerance=0.0, variance=9.0), prior=weights
        )
        return drift.moved, drift.map(torch.ones(1, 3, dtype=torch.float64))

    assert torch.autograd.gradcheck(moved, inputs, atol=1e-5)


def test_a_gradient_step_of_the_prior_moves_points_where_they_should_be():
    template = cloud(30)
    truth = template + 4.0 * torch.sin(template[:, [1, 2, 0]] / 25.0)
    logits = torch.zeros(30, 30, dtype=torch.float64, requires_grad=True)

    def loss(values):
        drift = drift_smooth(
            template,
            truth,
            Kernel((30.0,)),
            2.0,
            DriftOptions(outliers=0.1, iterations=4, tolerance=0.0),
            prior=30.0 * torch.softmax(values, 0),
        )
        return (drift.moved - truth).square().mean()

    before = loss(logits)
    (gradient,) = torch.autograd.grad(before, logits)
    with torch.no_grad():
        assert loss(logits - 2.0 * gradient / gradient.abs().max()) < 0.999 * before
