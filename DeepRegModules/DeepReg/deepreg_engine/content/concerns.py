"""What is wrong, or probably wrong, with a pair of images, as seen before a run."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.content.description import BODY_PARTS, MODALITIES, Content
from deepreg_engine.content.detection import sample_content
from deepreg_engine.content.modality import may_be_hounsfield
from deepreg_engine.content.sample import Sample
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import SMALLEST_SIZE
from deepreg_engine.geometry.unit_factor import unit_factor

#: Severities: a run is possible, or it would fail or mean nothing.
WARN, STOP = "warn", "stop"
ROLES = ("fixed", "moving")
# Body parts that a scan may show together.
_TOGETHER = {"trunk": ("chest", "abdomen", "pelvis"), "whole body": ("head", "chest", "abdomen", "pelvis", "trunk", "extremity")}
# Parts that pass into each other: scans of both show the same organs at their borders.
_NEIGHBOURS = ({"chest", "abdomen"}, {"abdomen", "pelvis"})
# A grid of this number of points along each axis of one image is looked up in the other.
_POINTS = 12


@dataclass(frozen=True)
class Concern:
    """One thing that is wrong with a pair.

    Args:
        kind: "empty", "thin", "labels", "same", "apart", "units", "part", "modality" or "hounsfield".
        severity: :data:`WARN` or :data:`STOP`.
        message: what is wrong; no full stop at its end.
        advice: what to do.
        role: "fixed", "moving", or "" for the pair.
    """

    kind: str
    severity: str
    message: str
    advice: str
    role: str = ""

    @property
    def line(self) -> str:
        """Return message and advice on one line."""
        return f"{self.message}: {self.advice}"

    def to_json(self) -> dict[str, str]:
        """Return what JSON can hold."""
        return asdict(self)


def pair_concerns(
    fixed: sitk.Image | Sample,
    moving: sitk.Image | Sample,
    contents: tuple[Content, Content] | None = None,
    *,
    hounsfield: bool = False,
    same_contrast: bool = False,
) -> list[Concern]:
    """Return what is wrong with a pair of images, the worst first.

    Args:
        fixed, moving: scalar 3D images, or samples of them.
        contents: of both, if they are known or were corrected.
        hounsfield: whether the registration needs CT in HU.
        same_contrast: whether it compares intensities, so that both must have one modality and contrast.
    """
    one, two = (image if isinstance(image, Sample) else Sample.of(image) for image in (fixed, moving))
    first, second = contents or (sample_content(one), sample_content(two))
    found = []
    for role, sample, content in zip(ROLES, (one, two), (first, second), strict=True):
        found += _single(role, sample, content)
        if hounsfield and not content.is_labels and not may_be_hounsfield(sample.clamped):
            found.append(_not_hounsfield(role, sample))
    of_pair = (_same(one, two), _place(one, two), _parts(first, second), _contrasts(first, second, same_contrast))
    found += [concern for concern in of_pair if concern]
    return sorted(found, key=lambda concern: concern.severity != STOP)


def _single(role: str, sample: Sample, content: Content) -> list[Concern]:
    """Return what is wrong with one image."""
    found = []
    if sample.values.min() == sample.values.max() and not sample.not_finite:
        message = f"the {role} image is constant (every voxel is {float(sample.values.flat[0]):g})"
        found.append(Concern("empty", STOP, message, "choose another volume", role))
    if min(sample.grid.size) < SMALLEST_SIZE:
        message = f"the {role} image is only {min(sample.grid.size)} voxels thick"
        found.append(Concern("thin", STOP, message, f"choose a volume of at least {SMALLEST_SIZE} voxels along each axis", role))
    if content.is_labels:
        kind = "a mask" if content.modality == "mask" else f"a label map ({sample.labels} values)"
        found.append(
            Concern(
                "labels",
                WARN,
                f"the {role} image seems to be {kind}",
                "choose the scan instead; a label map or mask has an input of its own",
                role,
            )
        )
    return found


def _not_hounsfield(role: str, sample: Sample) -> Concern:
    message = f"the {role} image is not CT in HU (values from {sample.range.low:.0f} to {sample.range.high:.0f})"
    return Concern("hounsfield", WARN, message, "choose features for any contrast, or load the CT with its calibration", role)


def _same(fixed: Sample, moving: Sample) -> Concern | None:
    """Return a concern if both images have the same voxels."""
    if fixed.values.shape != moving.values.shape or not np.array_equal(fixed.values, moving.values):
        return None
    if fixed.values.min() == fixed.values.max():
        return None
    if fixed.grid.same_as(moving.grid):
        return Concern("same", WARN, "fixed and moving image are the same", "choose two different scans")
    return Concern("same", WARN, "fixed and moving image have the same voxels at different places", "check that two scans are chosen")


def _place(fixed: Sample, moving: Sample) -> Concern | None:
    """Return a concern if the fields of view differ extremely in size, or do not overlap."""
    factor = unit_factor(fixed.grid, moving.grid)
    if factor != 1.0:
        large, small = ("fixed", "moving") if factor > 1.0 else ("moving", "fixed")
        message = f"the {large} image is {max(factor, 1.0 / factor):.0f} times as large as the {small} image along every axis"
        return Concern("units", WARN, message, "check the voxel spacing of both, unless one shows a small part of the other")
    if overlap(fixed.grid, moving.grid) > 0.0:
        return None
    distance = float(np.linalg.norm(fixed.grid.centre - moving.grid.centre))
    message = f"the fields of view do not overlap (their centres are {distance:.0f} mm apart)"
    return Concern("apart", WARN, message, "begin with an alignment of centres, or check that both belong together")


def overlap(fixed: ImageGrid, moving: ImageGrid) -> float:
    """Return the share of the smaller field of view that lies in the other one, 0 to 1, at the positions that the files state."""
    return max(_share(fixed, moving), _share(moving, fixed))


def _share(grid: ImageGrid, other: ImageGrid) -> float:
    """Return the share of points of a grid that lie in another."""
    sides = [np.linspace(-0.5, size - 0.5, _POINTS) for size in grid.size]
    index = np.array(list(itertools.product(*sides)))
    points = np.array(grid.origin) + (index * grid.spacing) @ grid.axes.T
    there = (points - np.array(other.origin)) @ other.axes / np.array(other.spacing)
    return float(((there >= -0.5) & (there <= np.array(other.size) - 0.5)).all(axis=1).mean())


def _parts(fixed: Content, moving: Content) -> Concern | None:
    """Return a concern if two body parts are seen that cannot be in one scan."""
    parts = {fixed.body_part, moving.body_part}
    if len(parts) < 2 or parts & {"unknown", "organ"} or fixed.is_labels or moving.is_labels or parts in _NEIGHBOURS:
        return None
    if any(whole in parts and parts <= {whole, *_TOGETHER[whole]} for whole in _TOGETHER):
        return None
    if not (fixed.body_part_certain and moving.body_part_certain) and "head" not in parts:
        return None
    seen = "shows" if fixed.body_part_certain and moving.body_part_certain else "seems to show"
    message = f"the fixed image {seen} the {BODY_PARTS[fixed.body_part]}, the moving image the {BODY_PARTS[moving.body_part]}"
    return Concern("part", WARN, message, "choose two scans of one body part")


def _contrasts(fixed: Content, moving: Content, same_contrast: bool) -> Concern | None:
    """Return a concern if intensities are compared that have different meanings."""
    if not same_contrast or "unknown" in (fixed.modality, moving.modality) or fixed.is_labels or moving.is_labels:
        return None
    modalities = fixed.modality != moving.modality
    if not modalities and (fixed.contrast == moving.contrast or not (fixed.contrast and moving.contrast)):
        return None
    names = [content.contrast.upper() if not modalities else MODALITIES[content.modality] for content in (fixed, moving)]
    message = f"the preset compares intensities, but the fixed image is {names[0]} and the moving image {names[1]}"
    return Concern("modality", WARN, message, "choose a preset for different modalities")
