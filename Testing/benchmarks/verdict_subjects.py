"""Pairs for the benchmark of the verdict: fixed and moving image or points, what is known of the truth, and how they are registered.

Sources belong to one of two halves: limits are tuned on "tune", figures are of "report". Phantoms and hippocampi are divided by their
seeds, other scans by their names.
"""

from __future__ import annotations

import argparse
import functools
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from known_pairs import make_pair as known_pair
from people_sets import SETS

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_image, resample
from deepreg_engine.phantoms import make_pair as phantom_pair

HALVES = ("tune", "report")
# Distance of the voxels, mm, to which scans are shrunk, and detail of phantoms: so that a run takes about a second.
_TARGETS = {"brain": 2.5, "abdomen": 6.0, "thorax": 6.0}
_DETAIL = 0.45


@dataclass(frozen=True)
class Subject:
    """A pair, and what is known of it.

    Args:
        name: of the source, with its seed.
        method, preset: with which it is registered.
        fixed, moving: images.
        clouds: fixed and moving points (N, 3), (M, 3), mm, instead of images.
        points: fixed points (N, 3) and their true moving points (N, 3), mm, where the error is measured; None where nothing corresponds.
        labels: fixed and moving label map, whose Dice is measured where no points are known.
        common: labels of both maps.
        moving_labels: label map of the moving image, where there is one.
        settings: parameters that differ from the preset's.
        start: transform from which the registration starts.
    """

    name: str
    method: str
    preset: str
    fixed: sitk.Image | None = None
    moving: sitk.Image | None = None
    clouds: tuple[np.ndarray, np.ndarray] | None = None
    points: tuple[np.ndarray, np.ndarray] | None = None
    labels: tuple[sitk.Image, sitk.Image] | None = None
    common: tuple[int, ...] = ()
    moving_labels: sitk.Image | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    start: sitk.Transform | None = None

    @property
    def voxel(self) -> float:
        """Mean distance of the fixed voxels, mm; that of the keypoints of a lung is 4 mm."""
        return 4.0 if self.fixed is None else float(np.prod(self.fixed.GetSpacing()) ** (1 / 3))


