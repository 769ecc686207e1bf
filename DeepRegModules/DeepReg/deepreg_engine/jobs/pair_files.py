"""Files that come in pairs: images, landmarks and label maps of the fixed and the moving side.

Registrations, evaluations and reports read them here, so that all give the same notes.
"""

from __future__ import annotations

from collections.abc import Sequence

import SimpleITK as sitk

from deepreg_engine.errors import InputError, concerning
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import check_intensities, read_labels, read_volume
from deepreg_engine.geometry.label_like import label_note
from deepreg_engine.geometry.label_pairs import LabelPair, joined
from deepreg_engine.geometry.point_readings import check_place
from deepreg_engine.geometry.points import PointPair, read_pairs
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.methods.common.lengths import unit_note
from deepreg_engine.methods.common.misread import images_note


def check_pairs(**pairs: tuple[str | None, str | None]) -> None:
    """Raise InputError if one side of a pair is missing.

    Args:
        pairs: kind of the files ("landmarks", "labels") to the paths of the fixed and the moving one.
    """
    for kind, paths in pairs.items():
        if bool(paths[0]) != bool(paths[1]):
            given, missing = ("fixed", "moving") if paths[0] else ("moving", "fixed")
            raise InputError(f"the {given} {kind} cannot be used without the {missing} {kind}", "give both, or none", f"{missing}_{kind}")


def read_image_pair(fixed: str, moving: str, notes: list[str]) -> tuple[tuple[sitk.Image, sitk.Image], tuple[sitk.Image, sitk.Image]]:
    """Read two images that are registered, or were; adds notes on label maps given as images and on voxel spacings in another unit.

    Returns:
        Both images as they were read, and both as float32.

    Raises:
        InputError: see :func:`read_volume` and :func:`check_intensities`.
    """
    with concerning("fixed"):
        first, first_checked = _read_image(fixed, "fixed image", notes)
    with concerning("moving"):
        second, second_checked = _read_image(moving, "moving image", notes)
    note = unit_note(ImageGrid.of(first), ImageGrid.of(second))
    notes += [note] if note else []
    return (first, second), (first_checked, second_checked)


def _read_image(path: str, role: str, notes: list[str]) -> tuple[sitk.Image, sitk.Image]:
    """Return an image as it was read, and as float32."""
    image = read_volume(path, role, notes)
    note = label_note(image, role)
    notes += [note] if note else []
    return image, check_intensities(image, role, path)


def read_landmark_pair(
    fixed: str | None,
    moving: str | None,
    notes: list[str],
    images: Sequence[sitk.Image | None] = (None, None),
    name: str = "landmarks",
    option: str = "{side}_landmarks",
) -> PointPair | None:
    """Read corresponding landmarks; None if there are no files.

    Args:
        fixed, moving: files.
        notes: receives notes on how they were read and paired, on those outside the images, and on what the images show: another frame,
            unit or order.
        images: fixed and moving, as float32; one that is not known is None.
        name: of the landmarks, for messages.
        option: name of the inputs, with ``{side}`` for "fixed" or "moving", for errors.

    Raises:
        InputError: if a file cannot be used, or no landmark of a side lies in its image.
    """
    if not (fixed and moving):
        return None
    pairs = read_pairs(fixed, moving, option, name, notes)
    positions = [points.positions for points in pairs]
    grids = [None if image is None else ImageGrid.of(image) for image in images]
    notes += check_place(f"{{side}} {name}", positions, grids, option)
    known = [image for image in images if image is not None]
    if len(known) == 2:
        note = images_note(name, positions, known)
        notes += [note] if note else []
    return pairs


def read_label_pair(
    fixed: str | None, moving: str | None, names: str | None = None, notes: list[str] | None = None
) -> tuple[LabelPair | None, dict[int, str] | None]:
    """Read the label maps of both images, in which a structure then has the same value, and its names.

    Args:
        fixed, moving: files; without them there are no label maps.
        names: file with names of the labels; by default those of the segments in the files.
        notes: receives notes on how they were read.

    Returns:
        The label maps, and label value to name; None for what is not given.

    Raises:
        InputError: if a file cannot be used, or no structure has its name in both.
    """
    given = read_label_names(names) if names else None
    if not (fixed and moving):
        return None, given
    with concerning("fixed_labels"):
        first = read_labels(fixed, "fixed labels", notes)
    with concerning("moving_labels"):
        second = read_labels(moving, "moving labels", notes)
    pair, own = joined(first, second, notes)
    return pair, given or own or None
