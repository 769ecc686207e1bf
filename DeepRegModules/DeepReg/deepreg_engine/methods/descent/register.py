"""The Descent method: regularised iterative descent on features, coarse to fine (Blendowski, Hansen, Heinrich, MedIA 2021).

1. Align the images (centres, rigid, affine, or a given transform).
2. At each resolution compute both images' features, and step by step move where they agree better.

What one step is, is in :mod:`deepreg_engine.solvers.descent`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
import torch

from deepreg_engine.features.extractor import Extractor
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.sampling import Lookup, identity, sample
from deepreg_engine.geometry.volume import field_from_voxels
from deepreg_engine.methods.base import Result
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.feature_size import FeatureSize
from deepreg_engine.methods.common.level import LevelData
from deepreg_engine.methods.common.registration import ImagePair, Progress, Registration, mean_length, onto, then_transform
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.descent.plan import check_memory, steps_at
from deepreg_engine.models.store import load_extractors
from deepreg_engine.solvers.descent import Regularity, at_lattice, descend, descent_step
from deepreg_engine.solvers.neighbourhood import Neighbourhood
from deepreg_engine.solvers.unfolding import unfold

# A level is done when an iteration changes the field by less than this on average, in voxels;
_SETTLED = 0.01
# or when so many iterations have not lowered the energy by this share of it. Then the best field so far is taken: what is not in
# both images would else pull the rest along, step by step.
_PATIENCE, _GAIN = 5, 1e-4
# Fields that are kept for looking at are on voxels so many times as wide as the working ones: they are smooth.
_KEPT_SPACING = 4.0
# Steps of the fixed-point iteration that turns the fixed image's half of a symmetric deformation around, and when it is done (voxels).
_HALF_STEPS, _HALF_TOLERANCE = 40, 1e-3


# Of the fixed and of the moving image.
Extractors = tuple[Extractor, Extractor]


@dataclass
class DescentResult(Result):
    """What a registration by descent gives.

    Args:
        energies: mean squared difference of the features before each iteration, as a share of that of unrelated places; one entry an
            iteration, with its level's spacing (mm).
        iterations: total fields from fixed to moving, on a coarse grid in the fixed frame, before the first and after each
            iteration that is kept; with the number of iterations before each.
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
) -> DescentResult:
    """Register two images.

    Args:
        pair: the images and what is known of them; guides are not used.
        parameters: see :class:`DescentParameters`.
        device: see :func:`choose_device`.
        progress: called with the share done, 0 to 1, and the name of the stage; it may raise to stop the run.
        keep: about how many iterations to keep; 0 keeps none.
        extractors: of the fixed and of the moving image, if they are loaded already.

    Raises:
        InputError: if the images do not overlap after the alignment.
        NotEnoughMemoryError: if it would not fit, before anything is computed.
        DeviceError, ParameterError: if the device or the features do not exist.
    """
    return _Descent(pair, parameters, device, progress, keep, extractors or load_extractors(parameters)).run()


