"""Alignment before the deformation: centres, rigid, affine, by SimpleITK. No torch.

Rigid and affine alignment maximise mutual information (Mattes et al., PET-CT image registration in the chest using free-form
deformations, IEEE TMI 2003) from coarse to fine. One start is not enough: scans of two people often overlap only in part, and
the optimum nearest to aligned centres then squeezes one of them. So translations along the body are scanned first, the best
few are refined coarsely, and the one that ends best goes on. Mutual information alone likes to stretch (two scans of different
regions agree best where most of one is squeezed into the other), so a stretch has its price. Every step is single-threaded
and seeded: the same images give the same transform, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample, without_padding
from deepreg_engine.methods.common.parameters import INITIALS

_SEED = 20190813
# Voxels of the smaller image at the scan; the refinement has eight times as many.
_SCAN_VOXELS = 14_000
# A start must leave this share of the smaller field of view in common.
_LEAST_OVERLAP = 0.3
# Starts that are refined, no two nearer than this many scan voxels.
_STARTS, _STARTS_APART = 3, 3.0
# Points along each axis at which the overlap is counted.
_OVERLAP_POINTS = 12
# Two scans that share this much of the larger field of view where they lie need no scan for a start.
_SAME_REGION = 0.6
# Share of the voxels that the scan looks at.
_SCAN_SHARE = 0.3
# A mask of fewer voxels of the scan says too little for six or twelve numbers.
_LEAST_MASK = 200
# Price of a stretch, in nats of mutual information per squared logarithm of each axis' stretch.
_STRETCH_PRICE = 0.05
# An affine that stretches an axis more than this between two people has gone astray.
_PLAUSIBLE_STRETCH = (0.55, 1.8)


@dataclass(frozen=True)
class Alignment:
    """An alignment and how it was found.

    Args:
        transform: takes fixed points to moving points.
        kind: what was done, one of :data:`INITIALS`; or "translation" or "file".
        notes: what the user should know.
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
        fixed_mask, moving_mask: 8-bit, on the images' grids; limit what mutual information sees.

    Raises:
        ParameterError: on another kind.
        InputError: with "none", if the images have no point in common.
    """
    if kind not in INITIALS:
        raise ParameterError(f"there is no initial alignment {kind!r}", f"there are {', '.join(INITIALS)}")
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
    fixed, moving = without_padding(fixed), without_padding(moving)
    if kind == "mass":
        shift = _centre_of_mass(moving, moving_mask) - _centre_of_mass(fixed, fixed_mask)
        return Alignment(sitk.TranslationTransform(3, shift.tolist()), kind)
    search = _Search(fixed, moving, kind, fixed_mask, moving_mask)
    with _one_thread():
        return search.run()


@contextmanager
def _one_thread() -> Iterator[None]:
    """SimpleITK on one thread: sums in another order would give another last digit, and another optimum."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def overlap(fixed: ImageGrid, moving: ImageGrid, shift: np.ndarray) -> float:
    """Share of the smaller field of view that both have in common when fixed points move by ``shift`` (mm)."""
    # Points of the smaller one, faces included: points of the larger might all miss a small organ between them.
    if np.prod(fixed.extent) <= np.prod(moving.extent):
        smaller, larger, way = fixed, moving, np.asarray(shift)
    else:
        smaller, larger, way = moving, fixed, -np.asarray(shift)
    ends = 0.5 - 1e-6  # on a face itself rounding would decide
    counts = [np.linspace(-ends, n - 1 + ends, _OVERLAP_POINTS) for n in smaller.size]
    points = smaller.index_to_physical(np.stack(np.meshgrid(*counts, indexing="ij"), axis=-1).reshape(-1, 3))
    common = larger.contains(points + way).reshape((_OVERLAP_POINTS,) * 3).astype(np.float64)
    weights = np.ones(_OVERLAP_POINTS)
    weights[[0, -1]] = 0.5
    return float(np.einsum("xyz,x,y,z->", common, weights, weights, weights) / weights.sum() ** 3)


