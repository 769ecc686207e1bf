"""The error of a registration at each point, predicted by a monotone additive model from measures of the run. No torch.

    log e(x) = log h + a + sum_k f_k(log p_k(x))

p_k are the predictors at a point x, each of which is larger where more error is expected: lengths in units of h, which is the resolution of
the registration (Dense) or its length scale (Points), or pure numbers. f_k are piecewise linear and do not decrease, so e grows with every
predictor. There are two such functions: the *bound*, below which 90 % of the true errors lie, and the *typical* error, the median. Both
were fitted by quantile regression on pairs with known truth (Koenker and Bassett, Regression quantiles, Econometrica 1978). Outside the
range of the calibration f_k are constant, apart from that of the distance to the nearest point, beyond which e grows in proportion to it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepreg_engine.models.folders import shipped_folder

#: Share of the true errors below the bound.
LEVEL = 0.9
#: File of the calibrations of all methods, in the folder of the models that come with the engine.
CALIBRATION = "expected_error.json"
# Predictors below this value count as this value: a logarithm is taken.
_LEAST = 1e-6
# A run is like those of the calibration if the median of each predictor lies between the least and the largest of them, within this factor.
_SLACK = 1.25


@dataclass(frozen=True)
class Predictors:
    """Measures of a run from which its error is predicted at some points.

    Args:
        values: name to values, all arrays of one shape; lengths in mm.
        unit: h, mm, by which lengths are divided.
    """

    values: Mapping[str, np.ndarray]
    unit: float

    def logarithms(self, name: str, is_length: bool) -> np.ndarray:
        """Return the logarithm of a predictor, of a length in units of h."""
        values = np.asarray(self.values[name], dtype=np.float64)
        return np.log(np.maximum(values / self.unit if is_length else values, _LEAST))


@dataclass(frozen=True)
class Effect:
    """The functions f_k of one predictor.

    Args:
        name: of the predictor.
        is_length: whether it is a length.
        knots: increasing logarithms of the predictor.
        bound, typical: values of f_k at the knots, which do not decrease.
        medians: least and largest logarithm of the median of a pair of the calibration.
        beyond: slope of f_k behind the last knot.
    """

    name: str
    is_length: bool
    knots: tuple[float, ...]
    bound: tuple[float, ...]
    typical: tuple[float, ...]
    medians: tuple[float, float]
    beyond: float = 0.0

    def added(self, logarithms: np.ndarray, values: tuple[float, ...]) -> np.ndarray:
        """Return f_k, with its values at the knots, at logarithms of the predictor."""
        return np.interp(logarithms, self.knots, values) + self.beyond * np.maximum(logarithms - self.knots[-1], 0.0)


@dataclass(frozen=True)
class ErrorModel:
    """A calibrated model.

    Args:
        effects: of all predictors.
        bound, typical: the numbers a of both functions.
        floor: least bound, in units of h: the resolution limits what calibration can confirm.
        features: names of the features that were calibrated; empty where features do not matter.
    """

    effects: tuple[Effect, ...]
    bound: float
    typical: float
    floor: float
    features: tuple[str, ...]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> ErrorModel:
        """Return the model of plain data, as :meth:`to_plain` writes them."""
        effects = tuple(
            Effect(
                each["name"],
                bool(each["length"]),
                tuple(map(float, each["knots"])),
                tuple(map(float, each["bound"])),
                tuple(map(float, each["typical"])),
                (float(each["medians"][0]), float(each["medians"][1])),
                float(each["beyond"]),
            )
            for each in plain["predictors"]
        )
        return cls(effects, float(plain["bound"]), float(plain["typical"]), float(plain["floor"]), tuple(plain["features"]))

    def to_plain(self) -> dict[str, Any]:
        """Return the model as plain data for JSON, numbers with five digits."""

        def short(values: tuple[float, ...]) -> list[float]:
            return [float(f"{value:.5g}") for value in values]

        effects = [
            {
                "name": each.name,
                "length": each.is_length,
                "knots": short(each.knots),
                "bound": short(each.bound),
                "typical": short(each.typical),
                "medians": short(each.medians),
                "beyond": each.beyond,
            }
            for each in self.effects
        ]
        numbers = dict(zip(("bound", "typical", "floor"), short((self.bound, self.typical, self.floor)), strict=True))
        return {**numbers, "features": list(self.features), "predictors": effects}

    def errors(self, predictors: Predictors) -> tuple[np.ndarray, np.ndarray]:
        """Return the bound and the typical error at the points of the predictors, mm; the typical error is at most the bound."""
        bound: np.ndarray | float = self.bound
        typical: np.ndarray | float = self.typical
        for each in self.effects:
            logarithms = predictors.logarithms(each.name, each.is_length)
            bound = bound + each.added(logarithms, each.bound)
            typical = typical + each.added(logarithms, each.typical)
        most = np.maximum(np.exp(bound), self.floor)
        return predictors.unit * most, predictors.unit * np.minimum(np.exp(typical), most)

    def unlike(self, predictors: Predictors, inside: np.ndarray) -> list[str]:
        """Return the names of the predictors whose median ``inside`` lies outside the range of the calibration."""
        found = []
        for each in self.effects:
            middle = float(np.median(predictors.logarithms(each.name, each.is_length)[inside]))
            if not each.medians[0] - np.log(_SLACK) <= middle <= each.medians[1] + np.log(_SLACK):
                found.append(each.name)
        return found


@functools.cache
def error_model(method: str) -> ErrorModel:
    """Return the calibrated model of a method."""
    return ErrorModel.of(json.loads((shipped_folder() / CALIBRATION).read_text(encoding="utf-8"))[method])
