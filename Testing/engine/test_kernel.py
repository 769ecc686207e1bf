"""Smooth maps made of Gaussians, and their fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import make_grid

from deepreg_engine.solvers import kernel as module
from deepreg_engine.solvers.kernel import Factor, Kernel, SmoothMap, Term, factorise, weighted_fit

# Oblique, anisotropic, far from the origin.
GRID = make_grid((30, 26, 18), (2.1, 2.6, 5.3), (12, -9, 17), centre=(20.0, -30.0, 1500.0))


def cloud(count, seed=0, size=100.0):
    return size * torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain(kernel, one, two):
    shares = kernel.shares or [1.0 / len(kernel.widths)] * len(kernel.widths)
    squares = (one[:, None] - two[None]).square().sum(2)
    return sum(share * torch.exp(-squares / (2.0 * width**2)) for share, width in zip(shares, kernel.widths, strict=True))


@pytest.mark.parametrize("kernel", [Kernel((20.0,)), Kernel((60.0, 8.0)), Kernel((40.0, 10.0), (0.9, 0.1))])
def test_matrix_is_the_mixture(kernel):
    one, two = cloud(11) + 1500.0, cloud(9, 1) + 1500.0
    torch.testing.assert_close(kernel.matrix(one, two), plain(kernel, one, two), atol=1e-10, rtol=0)
    assert float(kernel.of(torch.zeros(1))) == pytest.approx(1.0)


@given(width=st.floats(2.0, 200.0), tolerance=st.sampled_from([1e-2, 1e-4, 1e-8]), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_factor_reproduces_the_matrix(width, tolerance, seed):
    kernel, points = Kernel((width,)), cloud(60, seed)
    factor = factorise(kernel, points, tolerance=tolerance)
    gram = plain(kernel, points, points)
    left = gram - factor.columns @ factor.columns.T
    # What is left is positive semidefinite, and no variance is above the tolerance: so no entry is.
    assert float(left.abs().max()) < tolerance + 1e-9
    assert len(torch.unique(factor.pivots)) == factor.columns.shape[1]
    pivots = factor.columns[factor.pivots]
    torch.testing.assert_close(pivots, pivots.tril())


def test_a_wide_kernel_needs_few_columns_and_more_are_not_made(device):
    points = cloud(400).to(device)
    wide, narrow = factorise(Kernel((80.0,)), points), factorise(Kernel((5.0,)), points)
    assert wide.columns.shape[1] < 150 < narrow.columns.shape[1]
    assert factorise(Kernel((5.0,)), points, limit=70).columns.shape == (400, 70)
    # With many points, micrometres are not required.
    many = cloud(1200).to(device)
    assert factorise(Kernel((30.0,)), many).columns.shape[1] < factorise(Kernel((30.0,)), many, tolerance=1e-6).columns.shape[1]


def test_duplicates_add_nothing():
    points = torch.cat([cloud(20), cloud(20)])
    factor = factorise(Kernel((10.0,)), points)
    assert factor.columns.shape[1] <= 20
    torch.testing.assert_close(factor.columns[:20], factor.columns[20:], atol=1e-6, rtol=0)


def test_fit_is_the_dense_solve():
    """(G + lambda C^-1) W = D, and a point without weight needs no value."""
    kernel, points, values = Kernel((30.0,)), cloud(25), cloud(25, 1, 5.0)
    weights = 0.1 + cloud(25, 2, 1.0)[:, 0]
    factor = factorise(kernel, points, tolerance=1e-14)
    inner = weighted_fit(factor, weights, weights[:, None] * values, 0.5)
    gram = plain(kernel, points, points)
    coefficients = torch.linalg.solve(gram + 0.5 * torch.diag(1.0 / weights), values)
    torch.testing.assert_close(factor.columns @ inner, gram @ coefficients, atol=1e-5, rtol=0)
    weights[3] = 0.0
    wild = values.clone()
    wild[3] = 1e6
    other = weighted_fit(factor, weights, weights[:, None] * wild, 0.5)
    torch.testing.assert_close(other, weighted_fit(factor, weights, weights[:, None] * values, 0.5))


def test_single_precision_changes_no_fit(monkeypatch):
    """float32 is used where the ridge allows it, with the same result."""
    points, values = cloud(800), cloud(800, 1, 20.0)
    factor, weights = factorise(Kernel((60.0, 15.0)), points), torch.ones(800, dtype=torch.float64)
    with torch.no_grad():
        quick = factor.columns @ weighted_fit(factor, weights, values, 0.2)
        monkeypatch.setattr(module, "_SINGLE", 1e9)
        exact = factor.columns @ weighted_fit(factor, weights, values, 0.2)
    torch.testing.assert_close(quick, exact, atol=5e-3, rtol=0)
    assert float((quick - values).norm(dim=1).mean()) > 1.0  # there was something to smooth


def test_gradients_of_the_factor_are_those_of_the_matrix():
    points = cloud(6, size=20.0).requires_grad_()

    def gram(places):
        columns = factorise(Kernel((8.0,)), places).columns
        return columns @ columns.T

    torch.testing.assert_close(gram(points), Kernel((8.0,)).matrix(points, points), atol=1e-6, rtol=0)
    assert torch.autograd.gradcheck(gram, (points,))


def test_coefficients_make_the_function():
    kernel, points = Kernel((25.0, 12.0)), cloud(50)
    factor = factorise(kernel, points, tolerance=1e-10)
    inner = cloud(factor.columns.shape[1], 3, 1.0)[:, :3]
    coefficients = factor.coefficients(inner)
    there = plain(kernel, points, points[factor.pivots]) @ coefficients
    torch.testing.assert_close(there, factor.columns @ inner, atol=1e-4, rtol=0)


def three_terms(far):
    """A map with three sums, one of narrow Gaussians, around a point."""
    matrix = torch.eye(3, dtype=torch.float64) + 0.1 * cloud(3, 9, 1.0)
    terms = tuple(
        Term(kernel, cloud(count, seed) - 50.0 + far, cloud(count, seed + 1, 6.0) - 3.0)
        for seed, (kernel, count) in enumerate([(Kernel((40.0,)), 90), (Kernel((60.0, 15.0), (0.7, 0.3)), 70), (Kernel((4.0,)), 200)])
    )
    return SmoothMap(matrix, far - matrix @ far + 3.0, terms)


@pytest.mark.parametrize("block", [5000, 24_000_000])
def test_field_equals_the_map_at_the_voxels(block, monkeypatch, device):
    monkeypatch.setattr(module, "_BLOCK", block)
    whole = three_terms(torch.tensor(GRID.centre))
    places = torch.from_numpy(GRID.points().reshape(-1, 3))
    expected = (whole(places) - places).T.reshape(3, *GRID.shape).numpy()
    on = SmoothMap(
        whole.matrix.to(device),
        whole.offset.to(device),
        tuple(Term(t.kernel, t.centres.to(device), t.coefficients.to(device)) for t in whole.terms),
    )
    found = on.displacements(GRID)
    assert found.dtype == np.float32
    assert found.shape == (3, *GRID.shape)
    assert np.abs(expected).max() > 5.0
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_few_gaussians_and_thin_grids():
    grid = make_grid((7, 1, 3), (2.0, 2.0, 9.0), (5, 5, 5), centre=(0.0, 0.0, 0.0))
    whole = SmoothMap(
        torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), (Term(Kernel((2.0,)), cloud(1, size=1.0), cloud(1, 1)),)
    )
    places = torch.from_numpy(grid.points().reshape(-1, 3))
    np.testing.assert_allclose(whole.displacements(grid), (whole(places) - places).T.reshape(3, *grid.shape).numpy(), atol=1e-4)


def test_identity_moves_nothing():
    assert np.abs(SmoothMap.identity().displacements(GRID)).max() < 1e-3
    points = cloud(5)
    assert torch.equal(SmoothMap.identity()(points), points)


def test_gradients_of_the_fit():
    points = cloud(6, size=20.0)
    factor = factorise(Kernel((8.0,)), points)
    weights, values = (0.5 + cloud(6, 1, 1.0)[:, 0]).requires_grad_(), cloud(6, 2).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda w, v: weighted_fit(Factor(factor.columns, factor.pivots), w, w[:, None] * v, 0.3), (weights, values)
    )