def _centre_of_mass(image: sitk.Image, mask: sitk.Image | None) -> np.ndarray:
    """Mean position of what is brighter than the background, LPS mm.

    The fifth percentile counts as nothing, the 95th as full: neither air nor a metal implant decides.
    """
    small = _drawn(image, _scan_spacing(ImageGrid.of(image)))
    array = sitk.GetArrayFromImage(small).astype(np.float64)
    low, high = np.percentile(array, [5, 95])
    weight = np.clip(array - low, 0.0, max(high - low, 1e-6))
    if mask is not None:
        inside = sitk.GetArrayFromImage(resample(mask, ImageGrid.of(small), interpolation="nearest")) > 0
        weight = weight * inside
        if not weight.any():  # all dark, or smaller than the voxels here
            places = np.argwhere(sitk.GetArrayViewFromImage(mask))[:, ::-1]
            return ImageGrid.of(mask).index_to_physical(places.mean(axis=0, keepdims=True))[0]
    if not weight.any():
        return ImageGrid.of(image).centre
    index = [
        float((weight.sum(axis=tuple(a for a in range(3) if a != axis)) * np.arange(n)).sum() / weight.sum())
        for axis, n in enumerate(weight.shape)
    ]
    return ImageGrid.of(small).index_to_physical(np.array([index[::-1]]))[0]


def _scan_spacing(*grids: ImageGrid) -> float:
    """Spacing (mm) at which the smallest field of view has :data:`_SCAN_VOXELS` voxels."""
    return float(min(np.prod(grid.extent) for grid in grids) / _SCAN_VOXELS) ** (1 / 3)


def _drawn(image: sitk.Image, spacing: float) -> sitk.Image:
    """The image on cubic voxels of a coarser spacing (mm), smoothed before."""
    factors = [max(1, int(0.5 * spacing / own)) for own in image.GetSpacing()]
    if max(factors) > 1:  # averages of whole blocks first: most of the voxels are gone before the slow part
        image = sitk.BinShrink(image, factors)
    grid = ImageGrid.of(image)
    spacing = max(spacing, min(grid.spacing))
    for axis, own in enumerate(grid.spacing):
        if spacing > 1.2 * own:
            image = sitk.RecursiveGaussian(image, 0.5 * spacing, False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis)
    # Zero flux at the faces: a voxel centre of the coarse grid may lie just outside the fine one.
    resampler = sitk.ResampleImageFilter()
    coarse = grid.resampled(spacing)
    resampler.SetSize(coarse.size)
    resampler.SetOutputSpacing(coarse.spacing)
    resampler.SetOutputOrigin(coarse.origin)
    resampler.SetOutputDirection(coarse.direction)
    resampler.SetUseNearestNeighborExtrapolator(True)
    return resampler.Execute(image)


