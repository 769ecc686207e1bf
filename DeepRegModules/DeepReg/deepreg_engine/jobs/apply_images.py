"""Images that are brought along: what they are, and how they are warped."""

from __future__ import annotations

import SimpleITK as sitk

from deepreg_engine.content.modality import in_hounsfield
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import background_value, warp_intensities, warp_labels
from deepreg_engine.geometry.label_like import label_values
from deepreg_engine.geometry.segments import segment_names

#: Value of air that a CT has outside its field of view, HU.
AIR = -1024.0
# The smallest value of a CT that has air; a CT of tissue alone has none.
_HAS_AIR = -900.0


def decided_kind(image: sitk.Image) -> str:
    """Return what an image is: "labels", "ct" or "image"."""
    if segment_names(image) or label_values(image):
        return "labels"
    return "ct" if in_hounsfield(image) else "image"


def warped_image(
    image: sitk.Image, kind: str, grid: ImageGrid, transform: sitk.Transform, choices: tuple[str, float | None] = ("", None)
) -> sitk.Image:
    """Return an image on a grid through a transform, in its own pixel type.

    Args:
        image: scalar, 3D.
        kind: "image", "ct", "dose" or "labels".
        grid: of the result.
        transform: takes points of the grid to points of the image.
        choices: interpolation, "" for that of the kind; and value outside the image, None for that of the kind: 0 of dose and labels, air
            of CT, the background of other images.
    """
    interpolation, background = choices
    if kind == "labels":
        return warp_labels(image, grid, transform)
    if background is None:
        background = background_of(image, kind)
    return warp_intensities(image, grid, transform, interpolation or "linear", background)


def background_of(image: sitk.Image, kind: str) -> float:
    """Return the value of a kind of image outside of it."""
    if kind == "dose":
        return 0.0
    own = background_value(image)
    return AIR if kind == "ct" and own > _HAS_AIR else own
