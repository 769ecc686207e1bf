"""The Dense method: probabilistic dense displacements, coarse to fine.

1. Alignment: by centres, rigid or affine, or a given transform.
2. Search: costs of all displacements at all control points (:mod:`search_costs`), regularised by min-convolution and mean-field
   inference (:mod:`solvers.mean_field`), and the smooth field that fits them best (:mod:`solvers.coupling`). Each further stage
   starts from this field, with half the displacement step.
3. Refinement: Gauss-Newton steps on the features at increasing resolution (:mod:`solvers.gauss_newton`).

Heinrich, Closing the gap between deep and conventional image registration using probabilistic dense displacement networks, MICCAI 2019;
Heinrich, Papiez, Schnabel, Handels, Non-parametric discrete registration with convex optimisation, WBIR 2014.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.arrays import array_of
from deepreg_engine.features.extractor import Extractor, Joined
from deepreg_engine.geometry.body import body_at
from deepreg_engine.geometry.image_grid import ImageGrid, triple
from deepreg_engine.geometry.images import resample, without_outliers
from deepreg_engine.geometry.sampling import compose, sample
from deepreg_engine.methods.base import Result, required
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.error_model import error_model
from deepreg_engine.methods.common.expected_error import ENDED_EARLY, ExpectedError
from deepreg_engine.methods.common.feature_size import FeatureSize
from deepreg_engine.methods.common.guides import GuideTerms
from deepreg_engine.methods.common.hounsfield import for_units
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.lengths import in_millimetres, with_factor
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.common.registration import Registration, mean_length, to_next_level
from deepreg_engine.methods.common.steps import REFINEMENTS, SEARCHES, Steps, graded
from deepreg_engine.methods.dense.error_predictors import Evidence, predictors
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.plan import REACH, Counts, Level, Search, check_memory, control_counts, make_plan, padding_voxels
from deepreg_engine.methods.dense.presets import DENSE_PRESETS
from deepreg_engine.methods.dense.search_costs import SearchCosts, Weights, control_grid, first_control, mean_mismatch, mean_over
from deepreg_engine.models.store import load_extractor
from deepreg_engine.progress import Progress, RunControl
from deepreg_engine.solvers.coupling import Guides, couple
from deepreg_engine.solvers.gauss_newton import Update, at_controls, control_shape, gauss_newton_step, spread
from deepreg_engine.solvers.instance import maximise_probability
from deepreg_engine.solvers.labels import expected_displacement, probabilities, standard_deviation
from deepreg_engine.solvers.mean_field import regularise

# Mean length of an update, in voxels, below which the refinement of a level ends.
_CONVERGED = 0.01
# Factor on Gauss-Newton steps, which are too short because features change less than their gradients predict. It saves a third of
# the steps. Where two updates in a row point in opposite directions, the steps are too long, as on the sharp edges of probabilities;
# then the factor shrinks, down to a least value.
_OVERRELAXATION, _SHRINKING, _LEAST_RELAXATION = 1.35, 0.7, 0.3
# Relative residual at which a linear system is solved: the next iteration changes it by more than the rest.
_SOLVED = 0.03

#: Features of the search and of the refinement.
Extractors = tuple[Extractor, Extractor]


@torch.no_grad()
def register_dense(
    pair: ImagePair,
    parameters: DenseParameters,
    device: str = "auto",
    progress: Progress | None = None,
    extractors: Extractors | None = None,
    control: RunControl | None = None,
) -> Result:
    """Register two images.

    Args:
        pair: images, masks, landmarks and alignment.
        parameters: see :class:`DenseParameters`.
        device: see :func:`choose_device`.
        progress: callback, receives the share done, 0 to 1, and the name of the stage; it may raise to stop the run.
        extractors: of :func:`extractors_of`, if they are already loaded.
        control: receives previews, and may end the run early.

    Raises:
        InputError: if the images do not overlap after the alignment.
        NotEnoughMemoryError: if the memory does not suffice, before the computation.
        DeviceError, ParameterError: if the device or the features do not exist.
    """
    notes: list[str] = []
    if extractors is None:
        extractors, notes = for_units(extractors_of(parameters), (pair.fixed, pair.moving), parameters)
    result = _Dense(pair, parameters, device, progress, extractors, control).run()
    result.notes += notes
    return result


def extractors_of(parameters: DenseParameters) -> Extractors:
    """Load the features of the search and of the refinement.

    Raises:
        ParameterError, InputError: see :func:`load_extractors`.
    """
    extractor: Extractor = load_extractor(parameters)
    refinement = parameters.refinement_features
    if refinement != "same":
        return extractor, load_extractor(parameters.replaced({"features": refinement}))
    # Probabilities of structures are refined together with features that also align what has no label, such as MIND.
    partner = extractor.kind.partner
    if not partner:
        return extractor, extractor
    return extractor, Joined(load_extractor(parameters.replaced({"features": partner})), extractor)


class _Dense(Registration[DenseParameters]):
    """One run."""

    def __init__(
        self,
        pair: ImagePair,
        parameters: DenseParameters,
        device: str,
        progress: Progress | None,
        extractors: Extractors,
        control: RunControl | None,
    ) -> None:
        fixed = ImageGrid.of(pair.fixed)
        parameters = with_factor(parameters, DENSE_PRESETS, fixed)
        super().__init__(pair, in_millimetres(parameters, DENSE_PRESETS, fixed), device, progress, control)
        self._extractor, self._refiner = extractors
        size = FeatureSize.of(extractors)
        free = self._free_memory()
        self._plan = check_memory(
            self._fixed_grid, ImageGrid.of(self._pair.moving), parameters, size.channels, free, size.kept, self._output_grid
        )
        self._work = _shares_of_work(self._plan, self._parameters)
        self._steps = _steps_of(self._plan)
        self._deviation: tuple[torch.Tensor, ImageGrid] | None = None
        # Regularised costs of the last search, its step, mm, and grid, until the next one: the uncertainty of a run that ends there.
        self._searched: tuple[torch.Tensor, float, ImageGrid] | None = None
        self._evidence: Evidence | None = None

    def _coarsest_spacing(self) -> float:
        return make_plan(self._output_grid, self._parameters)[0].spacing

    # --------------------------------------------------------------------- run

    def run(self) -> Result:
        start = time.perf_counter()
        alignment = self._align()
        residual = None if self._pair.guides is None else self._pair.guides.residual(alignment.transform)
        grid = self._plan[0].grid
        field, first, searched = torch.zeros(3, *grid.shape, device=self._device), None, None
        self._reached(self._done_last, field, grid, alignment)
        for level in self._plan:
            if self._stops():
                break
            begun = time.perf_counter()
            extractor = self._extractor if level.searches else self._refiner
            data = self._data(level, alignment, extractor)
            first = first or data
            field = to_next_level(field, grid, level.grid)
            grid = level.grid
            guides = self._guide_terms(residual, grid)
            self._clock.add("images", begun)
            for search in level.searches:
                if self._stops():
                    break
                field = self._search(data, field, search, level, guides)
                self._reached(self._steps.title(self._searches_done()), field, grid, alignment)
            searched = field if level.searches else searched
            if level.refinements and not self._stops():
                if extractor is not self._refiner:
                    data = self._data(level, alignment, self._refiner)
                field = self._refine(data, field, level, guides)
                self._reached(self._done_last, field, grid, alignment)
        begun = time.perf_counter()
        refined = field
        field = field if first is None else self._better_of(first, field, grid)
        uncertainty = self._uncertainty()
        expected = self._expected_error((refined, field), searched, grid)
        self._clock.add("field", begun)
        return Result(
            **self._finished(field, grid, alignment, start),
            features=self._extractor.name,
            refinement_features=self._refiner.name if any(stage["stage"] == "refinement" for stage in self._stages) else "",
            uncertainty=uncertainty,
            expected_error=expected,
        )

    def _data(self, level: Level, alignment: Alignment, extractor: Extractor) -> LevelData:
        return self._level_data(level.grid, alignment, REACH * self._parameters.capture_range, (extractor, extractor))

    def _guide_terms(self, residual: np.ndarray | None, grid: ImageGrid) -> GuideTerms | None:
        if self._pair.guides is None or residual is None:
            return None
        parameters = self._parameters
        return GuideTerms(self._pair.guides, residual, grid, parameters.guide_weight, parameters.guide_radius, self._device)

    # ------------------------------------------------------------------ search

    def _search(self, data: LevelData, field: torch.Tensor, search: Search, level: Level, guides: GuideTerms | None) -> torch.Tensor:
        """Return the field (3, z, y, x), voxels, composed with the update of one discrete stage."""
        parameters, begun = self._parameters, time.perf_counter()
        number = 1 + self._searches_done()
        self._searched = None  # frees the costs of the search before
        self._report(self._steps.title(number), self._work["search"][number - 1])
        padding = padding_voxels(self._plan[0], search, self._extractor.reach)
        weights = Weights.of(parameters)
        costs = SearchCosts(data, field, search, padding, parameters.truncation or self._extractor.kind.ceiling, weights)
        (cost, confidence), shape = costs.costs(), costs.counts
        del costs  # frees features and patches before the costs are processed
        labels = int(cost[0, 0, ..., 0].numel())
        smooth = regularise(cost, parameters.mean_field_passes, weights.mixing, confidence)
        del cost  # the costs take most of a run's memory
        terms = self._search_guides(guides, field, shape, search)
        if parameters.instance_optimisation != "coupled" or number == parameters.search_stages:
            probability = probabilities(smooth, weights.sharpness)
            self._deviation = (standard_deviation(probability) * search.step * data.spacing, control_grid(level.grid, search, shape))
        else:
            probability = None
            self._searched = (smooth, search.step * data.spacing, control_grid(level.grid, search, shape))
        if parameters.instance_optimisation == "coupled":
            del probability
            control, step = search.control * data.spacing, search.step * data.spacing
            update = couple(smooth, parameters.search_smoothness * step**2 / control**4, confidence, terms, tolerance=_SOLVED)
        else:
            probability = required(probability, "probability")
            update = expected_displacement(probability)
            if parameters.instance_optimisation == "adam":
                update = maximise_probability(probability, update)
        update = spread(update * search.step, triple(field.shape[1:]), search.control, first_control())
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

    def _searches_done(self) -> int:
        return sum(stage["stage"] == "search" for stage in self._stages)

    def _search_guides(self, guides: GuideTerms | None, field: torch.Tensor, counts: Counts, search: Search) -> Guides | None:
        if guides is None:
            return None
        present = sample(field, guides.positions())[:, :, 0, 0].T
        weight, target = guides.at(counts, search.control, first_control(), present)
        return Guides(weight, target / search.step)

    # -------------------------------------------------------------- refinement

    def _refine(self, data: LevelData, field: torch.Tensor, level: Level, guides: GuideTerms | None) -> torch.Tensor:
        """Return the field (3, z, y, x), voxels, after the Gauss-Newton steps of one resolution."""
        parameters, begun = self._parameters, time.perf_counter()
        control, robustness = level.refinement_control, parameters.robustness if self._refiner.kind.robust else 0.0
        smoothness = parameters.smoothness / (control * data.spacing) ** 2
        number = self._plan.index(level)
        step = sum(len(each.searches) for each in self._plan) + sum(bool(each.refinements) for each in self._plan[: number + 1])
        fixed, counts = data.fixed_features(), control_shape(triple(field.shape[1:]), control)
        unit, residuals, relaxation, last = 0.0, [], _OVERRELAXATION, None
        for _ in range(level.refinements):
            if residuals and self._stops():
                break
            self._report(self._steps.title(step), self._work["refine"][number] / level.refinements)
            features, coverage, moving_mask = data.warped_best_padding(field)
            weights = (coverage > 0.5).to(field.dtype)
            for mask in (moving_mask, data.fixed_mask):
                weights = weights if mask is None else weights * mask
            if not residuals:
                unit = float(mean_over(mean_mismatch(fixed, features, weights), data.fixed_mask)) / fixed.shape[0] or 1.0
            terms = None if guides is None else guides.at(counts, control, 0.0)
            update, residual, system = gauss_newton_step(
                fixed,
                features,
                field,
                Update(control, smoothness, unit=unit, robustness=robustness, tolerance=_SOLVED),
                weights=weights,
                guides=terms,
            )
            if last is not None and float((update * last).sum()) < 0.0:
                relaxation = max(relaxation * _SHRINKING, _LEAST_RELAXATION)
            last = update
            field = compose(update * relaxation, field)
            residuals.append(float((residual * weights).sum() / weights.sum().clamp(min=1.0)) / unit)
            self._done_last = self._steps.iteration(step, len(residuals), level.refinements)
            if mean_length(update) < _CONVERGED:
                break
        self._evidence = Evidence(data.grid, control, system, residual, weights, unit, update)
        mismatch = {"mismatch_before": residuals[0], "mismatch_last": residuals[-1]}
        self._record("refinement", data, begun, iterations=len(residuals), **mismatch, field=field)
        return field

    # ------------------------------------------------------------------ output

    def _uncertainty(self) -> sitk.Image | None:
        """Return the standard deviation of the displacement, mm, resampled to the fixed image's grid; None if no search was run."""
        if self._searched is not None:
            smooth, step, grid = self._searched
            self._deviation = (standard_deviation(probabilities(smooth, Weights.of(self._parameters).sharpness)) * step, grid)
        if self._deviation is None:
            return None
        values, grid = self._deviation
        image = grid.to_image(array_of(values).astype(np.float32))
        resampler = sitk.ResampleImageFilter()
        resampler.SetSize(self._output_grid.size)
        resampler.SetOutputSpacing(self._output_grid.spacing)
        resampler.SetOutputOrigin(self._output_grid.origin)
        resampler.SetOutputDirection(self._output_grid.direction)
        resampler.SetUseNearestNeighborExtrapolator(True)
        return resampler.Execute(image)

    def _expected_error(
        self, fields: tuple[torch.Tensor, torch.Tensor], searched: torch.Tensor | None, grid: ImageGrid
    ) -> ExpectedError | None:
        """Return the expected error; None for parameters without a search or a refinement.

        Args:
            fields: the refined field and the result, which is another if the deformation was discarded (3, z, y, x), voxels of ``grid``.
            searched: field of the searches, voxels of the first level; None if the run ended before.
            grid: of the result.
        """
        evidence, parameters = self._evidence, self._parameters
        if not (parameters.search_stages and parameters.refinement_iterations):
            return None
        if evidence is None or searched is None or self._deviation is None:
            return ExpectedError.unknown(grid, parameters.capture_range, ENDED_EARLY)
        refined, result = (to_next_level(field, grid, evidence.grid) for field in fields)
        points, mask = evidence.control_grid, self._pair.fixed_mask
        if mask is None:
            inside = body_at(without_outliers(self._pair.fixed), points)
        else:
            inside = sitk.GetArrayFromImage(resample(mask, points, None, "nearest", 0.0)) > 0
        searched = to_next_level(searched, self._plan[0].grid, evidence.grid)
        found = predictors(evidence, refined, searched, self._deviation, inside)
        expected = ExpectedError.of(error_model("dense"), found, points, inside, (self._extractor.name, self._refiner.name))
        lengths = array_of(at_controls(result - refined, evidence.control).norm(dim=0) * evidence.grid.spacing[0])
        if fields[0] is not fields[1]:
            return expected.moved(lengths, "the expected error was not calibrated for a deformation that was discarded")
        return expected.moved(lengths, ENDED_EARLY) if self._stopped else expected


def _steps_of(plan: Sequence[Level]) -> Steps:
    """Return the steps of a run: all searches, then the refinements of the levels."""
    searches, refinements = sum(len(level.searches) for level in plan), sum(bool(level.refinements) for level in plan)
    return Steps([*graded(SEARCHES, searches), *graded(REFINEMENTS, refinements)])


def _shares_of_work(plan: list[Level], parameters: DenseParameters) -> dict[str, list[float]]:
    """Return the estimated share of the run of each search and of each level's refinement, for the progress."""
    searches = [
        2e-9 * np.prod(control_counts(level.grid, search.control)) * (2 * search.radius + 1) ** 3 * (3 + 2 * parameters.mean_field_passes)
        + 2e-7 * level.grid.voxels
        for level in plan
        for search in level.searches
    ]
    refinements = [level.refinements * (2.5e-7 * level.grid.voxels + 0.02) for level in plan]
    total = max(sum(searches) + sum(refinements), 1e-9) / 0.97
    return {"search": [float(s / total) for s in searches], "refine": [float(r / total) for r in refinements]}