class _Search:
    """Rigid or affine alignment of one pair."""

    def __init__(
        self, fixed: sitk.Image, moving: sitk.Image, kind: str, fixed_mask: sitk.Image | None, moving_mask: sitk.Image | None
    ) -> None:
        self._kind = kind
        self._grids = ImageGrid.of(fixed), ImageGrid.of(moving)
        self._scan_spacing = _scan_spacing(*self._grids)
        self._fine_pair = tuple(_drawn(image, 0.5 * self._scan_spacing) for image in (fixed, moving))
        self._scan_pair = tuple(_drawn(image, self._scan_spacing) for image in self._fine_pair)
        self._masks: list[sitk.Image | None] = []
        self._notes: list[str] = []
        for mask, image, side in zip((fixed_mask, moving_mask), self._scan_pair, ("fixed", "moving")):
            if mask is not None:
                seen = sitk.GetArrayViewFromImage(resample(mask, ImageGrid.of(image), interpolation="nearest"))
                if np.count_nonzero(seen) < _LEAST_MASK:
                    self._notes.append(f"the {side} mask is too small to align by; the {kind} alignment looked at the whole image")
                    mask = None
            self._masks.append(mask)

    def run(self) -> Alignment:
        """The whole search."""
        starts = self._best_starts()
        if not starts:
            shift = self._grids[1].centre - self._grids[0].centre
            note = "mutual information found no alignment; the image centres were aligned instead"
            return Alignment(sitk.TranslationTransform(3, shift.tolist()), "geometry", (*self._notes, note))
        coarse = [self._optimise(self._scan_pair, self._at(shift, self._kind)) for shift in starts]
        coarse = [transform for transform in coarse if transform is not None and _plausible(transform)]
        if not coarse:
            note = f"the {self._kind} alignment was implausible; the image was only shifted, to where mutual information is largest"
            return Alignment(sitk.TranslationTransform(3, starts[0].tolist()), "translation", (*self._notes, note))
        best = min(coarse, key=lambda transform: self._badness(self._scan_pair, transform))
        fine = self._optimise(self._fine_pair, best)
        if fine is not None and self._badness(self._fine_pair, fine) < self._badness(self._fine_pair, best):
            if not _plausible(fine):
                return Alignment(best, self._kind, (*self._notes, _warning(fine)))
            best = fine
        return Alignment(best, self._kind, tuple(self._notes))

    # ------------------------------------------------------------------ starts

    def _best_starts(self) -> list[np.ndarray]:
        """Translations (mm) from which it is worth starting, best first."""
        fixed, moving = self._grids
        by_mass = _centre_of_mass(self._scan_pair[1], self._masks[1]) - _centre_of_mass(self._scan_pair[0], self._masks[0])
        by_centre = moving.centre - fixed.centre
        candidates = [np.zeros(3), by_centre, by_mass]
        smaller, larger = sorted(float(np.prod(grid.extent)) for grid in self._grids)
        if overlap(fixed, moving, np.zeros(3)) * smaller / larger >= _SAME_REGION:
            return self._best(candidates, 1)
        # Along each axis of the fixed image, from aligned centres to the least overlap on either side. The two other
        # coordinates come from the centres of mass: the body's outline says more there than the scanner's table.
        for axis in range(3):
            along = fixed.axes[:, axis]
            across = by_mass - along * (along @ by_mass) + along * (along @ by_centre)
            reach = 0.5 * (fixed.extent[axis] + float(np.abs(along @ moving.axes) @ moving.extent))
            step = 1.5 * self._scan_spacing
            candidates += [across + along * offset for offset in np.arange(-reach, reach + step, step)]
        candidates = [shift for shift in candidates if overlap(fixed, moving, shift) >= _LEAST_OVERLAP]
        return self._best(candidates, _STARTS)

    def _best(self, candidates: list[np.ndarray], count: int) -> list[np.ndarray]:
        """The candidates with the most mutual information, no two of them close together."""
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

    def _at(self, shift: np.ndarray, kind: str) -> sitk.Transform:
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
        for mask, image, put in zip(self._masks, (fixed, moving), (method.SetMetricFixedMask, method.SetMetricMovingMask)):
            if mask is not None:
                put(resample(mask, ImageGrid.of(image), interpolation="nearest"))
        return method

    def _badness(self, pair: tuple[sitk.Image, sitk.Image], transform: sitk.Transform) -> float:
        """Negative mutual information and the price of the stretch."""
        price = _STRETCH_PRICE * float(np.square(np.log(_stretch(transform))).sum())
        return _evaluate(self._method(*pair), pair, transform) + price

    def _optimise(self, pair: tuple[sitk.Image, sitk.Image], start: sitk.Transform) -> sitk.Transform | None:
        """The transform at the optimum near a start; None if the images lost each other."""
        # As many samples as the scan has voxels: more of them only cost time.
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


def _evaluate(method: sitk.ImageRegistrationMethod, pair: tuple[sitk.Image, sitk.Image], transform: sitk.Transform) -> float:
    """Negative mutual information; infinite where the samples do not overlap."""
    method.SetInitialTransform(transform)
    try:
        return method.MetricEvaluate(*pair)
    except RuntimeError:
        return float("inf")


def _stretch(transform: sitk.Transform) -> np.ndarray:
    """Singular values of the linear part of a rigid or affine transform."""
    if transform.GetName() != "AffineTransform":
        return np.ones(3)
    return np.linalg.svd(np.array(sitk.AffineTransform(transform).GetMatrix()).reshape(3, 3), compute_uv=False)


def _plausible(transform: sitk.Transform) -> bool:
    """Whether no direction is mirrored, stretched or squeezed beyond what people differ."""
    if transform.GetName() == "AffineTransform":
        if np.linalg.det(np.array(sitk.AffineTransform(transform).GetMatrix()).reshape(3, 3)) <= 0:
            return False
    stretch = _stretch(transform)
    return bool(stretch.min() >= _PLAUSIBLE_STRETCH[0] and stretch.max() <= _PLAUSIBLE_STRETCH[1])


def _warning(refused: sitk.Transform) -> str:
    """What a user should know who may have images with a wrong header."""
    stretch = max(_stretch(refused), key=lambda factor: abs(np.log(factor)))
    return f"a stretch by {stretch:.2f} fits best but is implausible and was not followed; check the voxel spacing of both images"
