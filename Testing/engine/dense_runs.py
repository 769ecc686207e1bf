"""Runs of the Dense method on phantoms, for its tests."""

from __future__ import annotations

import functools
import hashlib

import numpy as np
import SimpleITK as sitk
from registering import FIXED_TURNS, MOVING_TURNS, Scene, aligned, grid_over, noisy, scene
from scenes import image_on, voxel_points

from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.dense.presets import dense_preset
from deepreg_engine.methods.dense.register import register_dense

IDENTITY = Alignment(sitk.Transform(3, sitk.sitkIdentity), "none")
# A coarse resolution, a second or less for the phantoms here; each test changes the parameters that it is about.
QUICK = dense_preset("quick").parameters.replaced({"capture_range": 40.0})
SHIFT = np.array([25.0, 10.0, -20.0])


def run(fixed, moving, alignment=IDENTITY, parameters=QUICK, device="cpu", progress=None, **more):
    return register_dense(ImagePair(fixed, moving, alignment=alignment, **more), parameters, device, progress)


def run_scene(pair: Scene, parameters=QUICK, **more):
    return run(pair.fixed, pair.moving, aligned(pair), parameters, **more)


@functools.cache
def plain(anatomy, modality_pair=None):
    """Register a phantom pair with the parameters QUICK, once for all tests that compare with the result."""
    return run_scene(scene(anatomy, modality_pair))


def length(vectors):
    """Return the lengths (...) of displacements (3, ...)."""
    return np.sqrt(np.square(np.asarray(vectors, dtype=np.float64)).sum(0))


def shift_error(result, body, shift=SHIFT):
    """Return the mean distance in mm to a known translation over a region."""
    return float(length(result.field.vectors - np.reshape(shift, (3, 1, 1, 1)))[body].mean())


def fingerprint(result):
    digest = hashlib.sha256(result.field.vectors.tobytes())
    if result.uncertainty is not None:
        digest.update(sitk.GetArrayFromImage(result.uncertainty).tobytes())
    return digest.hexdigest()


@functools.cache
def featureless_pair(voxels=1.0):
    """A ball without structure inside, on two oblique grids; the true rotation about its axis is invisible in the images."""
    middle, extents = (20, -30, 10), ((210, 216, 210), (228, 210, 214))
    spacings = np.array(((5.0, 6.0, 7.0), (6.0, 5.0, 6.5))) * voxels
    described = zip(extents, spacings, (FIXED_TURNS, MOVING_TURNS), strict=True)
    grids = [grid_over(middle, extent, tuple(spacing), turns) for extent, spacing, turns in described]
    images = []
    for number, grid in enumerate(grids):
        radius = np.linalg.norm(voxel_points(grid) - [20, -30, 10], axis=-1)
        images.append(noisy(image_on(grid, np.where(radius < 80, 100.0, -900.0).astype(np.float32)), 3.0, number))
    return images


def run_files(folder):
    """Register the images in a folder with its initial transform; files store numbers with fewer digits than memory."""
    fixed, moving = (sitk.ReadImage(f"{folder}/{name}.nrrd") for name in ("fixed", "moving"))
    return run(fixed, moving, Alignment(sitk.ReadTransform(f"{folder}/alignment.tfm"), "affine"))
