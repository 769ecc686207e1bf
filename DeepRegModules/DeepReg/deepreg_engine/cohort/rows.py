"""The rows of a cohort's plan, and their table as CSV. No torch.

A row is one registration: its name, method, preset and changed parameters, the files of its inputs, and the outputs to keep. The columns of
inputs are the slots of :mod:`deepreg_engine.methods.slots`.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepreg_engine.errors import EngineError, InputError, ParameterError
from deepreg_engine.methods.slots import AUTOMATIC, SLOTS, slot

#: Names of the inputs of a row, in the order of their columns.
INPUTS = tuple(each.name for each in SLOTS if not each.is_output and each.kind != "names")
#: File name of each output that a row can keep.
OUTPUT_FILES: dict[str, str] = {
    "transform": "transform.nrrd",
    "inverse": "inverse.nrrd",
    "warped": "warped.nii.gz",
    "warped_labels": "warped_labels.nii.gz",
    "jacobian": "jacobian.nii.gz",
    "magnitude": "displacement.nii.gz",
    "page": "report.html",
}
#: Outputs of a row unless others are chosen.
DEFAULT_OUTPUTS = ("transform",)
_OTHERS = ("row", "method", "preset", "parameters", "initial", "label_names", "outputs")
#: Columns of the table.
COLUMNS = (*_OTHERS[:1], *INPUTS, *_OTHERS[1:])
_SEPARATOR = ";"
_LONGEST_NAME = 120
# Names that Windows keeps for devices.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One registration of a cohort.

    Args:
        name: unique in the cohort; the name of its folder.
        files: name of an input slot to path.
        method: name of a method, or "auto", which chooses it by what the images show.
        preset: name of one of its presets; "" or "auto" chooses it by what the images show.
        parameters: that differ from the preset's.
        initial: an alignment, or the file of a transform to start from; "" for the preset's.
        label_names: file with the names of labels; "" without.
        outputs: names of outputs to keep, of :data:`OUTPUT_FILES`.
    """

    name: str
    files: Mapping[str, str]
    method: str = AUTOMATIC
    preset: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    initial: str = ""
    label_names: str = ""
    outputs: tuple[str, ...] = DEFAULT_OUTPUTS

    def paths(self) -> list[str]:
        """Return the paths of all files that are read."""
        more = [self.label_names, self.initial if Path(self.initial).suffix else ""]
        return [path for path in (*self.files.values(), *more) if path]


def check_rows(rows: Iterable[Row]) -> None:
    """Check names, inputs and outputs of rows; files are not opened.

    Raises:
        InputError, ParameterError: naming the first row that cannot be computed.
    """
    known: set[str] = set()
    for row in rows:
        _check_name(row.name, known)
        unknown = next((name for name in row.outputs if name not in OUTPUT_FILES), None)
        if unknown is not None:
            raise ParameterError(f"row {row.name}: there is no output {unknown!r}", f"there are {', '.join(OUTPUT_FILES)}", "outputs")
        if not row.files:
            raise InputError(f"row {row.name} names no image", "give a fixed and a moving image")


def _check_name(name: str, known: set[str]) -> None:
    folded = name.casefold()  # file systems of Windows and macOS do not tell "A" from "a"
    wrong = not name or name[0] in ".-" or name[-1] in ". " or re.search(r'[<>:"/\\|?*\x00-\x1f]', name) or _RESERVED.fullmatch(name)
    if wrong or len(name) > _LONGEST_NAME:
        raise InputError(
            f"{name!r} cannot be the name of a row", "use letters, digits, spaces, - and _, because it is also the name of a folder"
        )
    if folded in known:
        raise InputError(f"two rows are named {name}", "give each row its own name; capital and small letters count as equal")
    known.add(folded)


def as_csv(rows: Iterable[Row]) -> str:
    """Return the table of the rows; columns that are empty everywhere are left out."""
    entries = [_cells(row) for row in rows]
    used = [name for name in COLUMNS if name == "row" or any(entry.get(name) for entry in entries)]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(used)
    writer.writerows([entry.get(name, "") for name in used] for entry in entries)
    return stream.getvalue()


