"""The head: hemispheres with their cortex, membranes, and the assembly of all parts.

Canonical frame, LPS directions, mm: the origin is near the anterior commissure; x to the left, y to the back, z up.
"""

from __future__ import annotations

import numpy as np

from deepreg_engine.phantoms.anatomy import Anatomy, ScanProtocol
from deepreg_engine.phantoms.canvas import Layer, Part, Vessels, solid
from deepreg_engine.phantoms.cortex import Folding
from deepreg_engine.phantoms.deep_brain import DeepBrain
from deepreg_engine.phantoms.head import SKIN, Head
from deepreg_engine.phantoms.hindbrain import Hindbrain
from deepreg_engine.phantoms.noise import NoiseField, Warp, generator
from deepreg_engine.phantoms.shapes import Profile, Shape, capsule, ellipsoid, implicit, rotation, smooth_minimum, union
from deepreg_engine.phantoms.tubes import centreline

_SIDES = ((-1, "right"), (1, "left"))
LABELS = (
    "left cerebral cortex",
    "right cerebral cortex",
    "left white matter",
    "right white matter",
    "left lateral ventricle",
    "right lateral ventricle",
    "third ventricle",
    "fourth ventricle",
    "left thalamus",
    "right thalamus",
    "left caudate",
    "right caudate",
    "left putamen",
    "right putamen",
    "left pallidum",
    "right pallidum",
    "left hippocampus",
    "right hippocampus",
    "cerebellum",
    "brainstem",
    "cerebrospinal fluid",
    "skull",
)

PROTOCOL = ScanProtocol(
    centre=(0.0, 8.0, 12.0),
    moving_size=(108, 132, 104),
    moving_spacing=(1.75, 1.9, 1.8),
    fixed_size=(110, 126, 94),
    fixed_spacing=(1.85, 2.05, 2.0),
    turns=(6.0, -5.0, 8.0),
    ct_noise=3.2,
    mr_noise=1.1,
)
_CORTEX = 3.1


