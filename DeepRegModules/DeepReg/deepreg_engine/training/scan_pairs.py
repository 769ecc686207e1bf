"""Training examples for the Dense method: two labelled scans, or one against itself, as the search of a registration sees them.

A pair is aligned as a registration aligns it, then the moving side is turned, stretched, moved and bent by chance. Of the fixed side a cube of
control points is cut out, of the moving side all that their displacements may reach. Both are seen through random scanners: noise, bias
field, and, for features of any contrast, a random curve over the intensities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from torch import Tensor

from deepreg_engine.errors import EngineError
from deepreg_engine.features.context_net import STRIDE
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.sampling import identity, sample
from deepreg_engine.methods.common.affine import align
from deepreg_engine.solvers.descent import smooth
from deepreg_engine.training.looks import Chance, mapped, nearest_labels
from deepreg_engine.training.options import DenseTraining
from deepreg_engine.training.supply import ScanExamples
from deepreg_engine.training.training_scans import TrainingScan

# Nodes of the features between two control points: a search has as many voxels there.
CONTROL = 2
# Standard deviations of what a registration's alignment leaves, of the affine part's entries (the paper: 0.0375) and of the shift, in nodes.
_AFFINE, _SHIFT = 0.0375, 1.0
# Standard deviation of turns and stretches that both sides share.
_POSE = 0.12


@dataclass(frozen=True)
class PairExample:
    """One training example, on nodes of the features.

    Args:
        fixed: intensities (z, y, x), three voxels a node.
        moving: the same, further by the radius of the search at each face.
        fixed_labels, moving_labels: at the nodes, as in the scans.
        step: of the displacements, in nodes.
        truth: displacement of the control points (3, K, K, K) in steps, components x, y, z; None between two scans.
    """

    fixed: Tensor
    moving: Tensor
    fixed_labels: Tensor
    moving_labels: Tensor
    step: int
    truth: Tensor | None

    def to(self, device: torch.device) -> PairExample:
        """The same on a device."""
        return PairExample(**{name: value.to(device) if isinstance(value, Tensor) else value for name, value in vars(self).items()})


class PairExamples(ScanExamples):
    """Draws examples by number."""

    def __init__(self, scans: list[TrainingScan], options: DenseTraining, seed: int) -> None:
        super().__init__(scans, options, seed)
        self._alignments: dict[tuple[int, int], np.ndarray] = {}

    def __getitem__(self, number: int) -> PairExample:
        return _Draw(self, self._scans, self._options, self._generator(number)).example()

    def between(self, fixed: int, moving: int) -> np.ndarray:
        """Takes voxels of one scan to voxels of another (4, 4), as a registration aligns them; computed once."""
        key = fixed, moving
        if key not in self._alignments:
            one, other = self._scans[fixed], self._scans[moving]
            if fixed == moving:
                matrix = np.eye(4)
            else:
                try:
                    matrix = _homogeneous(align(one.small, other.small, self._options.initial).transform)
                except EngineError:  # no overlap: the centres are as good as anything
                    matrix = _homogeneous(align(one.small, other.small, "geometry").transform)
            self._alignments[key] = np.linalg.inv(_of_grid(other.grid)) @ matrix @ _of_grid(one.grid)
        return self._alignments[key]


class _Draw(Chance):
    """One example."""

    def __init__(self, examples: PairExamples, scans: list[TrainingScan], options: DenseTraining, generator: torch.Generator) -> None:
        super().__init__(options, generator)
        self._examples, self._scans = examples, scans

    def example(self) -> PairExample:
        options = self._options
        alone = len(self._scans) == 1 or self.uniform(0.0, 1.0) < options.same
        fixed = self.pick(len(self._scans))
        moving = fixed if alone else (fixed + 1 + self.pick(len(self._scans) - 1)) % len(self._scans)
        step = 1 + self.pick(2)
        nodes = options.controls * CONTROL
        reach = options.radius * step
        outer = nodes + 2 * reach
        middle = self._middle(self._scans[fixed])
        # Nodes of the moving side in voxels of the fixed scan, before it is bent: turned and stretched together with the fixed side.
        pose = self.linear(_POSE) * STRIDE
        index = identity((outer,) * 3, torch.zeros(1)).double() - 0.5 * (outer - 1)
        inner = (slice(None), *(slice(reach, reach + nodes),) * 3)
        fixed_places = mapped(pose, middle, index[inner])
        affine = torch.eye(3, dtype=torch.float64) + _AFFINE * self.normal(3, 3)
        shift = _SHIFT * self.normal(3)
        moved = torch.einsum("ab,bzyx->azyx", affine, index) + shift.view(3, 1, 1, 1) + self._bend(outer, nodes, step)
        across = torch.from_numpy(self._examples.between(fixed, moving))
        moving_places = mapped(across[:3, :3], across[:3, 3], mapped(pose, middle, moved))
        images = [self.look(self._scans[n], _between_nodes(places)) for n, places in ((fixed, fixed_places), (moving, moving_places))]
        labels = [nearest_labels(self._scans[n].labels, places) for n, places in ((fixed, fixed_places), (moving, moving_places))]
        truth = self._truth(moved, reach, step) if alone else None
        return PairExample(images[0], images[1], labels[0], labels[1], step, truth)

    def _truth(self, moved: Tensor, reach: int, step: int) -> Tensor:
        """Displacements of the control points, in steps: where on the moving nodes lies what the fixed side shows."""
        # The moving side shows at node y what the fixed frame has at moved(y); wanted is y with moved(y) = x.
        outer = moved.shape[1]
        index = identity((outer,) * 3, torch.zeros(1))
        backward = (moved - (index - 0.5 * (outer - 1))).float()
        where = index.clone()
        for _ in range(12):  # a fixed point, as the bend is small where it is steep
            where = index - sample(backward, where)
        centres = torch.arange(self._options.controls, dtype=torch.float64) * CONTROL + reach + 0.5 * (CONTROL - 1)
        z, y, x = torch.meshgrid(centres, centres, centres, indexing="ij")
        return sample(where - index, torch.stack([x, y, z]).float()) / step

    def _middle(self, scan: TrainingScan) -> Tensor:
        """Voxel around which an example is cut out: on a label, about."""
        found = scan.labels.nonzero()
        chosen = found[self.pick(len(found))].flip(0).double()
        return chosen + 8.0 * self.normal(3)

    def _bend(self, outer: int, nodes: int, step: int) -> Tensor:
        """A smooth displacement (3, z, y, x), in nodes: within the search's reach, and without folds."""
        amplitude = self._options.motion * self._options.radius * step * self.uniform(0.0, 1.0)
        field = torch.zeros(3, outer, outer, outer)
        for count, share in ((3, 1.0), (6, 0.35)):
            coarse = torch.randn(1, 3, count, count, count, generator=self.generator)
            part = F.interpolate(coarse, size=(outer,) * 3, mode="trilinear", align_corners=True)[0]
            field += share * part
        field = smooth(field, 1.5)
        root = field.square().sum(0).mean().sqrt().clamp(min=1e-6)
        return (field * (min(amplitude, 0.12 * nodes) / root)).double()


def _between_nodes(places: Tensor) -> Tensor:
    """Places of nodes (3, n, n, n) and of the voxels between them, float32."""
    size = tuple(STRIDE * (n - 1) + 1 for n in places.shape[1:])
    return F.interpolate(places[None].float(), size=size, mode="trilinear", align_corners=True)[0]


def _of_grid(grid: ImageGrid) -> np.ndarray:
    """Takes voxels to LPS mm (4, 4)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = grid.index_to_physical_matrix, grid.origin
    return matrix


def _homogeneous(transform: sitk.Transform) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        matrix[:3, axis] = np.array(transform.TransformPoint(tuple(np.eye(3)[axis]))) - matrix[:3, 3]
    return matrix
