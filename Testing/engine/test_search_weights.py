"""The weights of the search as published: costs, their regularisation and probabilities (Heinrich, MICCAI 2019, section 2)."""

from __future__ import annotations

import pytest
import SimpleITK as sitk
import torch
from registering import aligned, scene

from deepreg_engine.features.handcrafted import Mind
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.dense import register as dense
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.plan import PATCH, Search
from deepreg_engine.methods.dense.search_costs import SearchCosts, Weights, patches

A = (1.1337, 0.0761, 1.0533, -0.7469, 0.0728, 1.1337)
PUBLISHED = DenseParameters(search_weights="published", mean_field_passes=2)


def test_costs_are_a1_plus_a0_times_the_squared_difference():
    pair = scene("abdomen")
    grid = ImageGrid.of(pair.fixed).resampled(10.0)
    data = LevelData(
        ImagePair(pair.fixed, pair.moving), grid, sitk.Transform(3, sitk.sitkIdentity), 60.0, (Mind(), Mind()), torch.device("cpu")
    )
    search, padding = Search(PATCH, PATCH, 2), 8
    field = torch.zeros(3, *grid.shape)
    costs = SearchCosts(data, field, search, padding, 0.3, Weights.of(PUBLISHED))
    found, _ = costs.costs()
    fixed = patches(data.fixed_features(), costs.counts, PATCH, (0, 0, 0))
    warped, known, _ = data.warped(field, padding)
    compared = 0
    for k, d in (((3, 4, 5), (0, 0, 0)), ((4, 3, 6), (1, -2, 2)), ((2, 5, 4), (-2, 1, 0))):
        start = tuple(padding + PATCH * (index + step) for index, step in zip(k, d, strict=True))
        box = tuple(slice(begin, begin + PATCH) for begin in start)
        if float(known[box].min()) < 0.999:
            continue  # a displacement out of the moving image costs more
        moving = warped[(slice(None), *box)]
        own = data.fixed_features()[(slice(None), *(slice(PATCH * index, PATCH * (index + 1)) for index in k))]
        expected = A[1] + A[0] * (own - moving).square().sum(0).mean()
        assert float(found[k[0], k[1], d[0] + 2, d[1] + 2, d[2] + 2, k[2]]) == pytest.approx(float(expected), rel=1e-3)
        compared += 1
    assert compared >= 2
    assert fixed.shape[1:] == costs.counts


def test_the_run_uses_all_six(monkeypatch):
    """The second pass mixes with a2, a3, a4, and a5 makes the probabilities; the default weights are other ones."""
    pair, seen = scene("abdomen"), []
    real_regularise, real_probabilities = dense.regularise, dense.probabilities
    monkeypatch.setattr(dense, "regularise", lambda cost, *rest: seen.append(rest[:2]) or real_regularise(cost, *rest))
    monkeypatch.setattr(dense, "probabilities", lambda cost, sharpness: seen.append(sharpness) or real_probabilities(cost, sharpness))
    asked = ImagePair(pair.fixed, pair.moving, alignment=aligned(pair))
    quick = {"working_spacing": 9.0, "control_spacing": 18.0, "capture_range": 40.0, "search_stages": 1, "refinement_iterations": 3}
    results = {}
    for weights in ("published", "own"):
        parameters = PUBLISHED.replaced({**quick, "search_weights": weights, "instance_optimisation": "none"})
        results[weights] = pair.error(dense.register_dense(asked, parameters, "cpu").field.vectors)
    assert seen == [(2, A[2:5]), A[5], (2, (1.0, 1.0, 0.0)), 150.0]
    assert results["published"] != results["own"]
    assert results["published"] < 0.95 * pair.affine_error()
