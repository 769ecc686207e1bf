"""What an anatomy is to the rest of the package: structures to paint, labels, landmarks and a field of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepreg_engine.phantoms.canvas import Layer, Part, Vessels
from deepreg_engine.phantoms.noise import Warp
from deepreg_engine.phantoms.shapes import Shape


@dataclass(frozen=True)
class Protocol:
    """How an anatomy is scanned.

    Args:
        centre: middle of the field of view in the canonical frame, mm.
        moving_size: voxels along x, y, z of the moving scan.
        moving_spacing: mm.
        fixed_size: of the fixed scan.
        fixed_spacing: mm.
        turns: rotation of the fixed grid about x, y, z, degrees.
        ct_noise: standard deviation of CT noise in the middle of the patient, HU.
        mr_noise: level of MR noise relative to the usual.
    """

    centre: tuple[float, float, float]
    moving_size: tuple[int, int, int]
    moving_spacing: tuple[float, float, float]
    fixed_size: tuple[int, int, int]
    fixed_spacing: tuple[float, float, float]
    turns: tuple[float, float, float]
    ct_noise: float
    mr_noise: float = 1.0


@dataclass(frozen=True)
class Anatomy:
    """One patient, before any scanner.

    Args:
        name: "abdomen", "thorax" or "brain".
        seed: the patient's.
        warp: from the patient to the canonical frame that all else is in.
        body: everything inside the skin.
        skin: the body's outermost layers.
        parts: what to paint into it, in this order.
        labels: names of the labels, from 1.
        landmarks: points (3,) that every patient has, by name.
        forks: points (N, 3) that only this patient has: bifurcations of vessels and airways.
        protocol: how it is scanned.
        aerated: labels of organs that get denser as they get smaller.
    """

    name: str
    seed: int
    warp: Warp
    body: Shape
    skin: tuple[Layer, ...]
    parts: tuple[Part | Vessels, ...]
    labels: tuple[str, ...]
    landmarks: dict[str, tuple[float, float, float]]
    forks: np.ndarray
    protocol: Protocol
    aerated: tuple[str, ...] = ()
