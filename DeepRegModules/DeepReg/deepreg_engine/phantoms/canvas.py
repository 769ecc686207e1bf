"""Painting of an anatomy at a set of points: structure by structure, later ones over earlier ones.

Edges are soft over one voxel, which models the partial volume effect: a voxel that is half inside an organ gets half its value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepreg_engine.phantoms.shapes import Shape
from deepreg_engine.phantoms.tubes import Centreline, tube


@dataclass(frozen=True)
class Layer:
    """A tissue that begins at a depth (mm) under the surface of a structure; ``label`` if the label changes there."""

    tissue: str
    depth: float = 0.0
    label: str | None = None


@dataclass(frozen=True)
class Part:
    """A structure to paint.

    Args:
        shape: region of the structure.
        layers: tissues, from outside to inside.
        label: name of its label; "" is the background, None keeps the label that is there.
        region: the structure is painted only inside this region, which also limits the evaluation of costly shapes.
    """

    shape: Shape
    layers: tuple[Layer, ...]
    label: str | None = None
    region: Shape | None = None


@dataclass(frozen=True)
class Vessels:
    """Trees of round vessels, many of them thinner than a voxel.

    Args:
        line: their centrelines.
        tissue: of their lumen.
        label: as for a :class:`Part`, where the radius is at least ``label_radius`` mm.
        label_radius: smallest radius with a label, mm.
        region: they are painted only inside this region.
    """

    line: Centreline
    tissue: str
    label: str | None = None
    label_radius: float = 3.0
    region: Shape | None = None


def solid(shape: Shape, tissue: str, label: str | None = None) -> Part:
    """Return a structure of one tissue."""
    return Part(shape, (Layer(tissue),), label)


class Canvas:
    """Values and labels at points.

    Args:
        points: (3, N) canonical coordinates of an anatomy, mm, single precision.
        edge: width of a soft edge, mm: the size of a voxel.
        shade: (tissue, points (3, M)) to values (M,).
        label_ids: label names to numbers; other names paint background.
        background: initial value.
    """

    def __init__(
        self, points: np.ndarray, edge: float, shade: Callable[[str, np.ndarray], np.ndarray], label_ids: dict[str, int], background: float
    ) -> None:
        self.points = points
        self.edge = np.float32(edge)
        self.shade = shade
        self.label_ids = label_ids
        self.values = np.full(points.shape[1], background, dtype=np.float32)
        self.labels = np.zeros(points.shape[1], dtype=np.uint8)

    def paint(self, part: Part | Vessels) -> None:
        """Paint one structure over those painted before."""
        if isinstance(part, Vessels):
            self._paint_vessels(part)
            return
        index, points, distance = self._near(part.shape, part.region)
        self._label(index[distance < 0], part.label)
        self._fill(index, points, distance, part.layers)

    def paint_body(self, distance: np.ndarray, layers: tuple[Layer, ...]) -> None:
        """Paint layers under a surface, given its signed distance (N,) at every point."""
        self._fill(np.arange(len(distance)), self.points, distance, layers)

    def _fill(self, index: np.ndarray, points: np.ndarray, distance: np.ndarray, layers: tuple[Layer, ...]) -> None:
        for layer in layers:
            below = distance + np.float32(layer.depth)
            self._blend(index, points, np.clip(0.5 - below / self.edge, 0, 1), layer.tissue)
            self._label(index[below < 0], layer.label)

    def _paint_vessels(self, vessels: Vessels) -> None:
        octaves = np.floor(np.log2(vessels.line.radii))
        # The surface of a thick vessel can be nearer than the centreline of a thin one: each octave of radii is searched on its own.
        for octave in np.unique(octaves):
            line = vessels.line.subset(octaves == octave)
            index, points, distance = self._near(tube(line, reach=float(self.edge)), vessels.region)
            # A vessel thinner than a voxel fills only a part of it, even at its centre.
            radius = 2.0 ** (octave + 0.5)
            filled = np.float32(1 - np.exp(-0.5 * (radius / (0.45 * float(self.edge))) ** 2))
            self._blend(index, points, np.clip(0.5 - distance / self.edge, 0, 1) * filled, vessels.tissue)
            if 2.0 ** (octave + 1) > vessels.label_radius:
                self._label(index[distance < 0], vessels.label)

    def _near(self, shape: Shape, region: Shape | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the indices of the points that a shape touches, their coordinates, and their distances to it."""
        lower, upper = shape.lower - self.edge, shape.upper + self.edge
        x, y, z = self.points
        boxed = (x > lower[0]) & (x < upper[0]) & (y > lower[1]) & (y < upper[1]) & (z > lower[2]) & (z < upper[2])
        index = np.flatnonzero(boxed)
        points = self.points[:, index]
        distance = shape.distance(points)
        index, points, distance = _masked(distance < 0.5 * self.edge, index, points, distance)
        if region is not None and len(index):
            index, points, distance = _masked(region.distance(points) < 0, index, points, distance)
        return index, points, distance

    def _blend(self, index: np.ndarray, points: np.ndarray, cover: np.ndarray, tissue: str) -> None:
        touched = np.flatnonzero(cover > 0)
        if not len(touched):
            return
        place, cover = index[touched], cover[touched]
        self.values[place] += cover * (self.shade(tissue, points[:, touched]) - self.values[place])

    def _label(self, index: np.ndarray, label: str | None) -> None:
        if label is not None:
            self.labels[index] = self.label_ids.get(label, 0)


def _masked(mask: np.ndarray, index: np.ndarray, points: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kept = np.flatnonzero(mask)
    return index[kept], points[:, kept], distance[kept]
