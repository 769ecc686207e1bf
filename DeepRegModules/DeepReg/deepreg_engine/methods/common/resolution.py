"""The working resolution of a registration, and the check of its memory. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deepreg_engine.errors import NotEnoughMemoryError, ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid

# Memory of Python, torch and SimpleITK themselves, and a factor for temporaries that are not counted.
_BASE_BYTES, _SLACK = 450e6, 1.15
_BYTES = 4
# Factors by which the working spacing may grow until a registration fits into memory.
_COARSER = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)


def finest_spacing(fixed: ImageGrid, working_spacing: float, working_voxels: float) -> float:
    """Return the finest voxel size, mm: the working spacing, or more if the fixed image is coarser or has more voxels than allowed
    (millions)."""
    finest = max(working_spacing, min(fixed.spacing))
    cap = working_voxels * 1e6
    finest = max(finest, (float(np.prod(fixed.extent)) / cap) ** (1 / 3))
    while fixed.resampled(finest).voxels > cap:  # a grid of whole voxels may exceed the image
        finest *= 1.01
    return finest


def moving_frame_voxels(fixed: ImageGrid, spacing: float, moving: ImageGrid, reach: float) -> float:
    """Return the approximate number of voxels of the moving frame, see :func:`moving_frame`.

    Args:
        fixed, moving: grids of the images.
        spacing: voxel size, mm.
        reach: how far the moving image is used beyond the fixed image, mm.
    """
    across = np.abs(fixed.axes.T @ moving.axes) @ moving.extent
    within = fixed.extent + 2.0 * reach
    return float(np.prod(np.minimum(1.2 * across, within) / spacing + 3.0))


def rounded(length: float) -> float:
    """Return a length for a user to type: with one decimal, or with two significant digits below 1."""
    return round(length, 1) if length >= 1.0 else float(f"{length:.2g}")


def bytes_of(values: float) -> float:
    """Return the peak memory, bytes, of a run with this number of float32 values."""
    return _BASE_BYTES + _SLACK * _BYTES * values


def refuse_too_large(
    parameters: Any, needed_by: Callable[[Any], float], available: float, coarser: Callable[[float], dict[str, float]]
) -> None:
    """Check that a run fits into memory.

    Args:
        parameters: of the run, whose ``length_scale`` is known.
        needed_by: returns the bytes that a run with some parameters needs.
        available: bytes.
        coarser: returns changed parameters, name to value, for a factor on the working spacing.

    Raises:
        NotEnoughMemoryError: if it does not fit; ``changes`` are the first parameters with which it would.
    """
    needed = needed_by(parameters)
    if needed <= available:
        return
    scale = {} if parameters.length_scale == 1.0 else {"length_scale": parameters.length_scale}
    advice, found = "crop the images, or use a computer with more memory", {}
    for factor in _COARSER:
        changes = {**coarser(factor), **scale}
        try:
            fits = needed_by(parameters.replaced(changes)) <= available
        except ParameterError:
            break
        if fits:
            advice, found = "coarser grids would fit", changes
            break
    message = f"this needs about {needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} GB are free"
    raise NotEnoughMemoryError(message, advice, changes=found)
