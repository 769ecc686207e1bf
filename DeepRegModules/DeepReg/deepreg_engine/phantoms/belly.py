"""Liver, gallbladder, spleen, kidneys, adrenals, pancreas and the great vessels of the abdomen, in the trunk's frame."""

from __future__ import annotations

import numpy as np

from deepreg_engine.phantoms.canvas import Layer, Part, Vessels, solid
from deepreg_engine.phantoms.individual import Individual
from deepreg_engine.phantoms.noise import NoiseField, generator
from deepreg_engine.phantoms.shapes import Shape, ellipsoid, half_space, rotation, union
from deepreg_engine.phantoms.trees import grow, scatter
from deepreg_engine.phantoms.trunk import Trunk
from deepreg_engine.phantoms.tubes import Centreline, centreline, tube


class Belly:
    """Solid organs and vessels of one patient's abdomen.

    Args:
        trunk: the cavity that they lie in.
        seed: of the patient.
        individual: deviations of the organs from the model, in addition to those of the seed; none by default.
    """

    def __init__(self, trunk: Trunk, seed: int, individual: Individual | None = None) -> None:
        self._rng = generator(seed, "belly")
        self._own = individual = individual or Individual()
        self._trunk = trunk
        self._hollow = trunk.hollow()
        self._rough = NoiseField(self._rng, 26.0)
        self._lobes = NoiseField(self._rng, 10.0)
        self._renal_size = self._rng.uniform(0.97, 1.12) * individual.kidney
        self.landmarks: dict[str, tuple[float, float, float]] = {}
        self.forks: list[np.ndarray] = []
        self.liver = self._make_liver()
        self.gallbladder = self._make_gallbladder()
        self.spleen = self._make_spleen()

    # ----------------------------------------------------------------- organs

    def _make_liver(self) -> Shape:
        u = self._rng.uniform
        size, tip = u(0.93, 1.06) * self._own.liver, u(-52, -22)
        low = tip - 60 * (self._own.liver - 1)
        right = ellipsoid((-66, 0, 52), np.array((77, 92, 86)) * size, rotation(("y", -8)))
        riedel = ellipsoid((-96, 8, low + 45), (30, 46, 58))
        left = ellipsoid(
            (18 + u(-6, 12), -50, 76), np.array((76, 38, 40 * size)) * (self._own.left_lobe, 1, 1), rotation(("y", 14), ("z", -10))
        )
        whole = union(right, riedel, left, blend=26.0)
        # The visceral surface faces down, back and left, with impressions of kidney, duodenum and stomach.
        below = half_space((-30, -20, 8), (-0.62, -0.22, 0.75))
        whole = whole.within(Shape(lambda p: -below.distance(p), below.lower, below.upper), 34.0)
        whole = whole.minus(ellipsoid((-52, 52, -8), (36, 34, 62)), 10.0)
        whole = whole.minus(ellipsoid((34, 10, 52), (66, 52, 62)), 22.0)
        whole = whole.minus(ellipsoid((10, 44, 70), (34, 36, 90)), 10.0)
        caudate = ellipsoid((-8, -2, 62), (15, 15, 26))
        whole = union(whole, caudate, blend=8.0)
        self.landmarks["liver: tip of the right lobe"] = (-100.0, 6.0, tip - 8)
        return whole.within(self._hollow.grown(-1.0), 3.0).roughened(self._rough, 1.3)

    def _make_gallbladder(self) -> Shape:
        u = self._rng.uniform
        x, size = u(-52, -42), u(0.8, 1.15) * self._own.gallbladder
        neck = np.array((x + 14, -18.0, 26.0)) + 0.4 * self._own.gallbladder_shift
        fundus = np.array((x - 6, -58.0, -10.0)) + self._own.gallbladder_shift
        line = centreline([neck, neck * 0.55 + fundus * 0.45 + (0, 0, -3), fundus], np.array((4.0, 13.0, 16.0)) * size, 2.0)
        self.landmarks["gallbladder: neck"] = tuple(neck)
        self.landmarks["gallbladder: fundus"] = tuple(fundus)
        return tube(line)

    def _make_spleen(self) -> Shape:
        u = self._rng.uniform
        size = u(0.95, 1.2) * self._own.spleen
        axes = rotation(("x", -24), ("y", 10), ("z", -24))
        centre = np.array((96.0, 34.0, 62.0)) + self._own.spleen_shift
        outer = ellipsoid(centre, np.array((38, 60, 62)) * size, axes)
        hollow = union(ellipsoid((52, 2, 68), (40, 46, 60)), ellipsoid((54, 50, 14), (32, 34, 50)), blend=14.0)
        self.landmarks["spleen: upper pole"] = tuple(centre + (-12, 26, 48 * size))
        self.landmarks["spleen: lower pole"] = tuple(centre + (8, -18, -46 * size))
        return outer.minus(hollow, 8.0).within(self._hollow.grown(-1.5), 5.0).roughened(self._rough, 1.8)

    def solid_organs(self) -> list[Part | Vessels]:
        """Return the liver with its vessels, gallbladder, spleen, kidneys, adrenals and pancreas."""
        parts: list[Part | Vessels] = [solid(self.liver, "liver", "liver"), self._falciform(), *self._liver_vessels()]
        parts.append(solid(self.spleen, "spleen", "spleen"))
        for side in (-1, 1):
            parts += self._kidney(side)
            parts.append(self._adrenal(side))
        parts.append(solid(self._pancreas(), "pancreas", "pancreas"))
        parts.append(Part(self.gallbladder, (Layer("gut wall"), Layer("bile", 1.6)), "gallbladder"))
        return parts

    def _falciform(self) -> Part:
        """Return the fat of the falciform ligament, a cleft in the left lobe."""
        cleft = ellipsoid((-4, -74, 46), (3.2, 26, 24), rotation(("z", 14)))
        return solid(cleft.within(self.liver.grown(3.0)), "inner fat", "")

    def _liver_vessels(self) -> list[Vessels]:
        rng = self._rng
        core = self.liver.grown(-5.0)
        parts = []
        hilum = np.array((-34.0, -8.0, 40.0))
        portal = grow(np.array([(-16, -2, 22), (-26, -6, 33), hilum]), scatter(core, 34, rng), rng, 1.5, 6.5, region=self.liver.grown(-2))
        self.landmarks["portal vein: bifurcation"] = tuple(hilum)
        confluence = np.array((-20.0, 8.0, 98.0))
        veins = []
        for target in ((-95, 10, 80), (-52, -45, 76), (30, -52, 84)):  # right, middle and left hepatic vein
            tips = scatter(core, 60, rng)
            nearest = tips[np.argsort(np.linalg.norm(tips - np.array(target), axis=1))[:16]]
            middle = confluence + 0.3 * (np.array(target) - confluence)
            veins.append(grow(np.array([confluence, middle]), nearest, rng, 1.6, 5.5, region=self.liver.grown(-2)))
        self.forks += [*portal.forks(1.6)[:8], *(fork for vein in veins for fork in vein.forks(1.6)[:4])]
        line = portal.line().joined(*(vein.line() for vein in veins))
        parts.append(Vessels(line, "liver vessel", None))
        return parts

    def _kidney(self, side: int) -> list[Part]:
        u = self._rng.uniform
        size = self._renal_size * u(0.97, 1.03)
        name = "left kidney" if side > 0 else "right kidney"
        number = int(side > 0)
        centre = np.array((side * u(56, 61), 45.0, u(4, 14) if side > 0 else u(-12, -2))) + self._own.kidney_shift[number]
        # Upper poles lie nearer to the spine and further back; the hilum faces inwards and forwards.
        axes = rotation(("y", 11 * side + self._own.kidney_turn[number]), ("x", 9), ("z", side * 28))
        middle = axes @ np.array((-side * 22.0, 0, 0))
        bean = ellipsoid(centre, np.array((27, 23, 53)) * size, axes)
        notch = ellipsoid(centre + 1.25 * middle, np.array((13, 9, 17)) * size, axes)
        whole = bean.minus(notch, 12.0).roughened(self._lobes, 0.7)
        sinus = union(ellipsoid(centre + 0.38 * middle, np.array((12, 8, 25)) * size, axes), notch, blend=8.0).roughened(self._lobes, 2.2)
        pelvis = ellipsoid(centre + 0.75 * middle, np.array((10, 5, 9)) * size, axes)
        to_axes = axes.T.astype(np.float32)
        lobes = self._lobes

        def pyramids(points: np.ndarray) -> np.ndarray:
            """Return the wedges of medulla, their tips towards the sinus."""
            x, y, z = to_axes @ (points - centre.astype(np.float32)[:, None])
            angle = np.arctan2(z / 2.0, -side * x * 0.9)
            wedges = np.cos(angle * 7) * 0.6 + np.cos(np.arctan2(y, side * x) * 5) * 0.45
            inner = whole.distance(points) + 7.0 + 0.8 * lobes(points)
            return np.maximum(inner, (0.15 - wedges) * 5.0).astype(np.float32)

        medulla = Shape(pyramids, whole.lower, whole.upper)
        for pole, sign in (("upper", 1), ("lower", -1)):
            self.landmarks[f"{name}: {pole} pole"] = tuple(centre + axes @ np.array((0, 0, sign * 53 * size)))
        return [
            solid(whole, "renal cortex", name),
            solid(medulla, "renal medulla", name),
            solid(sinus.within(whole.grown(4.0)), "inner fat", None),
            solid(pelvis, "renal pelvis", None),
        ]

    def _adrenal(self, side: int) -> Part:
        top = np.array((24, 24, 66)) if side > 0 else np.array((-30, 26, 58))
        limb = centreline([top, top + (5 * side, 8, -8), top + (11 * side, 15, -20)], [3.2, 3.6, 2.5], 2.0)
        other = centreline([top, top + (0, 9, -8), top + (1 * side, 17, -18)], [3.2, 3.4, 2.5], 2.0)
        return solid(tube(limb.joined(other)), "adrenal", "")

    def _pancreas(self) -> Shape:
        u = self._rng.uniform
        head, body, end = self._own.pancreas_shift
        tail = np.array((80.0, 22.0, 50.0 + u(-10, 8) + end))
        lift = u(-4, 6) + body
        knots = [
            (-27, -4, -24 + head),
            (-26, -9, -4 + head),
            (-12, -19, 8 + lift),
            (10, -24, 15 + lift),
            (32, -12, 22 + lift),
            (56, 8, 34 + 0.5 * (body + end)),
            tail,
        ]
        line = centreline(knots, np.array((9, 14, 10, 9.5, 10.5, 10.5, 7.5)) * (u(0.88, 1.12) * self._own.pancreas), 2.0)
        self.landmarks["pancreas: tail"] = tuple(tail)
        self.landmarks["pancreas: head"] = knots[1]
        return tube(line).roughened(self._lobes, 1.9)

    # ---------------------------------------------------------------- vessels

    def vessels(self) -> list[Part | Vessels]:
        """Return the aorta with its branches, vena cava, renal, portal, splenic and mesenteric vessels."""
        u = self._rng.uniform
        split = np.array((3.0, 9.0, -86 + u(-6, 6)))
        widen, bend = u(0.92, 1.12) * self._own.aorta, self._own.aorta_bend
        aorta = centreline(
            [(20, 40, 150), (15, 33, 110), (8 + bend, 22, 62), (6, 13, 20), (5 - bend, 9, -20), (4, 9, -60), split],
            np.array((12, 11.5, 10.5, 9.5, 9, 8.5, 8)) * widen,
            2.0,
        )
        iliacs = [
            centreline([split, split + (s * 14, 4, -26), split + (s * 34, 6, -70), split + (s * 46, -14, -104)], [6.5, 6.2, 5.8, 5.2], 2.0)
            for s in (-1, 1)
        ]
        join = np.array((-16.0, 16.0, -100.0))
        cava = centreline(
            [(-20, -2, 128), (-21, 6, 106), (-22, 11, 84), (-21, 12, 55), (-20, 10, 20), (-18, 12, -30), join],
            np.array((12.5, 12.5, 12, 11, 10.5, 10, 9.5)) * u(0.9, 1.1),
            2.0,
        )
        normals = np.tile((0.0, 1.0, 0.0), (len(cava.positions), 1))
        iliac_veins = [centreline([join, join + (12 + s * 16, 8, -26), join + (16 + s * 44, 10, -70)], [7.5, 7, 6.5], 2.0) for s in (-1, 1)]
        self.landmarks |= {"aorta: bifurcation": tuple(split), "vena cava: confluence": tuple(join)}
        parts: list[Part | Vessels] = [
            solid(tube(cava, flat=(0.8, normals)), "vein", "inferior vena cava"),
            Vessels(iliac_veins[0].joined(iliac_veins[1]), "vein", ""),
            Part(tube(aorta), (Layer("gut wall"), Layer("artery", 1.0)), "aorta"),
            Vessels(iliacs[0].joined(iliacs[1]), "artery", ""),
            Vessels(self._portal_system(), "portal vein", "portal and splenic vein"),
            Vessels(self._arteries(), "artery", ""),
            Vessels(self._renal_veins(), "vein", ""),
        ]
        return parts

    def _portal_system(self) -> Centreline:
        confluence = np.array((-8.0, -8.0, 8.0))
        self.landmarks["portal vein: confluence"] = tuple(confluence)
        portal = centreline([confluence, (-16, -3, 22), (-26, -6, 33), (-34, -8, 40)], 6.4, 1.5)
        splenic = centreline([confluence, (12, -12, 16), (34, -2, 24), (58, 16, 36), (76, 26, 48)], [5.2, 4.6, 4.4, 4.2, 3.8], 1.5)
        mesenteric = centreline([confluence, (-9, -18, -12), (-8, -24, -40), (-6, -26, -72)], [5.6, 5.2, 4.6, 3.5], 1.5)
        return portal.joined(splenic, mesenteric)

    def _arteries(self) -> Centreline:
        celiac, superior = np.array((7.0, 12.0, 34.0)), np.array((6.0, 9.0, 16.0))
        self.landmarks |= {"coeliac trunk: origin": tuple(celiac), "superior mesenteric artery: origin": tuple(superior)}
        lines = [
            centreline([celiac, (6, -4, 32), (-6, -10, 34), (-24, -14, 36)], [3.4, 3.2, 2.5, 2.0], 1.5),
            centreline([(6, -4, 32), (28, -8, 32), (52, 10, 42), (76, 22, 54)], [2.9, 2.6, 2.3, 2.0], 1.5),
            centreline([superior, (5, -8, 8), (4, -18, -18), (0, -24, -50), (-6, -26, -84)], [3.9, 3.6, 3.2, 2.7, 2.0], 1.5),
        ]
        for side in (-1, 1):
            lines.append(centreline([(6 + 5 * side, 11, 8), (side * 22, 24, 4), (side * 38, 36, 2)], [2.9, 2.7, 2.3], 1.5))
        return lines[0].joined(*lines[1:])

    def _renal_veins(self) -> Centreline:
        right = centreline([(-24, 12, 2), (-32, 22, -1), (-40, 36, -4)], [4.4, 4.2, 3.6], 1.5)
        left = centreline([(-16, 8, 8), (4, -3, 10), (22, 14, 8), (38, 34, 8)], [4.4, 3.4, 4.2, 3.6], 1.5)
        return right.joined(left)
