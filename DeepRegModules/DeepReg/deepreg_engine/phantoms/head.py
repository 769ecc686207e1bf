"""Scalp, skull, face and eyes around a brain, in the brain's frame."""

from __future__ import annotations

import numpy as np

from deepreg_engine.phantoms.canvas import Layer, Part, solid
from deepreg_engine.phantoms.noise import NoiseField, generator
from deepreg_engine.phantoms.shapes import Shape, capsule, ellipsoid, half_space, implicit, union
from deepreg_engine.phantoms.tubes import centreline, tube

SKIN = (Layer("skin"), Layer("scalp fat", 2.4))
_DURA = 0.9


class Head:
    """The dura and everything outside it, of one patient.

    Args:
        intracranial: the space that brain and fluid fill.
        seed: of the patient.
    """

    def __init__(self, intracranial: Shape, seed: int) -> None:
        rng = generator(seed, "head")
        self._uniform = rng.uniform
        self.landmarks: dict[str, tuple[float, float, float]] = {"pituitary": (0.0, -13.0, -20.0)}
        self._thick = rng.uniform(5.5, 8.0)
        self._scalp = rng.uniform(4.5, 7.5)
        self._rough = NoiseField(rng, 32.0)
        self._cells = NoiseField(rng, 9.0, 0.3)
        self._shells = NoiseField(rng, (16.0, 26.0, 13.0), 0.3)
        self._planes = NoiseField(rng, (26.0, 26.0, 60.0), 0.25)
        self._room = intracranial
        self.skull = intracranial.grown(self._thick).roughened(self._rough, 0.8)
        face = ellipsoid((0, -52, -56), (60, 48, 66))
        nose = ellipsoid((0, -104, -48), (13, 14, 22))
        neck = capsule((0, 34, -50), (0, 42, -150), 60.0, 60.0)
        cranium = intracranial.grown(self._thick + self._scalp)
        brows = union(*(ellipsoid((s * 31, -72, -22), (24, 20, 24)) for s in (-1, 1)))
        self.body = union(cranium, face, brows, nose, neck, blend=20.0)
        self._under_skin = self.body.grown(-3.2)

    def outside(self) -> list[Part]:
        """Return the muscles of temple, face and neck."""
        flesh = union(ellipsoid((0, -48, -58), (52, 42, 60)), capsule((0, 36, -52), (0, 44, -150), 52.0, 52.0), blend=16.0)
        temples = union(*(ellipsoid((s * 68, -14, -14), (11, 34, 36)) for s in (-1, 1)))
        muscles = union(flesh, temples).minus(implicit(lambda p: np.abs(self._planes(p)) * 4.5 - 0.8))
        inside = self.body.grown(-self._scalp * 0.7)
        return [solid(muscles.within(inside), "head muscle")]

    def bones(self) -> list[Part]:
        """Return the vault and base of the skull with diploe, petrous bones, sphenoid and face, air in its cells; dura; fluid inside."""
        opening = capsule((0, 37, -52), (0, 41, -110), 15.0, 17.0)
        vault = self.skull.minus(opening)
        inner = self._thick
        parts = self._face()
        parts.append(Part(vault, (Layer("skull table"), Layer("diploe", 1.9), Layer("skull table", inner - 1.9)), "skull"))
        parts += self._base()
        parts.append(Part(self._room, (Layer("dura"), Layer("cerebrospinal fluid", _DURA)), "cerebrospinal fluid"))
        parts.append(solid(opening.grown(-6.0).within(half_space((0, 0, -56), (0, 0, 1))), "cerebrospinal fluid", ""))
        return parts

    def _base(self) -> list[Part]:
        parts = []
        pneumatised = implicit(lambda p: 6.0 * (0.35 - self._cells(p)))
        for side in (-1, 1):
            mastoid = ellipsoid((side * 58, 32, -48), (15, 19, 22))
            parts.append(Part(mastoid, (Layer("skull table"), Layer("petrous bone", 1.5)), ""))
            parts.append(solid(mastoid.grown(-3.0).within(pneumatised), "air", None))
        clivus = centreline([(0, -12, -30), (0, 6, -44), (0, 16, -62)], [11, 8, 5], 2.0)
        parts.append(Part(tube(clivus), (Layer("skull table"), Layer("diploe", 1.8)), ""))
        return parts

    def petrous(self) -> list[Part]:
        """Return the petrous ridges and the sella, which lie inside the intracranial space and are painted after the fluid."""
        parts = []
        for side in (-1, 1):
            ridge = centreline([(side * 66, 28, -36), (side * 44, 20, -36), (side * 20, 6, -36)], [12, 9.5, 6], 2.0)
            shape = tube(ridge).roughened(self._cells, 0.8)
            parts.append(Part(shape, (Layer("skull table"), Layer("petrous bone", 1.4)), "skull"))
            canal = centreline([(side * 80, 25, -40), (side * 50, 22, -38)], 3.4, 2.0)
            parts.append(solid(tube(canal), "air", None))
        sella = ellipsoid((0, -14, -26), (12, 9, 7))
        pituitary = ellipsoid((0, -13, -20), (6.5, 5, 4.5))
        parts += [Part(sella, (Layer("skull table"), Layer("diploe", 1.6)), "skull"), solid(pituitary, "mucosa", "")]
        return parts

    def _face(self) -> list[Part]:
        u = self._uniform
        parts = []
        cheek = [ellipsoid((s * 34, -62, -60), (27, 27, 26)) for s in (-1, 1)]
        brow = ellipsoid((0, -64, -28), (50, 27, 22))
        for bone in (*cheek, brow):
            parts.append(Part(bone.roughened(self._rough, 1.6), (Layer("skull table"), Layer("diploe", 1.7)), ""))
        parts.append(solid(ellipsoid((0, -66, -58), (15, 36, 30)), "mucosa", ""))
        turbinates = implicit(lambda p: 5.0 * (np.abs(self._shells(p)) - 0.75))
        cavity = union(*(ellipsoid((s * 7.5, -68, -58), (5.5, 32, 25)) for s in (-1, 1)))
        parts.append(solid(cavity.within(turbinates), "air", ""))
        ethmoid = ellipsoid((0, -56, -31), (13, 23, 13))
        parts.append(Part(ethmoid, (Layer("skull table"), Layer("mucosa", 1.0)), ""))
        cells = implicit(lambda p: 4.0 * (0.4 - np.abs(self._shells(p))))
        parts.append(solid(ethmoid.within(cells), "air", ""))
        sinuses = [ellipsoid((s * 33, -60, -61), np.array((16, 18, 16)) * u(0.85, 1.1)) for s in (-1, 1)]
        sinuses.append(ellipsoid((u(-3, 3), -27, -34), (14, 13, 10)))  # of the sphenoid
        sinuses += [ellipsoid((s * 13, -80, u(-4, 4)), np.array((13, 5.5, 13)) * u(0.7, 1.1)) for s in (-1, 1)]
        for sinus in sinuses:
            shape = sinus.roughened(self._rough, 1.5)
            parts.append(Part(shape.grown(2.2), (Layer("skull table"), Layer("mucosa", 1.3), Layer("air", 2.2)), ""))
        throat = centreline([(0, -24, -62), (0, -12, -80), (0, -6, -120)], [9, 8, 8], 2.0)
        parts.append(Part(tube(throat).grown(3.0), (Layer("mucosa"), Layer("air", 3.0)), ""))
        parts = [Part(part.shape.within(self._under_skin, 3.0), part.layers, part.label) for part in parts]
        for side in (-1, 1):
            parts += self._orbit(side)
        return parts

    def _orbit(self, side: int) -> list[Part]:
        """Return fat in a cone of bone, the eyeball with its lens, optic nerve and muscles."""
        eye = np.array((side * 32.0, -72.0, -26.0))
        apex = np.array((side * 15.0, -28.0, -22.0))
        cone = tube(centreline([apex, (apex + eye) / 2 + (0, 3, 0), eye, eye + (0, -9, 0)], [4, 14, 17.5, 14], 2.0))
        behind = half_space((0, -74, 0), (0, -1, 0))  # open in front
        parts = [
            solid(cone.grown(1.8).within(self._under_skin).within(behind), "skull table", ""),
            solid(cone.within(self._under_skin), "scalp fat", ""),
        ]
        name = "left" if side > 0 else "right"
        self.landmarks |= {f"{name} lens": tuple(eye + (0, -8.5, 0)), f"{name} orbit: apex": tuple(apex)}
        for offset in ((11, 0), (-11, 0), (0, 10), (0, -10)):
            aside = np.array((offset[0], 4.0, offset[1]))
            muscle = centreline([apex, (apex + eye) / 2 + aside, eye + aside], [1.4, 2.3, 1.4], 1.5)
            parts.append(solid(tube(muscle), "head muscle", ""))
        nerve = centreline([(side * 6, -12, -16), apex, eye + (-side * 2, 11, 0)], 2.2, 1.5)
        parts.append(solid(tube(nerve), "nerve", ""))
        parts.append(Part(ellipsoid(eye, (12.3, 12.3, 12.3)), (Layer("eye wall"), Layer("eye", 1.3)), ""))
        parts.append(solid(ellipsoid(eye + (0, -8.5, 0), (4.8, 2.2, 4.8)), "lens", ""))
        return parts
