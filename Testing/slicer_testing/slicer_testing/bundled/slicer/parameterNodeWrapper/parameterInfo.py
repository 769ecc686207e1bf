"""What the class of a wrapper or of a pack knows of one of its parameters."""

import dataclasses
import typing

from ._serializerBase import Serializer

__all__ = []


@dataclasses.dataclass
class ParameterInfo:
    """Name, way into the parameter node, first value, and type (with its annotations) of one parameter."""

    basename: str
    serializer: Serializer
    default: typing.Any
    unalteredType: typing.Any
