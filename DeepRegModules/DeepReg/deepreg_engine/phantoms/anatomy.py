"""An anatomy: structures to paint, labels, landmarks and the protocol of its scans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepreg_engine.phantoms.canvas import Layer, Part, Vessels
from deepreg_engine.phantoms.noise import Warp
from deepreg_engine.phantoms.shapes import Shape


@dataclass(frozen=True)
class ScanProtocol:
    """Fields of view, voxels and noise of the scans of an anatomy.

    Args:
        centre: centre of the field of view in the canonical frame, mm.
        moving_size: voxels of the moving scan along x, y, z.
        moving_spacing: spacing of the moving scan, mm.
        fixed_size: voxels of the fixed scan.
        fixed_spacing: spacing of the fixed scan, mm.
        turns: rotation of the fixed grid about x, y, z, degrees.
        ct_noise: standard deviation of CT noise in the middle of the patient, HU.
        mr_noise: level of MR noise relative to the usual one.
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
    """The anatomy of one patient, before it is scanned.

    Args:
        name: "abdomen", "thorax" or "brain".
        seed: of the patient.
        warp: mapping from the patient to the canonical frame, in which all other fields are given.
        body: the region inside the skin.
        skin: outermost layers of the body.
        parts: structures to paint into it, in this order.
        labels: names of the labels, from 1.
        landmarks: points (3,) that exist in every patient, by name.
        forks: points (N, 3) of this patient only: bifurcations of vessels and airways.
        protocol: of its scans.
        aerated: labels of organs whose density increases as their volume decreases.
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
    protocol: ScanProtocol
    aerated: tuple[str, ...] = ()
