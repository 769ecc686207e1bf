"""Pairs with known truth for the calibration of the expected error, and others for its coverage.

The calibration sees phantoms, and known deformations of scans that the coverage does not use. Its deformations vary in size, wavelength
and kind, its images in noise and resolution, so that small and large errors occur. The split is by scans and patients, of the hippocampi
by the halves of ``people_sets``:

| kind | calibration | coverage |
|---|---|---|
| MR, one contrast | phantom heads; Colin27 (ch2); hippocampi ("tune") | T1, T2, FLAIR, MRBrainTumor1; hippocampi ("report") |
| MR, two contrasts | phantom heads of two sequences; Colin27 with another contrast | T1, T2 and FLAIR with each other |
| CT of the trunk | phantom abdomens; example_ct_sm | example_ct, chaos_ct3 |
| CT of the chest | phantom chests; TestInput, 3DCT_lung_baseline_small | ct-64 |
| MR with CT | phantom abdomens | phantom abdomens of other patients |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from known_pairs import CONTRASTS, RECIPES, Recipe, find_scan, pair_of
from people_sets import halves

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_image, resample
from deepreg_engine.phantoms import make_pair as make_phantom

ONE_CONTRAST, TWO_CONTRASTS, TRUNK, CHEST, MR_CT = (
    "MR, one contrast",
    "MR, two contrasts",
    "CT of the trunk",
    "CT of the chest",
    "MR with CT",
)
FIT, COVER = "calibration", "coverage"


@dataclass(frozen=True)
class Truth:
    """A pair, its truth, and where it is known."""

    fixed: sitk.Image
    moving: sitk.Image
    field: DisplacementField
    body: np.ndarray


@dataclass(frozen=True)
class Case:
    """A registration whose error is known.

    Args:
        name: of the file of its samples.
        kind: of the pair.
        split: :data:`FIT` or :data:`COVER`.
        preset: of the Dense method.
        make: returns the pair.
    """

    name: str
    kind: str
    split: str
    preset: str
    make: Callable[[], Truth]


# Recipes of scans that known_pairs does not have; values as there.
_COLIN = Recipe("brain/ch2.nii.gz", "brain-mr", 6.9, 36.0, 4.0, 0.04, 0.5, 0.12, 0.01)
_TUMOUR = replace(_COLIN, file="brain/MRBrainTumor1.nii.gz", knot_spacing=50.0)
HIPPOCAMPUS = Recipe("", "brain-mr", 1.6, 12.0, 2.5, 0.03, 0.5, 0.02, 0.01)
_SLAB = replace(RECIPES["example_ct"], file="abdomen/example_ct_sm.nii.gz", mean=14.0)
_CHESTS = {
    "TestInput": replace(RECIPES["ct-64"], file="thorax/TestInput.nrrd", mean=18.0),
    "lung": replace(RECIPES["ct-64"], file="thorax/3DCT_lung_baseline_small.mha", mean=14.0, knot_spacing=60.0),
}

# Seeds of heads, and voxels to which they are resampled, mm; 0 for their own.
_COARSER = ((100, 0.0), (101, 2.0), (102, 1.6))


def cases(data: Path, split: str) -> list[Case]:
    """All cases of a split, in an order in which kinds alternate."""
    made = [list(kind) for kind in (_fitted(data) if split == FIT else _covered(data))]
    longest = max(map(len, made))
    return [kind[number] for number in range(longest) for kind in made if number < len(kind)]


def _fitted(data: Path) -> Iterator[Iterator[Case]]:
    yield (_phantom("brain", "mr-mr", ONE_CONTRAST, FIT, seed, 0.7, ("brain-mr",)) for seed in range(5))
    yield (_scan("ch2", _COLIN, data, ONE_CONTRAST, FIT, seed, spacing=(1.5, 2.0)[seed % 2]) for seed in range(7))
    yield (_scan(name, HIPPOCAMPUS, data, ONE_CONTRAST, FIT, seed) for seed, name in enumerate(halves(data / "hippocampus")[0][:8]))
    yield (_crop(data, seed) for seed in range(3))
    yield (_remapped(data, seed) for seed in range(7))
    yield (_phantom("abdomen", "ct-ct", TRUNK, FIT, seed, 0.7, ("abdomen-ct", "follow-up-ct", "quick")) for seed in range(9))
    yield (_scan("example_ct_sm", _SLAB, data, TRUNK, FIT, seed, presets=("abdomen-ct", "follow-up-ct")) for seed in range(4))
    yield (_phantom("thorax", "ct-ct", CHEST, FIT, seed, 0.7, ("thorax-ct",)) for seed in range(5))
    for name, recipe in _CHESTS.items():
        yield (_scan(name, recipe, data, CHEST, FIT, seed) for seed in range(4))
    yield (_phantom("abdomen", "mr-ct", MR_CT, FIT, seed, 0.7, ("mr-ct",)) for seed in range(20, 26))


def _covered(data: Path) -> Iterator[Iterator[Case]]:
    for name in ("T1", "T2", "FLAIR"):
        yield (
            _scan(name, replace(RECIPES["T1"], file=f"brain/{name}.nii.gz"), data, ONE_CONTRAST, COVER, seed) for seed in range(100, 102)
        )
    yield (_scan("MRBrainTumor1", _TUMOUR, data, ONE_CONTRAST, COVER, seed) for seed in range(100, 102))
    yield (_scan(name, HIPPOCAMPUS, data, ONE_CONTRAST, COVER, seed) for seed, name in enumerate(halves(data / "hippocampus")[1][:6], 100))
    others = {"T1 to T2": ("T2", "T1"), "T1 to FLAIR": ("FLAIR", "T1")}
    recipes = CONTRASTS | {
        name: replace(CONTRASTS["T2 to T1"], file=f"brain/{fixed}.nii.gz", moving=f"brain/{moving}.nii.gz")
        for name, (fixed, moving) in others.items()
    }
    for name, recipe in recipes.items():
        yield (_scan(name, recipe, data, TWO_CONTRASTS, COVER, seed, spacing) for seed, spacing in _COARSER)
    for name in ("example_ct", "chaos_ct"):
        for presets in (("abdomen-ct",), ("follow-up-ct",), ("quick",)):
            yield (_scan(name, RECIPES[name], data, TRUNK, COVER, seed, presets=presets) for seed in range(100, 102))
    yield (_scan("ct-64", RECIPES["ct-64"], data, CHEST, COVER, seed) for seed in range(100, 105))
    yield (_phantom("abdomen", "mr-ct", MR_CT, COVER, seed, 0.7, ("mr-ct",)) for seed in range(120, 123))


def _phantom(anatomy: str, modalities: str, kind: str, split: str, seed: int, detail: float, presets: tuple[str, ...]) -> Case:
    def make() -> Truth:
        # Voxels of several sizes.
        pair = make_phantom(anatomy, seed, modalities, detail * (1.0, 1.25, 0.8)[seed % 3])
        assert pair.truth is not None
        body = (sitk.GetArrayFromImage(pair.fixed_mask) > 0) & _within(pair.moving, pair.truth)
        return Truth(pair.fixed, pair.moving, pair.truth, body)

    preset = presets[seed % len(presets)]
    return Case(f"phantom {anatomy} {modalities} {seed} {preset}", kind, split, preset, make)


def _scan(
    name: str, recipe: Recipe, data: Path, kind: str, split: str, seed: int, spacing: float = 0.0, presets: tuple[str, ...] = ()
) -> Case:
    """A known deformation of a scan; every second fixed image is oblique, every third deformation a flow."""

    def make() -> Truth:
        path = data / "hippocampus" / "images" / name if name.startswith("hippocampus") else find_scan(data, recipe.file)
        scans = [read_image(path)]
        scans.append(read_image(find_scan(data, recipe.moving)) if recipe.moving else scans[0])
        return known(name, recipe, (scans[0], scans[1]), seed, spacing)

    preset = presets[seed % len(presets)] if presets else recipe.preset
    return Case(f"{name} {seed} {preset}", kind, split, preset, make)


def _remapped(data: Path, seed: int) -> Case:
    """Colin27 with itself in another contrast: its intensities through a random curve that is not monotone."""

    def make() -> Truth:
        scan = read_image(find_scan(data, _COLIN.file))
        rng = np.random.default_rng([seed, 7])
        array, top = sitk.GetArrayFromImage(scan), float(np.percentile(sitk.GetArrayViewFromImage(scan), 99.5))
        knots = np.concatenate([[0.0, 0.15], np.linspace(0.3, 1.2, 6)]) * top
        curve = np.concatenate([[0.0, 0.1], rng.permutation(np.linspace(0.15, 1.0, 6))]) * top
        other = ImageGrid.of(scan).to_image(np.interp(array, knots, curve).astype(np.float32))
        return known("ch2", _COLIN, (scan, other), seed + 50, (1.5, 2.0)[seed % 2])

    return Case(f"ch2 contrasts {seed}", TWO_CONTRASTS, FIT, "brain-mr", make)


def _crop(data: Path, seed: int) -> Case:
    """The middle of Colin27 with its own voxels."""

    def make() -> Truth:
        scan = read_image(find_scan(data, _COLIN.file))
        grid = ImageGrid.of(scan)
        margin = [int(0.19 * count) for count in grid.size]
        middle = resample(scan, grid.cropped(margin, [n - m for n, m in zip(grid.size, margin, strict=True)]))
        return known("ch2 crop", _COLIN, (middle, middle), seed, 0.0)

    return Case(f"ch2 crop {seed}", ONE_CONTRAST, FIT, "brain-mr", make)


def known(name: str, recipe: Recipe, scans: tuple[sitk.Image, sitk.Image], seed: int, spacing: float) -> Truth:
    rng = np.random.default_rng([seed, *name.encode(), 1])
    size = rng.uniform(0.3, 1.2)
    recipe = replace(
        recipe,
        mean=recipe.mean * size,
        turn=recipe.turn * size,
        stretch=recipe.stretch * size,
        knot_spacing=recipe.knot_spacing * rng.uniform(0.7, 1.3),
        noise=recipe.noise * 2.0 ** rng.integers(0, 3),
        velocity=seed % 3 == 2,
    )
    if spacing:
        fixed, moving = (resample(each, ImageGrid.of(each).resampled(spacing)) for each in scans)
    else:
        fixed, moving = scans
    pair = pair_of(name, recipe, (fixed, moving), seed, oblique=seed % 2 == 1)
    return Truth(pair.fixed, pair.moving, pair.truth, pair.body)


def _within(moving: sitk.Image, truth: DisplacementField) -> np.ndarray:
    target = truth.grid.points() + np.moveaxis(truth.vectors, 0, -1)
    return ImageGrid.of(moving).contains(target.reshape(-1, 3)).reshape(truth.grid.shape)
