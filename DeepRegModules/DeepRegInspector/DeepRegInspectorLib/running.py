"""Measurements from scripts: to their end, with the event loop running where the worker computes."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import slicer

from deepreg_slicer.labels import isSegmentation
from deepreg_slicer.volumes import NodeError
from deepreg_slicer.waiting import waitUntilFree
from DeepRegInspectorLib.overlap import OverlapRun


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
    waitUntilFree()
    run = OverlapRun(transforms, fixedLabels, movingLabels, regionOf(fixedVolume, fixedLabels))
    ended: list[tuple[str, Any]] = []
    run.finished.connect(lambda reports: ended.append(("done", reports)))
    run.failed.connect(lambda text: ended.append(("failed", text)))
    run.start()
    while not ended:
        slicer.app.processEvents()
        time.sleep(0.002)
    how, what = ended[0]
    if how == "failed":
        raise RuntimeError(what)
    return what
