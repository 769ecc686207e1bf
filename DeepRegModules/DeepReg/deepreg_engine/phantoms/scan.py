"""One phantom scan: a patient, a grid and a modality."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.phantoms.abdomen import abdomen
from deepreg_engine.phantoms.anatomy import Anatomy
from deepreg_engine.phantoms.appearance import MODALITIES, USUAL, Setting, TissueContrast, acquire
from deepreg_engine.phantoms.brain import brain
from deepreg_engine.phantoms.choices import ANATOMIES
from deepreg_engine.phantoms.deformation import Deformation
from deepreg_engine.phantoms.noise import generator
from deepreg_engine.phantoms.render import Rendering, compress_lungs, render
from deepreg_engine.phantoms.thorax import thorax

_BUILDERS = {"abdomen": abdomen, "thorax": thorax, "brain": brain}
_DETAIL_RANGE = (0.2, 3.0)


@dataclass(frozen=True)
class PhantomScan:
    """One scan of one patient, with labels and landmarks.

    Args:
        image: CT in HU or MR in arbitrary units, int16.
        labels: label map on its grid, uint8.
        mask: 1 inside the skin, uint8.
        label_names: label number to name.
        landmarks: named points that exist in every patient of the anatomy, LPS mm.
        anatomy: "abdomen", "thorax" or "brain".
        modality: "ct" or "mr".
        seed: of the patient.
    """

    image: sitk.Image
    labels: sitk.Image
    mask: sitk.Image
    label_names: dict[int, str]
    landmarks: PointSet
    anatomy: str
    modality: str
    seed: int


def make_patient(
    anatomy: str, seed: int = 0, modality: str = "ct", detail: float = 1.0, grid: ImageGrid | None = None, scan: int = 0
) -> PhantomScan:
    """Return a scan of one patient; another seed is another patient.

    Args:
        anatomy: "abdomen", "thorax" or "brain".
        seed: the patient, 0 or larger.
        modality: "ct" or "mr".
        detail: voxels per mm relative to the usual ones; 0.5 doubles the voxel size. Not used with ``grid``.
        grid: voxels of the scan; the usual field of view of the anatomy by default.
        scan: number of the examination; noise, bias field and contrast differ between examinations of a patient.

    Raises:
        ParameterError: on unknown names or values out of range.
    """
    model = build(anatomy, seed)
    check_choice("modality", modality, MODALITIES)
    check_detail(detail)
    check_seed(scan, "scan")
    grid = grid or moving_grid(model, detail)
    result, image = examine(model, grid, modality, f"scan {scan}")
    names, points = place_landmarks(model)
    inside = grid.contains(points)
    landmarks = PointSet(points[inside], tuple(name for name, kept in zip(names, inside, strict=True) if kept))
    return PhantomScan(
        image,
        grid.to_image(result.labels),
        grid.to_image(result.body.astype(np.uint8)),
        label_names(model),
        landmarks,
        anatomy,
        modality,
        seed,
    )


@lru_cache(maxsize=2)
def _build(anatomy: str, seed: int) -> Anatomy:
    return _BUILDERS[anatomy](seed)


def build(anatomy: str, seed: int) -> Anatomy:
    """Return the anatomy of a patient.

    Raises:
        ParameterError: on an unknown name or a negative seed.
    """
    check_choice("phantom", anatomy, ANATOMIES)
    check_seed(seed)
    return _build(anatomy, int(seed))


def label_names(model: Anatomy) -> dict[int, str]:
    """Return a table from label number to name of an anatomy."""
    return dict(enumerate(model.labels, start=1))


def moving_grid(model: Anatomy, detail: float) -> ImageGrid:
    """Return the field of view of the moving scan: axis-aligned, anisotropic."""
    size, spacing = _scaled(model.protocol.moving_size, model.protocol.moving_spacing, detail)
    origin = np.array(model.protocol.centre) - spacing * (size - 1) / 2
    return ImageGrid(tuple(size), tuple(spacing), tuple(origin))


def _scaled(size: tuple[int, int, int], spacing: tuple[float, float, float], detail: float) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(np.rint(np.array(size) * detail).astype(int), 8), np.array(spacing) / detail


def oblique_grid(model: Anatomy, detail: float, centre: np.ndarray, axes: np.ndarray) -> ImageGrid:
    """Return the field of view of the fixed scan around a centre (3,), mm, along axes (3, 3)."""
    size, spacing = _scaled(model.protocol.fixed_size, model.protocol.fixed_spacing, detail)
    origin = centre - axes @ (spacing * (size - 1) / 2)
    return ImageGrid(tuple(size), tuple(spacing), tuple(origin), tuple(axes.ravel()))


def examine(
    model: Anatomy,
    grid: ImageGrid,
    modality: str,
    examination: str,
    deformation: Deformation | None = None,
    expansion: np.ndarray | None = None,
    setting: Setting = USUAL,
) -> tuple[Rendering, sitk.Image]:
    """Scan a patient.

    Args:
        model: the patient.
        grid: voxels.
        modality: "ct" or "mr".
        examination: name of the examination, the seed of its noise and contrast.
        deformation: a voxel at x shows the patient at x + u(x); none by default.
        expansion: Jacobian determinant (z, y, x) of the deformation, for the density of lungs.
        setting: deviations from the usual examination.

    Returns:
        The noise-free rendering and the image.
    """
    rng = generator(model.seed, model.name, examination, modality)
    points = grid.points()
    if deformation is not None:
        points = deformation.map_points(points.reshape(-1, 3)).reshape(points.shape)
    result = render(model, TissueContrast(modality, model.seed, rng, setting), grid, points)
    if expansion is not None and modality == "ct":
        compress_lungs(result, model, expansion)
    protocol = model.protocol
    noise = setting.noise * (protocol.ct_noise if modality == "ct" else protocol.mr_noise)
    image = acquire(result.values, grid, modality, rng, noise)
    return result, image


def place_landmarks(model: Anatomy) -> tuple[tuple[str, ...], np.ndarray]:
    """Return names and patient points (N, 3), mm, of the landmarks that exist in every patient of an anatomy."""
    names = tuple(model.landmarks)
    return names, model.warp.to_patient(np.array([model.landmarks[name] for name in names], dtype=np.float64))


# ---------------------------------------------------------------------- checks


def check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ParameterError, with the nearest right name, if a value is none of the choices."""
    if value in choices:
        return
    near = difflib.get_close_matches(str(value).lower(), choices, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ParameterError(f"there is no {what} {value!r}", f"{hint}Choose one of {', '.join(choices)}".strip())


def check_seed(seed: int, what: str = "seed") -> None:
    """Raise ParameterError unless a seed is a whole number of 0 or more."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ParameterError(f"the {what} {seed!r} is not a whole number of 0 or more", "give 0, 1, 2, ...")


def check_detail(detail: float) -> None:
    """Raise ParameterError unless the detail is in its range."""
    low, high = _DETAIL_RANGE
    if not (isinstance(detail, (int, float)) and math.isfinite(detail) and low <= detail <= high):
        raise ParameterError(f"the detail {detail!r} is out of range", f"give {low} to {high}; 1 is the usual voxel size")
