"""The thorax, from the upper abdomen to the apices of the lungs."""

from __future__ import annotations

import numpy as np

from deepreg_engine.phantoms.anatomy import Anatomy, ScanProtocol
from deepreg_engine.phantoms.belly import Belly
from deepreg_engine.phantoms.bowel import Bowel
from deepreg_engine.phantoms.chest import Chest
from deepreg_engine.phantoms.noise import Warp, generator
from deepreg_engine.phantoms.skeleton import Skeleton
from deepreg_engine.phantoms.trunk import SKIN, Trunk

LABELS = (
    "left lung",
    "right lung",
    "heart",
    "aorta",
    "pulmonary artery",
    "trachea and bronchi",
    "oesophagus",
    "superior vena cava",
    "vertebrae",
    "ribs and sternum",
    "liver",
    "spleen",
    "stomach",
)

PROTOCOL = ScanProtocol(
    centre=(0.0, 4.0, 182.0),
    moving_size=(118, 90, 94),
    moving_spacing=(3.1, 3.1, 3.3),
    fixed_size=(110, 86, 84),
    fixed_spacing=(3.3, 3.3, 3.7),
    turns=(4.0, -3.0, 6.0),
    ct_noise=13.0,
)
_VESSEL_TIPS = 620


def thorax(seed: int) -> Anatomy:
    """Return the thorax of one patient at full inspiration."""
    rng = generator(seed, "thorax")
    trunk = Trunk(seed)
    skeleton, belly, bowel, chest = Skeleton(trunk, seed), Belly(trunk, seed), Bowel(trunk, seed), Chest(trunk, seed)
    parts = [
        *trunk.shell(),
        *bowel.colon(),
        *belly.vessels(),
        *bowel.stomach(),
        *belly.solid_organs(),
        *chest.lung_parts(_VESSEL_TIPS),
        *chest.heart_parts(),
        *chest.great_vessels(),
        *skeleton.spine(),
        *skeleton.cage(),
    ]
    landmarks = chest.landmarks | skeleton.landmarks(60, 300)
    warp = Warp(rng, ((140.0, 3.5), (45.0, 1.0)), rng.uniform(0.96, 1.04, 3))
    return Anatomy(
        "thorax",
        seed,
        warp,
        trunk.body,
        SKIN,
        tuple(parts),
        LABELS,
        landmarks,
        np.array(chest.forks),
        PROTOCOL,
        aerated=("left lung", "right lung"),
    )
