"""Corpus callosum, deep nuclei and ventricles, in the brain's frame."""

from __future__ import annotations

import numpy as np

from deepreg_engine.phantoms.canvas import Layer, Part, solid
from deepreg_engine.phantoms.noise import NoiseField, generator
from deepreg_engine.phantoms.shapes import ellipsoid, implicit, rotation, union
from deepreg_engine.phantoms.tubes import centreline, tube

_SIDES = ((-1, "right"), (1, "left"))


class DeepBrain:
    """The structures inside the white matter of one patient.

    Args:
        atrophy: 0 for narrow ventricles to 1 for wide ones.
        seed: of the patient.
    """

    def __init__(self, atrophy: float, seed: int) -> None:
        rng = generator(seed, "deep brain")
        self._rough = NoiseField(rng, 30.0)
        self._atrophy = atrophy
        self._size = 0.8 + 0.55 * atrophy + rng.uniform(-0.08, 0.08)
        self.landmarks: dict[str, tuple[float, float, float]] = {}

    def parts(self) -> list[Part]:
        """Return the corpus callosum, nuclei and ventricles."""
        parts = []
        callosum = centreline(
            [(0, -22, -4), (0, -31, 3), (0, -29, 13), (0, -14, 23), (0, 8, 27), (0, 26, 24), (0, 39, 15), (0, 36, 8)],
            np.array((2.2, 4, 5, 4, 3.6, 3.8, 5.2, 5)) * 2.8,
            1.5,
        )
        normals = np.cross(callosum.tangents, (1.0, 0.0, 0.0))
        band = tube(callosum, flat=(0.36, normals))
        for side, name in _SIDES:
            half = implicit(lambda p, side=side: -side * p[0])
            parts.append(Part(band, (Layer("white matter"),), f"{name} white matter", half))
        self.landmarks |= {"corpus callosum: genu": (0.0, -33.0, 5.0), "corpus callosum: splenium": (0.0, 41.0, 13.0)}
        for side, name in _SIDES:
            parts += self._deep_nuclei(side, name)
        return parts + self._ventricles()

    def _deep_nuclei(self, side: int, name: str) -> list[Part]:
        r = self._rough
        caudate = centreline(
            [(side * 12.5, -20, 4), (side * 13.5, -10, 11), (side * 17, 8, 19), (side * 23, 26, 17), (side * 28, 34, 6)],
            [6.8, 6.2, 4.4, 3.2, 2.0],
            1.5,
        )
        putamen = ellipsoid((side * 26.5, -1, 2), (5.8, 17.5, 12), rotation(("z", -side * 12), ("y", side * 12)))
        pallidum = ellipsoid((side * 19.5, 4, 0), (5.0, 9.5, 7), rotation(("z", -side * 18)))
        thalamus = ellipsoid((side * 11, 17, 6), (9.5, 15.5, 9.5), rotation(("z", -side * 22)))
        hippocampus = centreline(
            [(side * 24, 6, -22), (side * 27, 16, -20), (side * 30, 27, -13), (side * 25, 37, -3)], [6.5, 5.5, 4.8, 3.5], 1.5
        )
        self.landmarks |= {
            f"{name} caudate: head": (side * 12.5, -24.0, 4.0),
            f"{name} putamen: front": (side * 23.0, -17.0, 2.0),
            f"{name} thalamus: back": (side * 15.0, 31.0, 6.0),
            f"{name} hippocampus: head": (side * 24.0, 2.0, -22.0),
        }
        return [
            solid(tube(caudate), "deep grey", f"{name} caudate"),
            solid(putamen.roughened(r, 0.8), "deep grey", f"{name} putamen"),
            solid(pallidum, "pallidum", f"{name} pallidum"),
            solid(thalamus.roughened(r, 0.6), "thalamus", f"{name} thalamus"),
            solid(tube(hippocampus).roughened(r, 0.5), "deep grey", f"{name} hippocampus"),
        ]

    def _ventricles(self) -> list[Part]:
        parts = []
        for side, name in _SIDES:
            body = centreline(
                [
                    (side * 7.5, -31, 3),
                    (side * 7, -20, 10),
                    (side * 8, -4, 18),
                    (side * 11, 14, 22),
                    (side * 19, 30, 17),
                    (side * 26, 42, 8),
                    (side * 25, 56, 6),
                    (side * 21, 70, 6),
                ],
                np.array((2.8, 5.2, 5.0, 4.8, 5.8, 6.8, 4.0, 1.8)) * self._size,
                1.5,
            )
            horn = centreline(
                [(side * 27, 38, 4), (side * 34, 28, -9), (side * 34, 12, -17), (side * 31, 0, -20)],
                np.array((5.0, 2.6, 2.2, 2.2)) * self._size,
                1.5,
            )
            shape = union(tube(body), tube(horn), blend=3.0)
            parts.append(solid(shape, "ventricular fluid", f"{name} lateral ventricle"))
            self.landmarks |= {
                f"{name} lateral ventricle: frontal horn": (side * 7.0, -33.0, 3.0),
                f"{name} lateral ventricle: occipital horn": (side * 21.0, 71.0, 6.0),
            }
        septum = ellipsoid((0, -2, 14), (0.9, 24, 9))
        parts.append(solid(septum, "white matter", None))
        third = ellipsoid((0, 12, 0), np.array((2.0 + 1.6 * self._atrophy, 16, 11)))
        parts.append(solid(third, "ventricular fluid", "third ventricle"))
        return parts
