"""Seeded random generators, and smooth random fields that can be evaluated at any point.

Points are arrays (3, N), rows x, y, z, in mm, in single precision.
"""

from __future__ import annotations

import zlib

import numpy as np
from scipy import ndimage

# Lattice points per wavelength, enough for linear interpolation between them.
_SAMPLES_PER_WAVELENGTH = 5.0
# Factor of the lattice that compensates for the variance that linear interpolation loses.
_INTERPOLATION_GAIN = 1.2


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return an independent random generator for each purpose, so that additional numbers for one purpose do not change those of another.

    Args:
        seed: 0 or larger.
        purpose: words or numbers that name the purpose.
    """
    words = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in purpose]
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))


class NoiseField:
    """A periodic random field in space with zero mean and unit variance.

    Args:
        rng: random generator.
        wavelength: typical distance (mm) of neighbouring maxima, one number or one per axis x, y, z.
        bandwidth: relative width of its band of frequencies; small values give stripes of nearly constant width, large ones clouds.
        size: lattice points per axis; the field repeats after ``size / samples`` wavelengths.
        samples: lattice points per wavelength; derivatives of the field need more.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        wavelength: float | tuple[float, float, float],
        bandwidth: float = 0.4,
        size: int = 40,
        samples: float = _SAMPLES_PER_WAVELENGTH,
    ) -> None:
        self.spacing = np.broadcast_to(np.asarray(wavelength, dtype=np.float64), 3) / samples
        cycles = np.fft.fftfreq(size)
        half = np.fft.rfftfreq(size)
        frequency = np.sqrt(cycles[:, None, None] ** 2 + cycles[None, :, None] ** 2 + half[None, None, :] ** 2)
        centre = 1.0 / samples
        response = np.exp(-0.5 * ((frequency - centre) / (bandwidth * centre)) ** 2)
        response[0, 0, 0] = 0.0
        lattice = np.fft.irfftn(np.fft.rfftn(rng.standard_normal((size,) * 3)) * response, s=(size,) * 3, axes=(0, 1, 2))
        self.lattice = (lattice * (_INTERPOLATION_GAIN / lattice.std())).astype(np.float32)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return values (N,) at points (3, N)."""
        index = np.asarray(points)[::-1] / self.spacing[::-1, None].astype(np.float32)
        return ndimage.map_coordinates(self.lattice, index, order=1, mode="grid-wrap", output=np.float32)


class Warp:
    """A smooth random warp of space, which turns ellipsoids into organs.

    The canonical coordinates q of a patient point p are ``q = p / scale + sum of noise(p)``.

    Args:
        rng: random generator.
        waves: pairs (wavelength, amplitude) in mm.
        scale: size of the patient along x, y, z relative to the model.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        waves: tuple[tuple[float, float], ...],
        scale: tuple[float, float, float] | np.ndarray = (1.0, 1.0, 1.0),
    ) -> None:
        self.scale = np.asarray(scale, dtype=np.float64)
        self.amplitudes = [amplitude for _, amplitude in waves]
        self.fields = [[NoiseField(rng, wavelength, size=24) for _ in range(3)] for wavelength, _ in waves]

    def to_model(self, points: np.ndarray) -> np.ndarray:
        """Return the canonical coordinates (3, N) of patient points (3, N), single precision."""
        points = np.asarray(points, dtype=np.float32)
        result = points / self.scale[:, None].astype(np.float32)
        for amplitude, fields in zip(self.amplitudes, self.fields, strict=True):
            for axis, field in enumerate(fields):
                result[axis] += np.float32(amplitude) * field(points)
        return result

    def to_patient(self, points: np.ndarray) -> np.ndarray:
        """Return patient points (N, 3) of canonical points (N, 3), by fixed-point iteration."""
        target = np.asarray(points, dtype=np.float64).T
        guess = target * self.scale[:, None]
        for _ in range(40):
            guess = guess + (target - self.to_model(guess)) * self.scale[:, None] * 0.8
        return guess.T
