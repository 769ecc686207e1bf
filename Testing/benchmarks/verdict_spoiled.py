"""Ways to spoil a pair for the benchmark of the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import SimpleITK as sitk
from verdict_subjects import Subject, labels_on

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.orientation import Orientation, turned

Spoiler = Callable[[Subject, np.random.Generator, Subject], Subject]


def _axis(name: int) -> np.ndarray:
    matrix = np.ones(3)
    matrix[name] = -1.0
    return np.diag(matrix)


def _half_turn(axis: int) -> np.ndarray:
    return -_axis(axis)


def _with_moving(subject: Subject, matrix: np.ndarray) -> Subject:
    """The subject with its moving image turned or mirrored about its centre, and its truth with it."""
    if subject.clouds is not None:
        centre = subject.clouds[1].mean(0)
        clouds = subject.clouds[0], centre + (subject.clouds[1] - centre) @ matrix.T
        return dataclasses.replace(subject, clouds=clouds, points=_moved(subject, matrix, centre))
    assert subject.moving is not None
    centre = ImageGrid.of(subject.moving).centre
    orientation = Orientation(matrix, np.zeros(3), 0.0)
    labels = subject.labels and (subject.labels[0], _turned_on_axes(subject.labels[1], orientation, centre))
    moving = _turned_on_axes(subject.moving, orientation, centre)
    return dataclasses.replace(subject, moving=moving, labels=labels, points=_moved(subject, matrix, centre))


def _turned_on_axes(image: sitk.Image, orientation: Orientation, centre: np.ndarray) -> sitk.Image:
    """The turned or mirrored image, stored along right-handed axes."""
    found = turned(image, orientation, centre)
    return sitk.Flip(found, [True, False, False]) if orientation.mirrors else found


def _moved(subject: Subject, matrix: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    return subject.points and (subject.points[0], centre + (subject.points[1] - centre) @ matrix.T)


def mirrored(subject: Subject, rng: np.random.Generator, _other: Subject) -> Subject:
    """Left and right exchanged."""
    return _with_moving(subject, _axis(0))


def prone(subject: Subject, rng: np.random.Generator, _other: Subject) -> Subject:
    """Turned by 180 degrees about the axis from head to feet; only centres are aligned."""
    return _centres(_with_moving(subject, _half_turn(2)))


def upside_down(subject: Subject, rng: np.random.Generator, _other: Subject) -> Subject:
    """Turned by 180 degrees about the axis from left to right or from front to back; only centres are aligned."""
    return _centres(_with_moving(subject, _half_turn(int(rng.integers(0, 2)))))


def turned_aligned(subject: Subject, rng: np.random.Generator, _other: Subject) -> Subject:
    """Turned by 180 degrees about any axis, with the preset's alignment."""
    return _with_moving(subject, _half_turn(int(rng.integers(0, 3))))


def _centres(subject: Subject) -> Subject:
    initial = "centres" if subject.method == "points" else "mass"
    return dataclasses.replace(subject, settings={**subject.settings, "initial": initial})


def other_region(subject: Subject, _rng: np.random.Generator, other: Subject) -> Subject:
    """The moving side is that of another source: another part of the body."""
    moving = other.moving if subject.clouds is None else None
    return dataclasses.replace(subject, moving=moving, clouds=_clouds(subject, other), points=None, labels=None)


def _clouds(subject: Subject, other: Subject) -> tuple[np.ndarray, np.ndarray] | None:
    if subject.clouds is None:
        return None
    if other.clouds is not None:
        return subject.clouds[0], other.clouds[1]
    assert other.fixed is not None
    array = sitk.GetArrayViewFromImage(other.fixed)
    index = np.argwhere(array > np.quantile(array, 0.7))
    index = index[np.random.default_rng(0).permutation(len(index))[: len(subject.clouds[1])]]
    return subject.clouds[0], ImageGrid.of(other.fixed).index_to_physical(index[:, ::-1])


def cropped(subject: Subject, rng: np.random.Generator, _other: Subject) -> Subject:
    """A tenth of the moving image, anywhere."""
    assert subject.moving is not None
    size = np.array(subject.moving.GetSize())
    part = np.maximum(4, np.round(size * 0.1 ** (1 / 3))).astype(int)
    start = [int(rng.integers(0, n - p + 1)) for n, p in zip(size, part, strict=True)]
    return dataclasses.replace(subject, moving=sitk.RegionOfInterest(subject.moving, part.tolist(), start))


def wrong_start(subject: Subject, rng: np.random.Generator, _other: Subject) -> Subject:
    """A start that is far off: a large shift and a rotation by some 40 to 90 degrees."""
    grid = ImageGrid.of(subject.fixed)
    start = sitk.Euler3DTransform()
    start.SetCenter(grid.centre.tolist())
    start.SetRotation(*np.radians(rng.uniform(40.0, 90.0, 3) * rng.choice((-1, 1), 3) * (rng.permutation(3) == 0)).tolist())
    shift = ImageGrid.of(subject.moving).centre - grid.centre + rng.uniform(0.2, 0.4, 3) * grid.extent * rng.choice((-1, 1), 3)
    start.SetTranslation(shift.tolist())
    return dataclasses.replace(subject, start=start)


def noise(subject: Subject, rng: np.random.Generator, _other: Subject) -> Subject:
    """Noise instead of the moving image, or so much that hardly anything is seen."""
    assert subject.moving is not None
    array = sitk.GetArrayFromImage(subject.moving).astype(np.float32)
    spread = float(array.std())
    share = 0.0 if rng.random() < 0.6 else 0.1
    noisy = share * array + rng.normal(0.0, spread, array.shape)
    image = ImageGrid.of(subject.moving).to_image(noisy.astype(np.float32))
    return dataclasses.replace(subject, moving=image, points=None, labels=None)


