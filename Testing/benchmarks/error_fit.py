"""The fit of the model of the expected error (``deepreg_engine.methods.common.error_model``) to predictors and true errors.

Both functions of the model are quantile regressions of the logarithm of the error, with coefficients that are not negative, so that
they are monotone. The pinball loss is smoothed over a small width, which makes it differentiable; afterwards the constant is set so that
the wanted share of the errors of pairs that were left out of the fit lies below (a split into folds of whole pairs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from deepreg_engine.methods.common.error_model import LEVEL, Effect, ErrorModel, Predictors

# Quantiles of a predictor at which its function may bend.
_KNOTS = (0.005, 0.1, 0.35, 0.65, 0.9, 0.995)
# Width of the smoothed pinball loss, and weight of the squared coefficients.
_WIDTH, _RIDGE = 0.05, 2e-4
_FOLDS = 6
# Slopes behind the last knot: far from all points the error grows in proportion to the distance.
_BEYOND = {"nearest": 1.0}
# Points of a pair that are used.
_POINTS = 400
# Predictors that are no lengths.
NUMBERS = frozenset(("residual", "residual_around", "strain", "mismatch", "doubt", "doubt_of_all"))


@dataclass(frozen=True)
class Sample:
    """Predictors and true errors of one pair.

    Args:
        predictors: at some points.
        errors: there (N,), mm.
        medians: name to the median of the predictor over the body.
        kind: of the pair.
        features: that were compared.
    """

    predictors: Predictors
    errors: np.ndarray
    medians: dict[str, float]
    kind: str
    features: tuple[str, ...] = ()


def weighted_quantile(values: np.ndarray, weights: np.ndarray, level: float) -> float:
    """The smallest value with at least a share ``level`` of the weights at or below it."""
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(below, level - 1e-12)), len(values) - 1)])


def fit_quantile(columns: np.ndarray, values: np.ndarray, weights: np.ndarray, level: float) -> tuple[float, np.ndarray]:
    """The constant and the coefficients (M,), not negative, with which columns (N, M) predict a quantile of values (N,)."""
    share = weights / weights.sum()

    def loss(unknowns: np.ndarray) -> tuple[float, np.ndarray]:
        rest = values - unknowns[0] - columns @ unknowns[1:]
        scaled = rest / _WIDTH
        # The integral of a smooth step from level - 1 to level.
        total = share @ (level * rest + _WIDTH * np.logaddexp(0.0, -scaled)) + 0.5 * _RIDGE * unknowns[1:] @ unknowns[1:]
        slope = share * (level - 1.0 / (1.0 + np.exp(np.clip(scaled, -500, 500))))
        return float(total), -np.concatenate([[slope.sum()], columns.T @ slope - _RIDGE * unknowns[1:]])

    start = np.concatenate([[weighted_quantile(values, weights, level)], np.zeros(columns.shape[1])])
    bounds = [(None, None)] + [(0.0, None)] * columns.shape[1]
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 600, "ftol": 1e-10, "gtol": 1e-7}).x
    rest = values - columns @ found[1:]
    return weighted_quantile(rest, weights, level), found[1:]


def fit_model(samples: Sequence[Sample]) -> ErrorModel:
    """The model that fits samples; all kinds have the same weight, and all pairs of a kind."""
    samples = [_thinned(sample) for sample in samples]
    names = list(samples[0].predictors.values)
    kinds = [sample.kind for sample in samples]
    weights = np.concatenate([np.full(len(s.errors), 1.0 / (len(s.errors) * kinds.count(s.kind))) for s in samples])
    pair = np.concatenate([np.full(len(s.errors), number) for number, s in enumerate(samples)])
    values = np.concatenate([np.log(np.maximum(s.errors / s.predictors.unit, 1e-4)) for s in samples])
    logarithms = {n: np.concatenate([s.predictors.logarithms(n, n not in NUMBERS) for s in samples]) for n in names}
    knots = {n: _increasing([weighted_quantile(z, weights, share) for share in _KNOTS]) for n, z in logarithms.items()}
    columns = np.concatenate([_columns(logarithms[n], knots[n]) for n in names], axis=1)
    fits = {level: _fit(columns, values, weights, pair, level) for level in (LEVEL, 0.5)}
    effects, first = [], 0
    for name in names:
        part = slice(first, first + len(knots[name]) - 1)
        first = part.stop
        curves = [(0.0, *np.cumsum(coefficients[part])) for _, coefficients in fits.values()]
        unit = [1.0 if name in NUMBERS else s.predictors.unit for s in samples]
        medians = [float(np.log(max(s.medians[name] / u, 1e-6))) for s, u in zip(samples, unit, strict=True)]
        effects.append(Effect(name, name not in NUMBERS, tuple(knots[name]), *curves, (min(medians), max(medians)), _BEYOND.get(name, 0.0)))
    bounds = fits[LEVEL][0] + columns @ fits[LEVEL][1]
    floor = float(np.exp(weighted_quantile(bounds, weights, 0.01)))
    features = sorted({name for sample in samples for name in sample.features})
    return ErrorModel(tuple(effects), fits[LEVEL][0], fits[0.5][0], floor, tuple(features))


def _thinned(sample: Sample) -> Sample:
    """Some points of a sample, evenly spread."""
    chosen = slice(None, None, max(1, len(sample.errors) // _POINTS))
    values = {name: value[chosen] for name, value in sample.predictors.values.items()}
    return replace(sample, predictors=Predictors(values, sample.predictors.unit), errors=sample.errors[chosen])


def _fit(columns: np.ndarray, values: np.ndarray, weights: np.ndarray, pair: np.ndarray, level: float) -> tuple[float, np.ndarray]:
    """:func:`fit_quantile` with the constant for pairs that are left out."""
    rest = np.empty_like(values)
    for fold in range(_FOLDS):
        out = pair % _FOLDS == fold
        if not out.any() or out.all():
            return fit_quantile(columns, values, weights, level)
        constant, coefficients = fit_quantile(columns[~out], values[~out], weights[~out], level)
        rest[out] = values[out] - constant - columns[out] @ coefficients
    constant, coefficients = fit_quantile(columns, values, weights, level)
    return constant + weighted_quantile(rest, weights, level), coefficients


def _increasing(knots: list[float]) -> list[float]:
    """Knots that are at least 0.01 apart."""
    kept = [knots[0]]
    for knot in knots[1:]:
        kept.append(max(knot, kept[-1] + 0.01))
    return kept


def _columns(logarithms: np.ndarray, knots: list[float]) -> np.ndarray:
    """One column for each interval between knots, which rises from 0 to 1 over it (N, K - 1)."""
    return np.stack([np.clip((logarithms - a) / (b - a), 0.0, 1.0) for a, b in zip(knots[:-1], knots[1:], strict=True)], axis=1)
