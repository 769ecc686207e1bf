"""The description of one parameter of a wrapper or of a pack."""

import dataclasses
import typing

from ._serializerBase import Serializer

__all__ = []


@dataclasses.dataclass
class ParameterInfo:
    """Name, serializer, default and type (with its annotations) of one parameter."""

    basename: str
    serializer: Serializer
    default: typing.Any
    unalteredType: typing.Any
