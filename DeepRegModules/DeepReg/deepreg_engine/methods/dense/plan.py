"""The coarse-to-fine plan of a Dense registration: grids, lattices and their memory. No torch.

The plan is made before the computation, so that a run that does not fit into memory is refused at once, and progress is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from deepreg_engine.geometry.image_grid import ImageGrid, triple
from deepreg_engine.methods.common.lengths import in_millimetres, with_factor
from deepreg_engine.methods.common.resolution import bytes_of, finest_spacing, moving_frame_voxels, refuse_too_large, rounded
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.presets import DENSE_PRESETS

# Radius of the displacements of the later stages, in steps: each stage corrects the step size of the one before.
LATER_RADIUS = 3
# The moving image is used this far beyond the fixed one, in capture ranges: the later stages exceed the range of the first.
REACH = 1.5
# Voxels of a control point's patch along each axis.
PATCH = 2


#: Numbers along z, y, x.
Counts = tuple[int, int, int]


@dataclass(frozen=True)
class Search:
    """One discrete stage.

    Args:
        control: control point spacing, in voxels of its level.
        step: displacement step, in voxels.
        radius: largest displacement, in steps.
    """

    control: int
    step: int
    radius: int

    @property
    def ratio(self) -> int:
        """Control point spacing, in displacement steps."""
        return self.control // self.step


@dataclass(frozen=True)
class Level:
    """One resolution and its stages.

    Args:
        grid: cubic voxels along the fixed image's axes.
        searches: discrete stages, in order.
        refinements: Gauss-Newton steps.
        refinement_control: their control point spacing, in voxels.
    """

    grid: ImageGrid
    searches: tuple[Search, ...]
    refinements: int
    refinement_control: int

    @property
    def spacing(self) -> float:
        """Voxel size, mm."""
        return self.grid.spacing[0]


def make_plan(fixed: ImageGrid, parameters: DenseParameters) -> list[Level]:
    """Return the levels of a registration, coarse to fine.

    The finest spacing is that of :func:`finest_spacing`. The search has half the control point spacing, and at least twice the
    finest spacing; from there the spacing is about halved from level to level.
    """
    parameters = in_millimetres(parameters, DENSE_PRESETS, fixed)
    finest = finest_spacing(fixed, parameters.working_spacing, parameters.working_voxels)
    searched = max(parameters.control_spacing / PATCH, 2.0 * finest)
    halvings = max(0, math.ceil(math.log2(searched / finest) - 0.35))
    spacings = [searched * (finest / searched) ** (level / halvings) for level in range(halvings)] + [finest]

    levels = []
    for number, spacing in enumerate(spacings):
        searches = _searches(spacing, parameters) if number == 0 else ()
        control = max(PATCH, round(parameters.refinement_spacing / spacing))
        levels.append(Level(fixed.resampled(spacing), searches, parameters.refinement_iterations, control))
    return levels


def _searches(spacing: float, parameters: DenseParameters) -> tuple[Search, ...]:
    stages = []
    step = PATCH
    for stage in range(parameters.search_stages):
        radius = max(1, math.ceil(parameters.capture_range / (step * spacing) - 1e-06)) if stage == 0 else LATER_RADIUS
        stages.append(Search(PATCH, step, radius))
        if step > 1:
            step //= 2
    return tuple(stages)


def control_counts(grid: ImageGrid, control: int) -> Counts:
    """Return the numbers of control points, ``control`` voxels apart, that cover a grid."""
    return triple(max(2, math.ceil((n - 1) / control) + 1) for n in grid.shape)


def padding_voxels(level: Level, search: Search, reach: int) -> int:
    """Return voxels by which the displacements of a stage exceed the fixed grid, with the ``reach`` of the features."""
    return search.step * search.radius + search.control + reach


def estimate_memory(
    fixed: ImageGrid,
    moving: ImageGrid,
    plan: list[Level],
    parameters: DenseParameters,
    channels: int,
    finest: float = 0.0,
    output: ImageGrid | None = None,
) -> float:
    """Return the peak memory of a run, bytes.

    Args:
        fixed, moving: grids of the images.
        plan: levels of the run.
        parameters: of the method.
        channels: of the features.
        finest: voxel size of features that are computed once and kept, mm; 0 without.
        output: grid of the result, if the fixed image was cropped.
    """
    parameters = in_millimetres(parameters, DENSE_PRESETS, fixed)
    # In float32 values. Smoothed copies of both images for each level; at the end fields on the fixed grid, one in double precision.
    smoothed = max(3.0 * fixed.voxels, 5.0 * moving.voxels)
    peak = 15.0 * (output or fixed).voxels
    reach, kept = REACH * parameters.capture_range, 0.0
    if finest > 0:
        # They are kept in half precision.
        kept = 0.5 * channels * (fixed.resampled(finest).voxels + moving_frame_voxels(fixed, finest, moving, reach))
    for level in plan:
        voxels = level.grid.voxels
        frame = moving_frame_voxels(level.grid, level.spacing, moving, reach)
        images = 8.0 * voxels + 2.0 * frame  # both images, masks, the field
        peak = max(peak, images + smoothed + 4.0 * frame)
        for number, search in enumerate(level.searches, start=1):
            counts = control_counts(level.grid, search.control)
            # Costs and regularised costs; where probabilities are needed, these and their exponents.
            coupled = parameters.instance_optimisation == "coupled" and number < len(level.searches)
            copies = 3.0 if not coupled else 2.0 if parameters.mean_field_passes else 1.0
            labels = (2 * search.radius + 1) ** 3
            volume = float(np.prod(counts)) * labels
            padded = float(np.prod([n + 2 * padding_voxels(level, search, 4) for n in level.grid.shape]))
            lattice = np.prod([(k - 1) * search.ratio + 2 * search.radius + 1 for k in counts])
            patches = PATCH**3 * channels * (float(lattice) * 3 + float(np.prod(counts)) * 3)
            peak = max(peak, images + channels * (voxels + 1.5 * padded) + patches + copies * volume)
        if level.refinements:
            peak = max(peak, images + voxels * (2.5 * channels + 45.0))
    return bytes_of(peak + kept)


def check_memory(
    fixed: ImageGrid,
    moving: ImageGrid,
    parameters: DenseParameters,
    channels: int,
    available: float,
    finest: float = 0.0,
    output: ImageGrid | None = None,
) -> list[Level]:
    """Return the plan of a run, if it fits into the ``available`` bytes; other arguments as for :func:`estimate_memory`.

    Raises:
        NotEnoughMemoryError: if it does not fit; its ``changes`` are parameters with which it would.
    """
    plan = make_plan(fixed, parameters)
    parameters = with_factor(parameters, DENSE_PRESETS, fixed)

    def coarser(factor: float) -> dict[str, float]:
        control = max(parameters.control_spacing, rounded(parameters.control_spacing * factor / 1.25))
        return {"working_spacing": rounded(plan[-1].spacing / parameters.length_scale * factor), "control_spacing": control}

    def needed_by(changed: DenseParameters) -> float:
        return estimate_memory(fixed, moving, make_plan(fixed, changed), changed, channels, finest, output)

    refuse_too_large(parameters, needed_by, available, coarser)
    return plan
