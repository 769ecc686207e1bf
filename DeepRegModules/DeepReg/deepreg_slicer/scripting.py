"""Registration from scripts: what the modules' logics have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from deepreg_engine.errors import EngineError
from deepreg_slicer.registration import Output, Registration, Request, Result


def parametersOf(preset: Callable[[str], Any], name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """All parameters of a preset with some changed.

    Raises:
        RuntimeError: with a text that says what is not known or not allowed.
    """
    try:
        return preset(name).parameters.replaced(changes).to_dict()
    except EngineError as error:
        raise RuntimeError(error.line()) from error


def outputsNamed(names: Iterable[str], outputs: type, groups: dict[str, tuple[str, ...]] | None = None, without: Iterable[str] = ()) -> Any:
    """The outputs that are wanted, all of them new nodes.

    Args:
        names: what is wanted.
        outputs: the method's class of outputs.
        groups: a name for several outputs at once.
        without: outputs that the method has not.

    Raises:
        RuntimeError: if one is not known.
    """
    groups = groups or {}
    fields = {field.name for field in dataclasses.fields(outputs)}
    grouped = {name for members in groups.values() for name in members}
    known = (fields - grouped - set(without)) | set(groups)
    unknown = set(names) - known
    if unknown:
        raise RuntimeError(f"there is no output {sorted(unknown)[0]!r}; there are {', '.join(sorted(known))}")
    wanted = {member for name in names for member in groups.get(name, (name,))}
    return outputs(**{name: Output(name in wanted) for name in fields})


def runAndWait(request: Request, kind: type[Registration] = Registration) -> Result:
    """Make a run, and let the event loop go on until its end.

    Raises:
        RuntimeError: if it fails.
    """
    return kind(request).compute()
