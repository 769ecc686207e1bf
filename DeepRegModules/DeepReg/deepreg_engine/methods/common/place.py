"""Check that points lie in the images: files in a wrong coordinate system or unit are common. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid


def check_place(name: str, points: Sequence[np.ndarray], images: Sequence[sitk.Image | None], option: str = "{side}_points") -> list[str]:
    """Check that fixed and moving points (N, 3), LPS mm, lie in the fixed and the moving image.

    Args:
        name: of the points, for messages.
        points, images: fixed and moving; an image may be None.
        option: name of the input, with ``{side}`` for "fixed" or "moving".

    Returns:
        A note for each side with some points outside its image.

    Raises:
        InputError: if all points of a side lie outside.
    """
    notes = []
    for positions, image, side in zip(points, images, ("fixed", "moving"), strict=True):
        if image is None:
            continue
        inside = ImageGrid.of(image).contains(positions)
        what = name.format(side=side) if "{side}" in name else f"{side} {name}"
        if not inside.any():
            raise InputError(
                f"none of the {len(positions)} {what} lies in the {side} image",
                "check that they belong to it and are in LPS mm (CSV) or have a frame (.mrk.json, .fcsv)",
                option.format(side=side),
            )
        if not inside.all():
            notes.append(f"{int((~inside).sum())} of {len(positions)} {what} lie outside the {side} image")
    return notes
