"""Variation of organs between individuals: size, position and filling.

The organs of two patients of :mod:`abdomen` differ by little more than a smooth deformation. The standard deviations here are those that
anatomy texts and CT studies give for adults: volume of the liver about a quarter of its mean, of the spleen about two fifths (splenic
length 7 to 14 cm); kidneys 9.5 to 12.5 cm long, each at its own height within about two vertebrae; the stomach from empty to full, its
greater curvature down to the iliac crests; the gallbladder from after a meal to fasting; calibre of the colon by half.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from deepreg_engine.phantoms.noise import generator

# Random deviations are clipped to this number of standard deviations.
_FURTHEST = 2.0


@dataclass(frozen=True)
class Individual:
    """Organs of one patient relative to the model: factors of lengths, and shifts in mm (x to the left, y to the back, z up).

    Args:
        fat: factor of the fat under the skin.
        girth: factor of the cavity's half-widths.
        dome: shift of the diaphragm's domes along z.
        liver: size.
        left_lobe: length of the liver's left lobe.
        spleen: size.
        spleen_shift: of its centre (3,).
        kidney: size of both.
        kidney_shift: of right and left (2, 3).
        kidney_turn: of right and left in the coronal plane, degrees (2,).
        stomach: calibre.
        stomach_drop: shift of its greater curvature downwards.
        gallbladder: size.
        gallbladder_shift: (3,).
        pancreas: thickness.
        pancreas_shift: of head, body and tail along z (3,).
        aorta: calibre.
        aorta_bend: of its middle along x.
        colon: calibre.
        colon_sag: of the transverse colon along z.
        colon_knots: of each of its knots (17, 3).
    """

    fat: float = 1.0
    girth: float = 1.0
    dome: float = 0.0
    liver: float = 1.0
    left_lobe: float = 1.0
    spleen: float = 1.0
    spleen_shift: np.ndarray = field(default_factory=lambda: np.zeros(3))
    kidney: float = 1.0
    kidney_shift: np.ndarray = field(default_factory=lambda: np.zeros((2, 3)))
    kidney_turn: np.ndarray = field(default_factory=lambda: np.zeros(2))
    stomach: float = 1.0
    stomach_drop: float = 0.0
    gallbladder: float = 1.0
    gallbladder_shift: np.ndarray = field(default_factory=lambda: np.zeros(3))
    pancreas: float = 1.0
    pancreas_shift: np.ndarray = field(default_factory=lambda: np.zeros(3))
    aorta: float = 1.0
    aorta_bend: float = 0.0
    colon: float = 1.0
    colon_sag: float = 0.0
    colon_knots: np.ndarray = field(default_factory=lambda: np.zeros((17, 3)))

    @classmethod
    def draw(cls, seed: int) -> Individual:
        """Return a random adult.

        Args:
            seed: of the patient.
        """
        rng = generator(seed, "individual")

        def normal(*shape: int) -> np.ndarray:
            return np.clip(rng.standard_normal(shape), -_FURTHEST, _FURTHEST)

        def factor(deviation: float) -> float:
            return float(np.exp(deviation * normal(1)[0]))

        def shift(deviation: float) -> float:
            return float(deviation * normal(1)[0])

        level = 9.0 * normal(1)[0]  # height of both kidneys; each varies in addition
        return cls(
            fat=factor(0.45),
            girth=factor(0.05),
            dome=shift(9.0),
            liver=factor(0.075),
            left_lobe=factor(0.2),
            spleen=factor(0.13),
            spleen_shift=normal(3) * (5.0, 7.0, 9.0),
            kidney=factor(0.07),
            kidney_shift=normal(2, 3) * (4.0, 4.0, 9.0) + (0.0, 0.0, level),
            kidney_turn=7.0 * normal(2),
            stomach=factor(0.18),
            stomach_drop=12.0 + shift(14.0),
            gallbladder=factor(0.22),
            gallbladder_shift=normal(3) * (9.0, 7.0, 10.0),
            pancreas=factor(0.14),
            pancreas_shift=normal(3) * (8.0, 9.0, 13.0),
            aorta=factor(0.1),
            aorta_bend=shift(5.0),
            colon=factor(0.2),
            colon_sag=shift(20.0),
            colon_knots=normal(17, 3) * (6.0, 8.0, 9.0),
        )
