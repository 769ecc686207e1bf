"""Serializers of types that leave the type of the value open: unions and typing.Any."""

import importlib
import typing

import slicer

from ._containerSerializers import ObservedDict, ObservedList, TupleSerializer
from ._packMembers import packClassOf
from ._serializerBase import Serializer, ValidatedSerializer, createSerializerFromAnnotatedType, parameterNodeSerializer
from ._valueSerializers import NoneSerializer, StringSerializer
from .util import isUnion


@parameterNodeSerializer
class UnionSerializer(Serializer):
    """``Union[A, B]``, ``A | B`` and ``Optional[A]``: the value is stored in the entry of the member that accepted it."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return isUnion(type_)

    @staticmethod
    def create(type_):
        if not UnionSerializer.canSerialize(type_):
            return None
        return UnionSerializer([createSerializerFromAnnotatedType(member) for member in typing.get_args(type_)])

    def __init__(self, serializers):
        # Each member must have a validator.
        self._serializers = [ValidatedSerializer(serializer, []) for serializer in serializers]

    def _members(self, name: str):
        return [(f"{name}.{index}", serializer) for index, serializer in enumerate(self._serializers)]

    def _memberInNode(self, parameterNode, name: str):
        """Return the name and serializer of the member that has a value in the node, or None."""
        return next(
            ((memberName, serializer) for memberName, serializer in self._members(name) if serializer.isIn(parameterNode, memberName)), None
        )

    def _memberForValue(self, name: str, value):
        """Return the name and serializer of the first member that accepts the value."""
        refusal = TypeError(f"Value {value!r} has type {type(value)}, which is not a member of the union")
        for memberName, serializer in self._members(name):
            # The serializers of two node classes have the same type, so the validators decide.
            if serializer.serializer.canSerialize(type(value)):
                try:
                    serializer.validate(value)
                    return memberName, serializer
                except Exception as error:
                    refusal = error
        raise refusal

    def default(self):
        last = self._serializers[-1].serializer
        if len(self._serializers) == 2 and isinstance(last, NoneSerializer):
            # This is the form of Optional[A], whose natural default is None.
            return None
        return self._serializers[0].default()

    def isIn(self, parameterNode, name: str) -> bool:
        return self._memberInNode(parameterNode, name) is not None

    def write(self, parameterNode, name: str, value) -> None:
        memberName, serializer = self._memberForValue(name, value)
        with slicer.util.NodeModify(parameterNode):
            current = self._memberInNode(parameterNode, name)
            before = None if current is None else current[1].read(parameterNode, current[0])
            try:
                self.remove(parameterNode, name)
                serializer.write(parameterNode, memberName, value)
            except Exception:
                # A container may still refuse one of its elements; the old value must then be restored.
                self.remove(parameterNode, name)
                if current is not None:
                    current[1].write(parameterNode, current[0], before)
                raise

    def read(self, parameterNode, name: str):
        member = self._memberInNode(parameterNode, name)
        if member is None:
            raise KeyError(f"The parameter node has no value for {name}")
        memberName, serializer = member
        return serializer.read(parameterNode, memberName)

    def remove(self, parameterNode, name: str) -> None:
        with slicer.util.NodeModify(parameterNode):
            for memberName, serializer in self._members(name):
                serializer.remove(parameterNode, memberName)

    def supportsCaching(self) -> bool:
        return all(serializer.supportsCaching() for serializer in self._serializers)


@parameterNodeSerializer
class AnySerializer(Serializer):
    """typing.Any: the class of the value is stored beside it, as module and name, and selects the serializer.

    So the value's class must be at the top level of a module, and there must be a serializer for it. That excludes tuples,
    whose places need types.
    """

    # Observed containers are stored as list or dict, and observed packs as their own class.
    _plainTypes = {ObservedList: list, ObservedDict: dict}

    @staticmethod
    def canSerialize(type_) -> bool:
        return type_ is typing.Any

    @staticmethod
    def create(type_):
        return AnySerializer() if AnySerializer.canSerialize(type_) else None

    def __init__(self):
        self._typeSerializer = TupleSerializer([StringSerializer(), StringSerializer()])

    @staticmethod
    def _typeName(name: str) -> str:
        return f"{name}.type"

    @staticmethod
    def _valueName(name: str) -> str:
        return f"{name}.value"

    def _storedSerializer(self, parameterNode, name: str) -> Serializer:
        moduleName, className = self._typeSerializer.read(parameterNode, self._typeName(name))
        if (moduleName, className) == ("builtins", "NoneType"):
            # The class of None has no name in its module.
            return createSerializerFromAnnotatedType(type(None))
        return createSerializerFromAnnotatedType(getattr(importlib.import_module(moduleName), className))

    def default(self):
        return None

    def isIn(self, parameterNode, name: str) -> bool:
        return self._typeSerializer.isIn(parameterNode, self._typeName(name))

    def write(self, parameterNode, name: str, value) -> None:
        valueType = packClassOf(value) or self._plainTypes.get(type(value), type(value))
        serializer = createSerializerFromAnnotatedType(valueType)
        with slicer.util.NodeModify(parameterNode):
            wasIn = self.isIn(parameterNode, name)
            before = self.read(parameterNode, name) if wasIn else None
            self.remove(parameterNode, name)
            try:
                serializer.write(parameterNode, self._valueName(name), value)
            except Exception:
                # A container may hold a value that cannot be stored.
                serializer.remove(parameterNode, self._valueName(name))
                if wasIn:
                    self.write(parameterNode, name, before)
                raise
            self._typeSerializer.write(parameterNode, self._typeName(name), (valueType.__module__, valueType.__name__))

    def read(self, parameterNode, name: str):
        return self._storedSerializer(parameterNode, name).read(parameterNode, self._valueName(name))

    def remove(self, parameterNode, name: str) -> None:
        if not self.isIn(parameterNode, name):
            return
        with slicer.util.NodeModify(parameterNode):
            self._storedSerializer(parameterNode, name).remove(parameterNode, self._valueName(name))
            self._typeSerializer.remove(parameterNode, self._typeName(name))

    def supportsCaching(self) -> bool:
        return False
