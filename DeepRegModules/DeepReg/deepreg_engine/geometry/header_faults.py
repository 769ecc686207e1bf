"""Numbers in the headers of image files that cannot be used, and that ITK replaces by others: spacings, origins, scales. No torch."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

from deepreg_engine.geometry import nifti, nifti_placement
from deepreg_engine.geometry.files import suffix
from deepreg_engine.geometry.text_headers import meta_image_header, nrrd_header

# Units of length other than mm in headers of text, which are decoded as Latin-1; other words are no lengths.
_UNITS = re.compile(r"(?:[cdmn\xb5u]|\xc2\xb5|\xce\xbc)?m|in|inch(?:es)?|\w*met(?:er|re)s?|microns?", re.IGNORECASE)
_MILLIMETRES = ("mm", "millimeter", "millimeters", "millimetre", "millimetres")


def header_fault(path: str | os.PathLike) -> str:
    """Return what is wrong with the header of an image file, to follow its name in a message; "" if nothing is found.

    NIfTI, NRRD and MetaImage are examined.
    """
    path = Path(path)
    if nifti.layout(path) is not None:
        return _of_nifti(path)
    kind, fields = _text_header(path)
    if kind == "MetaImage":
        return _of_meta_image(fields)
    return _of_nrrd(fields) if kind == "NRRD" else ""


def _text_header(path: Path) -> tuple[str, dict[str, str]]:
    """Return "MetaImage" or "NRRD" and the fields of a file's header; "" and no fields for other files and for folders."""
    if path.is_dir():
        return "", {}
    if suffix(path) in (".mha", ".mhd"):
        return "MetaImage", meta_image_header(path)[0]
    return ("NRRD", nrrd_header(path)[0]) if _begins_as_nrrd(path) else ("", {})


def missing_spacing_note(path: str | os.PathLike, what: str) -> str:
    """Return a note if an NRRD or MetaImage file does not state its voxel spacing, which is then taken as 1 mm; else "".

    Args:
        path: the file, of any format.
        what: its role and name, for the note.
    """
    kind, fields = _text_header(Path(path))
    if kind == "MetaImage":
        there = any(name in fields for name in ("ElementSpacing", "ElementSize"))
    elif kind == "NRRD":
        known = [number for number in _numbers(fields.get("spacings", "")) if number is not None and not math.isnan(number)]
        there = len(known) > 2 or "(" in fields.get("spacedirections", "")
    else:
        return ""
    return "" if there else f"{what} does not state its voxel spacing, which was taken as 1 mm"


def ignored_unit_note(path: str | os.PathLike, what: str) -> str:
    """Return a note if an NRRD or MetaImage file states its lengths in another unit than mm, which ITK and 3D Slicer ignore; else "".

    Args:
        path: the file, of any format.
        what: its role and name, for the note.
    """
    kind, fields = _text_header(Path(path))
    if kind == "MetaImage":
        units = [fields.get("DistanceUnits", "")]
    elif kind == "NRRD":
        units = re.findall('"([^"]*)"', fields.get("spaceunits", "") + fields.get("units", ""))
    else:
        return ""
    unit = next((unit for unit in units if _UNITS.fullmatch(unit) and unit.lower() not in _MILLIMETRES), "")
    for encoded in ("\xc2\xb5", "\xce\xbc"):  # the micro sign and the Greek letter in UTF-8
        unit = unit.replace(encoded, "\xb5")
    return f"{what} states its lengths in {unit}, but they were read as mm, as 3D Slicer does" if unit else ""


def _begins_as_nrrd(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(4) == b"NRRD"


def _of_nifti(path: Path) -> str:
    layout = nifti.layout(path)
    assert layout is not None
    least = 0 if layout.is_pair else 348 if layout.version == 1 else 540
    if layout.start < least:  # ITK would read parts of the header, or bytes behind it, as voxels
        return "has a damaged header: it does not state where the voxels begin (vox_offset)"
    for axis, size, spacing in zip("xyz", layout.sizes, layout.spacing, strict=False):
        if size > 1 and (spacing == 0.0 or not math.isfinite(spacing)):
            return f"has a voxel spacing of {spacing:g} along {axis} in its header"
    if layout.is_analyze:
        return ""
    slope, intercept = layout.scale
    if slope != 0.0 and math.isfinite(slope) and not math.isfinite(intercept):
        return f"has the intercept {intercept:g} for its values in its header (scl_inter)"
    left = nifti_placement.unreadable(path)
    if left and not nifti_placement.placements(path):
        return f"has numbers in its {left[0]} that are not finite"
    return ""


def _of_meta_image(fields: dict[str, str]) -> str:
    for name in ("Offset", "Position", "Origin"):
        if name in fields and not all(_finite(_numbers(fields[name]))):
            return f"has {name} = {fields[name]} in its header"
    for name in ("ElementSpacing", "ElementSize"):
        if any(number is None or not 0.0 < number < math.inf for number in _numbers(fields.get(name, ""))):
            return f"has {name} = {fields[name]} in its header"
    return ""


def _of_nrrd(fields: dict[str, str]) -> str:
    spacings = _numbers(fields.get("spacings", ""))  # nan stands for an axis without one
    if any(number is None or not (math.isnan(number) or 0.0 < number < math.inf) for number in spacings):
        return f"has spacings: {fields['spacings']} in its header"
    for name in ("spacedirections", "spaceorigin"):
        text = fields.get(name, "").replace("(", " ").replace(")", " ").replace(",", " ").replace("none", " ")
        if not all(_finite(_numbers(text))):
            return f"has {'space directions' if name == 'spacedirections' else 'space origin'}: {fields[name]} in its header"
    return ""


def _numbers(text: str) -> list[float | None]:
    """Return the numbers of a text that are separated by spaces; None for what is not a number."""
    found: list[float | None] = []
    for part in text.split():
        try:
            found.append(float(part))
        except ValueError:
            found.append(None)
    return found


def _finite(numbers: list[float | None]) -> list[bool]:
    return [number is not None and math.isfinite(number) for number in numbers]
