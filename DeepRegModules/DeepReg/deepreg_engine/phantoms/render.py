"""Rendering of an anatomy on a grid: values and labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.phantoms.anatomy import Anatomy
from deepreg_engine.phantoms.appearance import TissueContrast
from deepreg_engine.phantoms.canvas import Canvas


@dataclass(frozen=True)
class Rendering:
    """Arrays (z, y, x) over a grid.

    Args:
        values: HU or arbitrary units, before the scanner's blur and noise; float32.
        labels: numbers of labels; uint8.
        body: inside the skin; bool.
    """

    values: np.ndarray
    labels: np.ndarray
    body: np.ndarray


def render(anatomy: Anatomy, contrast: TissueContrast, grid: ImageGrid, points: np.ndarray) -> Rendering:
    """Paint an anatomy on a grid.

    Args:
        anatomy: of the patient.
        contrast: of the examination.
        grid: voxels of the scan.
        points: (z, y, x, 3), LPS points (mm) of the patient that the voxels show.
    """
    edge = float(np.prod(grid.spacing) ** (1 / 3))
    flat = np.ascontiguousarray(points.reshape(-1, 3).T)
    model = anatomy.warp.to_model(flat)
    depth = anatomy.body.distance(model)
    inside = np.flatnonzero(depth < edge)
    background = contrast.mean("air")
    ids = {name: number for number, name in enumerate(anatomy.labels, start=1)}
    canvas = Canvas(np.ascontiguousarray(model[:, inside]), edge, contrast.shade, ids, background)
    canvas.paint_body(depth[inside], anatomy.skin)
    for part in anatomy.parts:
        canvas.paint(part)
    values = np.full(len(depth), background, dtype=np.float32)
    labels = np.zeros(len(depth), dtype=np.uint8)
    values[inside], labels[inside] = canvas.values, canvas.labels
    return Rendering(values.reshape(grid.shape), labels.reshape(grid.shape), (depth < 0).reshape(grid.shape))


def compress_lungs(rendering: Rendering, anatomy: Anatomy, expansion: np.ndarray) -> None:
    """Increase the density of the lungs of a CT as their volume decreases: the same tissue holds less air.

    Args:
        rendering: changed in place.
        anatomy: its ``aerated`` labels are changed.
        expansion: (z, y, x), volume in the undeformed state relative to the volume here.
    """
    aerated = [number for number, name in enumerate(anatomy.labels, start=1) if name in anatomy.aerated]
    inside = np.isin(rendering.labels, aerated)
    values = rendering.values[inside]
    # Vessels hold no air: the share of air falls to zero between parenchyma and water.
    share = np.clip((-300.0 - values) / 300.0, 0.0, 1.0)
    factor = 1 + share * (np.clip(expansion[inside], 0.5, 2.0) - 1)
    rendering.values[inside] = (values + 1000) * factor - 1000
