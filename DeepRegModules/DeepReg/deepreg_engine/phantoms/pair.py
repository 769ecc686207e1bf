"""A pair of phantom scans with the exact displacements between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import ParameterError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.phantoms.anatomy import Anatomy
from deepreg_engine.phantoms.choices import MODALITY_PAIRS
from deepreg_engine.phantoms.deformation import RECIPES, Deformation, random_deformation
from deepreg_engine.phantoms.noise import generator
from deepreg_engine.phantoms.render import Rendering
from deepreg_engine.phantoms.scan import build, check_choice, check_detail, examine, label_names, moving_grid, oblique_grid, place_landmarks
from deepreg_engine.phantoms.shapes import rotation

_DEFAULT_MODALITIES = {"abdomen": "ct-ct", "thorax": "ct-ct", "brain": "mr-mr"}
_MOST_FORKS = 24
_SAMPLES = 4000


@dataclass(frozen=True)
class PhantomPair:
    """Two scans with labels, landmarks and the exact displacements between them.

    Args:
        fixed: image, int16; oblique, anisotropic.
        moving: image, int16; of another size and spacing.
        fixed_labels: label map on the fixed grid, uint8.
        moving_labels: on the moving grid.
        label_names: label number to name.
        fixed_mask: 1 inside the skin, on the fixed grid, uint8.
        fixed_landmarks: points in the fixed image, LPS mm.
        moving_landmarks: the same points in the moving image, ``x + u(x)`` to 1e-6 mm.
        truth: exact displacements at the fixed voxels; None for two different patients.
        deformation: the same in closed form, for any point; None for two different patients.
        anatomy: "abdomen", "thorax" or "brain".
        modality_pair: fixed and moving modality, as "mr-ct".
        seed: of the pair.
    """

    fixed: sitk.Image
    moving: sitk.Image
    fixed_labels: sitk.Image
    moving_labels: sitk.Image
    label_names: dict[int, str]
    fixed_mask: sitk.Image
    fixed_landmarks: PointSet
    moving_landmarks: PointSet
    truth: DisplacementField | None
    deformation: Deformation | None
    anatomy: str
    modality_pair: str
    seed: int

    def truth_statistics(self) -> dict[str, float] | None:
        """Return mean and largest displacement (mm), smallest and largest Jacobian determinant over the fixed mask; None without truth."""
        if self.truth is None:
            return None
        inside = sitk.GetArrayViewFromImage(self.fixed_mask) != 0
        lengths, volume = self.truth.lengths()[inside], self.truth.jacobian_determinant()[inside]
        return {
            "mean": float(lengths.mean(dtype=np.float64)),
            "max": float(lengths.max()),
            "min_jacobian": float(volume.min()),
            "max_jacobian": float(volume.max()),
        }


def make_pair(anatomy: str, seed: int = 0, modality_pair: str | None = None, detail: float = 1.0, patients: int = 1) -> PhantomPair:
    """Return a pair of scans, the same for the same arguments bit for bit.

    The moving scan shows the undeformed patient; a fixed point x shows the same tissue as the moving point x + u(x), with a large and
    smooth u. Noise, bias field, contrast and grid differ between the two.

    Args:
        anatomy: "abdomen", "thorax" (fixed exhaled, moving inhaled) or "brain".
        seed: patient, deformation and noise; 0 or larger.
        modality_pair: "ct-ct", "mr-ct" (fixed MR, moving CT) or "mr-mr"; by default mr-mr for the brain, else ct-ct.
        detail: voxels per mm relative to the usual; 0.5 makes a pair with an eighth of the voxels.
        patients: 2 makes the fixed scan of another patient: no exact truth, landmarks by name.

    Raises:
        ParameterError: on unknown names or values out of range.
    """
    model = build(anatomy, seed)
    modality_pair = modality_pair if modality_pair is not None else _DEFAULT_MODALITIES[anatomy]
    check_choice("modality pair", modality_pair, MODALITY_PAIRS)
    check_detail(detail)
    if patients not in (1, 2):
        raise ParameterError(f"a pair of {patients!r} patients cannot be made", "give 1 or 2 patients")
    fixed_modality, moving_modality = modality_pair.split("-")
    rng = generator(seed, anatomy, "pair")
    grid = moving_grid(model, detail)
    moving_rendering, moving = examine(model, grid, moving_modality, "moving")
    deformation = deformation_for(model, grid, moving_rendering, rng)
    other = model if patients == 1 else build(anatomy, int(generator(seed, "other patient").integers(2**31)))
    if patients == 2:
        deformation = deformation.scaled(1.0, bumps=0.0)
    fixed_grid = fixed_grid_for(model, detail, deformation, rng)
    truth, expansion = None, None
    if patients == 1:
        vectors = deformation.displacement(fixed_grid.points().reshape(-1, 3)).T.reshape(3, *fixed_grid.shape)
        truth = DisplacementField(vectors, fixed_grid)
        expansion = truth.jacobian_determinant() if model.aerated else None
    fixed_rendering, fixed = examine(other, fixed_grid, fixed_modality, "fixed", deformation, expansion)
    fixed_points, moving_points = _landmarks(model, other, deformation, fixed_grid, grid)
    return PhantomPair(
        fixed,
        moving,
        fixed_grid.to_image(fixed_rendering.labels),
        grid.to_image(moving_rendering.labels),
        label_names(model),
        fixed_grid.to_image(fixed_rendering.body.astype(np.uint8)),
        fixed_points,
        moving_points,
        truth,
        deformation if patients == 1 else None,
        anatomy,
        modality_pair,
        int(seed),
    )


def deformation_for(model: Anatomy, grid: ImageGrid, rendering: Rendering, rng: np.random.Generator) -> Deformation:
    """Return a random deformation whose mean displacement is taken over the lungs, or over the body if there are none."""
    flat = grid.points().reshape(-1, 3)
    ids = [number for number, name in label_names(model).items() if name in model.aerated]
    body = flat[_every(np.flatnonzero(rendering.body))]
    region = flat[_every(np.flatnonzero(np.isin(rendering.labels, ids)))] if ids else body
    return random_deformation(RECIPES[model.name], region, body, rng)


def _every(index: np.ndarray) -> np.ndarray:
    return index[:: max(len(index) // _SAMPLES, 1)]


def fixed_grid_for(model: Anatomy, detail: float, deformation: Deformation, rng: np.random.Generator) -> ImageGrid:
    """Return a randomly rotated field of view of the deformed patient."""
    turns = np.array(model.protocol.turns) * rng.uniform(0.7, 1.2, 3) * rng.choice((-1, 1), 3)
    centre = deformation.inverse(np.array([model.protocol.centre]))[0]
    return oblique_grid(model, detail, centre, rotation(("x", turns[0]), ("y", turns[1]), ("z", turns[2])))


def _landmarks(
    model: Anatomy, other: Anatomy, deformation: Deformation, fixed_grid: ImageGrid, moving_grid: ImageGrid
) -> tuple[PointSet, PointSet]:
    """Return corresponding points inside both fields of view."""
    names, moving = place_landmarks(model)
    shown = moving
    if other is model:
        forks = model.warp.to_patient(_spread(model.forks, _MOST_FORKS))
        names = names + tuple(f"vessel fork {number}" for number in range(1, len(forks) + 1))
        moving = shown = np.concatenate([moving, forks])
    else:
        found, points = place_landmarks(other)
        shown = np.array([points[found.index(name)] for name in names])
    fixed = deformation.inverse(shown)
    if other is model:
        moving = deformation.map_points(fixed)
    kept = np.flatnonzero(fixed_grid.padded(-2).contains(fixed) & moving_grid.padded(-2).contains(moving))
    labels = tuple(names[number] for number in kept)
    return PointSet(fixed[kept], labels), PointSet(moving[kept], labels)


def _spread(points: np.ndarray, count: int) -> np.ndarray:
    """Return a subset of at most ``count`` of the points (N, 3), chosen by farthest point sampling."""
    if len(points) <= count:
        return points.reshape(-1, 3)
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[chosen]