def label_map(subject: Subject, _rng: np.random.Generator, _other: Subject) -> Subject:
    """The label map of the moving image instead of the image."""
    assert subject.moving is not None
    return dataclasses.replace(subject, moving=labels_on(subject.moving_labels, subject.moving))


def wrong_preset(subject: Subject, rng: np.random.Generator, _other: Subject) -> Subject:
    """A preset for other images: without alignment, or for CT of the chest, or of another contrast."""
    choices = {"dense": ("thorax-ct", "brain-mr", "follow-up-ct"), "descent": ("mr-ct", "ct-cbct", "brain-mr"), "points": ("landmarks",)}
    names = [name for name in choices[subject.method] if name != subject.preset]
    initial = "none" if subject.clouds is None and rng.random() < 0.6 else None
    moving = subject.moving
    if initial and moving is not None:  # so far off that the preset's search does not reach
        extent = ImageGrid.of(moving).extent
        moving = sitk.Image(moving)
        moving.SetOrigin((np.array(moving.GetOrigin()) + 0.35 * extent * rng.choice((-1, 1), 3)).tolist())
    shift = None if moving is None or subject.moving is None else np.subtract(moving.GetOrigin(), subject.moving.GetOrigin())
    points = subject.points if shift is None or subject.points is None else (subject.points[0], subject.points[1] + shift)
    labels = subject.labels
    if labels is not None and shift is not None:
        other = sitk.Image(labels[1])
        other.SetOrigin((np.array(other.GetOrigin()) + shift).tolist())
        labels = labels[0], other
    settings = {**subject.settings, "initial": initial} if initial else subject.settings
    preset = str(rng.choice(names))
    return dataclasses.replace(subject, preset=preset, moving=moving, points=points, labels=labels, settings=settings)


def other_units(subject: Subject, rng: np.random.Generator, _other: Subject) -> Subject:
    """Lengths of the moving image in other units: ten times as large, or a tenth."""
    factor = float(rng.choice((10.0, 0.1)))
    points = subject.points and (subject.points[0], factor * subject.points[1])
    if subject.clouds is not None:
        return dataclasses.replace(subject, clouds=(subject.clouds[0], factor * subject.clouds[1]), points=points)
    labels = subject.labels and (subject.labels[0], _scaled(subject.labels[1], factor))
    return dataclasses.replace(subject, moving=_scaled(subject.moving, factor), points=points, labels=labels)


def _scaled(image: sitk.Image | None, factor: float) -> sitk.Image:
    result = sitk.Image(image)
    result.SetSpacing((factor * np.array(result.GetSpacing())).tolist())
    result.SetOrigin((factor * np.array(result.GetOrigin())).tolist())
    return result


def fifth(subject: Subject, _rng: np.random.Generator, _other: Subject) -> Subject:
    """The upper six tenths of the fixed and the lower six tenths of the moving image: a fifth of the patient is in both."""
    if subject.clouds is not None:
        middle = [np.quantile(cloud[:, 2], share) for cloud, share in zip(subject.clouds, (0.4, 0.6), strict=True)]
        clouds = subject.clouds[0][subject.clouds[0][:, 2] > middle[0]], subject.clouds[1][subject.clouds[1][:, 2] < middle[1]]
        return dataclasses.replace(subject, clouds=clouds)
    assert subject.fixed is not None
    assert subject.moving is not None
    parts = []
    for image, upper in ((subject.fixed, True), (subject.moving, False)):
        size = list(image.GetSize())
        kept = max(4, round(0.6 * size[2]))
        parts.append(sitk.RegionOfInterest(image, [size[0], size[1], kept], [0, 0, size[2] - kept if upper else 0]))
    return dataclasses.replace(subject, fixed=parts[0], moving=parts[1], labels=None if subject.points else subject.labels)


def same(subject: Subject, rng: np.random.Generator, _other: Subject) -> Subject:
    """Nearly the same image twice: already aligned, with noise of another examination."""
    if subject.clouds is not None:
        cloud = subject.clouds[0]
        moving = cloud[rng.random(len(cloud)) < 0.9] + 0.0
        return dataclasses.replace(subject, clouds=(cloud, moving), points=(cloud, cloud))
    assert subject.fixed is not None
    array = sitk.GetArrayFromImage(subject.fixed).astype(np.float32)
    noisy = array + rng.normal(0.0, 0.02 * array.std(), array.shape).astype(np.float32)
    grid = ImageGrid.of(subject.fixed)
    points = grid.points().reshape(-1, 3)[::37]
    return dataclasses.replace(subject, moving=grid.to_image(noisy), points=(points, points), labels=None)


#: Ways to spoil images, and points; how often each is tried in a half.
IMAGES: dict[str, tuple[Spoiler, int]] = {
    "mirrored": (mirrored, 7),
    "prone": (prone, 6),
    "upside down": (upside_down, 6),
    "turned": (turned_aligned, 4),
    "other region": (other_region, 14),
    "a tenth": (cropped, 6),
    "wrong start": (wrong_start, 7),
    "noise": (noise, 7),
    "label map": (label_map, 6),
    "wrong preset": (wrong_preset, 8),
    "other units": (other_units, 6),
    "a fifth in common": (fifth, 6),
}
POINTS: dict[str, tuple[Spoiler, int]] = {
    "mirrored": (mirrored, 1),
    "prone": (prone, 1),
    "upside down": (upside_down, 1),
    "other region": (other_region, 3),
    "other units": (other_units, 1),
    "a fifth in common": (fifth, 1),
    "wrong preset": (wrong_preset, 1),
}
