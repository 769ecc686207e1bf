"""The appearance of tissues in a scan: contrast of an examination, blur, bias field and noise.

The texture of a tissue belongs to the patient and moves with the anatomy; calibration, contrast phase, bias field and
noise belong to one examination.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.phantoms.noise import NoiseField, generator
from deepreg_engine.phantoms.tissues import TISSUES

MODALITIES = ("ct", "mr")
# Standard deviation of the point spread in voxels: clinical protocols match voxel size and spread.
_POINT_SPREAD = 0.45
# Standard deviation of the grain of CT noise, in voxels: the reconstruction kernel correlates neighbours.
_CT_GRAIN = 0.6
_MR_NOISE = 13.0
_BIAS = 0.08


@dataclass(frozen=True)
class Setting:
    """Deviations of an examination from the usual one.

    Args:
        phase: enhancement by contrast medium relative to a portal-venous phase (CT): 0 for none, None for a random one near 1.
        noise: factor of the noise.
        fatty: decrease of the liver's density by fat, HU.
    """

    phase: float | None = None
    noise: float = 1.0
    fatty: float = 0.0


USUAL = Setting()


class TissueContrast:
    """Mean and texture of every tissue in one examination of one patient.

    Args:
        modality: "ct" or "mr".
        patient: seed of the patient, for the texture.
        scan: random generator of the examination, for its calibration.
        setting: deviations from the usual examination.
    """

    def __init__(self, modality: str, patient: int, scan: np.random.Generator, setting: Setting = USUAL) -> None:
        self.modality = modality
        rng = generator(patient, "texture")
        self._fields = {
            "fine": NoiseField(rng, 7.0, 0.5),
            "coarse": NoiseField(rng, 24.0),
            "lobules": NoiseField(rng, 9.0, 0.35),
            "strands": NoiseField(rng, 22.0, 0.3),
            "fibres": NoiseField(rng, (9.0, 9.0, 45.0), 0.5),
            "bubbles": NoiseField(rng, 9.5, 0.35),
        }
        phase = scan.uniform(0.88, 1.12)
        phase = phase if setting.phase is None else setting.phase
        self._means = {}
        for name, tissue in TISSUES.items():
            own = scan.uniform(-1.0, 1.0)
            if modality == "ct":
                contrast = tissue.enhanced * (phase * (1 + 0.05 * own) - 1)
                self._means[name] = tissue.ct * (1 + contrast) + (1.5 * own if tissue.ct > -500 else 8 * own)
            else:
                self._means[name] = tissue.mr * (1 + 0.07 * own)
        if modality == "ct":
            self._means["liver"] -= setting.fatty

    def mean(self, tissue: str) -> float:
        """Return the mean of a tissue in this examination."""
        return self._means[tissue]

    def shade(self, tissue: str, points: np.ndarray) -> np.ndarray:
        """Return the values (M,) of a tissue at canonical points (3, M)."""
        record = TISSUES[tissue]
        amplitude = record.ct_texture if self.modality == "ct" else record.mr_texture
        mean = np.float32(self._means[tissue])
        if not amplitude:
            return np.full(points.shape[1], mean)
        field = self._fields[record.pattern](points)
        if record.pattern == "strands":  # lobules of fat with thin septa and vessels between them
            sign = -1.0 if self.modality == "mr" else 1.0
            field = np.float32(sign) * (2.6 * np.exp(-((field / 0.16) ** 2)) - 0.35)
        elif record.pattern == "fibres":  # streaks of fat between bundles of fibres
            sign = 1.0 if self.modality == "mr" else -1.0
            field = np.float32(sign) * (2.2 * np.maximum(field - 0.9, 0) - 0.15) + 0.25 * field
        elif record.pattern == "bubbles":  # stool with pockets of gas
            field = 0.35 * field - 5.5 * np.maximum(field - 0.95, 0)
        return np.maximum(mean + np.float32(amplitude) * field.astype(np.float32), self._floor)

    @property
    def _floor(self) -> np.float32:
        return np.float32(-1000.0 if self.modality == "ct" else 2.0)


def acquire(values: np.ndarray, grid: ImageGrid, modality: str, scan: np.random.Generator, noise: float) -> sitk.Image:
    """Simulate the scanner: point spread, bias field (MR) and noise; returns the image.

    Args:
        values: (z, y, x), HU or arbitrary units.
        grid: voxels of the scan.
        modality: "ct" gives int16 HU with Gaussian noise that has the grain of a reconstruction kernel and increases with the tissue
            around; "mr" gives int16 arbitrary units with Rician noise (Gudbjartsson and Patz, MRM 1995).
        scan: random generator of the examination.
        noise: standard deviation of CT noise in the middle of the patient, HU; for MR relative to the usual level.
    """
    values = ndimage.gaussian_filter(values, _POINT_SPREAD)
    if modality == "ct":
        grain = ndimage.gaussian_filter(scan.standard_normal(grid.shape, dtype=np.float32), _CT_GRAIN)
        grain /= grain.std()
        values += grain * (noise * _attenuation(values))
        array = np.clip(np.rint(values), -1024, 3071).astype(np.int16)
    else:
        values *= _bias_field(grid.shape, scan) * np.float32(scan.uniform(0.8, 1.25))
        level = np.float32(_MR_NOISE * noise)
        real, imaginary = scan.standard_normal((2, *grid.shape), dtype=np.float32) * level
        array = np.clip(np.rint(np.hypot(values + real, imaginary)), 0, 4095).astype(np.int16)
    return grid.to_image(array)


def _attenuation(values: np.ndarray) -> np.ndarray:
    """Return the relative level of CT noise (z, y, x) from the tissue around each voxel, 1 deep inside the patient."""
    matter = np.clip((values + 1000) / 1000, 0, 1.5)
    return 0.45 + 0.55 * ndimage.gaussian_filter(matter, (1.0, 8.0, 8.0), truncate=2.0)


def _bias_field(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Return a smooth factor around 1 (z, y, x): coil sensitivity and dielectric shading."""
    weights = rng.uniform(-1.0, 1.0, (3, 3, 3))
    weights[0, 0, 0] = 0.0  # the mean belongs to the gain
    waves = [np.cos(np.pi * np.outer(np.arange(3), (np.arange(n) + 0.5) / n)) for n in shape]
    field = np.einsum("abc,az,by,cx->zyx", weights, *waves, optimize=True)
    return np.exp(_BIAS * field).astype(np.float32)
