"""Body part by anatomy: lungs, skull, pelvic bones, and the size and the ends of the body."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deepreg_engine.content.body_shape import BodyShape, air_limit, large_parts
from deepreg_engine.content.modality import BONE, SeenModality, brain_share
from deepreg_engine.content.sample import Sample

# A lung fills at least this share of the body's outline.
_LEAST_LUNG = 0.035
# Lungs of this share of the outline are those of a chest; of a slice, they make it a slice of the chest.
_CHEST, _CHEST_SLICE = 0.15, 0.15
# A scan shows the chest if lungs are in more than the first share of its length. That is certain above the second; below the third it is
# certainly the abdomen.
_HALF, _MOST, _LITTLE = 0.45, 0.6, 0.3
# Shortest part with lungs and without them, mm, of a scan of the trunk; shortest scan of a whole body.
_PART_MM, _WHOLE_BODY_MM = 150.0, 850.0
# Smallest and largest extents of a head, shortest first, mm: from a child's brain without its skull to a large head with its neck.
_HEAD_MM = ((85.0, 195.0), (105.0, 240.0), (120.0, 300.0))
# A trunk is wider than this, mm; a head, an arm or a leg is not.
_TRUNK_MM = 230.0
# Brain within bone, as a share of what is denser than lung.
_SKULL = 0.15
# Bone of a pelvis lies further from the midline than this share of the body's width, by its standard deviation.
_WIDE_BONE = 0.19
# Shares of slices with such bone from which on a scan shows the pelvis, probably and certainly.
_PELVIS, _SURELY_PELVIS = 0.72, 0.9


@dataclass(frozen=True)
class SeenPart:
    """A body part by anatomy.

    Args:
        name: as in :class:`Content`.
        certain: whether it is beyond doubt.
        reasons: why.
    """

    name: str
    certain: bool
    reasons: tuple[str, ...]


def body_part_of(sample: Sample, body: BodyShape, modality: SeenModality) -> SeenPart:
    """Return the body part that a sample shows; it is certain only where the modality is, as a map may have the shape of a body."""
    if sample.is_crop:
        return SeenPart("organ", True, (f"a field of view of only {_size(sample.extent_mm)}",))
    if not modality.anatomy:
        return SeenPart("unknown", False, ())
    found = _by_anatomy(sample, body, modality)
    return found if modality.certain else replace(found, certain=False)


def _by_anatomy(sample: Sample, body: BodyShape, modality: SeenModality) -> SeenPart:
    """Return the body part of a field of view that is not a crop, as if the modality were certain."""
    if modality.hounsfield and brain_share(sample.clamped) >= _SKULL and min(body.size_mm) < _HEAD_MM[0][1]:
        return SeenPart("head", True, (f"head: soft tissue within a closed skull, {_size(body.size_mm)}",))
    lungs = _lungs(sample, body, air_limit(sample, modality.name == "ct", modality.hounsfield))
    if lungs is not None:
        return _with_lungs(body, lungs)
    return _head(body) or _without_lungs(sample, body, modality)


def _size(lengths: tuple[float, ...]) -> str:
    return f"{' x '.join(f'{length / 10:.0f}' if length > 30.0 else f'{length / 10:.1f}' for length in lengths)} cm"


def _lungs(sample: Sample, body: BodyShape, limit: float) -> np.ndarray | None:
    """Return the lungs (z, y, x), large parts below a limit within the body; None if there are none."""
    dark = sample.clamped < limit
    lungs = large_parts(dark & body.outline, _LEAST_LUNG * np.count_nonzero(body.outline))
    return lungs if lungs.any() else None


def _with_lungs(body: BodyShape, lungs: np.ndarray) -> SeenPart:
    """Return the part of the body that has these lungs."""
    share = np.count_nonzero(lungs) / max(np.count_nonzero(body.outline), 1)
    areas = body.areas(0)
    here = areas > 0.1 * max(areas.max(), 1)
    chest = here & (lungs.sum(axis=(1, 2)) > _CHEST_SLICE * areas)
    length, chest_length = (float(np.count_nonzero(each) * body.spacing[0]) for each in (here, chest))
    first = int(np.argmax(chest)) if chest.any() else 0
    below = float(np.count_nonzero(here[:first]) * body.spacing[0])
    reason = f"lungs fill {100 * share:.0f} % of the body, in {chest_length / 10:.0f} of its {length / 10:.0f} cm"
    if length >= _WHOLE_BODY_MM:
        return SeenPart("whole body", True, (f"whole body: {length / 10:.0f} cm long, with lungs",))
    if chest_length >= _PART_MM and below >= _PART_MM:
        return SeenPart("trunk", True, (f"trunk: {reason}",))
    if share >= _CHEST or chest_length > _HALF * length:
        return SeenPart("chest", bool(share >= _CHEST or chest_length > _MOST * length), (f"chest: {reason}",))
    return SeenPart("abdomen", chest_length < _LITTLE * length, (f"abdomen: {reason}",))


def _head(body: BodyShape) -> SeenPart | None:
    """Return the head if the body has its size and ends inside the image except at the neck, else None."""
    lengths = sorted(body.size_mm)
    if not all(low <= length <= high for length, (low, high) in zip(lengths, _HEAD_MM, strict=True)):
        return None
    cut = sum(each for pair in body.cuts for each in pair)
    both = [pair for pair in body.cuts if all(pair)]
    if len(both) > 1:
        return None
    if both:  # a slab, or an arm or a leg
        return SeenPart("head", False, (f"head, or a limb: {_size(body.size_mm)}, cut on two opposite sides",))
    round_ends = "all round" if cut == 0 else "apart from the neck"
    return SeenPart("head", cut <= 1, (f"head: a closed shape of {_size(body.size_mm)} {round_ends}",))


def _without_lungs(sample: Sample, body: BodyShape, modality: SeenModality) -> SeenPart:
    """Return the part of a body that has no lungs and not the shape of a head."""
    width, depth, length = body.size_mm
    size = _size(body.size_mm)
    if length >= _WHOLE_BODY_MM:
        return SeenPart("whole body", False, (f"whole body: {size}",))
    if max(width, depth) >= _TRUNK_MM:
        if not modality.hounsfield:
            return SeenPart("abdomen", False, (f"trunk without lungs, {size}",))
        pelvic, slices = _pelvic_slices(sample, body)
        share = pelvic / max(slices, 1)
        if share > _PELVIS:
            return SeenPart("pelvis", share > _SURELY_PELVIS, (f"pelvis: bone on both sides in {100 * share:.0f} % of the slices",))
        return SeenPart("abdomen", share < _PELVIS, (f"abdomen: a trunk of {size} without lungs",))
    if length > 1.3 * max(width, depth) and all(body.cuts[0]):
        return SeenPart("extremity", False, (f"a limb: {size}, cut at both ends",))
    return SeenPart("unknown", False, (f"a part of {size} that shows neither lungs nor a skull",))


def _pelvic_slices(sample: Sample, body: BodyShape) -> tuple[int, int]:
    """Return the number of slices in which bone lies on both sides, and the number of slices with a body."""
    bone = (sample.clamped > BONE) & body.outline
    across = np.arange(bone.shape[2], dtype=np.float64)
    pelvic = slices = 0
    for own, outline in zip(bone, body.outline, strict=True):
        columns = np.flatnonzero(outline.any(axis=0))
        if len(columns) < 4:
            continue
        slices += 1
        weights = own.sum(axis=0)
        if weights.sum() >= 4:
            middle = float(np.average(across, weights=weights))
            spread = float(np.sqrt(np.average((across - middle) ** 2, weights=weights)))
            pelvic += spread > _WIDE_BONE * (columns[-1] - columns[0] + 1)
    return pelvic, slices
