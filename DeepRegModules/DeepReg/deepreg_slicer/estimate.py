"""What a registration will need, estimated before it is begun. No torch."""

from __future__ import annotations

from typing import Any

from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.volumes import snapshot, worldGeometry

_CHANNELS = {"mind": 12, "intensity": 1}
# Of networks: the widest of the published ones.
_NETWORK_CHANNELS = 24


def denseMemory(fixed: Any, moving: Any, parameters: Any) -> float:
    """Bytes that the Dense method needs for two volume nodes.

    Raises:
        NodeError: if one of them is no volume.
    """
    from deepreg_engine.methods.plan import estimate_memory, make_plan

    grids = [_grid(worldGeometry(snapshot(node))[0]) for node in (fixed, moving)]
    channels = _CHANNELS.get(parameters.features, _NETWORK_CHANNELS)
    return float(estimate_memory(*grids, make_plan(grids[0], parameters), parameters, channels))


def _grid(geometry: Geometry) -> Any:
    from deepreg_engine.geometry.image_grid import ImageGrid

    return ImageGrid(geometry.size, geometry.spacing, geometry.origin, tuple(geometry.direction.ravel().tolist()))
