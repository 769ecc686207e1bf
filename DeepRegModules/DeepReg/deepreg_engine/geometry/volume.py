"""From SimpleITK images to torch volumes on a working grid, and back to displacement fields in the patient.

The working grid has the fixed image's axes and cubic voxels, so that features, displacements and regularisation mean the
same along every axis, however anisotropic or oblique the images are.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample

# Gaussian before sampling at a coarser spacing, in voxels of that spacing: enough against aliasing, little blur.
_ANTIALIAS_SIGMA = 0.5


def to_tensor(image: sitk.Image) -> torch.Tensor:
    """The voxels of a scalar image as a float32 tensor (z, y, x) of its own memory."""
    return torch.from_numpy(sitk.GetArrayFromImage(image).astype(np.float32, copy=False))


def antialiased(image: sitk.Image, spacing: float) -> sitk.Image:
    """The image smoothed along those axes on which ``spacing`` (mm) is clearly coarser than its own."""
    sigmas = [_ANTIALIAS_SIGMA * spacing if spacing > 1.2 * s else 0.0 for s in image.GetSpacing()]
    for axis, sigma in enumerate(sigmas):
        if sigma > 0:
            image = sitk.RecursiveGaussian(image, sigma, False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis)
    return image


def draw(
    image: sitk.Image,
    grid: ImageGrid,
    transform: sitk.Transform | None = None,
    default: float | None = 0.0,
    smooth: bool = True,
) -> torch.Tensor:
    """An image as float32 (z, y, x) on a grid of cubic voxels, through a transform from the grid to the image.

    Args:
        image: float32.
        grid: where.
        transform: takes the grid's points to the image's; none is the identity.
        default: value where the image does not reach; None goes on with what is at its faces.
        smooth: low-pass the image first where the grid is coarser.
    """
    source = antialiased(image, min(grid.spacing)) if smooth else image
    if default is None:
        source, default = _extended(source, grid, transform), 0.0
    return to_tensor(resample(source, grid, transform, "linear", default))


def _extended(image: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None) -> sitk.Image:
    """The image with its faces repeated until it reaches all voxels of a grid, which a linear transform takes to it."""
    ends = np.stack(np.meshgrid(*((0.0, n - 1.0) for n in grid.size), indexing="ij"), axis=-1).reshape(-1, 3)
    corners = grid.index_to_physical(ends)
    if transform is not None:
        corners = np.array([transform.TransformPoint(point) for point in corners.tolist()])
    index = ImageGrid.of(image).physical_to_index(corners)
    below, above = -index.min(axis=0), index.max(axis=0) - (np.array(image.GetSize()) - 1)
    lower, upper = (np.maximum(0, np.ceil(beyond)).astype(int).tolist() for beyond in (below, above))
    return sitk.ZeroFluxNeumannPad(image, lower, upper) if any(lower + upper) else image


def field_from_voxels(displacement: torch.Tensor, grid: ImageGrid) -> DisplacementField:
    """Displacements (3, z, y, x) in voxels along a grid's axes, as a field in LPS mm."""
    vectors = displacement.detach().to("cpu", torch.float32).numpy()
    matrix = grid.index_to_physical_matrix.astype(np.float32)
    return DisplacementField(np.einsum("ab,bzyx->azyx", matrix, vectors), grid)


def field_to_voxels(field: DisplacementField, grid: ImageGrid) -> torch.Tensor:
    """A field sampled on a grid, its displacements in voxels along the grid's axes (3, z, y, x), float32."""
    matrix = np.linalg.inv(grid.index_to_physical_matrix).astype(np.float32)
    return torch.from_numpy(np.einsum("ab,bzyx->azyx", matrix, field.resampled(grid).vectors).astype(np.float32))
