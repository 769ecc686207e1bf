"""Resolutions of a Descent registration, and how much memory they take. No torch."""

from __future__ import annotations

import numpy as np

from deepreg_engine.errors import NotEnoughMemoryError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.descent_parameters import DescentParameters

_BYTES = 4
_BASE_BYTES = 450e6
_SLACK = 1.15
# Hidden channels of the feature network and how many copies of them there are at once.
_HIDDEN, _COPIES = 16, 3
# Each finer level has so many of the iterations of the one before.
_FEWER = 2 / 3
# A level with fewer voxels along its shortest axis has too little to show.
_LEAST = 10


def finest_spacing(fixed: ImageGrid, working_spacing: float, working_voxels: float) -> float:
    """The finest voxel size, mm: the working spacing, but no finer than the fixed image, nor than the cap on voxels (millions) allows."""
    finest = max(working_spacing, min(fixed.spacing))
    cap = working_voxels * 1e6
    finest = max(finest, (float(np.prod(fixed.extent)) / cap) ** (1 / 3))
    while fixed.resampled(finest).voxels > cap:  # a grid has whole voxels, so it may reach further than the image
        finest *= 1.01
    return finest


def make_plan(fixed: ImageGrid, parameters: DescentParameters) -> list[ImageGrid]:
    """Grids of the levels, coarse to fine; spacing halves from one to the next."""
    finest = finest_spacing(fixed, parameters.working_spacing, parameters.working_voxels)
    grids = [fixed.resampled(finest * 2**level) for level in reversed(range(parameters.levels))]
    while len(grids) > 1 and min(grids[0].size) < _LEAST:
        grids.pop(0)
    return grids


def steps_at(level: int, parameters: DescentParameters) -> int:
    """Iterations of a level, 0 being the coarsest."""
    return max(1, round(parameters.iterations * _FEWER**level))


def estimate_memory(fixed: ImageGrid, moving: ImageGrid, plan: list[ImageGrid], parameters: DescentParameters, channels: int) -> float:
    """Peak memory of a run, bytes."""
    peak = max(15.0 * fixed.voxels, 5.0 * moving.voxels)
    for grid in plan:
        across = np.abs(grid.axes.T @ moving.axes) @ moving.extent
        frame = float(np.prod(np.minimum(1.2 * across, grid.extent + 2.0 * parameters.reach) / grid.spacing[0] + 3.0))
        images = 8.0 * grid.voxels + 3.0 * frame + channels * (grid.voxels + frame)
        network = _COPIES * _HIDDEN * max(grid.voxels, frame)
        sides = 2.0 if parameters.symmetric else 1.0
        descent = grid.voxels * (channels * sides + 45.0)
        peak = max(peak, images + max(network, descent))
    return _BASE_BYTES + _SLACK * _BYTES * peak


def check_memory(fixed: ImageGrid, moving: ImageGrid, parameters: DescentParameters, channels: int, available: float) -> list[ImageGrid]:
    """The plan, if it fits.

    Raises:
        NotEnoughMemoryError: if it does not, with the parameters that would fit as its changes.
    """
    plan = make_plan(fixed, parameters)
    needed = estimate_memory(fixed, moving, plan, parameters, channels)
    if needed <= available:
        return plan
    advice, changes = "crop the images, or use a computer with more memory", {}
    for factor in (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0):
        spacing = round(plan[-1].spacing[0] * factor, 1)
        if spacing > 20.0:
            break
        smaller = parameters.replaced({"working_spacing": spacing})
        if estimate_memory(fixed, moving, make_plan(fixed, smaller), smaller, channels) <= available:
            advice, changes = "coarser grids would fit", {"working_spacing": spacing}
            break
    message = f"this needs about {needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} GB are free"
    raise NotEnoughMemoryError(message, advice, changes=changes)
