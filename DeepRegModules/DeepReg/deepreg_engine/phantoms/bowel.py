"""Stomach, duodenum, small bowel and colon, in the trunk's frame: walls, contents, gas above fluid."""

from __future__ import annotations

import numpy as np

from deepreg_engine.phantoms.canvas import Layer, Part, Vessels, solid
from deepreg_engine.phantoms.individual import Individual
from deepreg_engine.phantoms.noise import NoiseField, generator
from deepreg_engine.phantoms.shapes import Shape, ellipsoid, half_space, union
from deepreg_engine.phantoms.trees import grow
from deepreg_engine.phantoms.trunk import Trunk
from deepreg_engine.phantoms.tubes import Centreline, centreline, tube

_LOOP_DISTANCE = 26.0


class Bowel:
    """The digestive tract of one patient.

    Args:
        trunk: the cavity that it lies in.
        seed: of the patient.
        individual: deviations of the organs from the model, in addition to those of the seed; none by default.
    """

    def __init__(self, trunk: Trunk, seed: int, individual: Individual | None = None) -> None:
        self._rng = generator(seed, "bowel")
        self._own = individual = individual or Individual()
        self._trunk = trunk
        self._folds = NoiseField(self._rng, 15.0)
        self._hollow = trunk.hollow().grown(-1.0)
        self.landmarks: dict[str, tuple[float, float, float]] = {}
        self._colon = self._colon_line()

    def stomach(self) -> list[Part]:
        """Return the oesophagus, duodenum, and the stomach with folds, food, fluid and gas."""
        u = self._rng.uniform
        fill, drop = u(0.82, 1.08) * self._own.stomach, self._own.stomach_drop
        knots = [
            (46, 22, 100),
            (60, 4, 88),
            (64, -22, 60),
            (54, -46, 26 - 0.7 * drop),
            (32, -58, 8 - drop),
            (8, -54, 2 - 0.7 * drop),
            (-14, -44, 6 - 0.2 * drop),
            (-26, -34, 9),
        ]
        radii = np.array((24, 35, 34, 28, 22, 18, 12, 7)) * fill
        line = centreline(knots, radii, 3.0)
        body = tube(line).roughened(self._folds, 0.9).within(self._hollow.grown(-2.0), 6.0)
        lumen = body.grown(-4.2).roughened(self._folds, 0.8)
        level = half_space((0, u(-52, -34), 0), (0, 1, 0))
        duodenum = centreline(
            [(-26, -34, 8), (-38, -24, 6), (-42, -6, -8), (-41, 2, -36), (-32, 4, -56), (-8, -3, -60), (16, -4, -56), (34, -14, -34)],
            [9, 13, 12, 12, 12, 11, 11, 11],
            2.0,
        )
        self.landmarks |= {
            "stomach: pylorus": (-25.0, -34.0, 8.0),
            "duodenum: flexure": (-41.0, 2.0, -38.0),
            "oesophagus: cardia": (22.0, 16.0, 94.0),
        }
        oesophagus = centreline([(8, 36, 190), (10, 34, 140), (14, 28, 112), (24, 18, 95)], [6.5, 6.5, 7, 8], 2.0)
        gut = tube(duodenum).roughened(self._folds, 1.2)
        return [
            Part(
                tube(oesophagus, flat=(0.7, np.tile((0.0, 1.0, 0.0), (len(oesophagus.positions), 1)))),
                (Layer("gut wall"), Layer("gut content", 4.6)),
                "oesophagus",
            ),
            Part(gut, (Layer("gut wall"), Layer("gut content", 3.6)), ""),
            solid(body, "gut wall", "stomach"),
            solid(lumen, "stomach content", None),
            solid(lumen.within(level), "gas", None),
        ]

    # ------------------------------------------------------------------ colon

    def _colon_line(self) -> Centreline:
        u = self._rng.uniform
        sag = u(-26, 10) + self._own.colon_sag
        knots = np.array(
            [
                (-84, -16, -128),
                (-94, 2, -108),
                (-100, 14, -78),
                (-100, 18, -48),
                (-92, 2, -28),
                (-76, -34, -34),
                (-52, -58, -44 + sag),
                (-22, -66, -54 + sag),
                (10, -68, -56 + sag),
                (42, -66, -44 + sag),
                (72, -52, -10),
                (94, -16, 26),
                (102, 18, 32),
                (104, 34, 8),
                (104, 34, -30),
                (103, 30, -70),
                (97, 20, -108),
                (84, 2, -140),
                (60, -8, -165),
            ],
            dtype=np.float64,
        )
        knots[1:-1] += self._rng.uniform(-5, 5, (len(knots) - 2, 3)) + self._own.colon_knots
        radii = (
            np.concatenate([np.full(6, 24.0), np.full(6, 20.0), np.full(7, 14.5)])
            * self._rng.uniform(0.85, 1.12, len(knots))
            * self._own.colon
        )
        self.landmarks |= {
            "colon: hepatic flexure": tuple(knots[4]),
            "colon: splenic flexure": tuple(knots[12]),
            "colon: caecum": tuple(knots[1]),
        }
        return centreline(knots, radii, 2.5)

    def colon(self) -> list[Part]:
        """Return the colon with haustra, stool, and gas in front."""
        whole = tube(self._colon, waist=(27.0, 0.34)).roughened(self._folds, 1.1).within(self._hollow, 5.0)
        lumen = whole.grown(-3.0).roughened(self._folds, 0.5)
        pools = NoiseField(self._rng, 55.0)
        front = half_space((0, self._rng.uniform(-64, -50), 0), (0, 1, 0))
        gas = Shape(lambda p: np.maximum(lumen.distance(p), np.minimum(front.distance(p), 9 * (0.9 - pools(p)))), lumen.lower, lumen.upper)
        return [solid(whole, "gut wall", "colon"), solid(lumen, "stool", None), solid(gas, "gas", None)]

    # ------------------------------------------------------------ small bowel

    def small_bowel(self) -> list[Part | Vessels]:
        """Return loops packed into the middle of the abdomen, some with gas, and the vessels of the mesentery."""
        loops = self._loops()
        line = centreline(loops, self._rng.uniform(11.0, 14.5, len(loops)), 2.5)
        whole = tube(line).roughened(self._folds, 0.8).within(self._hollow, 4.0)
        lumen = whole.grown(-3.2).roughened(self._folds, 0.6)
        pools = NoiseField(self._rng, 48.0)
        front = half_space((0, -52, 0), (0, 1, 0))
        gas = Shape(
            lambda p: np.maximum(np.maximum(lumen.distance(p) + 1.5, front.distance(p)), 10 * (1.1 - pools(p))), lumen.lower, lumen.upper
        )
        root = np.array([(0, -20, -18), (-2, -24, -40), (-4, -25, -62)], dtype=np.float64)
        tips = loops[:: max(len(loops) // 60, 1)] + self._rng.normal(0, 5, (len(loops[:: max(len(loops) // 60, 1)]), 3))
        mesentery = grow(root, tips, self._rng, 0.8, 3.2)
        return [
            Vessels(mesentery.line(), "small vessel", None),
            solid(whole, "gut wall", "small bowel"),
            solid(lumen, "gut content", None),
            solid(gas, "gas", None),
        ]

    def _loops(self) -> np.ndarray:
        """Return the knots (K, 3) of a line that winds through the middle of the abdomen: each next knot is the nearest remaining one."""
        room = union(ellipsoid((4, -26, -88), (88, 44, 72)), ellipsoid((50, -20, -24), (40, 44, 40))).within(self._hollow.grown(-11.0))
        frame = ellipsoid((0, 42, -80), (60, 48, 200))  # spine, psoas and great vessels
        colon = tube(self._colon, reach=40.0)
        trial = self._rng.uniform(room.lower, room.upper, (6000, 3))
        points = trial.T.astype(np.float32)
        free = (room.distance(points) < 0) & (frame.distance(points) > 2) & (colon.distance(points) > 9)
        kept: list[np.ndarray] = []
        for candidate in trial[free]:
            if all(np.linalg.norm(candidate - other) > _LOOP_DISTANCE * 0.86 for other in kept):
                kept.append(candidate)
        left = np.array(kept)
        order = [int(np.argmax(left @ np.array((1.0, 0.0, 1.0))))]
        remaining = set(range(len(left))) - set(order)
        while remaining:
            rest = np.array(sorted(remaining))
            # Loops run across the body rather than along it.
            away = (left[rest] - left[order[-1]]) * (0.85, 1.0, 1.25)
            order.append(int(rest[np.argmin(np.linalg.norm(away, axis=1))]))
            remaining.discard(order[-1])
        return left[order]
