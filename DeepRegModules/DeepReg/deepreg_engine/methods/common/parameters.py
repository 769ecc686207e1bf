"""The parameters of the methods: name, type, default, range, unit and one line of help, in one place.

The command line, the worker, the panels and the documentation read them from here. No torch: a panel can show them before
PyTorch is installed.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deepreg_engine.errors import ParameterError


def parameter(
    default: Any,
    help: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    group: str = "",
    only: tuple[str, ...] = (),
) -> Any:
    """A field of a parameter class, with what a user has to know of it."""
    metadata = {"help": help, "unit": unit, "minimum": minimum, "maximum": maximum, "choices": choices, "group": group, "only": only}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Description:
    """One parameter, as a panel or a help page shows it; ``only`` names the values of the parameter "network" with which it counts, none all."""

    name: str
    type: type
    default: Any
    help: str
    unit: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    group: str
    only: tuple[str, ...]

    def range_text(self) -> str:
        """The allowed values in words, "" if any."""
        if self.choices:
            return " | ".join(self.choices)
        unit = f" {self.unit}" if self.unit else ""
        if self.minimum is not None and self.maximum is not None:
            return f"{self.minimum:g} to {self.maximum:g}{unit}"
        return f"at least {self.minimum:g}{unit}" if self.minimum is not None else ""


@dataclass(frozen=True)
class Parameters:
    """Base of all parameter classes: checks itself, and can be changed by name."""

    def __post_init__(self) -> None:
        for description in self.describe():
            object.__setattr__(self, description.name, _checked(description, getattr(self, description.name)))

    @classmethod
    def describe(cls) -> list[Description]:
        """All parameters, in the order in which they are to be shown."""
        kinds = {"int": int, "float": float, "str": str, "bool": bool}
        return [Description(f.name, kinds[str(f.type)], f.default, **f.metadata) for f in dataclasses.fields(cls)]

    def used(self) -> dict[str, Any]:
        """Values of the parameters that count with the network that was chosen."""
        network = getattr(self, "network", "")
        return {one.name: getattr(self, one.name) for one in self.describe() if not one.only or network in one.only}

    def replaced(self, changes: Mapping[str, Any]) -> Any:
        """The same parameters with some changed; values may be text.

        Raises:
            ParameterError: on a name that does not exist (naming the nearest that does), or a value that is not allowed.
        """
        names = [description.name for description in self.describe()]
        for name in changes:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
                raise ParameterError(f"there is no parameter {name!r}", hint)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Name and value of each."""
        return dataclasses.asdict(self)


def _checked(description: Description, value: Any) -> Any:
    """The value in its type, or a ParameterError."""
    what = f"{description.name} = {value}"
    hint = f"allowed: {description.range_text()}" if description.range_text() else f"it is a {description.type.__name__}"
    if description.type is bool:
        words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
        if str(value).strip().lower() not in words:
            raise ParameterError(f"{what} is neither yes nor no", "write true or false")
        return words[str(value).strip().lower()]
    try:
        number_or_text = description.type(value.strip() if isinstance(value, str) else value)
        if description.type is int and not isinstance(value, str) and float(value) != number_or_text:
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:  # int(infinity) overflows
        raise ParameterError(f"{what} is not a {'whole number' if description.type is int else 'number'}", hint) from error
    if description.choices and number_or_text not in description.choices:
        near = difflib.get_close_matches(str(number_or_text), description.choices, n=1)
        raise ParameterError(f"{what} is not a choice", f"did you mean {near[0]}?" if near else hint)
    if description.type in (int, float):
        if not math.isfinite(number_or_text):
            raise ParameterError(f"{what} is not a finite number", hint)
        low, high = description.minimum, description.maximum
        if (low is not None and number_or_text < low) or (high is not None and number_or_text > high):
            raise ParameterError(f"{what} is out of range", hint)
    return number_or_text


def parse_settings(settings: Iterable[str]) -> dict[str, str]:
    """``name=value`` texts as a dictionary.

    Raises:
        ParameterError: if one has no "=".
    """
    changes = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"{setting!r} is not a setting", "write name=value")
        changes[name.strip()] = value.strip()
    return changes


DEVICES = ("auto", "cpu", "cuda", "mps")
#: The models that come with the engine: one serves any contrast, one CT.
SHIPPED_FEATURES, SHIPPED_CT = "self-similarity", "ct-tissue"
INITIALS = ("none", "geometry", "mass", "rigid", "affine")
