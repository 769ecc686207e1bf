"""Overlap of the labels of two images: Dice coefficients and surface distances.

For the voxels A and B of one label in two images on the same grid, Dice = 2 |A and B| / (|A| + |B|), from voxel counts
(Dice, Ecology 1945). HD95 and mean surface distance: see :mod:`deepreg_engine.metrics.surfaces`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.geometry.labels import label_array, label_counts, label_numbers
from deepreg_engine.metrics.mapping import Mapping, to_transform
from deepreg_engine.metrics.surfaces import surface_distances

# If the transform raises the mean Dice by the first value, the label maps are not exchanged. They may be exchanged if the mean Dice of the
# exchanged maps is higher by the second value.
_HELPS, _EXCHANGED = 0.05, 0.1


@dataclass(frozen=True)
class LabelOverlap:
    """Overlap of one label in two images.

    Args:
        label: its number.
        dice: 0 to 1; 0 if one image does not have the label.
        hd95: mm; None if one image does not have the label.
        mean_surface_distance: mm; None likewise.
        reference_ml: volume in the first image.
        other_ml: volume in the second image.
    """

    label: int
    dice: float
    hd95: float | None
    mean_surface_distance: float | None
    reference_ml: float
    other_ml: float

    def to_dict(self) -> dict:
        """Return all fields but the label as a dictionary."""
        return {key: value for key, value in vars(self).items() if key != "label"}


def label_overlap(reference: sitk.Image, other: sitk.Image, labels: Iterable[int] | None = None) -> list[LabelOverlap]:
    """Measure the overlap of the labels of two label maps on the same grid; 0 is background.

    Args:
        reference: integer label map.
        other: integer label map on the same grid.
        labels: those to measure; by default all that either image has. A label that neither image has is left out.

    Raises:
        InputError: if the grids differ, or an image is not of an integer type.
    """
    first, second = label_array(reference), label_array(other)
    grid = ImageGrid.of(reference)
    if not grid.same_as(ImageGrid.of(other)):
        raise InputError(
            f"the label maps are on different grids ({grid.describe()}, {ImageGrid.of(other).describe()})", "resample one to the other"
        )
    volume = float(np.prod(grid.spacing)) / 1000.0  # ml
    both = np.where(first == second, first, 0)
    counts, other_counts, common = label_counts(first), label_counts(second), label_counts(both)
    boxes, other_boxes = label_boxes(reference), label_boxes(other)
    present = counts.keys() | other_counts.keys()
    wanted = present if labels is None else present & {int(label) for label in labels}
    overlaps = []
    for label in sorted(wanted - {0}):
        n, m = counts.get(label, 0), other_counts.get(label, 0)
        hd95, mean = None, None
        if n and m:
            box = _union(boxes[label], other_boxes[label])
            hd95, mean = surface_distances(first[box] == label, second[box] == label, grid.spacing)
        overlaps.append(LabelOverlap(label, 2.0 * common.get(label, 0) / (n + m), hd95, mean, n * volume, m * volume))
    return overlaps


def overlap_report(transform: Mapping, fixed_labels: sitk.Image, moving_labels: sitk.Image, names: dict[int, str] | None = None) -> dict:
    """Measure the overlap of labels before and after a registration; the moving labels are resampled to the fixed grid (nearest neighbour).

    Args:
        transform: maps fixed points to moving points; before the registration it is the identity.
        fixed_labels: integer label map.
        moving_labels: integer label map on any grid.
        names: of the labels, for the report.

    Returns:
        "labels": for each label that both have: label, its name if known, and "before" and "after" (dice, hd95,
        mean_surface_distance, reference_ml of the fixed and other_ml of the moving label). "mean_before" and
        "mean_after": means over these labels of dice and the distances; a label that lies outside the fixed grid counts
        with a dice of 0 and is left out of the distances, which are over "distance_labels" labels. "only_in_fixed" and
        "only_in_moving": labels that cannot be compared, and "only_names" their names as far as they are known.

    Raises:
        InputError: if the label maps have no label in common, or are not of an integer type.
    """
    shared, only_in_fixed, only_in_moving = shared_labels(fixed_labels, moving_labels)
    grid = ImageGrid.of(fixed_labels)
    stages = {}
    for stage, mapping in (("before", None), ("after", transform)):
        drawn = resample(moving_labels, grid, to_transform(mapping), "nearest")
        stages[stage] = {overlap.label: overlap for overlap in label_overlap(fixed_labels, drawn, shared)}
    rows = []
    for label in shared:
        name = {"name": names[label]} if names and label in names else {}
        rows.append({"label": label, **name, **{stage: found[label].to_dict() for stage, found in stages.items()}})
    return {
        "labels": rows,
        **{f"mean_{stage}": _means(list(found.values())) for stage, found in stages.items()},
        "only_in_fixed": only_in_fixed,
        "only_in_moving": only_in_moving,
        "only_names": {str(label): names[label] for label in (*only_in_fixed, *only_in_moving) if names and label in names},
    }


def overlap_note(transform: Mapping, fixed_labels: sitk.Image, moving_labels: sitk.Image, found: dict) -> str:
    """Return a note if the structures overlap much better when the label maps are exchanged, or do not overlap at all; else "".

    Args:
        transform, fixed_labels, moving_labels: as for :func:`overlap_report`.
        found: what that function returns for them.
    """
    before, after = found["mean_before"]["dice"], found["mean_after"]["dice"]
    if after < before + _HELPS:  # otherwise they are not exchanged
        exchanged = _mean_dice(transform, moving_labels, fixed_labels, [row["label"] for row in found["labels"]])
        if exchanged >= max(before, after) + _EXCHANGED:
            return (
                f"with fixed and moving labels exchanged their mean Dice would be {exchanged:.2f} instead of {after:.2f}: "
                "the label maps seem to be exchanged, or the transform to map in the other direction"
            )
    if after > 0.0:
        return ""
    return (
        "no structure overlaps its partner after the registration: check that the labels belong to these images, and that a value is the "
        "same structure in both"
    )


def _mean_dice(transform: Mapping, fixed_labels: sitk.Image, moving_labels: sitk.Image, labels: list[int]) -> float:
    """Return the mean Dice coefficient of some labels after a registration."""
    image = resample(moving_labels, ImageGrid.of(fixed_labels), to_transform(transform), "nearest")
    fixed, drawn = label_array(fixed_labels), label_array(image)  # a view does not keep its image
    counts, others, common = label_counts(fixed), label_counts(drawn), label_counts(np.where(fixed == drawn, fixed, 0))
    return float(np.mean([2.0 * common.get(label, 0) / max(counts.get(label, 0) + others.get(label, 0), 1) for label in labels]))


def shared_labels(fixed_labels: sitk.Image, moving_labels: sitk.Image) -> tuple[list[int], list[int], list[int]]:
    """Return the labels other than 0 that both integer label maps have, those of the fixed one alone, and those of the moving one alone.

    Raises:
        InputError: if they have none in common, or are not of an integer type.
    """
    have, want = label_numbers(fixed_labels), label_numbers(moving_labels)
    if not have & want:
        raise InputError(
            f"the fixed labels ({_short(have)}) and the moving labels ({_short(want)}) have none in common",
            "give the same structure the same number in both",
            "moving_labels",
        )
    return sorted(have & want), sorted(have - want), sorted(want - have)


def _means(overlaps: list[LabelOverlap]) -> dict:
    hd95 = [overlap.hd95 for overlap in overlaps if overlap.hd95 is not None]
    distances = [overlap.mean_surface_distance for overlap in overlaps if overlap.mean_surface_distance is not None]
    return {
        "dice": float(np.mean([overlap.dice for overlap in overlaps])),
        "hd95": float(np.mean(hd95)) if hd95 else None,
        "mean_surface_distance": float(np.mean(distances)) if distances else None,
        "distance_labels": len(hd95),
    }


def _short(labels: set[int]) -> str:
    text = ", ".join(str(label) for label in sorted(labels)[:8])
    return f"{text}, ..." if len(labels) > 8 else text or "none"


def label_boxes(labels: sitk.Image) -> dict[int, tuple[slice, slice, slice]]:
    """Return the bounding box (z, y, x) of each label but 0."""
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.ComputeFeretDiameterOff()
    shapes.ComputePerimeterOff()
    shapes.Execute(labels)
    boxes = {}
    for label in shapes.GetLabels():
        start, size = np.split(np.array(shapes.GetBoundingBox(label)), 2)
        boxes[label] = tuple(slice(a, a + n) for a, n in zip(start[::-1], size[::-1], strict=True))
    return boxes


def _union(one: tuple[slice, ...], two: tuple[slice, ...]) -> tuple[slice, ...]:
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, two, strict=True))
