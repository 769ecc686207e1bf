"""Cerebellum and brainstem, in the brain's frame."""

from __future__ import annotations

import numpy as np

from deepreg_engine.phantoms.canvas import Part, solid
from deepreg_engine.phantoms.noise import NoiseField, generator
from deepreg_engine.phantoms.shapes import Shape, ellipsoid, rotation, union
from deepreg_engine.phantoms.tubes import centreline, tube


class Hindbrain:
    """Cerebellum and brainstem of one patient.

    Args:
        seed: of the patient.
    """

    def __init__(self, seed: int) -> None:
        self._rng = generator(seed, "hindbrain")
        self.landmarks: dict[str, tuple[float, float, float]] = {}
        self.hull = union(
            *(ellipsoid((s * 22, 64, -37), (32, 35, 25), rotation(("y", s * 12))) for s in (-1, 1)),
            ellipsoid((0, 60, -32), (13, 30, 23)),
            blend=6.0,
        )

    def cerebellum(self) -> list[Part]:
        """Return the cerebellum with its folia and white matter."""
        rng = self._rng
        leaves = NoiseField(rng, (46.0, 11.0, 8.5), 0.25, size=48, samples=6.0)
        twigs = NoiseField(rng, (34.0, 12.0, 9.0), 0.3)
        hull = self.hull

        def leafed(points: np.ndarray) -> np.ndarray:
            below = hull.distance(points)
            fissure = np.abs(leaves(points)) * 2.6 - 0.32
            return np.maximum(below, np.minimum(-fissure, below + 7.0)).astype(np.float32)

        def tree(points: np.ndarray) -> np.ndarray:
            below = hull.distance(points)
            return (below + 11.0 - 4.2 * np.maximum(twigs(points), -1.2)).astype(np.float32)

        self.landmarks["vermis: back"] = (0.0, 89.0, -32.0)
        return [
            solid(Shape(leafed, hull.lower, hull.upper), "cerebellar cortex", "cerebellum"),
            solid(Shape(tree, hull.lower, hull.upper), "white matter", None),
        ]

    def stem(self) -> list[Part]:
        """Return the brainstem with its peduncles, aqueduct, fourth ventricle, and the cistern behind it."""
        parts = []
        line = centreline(
            [(0, 17, -8), (0, 21, -14), (0, 24, -22), (0, 25, -33), (0, 30, -44), (0, 36, -56), (0, 40, -72), (0, 43, -120)],
            [11, 13, 14.5, 16, 12, 9, 7, 6],
            2.0,
        )
        pons = ellipsoid((0, 21, -31), (18, 13, 14))
        peduncles = union(*(ellipsoid((s * 17, 40, -34), (9, 17, 8), rotation(("z", s * 20))) for s in (-1, 1)))
        parts.append(solid(peduncles, "white matter", None))
        parts.append(solid(union(tube(line), pons, blend=8.0), "brainstem", "brainstem"))
        aqueduct = centreline([(0, 24, -4), (0, 30, -14), (0, 37, -26)], [1.5, 1.4, 1.8], 1.0)
        fourth = ellipsoid((0, 42, -36), (8, 5.0, 11), rotation(("x", -12)))
        parts.append(solid(tube(aqueduct), "ventricular fluid", "fourth ventricle"))
        parts.append(solid(fourth, "ventricular fluid", "fourth ventricle"))
        cistern = ellipsoid((0, 33, -3), (9, 5.5, 6))
        parts.append(solid(cistern, "cerebrospinal fluid", "cerebrospinal fluid"))
        colliculi = union(*(ellipsoid((s * 5, 30, -8), (4.5, 4, 5)) for s in (-1, 1)))
        parts.append(solid(colliculi, "brainstem", "brainstem"))
        self.landmarks |= {"pons: front": (0.0, 8.0, -31.0), "fourth ventricle: top": (0.0, 38.0, -27.0)}
        return parts
