"""Overlap of labels under one or several transforms, from files to figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deepreg_engine.geometry.images import read_labels
from deepreg_engine.geometry.transform_files import read_transform
from deepreg_engine.metrics.overlap import overlap_report


@dataclass(frozen=True)
class OverlapRequest:
    """What to compare.

    Args:
        fixed_labels, moving_labels: label maps in which the same structure has the same number.
        transforms: files; each takes fixed points to moving points.
        names: of the labels, their numbers as text.
    """

    fixed_labels: str
    moving_labels: str
    transforms: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def run_overlap(request: OverlapRequest, progress: Callable[[float, str], None] = lambda share, stage: None) -> dict:
    """The overlap under each transform, ``reports``: see :func:`overlap_report`; without transforms one report of the labels as they are."""
    progress(0.02, "reading the labels")
    fixed, moving = read_labels(request.fixed_labels, "fixed labels"), read_labels(request.moving_labels, "moving labels")
    names = {int(number): name for number, name in request.names.items()}
    files = request.transforms or [None]
    reports = []
    for number, file in enumerate(files):
        progress(0.1 + 0.9 * number / len(files), "comparing labels")
        reports.append(overlap_report(read_transform(file) if file else None, fixed, moving, names))
    return {"reports": reports}