class _Descent(Registration):
    """One run."""

    def __init__(
        self, pair: ImagePair, parameters: DescentParameters, device: str, progress: Progress | None, keep: int, extractors: Extractors
    ) -> None:
        super().__init__(pair, parameters, device, progress)
        self._extractors = extractors
        size = FeatureSize.of(extractors)
        self._plan = check_memory(self._fixed_grid, ImageGrid.of(pair.moving), parameters, size.channels, self._free_memory())
        steps = [steps_at(level, parameters) for level in range(len(self._plan))]
        work = [count * grid.voxels for count, grid in zip(steps, self._plan)]
        self._steps, self._work = steps, [share / sum(work) for share in work]
        self._wanted_count = keep
        self._energies: list[dict] = []
        self._kept: list[tuple[int, DisplacementField]] = []

    def run(self) -> DescentResult:
        start = time.perf_counter()
        alignment = self._align()
        field, old = None, None
        for number, grid in enumerate(self._plan):
            begun = time.perf_counter()
            self._tell(f"features at {grid.spacing[0]:.3g} mm", 0.0)
            data = self._data(grid, alignment)
            field = onto(field, old, grid, self._device)
            old = grid
            fixed = data.fixed_lookup() if self._parameters.symmetric else data.fixed_seen(self._parameters.window)
            data.prepare()
            self._clock.add("features", begun)
            field = self._descend(number, data, fixed, field, alignment)
        begun = time.perf_counter()
        self._tell("displacement field", 0.0)
        if self._parameters.symmetric:
            field = _whole(field)
        field = unfold(field)
        local = field_from_voxels(field, old).resampled(self._fixed_grid)
        total = then_transform(local, alignment.transform)
        self._clock.add("field", begun)
        self._clock.seconds["total"] = time.perf_counter() - start
        self._progress(1.0, "done")
        names = dict.fromkeys(extractor.name for extractor in self._extractors)
        return DescentResult(
            field=total,
            deformation=local.statistics(),
            uncertainty=None,
            alignment=alignment,
            stages=self._stages,
            seconds=self._clock.seconds,
            notes=[*alignment.notes, *self._notes],
            device=self._device_name,
            features=" and ".join(names),
            energies=self._energies,
            iterations=_some(self._kept, self._wanted_count),
        )

    def _data(self, grid: ImageGrid, alignment: Alignment) -> LevelData:
        return self._level_data(grid, alignment, self._parameters.reach, *self._extractors)

    def _descend(
        self, number: int, data: LevelData, fixed: Lookup | Neighbourhood, field: torch.Tensor, alignment: Alignment
    ) -> torch.Tensor:
        """All iterations at one resolution.

        A field is (3, z, y, x), voxels, from fixed to moving; in the symmetric variant (6, z, y, x), from the middle to both.
        """
        parameters, begun = self._parameters, time.perf_counter()
        regularity = regularity_of(parameters)
        if parameters.symmetric and field.shape[0] == 3:
            field = torch.cat([torch.zeros_like(field), field])
        unit, first, energy, best, waited = None, None, math.inf, (math.inf, field), 0
        count = self._steps[number]
        last_level = number == len(self._plan) - 1
        for iteration in range(count + 1):  # the last one only measures what the one before has reached
            if not self._energies:
                self._keep(field, data.grid, alignment)
            seen, features, weights = self._sides(data, fixed, field)
            if unit is None:
                unit = _unrelated(seen.values, features.values, weights)
                wanted = float(at_lattice(self._wanted(data), parameters.window).sum())
            step, _, residual = descent_step(seen, features, regularity, weights)
            # Voxels whose partner is not in the moving image count as unrelated: to leave it is no way to agree.
            energy = (float((residual * weights).sum()) / unit + wanted - float(weights.sum())) / max(wanted, 1.0)
            first = energy if first is None else first
            waited = 0 if energy < best[0] * (1.0 - _GAIN) else waited + 1
            best = min(best, (energy, field), key=lambda entry: entry[0])
            if iteration == count or waited >= _PATIENCE:
                break
            self._tell(f"descent at {data.spacing:.3g} mm", self._work[number] / count)
            self._energies.append({"iteration": len(self._energies), "spacing_mm": data.spacing, "energy": energy})
            before = field
            if parameters.symmetric:
                field = torch.cat([descend(field[:3], -0.5 * step, regularity), descend(field[3:], 0.5 * step, regularity)])
            else:
                field = descend(field, step, regularity)
            self._keep(field, data.grid, alignment)
            if mean_length(field[-3:] - before[-3:]) * len(field) / 3 < _SETTLED:
                break
        energy, field = best
        if last_level:
            self._energies.append({"iteration": len(self._energies), "spacing_mm": data.spacing, "energy": energy})
            self._keep(field, data.grid, alignment)
        self._record("descent", data, begun, iterations=iteration, mismatch_before=first, mismatch_last=energy, field=field[-3:])
        return field

    def _sides(
        self, data: LevelData, fixed: Lookup | Neighbourhood, field: torch.Tensor
    ) -> tuple[Neighbourhood, Neighbourhood, torch.Tensor]:
        """Features of the fixed and of the moving side as the field shows them, and what each voxel counts, where steps look."""
        window = self._parameters.window
        # Both sides alike in the symmetric variant: features of either image, warped.
        features, known, mask = data.seen(field[-3:], window, anew=not self._parameters.symmetric)
        weights = (known > 0.5).to(field.dtype)
        if mask is not None:
            weights = weights * mask
        if not self._parameters.symmetric:
            return fixed, features, weights if data.fixed_mask is None else weights * at_lattice(data.fixed_mask, window)
        place = identity(field.shape[1:], field) + field[:3]
        looked_at = at_lattice(place, window)
        for axis, size in enumerate(field.shape[:0:-1]):
            weights = weights * ((looked_at[axis] >= -0.5) & (looked_at[axis] <= size - 0.5))
        if data.fixed_mask is not None:
            weights = weights * sample(data.fixed_mask[None], looked_at)[0]
        return Neighbourhood.sampled(fixed, place, window), features, weights

    def _wanted(self, data: LevelData) -> torch.Tensor:
        """What each voxel of the fixed image would count if all of the moving one were known (z, y, x)."""
        return torch.ones(data.grid.shape, device=self._device) if data.fixed_mask is None else data.fixed_mask

    def _keep(self, field: torch.Tensor, grid: ImageGrid, alignment: Alignment) -> None:
        """Remember where the descent is."""
        if not self._wanted_count:
            return
        if self._kept and self._kept[-1][0] == len(self._energies):
            self._kept.pop()
        field = _whole(field) if field.shape[0] == 6 else field
        finest = self._plan[-1].spacing[0]
        coarse = self._fixed_grid.resampled(max(_KEPT_SPACING * finest, grid.spacing[0]))
        local = field_from_voxels(field, grid).resampled(coarse)
        self._kept.append((len(self._energies), then_transform(local, alignment.transform)))


