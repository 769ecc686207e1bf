"""The Dense method: probabilistic dense displacements, coarse to fine (Heinrich, MICCAI 2019).

1. Align the images (centres, rigid, affine, or a given transform).
2. Search: costs of all displacements at all control points, min-convolution and mean field, and the smooth field that agrees
   best; then again with half the step from where that led.
3. Refine: Gauss-Newton on the features, at finer and finer resolution.

What each step works with is in :mod:`plan`, what it does in the package ``solvers``.
"""

from __future__ import annotations

import time

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.features.extractor import Extractor, Joined
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.sampling import compose, sample
from deepreg_engine.geometry.volume import field_from_voxels
from deepreg_engine.methods.base import Result
from deepreg_engine.methods.common.feature_size import FeatureSize
from deepreg_engine.methods.common.guides import GuideTerms
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.common.registration import ImagePair, Progress, Registration, mean_length, onto, then_transform
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.plan import REACH, Level, Search, check_memory, control_counts, padding_voxels
from deepreg_engine.methods.dense.search_costs import SearchCosts, Weights, control_grid, first_control, mean_mismatch, mean_over
from deepreg_engine.models.store import load_extractor
from deepreg_engine.solvers.coupling import Guides, couple
from deepreg_engine.solvers.gauss_newton import Update, control_shape, gauss_newton_step, spread
from deepreg_engine.solvers.instance import maximise_probability
from deepreg_engine.solvers.labels import expected_displacement, probabilities, standard_deviation
from deepreg_engine.solvers.mean_field import regularise
from deepreg_engine.solvers.unfolding import unfold

# Refinement is done when the mean update of a step is below this, in voxels.
_SETTLED = 0.01
# Refinement steps are made longer than Gauss-Newton's: features change less than their gradients promise, so that steps fall short. From 2 on
# it would overshoot for ever; about 1.4 needs two thirds of the steps.
_OVERRELAXATION = 1.35
# Residual at which a linear system is solved: the next iteration changes it by more than what is left.
_SOLVED = 0.03


# The names under which scripts know them.
DenseInput, DenseResult = ImagePair, Result
# What the search and what the refinement compare.
Extractors = tuple[Extractor, Extractor]


@torch.no_grad()
def register_dense(
    pair: DenseInput,
    parameters: DenseParameters,
    device: str = "auto",
    progress: Progress | None = None,
    extractors: Extractors | None = None,
) -> DenseResult:
    """Register two images.

    Args:
        pair: the images and what is known of them.
        parameters: see :class:`DenseParameters`.
        device: see :func:`choose_device`.
        progress: called with the share done, 0 to 1, and the name of the stage; it may raise to stop the run.
        extractors: of :func:`extractors_of`, if they are loaded already.

    Raises:
        InputError: if the images do not overlap after the alignment.
        NotEnoughMemoryError: if it would not fit, before anything is computed.
        DeviceError, ParameterError: if the device or the features do not exist.
    """
    return _Dense(pair, parameters, device, progress, extractors or extractors_of(parameters)).run()


def extractors_of(parameters: DenseParameters) -> Extractors:
    """What the search and what the refinement compare.

    Raises:
        ParameterError, InputError: see :func:`load_extractors`.
    """
    extractor: Extractor = load_extractor(parameters)
    # Learned features say what lies where; the last millimetre is often better known to MIND.
    fine = parameters.refinement_features
    if fine != "same":
        return extractor, load_extractor(parameters.replaced({"features": fine}))
    partner = extractor.kind.partner
    return extractor, Joined(load_extractor(parameters.replaced({"features": partner})), extractor) if partner else extractor


