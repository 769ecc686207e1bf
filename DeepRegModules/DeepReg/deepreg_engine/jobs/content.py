"""What one or two image files show, and what is wrong with the pair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepreg_engine.content.concerns import pair_concerns
from deepreg_engine.content.description import Content
from deepreg_engine.content.detection import sample_content
from deepreg_engine.content.sample import Sample
from deepreg_engine.errors import InputError
from deepreg_engine.geometry.dicom import dicom_tags
from deepreg_engine.geometry.images import read_volume


@dataclass(frozen=True)
class ContentRequest:
    """The files.

    Args:
        fixed: an image, or a folder with a DICOM series.
        moving: another one, or "" for none.
        hounsfield: whether the registration needs CT in HU.
        same_contrast: whether it compares intensities.
    """

    fixed: str
    moving: str = ""
    hounsfield: bool = False
    same_contrast: bool = False


def hints_of(path: str) -> dict[str, str]:
    """Return what DICOM states of an image file or folder, by tag, and its name; nothing for "", an image without a file."""
    return {} if not path else {**dicom_tags(Path(path)), "name": Path(path).name}


def run_content(request: ContentRequest) -> dict[str, Any]:
    """Return what the files show.

    Returns:
        "fixed" and "moving": see :meth:`Content.to_json`, "moving" is None for one file; "concerns": see :class:`Concern`; "notes": on how
        the files were read.

    Raises:
        InputError: if a file cannot be read.
    """
    notes: list[str] = []
    found: dict[str, Any] = {"fixed": None, "moving": None, "concerns": []}
    samples: list[Sample] = []
    contents: list[Content] = []
    for role, path in (("fixed", request.fixed), ("moving", request.moving)):
        if role == "moving" and not path:
            continue
        try:
            image = read_volume(path, f"{role} image", notes, labels=True)
        except InputError as error:
            error.option = error.option or role
            raise
        samples.append(Sample.of(image))
        contents.append(sample_content(samples[-1], hints_of(path)))
        found[role] = contents[-1].to_json()
    if len(samples) == 2:
        pair = (contents[0], contents[1])
        concerns = pair_concerns(samples[0], samples[1], pair, hounsfield=request.hounsfield, same_contrast=request.same_contrast)
        found["concerns"] = [concern.to_json() for concern in concerns]
    return {**found, "notes": notes}
