"""Training examples for features of the Dense method's search: two labelled scans, or one scan and itself.

A pair is aligned as in a registration; then the moving side gets a random affine map and a smooth deformation. An example holds a cube of
control points of the fixed side, and the part of the moving side that their displacements can reach. Both get intensity augmentation:
noise, bias field, and, for features of any contrast, a random curve over the intensities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from deepreg_engine.arrays import tensor_of
from deepreg_engine.errors import EngineError
from deepreg_engine.features.context_net import STRIDE
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.sampling import identity, sample
from deepreg_engine.methods.common.affine import align
from deepreg_engine.solvers.descent import smooth
from deepreg_engine.training.augmentation.draws import RandomDraws, interpolated
from deepreg_engine.training.augmentation.spatial import mapped, nearest_labels, random_linear
from deepreg_engine.training.dense.parameters import DenseTraining
from deepreg_engine.training.dense.scans import TrainingScan
from deepreg_engine.training.example_loader import NumberedExamples, TrainingExample

# Nodes of the features between two control points: a search has as many voxels there.
CONTROL = 2
# Standard deviations of the error of a registration's alignment: of the affine map's entries (as in the paper) and of the shift, in nodes.
_AFFINE, _SHIFT = 0.0375, 1.0
# Standard deviation of rotations and scalings that both sides share.
_POSE = 0.12


@dataclass(frozen=True)
class SearchExample(TrainingExample):
    """One training example, on nodes of the features.

    Args:
        fixed: intensities (z, y, x), three voxels a node.
        moving: the same, larger by the radius of the search at each face.
        fixed_labels, moving_labels: of the scans at the nodes.
        step: of the displacements, in nodes.
        truth: displacement of the control points (3, K, K, K) in steps, components x, y, z; None between two scans.
    """

    fixed: Tensor
    moving: Tensor
    fixed_labels: Tensor
    moving_labels: Tensor
    step: int
    truth: Tensor | None


class SearchExamples(NumberedExamples):
    """Examples of the search, by number.

    Args:
        scans: to learn from.
        options: of the training.
        seed: of all random numbers, with an example's number.
    """

    def __init__(self, scans: list[TrainingScan], options: DenseTraining, seed: int) -> None:
        super().__init__(options, seed)
        self._scans = scans
        self._alignments: dict[tuple[int, int], np.ndarray] = {}

    def __getitem__(self, number: int) -> SearchExample:
        draws, options, scans = RandomDraws(self.generator(number)), self._options, self._scans
        alone = len(scans) == 1 or draws.uniform(0.0, 1.0) < options.same
        fixed = draws.integer(len(scans))
        moving = fixed if alone else (fixed + 1 + draws.integer(len(scans) - 1)) % len(scans)
        step = 1 + draws.integer(2)
        nodes = options.controls * CONTROL
        reach = options.radius * step
        outer = nodes + 2 * reach
        centre = _centre(draws, scans[fixed])
        # Nodes of the moving side in voxels of the fixed scan, before the deformation: both sides have the same pose.
        pose = random_linear(draws, _POSE) * STRIDE
        index = identity((outer,) * 3, torch.zeros(1)).double() - 0.5 * (outer - 1)
        inner = (slice(None), *(slice(reach, reach + nodes),) * 3)
        affine = torch.eye(3, dtype=torch.float64) + _AFFINE * draws.normal(3, 3, dtype=torch.float64)
        shift = _SHIFT * draws.normal(3, dtype=torch.float64)
        moved = mapped(affine, shift, index) + self._deformation(draws, outer, nodes, step)
        across = tensor_of(self.between(fixed, moving))
        sides = (
            (scans[fixed], mapped(pose, centre, index[inner])),
            (scans[moving], mapped(across[:3, :3], across[:3, 3], mapped(pose, centre, moved))),
        )
        images = [scan.view(draws, _between_nodes(positions), options) for scan, positions in sides]
        labels = [nearest_labels(scan.labels, positions) for scan, positions in sides]
        return SearchExample(images[0], images[1], labels[0], labels[1], step, self._truth(moved, reach, step) if alone else None)

    def between(self, fixed: int, moving: int) -> np.ndarray:
        """Return the affine map (4, 4) from voxels of one scan to voxels of another, as a registration aligns them; computed once."""
        key = fixed, moving
        if key not in self._alignments:
            one, other = self._scans[fixed], self._scans[moving]
            if fixed == moving:
                matrix = np.eye(4)
            else:
                try:
                    matrix = _homogeneous(align(one.small, other.small, self._options.initial).transform)
                except EngineError:  # no overlap: the centres are aligned
                    matrix = _homogeneous(align(one.small, other.small, "geometry").transform)
            self._alignments[key] = np.linalg.inv(_of_grid(other.grid)) @ matrix @ _of_grid(one.grid)
        return self._alignments[key]

    def _deformation(self, draws: RandomDraws, outer: int, nodes: int, step: int) -> Tensor:
        """Return a smooth random displacement (3, z, y, x), in nodes, within the capture range of the search and without folds."""
        amplitude = self._options.motion * self._options.radius * step * draws.uniform(0.0, 1.0)
        field = torch.zeros(3, outer, outer, outer)
        for count, share in ((3, 1.0), (6, 0.35)):
            field += share * draws.smooth_noise(3, count, (outer,) * 3)
        field = smooth(field, 1.5)
        root = field.square().sum(0).mean().sqrt().clamp(min=1e-6)
        return (field * (min(amplitude, 0.12 * nodes) / root)).double()

    def _truth(self, moved: Tensor, reach: int, step: int) -> Tensor:
        """Return the true displacements of the control points (3, K, K, K), in steps: from a control point of the fixed side to the same
        tissue on the moving nodes."""
        # The moving side shows at node y what the fixed frame has at moved(y): y is needed with moved(y) = x.
        outer = moved.shape[1]
        index = identity((outer,) * 3, torch.zeros(1))
        backward = (moved - (index - 0.5 * (outer - 1))).float()
        where = index.clone()
        for _ in range(12):  # fixed-point iteration; it converges as the deformation is small where it is steep
            where = index - sample(backward, where)
        centres = torch.arange(self._options.controls, dtype=torch.float64) * CONTROL + reach + 0.5 * (CONTROL - 1)
        z, y, x = torch.meshgrid(centres, centres, centres, indexing="ij")
        return sample(where - index, torch.stack([x, y, z]).float()) / step


def _centre(draws: RandomDraws, scan: TrainingScan) -> Tensor:
    """Return the centre of an example (3,), voxels: near a labelled voxel."""
    found = scan.labels.nonzero()
    return found[draws.integer(len(found))].flip(0).double() + 8.0 * draws.normal(3, dtype=torch.float64)


def _between_nodes(positions: Tensor) -> Tensor:
    """Return the positions of nodes (3, n, n, n) and of the voxels between them, float32."""
    return interpolated(positions[None].float(), tuple(STRIDE * (n - 1) + 1 for n in positions.shape[1:]))


def _of_grid(grid: ImageGrid) -> np.ndarray:
    """Return the map (4, 4) from voxels to LPS mm."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = grid.index_to_physical_matrix, grid.origin
    return matrix


def _homogeneous(transform: sitk.Transform) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        matrix[:3, axis] = np.array(transform.TransformPoint(tuple(np.eye(3)[axis]))) - matrix[:3, 3]
    return matrix
