"""Selects the file type that reads a file.

As in the application, the confidence of a type is the length of the extension that it knows; where an extension is ambiguous, such as
``.nrrd`` or ``.json``, the beginning of the file decides. The type with the highest confidence comes first.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable

# By file type, the extensions that it reads. Of types with equal confidence the first one wins.
EXTENSIONS = {
    "VolumeFile": (
        ".nrrd",
        ".nhdr",
        ".nii.gz",
        ".nii",
        ".mha",
        ".mhd",
        ".hdr",
        ".img",
        ".img.gz",
        ".vtk",
        ".dcm",
        ".tif",
        ".tiff",
        ".png",
        ".jpg",
        ".jpeg",
        ".bmp",
        ".mgz",
        ".mgh",
        ".gipl",
        ".gipl.gz",
    ),
    "SceneFile": (".mrml", ".mrb"),
    "MarkupsFile": (".mrk.json", ".json", ".fcsv"),
    "SegmentationFile": (".seg.nrrd", ".seg.nhdr", ".seg.vtm", ".nrrd", ".nhdr", ".vtm", ".nii.gz", ".nii", ".hdr"),
    "SequenceFile": (".seq.mrb", ".seq.nrrd", ".seq.nhdr", ".nrrd", ".nhdr", ".nii.gz", ".nii"),
    "ModelFile": (".vtk", ".vtp", ".vtu", ".g", ".byu", ".stl", ".ply", ".obj", ".ucd"),
    "TransformFile": (".h5", ".tfm", ".mat", ".nrrd", ".nhdr", ".mha", ".mhd", ".nii.gz", ".nii", ".txt", ".hdf5", ".he5"),
    "TextFile": (".txt", ".xml", ".json"),
    "TableFile": (".schema.csv", ".csv", ".tsv", ".db", ".db3", ".sqlite", ".sqlite3"),
    "ColorTableFile": (".ctbl", ".cxml", ".cjson", ".csv", ".txt"),
    "TerminologyFile": (".term.json", ".json"),
    "VolumePropertyFile": (".vp", ".vp.json"),
    "ShaderPropertyFile": (".sp",),
}
# Files with the same extension may have different contents, so a type whose content is recognised gains confidence.
_FOUND, _NOT_FOUND = 0.6, 0.4
# Not more than for a sequence's own long extension: a segmentation may have four dimensions too.
_FOUND_SEQUENCE = 0.58
_NIFTI_DISPLACEMENTS = 1006


def file_types(path: str) -> list[str]:
    """Return the file types that read a file, in order of falling confidence; empty if there is none."""
    start = _beginning(path)
    sure = {kind: _confidence(kind, str(path), start) for kind in EXTENSIONS}
    return sorted((kind for kind in sure if sure[kind] > 0), key=lambda kind: -sure[kind])


def longest_extension(name: str, extensions: tuple[str, ...] | set[str]) -> str:
    """Return the longest of some extensions that a file name ends with, "" if there is none."""
    return max((extension for extension in extensions if extension and name.lower().endswith(extension)), key=len, default="")


def _confidence(kind: str, path: str, start: bytes) -> float:
    extension = longest_extension(path, EXTENSIONS[kind])
    if not extension:
        return 0.0
    holds = _CONTENT.get(kind, {}).get(extension)
    if holds is None:
        return 0.5 + 0.01 * len(extension)
    return (_FOUND_SEQUENCE if kind == "SequenceFile" else _FOUND) if holds(start) else _NOT_FOUND


def _beginning(path: str) -> bytes:
    """Return the beginning of a file, uncompressed, long enough for its header."""
    try:
        if str(path).lower().endswith(".gz"):
            import gzip

            with gzip.open(path) as file:
                return file.read(4096)
        with open(path, "rb") as file:
            return file.read(4096)
    except (OSError, EOFError):
        return b""


def _segments(start: bytes) -> bool:
    return b"Segment0_ID:=" in start or b"Segmentation_" in start


def _nrrd_frames(start: bytes) -> bool:
    """Return whether an NRRD file holds a list of volumes or, if it has five dimensions, of displacement fields."""
    dimension = re.search(rb"^dimension:\s*(\d+)", start, re.MULTILINE)
    kinds = re.search(rb"^kinds:(.*)$", start, re.MULTILINE)
    if dimension is None:
        return False
    if dimension.group(1) == b"4":
        return kinds is not None and (b"list" in kinds.group(1) or b"time" in kinds.group(1))
    return dimension.group(1) == b"5"


def _nifti(start: bytes) -> tuple[int, int] | None:
    """Return the number of frames and the intent code of a NIfTI file."""
    for order in "<>":
        if len(start) >= 348 and struct.unpack(f"{order}i", start[:4])[0] == 348:
            size = struct.unpack(f"{order}8h", start[40:56])
            return (size[4] if size[0] >= 4 else 1), struct.unpack(f"{order}h", start[68:70])[0]
    return None


def _nifti_frames(start: bytes) -> bool:
    header = _nifti(start)
    return header is not None and header[0] > 1


def _nifti_displacements(start: bytes) -> bool:
    header = _nifti(start)
    return header is not None and header[1] == _NIFTI_DISPLACEMENTS


def _never(start: bytes) -> bool:
    """Return a test that never holds, for a type that is used by name only."""
    return False


def _mesh(start: bytes) -> bool:
    return b"STRUCTURED_POINTS" not in start


def _color_rows(start: bytes) -> bool:
    """Return whether lines are number, name, red, green, blue, opacity."""
    return re.search(rb"^\d+\s+\S+(\s+\d+){4}\s*$", start, re.MULTILINE) is not None


_CONTENT: dict[str, dict[str, Callable[[bytes], bool]]] = {
    "MarkupsFile": {".json": lambda start: b"markups-schema" in start},
    "TerminologyFile": {
        ".json": lambda start: (
            b"segment-context-schema" in start or b"anatomic-context-schema" in start or b"SegmentationCategoryTypeContextName" in start
        )
    },
    "SegmentationFile": {".nrrd": _segments, ".nhdr": _segments, ".nii.gz": _never, ".nii": _never, ".hdr": _never},
    "SequenceFile": {".nrrd": _nrrd_frames, ".nhdr": _nrrd_frames, ".nii.gz": _nifti_frames, ".nii": _nifti_frames},
    "TransformFile": {
        ".nii.gz": _nifti_displacements,
        ".nii": _nifti_displacements,
        ".nrrd": _never,
        ".nhdr": _never,
        ".mha": _never,
        ".mhd": _never,
        ".txt": _never,
    },
    "ModelFile": {".vtk": _mesh},
    "ColorTableFile": {".txt": _color_rows, ".csv": lambda start: start.startswith(b"LabelValue")},
}


def short_name(path: str) -> str:
    """Return a file's name without folder and without its extension, in full (``ct`` of ``ct.nii.gz``)."""
    base = os.path.basename(path)
    known = {extension for extensions in EXTENSIONS.values() for extension in extensions}
    extension = longest_extension(base, known) or os.path.splitext(base)[1]
    return base[: len(base) - len(extension)] if extension else base
