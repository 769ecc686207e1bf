"""Serializers of list, tuple and dict, and the list and dict that write their own changes to the parameter node."""

import collections.abc
import typing

import slicer

from ._serializerBase import Serializer, createSerializerFromAnnotatedType, parameterNodeSerializer
from ._valueSerializers import NumberSerializer


class _Observed:
    """Base class of the observed containers: it keeps the place in the node that they write to."""

    def __init__(self, parameterNode, serializer, name, content):
        self._parameterNode = parameterNode
        self._serializer = serializer
        self._name = name
        self._content = content

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._content})"

    def __eq__(self, other) -> bool:
        return self._content == (other._content if isinstance(other, _Observed) else other)

    # Mutable containers have no hash; Python would drop it anyway where __eq__ is defined.
    __hash__ = None

    def __len__(self):
        return len(self._content)

    def __getitem__(self, key):
        return self._content[key]

    def __setitem__(self, key, value):
        self._change(lambda content: content.__setitem__(key, value))

    def __delitem__(self, key):
        self._change(lambda content: content.__delitem__(key))

    def clear(self) -> None:
        """Remove all elements."""
        self._change(lambda content: content.clear())

    def _change(self, action):
        """Apply an action to the content, write the content to the node, and return the action's result."""
        result = action(self._content)
        try:
            self._serializer.write(self._parameterNode, self._name, self._content)
        finally:
            # Read back in any case: new members become observed ones, and after a refused value the old content is restored.
            self._content = self._serializer.read(self._parameterNode, self._name)._content
        return result


class ObservedList(_Observed, collections.abc.MutableSequence):
    """A list whose changes are written to the parameter node.

    ``+`` and ``*`` are refused, since their results would appear the same and would not be observed; ``+=`` and ``*=``
    change the list in place. ``list(observed)`` is an ordinary list.
    """

    def __iadd__(self, other):
        self._change(lambda content: content.extend(other))
        return self

    def __imul__(self, count):
        self._change(lambda content: content.__imul__(count))
        return self

    def _refuse(self, other):
        raise NotImplementedError("An ObservedList has no + and *, only += and *=; use list(...) for an ordinary list")

    __add__ = __radd__ = __mul__ = __rmul__ = _refuse

    def append(self, item) -> None:
        self._change(lambda content: content.append(item))

    def extend(self, other) -> None:
        self._change(lambda content: content.extend(other))

    def insert(self, index, item) -> None:
        self._change(lambda content: content.insert(index, item))

    def remove(self, item) -> None:
        self._change(lambda content: content.remove(item))

    def pop(self, index=-1):
        return self._change(lambda content: content.pop(index))

    def sort(self, *, key=None, reverse=False) -> None:
        """Sort in place."""
        self._change(lambda content: content.sort(key=key, reverse=reverse))

    def reverse(self) -> None:
        self._change(lambda content: content.reverse())


class ObservedDict(_Observed, collections.abc.MutableMapping):
    """A dict whose changes are written to the parameter node; it keeps the order of its keys."""

    def __iter__(self):
        return iter(self._content)

    def pop(self, key, *default):
        return self._change(lambda content: content.pop(key, *default))

    def popitem(self):
        # The last item, as with a dict; a plain mapping would remove the first.
        return self._change(lambda content: content.popitem())

    def update(self, *args, **kwargs) -> None:
        # In one write, so that observers of the node are called once.
        self._change(lambda content: content.update(*args, **kwargs))


