"""The content of an image: by what is stated, else by intensities and anatomy."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import numpy as np
import SimpleITK as sitk

from deepreg_engine.content.body_part import SeenPart, body_part_of
from deepreg_engine.content.body_shape import BodyShape, air_limit
from deepreg_engine.content.description import MODALITIES, Content
from deepreg_engine.content.hints import Stated, stated
from deepreg_engine.content.modality import SeenModality, modality_of
from deepreg_engine.content.mr_contrast import contrast_of
from deepreg_engine.content.sample import Sample


def image_content(image: sitk.Image, hints: Mapping[str, str] | None = None) -> Content:
    """Return the content of a scalar 3D image.

    Args:
        image: in its own pixel type.
        hints: DICOM keywords (``Modality``), tags (``0008|0060``) or attributes (``DICOM.Modality``) to values; "name" is that of the file.
    """
    return sample_content(Sample.of(image), hints)


def sample_content(sample: Sample, hints: Mapping[str, str] | None = None) -> Content:
    """Return the content of the image of a sample; see :func:`image_content`."""
    steps = content_steps(sample, hints)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def content_steps(sample: Sample, hints: Mapping[str, str] | None = None) -> Generator[float, None, Content]:
    """Find the content of the image of a sample in steps of some hundredths of a second; yields the share that is done."""
    said = stated(hints or {})
    spacing, values = sample.grid.spacing, sample.values
    if values.min() == values.max():
        return Content("unknown", "", "unknown", sample.extent_mm, spacing, (f"every voxel is {float(values.flat[0]):g}",))
    if sample.labels or said.modality == "labels":
        return _labels(sample, spacing)
    yield 0.1
    modality = _modality(said, modality_of(sample))
    yield 0.4
    body = BodyShape.of(sample, air_limit(sample, modality.name == "ct", modality.hounsfield))
    yield 0.6
    part = _part(said, body_part_of(sample, body, modality))
    yield 0.8
    contrast, reasons = "", (*modality.reasons, *part.reasons)
    if modality.name == "mr":
        contrast, why = _contrast(said, sample, body, part.name)
        reasons += (why,) if why else ()
    return Content(modality.name, contrast, part.name, body.size_mm, spacing, reasons, bool(modality.certain), bool(part.certain))


def _labels(sample: Sample, spacing: tuple[float, float, float]) -> Content:
    """Return the content of a label map: the extent of its structures."""
    numbers, counts = np.unique(sample.values, return_counts=True)
    background = 0.0 if 0.0 in numbers else float(numbers[np.argmax(counts)])
    inside = sample.values != background
    size = BodyShape(inside, inside, sample.spacing).size_mm
    name = "mask" if sample.labels == 2 else "labels"
    reason = (
        f"it has {sample.labels} values, which are whole numbers, and most neighbouring voxels have the same value"
        if sample.labels
        else "it is stated to be a label map"
    )
    return Content(name, "", "unknown", size, spacing, (reason,), True, True)


def _modality(said: Stated, seen: SeenModality) -> SeenModality:
    """Return the modality that is stated, else the one that is recognised; a name counts only if nothing is recognised."""
    if not said.modality:
        return seen
    if said.by_name:
        return SeenModality(said.modality, False, (*seen.reasons, *said.reasons)) if seen.name == "unknown" else seen
    reasons: tuple[str, ...] = said.reasons
    if seen.certain and seen.name != said.modality:
        reasons += (f"but its values look like {MODALITIES[seen.name]}",)
    return SeenModality(said.modality, True, reasons, seen.hounsfield and said.modality == "ct", seen.anatomy)


def _contrast(said: Stated, sample: Sample, body: BodyShape, part: str) -> tuple[str, str]:
    """Return the contrast of MR that is stated, else the one that is recognised, and why; a name counts only if nothing is recognised."""
    if said.contrast and not said.by_name:
        return said.contrast, ""  # the reason is among those of what is stated
    seen, why = contrast_of(sample, body, part)
    return (seen, why) if seen else (said.contrast, said.reasons[0] if said.contrast else "")


def _part(said: Stated, seen: SeenPart) -> SeenPart:
    """Return the body part that is stated, else the one that is recognised; a name counts only if nothing is recognised."""
    if not said.body_part or (said.by_name and seen.name != "unknown"):
        return seen
    if said.by_name:
        return SeenPart(said.body_part, False, (*seen.reasons, *said.reasons))
    return SeenPart(said.body_part, True, said.reasons)