def _cells(row: Row) -> dict[str, str]:
    parameters = json.dumps(dict(row.parameters), sort_keys=True) if row.parameters else ""
    others = {"row": row.name, "method": row.method, "preset": row.preset, "parameters": parameters, "initial": row.initial}
    return {**row.files, **others, "label_names": row.label_names, "outputs": _SEPARATOR.join(row.outputs)}


def read_csv(path: str | os.PathLike) -> list[Row]:
    """Return the rows of a table. Paths are relative to its folder; a row without a name is named by its images.

    Raises:
        InputError: if the file cannot be read, with the line and the column that are wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the table {path} ({error})", "give a CSV file in UTF-8") from error
    delimiter = _delimiter(text)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        head = [name.strip() for name in reader.fieldnames or []]
        _check_head(path, head)
        reader.fieldnames = head
        rows = [_row(path, number, entry) for number, entry in enumerate(reader, start=2) if any(_texts(entry))]
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}", "save the table as CSV again") from error
    if not rows:
        raise InputError(f"the table {path} has no rows", "name a fixed and a moving image in each row")
    check_rows(rows)
    return rows


def _delimiter(text: str) -> str:
    """Return what separates the columns of a table: comma, semicolon or tabulator, whichever its first line has most often."""
    first = text.splitlines()[0] if text.strip() else ""
    return max(",;\t", key=first.count)


def _check_head(path: Path, head: list[str]) -> None:
    unknown = [name for name in head if name not in COLUMNS]
    if unknown:
        raise InputError(f"{path} has an unknown column {unknown[0]!r}", f"there are {', '.join(COLUMNS)}")
    double = next((name for name in head if head.count(name) > 1), None)
    if double is not None:
        raise InputError(f"{path} has two columns {double!r}", "keep one of them")


def _texts(entry: Mapping[str | None, Any]) -> list[str]:
    return [value.strip() for value in entry.values() if isinstance(value, str)]


def _row(path: Path, line: int, entry: Mapping[str | None, Any]) -> Row:
    if None in entry or None in entry.values():
        raise InputError(f"{path}, line {line} and the first line differ in the number of columns", "save the table as CSV again")
    cells = {str(name): str(value).strip() for name, value in entry.items()}
    files = {name: absolute(cells[name], path.parent) for name in INPUTS if cells.get(name)}
    initial, names = cells.get("initial", ""), cells.get("label_names", "")
    outputs = tuple(part.strip() for part in cells.get("outputs", "").split(_SEPARATOR) if part.strip())
    return Row(
        cells.get("row") or name_of(files),
        files,
        cells.get("method") or AUTOMATIC,
        cells.get("preset", ""),
        _parameters(path, line, cells.get("parameters", "")),
        absolute(initial, path.parent) if Path(initial).suffix else initial,
        absolute(names, path.parent) if names else "",
        outputs or DEFAULT_OUTPUTS,
    )


def _parameters(path: Path, line: int, text: str) -> dict[str, Any]:
    """Return the parameters of a cell: JSON, or ``name=value`` separated by semicolons."""
    from deepreg_engine.methods.common.parameters import parse_settings

    try:
        found = json.loads(text) if text.startswith("{") else parse_settings([part for part in text.split(_SEPARATOR) if part.strip()])
    except (ValueError, EngineError) as error:
        raise InputError(f"{path}, line {line}: {text!r} are no parameters", "write them as name=value; name=value") from error
    return dict(found)


def absolute(path: str, folder: Path) -> str:
    """Return a path as an absolute one; a relative path belongs to the folder."""
    return os.path.abspath(folder / Path(path).expanduser())


def name_of(files: Mapping[str, str]) -> str:
    """Return the default name of a row, "MOVING to FIXED", from the names of its files."""
    sides = [next((files[name] for name in (side, f"{side}_points") if name in files), "") for side in ("moving", "fixed")]
    return " to ".join(stem(Path(path)) for path in sides if path)


def stem(path: Path) -> str:
    """Return the name of a file without its ending."""
    from deepreg_engine.geometry.files import suffix

    ending = suffix(path)
    return path.name[: -len(ending)] if ending else path.name


def titles() -> dict[str, str]:
    """Return the meaning of each column of inputs, for help pages."""
    return {name: slot(name).help for name in INPUTS}
