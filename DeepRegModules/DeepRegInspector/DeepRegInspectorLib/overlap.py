"""The overlap of structures before and after a registration, computed by the worker."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer.errors import NodeError
from deepreg_slicer.grid_transforms import gridOf, writeTransform
from deepreg_slicer.labels import isSegmentation, writeComparison
from deepreg_slicer.worker_task import WorkerTask
from DeepRegInspectorLib.mapping import checkNotBelow


class OverlapTask(WorkerTask):
    """One measurement of overlap; its result is a list of reports with notes, one for each transform.

    Args:
        transforms: nodes, one or two.
        fixedLabels, movingLabels: segmentations or label maps.
        fixedVolume: over which transforms without a grid are sampled; None for the region of the fixed labels.
    """

    operation = "overlap"

    def __init__(self, transforms: list[Any], fixedLabels: Any, movingLabels: Any, fixedVolume: Any) -> None:
        super().__init__()
        self._transforms, self._labels, self._volume = transforms, (fixedLabels, movingLabels), fixedVolume
        self._notes: list[str] = []

    def export(self) -> Generator[float, None, dict[str, Any]]:
        fixed, moving = self._labels
        for side, node in (("fixed", fixed), ("moving", moving)):
            checkNotBelow(node, self._transforms, f"{side}_labels")
        checkNotBelow(self._volume, self._transforms, "fixed")
        region = gridOf(_regionOf(self._volume, fixed))
        comparison = yield from writeComparison(fixed, moving, self.file("labels"))
        self._notes += comparison.notes
        files = []
        for number, transform in enumerate(self._transforms):
            files.append((yield from writeTransform(transform, region, self.file(f"transform{number}"))))
        names = {str(value): name for value, name in comparison.names.items()}
        return {"fixed_labels": comparison.fixed, "moving_labels": comparison.moving, "transforms": files, "names": names}

    def accept(self, value: dict[str, Any]) -> list[dict[str, Any]]:
        return [{**report, "notes": [*self._notes, *value["notes"]]} for report in value["reports"]]


def _regionOf(fixedVolume: Any, fixedLabels: Any) -> Any:
    """Return the volume over which transforms are sampled.

    Raises:
        NodeError: if there is none.
    """
    if fixedVolume is not None:
        return fixedVolume
    if not isSegmentation(fixedLabels):
        return fixedLabels
    reference = fixedLabels.GetNodeReference(fixedLabels.GetReferenceImageGeometryReferenceRole())
    if reference is None:
        raise NodeError(
            _("the fixed segmentation does not name the volume that it belongs to"), _("choose the fixed volume as well"), "fixed"
        )
    return reference
