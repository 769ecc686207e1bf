"""Resolutions and memory of a Descent registration. No torch."""

from __future__ import annotations

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.lengths import in_millimetres, with_factor
from deepreg_engine.methods.common.resolution import bytes_of, finest_spacing, moving_frame_voxels, refuse_too_large, rounded
from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.descent.presets import DESCENT_PRESETS

# Hidden channels of the feature network, and the number of copies in memory.
_HIDDEN, _COPIES = 16, 3
# Ratio of the iterations of a level to those of the next coarser one.
_FEWER = 2 / 3
# Least number of voxels of a level along its shortest axis.
_LEAST = 10


def make_plan(fixed: ImageGrid, parameters: DescentParameters) -> list[ImageGrid]:
    """Return the grids of the levels, coarse to fine; the spacing halves from level to level."""
    parameters = in_millimetres(parameters, DESCENT_PRESETS, fixed)
    finest = finest_spacing(fixed, parameters.working_spacing, parameters.working_voxels)
    grids = [fixed.resampled(finest * 2**level) for level in reversed(range(parameters.levels))]
    while len(grids) > 1 and min(grids[0].size) < _LEAST:
        grids.pop(0)
    return grids


def steps_at(level: int, parameters: DescentParameters) -> int:
    """Return the number of iterations of a level; level 0 is the coarsest."""
    return max(1, round(parameters.iterations * _FEWER**level))


def estimate_memory(
    fixed: ImageGrid,
    moving: ImageGrid,
    plan: list[ImageGrid],
    parameters: DescentParameters,
    channels: int,
    output: ImageGrid | None = None,
) -> float:
    """Return the peak memory of a run, bytes, with a number of feature channels; ``output`` is the result's grid, if the fixed image was
    cropped."""
    parameters = in_millimetres(parameters, DESCENT_PRESETS, fixed)
    peak = max(15.0 * (output or fixed).voxels, 5.0 * moving.voxels)
    for grid in plan:
        frame = moving_frame_voxels(grid, grid.spacing[0], moving, parameters.reach)
        images = 8.0 * grid.voxels + 3.0 * frame + channels * (grid.voxels + frame)
        network = _COPIES * _HIDDEN * max(grid.voxels, frame)
        sides = 2.0 if parameters.symmetric else 1.0
        descent = grid.voxels * (channels * sides + 45.0)
        peak = max(peak, images + max(network, descent))
    return bytes_of(peak)


def check_memory(
    fixed: ImageGrid, moving: ImageGrid, parameters: DescentParameters, channels: int, available: float, output: ImageGrid | None = None
) -> list[ImageGrid]:
    """Return the plan of a run, if it fits into the ``available`` bytes; other arguments as for :func:`estimate_memory`.

    Raises:
        NotEnoughMemoryError: if it does not fit; its ``changes`` are parameters with which it would.
    """
    plan = make_plan(fixed, parameters)
    parameters = with_factor(parameters, DESCENT_PRESETS, fixed)

    def coarser(factor: float) -> dict[str, float]:
        return {"working_spacing": rounded(plan[-1].spacing[0] / parameters.length_scale * factor)}

    def needed_by(changed: DescentParameters) -> float:
        return estimate_memory(fixed, moving, make_plan(fixed, changed), changed, channels, output)

    refuse_too_large(parameters, needed_by, available, coarser)
    return plan
