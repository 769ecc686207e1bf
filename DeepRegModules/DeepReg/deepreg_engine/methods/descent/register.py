"""The Descent method: regularised iterative descent on features, coarse to fine.

1. Alignment: by centres, rigid or affine, or a given transform.
2. At each resolution the features of both images are computed, and regularised steps reduce their squared difference; see
   :mod:`deepreg_engine.solvers.descent` for the step.

The energy that ends the iteration is the mismatch E of :mod:`deepreg_engine.methods.common.agreement`.

Blendowski, Hansen, Heinrich, Weakly-supervised learning of multi-modal features for regularised iterative descent in 3D image
registration, Medical Image Analysis 2021.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
import torch

from deepreg_engine.features.extractor import Extractor
from deepreg_engine.geometry.composition import followed_by
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.sampling import Lookup, identity, sample
from deepreg_engine.geometry.volume import field_from_voxels
from deepreg_engine.methods.base import Result
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.agreement import unrelated_mismatch
from deepreg_engine.methods.common.feature_size import FeatureSize
from deepreg_engine.methods.common.hounsfield import for_units
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.lengths import in_millimetres, with_factor
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.common.registration import Registration, mean_length, to_next_level
from deepreg_engine.methods.common.steps import DEFORMATIONS, Steps, graded
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.descent.plan import check_memory, make_plan, steps_at
from deepreg_engine.methods.descent.presets import DESCENT_PRESETS
from deepreg_engine.models.store import load_extractors
from deepreg_engine.progress import Progress, RunControl
from deepreg_engine.solvers.descent import Regularity, at_lattice, descend, descent_step
from deepreg_engine.solvers.neighbourhood import Neighbourhood

# Mean change of the field by an iteration, in voxels, below which a level ends.
_CONVERGED = 0.01
# A level also ends when this number of iterations has not reduced the energy by this share. The field of the least energy is kept, because
# structures that only one image shows would otherwise deform their surroundings step by step.
_PATIENCE, _GAIN = 5, 1e-4
# Spacing of the fields of single iterations, which are smooth, in finest voxels.
_KEPT_SPACING = 4.0
# Fixed-point iterations that invert the fixed image's half of a symmetric deformation, and their tolerance, voxels.
_HALF_STEPS, _HALF_TOLERANCE = 40, 1e-3

#: Features of the fixed and of the moving image.
Extractors = tuple[Extractor, Extractor]


@dataclass
class DescentResult(Result):
    """The result of a registration by descent.

    Args:
        energies: for each iteration the energy before it, and the spacing of its level, mm.
        iterations: total fields from fixed to moving points on a coarse grid, before the first and after each kept iteration, with the
            number of iterations before each.
    """

    energies: list[dict] = dataclass_field(default_factory=list)
    iterations: list[tuple[int, DisplacementField]] = dataclass_field(default_factory=list)


@torch.no_grad()
def register_descent(
    pair: ImagePair,
    parameters: DescentParameters,
    device: str = "auto",
    progress: Progress | None = None,
    keep: int = 0,
    extractors: Extractors | None = None,
    control: RunControl | None = None,
) -> DescentResult:
    """Register two images.

    Args:
        pair: images, masks and alignment; guides are not used.
        parameters: see :class:`DescentParameters`.
        device: see :func:`choose_device`.
        progress: callback, receives the share done, 0 to 1, and the name of the stage; it may raise to stop the run.
        keep: approximate number of iterations to keep.
        extractors: of the fixed and of the moving image, if they are already loaded.
        control: receives previews, and may end the run early.

    Raises:
        InputError: if the images do not overlap after the alignment.
        NotEnoughMemoryError: if the memory does not suffice, before the computation.
        DeviceError, ParameterError: if the device or the features do not exist.
    """
    notes: list[str] = []
    if extractors is None:
        extractors, notes = for_units(load_extractors(parameters), (pair.fixed, pair.moving), parameters)
    result = _Descent(pair, parameters, device, progress, keep, extractors, control).run()
    result.notes += notes
    return result


class _Descent(Registration[DescentParameters]):
    """One run.

    Fields are (3, z, y, x), voxels, from fixed to moving; in the symmetric variant (6, z, y, x), from the middle to fixed and to moving.
    """

    def __init__(
        self,
        pair: ImagePair,
        parameters: DescentParameters,
        device: str,
        progress: Progress | None,
        keep: int,
        extractors: Extractors,
        control: RunControl | None,
    ) -> None:
        fixed = ImageGrid.of(pair.fixed)
        parameters = with_factor(parameters, DESCENT_PRESETS, fixed)
        super().__init__(pair, in_millimetres(parameters, DESCENT_PRESETS, fixed), device, progress, control)
        self._extractors = extractors
        size = FeatureSize.of(extractors)
        grids, free = (self._fixed_grid, ImageGrid.of(self._pair.moving)), self._free_memory()
        self._plan = check_memory(*grids, parameters, size.channels, free, self._output_grid)
        steps = [steps_at(level, parameters) for level in range(len(self._plan))]
        work = [count * grid.voxels for count, grid in zip(steps, self._plan, strict=True)]
        self._counts, self._work = steps, [share / sum(work) for share in work]
        self._steps = Steps(graded(DEFORMATIONS, len(self._plan)))
        self._keep_count = keep
        self._energies: list[dict] = []
        self._kept: list[tuple[int, DisplacementField]] = []

    def _coarsest_spacing(self) -> float:
        return make_plan(self._output_grid, self._parameters)[0].spacing[0]

    def run(self) -> DescentResult:
        start = time.perf_counter()
        alignment = self._align()
        parameters, old = self._parameters, self._plan[0]
        field = torch.zeros(6 if parameters.symmetric else 3, *old.shape, device=self._device)
        self._reached(self._done_last, field, old, alignment)
        for number, grid in enumerate(self._plan):
            if self._stops():
                break
            begun = time.perf_counter()
            self._report(self._steps.title(number + 1), 0.0)
            data = self._level_data(grid, alignment, parameters.reach, self._extractors)
            field = to_next_level(field, old, grid)
            old = grid
            fixed = data.fixed_lookup() if parameters.symmetric else data.fixed_neighbourhood(parameters.window)
            data.prepare()
            self._clock.add("features", begun)
            field = self._descend(number, data, fixed, field, alignment)
            self._reached(self._done_last, field, grid, alignment)
        return DescentResult(
            **self._finished(self._deformation(field), old, alignment, start),
            features=" and ".join(dict.fromkeys(extractor.name for extractor in self._extractors)),
            energies=self._energies,
            iterations=_evenly_spaced(self._kept, self._keep_count),
        )

    def _deformation(self, field: torch.Tensor) -> torch.Tensor:
        return _fixed_to_moving(field)

    def _descend(
        self, number: int, data: LevelData, fixed: Lookup | Neighbourhood, field: torch.Tensor, alignment: Alignment
    ) -> torch.Tensor:
        """Return the field after all iterations at one resolution."""
        parameters, begun = self._parameters, time.perf_counter()
        regularity = regularity_of(parameters)
        first, energy, best, waited, iteration = None, math.inf, (math.inf, field), 0, 0
        unit, total_weight = 1.0, 0.0
        count = self._counts[number]
        for iteration in range(count + 1):  # the last iteration only computes the energy
            if not self._energies:
                self._keep(field, data.grid, alignment)
            fixed_side, moving_side, weights = self._sides(data, fixed, field)
            if first is None:
                unit = unrelated_mismatch(fixed_side.values, moving_side.values, weights)
                total_weight = float(at_lattice(self._fixed_mask(data), parameters.window).sum())
            step, _, residual = descent_step(fixed_side, moving_side, regularity, weights)
            energy = (float((residual * weights).sum()) / unit + total_weight - float(weights.sum())) / max(total_weight, 1.0)
            first = energy if first is None else first
            waited = 0 if energy < best[0] * (1.0 - _GAIN) else waited + 1
            best = min(best, (energy, field), key=lambda entry: entry[0])
            if iteration == count or waited >= _PATIENCE or (iteration and self._stops()):
                break
            self._report(self._steps.title(number + 1), self._work[number] / count)
            self._energies.append({"iteration": len(self._energies), "spacing_mm": data.spacing, "energy": energy})
            before, field = field, _updated(field, step, regularity)
            self._done_last = self._steps.iteration(number + 1, iteration + 1, count)
            self._keep(field, data.grid, alignment)
            if mean_length(field[-3:] - before[-3:]) * len(field) / 3 < _CONVERGED:
                break
        energy, field = best
        if number == len(self._plan) - 1 or self._stopped:
            self._energies.append({"iteration": len(self._energies), "spacing_mm": data.spacing, "energy": energy})
            self._keep(field, data.grid, alignment)
        mismatch = {"mismatch_before": math.inf if first is None else first, "mismatch_last": energy}
        self._record("descent", data, begun, iterations=iteration, **mismatch, field=field[-3:])
        return field

    def _sides(
        self, data: LevelData, fixed: Lookup | Neighbourhood, field: torch.Tensor
    ) -> tuple[Neighbourhood, Neighbourhood, torch.Tensor]:
        """Return the features of the fixed and of the moving side under a field, and the weights, at every ``window``-th voxel."""
        window = self._parameters.window
        # In the symmetric variant the features of both images are warped, so that both sides are treated alike.
        features, coverage, mask = data.warped_neighbourhood(field[-3:], window, recompute=not self._parameters.symmetric)
        weights = (coverage > 0.5).to(field.dtype)
        if mask is not None:
            weights = weights * mask
        if isinstance(fixed, Neighbourhood):
            return fixed, features, weights if data.fixed_mask is None else weights * at_lattice(data.fixed_mask, window)
        index = identity(field.shape[1:], field) + field[:3]
        sampled = at_lattice(index, window)
        for axis, size in enumerate(field.shape[:0:-1]):
            weights = weights * ((sampled[axis] >= -0.5) & (sampled[axis] <= size - 0.5))
        if data.fixed_mask is not None:
            weights = weights * sample(data.fixed_mask[None], sampled)[0]
        return Neighbourhood.sampled(fixed, index, window), features, weights

    def _fixed_mask(self, data: LevelData) -> torch.Tensor:
        """Return the fixed mask (z, y, x), of ones without a mask."""
        return torch.ones(data.grid.shape, device=self._device) if data.fixed_mask is None else data.fixed_mask

    def _keep(self, field: torch.Tensor, grid: ImageGrid, alignment: Alignment) -> None:
        """Keep the total field of the present iteration on a coarse grid."""
        if not self._keep_count:
            return
        if self._kept and self._kept[-1][0] == len(self._energies):
            self._kept.pop()
        finest = self._plan[-1].spacing[0]
        coarse = self._output_grid.resampled(max(_KEPT_SPACING * finest, grid.spacing[0]))
        local = field_from_voxels(_fixed_to_moving(field), grid).resampled(coarse)
        self._kept.append((len(self._energies), followed_by(local, alignment.transform)))


def _updated(field: torch.Tensor, step: torch.Tensor, regularity: Regularity) -> torch.Tensor:
    """Return the field after a step; in the symmetric variant, each half of the field takes half of the step."""
    if len(field) == 3:
        return descend(field, step, regularity)
    return torch.cat([descend(field[:3], -0.5 * step, regularity), descend(field[3:], 0.5 * step, regularity)])


def _evenly_spaced(kept: list, count: int) -> list:
    """Return about ``count`` of the entries, evenly spaced, including the first and the last."""
    if len(kept) <= max(count, 2):
        return kept
    return [kept[round(index)] for index in np.linspace(0, len(kept) - 1, max(count, 2))]


def regularity_of(parameters: DescentParameters) -> Regularity:
    """Return the regularity of the solver that the parameters describe."""
    return Regularity(
        window=parameters.window,
        spread=parameters.window_spread,
        damping=parameters.damping,
        fluid=parameters.fluid,
        elastic=parameters.elastic,
        longest=1.0,
        robustness=parameters.robustness,
    )


def _fixed_to_moving(field: torch.Tensor) -> torch.Tensor:
    """Return the deformation (3, z, y, x), voxels, from fixed to moving of a field, which may be symmetric."""
    if field.shape[0] == 3:
        return field
    to_fixed, to_moving = field[:3], field[3:]
    index = identity(to_fixed.shape[1:], to_fixed)
    back = -to_fixed  # from fixed to the middle: b(x) = -p(x + b(x))
    for _ in range(_HALF_STEPS):
        better = -sample(to_fixed, index + back)
        change = float((better - back).abs().max())
        back = torch.lerp(back, better, 0.7)
        if change < _HALF_TOLERANCE:
            break
    return back + sample(to_moving, index + back)
