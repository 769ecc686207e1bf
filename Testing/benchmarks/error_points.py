"""Registrations of points with known truth for the calibration of the expected error, and others for its coverage.

Of the lungs of Learn2Reg and EMPIRE10, the keypoints of both scans have partners that an image-based method found. A random share of the
fixed keypoints is registered, and the error is measured at the others, since a map shows the error between the points too. Where a scan
has no keypoints of its own, the partners of another random share are the moving points, with 1 mm of noise.

| kind | calibration | coverage |
|---|---|---|
| lung keypoints | Learn2Reg, odd patients | Learn2Reg, even patients; EMPIRE10 |
| expert landmarks | none | DIR-Lab COPD 02 to 05 |
| keypoints of phantom chests | phantoms | phantoms of other patients |
| surfaces | phantom organs; hippocampi of the half "tune" | phantom organs of others; hippocampi of the half "report" |
| few landmarks | Learn2Reg, odd patients, 15 to 60 points | Learn2Reg, even patients; EMPIRE10 |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from error_sets import COVER, FIT, HIPPOCAMPUS, known
from people_sets import halves

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_image, read_labels
from deepreg_engine.geometry.point_clouds import label_points
from deepreg_engine.phantoms import make_pair as make_phantom
from deepreg_engine.training.points.pairs import PointPair, patient_of, read_point_pairs

LUNG, EXPERTS, PHANTOMS, SURFACES, FEW = "lung keypoints", "expert landmarks", "keypoints of phantom chests", "surfaces", "few landmarks"
_SPACING = (1.75, 1.0, 1.25)


@dataclass(frozen=True)
class PointTruth:
    """Two clouds (N, 3) and (M, 3), and points (K, 3) with their true partners, mm."""

    fixed: np.ndarray
    moving: np.ndarray
    points: np.ndarray
    partners: np.ndarray


@dataclass(frozen=True)
class PointCase:
    """A registration of points whose error is known; see :class:`error_sets.Case`."""

    name: str
    kind: str
    split: str
    preset: str
    make: Callable[[], PointTruth]


def point_cases(data: Path, split: str) -> list[PointCase]:
    """All cases of a split."""
    return [case for case in _all(data) if case.split == split]


def _all(data: Path) -> Iterator[PointCase]:
    folder = data / "lung_points"
    scans = read_point_pairs([folder / "l2r_lung_keypoints.zip"], _SPACING)
    others = read_point_pairs([folder / "empire10_keypoints.zip"], _SPACING)
    for pair, split in [(pair, FIT if int(patient_of(pair.name)) % 2 else COVER) for pair in scans] + [(pair, COVER) for pair in others]:
        yield _lung(pair, split, 0)
        if pair.moving is not None:
            yield _lung(pair.reversed(), split, 1)
        if split == FIT or pair in others:
            yield _few(pair, split)
    for case in range(2, 6):
        yield _experts(folder / "dirlab_copd_02_05", case)
    for seed in (0, 1, 2, 3, 120, 121, 122):
        split = FIT if seed < 100 else COVER
        yield PointCase(f"points phantom chest {seed}", PHANTOMS, split, "lung", lambda seed=seed: _phantom_keypoints(seed))
        yield PointCase(f"points phantom organ {seed}", SURFACES, split, "shape", lambda seed=seed: _phantom_organ(seed))
    for names, split in zip(halves(data / "hippocampus"), (FIT, COVER), strict=True):
        for seed, name in enumerate(names[:5]):
            yield PointCase(
                f"points {name} {seed}",
                SURFACES,
                split,
                "shape",
                lambda name=name, seed=seed: _hippocampus(data / "hippocampus", name, seed),
            )


def _lung(pair: PointPair, split: str, way: int) -> PointCase:
    def make() -> PointTruth:
        rng = np.random.default_rng([len(pair.fixed), way])
        order, count = rng.permutation(len(pair.fixed)), int(len(pair.fixed) * rng.uniform(0.5, 0.8))
        moving = pair.moving
        if moving is None:
            own = rng.permutation(len(pair.fixed))[: int(len(pair.fixed) * rng.uniform(0.5, 0.8))]
            moving = pair.partners[own] + rng.normal(0.0, 1.0, (len(own), 3))
        rest = order[count:]
        return PointTruth(pair.fixed[order[:count]], moving, pair.fixed[rest], pair.partners[rest])

    return PointCase(f"points {pair.name} {way}", LUNG, split, "lung", make)


def _few(pair: PointPair, split: str) -> PointCase:
    def make() -> PointTruth:
        rng = np.random.default_rng([len(pair.fixed), 2])
        order, count = rng.permutation(len(pair.fixed)), int(rng.integers(15, 60))
        chosen = order[:count]
        moving = pair.partners[chosen] + rng.normal(0.0, 0.5, (count, 3))
        return PointTruth(pair.fixed[chosen], moving[rng.permutation(count)], pair.fixed[order[count:]], pair.partners[order[count:]])

    return PointCase(f"points {pair.name} few", FEW, split, "landmarks", make)


def _experts(folder: Path, case: int) -> PointCase:
    def make() -> PointTruth:
        parts = ("exp_keypoints", "insp_keypoints", "exp_landmarks", "insp_landmarks")
        return PointTruth(*(np.loadtxt(folder / f"case_{case:02d}_{part}.csv", delimiter=",", skiprows=1) for part in parts))

    return PointCase(f"points DIR-Lab COPD {case:02d}", EXPERTS, COVER, "lung", make)


def _phantom_keypoints(seed: int) -> PointTruth:
    """Keypoints of both scans of a phantom chest within its lungs."""
    from deepreg_engine.methods.points.keypoints import image_keypoints
    from deepreg_engine.methods.points.presets import points_preset

    pair = make_phantom("thorax", seed, "ct-ct", 0.8)
    numbers = [number for number, name in pair.label_names.items() if "lung" in name]
    masks = [
        ImageGrid.of(labels).to_image(np.isin(sitk.GetArrayViewFromImage(labels), numbers).astype(np.uint8))
        for labels in (pair.fixed_labels, pair.moving_labels)
    ]
    parameters = points_preset("lung").parameters
    clouds = [image_keypoints(image, mask, parameters)[0] for image, mask in zip((pair.fixed, pair.moving), masks, strict=True)]
    assert pair.truth is not None
    points = pair.truth.grid.points()[sitk.GetArrayFromImage(masks[0]) > 0]
    points = points[:: max(1, len(points) // 3000)]
    return PointTruth(clouds[0], clouds[1], points, points + pair.truth.at(points))


def _phantom_organ(seed: int) -> PointTruth:
    """The surface of one organ of a phantom abdomen, in both scans."""
    pair = make_phantom("abdomen", seed, "ct-ct", 0.8)
    assert pair.truth is not None
    arrays = [sitk.GetArrayViewFromImage(labels) for labels in (pair.fixed_labels, pair.moving_labels)]
    counts = [np.bincount(array.ravel(), minlength=256) for array in arrays]
    large = [number for number in range(1, 256) if min(count[number] for count in counts) > 1500]
    number = large[seed % len(large)]
    fixed, moving = (label_points(labels == number, "surface", 5.0) for labels in (pair.fixed_labels, pair.moving_labels))
    return PointTruth(fixed, moving, fixed, fixed + pair.truth.at(fixed, extend=True))


def _hippocampus(folder: Path, name: str, seed: int) -> PointTruth:
    """The surface of a hippocampus and that of its known deformation."""
    scan, labels = read_image(folder / "images" / name), read_labels(folder / "labels" / name) > 0
    truth = known(name, HIPPOCAMPUS, (scan, scan), seed + 200, 0.0)
    fixed, moving = (label_points(each, "surface", 1.5) for each in (truth.field.warp_image(labels, "nearest"), labels))
    return PointTruth(fixed, moving, fixed, fixed + truth.field.at(fixed, extend=True))
