"""Headers of text: those of NRRD and MetaImage files."""

from __future__ import annotations

from pathlib import Path

# A text header is never longer than this.
_LONGEST_HEADER = 1 << 20


def nrrd_header(path: Path) -> tuple[dict[str, str], list[Path], int]:
    """Return the fields of a NRRD header, the files that it names for the voxels, and its length."""
    content = _beginning(path)
    ends = [at + len(mark) for mark in (b"\n\n", b"\r\n\r\n") if (at := content.find(mark)) >= 0]
    end = min(ends, default=len(content))
    fields: dict[str, str] = {}
    after: list[str] = []  # lines behind the field for the files
    for line in content[:end].decode("latin-1").splitlines():
        name, colon, value = line.partition(":")
        if colon and not value.startswith("=") and not line.startswith("#"):
            fields[name.strip().lower().replace(" ", "")] = value.strip()
        elif "datafile" in fields and line.strip():
            after.append(line.strip())
    name = fields.get("datafile", "")
    names = after if name.upper().startswith("LIST") else [] if "%" in name else [name]
    return fields, [path.parent / name for name in names], end


def meta_image_header(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields of a MetaImage header, and its length; 0 if it has no end."""
    content = _beginning(path)
    end = content.find(b"\n", content.find(b"ElementDataFile")) + 1
    fields = {}
    for line in content[:end].decode("latin-1").splitlines():
        name, _, value = line.partition("=")
        fields[name.strip()] = value.strip()
    return fields, end


def _beginning(path: Path) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(_LONGEST_HEADER)


def whole_numbers(text: str) -> list[int]:
    """Return the whole numbers of a header's line; [0] if it has none, or anything else."""
    try:
        return [int(number) for number in text.split()] or [0]
    except ValueError:
        return [0]
