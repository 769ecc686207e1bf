"""The trunk's shell: skin, fat, muscular wall, the cavity inside, and the diaphragm across it.

Canonical frame of trunk models, LPS directions, mm: the origin lies in the mid-sagittal plane at the height of the disc
between the first and second lumbar vertebra, 38 mm in front of the middle of the spine; x to the left, y to the back, z up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepreg_engine.phantoms.canvas import Layer, Part, solid
from deepreg_engine.phantoms.individual import Individual
from deepreg_engine.phantoms.noise import NoiseField, generator
from deepreg_engine.phantoms.shapes import Profile, Shape, column, ellipsoid, implicit
from deepreg_engine.phantoms.tubes import centreline, tube

# Half-widths and half-depths of the cavity and of the muscular wall around it, and the y of their middles, mm, at heights z.
_Z = (-190, -120, -60, 0, 50, 100, 150, 200, 250, 280, 300, 318, 345)
_CAVITY_WIDTH = (112, 120, 120, 121, 126, 131, 131, 123, 103, 82, 62, 38, 10)
_CAVITY_DEPTH = (78, 78, 76, 77, 83, 91, 94, 90, 75, 58, 44, 28, 8)
_CAVITY_CENTRE = (-12, -12, -10, -8, -5, -2, 0, 2, 6, 10, 14, 18, 20)
_WALL_WIDTH = (142, 137, 132, 132, 137, 143, 145, 148, 154, 158, 146, 104, 62)
_WALL_DEPTH = (98, 96, 94, 95, 99, 106, 109, 107, 98, 86, 74, 64, 58)
_WALL_CENTRE = (0, 2, 3, 4, 5, 4, 3, 4, 8, 12, 16, 18, 20)
SKIN = (Layer("skin"), Layer("fat", 2.2))


@dataclass(frozen=True)
class Habitus:
    """Build of one patient's trunk.

    Args:
        fat: thickness of the fat under the skin, mm.
        girth: half-widths of the abdominal cavity relative to the model's.
        dome: height of the right dome of the diaphragm above the origin, mm.
    """

    fat: float
    girth: float
    dome: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Habitus:
        """Return a random adult."""
        return cls(float(rng.uniform(8, 26)), float(rng.uniform(0.96, 1.06)), float(rng.uniform(108, 124)))


class Trunk:
    """Layers of the trunk of one patient.

    Args:
        seed: of the patient.
        individual: deviations from the model, in addition to those of the seed; none by default.
    """

    def __init__(self, seed: int, individual: Individual | None = None) -> None:
        rng = generator(seed, "trunk")
        drawn, individual = Habitus.draw(rng), individual or Individual()
        self.habitus = habitus = Habitus(drawn.fat * individual.fat, drawn.girth * individual.girth, drawn.dome + individual.dome)
        girth = np.interp(_Z, (60, 120), (habitus.girth, 1.0))
        self.cavity_width, self.cavity_depth = _along(_CAVITY_WIDTH * girth), _along(_CAVITY_DEPTH * girth)
        self.cavity_centre = _along(_CAVITY_CENTRE)
        wall_width, wall_depth = _WALL_WIDTH * girth, _WALL_DEPTH * girth
        wall_centre = _along(_WALL_CENTRE)
        self.cavity_distance = column(self.cavity_width, self.cavity_depth, self.cavity_centre)
        self.wall_distance = column(_along(wall_width), _along(wall_depth), wall_centre, 2.5)
        # Less fat over the chest than over the belly.
        fat = habitus.fat * np.interp(_Z, (-60, 60, 150, 300, 345), (1.0, 0.85, 0.6, 0.5, 0.35)) + 3.0
        self._padding = column(_along(wall_width + 0.85 * fat), _along(wall_depth + fat), wall_centre, 2.35)
        self._bulges = NoiseField(rng, 190.0)
        self._planes = NoiseField(rng, (52.0, 52.0, 160.0), 0.3)
        self.cavity = implicit(self.cavity_distance, (-140, -110, -190), (140, 110, 345))
        self.wall = implicit(self.wall_distance)
        self.body = implicit(self._body_distance)
        self.above_diaphragm = implicit(self._diaphragm_distance)

    def _body_distance(self, points: np.ndarray) -> np.ndarray:
        x, y, z = points
        distance = self._padding(points) + np.float32(0.1 * self.habitus.fat) * self._bulges(points)
        furrow = np.exp(-((x / 16) ** 2)) * np.clip(y / 60, 0, 1)  # along the spine
        navel = np.exp(-((x / 8) ** 2 + ((z + 62) / 8) ** 2)) * (y < 0)
        return distance + 6 * furrow + np.float32(0.6 * self.habitus.fat) * navel

    def diaphragm_height(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return z of the diaphragm's upper surface: two domes, the right one higher, rising from the costal margin."""
        a, b = np.float32(128.0), np.float32(90.0)
        radius = np.minimum(np.sqrt((x / a) ** 2 + ((y + 2) / b) ** 2), 1.15)
        front = np.clip(0.5 - y / 120, 0, 1)
        base = 26 + 62 * front * front * (3 - 2 * front)
        left = 1 / (1 + np.exp(-x / 14))
        top = self.habitus.dome - 11 * left - 9 * np.exp(-(((x - 8) / 26) ** 2))
        return (base + (top - base) * (1 - radius**2.6)).astype(np.float32)

    def _diaphragm_distance(self, points: np.ndarray) -> np.ndarray:
        x, y, z = points
        height, step = self.diaphragm_height(x, y), np.float32(2.0)
        slope_x = (self.diaphragm_height(x + step, y) - height) / step
        slope_y = (self.diaphragm_height(x, y + step) - height) / step
        return (height - z) / np.sqrt(1 + slope_x**2 + slope_y**2)

    def shell(self) -> list[Part]:
        """Return the layers under the fat: muscle with sheets of fat, and the fat that fills the cavity."""
        planes = implicit(self._muscle_planes)
        return [solid(self.wall, "muscle"), solid(planes, "fat"), solid(self.cavity, "inner fat")]

    def _muscle_planes(self, points: np.ndarray) -> np.ndarray:
        """Thin sheets of fat: between the three lateral muscles, beside the rectus, in the thick muscles of back and shoulder."""
        x, y, z = points
        inside, depth = self.cavity_distance(points), self.wall_distance(points)
        share = depth / np.minimum(depth - inside, -0.1)  # 0 at the outer face of the wall, 1 at the cavity
        thickness = np.maximum(inside - depth, 1.0)
        lateral = (np.abs(y - 5) < 52) & (np.abs(x) > 72) & (z < 40)
        layers = np.minimum(np.abs(share - 0.36), np.abs(share - 0.68)) * thickness - 0.55
        sheets = np.where(lateral, layers, 9.0)
        seam = np.minimum(np.abs(np.abs(x) - 70 - 0.1 * z), np.abs(x) + 0.5) - 1.3
        sheets = np.where((y < -40) & (z < 80), np.minimum(sheets, seam), sheets)
        thick = (inside > 11) & (depth < -4) & ((z > 60) | (y > 40))
        winding = np.abs(self._planes(points)) * 13.0 - 0.8
        return np.where(thick, np.minimum(sheets, winding), sheets).astype(np.float32)

    def abdominal_muscles(self) -> list[Part]:
        """Return psoas and quadratus lumborum on both sides, and the crura of the diaphragm."""
        parts = []
        for side, name in ((1, "left"), (-1, "right")):
            psoas = centreline(
                [(side * 26, 42, 20), (side * 33, 42, -25), (side * 42, 36, -75), (side * 52, 26, -130), (side * 60, 10, -190)],
                [5, 13, 19, 21, 20],
                4.0,
            )
            parts.append(solid(tube(psoas), "muscle", f"{name} psoas"))
            lumborum = ellipsoid((side * 62, 61, -55), (23, 9, 72))
            parts.append(solid(lumborum, "muscle", ""))
            crus = centreline([(side * 9, 16, 92), (side * 13, 22, 60), (side * 14, 22, 20), (side * 12, 18, -20)], [6, 6, 5, 3], 3.0)
            parts.append(solid(tube(crus), "muscle", ""))
        return parts

    def hollow(self) -> Shape:
        """Return the abdominal cavity: inside the wall and under the diaphragm's muscle."""
        under = implicit(lambda p: 3 - self._diaphragm_distance(p))
        return self.cavity.grown(-1.5).within(under, 4.0)


def _along(values: np.ndarray | tuple[float, ...]) -> Profile:
    """Return a profile through values at the heights of the trunk's table."""
    return Profile(*zip(_Z, values, strict=True))
