"""Parameter classes: each field declares its type, default, range, unit and help text.

The command line, the worker, the panels and the documentation are derived from them. No torch: panels show parameters before
PyTorch is installed.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deepreg_engine.errors import ParameterError, concerning


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
    """Return a field of a parameter class.

    Args:
        default: its value by default.
        help: one line for help pages and tool tips.
        unit: of the value.
        minimum, maximum: the allowed range.
        choices: the allowed values of a text.
        group: heading under which it is shown.
        only: values of the parameter "network" with which it is used; empty for all.
    """
    metadata = {"help": help, "unit": unit, "minimum": minimum, "maximum": maximum, "choices": choices, "group": group, "only": only}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Description:
    """One parameter: its name, type and what :func:`parameter` declares."""

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
        """Return the allowed values as text, "" without a restriction."""
        if self.choices:
            return " | ".join(self.choices)
        unit = f" {self.unit}" if self.unit else ""
        if self.minimum is not None and self.maximum is not None:
            return f"{self.minimum:g} to {self.maximum:g}{unit}"
        return f"at least {self.minimum:g}{unit}" if self.minimum is not None else ""


@dataclass(frozen=True)
class Parameters:
    """Base of all parameter classes: values are checked and converted, and can be changed by name.

    Raises:
        ParameterError: if a value is not allowed.
    """

    def __post_init__(self) -> None:
        for description in self.describe():
            with concerning(description.name):
                object.__setattr__(self, description.name, _checked(description, getattr(self, description.name)))

    @classmethod
    def describe(cls) -> list[Description]:
        """Return all parameters in the order of display."""
        kinds = {"int": int, "float": float, "str": str, "bool": bool}
        return [Description(f.name, kinds[str(f.type)], f.default, **f.metadata) for f in dataclasses.fields(cls)]

    def used(self) -> dict[str, Any]:
        """Return the values of the parameters that are used with the chosen network."""
        network = getattr(self, "network", "")
        return {one.name: getattr(self, one.name) for one in self.describe() if not one.only or network in one.only}

    def replaced(self, changes: Mapping[str, Any]) -> Any:
        """Return a copy with some values changed; values may be text.

        Raises:
            ParameterError: on an unknown name (the advice names the most similar), or a value that is not allowed.
        """
        names = [description.name for description in self.describe()]
        for name in changes:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
                raise ParameterError(f"there is no parameter {name!r}", hint)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary of name to value."""
        return dataclasses.asdict(self)


# Abbreviations in their usual spelling.
_SPELLINGS = {"mind": "MIND", "cpd": "CPD", "knn": "kNN"}


def words(name: str) -> str:
    """Return a parameter's name as words within a sentence."""
    return " ".join(_SPELLINGS.get(word, word) for word in name.split("_"))


_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _checked(description: Description, value: Any) -> Any:
    """Return the value in its type.

    Raises:
        ParameterError: if it is not allowed.
    """
    what = f"{description.name} = {value}"
    if description.type is bool:
        return _boolean(value, what)
    hint = f"allowed: {description.range_text()}" if description.range_text() else f"it is a {description.type.__name__}"
    try:
        converted = description.type(value.strip() if isinstance(value, str) else value)
        if description.type is int and not isinstance(value, str) and float(value) != converted:
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:  # int(infinity) overflows
        raise ParameterError(f"{what} is not a {'whole number' if description.type is int else 'number'}", hint) from error
    if description.choices and converted not in description.choices:
        near = difflib.get_close_matches(str(converted), description.choices, n=1)
        raise ParameterError(f"{what} is not a choice", f"did you mean {near[0]}?" if near else hint)
    _check_range(description, converted, what, hint)
    return converted


def _boolean(value: Any, what: str) -> bool:
    word = str(value).strip().lower()
    if word not in _WORDS:
        raise ParameterError(f"{what} is neither yes nor no", "write true or false")
    return _WORDS[word]


def _check_range(description: Description, value: Any, what: str, hint: str) -> None:
    if description.type is str:
        return
    if not math.isfinite(value):
        raise ParameterError(f"{what} is not a finite number", hint)
    low, high = description.minimum, description.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise ParameterError(f"{what} is out of range", hint)


def parse_settings(settings: Iterable[str]) -> dict[str, str]:
    """Return a dictionary of ``name=value`` texts.

    Raises:
        ParameterError: if a text has no "=" or no name.
    """
    changes = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"{setting!r} is not a setting", "write name=value")
        changes[name.strip()] = value.strip()
    return changes


DEVICES = ("auto", "cpu", "cuda", "mps")
#: Models that come with the engine, for any contrast and for CT.
SHIPPED_FEATURES, SHIPPED_CT = "self-similarity", "ct-tissue"
#: Linear transforms that mutual information determines, by their number of parameters: 6, 7 and 12.
LINEAR_KINDS = ("rigid", "similarity", "affine")
INITIALS = ("none", "geometry", "mass", *LINEAR_KINDS)


def initial() -> Any:
    """Return the parameter of the alignment of two images before the deformation."""
    help = "alignment before the deformation: image centres, centres of mass, or rigid, similarity or affine by mutual information"
    return parameter("affine", help, choices=INITIALS, group="Alignment")


def mind_radius() -> Any:
    """Return the parameter of the patches of MIND."""
    return parameter(1, "half width of MIND's patches", unit="voxels", minimum=0, maximum=3, group="Features")


def mind_dilation() -> Any:
    """Return the parameter of the neighbourhood of MIND."""
    return parameter(2, "distance of the patches that MIND compares", unit="voxels", minimum=1, maximum=4, group="Features")


def working_spacing(default: float) -> Any:
    """Return the parameter of the voxel size of the computation, mm."""
    help = "finest voxel size of the computation; never finer than the fixed image"
    return parameter(default, help, unit="mm", minimum=0.01, maximum=200.0, group="Resolution")


def length_scale(fixed: str = "fixed image", group: str = "Resolution") -> Any:
    """Return the parameter ``length_scale``, see :mod:`deepreg_engine.methods.common.lengths`.

    Args:
        fixed: what has the size that the factor depends on.
        group: heading under which it is shown.
    """
    help = f"factor of all lengths of the parameters; 0 selects it by the size of the {fixed} if the lengths are those of a preset"
    return parameter(0.0, help, minimum=0.0, maximum=100.0, group=group)


def working_voxels(default: float) -> Any:
    """Return the parameter of the largest number of voxels of the computation, millions."""
    help = "largest number of voxels of the computation; larger images increase the working spacing"
    return parameter(default, help, unit="million", minimum=0.01, maximum=200.0, group="Resolution")
