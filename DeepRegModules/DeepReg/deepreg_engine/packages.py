"""The packages that the engine needs: which are missing or too old, and whether an exception shows that one is damaged. Imports none."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator
from pathlib import PurePath
from types import ModuleType, TracebackType

#: Names under which they are imported, and the oldest version of each with which the engine works.
OLDEST = {"torch": "2.2", "numpy": "1.26", "scipy": "1.11", "SimpleITK": "2.3", "safetensors": "0.4", "psutil": "5.9"}
NEEDED = tuple(OLDEST)
# The overview picture alone needs the last one.
_KNOWN = (*NEEDED, "matplotlib")
# Characters of a library's message that an error repeats.
_LONGEST = 160


def is_installed(name: str) -> bool:
    """Return whether a package can be found. A folder without an ``__init__.py``, as an interrupted deinstallation leaves behind, does not
    count."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def missing_packages() -> list[str]:
    """Return the names of the packages that the engine needs and this Python lacks."""
    return [name for name in NEEDED if not is_installed(name)]


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: (2, 2, 2) for "2.2.2+cpu"; () if it begins with none."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def outdated_packages() -> dict[str, str]:
    """Return the installed versions of those packages that are older than the engine needs."""
    found = {}
    for name, oldest in OLDEST.items():
        try:
            version = importlib.metadata.version(name) or ""  # None if its description is damaged
        except (importlib.metadata.PackageNotFoundError, OSError):
            continue
        if () < release(version) < release(oldest):
            found[name] = version
    return found


def title(name: str) -> str:
    """Return the name of a package in a message."""
    return "PyTorch" if name == "torch" else f"the Python package {name}"


def damaged_package(error: BaseException) -> tuple[str, str] | None:
    """Return the name of the package that an exception shows to be damaged, and the reason in a line; None for any other exception.

    A package is damaged if its own modules cannot be imported, whatever is raised: ImportError for a symbol or a module that is missing,
    OSError for a library that is missing or does not fit, RuntimeError for one that was compiled for another version, SyntaxError for a
    truncated file.
    """
    if not isinstance(error, Exception):
        return None
    importing = [name for name in _importing(error.__traceback__) if name in _KNOWN]
    name = importing[-1] if importing else _named(error)
    return (name, _reason(error)) if name else None


def _importing(trace: TracebackType | None) -> Iterator[str]:
    """Yield the packages whose modules were being imported when an exception was raised, from the outermost."""
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "<module>":
            yield str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        trace = trace.tb_next


def _named(error: Exception) -> str:
    """Return the package that an exception names, if it is installed and damaged; else ""."""
    name = ""
    if isinstance(error, ImportError):
        name = (error.name or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and error.name == name:  # the package itself is not found: it is missing, not damaged
            return ""
    elif isinstance(error, SyntaxError):
        name = _holding(error.filename or "")
    elif isinstance(error, AttributeError) and isinstance(error.obj, ModuleType) and getattr(error.obj, "__file__", None) is None:
        name = error.obj.__name__.partition(".")[0]  # a folder without the package's files
    return name if name in _KNOWN else ""


def _holding(path: str) -> str:
    """Return the package whose folder holds a file; "" if none does."""
    folders = PurePath(path).parts
    return next((name for name in _KNOWN if name in folders), "")


def _reason(error: BaseException) -> str:
    """Return the first line of the message of the first cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[0].rstrip(".") if lines else type(error).__name__
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST].rstrip()}..."
