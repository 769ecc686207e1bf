"""Plain implementations of the papers' formulas: slow, and easy to check by eye.

Tests compare the engine with these, and ``Testing/benchmarks/solver_core.py`` times it against them. Nothing here imports the
engine. A cost volume is (Kz, Ky, Kx, Lz, Ly, Lx) here: one block of labels for each control point, as in the papers.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
import torch.nn.functional as F

# ------------------------------------------------------------------------------------------------------------- coordinates


def places(voxels, size):
    """Positions in voxels along an axis of ``size`` voxels in grid_sample's coordinates: -1 is the first voxel, 1 the last."""
    return 2.0 * voxels / (size - 1) - 1.0


def lengths(voxels, size):
    """Displacements in voxels in the same coordinates."""
    return 2.0 * voxels / (size - 1)


def lattice(axes):
    """Points (z, y, x, 3), components x, y, z, of coordinates along the axes z, y, x."""
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z], dim=-1)


def lookup(volume, points):
    """Trilinear values (C, ...) of a volume (C, Z, Y, X), held at its faces, at normalised points (..., 3)."""
    values = F.grid_sample(volume[None], points.reshape(1, -1, 1, 1, 3), padding_mode="border", align_corners=True)
    return values.view(len(volume), *points.shape[:-1])


# ------------------------------------------------------------------------------------------------- cost and regularisation


def correlation(fixed, moving, controls, displacements):
    """c(k, d) = sum over channels of (F(k) - M(k + d))^2, one lookup for each control point and displacement.

    Args:
        fixed: features at the control points (C, Kz, Ky, Kx).
        moving: features (C, Z, Y, X).
        controls: normalised coordinates of the control points along z, y, x.
        displacements: normalised lengths of the labels along z, y, x.
    """
    shift = lattice(displacements)
    cost = fixed.new_empty(*fixed.shape[1:], *shift.shape[:3])
    for k, z in enumerate(controls[0]):
        points = lattice((z[None], controls[1], controls[2]))[0]
        values = lookup(moving, points[:, :, None, None, None] + shift)
        cost[k] = (fixed[:, k, :, :, None, None, None] - values).pow(2).sum(0)
    return cost


def min_convolution(cost):
    """Minimum over 3^3 labels after replicate padding, then two averages over 3^3."""
    padded = F.pad(cost.flatten(0, 2)[None], (3,) * 6, mode="replicate")
    lowest = -F.max_pool3d(-padded, 3, stride=1)
    return F.avg_pool3d(F.avg_pool3d(lowest, 3, stride=1), 3, stride=1).view(cost.shape)


def mean_field(cost):
    """For each label two averages over 3^3 control points, the volume replicated at its faces."""
    labels = cost.permute(3, 4, 5, 0, 1, 2)
    padded = F.pad(labels.flatten(0, 2)[None], (2,) * 6, mode="replicate")
    averaged = F.avg_pool3d(F.avg_pool3d(padded, 3, stride=1), 3, stride=1)
    return averaged.view(labels.shape).permute(3, 4, 5, 0, 1, 2)


def regularised(cost, passes, own, message, offset):
    """s = MF(MC(c0)), then c1 = a4 + a2 c0 + a3 s and s = MF(MC(c1)), and so on."""
    smooth = mean_field(min_convolution(cost))
    for _ in range(passes - 1):
        smooth = mean_field(min_convolution(offset + own * cost + message * smooth))
    return smooth


def probabilities(cost, sharpness):
    """softmax(-a5 s) over the labels of each control point."""
    return torch.softmax(-sharpness * cost.flatten(3), dim=3).view(cost.shape)


def expected_displacement(probability):
    """sum over labels of p(k, d) d, in steps: (Kz, Ky, Kx, 3), components x, y, z."""
    radius = (probability.shape[3] - 1) // 2
    steps = torch.arange(-radius, radius + 1, dtype=probability.dtype, device=probability.device)
    return probability.flatten(3) @ lattice((steps, steps, steps)).view(-1, 3)


# ---------------------------------------------------------------------------------------------------------------- features

# The six neighbours of a voxel, z, y, x, and all pairs of them that are sqrt(2) apart.
SIX = [offset for offset in itertools.product((-1, 0, 1), repeat=3) if np.abs(offset).sum() == 1]
SSC_PAIRS = {frozenset(pair) for pair in itertools.combinations(SIX, 2) if np.square(np.subtract(*pair)).sum() == 2}


def mind_ssc(image, pairs, radius, dilation):
    """exp(-D / V) for pairs of neighbours, with numpy (len(pairs), z, y, x).

    Args:
        image: (z, y, x).
        pairs: of offsets z, y, x.
        radius: of the patch over which squared differences are averaged.
        dilation: of the neighbours.
    """

    def shifted(array, offset):
        return array[np.ix_(*(np.clip(np.arange(n) + o, 0, n - 1) for n, o in zip(array.shape, offset, strict=True)))]

    patch = list(itertools.product(range(-radius, radius + 1), repeat=3))
    distances = []
    for first, second in pairs:
        squared = (shifted(image, dilation * np.array(first)) - shifted(image, dilation * np.array(second))) ** 2
        distances.append(sum(shifted(squared, offset) for offset in patch) / len(patch))
    distances = np.stack(distances)
    distances = distances - distances.min(axis=0)
    variance = distances.mean(axis=0)
    variance = np.clip(variance, 0.001 * variance.mean(), 1000.0 * variance.mean())
    return np.exp(-distances / variance)


def obelisk(image, state):
    """The Obelisk network of the Dense method, from the weights by their published names.

    Args:
        image: (1, 1, D, H, W).
        state: name to tensor.
    """

    def normalised(x, name):
        moments = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.batch_norm(x, *moments, state[f"{name}.weight"], state[f"{name}.bias"])

    x = F.avg_pool3d(image, 3, stride=2, padding=1)
    x = F.relu(normalised(F.conv3d(x, state["layer0.weight"], stride=2, padding=2), "batch0"))
    nodes = [n // 3 for n in image.shape[2:]]
    grid = F.affine_grid(torch.eye(3, 4)[None], (1, 1, *nodes), align_corners=True).view(1, 1, -1, 1, 3)
    first, second = state["offsets"].view(2, 1, -1, 1, 1, 3)
    x = F.grid_sample(x, grid + first, align_corners=True) - F.grid_sample(x, grid + second, align_corners=True)
    x = x.view(1, -1, *nodes)
    groups = x.shape[1] // state["layer1.weight"].shape[1]
    x = F.relu(normalised(F.conv3d(x, state["layer1.weight"], groups=groups), "batch1"))
    x = F.relu(normalised(F.conv3d(x, state["layer2.weight"], padding=1), "batch2"))
    return F.conv3d(x, state["layer3.weight"], state["layer3.bias"])


# -------------------------------------------------------------------------------------------------------------- smoothness


def bending_energy(field):
    """1/2 sum of u_xx^2 + u_yy^2 + u_zz^2 + 2 u_xy^2 + 2 u_xz^2 + 2 u_yz^2 of a field (3, z, y, x), inside the grid."""
    total = sum(field.diff(n=2, dim=axis).pow(2).sum() for axis in (1, 2, 3) if field.shape[axis] > 2)
    total = total + sum(2.0 * field.diff(dim=a).diff(dim=b).pow(2).sum() for a, b in ((1, 2), (1, 3), (2, 3)))
    return 0.5 * total
