"""Förstner keypoints of an image in patient coordinates."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.arrays import array_of
from deepreg_engine.errors import InputError
from deepreg_engine.features.foerstner import keypoints
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample, without_outliers
from deepreg_engine.geometry.volume import draw, to_tensor
from deepreg_engine.methods.common.lengths import with_factor
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.plan import keypoint_grid
from deepreg_engine.methods.points.presets import POINTS_PRESETS


@torch.no_grad()
def image_keypoints(
    image: sitk.Image, mask: sitk.Image | None, parameters: PointsParameters, role: str = "image", device: torch.device | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the Förstner keypoints of an image.

    Args:
        image: 3D, float32.
        mask: on the image's grid; None for the whole image.
        parameters: of the method: the group "Keypoints" and ``length_scale``; 0 selects it by the size of this image.
        role: name of the image, for errors.
        device: where to compute.

    Returns:
        Points (N, 3), LPS mm, by decreasing distinctiveness, and their distinctiveness (N,).

    Raises:
        InputError: if there are fewer than 4.
    """
    grid = ImageGrid.of(image)
    scale = with_factor(parameters, POINTS_PRESETS, grid).length_scale
    work = keypoint_grid(grid, parameters)
    spacing = work.spacing[0]
    volume = draw(without_outliers(image), work).to(device or "cpu")
    inside = None
    if mask is not None:
        inside = to_tensor(resample(sitk.Cast(mask > 0, sitk.sitkFloat32), work, None, "linear", 0.0)).to(volume.device)
    distance = max(1, round(scale * parameters.keypoint_distance / spacing))
    index, values = keypoints(volume, inside, parameters.keypoint_sigma, distance, parameters.keypoint_count)
    if len(index) < 4:
        where = " in its mask" if mask is not None else ""
        raise InputError(
            f"the {role} has too few keypoints{where}: {len(index)}",
            "give another mask, or reduce the keypoint distance",
            "keypoint_distance",
        )
    return work.index_to_physical(array_of(index)), array_of(values)
