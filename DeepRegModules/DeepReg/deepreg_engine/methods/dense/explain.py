"""Explanation of a Dense registration: probabilities of displacements around its result, and their entropy.

The result T takes fixed points x to moving points. The moving image is warped by T, and one more search gives the probability that the
partner of x is T(x + d) instead of T(x), for all displacements d of the search, in the fixed image's frame. Costs, min-convolution, mean
field and softmax are those of the Dense method (:mod:`search_costs`, :mod:`mean_field`, :mod:`labels`) with the parameters of the run;
if T is the transform before a stage, the probabilities equal those of the stage.

    p(x, .) = softmax(-sharpness s(x, .)),   H(x) = -sum_d p(x, d) log2 p(x, d)

The costs s are interpolated linearly between the eight control points around x. Only the neighbourhood of x that influences them is
computed, and maps slab by slab, so that the costs of a whole image are never in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.arrays import array_of, new_tensor
from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid, triple
from deepreg_engine.methods.common.explain import FINE, FINE_RADIUS, SLAB_VALUES, ImageExplanation
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.plan import PATCH, REACH, Counts, Level, Search, make_plan, padding_voxels
from deepreg_engine.methods.dense.presets import DENSE_PRESETS
from deepreg_engine.methods.dense.search_costs import SearchCosts, Weights, control_grid, first_control
from deepreg_engine.progress import Progress, no_progress
from deepreg_engine.solvers.labels import as_rows, expected_displacement, probabilities
from deepreg_engine.solvers.mean_field import regularise

# Radius, in control points, of one iteration of the mean field.
_MEAN_FIELD_RADIUS = 2


@dataclass(frozen=True)
class Stage:
    """A set of displacements with probabilities.

    Args:
        name: "search 1", "search 2", ... as in the run, or "fine": steps of one voxel of the finest resolution (or of the finest with a
            million voxels) at the control point spacing of the run.
        spacing: voxel size, mm.
        search: control points and displacements, in voxels.
    """

    name: str
    spacing: float
    search: Search

    @property
    def step(self) -> float:
        """Distance of neighbouring displacements, mm."""
        return self.search.step * self.spacing

    @property
    def labels(self) -> int:
        """Number of displacements."""
        return (2 * self.search.radius + 1) ** 3

    def describe(self) -> dict:
        """Return the stage in figures, for the worker's answer."""
        return {
            "name": self.name,
            "step_mm": self.step,
            "range_mm": self.step * self.search.radius,
            "control_mm": self.search.control * self.spacing,
            "labels": self.labels,
            "most_bits": float(np.log2(self.labels)),
        }


@dataclass(frozen=True)
class PointExplanation:
    """Probabilities of the displacements at one point.

    Args:
        probability: of each displacement (L, L, L), axes z, y, x of the grid; sums to 1.
        grid: the displaced points x + d, LPS mm; its spacing is the step.
        likeliest: displacement of the highest probability (3,), LPS mm.
        expected: mean displacement (3,), LPS mm.
        deviation: root of the trace of the covariance, mm.
        bits: entropy; at most ``most_bits``.
        peak: highest probability.
        at_result: probability of the displacement 0.
    """

    probability: np.ndarray
    grid: ImageGrid
    likeliest: np.ndarray
    expected: np.ndarray
    deviation: float
    bits: float
    most_bits: float
    peak: float
    at_result: float