class _Dense(Registration):
    """One run."""

    def __init__(
        self, pair: DenseInput, parameters: DenseParameters, device: str, progress: Progress | None, extractors: Extractors
    ) -> None:
        super().__init__(pair, parameters, device, progress)
        self._extractor, self._refiner = extractors
        size = FeatureSize.of(extractors)
        self._plan = check_memory(self._fixed_grid, ImageGrid.of(pair.moving), parameters, size.channels, self._free_memory(), size.kept)
        self._work = _shares_of_work(self._plan, parameters)
        self._deviation: tuple[torch.Tensor, ImageGrid] | None = None

    # --------------------------------------------------------------------- run

    def run(self) -> DenseResult:
        start = time.perf_counter()
        alignment = self._align()
        residual = None if self._pair.guides is None else self._pair.guides.residual(alignment.transform)
        field, grid = None, None
        for level in self._plan:
            begun = time.perf_counter()
            extractor = self._extractor if level.searches else self._refiner
            data = self._level_data(level.grid, alignment, REACH * self._parameters.capture_range, extractor)
            field = onto(field, grid, level.grid, self._device)
            grid = level.grid
            guides = self._guide_terms(residual, grid)
            self._clock.add("images", begun)
            for search in level.searches:
                field = self._search(data, field, search, level, guides)
            if level.refinements:
                if extractor is not self._refiner:
                    data = self._level_data(level.grid, alignment, REACH * self._parameters.capture_range, self._refiner)
                field = self._refine(data, field, level, guides)
        begun = time.perf_counter()
        self._tell("displacement field", 0.0)
        field = unfold(field)
        local = field_from_voxels(field, grid).resampled(self._fixed_grid)
        total = then_transform(local, alignment.transform)
        uncertainty = self._uncertainty()
        self._clock.add("field", begun)
        self._clock.seconds["total"] = time.perf_counter() - start
        self._progress(1.0, "done")
        notes = [*alignment.notes, *self._notes]
        return Result(
            field=total,
            deformation=local.statistics(),
            alignment=alignment,
            stages=self._stages,
            seconds=self._clock.seconds,
            notes=notes,
            device=self._device_name,
            features=self._extractor.name,
            refinement_features=self._refiner.name if self._plan[-1].refinements else "",
            uncertainty=uncertainty,
        )

    def _guide_terms(self, residual: np.ndarray | None, grid: ImageGrid) -> GuideTerms | None:
        if residual is None:
            return None
        parameters = self._parameters
        return GuideTerms(self._pair.guides, residual, grid, parameters.guide_weight, parameters.guide_radius, self._device)

    # ------------------------------------------------------------------ search

    def _search(self, data: LevelData, field: torch.Tensor, search: Search, level: Level, guides: GuideTerms | None) -> torch.Tensor:
        """One discrete stage: the field, composed with what it finds."""
        parameters, begun = self._parameters, time.perf_counter()
        number = 1 + sum(stage["stage"] == "search" for stage in self._stages)
        self._tell(f"search {number} ({search.step * data.spacing:.3g} mm steps)", self._work["search"][number - 1])
        padding = padding_voxels(self._plan[0], search, self._extractor.reach)
        weights = Weights.of(parameters)
        costs = SearchCosts(data, field, search, padding, parameters.truncation or self._extractor.kind.ceiling, weights)
        (cost, confidence), shape = costs.costs(), costs.counts
        del costs  # features and patches are not needed any more, and costs take much memory
        labels = int(cost[0, 0, ..., 0].numel())
        smooth = regularise(cost, parameters.mean_field_passes, weights.mixing, confidence)
        del cost  # volumes of costs are the largest part of a run's memory
        terms = self._search_guides(guides, field, shape, search)
        probability = None
        if parameters.instance_optimisation != "coupled" or number == parameters.search_stages:
            probability = probabilities(smooth, weights.sharpness)
            self._deviation = (standard_deviation(probability) * search.step * data.spacing, control_grid(level.grid, search, shape))
        if parameters.instance_optimisation == "coupled":
            del probability
            control, step = search.control * data.spacing, search.step * data.spacing
            update = couple(smooth, parameters.search_smoothness * step**2 / control**4, confidence, terms, tolerance=_SOLVED)
        else:
            update = expected_displacement(probability)
            if parameters.instance_optimisation == "adam":
                update = maximise_probability(probability, update)
        update = spread(update * search.step, field.shape[1:], search.control, first_control())
        field = compose(update, field)
        self._record(
            "search",
            data,
            begun,
            control_points=int(np.prod(shape)),
            labels=labels,
            step_mm=search.step * data.spacing,
            range_mm=search.step * search.radius * data.spacing,
            field=field,
        )
        return field

    def _search_guides(self, guides: GuideTerms | None, field: torch.Tensor, counts: tuple[int, int, int], search: Search) -> Guides | None:
        if guides is None:
            return None
        present = sample(field, guides.positions())[:, :, 0, 0].T
        weight, target = guides.at(counts, search.control, first_control(), present)
        return Guides(weight, target / search.step)

    # -------------------------------------------------------------- refinement

    def _refine(self, data: LevelData, field: torch.Tensor, level: Level, guides: GuideTerms | None) -> torch.Tensor:
        """Gauss-Newton steps at one resolution."""
        parameters, begun = self._parameters, time.perf_counter()
        control = level.refinement_control
        smoothness = parameters.smoothness / (control * data.spacing) ** 2
        number = self._plan.index(level)
        fixed = data.fixed_features()
        unit, first, mean_residual = None, None, 0.0
        for iteration in range(level.refinements):
            self._tell(f"refinement at {data.spacing:.3g} mm", self._work["refine"][number] / level.refinements)
            features, known, mask = data.fitted(field)
            weights = (known > 0.5).to(field.dtype)
            if mask is not None:
                weights = weights * mask
            if data.fixed_mask is not None:
                weights = weights * data.fixed_mask
            if unit is None:
                unit = float(mean_over(mean_mismatch(fixed, features, weights), data.fixed_mask)) / fixed.shape[0] or 1.0
            terms = None if guides is None else guides.at(control_shape(field.shape[1:], control), control, 0.0)
            update, residual = gauss_newton_step(
                fixed,
                features,
                field,
                Update(control, smoothness, unit=unit, robustness=parameters.robustness, tolerance=_SOLVED),
                weights=weights,
                guides=terms,
            )
            update.mul_(_OVERRELAXATION)
            field = compose(update, field)
            mean_residual = float((residual * weights).sum() / weights.sum().clamp(min=1.0)) / unit
            first = mean_residual if first is None else first
            if mean_length(update) < _SETTLED:
                break
        self._record("refinement", data, begun, iterations=iteration + 1, mismatch_before=first, mismatch_last=mean_residual, field=field)
        return field

    # ------------------------------------------------------------------ output

    def _uncertainty(self) -> sitk.Image | None:
        if self._deviation is None:
            return None
        values, grid = self._deviation
        image = grid.to_image(values.cpu().numpy().astype(np.float32))
        resampler = sitk.ResampleImageFilter()
        resampler.SetReferenceImage(self._pair.fixed)
        resampler.SetUseNearestNeighborExtrapolator(True)
        return resampler.Execute(image)


def _shares_of_work(plan: list[Level], parameters: DenseParameters) -> dict[str, list[float]]:
    """Which share of a run each stage takes, about, for the progress bar."""
    searches = [
        2e-9 * np.prod(control_counts(level.grid, search.control)) * (2 * search.radius + 1) ** 3 * (3 + 2 * parameters.mean_field_passes)
        + 2e-7 * level.grid.voxels
        for level in plan
        for search in level.searches
    ]
    refinements = [level.refinements * (2.5e-7 * level.grid.voxels + 0.02) for level in plan]
    total = max(sum(searches) + sum(refinements), 1e-9) / 0.97
    return {"search": [float(s / total) for s in searches], "refine": [float(r / total) for r in refinements]}
