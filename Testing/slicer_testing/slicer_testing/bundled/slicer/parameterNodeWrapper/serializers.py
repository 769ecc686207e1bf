"""All serializers, which write values of each type to a parameter node and read them."""

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
