"""The abdomen, from the domes of the diaphragm to the iliac crests."""

from __future__ import annotations

import numpy as np

from deepreg_engine.phantoms.anatomy import Anatomy, ScanProtocol
from deepreg_engine.phantoms.belly import Belly
from deepreg_engine.phantoms.bowel import Bowel
from deepreg_engine.phantoms.chest import Chest
from deepreg_engine.phantoms.individual import Individual
from deepreg_engine.phantoms.noise import Warp, generator
from deepreg_engine.phantoms.skeleton import Skeleton
from deepreg_engine.phantoms.trunk import SKIN, Trunk

# The first seven as TotalSegmentator numbers them (Wasserthal et al., Radiology AI 2023).
LABELS = (
    "spleen",
    "right kidney",
    "left kidney",
    "gallbladder",
    "liver",
    "stomach",
    "pancreas",
    "aorta",
    "inferior vena cava",
    "portal and splenic vein",
    "colon",
    "small bowel",
    "vertebrae",
    "left psoas",
    "right psoas",
    "oesophagus",
    "left lung",
    "right lung",
)

PROTOCOL = ScanProtocol(
    centre=(0.0, 2.0, 4.0),
    moving_size=(118, 92, 84),
    moving_spacing=(3.3, 3.25, 3.0),
    fixed_size=(112, 88, 74),
    fixed_spacing=(3.5, 3.45, 3.4),
    turns=(5.0, -4.0, 7.0),
    ct_noise=11.0,
)


def abdomen(seed: int, individual: Individual | None = None) -> Anatomy:
    """Return the abdomen of one patient.

    Args:
        seed: of the patient.
        individual: deviations of the organs from the model, in addition to those of the seed; none by default.
    """
    individual = individual or Individual()
    rng = generator(seed, "abdomen")
    trunk = Trunk(seed, individual)
    skeleton, belly, bowel, chest = (
        Skeleton(trunk, seed),
        Belly(trunk, seed, individual),
        Bowel(trunk, seed, individual),
        Chest(trunk, seed),
    )
    parts = [
        *trunk.shell(),
        *trunk.abdominal_muscles(),
        *bowel.small_bowel(),
        *bowel.colon(),
        *belly.vessels(),
        *bowel.stomach(),
        *belly.solid_organs(),
        *chest.heart_parts(),
        *chest.lung_parts(),
        *skeleton.spine(),
        *skeleton.cage(),
    ]
    landmarks = belly.landmarks | bowel.landmarks | skeleton.landmarks(-125, 110)
    warp = Warp(rng, ((140.0, 4.0), (45.0, 1.2)), rng.uniform(0.96, 1.04, 3))
    return Anatomy("abdomen", seed, warp, trunk.body, SKIN, tuple(parts), LABELS, landmarks, np.array(belly.forks), PROTOCOL)