def _some(kept: list, count: int) -> list:
    """About so many of the entries, evenly, with the first and the last."""
    if len(kept) <= max(count, 2):
        return kept
    return [kept[round(place)] for place in np.linspace(0, len(kept) - 1, max(count, 2))]


def regularity_of(parameters: DescentParameters) -> Regularity:
    """The regularity that parameters ask for."""
    return Regularity(
        window=parameters.window,
        spread=parameters.window_spread,
        damping=parameters.damping,
        fluid=parameters.fluid,
        elastic=parameters.elastic,
        longest=1.0,
        robustness=parameters.robustness,
    )


def _unrelated(fixed: torch.Tensor, moving: torch.Tensor, weights: torch.Tensor) -> float:
    """Mean squared difference of the features of unrelated places: the sum of both sides' variances."""
    total, share = 0.0, weights / weights.sum().clamp(min=1.0)
    for one, other in zip(fixed, moving):
        means = [(side * share).sum() for side in (one, other)]
        total += sum(float((share * (side - mean).square()).sum()) for side, mean in zip((one, other), means))
        total += float((means[0] - means[1]).square())
    return total / len(fixed) or 1.0


def _whole(halves: torch.Tensor) -> torch.Tensor:
    """The deformation from fixed to moving of fields (6, z, y, x), voxels, that lead from the middle to fixed and to moving."""
    if halves.shape[0] == 3:
        return halves
    to_fixed, to_moving = halves[:3], halves[3:]
    place = identity(to_fixed.shape[1:], to_fixed)
    back = -to_fixed  # from fixed to the middle: b(x) = -p(x + b(x))
    for _ in range(_HALF_STEPS):
        better = -sample(to_fixed, place + back)
        change = float((better - back).abs().max())
        back = torch.lerp(back, better, 0.7)
        if change < _HALF_TOLERANCE:
            break
    return back + sample(to_moving, place + back)
