"""The parameters of a method as a parameter pack, so that they live in the scene. Made from the engine's one description of them."""

from __future__ import annotations

from typing import Annotated, Any

from slicer.parameterNodeWrapper import Choice, Default, Minimum, WithinRange, parameterPack


def packFor(parameters: type, name: str) -> type:
    """Return a parameter pack with the fields of an engine's parameter class: same names, types, defaults and ranges."""
    annotations: dict[str, Any] = {}
    for description in parameters.describe():
        rules: list[Any] = [Default(description.default)]
        if description.choices:
            rules.append(Choice(list(description.choices)))
        elif description.minimum is not None and description.maximum is not None:
            rules.append(WithinRange(description.minimum, description.maximum))
        elif description.minimum is not None:
            rules.append(Minimum(description.minimum))
        annotations[description.name] = Annotated[(description.type, *rules)]
    return parameterPack(type(name, (), {"__annotations__": annotations, "__module__": __name__, "__doc__": parameters.__doc__}))


def valuesOf(pack: Any, parameters: type) -> dict[str, Any]:
    """Return name and value of each parameter in a pack."""
    return {description.name: getattr(pack, description.name) for description in parameters.describe()}


def setValues(pack: Any, parameters: type, values: dict[str, Any]) -> None:
    """Put values into a pack; names that this version does not have are ignored."""
    for description in parameters.describe():
        if description.name in values:
            setattr(pack, description.name, description.type(values[description.name]))
