"""The Linear method: the rigid, similarity or affine transform of the largest mutual information, as a result of its own.

1. The alignment of :mod:`deepreg_engine.methods.common.affine`, from several positions and orientations, or from a given start.
2. The same optimisation on finer images.
"""

from __future__ import annotations

import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.methods.common.affine import Alignment, align, align_finely
from deepreg_engine.methods.linear.parameters import SEARCH, LinearParameters

Masks = tuple[sitk.Image | None, sitk.Image | None]


def register_linear(
    fixed: sitk.Image, moving: sitk.Image, parameters: LinearParameters, masks: Masks = (None, None), start: sitk.Transform | None = None
) -> Alignment:
    """Register two 3D float32 images; the result takes fixed points to moving points.

    Args:
        fixed, moving: the images.
        parameters: see :class:`LinearParameters`.
        masks: fixed and moving, 8-bit, on the images' grids; mutual information is evaluated within them.
        start: transform near which the optimum is searched, instead of the parameter ``initial``.

    Raises:
        InputError: if the start is not linear, or mirrors; with ``initial`` "none", if the images have no point in common.
    """
    begin = Alignment(start, "file") if start is not None else None
    if begin is None and parameters.initial != SEARCH:
        begin = align(fixed, moving, parameters.initial, *masks)
    try:
        return align_finely(fixed, moving, parameters.kind, masks, 1e6 * parameters.working_voxels, begin)
    except ValueError as error:
        advice = "give a linear transform that does not mirror, or none" if parameters.kind != "affine" else "give a linear transform"
        raise InputError(f"a {parameters.kind} registration cannot start from the initial transform: {error}", advice, "initial") from error