class DenseExplanation(ImageExplanation[DenseParameters]):
    """Probabilities of displacements around a result of the Dense method, their entropy, and the features as colours."""

    presets = DENSE_PRESETS

    def __init__(
        self,
        pair: ImagePair,
        transform: sitk.Transform,
        parameters: DenseParameters,
        device: str = "auto",
        progress: Progress | None = None,
    ) -> None:
        super().__init__(pair, transform, parameters, device, progress)
        self._costs: dict[str, SearchCosts] = {}
        self._weights = Weights.of(parameters)

    def _resolutions(self) -> dict[str, tuple[ImageGrid, float]]:
        self._plan: list[Level] = make_plan(self.fixed_grid, self.parameters)
        fine = super()._resolutions()
        return {"search": (self._plan[0].grid, REACH * self.parameters.capture_range), **fine} if self._plan[0].searches else fine

    def _control_voxels(self, spacing: float) -> float:
        return max(PATCH, self.parameters.control_spacing / spacing)

    def stages(self) -> list[Stage]:
        """Return the searches of the run, coarse to fine, and the fine one."""
        searches = self._plan[0].searches
        found = [Stage(f"search {number}", self._plan[0].spacing, search) for number, search in enumerate(searches, start=1)]
        fine = self._grids[FINE][0].spacing[0]
        control = max(PATCH, round(self.parameters.control_spacing / fine))
        return [*found, Stage(FINE, fine, Search(control, 1, FINE_RADIUS))]

    def stage(self, name: str) -> Stage:
        """Return a stage by name; "" is the last search of the run, or the fine stage if the run has no search.

        Raises:
            ParameterError: if there is none.
        """
        stages = self.stages()
        if not name:
            return stages[-2] if len(stages) > 1 else stages[-1]
        for stage in stages:
            if stage.name == name:
                return stage
        raise ParameterError(f"there is no stage {name!r}", f"there are {', '.join(stage.name for stage in stages)}", "stage")

    @torch.no_grad()
    def at(self, point: np.ndarray, stage: str = "") -> PointExplanation:
        """Return the probabilities of displacements at a fixed point (3,), LPS mm.

        Raises:
            InputError: if it lies outside the fixed image.
            ParameterError: if there is no such stage.
        """
        point = np.asarray(point, dtype=np.float64).reshape(3)
        if not np.isfinite(point).all() or not self.fixed_grid.contains(point[None])[0]:
            raise InputError("the point lies outside the fixed image", "choose one inside")
        chosen = self.stage(stage)
        costs, grid = self._stage_costs(chosen), self._grid(chosen)
        index = (grid.physical_to_index(point[None])[0][::-1] - first_control()) / chosen.search.control  # z, y, x
        index = np.clip(index, 0.0, np.array(costs.counts) - 1.0)
        lower = np.minimum(np.floor(index).astype(int), np.array(costs.counts) - 2)
        smooth, first = self._smooth(costs, triple(lower.tolist()), triple((lower + 2).tolist()))
        at = tuple(slice(low - begin, low - begin + 2) for low, begin in zip(lower.tolist(), first, strict=True))
        corners = smooth[at[0], at[1], ..., at[2]]
        share = new_tensor(index - lower, dtype=smooth.dtype, device=smooth.device)
        for axis, weight in ((0, share[0]), (0, share[1]), (-1, share[2])):
            corners = torch.lerp(corners.select(axis, 0), corners.select(axis, 1), weight)
        probability = probabilities(corners[None, None, ..., None], self._weights.sharpness)
        return self._explained(probability, point, chosen, grid)

    @torch.no_grad()
    def maps(self, stage: str = "", progress: Progress | None = None) -> tuple[np.ndarray, np.ndarray, ImageGrid]:
        """Return entropy (z, y, x), bits, and length of the expected displacement (z, y, x), mm, at all control points, and their grid.

        Raises:
            ParameterError: if there is no such stage.
        """
        progress = progress or no_progress
        chosen = self.stage(stage)
        costs = self._stage_costs(chosen)
        bits, lengths = np.empty(costs.counts, dtype=np.float32), np.empty(costs.counts, dtype=np.float32)
        depth = costs.counts[0]
        for start, stop in self._slabs(costs, chosen):
            progress(start / depth, "probabilities of all control points")
            smooth, first = self._smooth(costs, (start, 0, 0), (stop, costs.counts[1], costs.counts[2]))
            probability = probabilities(smooth[start - first[0] : stop - first[0]], self._weights.sharpness)
            bits[start:stop] = array_of(entropy_bits(probability))
            lengths[start:stop] = array_of(expected_displacement(probability).norm(dim=0) * chosen.step)
        return bits, lengths, control_grid(self._grid(chosen), chosen.search, costs.counts)

    def _slabs(self, costs: SearchCosts, stage: Stage) -> Iterator[tuple[int, int]]:
        depth = costs.counts[0]
        thick = max(1, int(SLAB_VALUES / (costs.counts[1] * costs.counts[2] * stage.labels)))
        thick = max(thick, 2 * self._margin)  # at most half of the control points are computed twice
        for start in range(0, depth, thick):
            yield start, min(start + thick, depth)

    @property
    def _margin(self) -> int:
        return _MEAN_FIELD_RADIUS * self.parameters.mean_field_passes

    def _grid(self, stage: Stage) -> ImageGrid:
        return self._grids[FINE if stage.name == FINE else "search"][0]

    def _stage_costs(self, stage: Stage) -> SearchCosts:
        if stage.name not in self._costs:
            level = Level(self._grid(stage), (stage.search,), 0, PATCH)
            padding = padding_voxels(level, stage.search, self._extractors[0].reach)
            data = self._level(FINE if stage.name == FINE else "search")
            self._costs[stage.name] = SearchCosts(
                data,
                self._zero_field(data.grid),
                stage.search,
                padding,
                self.parameters.truncation or self._extractors[0].kind.ceiling,
                self._weights,
                save_memory=True,
            )
        return self._costs[stage.name]

    def _smooth(self, costs: SearchCosts, low: Counts, high: Counts) -> tuple[torch.Tensor, Counts]:
        """Return the regularised costs of a box of control points with a margin, and the index of the first of them."""
        first = triple(max(0, index - self._margin) for index in low)
        last = triple(min(count, index + self._margin) for index, count in zip(high, costs.counts, strict=True))
        cost, confidence = costs.costs(first, last)
        return regularise(cost, self.parameters.mean_field_passes, self._weights.mixing, confidence), first

    def _explained(self, probability: torch.Tensor, point: np.ndarray, stage: Stage, grid: ImageGrid) -> PointExplanation:
        radius, step = stage.search.radius, stage.step
        labels = 2 * radius + 1
        origin = triple(point - grid.axes @ np.full(3, step * radius))
        around = ImageGrid((labels, labels, labels), (step, step, step), origin, grid.direction)
        bits = float(entropy_bits(probability)[0, 0, 0])
        array = array_of(probability)[0, 0, ..., 0].astype(np.float64)
        array /= array.sum()
        best = np.array(np.unravel_index(int(array.argmax()), array.shape))[::-1] - radius
        steps = np.arange(-radius, radius + 1)
        sums = [array.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in (2, 1, 0)]
        mean = np.array([float(share @ steps) for share in sums])
        variance = sum(float(share @ steps**2) for share in sums) - float(mean @ mean)
        return PointExplanation(
            probability=array.astype(np.float32),
            grid=around,
            likeliest=grid.axes @ (best * step),
            expected=grid.axes @ (mean * step),
            deviation=step * max(variance, 0.0) ** 0.5,
            bits=bits,
            most_bits=float(np.log2(stage.labels)),
            peak=float(array.max()),
            at_result=float(array[radius, radius, radius]),
        )


def entropy_bits(probability: torch.Tensor) -> torch.Tensor:
    """Return entropy (Kz, Ky, Kx), bits, of label probabilities (Kz, Ky, L, L, L, Kx), between 0 and log2 L^3."""
    rows = as_rows(probability)
    bits = -torch.xlogy(rows, rows).sum(1) / float(np.log(2.0))
    return bits.view(probability.shape[0], probability.shape[1], probability.shape[5]).clamp(min=0.0)
