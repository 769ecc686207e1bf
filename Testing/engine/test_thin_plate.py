"""Thin-plate splines: against SciPy's, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import make_grid
from scipy.interpolate import RBFInterpolator

from deepreg_engine.solvers.thin_plate import ThinPlate

GRID = make_grid((30, 26, 18), (2.1, 2.6, 5.3), (12, -9, 17), centre=(20.0, -30.0, 1500.0))


def cloud(count, seed=0, size=100.0):
    return size * torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("offset", [0.0, 1500.0])
def test_equals_scipys(offset):
    points, values, others = cloud(40) + offset, cloud(40, 1, 10.0), 2.0 * cloud(30, 2) - 50.0 + offset
    plate = ThinPlate.fit(points, values)
    # SciPy's "linear" is -r, with a polynomial of degree 1.
    expected = RBFInterpolator(points.numpy() - offset, values.numpy(), kernel="linear", degree=1)(others.numpy() - offset)
    np.testing.assert_allclose(plate(others).numpy(), expected, atol=1e-7)
    torch.testing.assert_close(plate(points), values, atol=1e-8, rtol=0)


def test_smoothing_equals_scipys():
    points, values = cloud(40), cloud(40, 1, 10.0)
    plate = ThinPlate.fit(points, values, smoothing=3.0)
    expected = RBFInterpolator(points.numpy(), values.numpy(), kernel="linear", degree=1, smoothing=3.0)(points.numpy())
    np.testing.assert_allclose(plate(points).numpy(), expected, atol=1e-7)
    assert float((plate(points) - values).norm(dim=1).mean()) > 0.1


@given(seed=st.integers(0, 200), shift=st.floats(-2000, 2000), smoothing=st.sampled_from([0.0, 5.0]))
@settings(max_examples=20, deadline=None)
def test_affine_maps_are_reproduced_everywhere(seed, shift, smoothing):
    points, others = cloud(12, seed) + shift, 5.0 * cloud(20, seed + 1) + shift
    matrix, offset = cloud(3, seed + 2, 0.5), cloud(1, seed + 3)[0]
    plate = ThinPlate.fit(points, (points - shift) @ matrix.T + offset, smoothing)
    torch.testing.assert_close(plate(others), (others - shift) @ matrix.T + offset, atol=1e-5, rtol=0)


def test_side_conditions():
    points = cloud(30)
    plate = ThinPlate.fit(points, cloud(30, 1))
    torch.testing.assert_close(plate.weights.sum(0), torch.zeros(3, dtype=torch.float64), atol=1e-8, rtol=0)
    torch.testing.assert_close(plate.weights.T @ plate.centres, torch.zeros(3, 3, dtype=torch.float64), atol=1e-6, rtol=0)


def test_field_on_an_oblique_grid():
    points = torch.from_numpy(GRID.points().reshape(-1, 3))[::97]
    values = 5.0 * torch.sin((points - points.mean(0))[:, [1, 2, 0]] / 20.0)
    plate = ThinPlate.fit(points, values)
    field = plate.field(GRID)
    assert field.grid.same_as(GRID)
    places = GRID.points().reshape(-1, 3)
    expected = plate(torch.from_numpy(places)).numpy().T.reshape(3, *GRID.shape)
    np.testing.assert_allclose(field.vectors, expected, atol=1e-4)


def test_a_large_grid_is_filled_from_nodes_between(monkeypatch):
    """It covers the whole grid, also at its faces, and differs by little."""
    from deepreg_engine.solvers import thin_plate as module

    monkeypatch.setattr(module, "_NODES", 3000)
    points = torch.from_numpy(GRID.points().reshape(-1, 3))[::97]
    values = 5.0 * torch.sin((points - points.mean(0))[:, [1, 2, 0]] / 30.0) + 10.0
    plate = ThinPlate.fit(points, values)
    expected = plate(torch.from_numpy(GRID.points().reshape(-1, 3))).numpy().T.reshape(3, *GRID.shape)
    assert np.abs(plate.field(GRID).vectors - expected).max() < 1.0


def test_gradients():
    points = cloud(7, size=10.0)
    values = cloud(7, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: ThinPlate.fit(points, v)(cloud(4, 2, 10.0)), (values,))
