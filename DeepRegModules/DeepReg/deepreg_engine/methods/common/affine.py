"""Alignment before the deformation: by centres, rigid or affine, with SimpleITK. No torch.

Rigid and affine alignment maximise the mutual information of Mattes et al. (PET-CT image registration in the chest using
free-form deformations, IEEE TMI 2003) from coarse to fine, from several starts: scans of two people often overlap only in part,
and the optimum nearest to aligned centres then compresses one of them. Translations along the axes of the fixed image are
evaluated first, the best few are refined coarsely, and the best of these is refined finely. Mutual information alone favours
stretches, because scans of different regions agree best if one is compressed. Transforms are therefore compared by

    E(T) = -MI(T) + 0.05 sum_i log^2 s_i,

where s_i are the singular values of the linear part. A moving image that is turned is used where it has clearly less energy. All
steps are single-threaded and seeded, so that results are reproducible to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.body import around_body
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import without_outliers
from deepreg_engine.methods.common.coarse import centre_of_mass
from deepreg_engine.methods.common.linear_search import Alignment, LinearSearch, overlap
from deepreg_engine.methods.common.parameters import INITIALS, LINEAR_KINDS

# Air around the patient that is kept, mm.
_MARGIN = 30.0


def align(
    fixed: sitk.Image, moving: sitk.Image, kind: str, fixed_mask: sitk.Image | None = None, moving_mask: sitk.Image | None = None
) -> Alignment:
    """Align two 3D float32 images.

    Args:
        fixed, moving: the images.
        kind: one of :data:`INITIALS`.
        fixed_mask, moving_mask: 8-bit, on the images' grids; mutual information is evaluated within them.

    Raises:
        ParameterError: on another kind.
        InputError: with "none", if the images have no point in common.
    """
    if kind not in INITIALS:
        raise ParameterError(f"there is no initial alignment {kind!r}", f"there are {', '.join(INITIALS)}", "initial")
    if kind == "none":
        if overlap(ImageGrid.of(fixed), ImageGrid.of(moving), np.zeros(3)) == 0.0:
            raise InputError(
                "the two images have no point in common where they lie in space",
                "use the initial alignment geometry, mass, rigid or affine",
                "initial",
            )
        return Alignment(sitk.Transform(3, sitk.sitkIdentity), kind)
    if kind == "geometry":
        shift = ImageGrid.of(moving).centre - ImageGrid.of(fixed).centre
        return Alignment(sitk.TranslationTransform(3, shift.tolist()), kind)
    fixed, moving = without_outliers(fixed), without_outliers(moving)
    if kind == "mass":
        shift = centre_of_mass(moving, moving_mask) - centre_of_mass(fixed, fixed_mask)
        return Alignment(sitk.TranslationTransform(3, shift.tolist()), kind)
    fixed, moving = around_body(fixed, _MARGIN), around_body(moving, _MARGIN)
    search = LinearSearch(fixed, moving, kind, fixed_mask, moving_mask)
    with one_thread():
        return search.run()


def align_finely(
    fixed: sitk.Image,
    moving: sitk.Image,
    kind: str,
    masks: tuple[sitk.Image | None, sitk.Image | None] = (None, None),
    voxels: float = 1e6,
    start: Alignment | None = None,
) -> Alignment:
    """Return the alignment of two 3D float32 images, refined on finer images than before a deformation.

    Args:
        fixed, moving: the images.
        kind: "rigid", "similarity" or "affine".
        masks: 8-bit, on the images' grids, or None.
        voxels: number of voxels of the fixed image on which the result is refined.
        start: the result is the optimum near it; None searches from several positions and in all orientations.

    Raises:
        ParameterError: on another kind.
        ValueError: if the start is not linear, or mirrors.
    """
    if kind not in LINEAR_KINDS:
        raise ParameterError(f"there is no linear transform {kind!r}", f"there are {', '.join(LINEAR_KINDS)}", "kind")
    fixed, moving = (around_body(without_outliers(image), _MARGIN) for image in (fixed, moving))
    search = LinearSearch(fixed, moving, kind, *masks, finest=voxels)
    with one_thread():
        return search.run() if start is None else search.near(start.transform, start.kind)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run SimpleITK on one thread: another order of summation changes the last digit, and with it the optimum."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def orientation_notes(
    fixed: sitk.Image,
    moving: sitk.Image,
    transform: sitk.Transform,
    fixed_mask: sitk.Image | None = None,
    moving_mask: sitk.Image | None = None,
) -> tuple[str, ...]:
    """Return notes if the moving image agrees much better when it is turned or mirrored; for alignments that only translate it.

    Args:
        fixed, moving, fixed_mask, moving_mask: as for :func:`align`.
        transform: the alignment.
    """
    fixed, moving = (around_body(without_outliers(image), _MARGIN) for image in (fixed, moving))
    with one_thread():
        return LinearSearch(fixed, moving, "affine", fixed_mask, moving_mask).doubts(transform)
