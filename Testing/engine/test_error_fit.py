"""The fit of the model of the expected error: quantiles in closed form, monotone functions, and coverage of errors with a known
distribution."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from deepreg_engine.methods.common.error_model import LEVEL, ErrorModel, Predictors

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from error_fit import NUMBERS, Sample, fit_model, fit_quantile, weighted_quantile


def test_a_weighted_quantile_is_the_value_that_has_the_share_of_the_weights_below_it():
    values, weights = np.array([5.0, 1.0, 3.0, 2.0]), np.array([1.0, 4.0, 2.0, 3.0])
    assert [weighted_quantile(values, weights, level) for level in (0.4, 0.41, 0.7, 0.9, 1.0)] == [1.0, 2.0, 2.0, 3.0, 5.0]


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_without_predictors_the_fit_is_the_quantile(level):
    values = np.random.default_rng(0).normal(2.0, 1.0, 4000)
    constant, coefficients = fit_quantile(np.zeros((4000, 1)), values, np.ones(4000), level)
    assert constant == pytest.approx(np.quantile(values, level), abs=1e-3)
    assert coefficients == pytest.approx([0.0])


def test_the_fit_finds_slopes_of_a_quantile_and_none_that_is_negative():
    """The noise has the standard deviation 0.5, so the quantile 0.9 lies 0.5 * 1.2816 above the line; the third slope would be -0.2."""
    random = np.random.default_rng(1)
    columns = random.uniform(0.0, 1.0, (20000, 3))
    values = 1.0 + 2.0 * columns[:, 0] - 0.2 * (columns[:, 2] - 0.5) + random.normal(0.0, 0.5, 20000)
    constant, coefficients = fit_quantile(columns, values, np.ones(20000), 0.9)
    assert coefficients == pytest.approx([2.0, 0.0, 0.0], abs=0.08)
    assert coefficients[2] == 0.0
    assert constant == pytest.approx(1.0 + 0.5 * 1.2816, abs=0.08)


def pairs(count, seed, unit=1.0):
    """Pairs whose errors are log-normal: the median is 0.3 h sqrt(localisation / h) (1 + residual), the spread 0.4."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        place = unit * np.exp(random.normal(1.0 + 0.3 * (number % 3), 0.6, 300))
        residual = random.uniform(0.01, 1.0, 300)
        errors = 0.3 * unit * np.sqrt(place / unit) * (1.0 + residual) * np.exp(random.normal(0.0, 0.4, 300))
        values = {"localisation": place, "residual": residual}
        medians = {name: float(np.median(value)) for name, value in values.items()}
        found.append(Sample(Predictors(values, unit), errors, medians, "ab"[number % 2], ("mind",)))
    return found


def test_the_bound_of_a_fitted_model_covers_errors_that_it_has_not_seen():
    model = ErrorModel.of(fit_model(pairs(12, 0)).to_plain())
    assert model.features == ("mind",)
    for sample in pairs(4, 99, unit=0.2):  # of another size
        bound, typical = model.errors(sample.predictors)
        assert abs((sample.errors < bound).mean() - LEVEL) < 0.04
        assert abs((sample.errors < typical).mean() - 0.5) < 0.06
        truth = 0.3 * np.sqrt(sample.predictors.values["localisation"] * 0.2) * (1.0 + sample.predictors.values["residual"])
        assert np.median(np.abs(typical / truth - 1.0)) < 0.1
        assert np.median(np.abs(bound / (truth * np.exp(0.4 * 1.2816)) - 1.0)) < 0.15


def test_a_fit_is_the_same_each_time_and_monotone():
    first, second = (fit_model(pairs(8, 3)).to_plain() for _ in range(2))
    assert first == second
    for effect in first["predictors"]:
        assert (np.diff(effect["knots"]) > 0).all()
        assert (np.diff([effect["bound"], effect["typical"]], axis=1) >= 0).all()
        assert effect["length"] == (effect["name"] not in NUMBERS)
