"""The search for the linear transform that aligns two images, with SimpleITK; see :mod:`deepreg_engine.methods.common.affine`. No torch."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.methods.common.coarse import centre_of_mass, downsampled, scan_spacing
from deepreg_engine.methods.common.linear_transforms import copied, make_linear, nearest
from deepreg_engine.methods.common.orientation import Orientation, likely_orientations, orientations, turned, unturned
from deepreg_engine.methods.common.stretch import implausible_note, is_plausible, penalty

_SEED = 20190813
# Least overlap of the fields of view at a start, as a share of the smaller one; or as a share of the largest overlap at any start.
_LEAST_OVERLAP, _THIN_OVERLAP = 0.3, 0.8
# Number of starts that are refined, and their least distance, in voxels of the coarse images.
_STARTS, _STARTS_APART = 3, 3.0
# Points along each axis at which the overlap is evaluated.
_OVERLAP_POINTS = 12
# Images that overlap by this share of the larger field of view start only from their present position and their centres.
_SAME_REGION = 0.6
# Share of the voxels at which starts are evaluated.
_SCAN_SHARE = 0.3
# A mask of fewer voxels of the coarse images does not determine six or twelve parameters.
_LEAST_MASK = 200
# Another orientation is clearly better if its energy after the optimisation is this multiple of that of the stored one.
_CLEARLY = 1.05
# Images of one region of the body have more mutual information than this, nats.
_LEAST_AGREEMENT = 0.25
# Voxels of the finest images for each of which a sample is evaluated.
_SAMPLED = 10


@dataclass(frozen=True)
class Alignment:
    """An alignment and its origin.

    Args:
        transform: takes fixed points to moving points.
        kind: one of :data:`INITIALS`, "translation", "file" or "points".
        notes: remarks for the user.
    """

    transform: sitk.Transform
    kind: str
    notes: tuple[str, ...] = ()


def overlap(fixed: ImageGrid, moving: ImageGrid, shift: np.ndarray) -> float:
    """Return the overlap, 0 to 1, as a share of the smaller field of view, if fixed points move by ``shift`` (3,), mm."""
    # The smaller field of view is sampled, including its faces: samples of the larger one could all miss it.
    if np.prod(fixed.extent) <= np.prod(moving.extent):
        smaller, larger, way = fixed, moving, np.asarray(shift)
    else:
        smaller, larger, way = moving, fixed, -np.asarray(shift)
    ends = 0.5 - 1e-6  # not on the faces, where rounding decides
    counts = [np.linspace(-ends, n - 1 + ends, _OVERLAP_POINTS) for n in smaller.size]
    points = smaller.index_to_physical(np.stack(np.meshgrid(*counts, indexing="ij"), axis=-1).reshape(-1, 3))
    common = larger.contains(points + way).reshape((_OVERLAP_POINTS,) * 3).astype(np.float64)
    weights = np.ones(_OVERLAP_POINTS)
    weights[[0, -1]] = 0.5
    return float(np.einsum("xyz,x,y,z->", common, weights, weights, weights) / weights.sum() ** 3)


class LinearSearch:
    """Rigid, similarity or affine alignment of one pair.

    Args:
        fixed, moving: 3D float32 images.
        kind: "rigid", "similarity" or "affine".
        fixed_mask, moving_mask: 8-bit masks on the images' grids, or None.
        finest: number of voxels of the fixed image on which the result is refined once more; 0 leaves that out.
    """

    def __init__(
        self,
        fixed: sitk.Image,
        moving: sitk.Image,
        kind: str,
        fixed_mask: sitk.Image | None = None,
        moving_mask: sitk.Image | None = None,
        finest: float = 0.0,
    ) -> None:
        self._kind = kind
        self._grids = ImageGrid.of(fixed), ImageGrid.of(moving)
        self._scan_spacing = scan_spacing(*self._grids)
        self._fine_pair = downsampled(fixed, 0.5 * self._scan_spacing), downsampled(moving, 0.5 * self._scan_spacing)
        self._scan_pair = downsampled(self._fine_pair[0], self._scan_spacing), downsampled(self._fine_pair[1], self._scan_spacing)
        self._finest_pair = _finest(fixed, moving, 0.5 * self._scan_spacing, finest)
        self._masks: list[sitk.Image | None] = []
        self._notes: list[str] = []
        for mask, image, side in zip((fixed_mask, moving_mask), self._scan_pair, ("fixed", "moving"), strict=True):
            if mask is not None:
                inside = resample(mask, ImageGrid.of(image), interpolation="nearest")
                if np.count_nonzero(sitk.GetArrayViewFromImage(inside)) < _LEAST_MASK:
                    self._notes.append(f"the {side} mask is too small for an alignment; the {kind} alignment used the whole image")
                    mask = None
            self._masks.append(mask)

    def run(self) -> Alignment:
        """Run the whole search."""
        return self._in_doubt(self._as_stored())

    def near(self, start: sitk.Transform, kind: str) -> Alignment:
        """Return the optimum near a start.

        Args:
            start: a linear transform.
            kind: of the alignment in the result if the images do not determine the optimum, so that the start is the result.

        Raises:
            ValueError: if the start is not linear, or mirrors.
        """
        begin = nearest(start, self._kind, self._grids[0].centre)
        coarse = self._optimise(self._scan_pair, begin)
        if coarse is None or not is_plausible(coarse) or self._energy(self._scan_pair, coarse) > self._energy(self._scan_pair, begin):
            coarse = begin
        best, notes = self._refined(coarse)
        if best is not begin:
            return Alignment(best, self._kind, (*self._notes, *notes))
        note = "mutual information found no better alignment near the start, which is the result"
        return Alignment(begin, kind, (*self._notes, *notes, note))

    def _as_stored(self) -> Alignment:
        """Return the alignment of the moving image in the orientation of its file."""
        starts = self._best_starts()
        if not starts:
            shift = self._grids[1].centre - self._grids[0].centre
            note = "no alignment of the images was found; only their centres were aligned"
            return Alignment(sitk.TranslationTransform(3, shift.tolist()), "geometry", (*self._notes, note))
        coarse = [self._optimise(self._scan_pair, self._transform(shift, self._kind)) for shift in starts]
        coarse = [transform for transform in coarse if transform is not None and is_plausible(transform)]
        if not coarse:
            note = "the images could not be aligned; they may show different body parts: do not use this result"
            return Alignment(sitk.TranslationTransform(3, starts[0].tolist()), "translation", (*self._notes, note))
        best = min(coarse, key=lambda transform: self._energy(self._scan_pair, transform))
        best, note = self._refined(best)
        return Alignment(best, self._kind, (*self._notes, *note))

    def _refined(self, coarse: sitk.Transform) -> tuple[sitk.Transform, tuple[str, ...]]:
        """Return a transform refined on the finer images, and a note if this gave an implausible one, which is not used."""
        for pair in filter(None, (self._fine_pair, self._finest_pair)):
            fine = self._optimise(pair, coarse)
            if fine is None or self._energy(pair, fine) >= self._energy(pair, coarse):
                continue
            if not is_plausible(fine):
                return coarse, (implausible_note(fine),)
            coarse = fine
        return coarse, ()

    # ------------------------------------------------------------- orientation

    def doubts(self, transform: sitk.Transform) -> tuple[str, ...]:
        """Return notes on orientations of the moving image that agree clearly better than the best alignment of the stored one.

        Args:
            transform: an alignment, from which the orientations that are worth an alignment are found.
        """
        every, centre = self._orientations(transform)
        others = likely_orientations(every)
        if not others:
            return ()
        energies = self._energies(self._as_stored().transform)
        clearly = [other for other in others if self._in_orientation(other, centre, energies) is not None]
        return tuple(_better_note(other) for other in clearly)

    def _orientations(self, transform: sitk.Transform) -> tuple[list[Orientation], np.ndarray]:
        """Return all orientations, the most similar one first, and the moving image's centre (3,), mm; the transform is an alignment."""
        fixed, moving = (ImageGrid.of(image) for image in self._scan_pair)
        known = np.array(transform.TransformPoint(fixed.centre.tolist())) - fixed.centre
        masses = centre_of_mass(self._scan_pair[0], self._masks[0]), centre_of_mass(self._scan_pair[1], self._masks[1])
        return orientations(*self._scan_pair, known, masses), moving.centre

    def _in_doubt(self, stored: Alignment) -> Alignment:
        """Return the alignment, or that of the turned moving image if this agrees clearly better; with notes on what is in doubt."""
        every, centre = self._orientations(stored.transform)
        found, energies = stored, self._energies(stored.transform)
        for other in likely_orientations(every):
            better = self._in_orientation(other, centre, energies)
            if better is not None and other.mirrors:
                found = replace(found, notes=(*found.notes, _better_note(other)))
            elif better is not None:
                transform, notes, energies = better
                note = f"the moving image was {other.describe()} to fit the fixed one; check the orientation in the files of both images"
                found = Alignment(unturned(transform, other, centre), self._kind, (*self._notes, *notes, note))
        usual = next(each.information for each in every if each.stored)
        if min(energies) > -_LEAST_AGREEMENT or (found is stored and float(np.median([each.information for each in every])) > usual):
            note = "the images agree little after the alignment: they may show different parts of the body"
            found = replace(found, notes=(*found.notes, note))
        return found

    def _in_orientation(
        self, other: Orientation, centre: np.ndarray, former: tuple[float, float]
    ) -> tuple[sitk.Transform, tuple[str, ...], tuple[float, float]] | None:
        """Align the fixed image with the moving one in another orientation.

        Args:
            other: the orientation, about ``centre`` (3,), LPS mm.
            former: energies of the alignment that it is compared with.

        Returns:
            The transform to the turned image, notes on it, and its energies; None unless it agrees clearly better.
        """
        search = self._turned(other, centre)
        coarse = search._optimise(search._scan_pair, search._transform(other.shift, self._kind))
        if coarse is None or not is_plausible(coarse) or search._energy(search._scan_pair, coarse) > former[0]:
            return None
        best, notes = search._refined(coarse)
        energies = search._energies(best)
        return None if energies[1] > _CLEARLY * former[1] else (best, notes, energies)

    def _turned(self, orientation: Orientation, centre: np.ndarray) -> LinearSearch:
        """Return the same search with the moving image turned or mirrored about a centre (3,), LPS mm."""
        search = copy.copy(self)
        search._scan_pair = self._scan_pair[0], turned(self._scan_pair[1], orientation, centre)
        search._fine_pair = self._fine_pair[0], turned(self._fine_pair[1], orientation, centre)
        if self._finest_pair is not None:
            search._finest_pair = self._finest_pair[0], turned(self._finest_pair[1], orientation, centre)
        mask = self._masks[1]
        search._masks = [self._masks[0], None if mask is None else turned(mask, orientation, centre)]
        return search

    # ------------------------------------------------------------------ starts

    def _best_starts(self) -> list[np.ndarray]:
        """Return translations (3,), mm, at which the optimisation starts, best first."""
        fixed, moving = self._grids
        by_mass = centre_of_mass(self._scan_pair[1], self._masks[1]) - centre_of_mass(self._scan_pair[0], self._masks[0])
        by_centre = moving.centre - fixed.centre
        candidates = [np.zeros(3), by_centre, by_mass]
        smaller, larger = sorted(float(np.prod(grid.extent)) for grid in self._grids)
        if overlap(fixed, moving, np.zeros(3)) * smaller / larger >= _SAME_REGION:
            return self._best(candidates, 1)
        # The starts lie along each axis of the fixed image, from aligned centres to the least overlap in both directions. The
        # other two coordinates align the centres of mass, because the body is rarely centred in the field of view.
        for axis in range(3):
            along = fixed.axes[:, axis]
            across = by_mass - along * (along @ by_mass) + along * (along @ by_centre)
            reach = 0.5 * (fixed.extent[axis] + float(np.abs(along @ moving.axes) @ moving.extent))
            step = 1.5 * self._scan_spacing
            candidates += [across + along * offset for offset in np.arange(-reach, reach + step, step)]
        overlaps = [overlap(fixed, moving, shift) for shift in candidates]
        # Thin slabs that are tilted against each other overlap little in any position.
        least = min(_LEAST_OVERLAP, _THIN_OVERLAP * max(overlaps))
        candidates = [shift for shift, share in zip(candidates, overlaps, strict=True) if share >= least > 0.0]
        return self._best(candidates, _STARTS)

    def _best(self, candidates: list[np.ndarray], count: int) -> list[np.ndarray]:
        """Return the candidates with the most mutual information, no two of them close together."""
        method = self._method(*self._scan_pair, _SCAN_SHARE)
        values = [
            (_evaluate(method, self._scan_pair, sitk.TranslationTransform(3, shift.tolist())), number)
            for number, shift in enumerate(candidates)
        ]
        chosen: list[np.ndarray] = []
        for value, number in sorted(values):
            apart = _STARTS_APART * self._scan_spacing
            if np.isfinite(value) and all(np.linalg.norm(candidates[number] - other) > apart for other in chosen):
                chosen.append(candidates[number])
            if len(chosen) == count:
                break
        return chosen

    def _transform(self, shift: np.ndarray, kind: str) -> sitk.Transform:
        return make_linear(kind, np.eye(3), self._grids[0].centre, shift)

    # ------------------------------------------------------------ optimisation

    def _method(self, fixed: sitk.Image, moving: sitk.Image, share: float = 1.0) -> sitk.ImageRegistrationMethod:
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(24)
        if share < 1.0:
            method.SetMetricSamplingStrategy(sitk.ImageRegistrationMethod.REGULAR)
            method.SetMetricSamplingPercentage(share, _SEED)
        method.SetInterpolator(sitk.sitkLinear)
        setters = method.SetMetricFixedMask, method.SetMetricMovingMask
        for mask, image, set_mask in zip(self._masks, (fixed, moving), setters, strict=True):
            if mask is not None:
                set_mask(resample(mask, ImageGrid.of(image), interpolation="nearest"))
        return method

    def _energy(self, pair: tuple[sitk.Image, sitk.Image], transform: sitk.Transform) -> float:
        """Return the negative mutual information and the penalty of the stretch."""
        return _evaluate(self._method(*pair), pair, transform) + penalty(transform)

    def _energies(self, transform: sitk.Transform) -> tuple[float, float]:
        """Return the energies on the coarse and on the fine images."""
        return self._energy(self._scan_pair, transform), self._energy(self._fine_pair, transform)

    def _optimise(self, pair: tuple[sitk.Image, sitk.Image], start: sitk.Transform) -> sitk.Transform | None:
        """Return the transform at the optimum near a start; None if the images lost their overlap."""
        # As many samples as the coarse images have voxels; more do not improve the result there.
        samples = self._scan_pair[0].GetNumberOfPixels()
        if pair is self._finest_pair:
            samples = max(samples, pair[0].GetNumberOfPixels() // _SAMPLED)
        share = min(1.0, samples / pair[0].GetNumberOfPixels())
        method = self._method(*pair, share)
        transform = copied(start)
        length = 0.35 * min(pair[0].GetSpacing())
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=length, minStep=0.005 * length, numberOfIterations=60, relaxationFactor=0.6, gradientMagnitudeTolerance=1e-6
        )
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(transform, inPlace=True)
        try:
            method.Execute(*pair)
        except RuntimeError:
            return None
        return transform


def _finest(fixed: sitk.Image, moving: sitk.Image, finer_than: float, voxels: float) -> tuple[sitk.Image, sitk.Image] | None:
    """Return both images, resampled so that the fixed one has about ``voxels`` voxels.

    None if these voxels would not be smaller than ``finer_than``, mm, or ``voxels`` is 0.
    """
    if not voxels:
        return None
    spacing = max(float(np.prod(ImageGrid.of(fixed).extent) / voxels) ** (1 / 3), min(fixed.GetSpacing()))
    return (downsampled(fixed, spacing), downsampled(moving, spacing)) if spacing < 0.9 * finer_than else None


def _better_note(other: Orientation) -> str:
    return f"the moving image agrees much better when it is {other.describe()}; check the orientation in the files of both images"


def _evaluate(method: sitk.ImageRegistrationMethod, pair: tuple[sitk.Image, sitk.Image], transform: sitk.Transform) -> float:
    """Return the negative mutual information; infinite where the samples do not overlap."""
    method.SetInitialTransform(transform)
    try:
        return method.MetricEvaluate(pair[0], pair[1])
    except RuntimeError:
        return float("inf")
