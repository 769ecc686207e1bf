"""The expected error of a registration at each point of the fixed image: a map in mm, and its figures over the body. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.content.description import MODALITIES
from deepreg_engine.content.detection import image_content
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.base import Result, Task
from deepreg_engine.methods.common.error_model import LEVEL, ErrorModel, Predictors

#: Reason for a run that was ended early: its error is known less well.
ENDED_EARLY = "the expected error was not calibrated for a run that was ended early"
_NOT_CONFIRMED = "the expected error has not been confirmed on independent pairs of this kind ({kind})"
# Bounds above this length, mm, are counted.
_LARGE = 5.0


@dataclass(frozen=True)
class ExpectedError:
    """The expected error of a result.

    Args:
        bound: (z, y, x), mm: 90 % of the true errors are below.
        typical: (z, y, x), mm: half of the true errors are below.
        grid: of both.
        inside: which of their points belong to the body (z, y, x).
        predictors: from which they were computed, for a calibration.
        reason: why the calibration does not cover the run; "" if it does.
    """

    bound: np.ndarray
    typical: np.ndarray
    grid: ImageGrid
    inside: np.ndarray
    predictors: Predictors
    reason: str

    @classmethod
    def of(
        cls, model: ErrorModel, predictors: Predictors, grid: ImageGrid, inside: np.ndarray, features: tuple[str, ...] = ()
    ) -> ExpectedError:
        """Return the errors that a model expects.

        Args:
            model: of the method.
            predictors: at the points of the grid.
            grid: of the map.
            inside: points of the body (z, y, x); all if none is.
            features: that were compared.
        """
        inside = inside if inside.any() else np.ones_like(inside)
        bound, typical = model.errors(predictors)
        unknown = [name for name in features if model.features and name not in model.features]
        unlike = model.unlike(predictors, inside)
        reason = ""
        if unknown:
            reason = f"the expected error was not calibrated for the features {unknown[0]}"
        elif unlike:
            reason = f"the expected error was not calibrated for pairs like this one ({', '.join(unlike).replace('_', ' ')})"
        return cls(bound, typical, grid, inside, predictors, reason)

    @classmethod
    def unknown(cls, grid: ImageGrid, largest: float, reason: str) -> ExpectedError:
        """Return the bound for a run that cannot estimate its error: the largest displacement that it would have searched, mm."""
        points = grid.resampled(np.maximum(grid.extent, grid.spacing))
        values = np.full(points.shape, largest)
        return cls(values, values, points, np.ones(points.shape, dtype=bool), Predictors({}, 1.0), reason)

    def moved(self, lengths: np.ndarray, reason: str) -> ExpectedError:
        """Return the errors of a result that differs from the one of the predictors by displacements of these lengths (z, y, x), mm.

        The distance from the truth is at most the sum of both.
        """
        return ExpectedError(self.bound + lengths, self.typical + lengths, self.grid, self.inside, self.predictors, reason)

    def image(self, grid: ImageGrid) -> sitk.Image:
        """Return the bound on a grid, mm, float32: linear between its points, and the nearest value beyond."""
        resampler = sitk.ResampleImageFilter()
        resampler.SetSize(grid.size)
        resampler.SetOutputSpacing(grid.spacing)
        resampler.SetOutputOrigin(grid.origin)
        resampler.SetOutputDirection(grid.direction)
        resampler.SetUseNearestNeighborExtrapolator(True)
        return resampler.Execute(self.grid.to_image(self.bound.astype(np.float32)))

    def figures(self) -> dict[str, Any]:
        """Return the section "expected_error" of a report, over the body."""
        return {
            "bound_percent": round(100.0 * LEVEL),
            "bound_mm": _figures(self.bound[self.inside]),
            "typical_mm": _figures(self.typical[self.inside]),
            "bound_above_5_mm_percent": 100.0 * float((self.bound[self.inside] > _LARGE).mean()),
            "calibrated": not self.reason,
            "reason": self.reason,
        }


def add_expected_error(task: Task, result: Result, confirmed: tuple[str, ...] = ()) -> None:
    """Add the expected error of a result to its report and, if it is requested, to its outputs, with a note if it was not calibrated.

    Args:
        task: the registration.
        result: receives the figures and the map.
        confirmed: modalities for which the bound was confirmed on pairs that were not used for the calibration; empty for all.
    """
    expected = result.expected_error
    if expected is None:
        return
    if confirmed and not expected.reason:
        expected = replace(expected, reason=_not_confirmed(task, confirmed))
        result.expected_error = expected
    result.details["expected_error"] = expected.figures()
    if "expected_error" in task.outputs:
        result.products["expected_error"] = expected.image(result.displacements.grid)
        if expected.reason:
            result.notes.append(f"{expected.reason}: its map only shows where the error is larger or smaller")


def _not_confirmed(task: Task, confirmed: tuple[str, ...]) -> str:
    """Return why the bound is not confirmed for the images of a task: another modality, or two contrasts; "" if it is."""
    shown = [image_content(image) for image in task.inputs.images]
    for content in shown:
        if content.modality not in confirmed:
            return _NOT_CONFIRMED.format(kind=MODALITIES[content.modality])
    return "" if shown[0].contrast == shown[1].contrast else _NOT_CONFIRMED.format(kind="two contrasts")


def _figures(values: np.ndarray) -> dict[str, float]:
    median, percentile95 = np.percentile(values, [50, 95])
    return {"mean": float(values.mean()), "median": float(median), "percentile95": float(percentile95)}
