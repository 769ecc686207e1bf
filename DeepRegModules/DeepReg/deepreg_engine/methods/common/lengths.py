"""Lengths of the parameters that follow the size of what an image or a point cloud shows. No torch.

The lengths of the presets suit the human body, from a head to a trunk. A mouse or a crop of the hippocampus needs others, in proportion
to its size. The factor is 1 for sizes between 10 cm and 1 m; below 5 cm and above 3 m the lengths have the same proportion to the
size as those of the presets have to 25 cm; in between, the factor changes continuously.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.unit_factor import unit_factor
from deepreg_engine.methods.common.parameters import Description
from deepreg_engine.methods.common.presets import Preset


class ScaledParameters(Protocol):
    """Parameters with a length scale, the factor of all their lengths."""

    @property
    def length_scale(self) -> float: ...  # noqa: D102

    @classmethod
    def describe(cls) -> list[Description]: ...  # noqa: D102

    def replaced(self, changes: Mapping[str, Any]) -> Any: ...  # noqa: D102


P = TypeVar("P", bound=ScaledParameters)

# Where the factor is proportional to the size: the size, mm, at which it is 1.
_REFERENCE = 250.0
# Sizes, mm, and factors of the lengths there; in between, the logarithm of the factor is linear in the logarithm of the size.
_SIZES = (50.0, 100.0, 1000.0, 3000.0)
_FACTORS = (50.0 / _REFERENCE, 1.0, 1.0, 3000.0 / _REFERENCE)
# Images of small objects have voxels below this share of the voxel size of the computation; others are crops of larger ones.
_FINE = 0.5
# A larger factor means that the unit is wrong.
_LARGEST = 100.0
# Power of a length in a unit.
_POWERS = {"mm": 1, "mm^2": 2}


def size_of(fixed: ImageGrid | np.ndarray) -> float:
    """Return the size of what an image or a cloud of points (N, 3) shows, mm.

    That of an image is its median extent, so that a thin slab counts by its width. That of a cloud is the longest edge of its bounding box,
    because vessels and spines are thin.
    """
    if isinstance(fixed, ImageGrid):
        return float(np.median(fixed.extent))
    return float(np.ptp(fixed, axis=0).max())


def unit_note(fixed: ImageGrid, moving: ImageGrid) -> str:
    """Return a note if one image is so much smaller along every axis that its voxel spacing may be in another unit; else ""."""
    if unit_factor(fixed, moving) == 1.0:
        return ""
    return (
        f"the fixed image shows {size_of(fixed):.3g} mm and the moving image {size_of(moving):.3g} mm: check the voxel spacing of both, "
        "unless one shows a small part of the other"
    )


def length_factor(size: float) -> float:
    """Return the length scale for a size, mm."""
    if not _SIZES[0] <= size <= _SIZES[-1]:
        return size / _REFERENCE
    return math.exp(float(np.interp(math.log(size), np.log(_SIZES), np.log(_FACTORS))))


def fitted(parameters: P, presets: Sequence[Preset], fixed: ImageGrid | np.ndarray) -> tuple[P, list[str]]:
    """Return the parameters with their length scale, and a list of the note on it, which is empty if there is none."""
    found = with_factor(parameters, presets, fixed)
    remark = note(found, presets, fixed)
    return found, [remark] if remark else []


def with_factor(parameters: P, presets: Sequence[Preset], fixed: ImageGrid | np.ndarray) -> P:
    """Return the parameters with their length scale: ``length_scale`` is above 0.

    Where it is 0, it is chosen by the size of the fixed image or points (N, 3); if the lengths are not those of a preset, somebody chose
    them, and it is 1.

    Raises:
        InputError: if the size is implausible in mm.
    """
    if parameters.length_scale > 0.0:
        return parameters
    lengths = _lengths(parameters)
    if not any(lengths == _lengths(preset.parameters) for preset in presets):
        return parameters.replaced({"length_scale": 1.0})
    factor = length_factor(size_of(fixed))
    if factor > _LARGEST:
        raise InputError(
            f"what is registered spans {size_of(fixed) / 1000.0:.3g} m",
            "check the unit of its voxel spacing or of its points, which has to be mm; or set length_scale",
            "length_scale",
        )
    return parameters.replaced({"length_scale": factor})


def in_millimetres(parameters: P, presets: Sequence[Preset], fixed: ImageGrid) -> P:
    """Return the parameters with their lengths multiplied by the factor, within their ranges; the factor is then 1."""
    parameters = with_factor(parameters, presets, fixed)
    factor = parameters.length_scale
    if factor == 1.0:
        return parameters
    changes = {each.name: _limited(each, getattr(parameters, each.name) * factor ** _POWERS[each.unit]) for each in _described(parameters)}
    return parameters.replaced({**changes, "length_scale": 1.0})


def note(parameters: ScaledParameters, presets: Sequence[Preset], fixed: ImageGrid | np.ndarray) -> str:
    """Return the remark on the lengths of parameters, whose factor is known, for the user; "" without one.

    It names a factor other than 1. Where the factor of a preset is always 1, it warns of an image of something much smaller or larger.
    """
    factor, size = parameters.length_scale, size_of(fixed)
    if factor != 1.0 and not isinstance(fixed, ImageGrid):
        return f"the fixed points span {size:.3g} mm: all lengths of the parameters were multiplied by {factor:.2g} (length_scale)"
    if factor != 1.0:
        return f"the fixed image shows {size:.3g} mm: all lengths of the parameters were multiplied by {factor:.2g} (length_scale)"
    lengths = _lengths(parameters)
    own: list[Any] = [preset.parameters for preset in presets]
    if not isinstance(fixed, ImageGrid) or not any(lengths == _lengths(each) and each.length_scale == factor for each in own):
        return ""
    suitable = length_factor(size)
    if suitable > 1.0 or (suitable < 1.0 and min(fixed.spacing) < _FINE * lengths["working_spacing"]):
        return (
            f"the fixed image shows {size:.3g} mm, and the lengths of the preset are for another size: "
            f"a length_scale of {suitable:.2g} may suit it better"
        )
    return ""


def _described(parameters: ScaledParameters) -> list[Description]:
    return [each for each in parameters.describe() if each.unit in _POWERS]


def _lengths(parameters: Any) -> dict[str, float]:
    return {each.name: getattr(parameters, each.name) for each in _described(parameters)}


def _limited(description: Description, value: float) -> float:
    low, high = description.minimum, description.maximum
    return min(max(value, -math.inf if low is None else low), math.inf if high is None else high)
