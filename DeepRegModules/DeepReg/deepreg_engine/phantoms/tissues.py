"""Mean values and textures of tissues in CT and MR.

CT numbers are typical values in HU of a portal-venous contrast phase (brain: without contrast), as radiology textbooks
list them: air -1000, lung -850, fat -100, water 0, unenhanced muscle 50, enhanced liver 110, spleen 120, renal cortex
190, vessels 150 to 180, trabecular bone 150 to 300, cortical bone 800 to 1300; grey matter 37, white matter 27.
MR values are arbitrary units of a T1-weighted gradient echo: fat and marrow bright, liver brighter than spleen, renal
cortex brighter than medulla, white matter brighter than grey, fluid dark, air and cortical bone black.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tissue:
    """Mean and texture of a tissue.

    Args:
        ct: mean, HU.
        mr: mean, arbitrary units; the brightest fat is near 900.
        ct_texture: standard deviation of the texture that belongs to the anatomy, HU.
        mr_texture: the same for MR, arbitrary units.
        pattern: name of the texture, see :mod:`deepreg_engine.phantoms.appearance`.
        enhanced: share of the CT number that is due to contrast medium, which differs between examinations.
    """

    ct: float
    mr: float
    ct_texture: float = 0.0
    mr_texture: float = 0.0
    pattern: str = "fine"
    enhanced: float = 0.0


TISSUES = {
    # shared
    "air": Tissue(-1000, 4),
    "skin": Tissue(30, 420),
    "fat": Tissue(-102, 830, 10, 55, "strands"),
    "inner fat": Tissue(-98, 760, 13, 75, "strands"),
    "muscle": Tissue(62, 265, 15, 38, "fibres"),
    "cortical bone": Tissue(720, 45, 130, 10),
    "trabecular bone": Tissue(210, 470, 55, 55),
    "cartilage": Tissue(115, 300, 25, 25),
    "disc": Tissue(85, 230, 12, 30),
    "fluid": Tissue(8, 110, 2, 5),
    "cord": Tissue(42, 340, 3, 10),
    "nerve": Tissue(30, 300),
    # trunk: vessels
    "artery": Tissue(172, 120, 3, 12, "fine", 0.7),
    "vein": Tissue(150, 165, 5, 14, "fine", 0.65),
    "small vessel": Tissue(140, 190, 0, 0, "fine", 0.6),
    "portal vein": Tissue(166, 185, 3, 10, "fine", 0.65),
    "liver vessel": Tissue(172, 250, 0, 0, "fine", 0.6),
    # trunk: organs
    "liver": Tissue(112, 440, 7, 17, "fine", 0.45),
    "spleen": Tissue(124, 310, 6, 14, "fine", 0.55),
    "renal cortex": Tissue(192, 400, 8, 18, "fine", 0.8),
    "renal medulla": Tissue(142, 285, 9, 16, "fine", 0.75),
    "renal pelvis": Tissue(14, 120, 4, 10),
    "pancreas": Tissue(98, 455, 15, 38, "lobules", 0.55),
    "adrenal": Tissue(82, 330, 6, 10, "fine", 0.5),
    "bile": Tissue(9, 165, 2, 10),
    "gut wall": Tissue(102, 330, 7, 18, "fine", 0.4),
    "gut content": Tissue(18, 205, 9, 40, "lobules"),
    "stomach content": Tissue(28, 195, 14, 40, "lobules"),
    "stool": Tissue(10, 390, 95, 80, "bubbles"),
    "gas": Tissue(-960, 10),
    "lung": Tissue(-858, 38, 16, 7, "lobules"),
    "fissure": Tissue(-640, 60),
    "airway wall": Tissue(10, 190, 10, 15),
    "myocardium": Tissue(106, 300, 6, 16, "fine", 0.5),
    "heart blood": Tissue(165, 150, 6, 22, "coarse", 0.7),
    "pericardial fat": Tissue(-84, 720, 12, 60, "strands"),
    # head
    "white matter": Tissue(27, 770, 0.8, 15),
    "grey matter": Tissue(38, 545, 0.8, 14),
    "deep grey": Tissue(38, 600, 0.7, 12),
    "thalamus": Tissue(36, 640, 0.7, 12),
    "pallidum": Tissue(38, 690, 0.7, 10),
    "cerebellar cortex": Tissue(37, 530, 0.8, 14),
    "brainstem": Tissue(30, 715, 1.0, 14),
    "cerebrospinal fluid": Tissue(6, 150, 0.6, 10),
    "ventricular fluid": Tissue(6, 130, 0.4, 6),
    "dura": Tissue(52, 330, 4, 25),
    "venous sinus": Tissue(58, 250, 3, 30),
    "skull table": Tissue(1250, 45, 150, 10),
    "diploe": Tissue(560, 430, 130, 90, "lobules"),
    "scalp fat": Tissue(-72, 830, 12, 60, "strands"),
    "head muscle": Tissue(58, 370, 7, 30, "fibres"),
    "eye": Tissue(9, 140, 1, 5),
    "lens": Tissue(85, 330),
    "eye wall": Tissue(50, 390),
    "mucosa": Tissue(45, 400, 10, 30),
    "petrous bone": Tissue(950, 90, 330, 60, "lobules"),
}
