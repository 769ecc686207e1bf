"""One peer on one pair: ``python peers.py NAME FIXED MOVING OUT.nrrd`` writes its displacement field, LPS mm, on the fixed grid.

Runs in whatever Python has the peer; needs SimpleITK and numpy besides. Each peer runs with its own defaults.
"""

from __future__ import annotations

import sys

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
    methods = {"ants": ants, "elastix": elastix, "convexadam": convexadam}
    sitk.WriteImage(sitk.Cast(methods[name](fixed_path, moving_path), sitk.sitkVectorFloat32), out_path)
