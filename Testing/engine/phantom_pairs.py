"""Phantom pairs that several tests use, and their comparison through SimpleITK."""

from __future__ import annotations

import functools
import hashlib

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.phantoms import make_pair

OUTSIDE = {"ct": -1000.0, "mr": 0.0}


# The default of each anatomy: a test that names it gets the pair that others get by default.
_USUAL = {"abdomen": "ct-ct", "thorax": "ct-ct", "brain": "mr-mr"}
_made = functools.cache(make_pair)


def pair_of(anatomy, modality_pair=None, detail=0.5, seed=0):
    """A pair, made once; no test changes it."""
    return _made(anatomy, seed, None if modality_pair == _USUAL[anatomy] else modality_pair, detail)


def array(image):
    return sitk.GetArrayFromImage(image)


def truth_transform(pair):
    """The truth as ITK's transform."""
    return sitk.DisplacementFieldTransform(sitk.Cast(pair.truth.to_image(), sitk.sitkVectorFloat64))


def warped(pair, moving, transform, interpolator=sitk.sitkLinear, default=0.0):
    """A moving image on the fixed grid, through SimpleITK."""
    return array(sitk.Resample(moving, pair.fixed, transform, interpolator, default, sitk.sitkFloat32))


def covered(pair):
    """Fixed voxels of the body that the moving scan shows, through SimpleITK."""
    ones = sitk.Image(pair.moving.GetSize(), sitk.sitkFloat32) + 1
    ones.CopyInformation(pair.moving)
    return (warped(pair, ones, truth_transform(pair), default=0.0) > 0.99) & (array(pair.fixed_mask) > 0)


def number(pair, name):
    return next(key for key, value in pair.label_names.items() if value == name)


def dice(first, second):
    return 2 * np.count_nonzero(first & second) / max(np.count_nonzero(first) + np.count_nonzero(second), 1)


def fingerprint(pair):
    """Hash of all that a pair holds."""
    digest = hashlib.sha256()
    for image in (pair.fixed, pair.moving, pair.fixed_labels, pair.moving_labels, pair.fixed_mask):
        digest.update(array(image).tobytes())
        digest.update(repr(ImageGrid.of(image)).encode())
    digest.update(pair.truth.vectors.tobytes())
    for points in (pair.fixed_landmarks, pair.moving_landmarks):
        digest.update(points.positions.tobytes() + repr(points.labels).encode())
    return digest.hexdigest()
