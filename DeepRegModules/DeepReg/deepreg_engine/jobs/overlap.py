"""Overlap of labels under one or several transforms, from files to figures."""

from __future__ import annotations

from dataclasses import dataclass, field

from deepreg_engine.geometry.transform_files import read_transform
from deepreg_engine.jobs.pair_files import read_label_pair
from deepreg_engine.methods.base import required
from deepreg_engine.metrics.overlap import overlap_note, overlap_report
from deepreg_engine.progress import Progress, no_progress


@dataclass(frozen=True)
class OverlapRequest:
    """What to compare.

    Args:
        fixed_labels, moving_labels: label maps in which the same structure has the same number.
        transforms: files; each maps fixed points to moving points.
        names: of the labels, their numbers as text.
    """

    fixed_labels: str
    moving_labels: str
    transforms: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def run_overlap(request: OverlapRequest, progress: Progress = no_progress) -> dict:
    """Measure the overlap under each transform.

    Returns:
        "reports": one for each transform, see :func:`overlap_report`; without transforms one, of the identity. "notes": on how the files
        were read, and on label maps that may be exchanged or do not belong together.

    Raises:
        EngineError: if a file cannot be used.
    """
    progress(0.02, "reading the labels")
    notes: list[str] = []
    pair, own = read_label_pair(request.fixed_labels, request.moving_labels, notes=notes)
    fixed, moving = required(pair, "label maps")
    names = {int(number): name for number, name in request.names.items()} or own
    files: list[str | None] = [*request.transforms] or [None]
    reports = []
    for number, file in enumerate(files):
        progress(0.1 + 0.9 * number / len(files), "comparing labels")
        transform = read_transform(file, notes=notes) if file else None
        reports.append(overlap_report(transform, fixed, moving, names))
        notes.append(overlap_note(transform, fixed, moving, reports[-1]))
    return {"reports": reports, "notes": list(dict.fromkeys(note for note in notes if note))}
