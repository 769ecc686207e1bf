"""Labelled scans of a population, as in a study: patients differ in anatomy, posture and field of view.

The organs of two patients of :func:`make_patient` differ little. Here organs differ in size, position and filling (:mod:`individual`,
abdomen only), each patient has another posture (a smooth deformation as large as that of a pair, :mod:`deformation`), each CT is another
examination (contrast medium, dose, fat in the liver), and every other scan is oblique.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import OutputError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import add_image
from deepreg_engine.geometry.points import PointSet, add_points
from deepreg_engine.phantoms.abdomen import abdomen
from deepreg_engine.phantoms.anatomy import Anatomy
from deepreg_engine.phantoms.appearance import MODALITIES, Setting
from deepreg_engine.phantoms.individual import Individual
from deepreg_engine.phantoms.noise import generator
from deepreg_engine.phantoms.pair import deformation_for, fixed_grid_for
from deepreg_engine.phantoms.scan import (
    PhantomScan,
    build,
    check_choice,
    check_detail,
    check_seed,
    examine,
    label_names,
    moving_grid,
    place_landmarks,
)

# Detail of the rendering on which the size of a deformation is measured.
_COARSE = 0.4
# Range of the enhancement relative to a portal-venous phase; standard deviation of the logarithm of the noise, by dose and girth; range of
# the decrease of the liver's density by fat, HU, where a value below 0 is none.
_PHASES, _NOISE, _FATTY = (0.3, 1.15), 0.35, (-45.0, 30.0)


def make_volunteer(anatomy: str, seed: int, modality: str = "ct", detail: float = 1.0) -> PhantomScan:
    """Return a labelled scan of one patient of a population; another seed is another patient.

    Args:
        anatomy: "abdomen", "thorax" or "brain".
        seed: 0 or larger; scans of odd numbers are oblique.
        modality: "ct" or "mr".
        detail: voxels per mm relative to the usual ones.

    Raises:
        ParameterError: on unknown names or values out of range.
    """
    check_choice("modality", modality, MODALITIES)
    check_detail(detail)
    model = _patient(anatomy, seed)
    rng = generator(seed, anatomy, "posture")
    coarse = moving_grid(model, min(detail, _COARSE))
    deformation = deformation_for(model, coarse, examine(model, coarse, modality, "look")[0], rng)
    oblique = fixed_grid_for(model, detail, deformation, rng)
    grid = oblique if seed % 2 else moving_grid(model, detail)
    result, image = examine(model, grid, modality, "population", deformation, setting=_setting(model, modality))
    names, points = place_landmarks(model)
    points = deformation.inverse(points)
    inside = grid.contains(points)
    landmarks = PointSet(points[inside], tuple(name for name, kept in zip(names, inside, strict=True) if kept))
    mask = grid.to_image(result.body.astype(np.uint8))
    return PhantomScan(image, grid.to_image(result.labels), mask, label_names(model), landmarks, anatomy, modality, seed)


def examinations(anatomy: str, seed: int, spacing: float, count: int) -> tuple[ImageGrid, np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the CT of one patient of a population, examined several times in one posture with different contrast medium and dose.

    Args:
        anatomy: "abdomen" or "thorax".
        seed: 0 or larger; another seed is another patient.
        spacing: edge of the cubic voxels, mm.
        count: examinations.

    Returns:
        The grid; labels and body (z, y, x) on it; and the images (z, y, x), HU.

    Raises:
        ParameterError: on an unknown name or a negative seed.
    """
    model = _patient(anatomy, seed)
    grid = moving_grid(model, 1.0).resampled(spacing)
    images = []
    for number in range(count):
        result, image = examine(model, grid, "ct", f"examination {number}", setting=_setting(model, "ct", f"setting {number}"))
        images.append(sitk.GetArrayFromImage(image))
    return grid, result.labels, result.body, images


def _patient(anatomy: str, seed: int) -> Anatomy:
    if anatomy == "abdomen":
        check_seed(seed)
        return abdomen(int(seed), Individual.draw(seed))
    return build(anatomy, seed)


def _setting(model: Anatomy, modality: str, name: str = "setting") -> Setting:
    """Return a random setting for the examination of a patient."""
    rng = generator(model.seed, model.name, name)
    noise = float(np.exp(_NOISE * np.clip(rng.standard_normal(), -2, 2)))
    if modality != "ct" or model.name == "brain":
        return Setting(noise=noise)
    return Setting(float(rng.uniform(*_PHASES)), noise, float(max(0.0, rng.uniform(*_FATTY))))


def write_population(scans: Iterable[PhantomScan], folder: str | os.PathLike) -> list[str]:
    """Write labelled scans in the format that ``train`` reads: ``images``, ``labels``, ``landmarks``, and ``dataset.json`` with all names.

    Args:
        scans: of one anatomy; each is written before the next is made.
        folder: made if it is missing (its parent must exist).

    Returns:
        The names of the scans.

    Raises:
        OutputError: if the folder or a file cannot be written.
    """
    folder = Path(folder)
    try:
        for part in (folder, folder / "images", folder / "labels", folder / "landmarks"):
            part.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {error.filename} ({error.strerror or error})", "choose another") from error
    names, modality, known = [], "", {}
    for scan in scans:
        name = f"{scan.anatomy}_{scan.seed:04d}"
        with FileGroup() as files:
            add_image(files, folder / "images" / f"{name}.nii.gz", scan.image)
            add_image(files, folder / "labels" / f"{name}.nii.gz", scan.labels)
            add_points(files, folder / "landmarks" / f"{name}.csv", scan.landmarks)
        names.append(name)
        modality, known = scan.modality, scan.label_names
    record = {
        "name": "phantoms",
        "modality": {"0": modality.upper()},
        "labels": {str(number): name for number, name in known.items()},
        "numTraining": len(names),
        "training": [{"image": f"./images/{name}.nii.gz", "label": f"./labels/{name}.nii.gz"} for name in names],
    }
    with FileGroup() as files:
        files.add(folder / "dataset.json", lambda path: Path(path).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8"))
    return names
