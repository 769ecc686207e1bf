"""Alignment before the deformation: by centres, rigid or affine, with SimpleITK. No torch.

Rigid and affine alignment maximise the mutual information of Mattes et al. (PET-CT image registration in the chest using
free-form deformations, IEEE TMI 2003) from coarse to fine, from several starts: scans of two people often overlap only in part,
and the optimum nearest to aligned centres then compresses one of them. Translations along the axes of the fixed image are
evaluated first, the best few are refined coarsely, and the best of these is refined finely. Mutual information alone favours
stretches, because scans of different regions agree best if one is compressed. Transforms are therefore compared by

    E(T) = -MI(T) + 0.05 sum_i log^2 s_i,

where s_i are the singular values of the linear part. A moving image that is turned is used where it has clearly less energy. All
steps are single-threaded and seeded, so that results are reproducible to the last bit.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.body import around_body
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample, without_outliers
from deepreg_engine.methods.common.coarse import centre_of_mass, downsampled, scan_spacing
from deepreg_engine.methods.common.orientation import Orientation, likely_orientations, orientations, turned, unturned
from deepreg_engine.methods.common.parameters import INITIALS
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
# Air around the patient that is kept, mm.
_MARGIN = 30.0


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


def align(
    fixed: sitk.Image, moving: sitk.Image, kind: str, fixed_mask: sitk.Image | None = None, moving_mask: sitk.Image | None = None
) -> Alignment:
    """Align two 3D float32 images.

    Args:
        fixed, moving: the images.
        kind: "none", "geometry", "mass", "rigid" or "affine".
        fixed_mask, moving_mask: 8-bit, on the images' grids; mutual information is evaluated within them.

    Raises:
        ParameterError: on another kind.
        InputError: with "none", if the images have no point in common.
    """
    if kind not in INITIALS:
        raise ParameterError(f"there is no initial alignment {kind!r}", f"there are {', '.join(INITIALS)}", "initial")
    if kind == "none":
        if overlap(ImageGrid.of(fixed), ImageGrid.of(moving), np.zeros(3)) == 0.0:
            raise InputError(
                "the two images have no point in common where they lie in space",
                "use the initial alignment geometry, mass, rigid or affine",
                "initial",
            )
        return Alignment(sitk.Transform(3, sitk.sitkIdentity), kind)
    if kind == "geometry":
        shift = ImageGrid.of(moving).centre - ImageGrid.of(fixed).centre
        return Alignment(sitk.TranslationTransform(3, shift.tolist()), kind)
    fixed, moving = without_outliers(fixed), without_outliers(moving)
    if kind == "mass":
        shift = centre_of_mass(moving, moving_mask) - centre_of_mass(fixed, fixed_mask)
        return Alignment(sitk.TranslationTransform(3, shift.tolist()), kind)
    fixed, moving = around_body(fixed, _MARGIN), around_body(moving, _MARGIN)
    search = _Search(fixed, moving, kind, fixed_mask, moving_mask)
    with _one_thread():
        return search.run()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run SimpleITK on one thread: another order of summation changes the last digit, and with it the optimum."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


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


def orientation_notes(
    fixed: sitk.Image,
    moving: sitk.Image,
    transform: sitk.Transform,
    fixed_mask: sitk.Image | None = None,
    moving_mask: sitk.Image | None = None,
) -> tuple[str, ...]:
    """Return notes if the moving image agrees much better when it is turned or mirrored; for alignments that only translate it.

    Args:
        fixed, moving, fixed_mask, moving_mask: as for :func:`align`.
        transform: the alignment.
    """
    fixed, moving = (around_body(without_outliers(image), _MARGIN) for image in (fixed, moving))
    with _one_thread():
        return _Search(fixed, moving, "affine", fixed_mask, moving_mask).doubts(transform)


class _Search:
    """Rigid or affine alignment of one pair."""

    def __init__(
        self, fixed: sitk.Image, moving: sitk.Image, kind: str, fixed_mask: sitk.Image | None, moving_mask: sitk.Image | None
    ) -> None:
        self._kind = kind
        self._grids = ImageGrid.of(fixed), ImageGrid.of(moving)
        self._scan_spacing = scan_spacing(*self._grids)
        self._fine_pair = downsampled(fixed, 0.5 * self._scan_spacing), downsampled(moving, 0.5 * self._scan_spacing)
        self._scan_pair = downsampled(self._fine_pair[0], self._scan_spacing), downsampled(self._fine_pair[1], self._scan_spacing)
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

    def _as_stored(self) -> Alignment:
        """Return the alignment of the moving image in the orientation of its file."""
        starts = self._best_starts()
        if not starts:
            shift = self._grids[1].centre - self._grids[0].centre
            note = "mutual information found no alignment; the image centres were aligned instead"
            return Alignment(sitk.TranslationTransform(3, shift.tolist()), "geometry", (*self._notes, note))
        coarse = [self._optimise(self._scan_pair, self._transform(shift, self._kind)) for shift in starts]
        coarse = [transform for transform in coarse if transform is not None and is_plausible(transform)]
        if not coarse:
            note = f"the {self._kind} alignment was implausible; the image was only translated, to the largest mutual information"
            return Alignment(sitk.TranslationTransform(3, starts[0].tolist()), "translation", (*self._notes, note))
        best = min(coarse, key=lambda transform: self._energy(self._scan_pair, transform))
        best, note = self._refined(best)
        return Alignment(best, self._kind, (*self._notes, *note))

    def _refined(self, coarse: sitk.Transform) -> tuple[sitk.Transform, tuple[str, ...]]:
        """Return a transform refined on the fine images, and a note if this gave an implausible one, which is not used."""
        fine = self._optimise(self._fine_pair, coarse)
        if fine is None or self._energy(self._fine_pair, fine) >= self._energy(self._fine_pair, coarse):
            return coarse, ()
        return (fine, ()) if is_plausible(fine) else (coarse, (implausible_note(fine),))

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

    def _turned(self, orientation: Orientation, centre: np.ndarray) -> _Search:
        """Return the same search with the moving image turned or mirrored about a centre (3,), LPS mm."""
        search = copy.copy(self)
        search._scan_pair = self._scan_pair[0], turned(self._scan_pair[1], orientation, centre)
        search._fine_pair = self._fine_pair[0], turned(self._fine_pair[1], orientation, centre)
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
        # Along each axis of the fixed image, from aligned centres to the least overlap on either side. The other two
        # coordinates align the centres of mass, because the body is rarely centred in the field of view.
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
        transform = sitk.AffineTransform(3) if kind == "affine" else sitk.Euler3DTransform()
        transform.SetCenter(self._grids[0].centre.tolist())
        transform.SetTranslation(np.asarray(shift, dtype=float).tolist())
        return transform

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
        # As many samples as the coarse images have voxels; more do not improve the result.
        share = min(1.0, self._scan_pair[0].GetNumberOfPixels() / pair[0].GetNumberOfPixels())
        method = self._method(*pair, share)
        transform = sitk.Euler3DTransform(start) if start.GetName() == "Euler3DTransform" else sitk.AffineTransform(start)
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


def _better_note(other: Orientation) -> str:
    return f"the moving image agrees much better when it is {other.describe()}; check the orientation in the files of both images"


def _evaluate(method: sitk.ImageRegistrationMethod, pair: tuple[sitk.Image, sitk.Image], transform: sitk.Transform) -> float:
    """Return the negative mutual information; infinite where the samples do not overlap."""
    method.SetInitialTransform(transform)
    try:
        return method.MetricEvaluate(pair[0], pair[1])
    except RuntimeError:
        return float("inf")
