"""The evidence for a verdict: the images, the result, the report of the run, and the numbers that are measured on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.composition import linear_matrix
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.verdict.coarse_pair import CoarsePair, coarse_pair
from deepreg_engine.verdict.similarity import best_here, descriptors, mismatch, normalised_information

#: The positions of the moving image that are compared: without a transform, under the alignment alone, and under the whole result.
STAGES = ("start", "alignment", "result")


@dataclass
class Evidence:
    """A registration about which a verdict is made.

    Args:
        report: of the run or of an evaluation, as far as there is one: "notes", "regularity", "landmarks", "overlap", "points", "inverse",
            "inverse_consistency", "stopped".
        images: fixed and moving; None for points without images.
        field: from fixed to moving points; None if it was not computed.
        alignment: the transform before the deformation; None if it is not known.
        masks: of the images, on their grids.
        ratings: of the report's figures, see :func:`deepreg_engine.reporting.limits.rate`.
        uncertainty: of a search, mm.
        linear: whether the result is linear: then it is the alignment.
    """

    report: Mapping[str, Any]
    images: tuple[sitk.Image, sitk.Image] | None = None
    field: DisplacementField | None = None
    alignment: sitk.Transform | None = None
    masks: tuple[sitk.Image | None, sitk.Image | None] = (None, None)
    ratings: Sequence[Mapping[str, Any]] = ()
    uncertainty: sitk.Image | None = None
    linear: bool = False

    @cached_property
    def measures(self) -> dict[str, float]:
        """All numbers that can be measured, by name."""
        return {**self._of_alignment(), **self._of_images(), **self._of_search()}

    def _of_alignment(self) -> dict[str, float]:
        """Return the largest stretch of a linear alignment, a factor of 1 or more."""
        matrix = None if self.alignment is None else linear_matrix(self.alignment)
        if matrix is None:
            return {}
        singular = np.linalg.svd(matrix[:3, :3], compute_uv=False)
        return {"stretch": float(np.exp(np.abs(np.log(np.maximum(singular, 1e-9))).max()))}

    def _of_images(self) -> dict[str, float]:
        if self.images is None or self.field is None:
            return {}
        alignment = self.alignment if self.alignment is not None and self.alignment.IsLinear() and not self.linear else None
        pair = coarse_pair(self.images, self.masks, self.field, alignment)
        covered = {stage: float(inside[pair.body].mean()) for stage, inside in pair.inside.items()}
        found = {"covered": covered["result"], "covered_start": covered["start"], "moved_mm": pair.moved_mm}
        found["voxel_mm"] = float(np.prod(pair.grid.spacing) ** (1 / 3))
        fixed = descriptors(pair.fixed)
        for stage in pair.moving:
            found.update(_agreement(pair, fixed, stage))
        return found

    def _of_search(self) -> dict[str, float]:
        """Return the median uncertainty of a search in steps of the search."""
        steps = [stage["step_mm"] for stage in self.report.get("stages", ()) if "step_mm" in stage]
        if self.uncertainty is None or not steps:
            return {}
        return {"uncertainty_steps": float(np.median(sitk.GetArrayViewFromImage(self.uncertainty)[::3, ::3, ::3])) / steps[-1]}


def _agreement(pair: CoarsePair, fixed: np.ndarray, stage: str) -> dict[str, float]:
    """Return the measures of agreement at one stage; none where the images hardly overlap.

    Args:
        pair: the pair.
        fixed: descriptors (C, z, y, x) of the fixed image.
        stage: one of :data:`STAGES`.
    """
    mask = pair.body & pair.inside[stage]
    moving = descriptors(pair.moving[stage])
    found = {f"information_{stage}": normalised_information(pair.fixed, pair.moving[stage], mask)}
    found[f"mismatch_{stage}"] = mismatch(fixed, moving, mask)
    if stage != "start":
        found[f"best_{stage}"] = best_here(fixed, moving, mask)
    return {name: value for name, value in found.items() if np.isfinite(value)}
