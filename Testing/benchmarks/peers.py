"""One peer on one pair: ``python peers.py NAME FIXED MOVING OUT.nrrd`` writes its displacement field, LPS mm, on the fixed grid.

Runs in a Python that has the peer, SimpleITK and numpy. Each peer runs with its own defaults.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk


def ants(fixed: str, moving: str) -> sitk.Image:
    """ANTs: affine, then SyN, as ``type_of_transform="SyN"`` does."""
    import ants as library

    result = library.registration(library.image_read(fixed), library.image_read(moving), type_of_transform="SyN")
    # The list is applied last to first: the affine after the warp.
    warp, affine = result["fwdtransforms"]
    field = sitk.DisplacementFieldTransform(sitk.Cast(sitk.ReadImage(warp), sitk.sitkVectorFloat64))
    return _sampled(sitk.CompositeTransform([sitk.ReadTransform(affine), field]), sitk.ReadImage(fixed))


def elastix(fixed: str, moving: str) -> sitk.Image:
    """elastix: its default rigid, affine and B-spline parameter maps."""
    import itk

    parameters = itk.ParameterObject.New()
    for kind in ("rigid", "affine", "bspline"):
        parameters.AddParameterMap(parameters.GetDefaultParameterMap(kind))
    images = [itk.imread(path, itk.F) for path in (fixed, moving)]
    _, found = itk.elastix_registration_method(*images, parameter_object=parameters, log_to_console=False)
    field = itk.transformix_deformation_field(images[1], found)
    reference = sitk.ReadImage(fixed)
    image = sitk.GetImageFromArray(itk.array_from_image(field).astype(np.float32), isVector=True)
    image.CopyInformation(reference)
    return image


def greedy(fixed: str, moving: str) -> sitk.Image:
    """greedy: an affine by mutual information, then the deformation by normalised cross-correlation in 5^3 voxels, from coarse to fine."""
    affine = _greedy(fixed, moving, "-a -m NMI -n 100x50x10 -ia-image-centers", "")
    return _greedy(fixed, moving, "-m NCC 2x2x2 -n 100x50x10", affine)


def greedy_identity(fixed: str, moving: str) -> sitk.Image:
    """greedy's deformation without an affine, for crops on which the affine fails."""
    return _greedy(fixed, moving, "-m NCC 2x2x2 -n 100x50x10", "")


def _greedy(fixed: str, moving: str, options: str, affine: str) -> Any:
    """The file of an affine, or the field after it."""
    from picsl_greedy import Greedy3D

    folder = Path(tempfile.mkdtemp(dir="."))
    if options.startswith("-a"):
        matrix = str(folder / "affine.mat")
        Greedy3D().execute(f"{options} -i {fixed} {moving} -o {matrix}")
        return matrix
    warp, whole = str(folder / "warp.nii.gz"), str(folder / "whole.nii.gz")
    start = f"-it {affine}" if affine else ""
    Greedy3D().execute(f"{options} -i {fixed} {moving} {start} -o {warp}")
    Greedy3D().execute(f"-rf {fixed} -r {warp} {affine} -rc {whole}")
    return sitk.ReadImage(whole, sitk.sitkVectorFloat32)


def convexadam(fixed: str, moving: str) -> sitk.Image:
    """convexAdam with MIND and its defaults, on the moving image drawn into the fixed grid."""
    from convexAdam.convex_adam_MIND import convex_adam_pt

    reference = sitk.ReadImage(fixed, sitk.sitkFloat32)
    drawn = _drawn(moving, reference)
    voxels = convex_adam_pt(sitk.GetArrayFromImage(reference), sitk.GetArrayFromImage(drawn))
    return _from_voxels(np.asarray(voxels)[..., ::-1], reference)


def _drawn(moving: str, reference: sitk.Image) -> sitk.Image:
    image = sitk.ReadImage(moving, sitk.sitkFloat32)
    lowest = float(sitk.GetArrayViewFromImage(image).min())
    return sitk.Resample(image, reference, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkLinear, lowest)


def _sampled(transform: sitk.Transform, reference: sitk.Image) -> sitk.Image:
    return sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat32, reference.GetSize(), reference.GetOrigin(), reference.GetSpacing(), reference.GetDirection()
    )


def _from_voxels(displacement: np.ndarray, reference: sitk.Image) -> sitk.Image:
    """Displacements (z, y, x, 3) in voxels, components x, y, z, in LPS mm."""
    matrix = np.array(reference.GetDirection()).reshape(3, 3) * np.array(reference.GetSpacing())
    image = sitk.GetImageFromArray((displacement @ matrix.T).astype(np.float32), isVector=True)
    image.CopyInformation(reference)
    return image


if __name__ == "__main__":
    name, fixed_path, moving_path, out_path = sys.argv[1:]
    methods = {"ants": ants, "greedy": greedy, "greedy-identity": greedy_identity, "elastix": elastix, "convexadam": convexadam}
    sitk.WriteImage(sitk.Cast(methods[name](fixed_path, moving_path), sitk.sitkVectorFloat32), out_path)
