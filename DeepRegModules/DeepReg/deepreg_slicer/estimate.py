"""The memory that a registration will need, estimated before it begins by the method itself. No torch."""

from __future__ import annotations

from typing import Any

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.registry import find_method
from deepreg_slicer.volumes import snapshot, worldGeometry


def memoryOf(method: str, fixed: Any, moving: Any, values: dict[str, Any]) -> float:
    """Return the estimated peak memory of a registration of two volume nodes, bytes.

    Args:
        method: name of the method.
        fixed, moving: volume nodes.
        values: parameters, name to value.

    Raises:
        NodeError: if one of them cannot be registered.
        EngineError: if the parameters are not allowed.
    """
    chosen = find_method(method)
    grids = [gridOf(node) for node in (fixed, moving)]
    return float(chosen.memory(*grids, chosen.parameters(**values)))


def gridOf(volume: Any) -> ImageGrid:
    """Return the grid of a volume node in the world, as the engine has it."""
    geometry = worldGeometry(snapshot(volume))[0]
    return ImageGrid(geometry.size, geometry.spacing, geometry.origin, tuple(geometry.direction.ravel().tolist()))