def _true_points(truth: DisplacementField, body: np.ndarray, moving: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Some fixed points of the body whose partners the moving image shows, and these partners."""
    index = np.argwhere(body)
    index = index[:: max(1, len(index) // 4000)]
    points = truth.grid.index_to_physical(index[:, ::-1])
    partners = points + truth.vectors[:, index[:, 0], index[:, 1], index[:, 2]].T
    inside = ImageGrid.of(moving).contains(partners)
    return points[inside], partners[inside]


@functools.cache
def phantom(anatomy: str, modalities: str, method: str, preset: str, seed: int) -> Subject:
    """One synthetic patient, twice."""
    pair = phantom_pair(anatomy, seed, modalities, _DETAIL)
    body = sitk.GetArrayViewFromImage(pair.fixed_mask) > 0
    assert pair.truth is not None
    name = f"{anatomy} {modalities} {seed}"
    points = _true_points(pair.truth, body, pair.moving)
    return Subject(name, method, preset, pair.fixed, pair.moving, points=points, moving_labels=pair.moving_labels)


def two_patients(anatomy: str, modalities: str, preset: str, seed: int) -> Subject:
    """Two synthetic patients; the Dice is that of their larger structures."""
    pair = phantom_pair(anatomy, seed, modalities, _DETAIL, patients=2)
    counts = [np.bincount(sitk.GetArrayViewFromImage(labels).ravel(), minlength=256) for labels in (pair.fixed_labels, pair.moving_labels)]
    common = tuple(int(v) for v in np.flatnonzero(np.minimum(*counts) > 150) if v > 0)
    labels = pair.fixed_labels, pair.moving_labels
    return Subject(f"two {anatomy} {seed}", "dense", preset, pair.fixed, pair.moving, None, None, labels, common, pair.moving_labels)


def shrunk(image: sitk.Image, spacing: float) -> sitk.Image:
    """The image in blocks of about a spacing, mm."""
    factors = [max(1, round(spacing / own)) for own in image.GetSpacing()]
    return sitk.BinShrink(image, factors) if max(factors) > 1 else image


@functools.cache
def known(scan: str, method: str, data: Path, seed: int) -> Subject:
    """A real scan under a known deformation."""
    pair = known_pair(scan, data, seed)
    target = _TARGETS[pair.recipe.file.split("/")[0]]
    fixed, moving = shrunk(pair.fixed, target), shrunk(pair.moving, target)
    points = _true_points(pair.truth, pair.body, moving)
    return Subject(f"{scan} {seed}", method, pair.recipe.preset, fixed, moving, points=points)


@functools.cache
def people(group: str, half: str, preset: str, method: str, data: Path, number: int) -> Subject:
    """Two real people with labels."""
    options = argparse.Namespace(data=data, half=half, pairs=30, seed=1)
    pair = SETS[group](options)[number]
    fixed, moving = (read_image(path) for path in (pair.fixed, pair.moving))
    labels = pair.labels()
    if group != "hippocampus":
        fixed, moving = shrunk(fixed, 5.0), shrunk(moving, 5.0)
    return Subject(f"{group} {pair.name}", method, preset, fixed, moving, None, None, labels, tuple(pair.common), labels[1])


@functools.cache
def _keypoints(data: Path, archive: str) -> list[np.ndarray]:
    """Corresponding keypoints (N, 6) of each case, fixed and moving, mm."""
    tables = []
    with zipfile.ZipFile(data / "lung_points" / archive) as files:
        for name in sorted(files.namelist()):
            if name.endswith(".csv"):
                tables.append(np.loadtxt(files.open(name), delimiter=","))
            elif name.endswith(".dat"):
                tables.append(np.frombuffer(files.read(name), np.float32).reshape(-1, 6).astype(np.float64))
    return [table[:, :6] * ((1.75, 1.0, 1.25) * 2) for table in tables]


@functools.cache
def lungs(archive: str, data: Path, number: int) -> Subject:
    """Keypoints of a lung at two breathing states; seven in ten of either side."""
    table = _keypoints(data, archive)[number]
    rng = np.random.default_rng(number)
    table = table[rng.permutation(len(table))[:2500]]
    fixed, moving = table[:, :3], table[:, 3:]
    kept = [rng.random(len(table)) < 0.7 for _ in range(2)]
    clouds = fixed[kept[0]], moving[kept[1]]
    return Subject(f"{archive.split('_')[0]} {number}", "points", "lung", clouds=clouds, points=(fixed, moving))


@functools.cache
def lung_images(seed: int) -> Subject:
    """A breathing phantom, registered by keypoints of its images."""
    pair = phantom_pair("thorax", seed, "ct-ct", 0.7)
    body = sitk.GetArrayViewFromImage(pair.fixed_mask) > 0
    assert pair.truth is not None
    points = _true_points(pair.truth, body, pair.moving)
    return Subject(f"thorax keypoints {seed}", "points", "lung", pair.fixed, pair.moving, points=points, moving_labels=pair.moving_labels)


Maker = Callable[[], Subject]


def subjects(half: str, data: Path) -> dict[str, Maker]:
    """All pairs of a half as they come, by a name of their source."""
    first = HALVES.index(half)
    found: dict[str, Maker] = {}

    def add(name: str, function: Callable[..., Subject], *arguments: Any) -> None:
        found[name] = functools.partial(function, *arguments)

    phantoms = (
        ("abdomen", "ct-ct", "dense", "abdomen-ct", 5),
        ("abdomen", "mr-ct", "dense", "mr-ct", 4),
        ("abdomen", "mr-mr", "dense", "abdomen-ct", 2),
        ("abdomen", "mr-ct", "descent", "mr-ct", 2),
        ("thorax", "ct-ct", "dense", "thorax-ct", 5),
        ("thorax", "ct-ct", "dense", "quick", 2),
        ("brain", "mr-mr", "dense", "brain-mr", 5),
        ("brain", "mr-mr", "descent", "brain-mr", 3),
        ("brain", "mr-ct", "dense", "mr-ct", 3),
    )
    for number, (anatomy, modalities, method, preset, count) in enumerate(phantoms):
        for seed in range(count):
            value = 2000 + 200 * number + 2 * seed + first
            add(f"{anatomy}-{modalities}-{method}-{preset}-{seed}", phantom, anatomy, modalities, method, preset, value)
    for seed in range(3):
        add(f"two-abdomen-{seed}", two_patients, "abdomen", "ct-ct", "abdomen-ct", 5000 + 2 * seed + first)
        add(f"two-brain-{seed}", two_patients, "brain", "mr-mr", "people-mr", 5100 + 2 * seed + first)
        add(f"keypoints-{seed}", lung_images, 5200 + 2 * seed + first)
    scans = {
        "tune": (("example_ct", "dense"), ("T1", "dense"), ("T2 to T1", "descent"), ("TestInput", "dense")),
        "report": (("chaos_ct", "dense"), ("ch2", "dense"), ("FLAIR to T2", "descent"), ("ct-64", "dense")),
    }
    for scan, method in scans[half]:
        for seed in range(3):
            add(f"{scan.replace(' ', '-')}-{seed}", known, scan, method, data, 10 * first + seed)
    for number in range(8):
        add(f"hippocampus-{number}", people, "hippocampus", half, "people-mr", "dense", data, number)
    add("people-abdomen", people, "abdomen", half, "abdomen-ct", "dense", data, first)
    add("people-ct-mr", people, "ct-mr", half, "mr-ct", "dense", data, first)
    archive = ("empire10_keypoints.zip", "l2r_lung_keypoints.zip")[first]
    for number in range(4):
        add(f"lungs-{number}", lungs, archive, data, number)
    return found


def chosen(names: list[str], count: int, seed: str) -> list[str]:
    """Some of the names, evenly over all of them, at random by a seed."""
    generator = random.Random(seed)
    shuffled = sorted(names, key=lambda name: (generator.random(), name))
    return shuffled[:count]


def labels_on(labels: sitk.Image, image: sitk.Image) -> sitk.Image:
    """A label map as an image on another's grid."""
    return sitk.Cast(resample(labels, ImageGrid.of(image), interpolation="nearest"), sitk.sitkFloat32)
