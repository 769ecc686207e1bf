"""The two images of a registration, with their masks, landmarks and alignment."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.guides import LandmarkPairs


@dataclass
class ImagePair:
    """The images that are registered, and their known alignment and landmarks.

    Args:
        fixed, moving: 3D float32 images.
        fixed_mask, moving_mask: 8-bit masks on the images' grids, or None.
        guides: landmark pairs that guide the registration, or None.
        alignment: a known alignment; None computes the one of the parameter ``initial``.
    """

    fixed: sitk.Image
    moving: sitk.Image
    fixed_mask: sitk.Image | None = None
    moving_mask: sitk.Image | None = None
    guides: LandmarkPairs | None = None
    alignment: Alignment | None = None
