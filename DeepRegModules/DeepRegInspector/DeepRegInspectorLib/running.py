"""Measurements from scripts: to their end, with the event loop running where the worker computes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from deepreg_slicer.labels import isSegmentation
from deepreg_slicer.volumes import NodeError
from DeepRegInspectorLib.overlap import OverlapRun
from DeepRegInspectorLib.worker_run import waitForRun


def exhaust(work: Generator[Any, None, Any]) -> Any:
    """Run a generator to its end; returns what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def regionOf(fixedVolume: Any, fixedLabels: Any) -> Any:
    """The volume over which transforms are sampled.

    Raises:
        NodeError: if there is none.
    """
    if fixedVolume is not None:
        return fixedVolume
    if isSegmentation(fixedLabels):
        reference = fixedLabels.GetNodeReference(fixedLabels.GetReferenceImageGeometryReferenceRole())
        if reference is None:
            raise NodeError("give the fixed volume: the fixed segmentation does not say to which volume it belongs")
        return reference
    return fixedLabels


def overlapOf(transforms: list[Any], fixedLabels: Any, movingLabels: Any, fixedVolume: Any) -> list[dict[str, Any]]:
    """Reports of overlap under several transforms.

    Raises:
        RuntimeError: with a text that says what to do.
    """
    return waitForRun(OverlapRun(transforms, fixedLabels, movingLabels, regionOf(fixedVolume, fixedLabels)))