class Cerebrum:
    """Both hemispheres of one patient, the intracranial space, and the membranes in it.

    Args:
        hindbrain: cerebellum and brainstem in the same skull.
        seed: of the patient.
    """

    def __init__(self, hindbrain: Hindbrain, seed: int) -> None:
        self._rng = rng = generator(seed, "cerebrum")
        self.atrophy = rng.uniform(0.0, 1.0)  # wider sulci and ventricles
        self._rough = NoiseField(rng, 30.0)
        self.landmarks: dict[str, tuple[float, float, float]] = {}
        # Floor of the hemispheres along y: orbital surface, the middle, and the tentorium.
        self._floor = Profile((-85, -2), (-60, -16), (-40, -21), (-15, -19), (15, -12), (45, -8), (70, -13), (110, -9))
        self.hemispheres = {side: self._hemisphere(side) for side, _ in _SIDES}
        self._cerebellum = hindbrain.hull
        both = union(*self.hemispheres.values(), blend=12.0)
        filler = ellipsoid((0, 48, -12), (57, 52, 44))  # the skull bridges the notch between cerebrum and cerebellum
        contents = union(both, hindbrain.hull, capsule((0, 22, -12), (0, 41, -90), 17.0, 8.0), blend=12.0)
        self.room = union(contents.grown(1.6 + 0.9 * self.atrophy), filler, blend=16.0)

    def _hemisphere(self, side: int) -> Shape:
        """Return the smooth hull of one half of the cerebrum, without its fissures."""
        u = self._rng.uniform
        vault = ellipsoid((0, 17, 16), np.array((68, 88, 64)) * (1, u(0.98, 1.02), 1))
        occiput = ellipsoid((side * 24, 58, 22), (36, 47, 42))
        temporal = union(
            ellipsoid((side * 47, 8, -21), (22, 40, 22), rotation(("z", -side * 6), ("x", 10))),
            ellipsoid((side * 40, -10, -27), (19, 20, 17)),
            blend=12.0,
        )
        insula_root = ellipsoid((side * 34, 18, -6), (26, 42, 20))

        def distance(points: np.ndarray) -> np.ndarray:
            x, y, z = points
            upper = np.maximum(smooth_minimum(vault.distance(points), occiput.distance(points), 10.0), (self._floor(y) - z) * 0.95)
            whole = smooth_minimum(smooth_minimum(upper, temporal.distance(points), 9.0), insula_root.distance(points), 10.0)
            middle = 0.7 + 0.5 * self.atrophy - side * x
            # The medial edges of the hemispheres are rounded.
            return -smooth_minimum(-whole, -middle.astype(np.float32), 14.0)

        name = "left" if side > 0 else "right"
        self.landmarks |= {
            f"{name} temporal pole": (side * 40.0, -30.0, -27.0),
            f"{name} frontal pole": (side * 14.0, -68.0, 10.0),
            f"{name} occipital pole": (side * 16.0, 102.0, 14.0),
        }
        lower, upper = ((-72, -80, -52), (2, 112, 84)) if side < 0 else ((-2, -80, -52), (72, 112, 84))
        return implicit(distance, lower, upper)

    def _lateral_fissure(self, side: int) -> Shape:
        """Return the Sylvian fissure: from the temporal pole backwards and up, in to the insula."""
        half = 1.1 + 0.9 * self.atrophy

        def distance(points: np.ndarray) -> np.ndarray:
            x, y, z = points
            lateral = side * x
            course = -13 + 0.36 * (y + 15) + 3.0 * self._rough(points)
            sheet = np.abs(z - course) - half
            entrance = np.maximum(36.0 + 0.012 * (y - 8) ** 2 - lateral, np.abs(y - 10) - 36)
            pocket = np.maximum(np.hypot(lateral - 39.5, 0.34 * (z - course)) - 1.8, np.abs(y - 8) - 24)  # over the insula
            return np.minimum(np.maximum(sheet, entrance), pocket).astype(np.float32)

        lower, upper = ((-75, -30, -40), (-30, 50, 30)) if side < 0 else ((30, -30, -40), (75, 50, 30))
        return implicit(distance, lower, upper)

    def hemisphere_parts(self) -> list[Part]:
        """Return the cortex and white matter."""
        rng = self._rng
        parts = []
        for side, name in _SIDES:
            folding = Folding(rng, rng.uniform(9.6, 10.8), (17.0, 4.5), 0.62 + 0.55 * self.atrophy)
            pial = folding.folded(self.hemispheres[side], self._lateral_fissure(side))
            layers = (Layer("grey matter", 0.0, f"{name} cerebral cortex"), Layer("white matter", _CORTEX, f"{name} white matter"))
            parts.append(Part(pial, layers))
            # No cortex towards the midbrain: thalamus and peduncles join the stem there.
            core = union(ellipsoid((side * 16, 12, 4), (17, 26, 15)), ellipsoid((side * 22, 22, -8), (9, 16, 9)), blend=8.0)
            parts.append(solid(core, "white matter", f"{name} white matter"))
        return parts

    def membranes(self) -> list[Part | Vessels]:
        """Return the falx, tentorium and the great venous sinuses."""
        room, left, right, small = self.room, self.hemispheres[1], self.hemispheres[-1], self._cerebellum

        def falx(points: np.ndarray) -> np.ndarray:
            reach = 26 + 14 * np.clip((points[1] - 10) / 60, -0.6, 1)
            within = room.distance(points)
            return np.maximum(np.maximum(np.abs(points[0]) - 0.55, -within - reach), within + 1.0).astype(np.float32)

        def tentorium(points: np.ndarray) -> np.ndarray:
            over = np.minimum(left.distance(points), right.distance(points))
            under = small.distance(points)
            between = np.maximum(np.abs(over - under) * 0.5 - 0.5, np.maximum(-under, -over))
            return np.maximum(between, room.distance(points) + 1.0).astype(np.float32)

        rim = np.array(
            [(0, y, z) for y, z in ((-66, 20), (-52, 52), (-20, 76), (20, 82), (60, 73), (92, 46), (103, 14), (98, -8))], dtype=np.float64
        )
        outward = (rim - (0, 17, 14)) / np.linalg.norm(rim - (0, 17, 14), axis=1, keepdims=True)
        for _ in range(12):  # onto the inner table
            rim = rim - outward * (room.distance(rim.T.astype(np.float32)) + 2.6)[:, None]
        sagittal = centreline(rim, [1.6, 2.2, 2.6, 3.0, 3.4, 3.8, 4.4, 4.4], 2.0)
        transverse = [
            centreline(
                [rim[-1], rim[-1] + (s * 30, -12, -4), rim[-1] + (s * 52, -40, -8), rim[-1] + (s * 54, -58, -22)], [4, 4, 4, 3.6], 2.0
            )
            for s in (-1, 1)
        ]
        self.landmarks |= {"confluence of sinuses": tuple(rim[-1]), "superior sagittal sinus: vertex": tuple(rim[3])}
        return [
            solid(implicit(falx, (-3, -75, -5), (3, 110, 90)), "dura", "cerebrospinal fluid"),
            solid(implicit(tentorium, (-62, 28, -45), (62, 105, 20)), "dura", "cerebrospinal fluid"),
            Vessels(sagittal.joined(*transverse), "venous sinus", ""),
        ]


def brain(seed: int) -> Anatomy:
    """Return the head of one patient."""
    rng = generator(seed, "brain")
    hindbrain = Hindbrain(seed)
    cerebrum = Cerebrum(hindbrain, seed)
    deep, head = DeepBrain(cerebrum.atrophy, seed), Head(cerebrum.room, seed)
    parts = [
        *head.outside(),
        *head.bones(),
        *cerebrum.membranes(),
        *head.petrous(),
        *hindbrain.cerebellum(),
        *cerebrum.hemisphere_parts(),
        *hindbrain.stem(),
        *deep.parts(),
    ]
    landmarks = cerebrum.landmarks | deep.landmarks | hindbrain.landmarks | head.landmarks
    warp = Warp(rng, ((170.0, 2.4), (50.0, 0.6)), rng.uniform(0.96, 1.04, 3))
    return Anatomy("brain", seed, warp, head.body, SKIN, tuple(parts), LABELS, landmarks, np.empty((0, 3)), PROTOCOL)
