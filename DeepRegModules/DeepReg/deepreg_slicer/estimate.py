"""What a registration will need, estimated before it is begun. No torch."""

from __future__ import annotations

from typing import Any

from deepreg_engine.methods.common.parameters import SHIPPED_CT, SHIPPED_FEATURES
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.volumes import snapshot, worldGeometry

_CHANNELS = {SHIPPED_FEATURES: 12, SHIPPED_CT: 28, "mind": 12, "intensity": 1}
# Of networks: the widest of the published ones, and the voxels on which those of one's own are computed and kept, mm.
_NETWORK_CHANNELS, _NETWORK_SPACING = 24, 3.0
_DESCENT_CHANNELS = 12


def denseMemory(fixed: Any, moving: Any, parameters: Any) -> float:
    """Bytes that the Dense method needs for two volume nodes.

    Raises:
        NodeError: if one of them is no volume.
    """
    from deepreg_engine.methods.dense import plan

    kept = () if all(name in _CHANNELS for name in _parts(parameters.features)) else (_NETWORK_SPACING,)
    return _memory(plan, fixed, moving, parameters, _NETWORK_CHANNELS, *kept)


def descentMemory(fixed: Any, moving: Any, parameters: Any) -> float:
    """Bytes that the Descent method needs for two volume nodes.

    Raises:
        NodeError: if one of them is no volume.
    """
    from deepreg_engine.methods.descent import plan as descent_plan

    return _memory(descent_plan, fixed, moving, parameters, _DESCENT_CHANNELS)


def _parts(features: str) -> list[str]:
    return [name.strip() for name in features.split("+")]


def _memory(plan: Any, fixed: Any, moving: Any, parameters: Any, networkChannels: int, *more: float) -> float:
    """What a method's module of plans says."""
    grids = [_grid(worldGeometry(snapshot(node))[0]) for node in (fixed, moving)]
    named = [parameters.features, getattr(parameters, "refinement_features", "same")]
    channels = max(sum(_CHANNELS.get(part, networkChannels) for part in _parts(name)) for name in named if name != "same")
    return float(plan.estimate_memory(*grids, plan.make_plan(grids[0], parameters), parameters, channels, *more))


def _grid(geometry: Geometry) -> Any:
    from deepreg_engine.geometry.image_grid import ImageGrid

    return ImageGrid(geometry.size, geometry.spacing, geometry.origin, tuple(geometry.direction.ravel().tolist()))
