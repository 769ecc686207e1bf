"""Overlap of structures before and after, computed by the worker."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from deepreg_slicer.labels import writeComparison
from deepreg_slicer.transforms import writeFromParent, writeVectors
from deepreg_slicer.volumes import NodeError
from DeepRegInspectorLib.mapping import FLIP, gridOf, isBelow, ownGrid
from DeepRegInspectorLib.worker_run import WorkerRun


def writeTransform(transform: Any, fixed: Any, path: str) -> Generator[float, None, str]:
    """Write what a transform does to fixed points: as it is if it is linear or a field, else sampled over the fixed segmentation."""
    own = ownGrid(transform)
    if own is None:
        return (yield from writeFromParent(transform, fixed, path))
    vectors, geometry = own
    yield from writeVectors(f"{path}.nrrd", (vectors.reshape(-1, 3) * FLIP).astype("float32"), geometry)
    return f"{path}.nrrd"


class OverlapRun(WorkerRun):
    """One measurement of overlap; its result are the reports, one a transform.

    Args:
        transforms: nodes, one or two.
        fixedLabels, movingLabels: segmentations or label maps.
        region: volume over which transforms without a grid are sampled.
    """

    operation = "overlap"

    def __init__(self, transforms: list[Any], fixedLabels: Any, movingLabels: Any, region: Any) -> None:
        super().__init__()
        self._transforms, self._labels, self._region = transforms, (fixedLabels, movingLabels), region

    def export(self) -> Generator[float, None, dict[str, Any]]:
        fixed, moving = self._labels
        if any(isBelow(moving, transform) for transform in self._transforms):
            raise NodeError(f"{moving.GetName()} is under the transform already: take it out to measure")
        comparison = yield from writeComparison(fixed, moving, self.file("labels"))
        files = []
        for number, transform in enumerate(self._transforms):
            files.append((yield from writeTransform(transform, gridOf(self._region), self.file(f"transform{number}"))))
        names = {str(value): name for value, name in comparison.names.items()}
        return {"fixed_labels": comparison.fixed, "moving_labels": comparison.moving, "transforms": files, "names": names}

    def result(self, found: dict[str, Any]) -> list[dict[str, Any]]:
        return found["reports"]
