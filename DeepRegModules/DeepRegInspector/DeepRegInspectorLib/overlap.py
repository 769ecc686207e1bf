"""Overlap of structures before and after, computed by the worker."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from typing import Any

from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.labels import writeComparison
from deepreg_slicer.signals import Signal
from deepreg_slicer.transforms import writeFromParent, writeVectors
from deepreg_slicer.volumes import NodeError
from deepreg_slicer.worker_client import workerClient
from DeepRegInspectorLib.mapping import FLIP, gridOf, isBelow, ownGrid


def writeTransform(transform: Any, fixed: Any, path: str) -> Generator[float, None, str]:
    """Write what a transform does to fixed points: as it is if it is linear or a field, else sampled over the fixed segmentation."""
    own = ownGrid(transform)
    if own is None:
        return (yield from writeFromParent(transform, fixed, path))
    vectors, geometry = own
    yield from writeVectors(f"{path}.nrrd", (vectors.reshape(-1, 3) * FLIP).astype("float32"), geometry)
    return f"{path}.nrrd"


class OverlapRun:
    """One measurement of overlap: export, compute, report.

    Args:
        transforms: nodes, one or two.
        fixedLabels, movingLabels: segmentations or label maps.
        region: volume over which transforms without a grid are sampled.

    Signals: ``progressed(fraction)``; at the end one of ``finished(reports)`` and ``failed(text)``.
    """

    def __init__(self, transforms: list[Any], fixedLabels: Any, movingLabels: Any, region: Any) -> None:
        self.progressed, self.finished, self.failed = Signal(), Signal(), Signal()
        self._transforms, self._labels, self._region = transforms, (fixedLabels, movingLabels), region
        self._folder = ""
        self._job: Any = None
        self._work: Cooperative | None = None
        self._client = workerClient()

    def start(self) -> None:
        self._client.acquire(self)
        self._folder = tempfile.mkdtemp(prefix="overlap-", dir=self._client.scratch())
        self._work = Cooperative(self._export())
        self._work.finished.connect(self._submit)
        self._work.failed.connect(lambda error: self._fail(str(error)))
        self._work.start()

    def cancel(self) -> None:
        """End without a report."""
        if self._work is not None:
            self._work.stop()
        if self._job is not None and not self._job.over:
            self._client.cancel(self._job)
        self._close()

    def _export(self) -> Generator[float, None, dict[str, Any]]:
        fixed, moving = self._labels
        if any(isBelow(moving, transform) for transform in self._transforms):
            raise NodeError(f"{moving.GetName()} is under the transform already: take it out to measure")
        comparison = yield from writeComparison(fixed, moving, os.path.join(self._folder, "labels"))
        files = []
        for number, transform in enumerate(self._transforms):
            files.append((yield from writeTransform(transform, gridOf(self._region), os.path.join(self._folder, f"transform{number}"))))
        names = {str(value): name for value, name in comparison.names.items()}
        return {"fixed_labels": comparison.fixed, "moving_labels": comparison.moving, "transforms": files, "names": names}

    def _submit(self, arguments: dict[str, Any]) -> None:
        try:
            self._job = self._client.submit("overlap", arguments)
        except Exception as error:  # noqa: BLE001 - said in the panel
            self._fail(str(error))
            return
        self._job.progressed.connect(lambda fraction, *_: self.progressed.emit(fraction))
        self._job.finished.connect(self._finish)
        self._job.failed.connect(lambda error: self._fail(error.text))

    def _finish(self, result: dict[str, Any]) -> None:
        self._close()
        self.finished.emit(result["reports"])

    def _fail(self, text: str) -> None:
        self._close()
        self.failed.emit(text)

    def _close(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""
            self._client.release(self)
