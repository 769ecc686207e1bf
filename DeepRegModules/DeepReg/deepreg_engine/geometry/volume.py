"""Conversion between SimpleITK images and torch volumes on a working grid, and between displacements in voxels and in LPS mm.

The working grid has the axes of the fixed image and cubic voxels, so that features, displacements and regularisation are isotropic,
however anisotropic or oblique the images are.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.arrays import array_of, tensor_of
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.sampling import sample

# Standard deviation of the Gaussian before sampling at a coarser spacing, in voxels of that spacing.
_ANTIALIAS_SIGMA = 0.5
# An image ends half a voxel beyond its outermost voxel centres. The margin avoids rounding errors where both grids end at the same place.
_HALF = 0.5 + 1e-3


def to_tensor(image: sitk.Image) -> torch.Tensor:
    """Return a copy of the voxels of a scalar image as a float32 tensor (z, y, x)."""
    return tensor_of(sitk.GetArrayFromImage(image).astype(np.float32, copy=False))


def antialiased(image: sitk.Image, spacing: float) -> sitk.Image:
    """Return the image smoothed along those axes on which ``spacing`` (mm) exceeds its own by more than a fifth."""
    sigmas = [_ANTIALIAS_SIGMA * spacing if spacing > 1.2 * s else 0.0 for s in image.GetSpacing()]
    for axis, sigma in enumerate(sigmas):
        if sigma > 0:
            image = sitk.RecursiveGaussian(image, sigma, False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis)
    return image


def draw(image: sitk.Image, grid: ImageGrid, transform: sitk.Transform | None = None) -> torch.Tensor:
    """Return an image resampled onto a grid of cubic voxels, float32 (z, y, x); smoothed before where the grid is coarser.

    Outside the image its border values are repeated: a constant would make an edge that the patient does not have.

    Args:
        image: float32.
        grid: of the result.
        transform: takes points of the grid to points of the image; None is the identity.
    """
    source = to_tensor(antialiased(image, min(grid.spacing)))
    return sample(source[None], _places(ImageGrid.of(image), grid, transform))[0]


def covered(source: ImageGrid, grid: ImageGrid, transform: sitk.Transform | None = None) -> torch.Tensor:
    """Return the mask of the voxels of ``grid`` that a transform takes into the grid ``source``: 1 inside, 0 outside; float32 (z, y, x)."""
    index = _places(source, grid, transform)
    size = torch.tensor(source.size).view(3, 1, 1, 1)
    return ((index >= -_HALF) & (index <= size - 1 + _HALF)).all(0).float()


def _places(source: ImageGrid, grid: ImageGrid, transform: sitk.Transform | None) -> torch.Tensor:
    """Return the indices in ``source`` (3, z, y, x), components x, y, z, to which a transform takes the voxels of ``grid``."""
    transform = transform or sitk.Transform(3, sitk.sitkIdentity)
    to_index = np.linalg.inv(source.index_to_physical_matrix)
    corner, linear, index = grid.origin, np.eye(3), np.zeros((3, *grid.shape), dtype=np.float32)
    if transform.IsLinear():
        corner, zero = transform.TransformPoint(grid.origin), np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
        linear = np.stack([np.array(transform.TransformPoint(tuple(axis))) - zero for axis in np.eye(3)], axis=1)
    else:
        vectors = DisplacementField.from_transform(transform, grid).vectors
        np.einsum("ab,bzyx->azyx", to_index.astype(np.float32), vectors, out=index)
    first = source.physical_to_index(np.array([corner]))[0]
    step = to_index @ linear @ grid.index_to_physical_matrix
    for component in range(3):
        x, y, z = (step[component, axis] * np.arange(count) for axis, count in enumerate(grid.size))
        index[component] += (first[component] + x[None, None] + y[None, :, None] + z[:, None, None]).astype(np.float32)
    return tensor_of(index)


def field_from_voxels(displacement: torch.Tensor, grid: ImageGrid) -> DisplacementField:
    """Return the field in LPS mm of displacements (3, z, y, x) in voxels along a grid's axes."""
    vectors = array_of(displacement.to("cpu", torch.float32))
    matrix = grid.index_to_physical_matrix.astype(np.float32)
    return DisplacementField(np.einsum("ab,bzyx->azyx", matrix, vectors), grid)