@parameterNodeSerializer
class ListSerializer(Serializer):
    """Serializer of lists: an entry with the length (``name.len``) and the elements as ``name.0``, ``name.1`` and so on."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return type_ is list or typing.get_origin(type_) is list

    @staticmethod
    def create(type_):
        if not ListSerializer.canSerialize(type_):
            return None
        elementTypes = typing.get_args(type_) or (typing.Any,)
        return ListSerializer(createSerializerFromAnnotatedType(elementTypes[0]))

    def __init__(self, elementTypeSerializer):
        self._elementSerializer = elementTypeSerializer
        self._lengthSerializer = NumberSerializer(int)

    @staticmethod
    def _lengthName(name: str) -> str:
        return f"{name}.len"

    @staticmethod
    def _elementName(name: str, index: int) -> str:
        return f"{name}.{index}"

    def _length(self, parameterNode, name: str) -> int:
        if not self.isIn(parameterNode, name):
            return 0
        return self._lengthSerializer.read(parameterNode, self._lengthName(name))

    def _readElements(self, parameterNode, name: str) -> list:
        return [
            self._elementSerializer.read(parameterNode, self._elementName(name, index))
            for index in range(self._length(parameterNode, name))
        ]

    def _writeElements(self, parameterNode, name: str, values) -> None:
        oldLength = self._length(parameterNode, name)
        for index, value in enumerate(values):
            self._elementSerializer.write(parameterNode, self._elementName(name, index), value)
        self._lengthSerializer.write(parameterNode, self._lengthName(name), len(values))
        for index in range(len(values), oldLength):
            self._elementSerializer.remove(parameterNode, self._elementName(name, index))

    def default(self):
        return []

    def isIn(self, parameterNode, name: str) -> bool:
        return self._lengthSerializer.isIn(parameterNode, self._lengthName(name))

    def write(self, parameterNode, name: str, values) -> None:
        # The values may include the node's own elements, so all are read before the first is written.
        values = list(values)
        with slicer.util.NodeModify(parameterNode):
            before = self._readElements(parameterNode, name) if self.isIn(parameterNode, name) else None
            try:
                self._writeElements(parameterNode, name, values)
            except Exception:
                # A refused element must not leave half a list: remove the new entries and restore the old list.
                for index in range(len(values)):
                    self._elementSerializer.remove(parameterNode, self._elementName(name, index))
                if before is None:
                    self.remove(parameterNode, name)
                else:
                    self._writeElements(parameterNode, name, before)
                raise

    def read(self, parameterNode, name: str):
        return ObservedList(parameterNode, self, name, self._readElements(parameterNode, name))

    def remove(self, parameterNode, name: str) -> None:
        with slicer.util.NodeModify(parameterNode):
            for index in range(self._length(parameterNode, name)):
                self._elementSerializer.remove(parameterNode, self._elementName(name, index))
            self._lengthSerializer.remove(parameterNode, self._lengthName(name))

    def supportsCaching(self) -> bool:
        # The list reports its own changes, but not those of an element that cannot report them itself.
        return self._elementSerializer.supportsCaching()


@parameterNodeSerializer
class TupleSerializer(Serializer):
    """Serializer of tuples of fixed length, with a type for each place: ``name.0``, ``name.1`` and so on."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return typing.get_origin(type_) is tuple

    @staticmethod
    def create(type_):
        if not TupleSerializer.canSerialize(type_):
            return None
        elementTypes = typing.get_args(type_)
        if not elementTypes or Ellipsis in elementTypes:
            raise TypeError(f"{type_} does not specify the types of its elements; use list for any number of values")
        return TupleSerializer([createSerializerFromAnnotatedType(elementType) for elementType in elementTypes])

    def __init__(self, serializers):
        self._serializers = list(serializers)

    def _places(self, name: str):
        return [(f"{name}.{index}", serializer) for index, serializer in enumerate(self._serializers)]

    def default(self):
        return tuple(serializer.default() for serializer in self._serializers)

    def isIn(self, parameterNode, name: str) -> bool:
        firstName, firstSerializer = self._places(name)[0]
        return firstSerializer.isIn(parameterNode, firstName)

    def validate(self, values) -> None:
        """Raise an exception unless there is a valid value for each place."""
        if len(values) != len(self._serializers):
            raise ValueError(f"The tuple needs {len(self._serializers)} values, but has {len(values)}")
        for serializer, value in zip(self._serializers, values, strict=True):
            if hasattr(serializer, "validate"):
                serializer.validate(value)

    def write(self, parameterNode, name: str, values) -> None:
        values = tuple(values)
        # All values are checked first, so that a refused one leaves the tuple unchanged.
        self.validate(values)
        with slicer.util.NodeModify(parameterNode):
            for (placeName, serializer), value in zip(self._places(name), values, strict=True):
                serializer.write(parameterNode, placeName, value)

    def read(self, parameterNode, name: str) -> tuple:
        return tuple(serializer.read(parameterNode, placeName) for placeName, serializer in self._places(name))

    def remove(self, parameterNode, name: str) -> None:
        with slicer.util.NodeModify(parameterNode):
            for placeName, serializer in self._places(name):
                serializer.remove(parameterNode, placeName)

    def supportsCaching(self) -> bool:
        return all(serializer.supportsCaching() for serializer in self._serializers)


@parameterNodeSerializer
class DictSerializer(Serializer):
    """Serializer of dicts, stored as a list of (key, value) tuples, which keeps the order of the keys."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return type_ is dict or typing.get_origin(type_) is dict

    @staticmethod
    def create(type_):
        if not DictSerializer.canSerialize(type_):
            return None
        keyType, valueType = typing.get_args(type_) or (typing.Any, typing.Any)
        return DictSerializer(createSerializerFromAnnotatedType(keyType), createSerializerFromAnnotatedType(valueType))

    def __init__(self, keySerializer, valueSerializer):
        self._serializer = ListSerializer(TupleSerializer([keySerializer, valueSerializer]))

    def default(self):
        return {}

    def isIn(self, parameterNode, name: str) -> bool:
        return self._serializer.isIn(parameterNode, name)

    def write(self, parameterNode, name: str, dictionary) -> None:
        self._serializer.write(parameterNode, name, dictionary.items())

    def read(self, parameterNode, name: str):
        return ObservedDict(parameterNode, self, name, dict(self._serializer.read(parameterNode, name)))

    def remove(self, parameterNode, name: str) -> None:
        self._serializer.remove(parameterNode, name)

    def supportsCaching(self) -> bool:
        return self._serializer.supportsCaching()
