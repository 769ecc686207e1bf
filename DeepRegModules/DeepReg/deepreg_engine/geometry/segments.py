"""Names of segments in a label map: 3D Slicer's ``.seg.nrrd`` files hold them in their header."""

from __future__ import annotations

import re

import SimpleITK as sitk

_NAME = re.compile(r"Segment(\d+)_Name")


def segment_names(image: sitk.Image) -> dict[int, str]:
    """Return label value to name of the segments of an image as it was read; empty for files without segments."""
    keys = image.GetMetaDataKeys()
    found = {}
    for key in keys:
        match = _NAME.fullmatch(key)
        value = f"Segment{match.group(1)}_LabelValue" if match else ""
        if match and value in keys and image.GetMetaData(value).strip().isdigit():
            found[int(image.GetMetaData(value))] = image.GetMetaData(key).strip()
    return {value: name for value, name in sorted(found.items()) if name}


def layer_count(image: sitk.Image) -> int:
    """Return the number of layers of a ``.seg.nrrd`` file, whose segments overlap if there are several; 0 for other files."""
    return image.GetNumberOfComponentsPerPixel() if any(_NAME.fullmatch(key) for key in image.GetMetaDataKeys()) else 0
