"""The images on which a registration computes: the fixed image without far background, and thin images continued beyond their faces.

The search and its grids take time and memory for each part of the fixed image. Where the patient fills little of a large field of view, the
computation is limited to the patient with a margin; outside, the displacement field is continued with its values at the border of that box.

An image of a few slices, thinner than the voxels of the computation, does not determine displacements across it. Both images then
repeat their outermost slices, so that such a displacement changes nothing and the smoothness keeps it small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import NotEnoughMemoryError
from deepreg_engine.geometry.body import Bounds, body_bounds, cropped
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import without_outliers
from deepreg_engine.methods.common.image_pair import ImagePair

# Margin around the patient, in voxels of the coarsest grid. The moving image is not cropped: that would limit displacements.
_MARGIN = 4.0
# Images with fewer voxels of the coarsest grid along an axis are thin; both are then continued beyond their faces by this many voxels.
_THIN, _CONTINUED = 1.5, 1.5


def working_pair(pair: ImagePair, coarsest: float) -> ImagePair:
    """Return the pair on which a registration computes; the given pair, if neither cropping nor repeated slices are needed.

    Args:
        pair: as given.
        coarsest: voxel size of the coarsest grid, mm.
    """
    bounds = body_bounds(without_outliers(pair.fixed), _MARGIN * coarsest)
    if bounds is not None and _keeps(bounds, pair.fixed_mask):
        mask = None if pair.fixed_mask is None else cropped(pair.fixed_mask, bounds)
        pair = replace(pair, fixed=cropped(pair.fixed, bounds), fixed_mask=mask)
    thin = [bool((np.array(i.GetSize()) * i.GetSpacing() < _THIN * coarsest).any()) for i in (pair.fixed, pair.moving)]
    if not any(thin):
        return pair
    fixed, fixed_mask, moving, moving_mask = (
        None if image is None else _continued(image, coarsest) for image in (pair.fixed, pair.fixed_mask, pair.moving, pair.moving_mask)
    )
    return replace(pair, fixed=fixed, fixed_mask=fixed_mask, moving=moving, moving_mask=moving_mask)


def check_fits(check: Callable[[ImageGrid], Any], fixed: sitk.Image, mask: sitk.Image | None, coarsest: float) -> None:
    """Check the memory for the whole fixed image, and if it does not suffice, for the part on which a registration computes.

    Args:
        check: raises NotEnoughMemoryError for a grid of the fixed image.
        fixed, mask: of the pair.
        coarsest: as of :func:`working_pair`.

    Raises:
        NotEnoughMemoryError: if the memory does not suffice for the part either.
    """
    whole = ImageGrid.of(fixed)
    try:
        check(whole)
    except NotEnoughMemoryError:
        bounds = body_bounds(without_outliers(fixed), _MARGIN * coarsest)
        if bounds is None or not _keeps(bounds, mask):
            raise
        check(whole.cropped(*bounds))


def _continued(image: sitk.Image, coarsest: float) -> sitk.Image:
    """Return the image with its outermost slices repeated along the axes on which it is thin."""
    size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
    more = np.where(size * spacing < _THIN * coarsest, np.ceil(_CONTINUED * coarsest / spacing), 0).astype(int).tolist()
    return sitk.ZeroFluxNeumannPad(image, more, more) if any(more) else image


def _keeps(bounds: Bounds, mask: sitk.Image | None) -> bool:
    """Return whether a box contains the whole mask."""
    if mask is None:
        return True
    kept, every = (np.count_nonzero(sitk.GetArrayViewFromImage(image)) for image in (cropped(mask, bounds), mask))
    return bool(kept == every)
