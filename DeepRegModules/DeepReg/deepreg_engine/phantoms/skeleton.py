"""Spine, ribs, sternum, clavicles and shoulder blades, in the trunk's canonical frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepreg_engine.phantoms.canvas import Layer, Part, solid
from deepreg_engine.phantoms.noise import generator
from deepreg_engine.phantoms.shapes import Profile, Shape, ellipsoid, implicit
from deepreg_engine.phantoms.trunk import Trunk
from deepreg_engine.phantoms.tubes import Centreline, centreline, tube

# Middle of each vertebral body, z in mm, from the sacrum up to the sixth cervical vertebra.
VERTEBRAE = ("S1", "L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10", "T9", "T8", "T7", "T6", "T5", "T4", "T3", "T2", "T1", "C7", "C6")
_MIDDLES = (-164, -127, -90, -53.5, -17.5, 17, 49.5, 79, 106.5, 132.5, 157, 180.5, 203, 225, 246.5, 267.5, 288, 308, 327, 344)
_LEVELS = np.arange(len(_MIDDLES), dtype=np.float64)
_LUMBAR_TOP = 5.6  # the level, counted from the sacrum, where ribs begin
_CORTEX = 1.6


class Skeleton:
    """Bones of one patient's trunk.

    Args:
        trunk: the trunk, in whose wall the ribs lie.
        seed: of the patient.
    """

    def __init__(self, trunk: Trunk, seed: int) -> None:
        rng = generator(seed, "skeleton")
        self._trunk = trunk
        self._lean = rng.uniform(-2.5, 2.5)
        self._density = rng.uniform(0.9, 1.1)
        lordosis = rng.uniform(0.6, 1.4)
        self.depth = Profile(
            (-190, 44),
            (-164, 38 + 3 * lordosis),
            (-127, 37 - 2 * lordosis),
            (-80, 36 - 4 * lordosis),
            (-20, 37 - 2 * lordosis),
            (50, 43),
            (100, 51),
            (150, 57),
            (200, 59),
            (250, 54),
            (290, 44),
            (345, 32),
        )
        self._half_width = Profile((-164, 27), (-90, 25.5), (17, 22.5), (106, 17.5), (200, 15.5), (308, 14), (345, 12))
        self._half_depth = Profile((-164, 18), (-90, 17.5), (17, 16.5), (106, 15.5), (200, 14), (308, 9.5), (345, 8))
        self.ribs, self.cartilages = self._grow_ribs(rng)

    # ----------------------------------------------------------------- spine

    def _local(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return coordinates x, y and height relative to the nearest vertebral body, the pitch (mm) there, and its level."""
        x, y, z = points
        depth = self.depth(z)
        forward = y - depth
        # Vertebrae are perpendicular to the curve of the spine.
        along = z + self.depth.slope(z) * forward
        level = np.interp(along, _MIDDLES, _LEVELS).astype(np.float32)
        nearest = np.rint(level)
        middles = np.interp(nearest, _LEVELS, _MIDDLES).astype(np.float32)
        pitch = np.interp(nearest, _LEVELS, np.gradient(_MIDDLES)).astype(np.float32)
        return x - self._lean * np.sin(z / 70), forward, along - middles, pitch, nearest

    def _body(self, x: np.ndarray, y: np.ndarray, height: np.ndarray, pitch: np.ndarray, z: np.ndarray, share: float) -> np.ndarray:
        a, b = self._half_width(z), self._half_depth(z)
        half = pitch * (0.5 * share)
        waist = 1 - 0.09 * (1 - np.minimum(np.abs(height) / half, 1) ** 2)
        behind = np.clip(y, 0, None)  # the back of the body is flat, hollowed by the canal
        radius = np.sqrt((x / a) ** 2 + ((y + 0.22 * behind**2 / b) / b) ** 2)
        around = (radius - waist) * np.minimum(a, b)
        return np.maximum(around, np.abs(height) - half)

    def _vertebrae(self, points: np.ndarray) -> np.ndarray:
        x, y, height, pitch, level = self._local(points)
        z = points[2]
        side = np.abs(x)
        lumbar = np.clip(_LUMBAR_TOP - level, 0, 1)
        half_depth = self._half_depth(z)
        body = self._body(x, y, height, pitch, z, 0.8)
        back = y - half_depth - 9  # from the middle of the canal
        canal = np.sqrt((x / 1.25) ** 2 + back**2)
        upper = np.abs(height - 1) - 0.36 * pitch
        ring = np.maximum(np.maximum(np.abs(canal - 12.0) - 3.0, -back - 7), upper)
        pedicle = np.maximum(np.hypot(side - 14, (height - 3) * 0.7) - 4.0, np.abs(back + 4) - 9)
        # Spinous processes: plates that point further down towards the top of the spine.
        drop = (0.15 + 0.75 * (1 - lumbar)) * np.clip(back - 10, 0, 40)
        spinous = np.maximum(np.maximum(side - 2.8 - 0.03 * back, np.abs(back - 22) - 15), np.abs(height + drop) - (5 + 5 * lumbar))
        reach = 20 + 8 * lumbar
        transverse = np.maximum(np.hypot(back - 4 - 0.28 * (1 - lumbar) * side, height - 3) - 4.0, side - reach - 10)
        facets = np.maximum(np.hypot(side - 15, back - 6) - 5.5, np.abs(height) - 0.5 * pitch)
        arch = np.minimum(np.minimum(ring, pedicle), np.minimum(spinous, np.minimum(transverse, facets)))
        arch = np.maximum(arch, 8.5 - canal)  # never into the canal
        return np.minimum(body, arch).astype(np.float32)

    def _discs(self, points: np.ndarray) -> np.ndarray:
        x, y, height, pitch, _ = self._local(points)
        return (self._body(x, y, height, pitch, points[2], 1.02) + 1.0).astype(np.float32)

    def _canal(self, points: np.ndarray, radius: float) -> np.ndarray:
        x, y, _, _, _ = self._local(points)
        back = y - self._half_depth(points[2]) - 9
        return (np.sqrt((x / 1.2) ** 2 + back**2) - radius).astype(np.float32)

    @staticmethod
    def _spine_box(distance: Callable[[np.ndarray], np.ndarray]) -> Shape:
        return implicit(distance, (-44, 0, -190), (44, 118, 345))

    def spine(self) -> list[Part]:
        """Return vertebrae with processes, discs, the canal with the cord in it, and the soft tissue around them."""
        vertebrae = self._spine_box(self._vertebrae)
        cord = implicit(lambda p: self._canal(p, 4.6), (-20, 20, -5), (20, 110, 345))
        return [
            solid(self._spine_box(self._discs), "disc", "vertebrae"),
            solid(self._spine_box(lambda p: self._canal(p, 9.0)), "fluid", ""),
            solid(cord, "cord", ""),
            Part(vertebrae, (Layer("cortical bone"), Layer("trabecular bone", _CORTEX)), "vertebrae"),
        ]

    def landmarks(self, lowest: float, highest: float) -> dict[str, tuple[float, float, float]]:
        """Return front upper edges of the vertebral bodies and tips of the spinous processes between two heights, by name."""
        points = {}
        for name, z in zip(VERTEBRAE, _MIDDLES, strict=True):
            if lowest < z < highest:
                at = np.array([z])
                depth, half = float(self.depth(at)[0]), float(self._half_depth(at)[0])
                sway = self._lean * np.sin(z / 70)
                points[f"{name}: middle of the front"] = (sway, depth - half, z)
                points[f"{name}: spinous process"] = (sway, depth + half + 40, z - 10)
        return points

    # --------------------------------------------------------------- rib cage

    def _on_cage(self, side: int, angle: float, z: float, outward: float) -> np.ndarray:
        """Return point (3,) on the wall of the rib cage; angle 0 is at the spine, pi at the sternum."""
        at = np.array([z])
        a, b, c = (float(profile(at)[0]) for profile in (self._trunk.cavity_width, self._trunk.cavity_depth, self._trunk.cavity_centre))
        sine, cosine = np.sin(angle), np.cos(angle)
        power = 2 / 2.4
        x = (a + outward) * np.abs(sine) ** power
        y = c + (b + outward) * np.sign(cosine) * np.abs(cosine) ** power
        return np.array([side * x, y, z])

    def _grow_ribs(self, rng: np.random.Generator) -> tuple[tuple[Centreline, np.ndarray], Centreline]:
        bones, normals, cartilages = [], [], []
        slant = rng.uniform(0.9, 1.15)
        for number in range(1, 13):
            start = _MIDDLES[18 - number] + 6
            drop = slant * np.interp(number, (1, 3, 6, 10, 12), (36, 66, 104, 122, 58))
            end = np.interp(number, (1, 2, 6, 9, 10, 11, 12), (2.55, 2.6, 2.45, 2.2, 2.0, 1.55, 1.05))
            thickness = np.interp(number, (1, 3, 10, 12), (5.0, 5.6, 5.8, 4.4))
            for side in (-1, 1):
                depth = float(self.depth(np.array([start]))[0])
                knots = [np.array([side * 15.0, depth + 8, start + 2]), np.array([side * 27.0, depth + 21, start + 1])]
                angles = np.linspace(0.42, end, 9)
                for angle in angles:
                    z = start - drop * ((angle - 0.2) / (end - 0.2)) ** 1.15
                    knots.append(self._on_cage(side, angle, z, 4.5))
                line = centreline(knots, thickness, 3.0)
                outward = line.positions * (1.0, 1.0, 0.0) - np.array([0, self._trunk.cavity_centre(np.array([start]))[0], 0])
                outward -= (outward * line.tangents).sum(axis=1, keepdims=True) * line.tangents
                bones.append(line)
                normals.append(outward / np.linalg.norm(outward, axis=1, keepdims=True))
                if number <= 10:
                    cartilages.append(self._cartilage(side, number, knots[-2], knots[-1]))
        ribs = bones[0].joined(*bones[1:])
        return (ribs, np.concatenate(normals)), cartilages[0].joined(*cartilages[1:])

    def _cartilage(self, side: int, number: int, before: np.ndarray, end: np.ndarray) -> Centreline:
        """From a rib's end on to the sternum, or for the eighth to tenth to the costal margin above."""
        rise = np.interp(number, (1, 2, 5, 7, 10), (2, 6, 30, 52, 46))
        angle = np.interp(number, (1, 7, 8, 10), (2.98, 2.98, 2.72, 2.45))
        middle = self._on_cage(side, (angle + np.interp(number, (1, 10), (2.5, 2.2))) / 2, end[2] + 0.25 * rise, 4.0)
        target = self._on_cage(side, angle, end[2] + rise, 3.5)
        return centreline([before, end, middle, target], [4.5, 5.2, 5.4, 5.0], 3.0)

    def cage(self) -> list[Part]:
        """Return ribs with their cartilages, sternum, clavicles and shoulder blades."""
        line, normals = self.ribs
        parts = [
            solid(tube(self.cartilages), "cartilage", "ribs and sternum"),
            Part(tube(line, flat=(0.62, normals)), (Layer("cortical bone"), Layer("trabecular bone", _CORTEX)), "ribs and sternum"),
            self._sternum(),
        ]
        for side in (-1, 1):
            clavicle = centreline(
                [(side * 16, -42, 278), (side * 50, -44, 290), (side * 88, -22, 304), (side * 128, 8, 312)], [8, 6, 6, 7], 3.0
            )
            parts.append(Part(tube(clavicle), (Layer("cortical bone"), Layer("trabecular bone", 2.0)), "ribs and sternum"))
            parts.append(self._shoulder_blade(side))
        return parts

    def _sternum(self) -> Part:
        knots = [self._on_cage(1, np.pi, z, 2.0) * (0, 1, 1) for z in (118, 150, 190, 230, 262, 282)]
        line = centreline(knots, [7, 13, 15, 15, 21, 19], 3.0)
        normals = np.cross(line.tangents, (1.0, 0.0, 0.0))
        return Part(tube(line, flat=(0.36, normals)), (Layer("cortical bone"), Layer("trabecular bone", _CORTEX)), "ribs and sternum")

    def _shoulder_blade(self, side: int) -> Part:
        """Return the scapula: a bent plate behind the rib cage, with its spine."""
        outline = ellipsoid((side * 100, 62, 238), (44, 62, 72))

        def distance(points: np.ndarray) -> np.ndarray:
            plate = np.abs(self._trunk.cavity_distance(points) - 17.0) - 2.6
            ridge = np.maximum(
                np.abs(points[2] - 268 - 0.25 * side * points[0]) - 4.0, np.abs(self._trunk.cavity_distance(points) - 25) - 9
            )
            return np.maximum(np.minimum(plate, ridge), outline.distance(points)).astype(np.float32)

        shape = Shape(distance, outline.lower, outline.upper)
        return Part(shape, (Layer("cortical bone"), Layer("trabecular bone", 1.8)), "ribs and sternum")
