"""Lungs with airways and vessels, heart and great vessels, in the trunk's frame."""

from __future__ import annotations

import numpy as np

from deepreg_engine.phantoms.canvas import Layer, Part, Vessels, solid
from deepreg_engine.phantoms.noise import NoiseField, generator
from deepreg_engine.phantoms.shapes import Profile, Shape, ellipsoid, half_space, implicit, rotation, smooth_minimum, union
from deepreg_engine.phantoms.trees import grow, scatter
from deepreg_engine.phantoms.trunk import Trunk
from deepreg_engine.phantoms.tubes import centreline, tube

_CARINA = np.array((3.0, 26.0, 236.0))
_HILUM = {-1: np.array((-42.0, 18.0, 208.0)), 1: np.array((46.0, 22.0, 208.0))}


class Chest:
    """Organs of one patient's thorax.

    Args:
        trunk: the cage and the diaphragm.
        seed: of the patient.
    """

    def __init__(self, trunk: Trunk, seed: int) -> None:
        self._rng = generator(seed, "chest")
        self._trunk = trunk
        self._rough = NoiseField(self._rng, 30.0)
        self._size = self._rng.uniform(0.92, 1.1)
        self.landmarks: dict[str, tuple[float, float, float]] = {"carina": tuple(_CARINA)}
        self.forks: list[np.ndarray] = []
        self._chambers = self._make_heart()
        self.heart = union(*self._chambers.values(), blend=10.0).grown(4.5)
        self.lungs = {side: self._make_lung(side) for side in (-1, 1)}

    # ------------------------------------------------------------------ lungs

    def _make_lung(self, side: int) -> Shape:
        half = Profile((30, 15), (100, 17), (150, 19), (200, 25), (245, 26), (280, 21), (330, 20))
        aorta = centreline([(27, 37, 236), (27, 46, 190), (22, 45, 140), (15, 36, 100), (8, 24, 60)], 15.0, 4.0)
        # Lungs stop short of the descending aorta and of the soft tissue around the heart.
        keep_out = union(self.heart.grown(3.0), tube(aorta), blend=6.0)

        def distance(points: np.ndarray) -> np.ndarray:
            x, y, z = points
            wall = self._trunk.cavity_distance(points) + 1.0
            floor = self._trunk.above_diaphragm.distance(points)
            # The middle of the chest: narrow behind the sternum, wide at the great vessels, wide beside the spine.
            width = half(z) * (1 - 0.68 * np.exp(-(((y + 92) / 30) ** 2))) + 6 * np.exp(-(((y - 55) / 22) ** 2))
            middle = width - side * (x - np.float32(2.0))
            outside = -smooth_minimum(-wall, -floor, 7.0)
            outside = -smooth_minimum(-outside, -middle.astype(np.float32), 10.0)
            return -smooth_minimum(-outside, keep_out.distance(points), 8.0)

        lower, upper = ((-140, -110, 10), (20, 110, 335)) if side < 0 else ((-20, -110, 10), (140, 110, 335))
        return implicit(distance, lower, upper)

    def lung_parts(self, vessel_tips: int = 0) -> list[Part | Vessels]:
        """Return lungs; with ``vessel_tips`` above 0 also their fissures, airways, arteries and veins, so many tips each."""
        parts: list[Part | Vessels] = []
        for side, name in ((-1, "right lung"), (1, "left lung")):
            parts.append(solid(self.lungs[side], "lung", name))
        if vessel_tips:
            for side in (-1, 1):
                parts += self._inside_lung(side, vessel_tips)
        else:
            for side in (-1, 1):
                lower = self.lungs[side].within(half_space((0, 0, 150), (0, 0, 1)))
                tree = grow(np.array([(side * 44, 22, 200), (side * 52, 28, 165)]), scatter(lower, 60, self._rng, 6.0), self._rng, 0.8, 4.0)
                parts.append(Vessels(tree.line(), "small vessel", None, region=self.lungs[side].grown(1.0)))
        return parts

    def _inside_lung(self, side: int, tips: int) -> list[Part | Vessels]:
        rng, lung, hilum = self._rng, self.lungs[side], _HILUM[side]
        region = lung.grown(1.5)
        name = "right" if side < 0 else "left"
        bronchus = np.array([_CARINA, (_CARINA + hilum) / 2 + (0, 1, -4), hilum])
        segments = scatter(lung, 220, rng, 12.0)
        lobes = segments[np.argsort(np.linalg.norm(segments - hilum, axis=1))[60:]]
        airways = grow(bronchus, scatter(lung, tips // 9, rng, 24.0), rng, 1.25, 7.0, 0.05)
        artery = grow(
            np.array([(side * 26, 0, 224), hilum + (0, -7, 10), hilum + (side * 8, -3, 0)]),
            np.concatenate([lobes[:12], scatter(lung, tips, rng, 3.0)]),
            rng,
            1.0,
            8.0,
            0.09,
        )
        vein = grow(
            np.array([(side * 18 + 8, 6, 180), hilum + (-side * 4, -12, -18), hilum + (side * 8, -12, -22)]),
            scatter(lung, int(tips * 0.7), rng, 3.0),
            rng,
            1.0,
            7.0,
            0.09,
        )
        self.forks += [*airways.forks(2.0)[:6], *artery.forks(1.5)[:9], *vein.forks(1.5)[:6]]
        self.landmarks[f"{name} main bronchus: end"] = tuple(hilum)
        walls = airways.line()
        walls.radii[:] = walls.radii * 1.12 + 0.9
        return [
            *self._fissures(side),
            Vessels(vein.line().joined(artery.line()), "vein", None, region=region),
            Vessels(walls, "airway wall", None),
            Vessels(airways.line(), "gas", "trachea and bronchi", 4.0),
        ]

    def _fissures(self, side: int) -> list[Part]:
        """Return the thin double layers of pleura between the lobes."""
        lung, rough = self.lungs[side], self._rough
        parts = []
        # The oblique fissure on both sides; on the right also the horizontal one, which ends at it.
        planes = [((side * 70, 25, 215), (0.0, 0.80, 0.60))]
        if side < 0:
            planes.append(((-70, -40, 178), (0.05, 0.10, 1.0)))
        oblique = half_space(*planes[0])
        for number, (point, normal) in enumerate(planes):
            plane = half_space(point, normal)
            leaf = Shape(lambda p, plane=plane: np.abs(plane.distance(p) + 3.0 * rough(p)) - np.float32(0.45), lung.lower, lung.upper)
            region = lung if number == 0 else lung.within(oblique)
            parts.append(Part(leaf, (Layer("fissure"),), None, region))
        return parts

    # ------------------------------------------------------------------ heart

    def _make_heart(self) -> dict[str, Shape]:
        s = self._size
        # Long axis of the ventricles: to the left, the front and down.
        axes = rotation(("z", -36), ("y", 32))
        place = np.array((0.0, 0.0, self._trunk.habitus.dome - 118))
        left = np.array((38, -36, 142)) + place
        self.landmarks["heart: apex"] = tuple(left + axes @ np.array((50 * s, 0, 0)))
        return {
            "left ventricle": ellipsoid(left, np.array((52, 35, 36)) * s, axes),
            "right ventricle": ellipsoid(np.array((10, -56, 140)) + place, np.array((46, 29, 38)) * s, axes),
            "right atrium": ellipsoid(np.array((-27, -28, 158)) + place, np.array((24, 28, 36)) * s),
            "left atrium": ellipsoid(np.array((8, 4, 176)) + place, np.array((33, 20, 25)) * s),
        }

    def heart_parts(self) -> list[Part]:
        """Return epicardial fat, muscle, and the blood in the four chambers."""
        rough = self._rough
        walls = {"left ventricle": 10.5, "right ventricle": 4.0, "right atrium": 2.8, "left atrium": 2.8}
        parts = [solid(self.heart, "pericardial fat", "heart")]
        for name in ("right atrium", "left atrium", "right ventricle", "left ventricle"):
            shape = self._chambers[name].roughened(rough, 1.2)
            parts.append(solid(shape, "myocardium", "heart"))
            cavity = shape.grown(-walls[name]).roughened(rough, 1.4)
            if name == "right ventricle":  # the septum belongs to the left ventricle
                cavity = cavity.minus(self._chambers["left ventricle"])
            parts.append(solid(cavity, "heart blood", "heart"))
        return parts

    def great_vessels(self) -> list[Part | Vessels]:
        """Return the aorta, superior vena cava, pulmonary trunk and arteries, veins, trachea and oesophagus."""
        u = self._rng.uniform
        wide = u(0.92, 1.12)
        aorta = centreline(
            [
                (4, -24, 180),
                (-8, -34, 200),
                (-14, -28, 226),
                (-8, -12, 250),
                (8, 8, 259),
                (21, 26, 250),
                (26, 37, 230),
                (27, 46, 190),
                (22, 45, 140),
                (15, 35, 105),
                (8, 22, 62),
            ],
            np.array((14, 15, 14.5, 14, 13, 12.5, 12, 11.5, 11, 11, 10.5)) * wide,
            2.0,
        )
        branches = [
            centreline([(-8, -12, 258), (-14, -10, 285), (-24, -12, 318)], [6, 5.5, 4.5], 2.0),
            centreline([(2, 0, 262), (8, -2, 290), (16, -4, 325)], [4.5, 4, 3.8], 2.0),
            centreline([(14, 12, 262), (22, 12, 285), (40, 6, 308), (70, 4, 314)], [5, 4.8, 4.5, 4], 2.0),
        ]
        cava = centreline([(-27, -22, 172), (-27, -16, 205), (-25, -16, 240), (-24, -20, 264)], [11, 10, 9.5, 8.5], 2.0)
        brachial = [
            centreline([(-24, -20, 264), (-32, -22, 290), (-50, -12, 312)], [7, 6.5, 6], 2.0),
            centreline([(-24, -20, 264), (0, -34, 274), (26, -30, 288), (50, -16, 310)], [7, 6.5, 6.5, 6], 2.0),
        ]
        trunk = centreline([(20, -50, 182), (18, -42, 204), (12, -20, 222)], [14, 14, 13], 2.0)
        right = centreline([(12, -20, 222), (-8, -6, 220), (-32, 4, 216), (-46, 12, 210)], [12, 10.5, 9.5, 8], 2.0)
        left = centreline([(12, -20, 222), (26, -2, 228), (44, 14, 222), (50, 20, 212)], [12, 11, 9.5, 8], 2.0)
        veins = [
            centreline([(8 + s * 22, 8, z), (s * 40, 10, z + 2 * (z - 180)), (s * 52, 8, z + 3 * (z - 180))], [6.5, 5.5, 4.5], 2.0)
            for s in (-1, 1)
            for z in (174, 186)
        ]
        trachea = centreline([(0, 6, 345), (1, 18, 290), (2, 25, 250), _CARINA], [9, 8.8, 8.6, 9.5], 2.0)
        oesophagus = centreline(
            [(4, 22, 345), (6, 36, 290), (8, 40, 240), (10, 36, 190), (10, 34, 140), (14, 28, 112), (24, 18, 95)], 6.8, 2.0
        )
        self.landmarks |= {
            "aortic arch: top": (8.0, 8.0, 272.0),
            "pulmonary trunk: bifurcation": (12.0, -20.0, 222.0),
            "superior vena cava: confluence": (-24.0, -20.0, 264.0),
        }
        flat = np.tile((0.0, 1.0, 0.0), (len(oesophagus.positions), 1))
        return [
            Part(tube(oesophagus, flat=(0.7, flat)), (Layer("gut wall"), Layer("gut content", 4.5)), "oesophagus"),
            Vessels(veins[0].joined(*veins[1:]), "vein", "heart"),
            solid(tube(cava), "vein", "superior vena cava"),
            Vessels(brachial[0].joined(brachial[1]), "vein", ""),
            solid(tube(trunk.joined(right, left)), "heart blood", "pulmonary artery"),
            Part(tube(aorta), (Layer("gut wall"), Layer("artery", 1.2)), "aorta"),
            Vessels(branches[0].joined(*branches[1:]), "artery", ""),
            Part(tube(trachea), (Layer("airway wall"), Layer("gas", 1.8)), "trachea and bronchi"),
        ]
