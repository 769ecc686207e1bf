"""All serializers: how values of each type are written to a parameter node and read from it."""

from ._containerSerializers import DictSerializer, ListSerializer, ObservedDict, ObservedList, TupleSerializer
from ._openSerializers import AnySerializer, UnionSerializer
from ._serializerBase import (
    Serializer,
    ValidatedSerializer,
    createSerializer,
    createSerializerFromAnnotatedType,
    extractSerializer,
    parameterNodeSerializer,
)
from ._valueSerializers import (
    BoolSerializer,
    EnumSerializer,
    NodeSerializer,
    NoneSerializer,
    NumberSerializer,
    PathSerializer,
    QColorSerializer,
    StringSerializer,
)

__all__ = [
    "parameterNodeSerializer",
    "Serializer",
    "ValidatedSerializer",
    "NumberSerializer",
    "StringSerializer",
    "PathSerializer",
    "BoolSerializer",
    "NodeSerializer",
    "ListSerializer",
    "TupleSerializer",
    "DictSerializer",
    "UnionSerializer",
]
