"""The base class of serializers, and their registration by type."""

import abc
import logging

from .util import splitAnnotations
from .validators import extractValidators


class Serializer(abc.ABC):
    """Reads and writes the values of one type in a parameter node, under a given name.

    A value may have more than one entry in the node: their names are ``name.something``, which cannot conflict with
    another parameter, since a Python name has no dot.
    """

    @staticmethod
    @abc.abstractmethod
    def canSerialize(type_) -> bool:
        """Return whether this class can serialize the type; for a container, independent of the type of its elements."""
        raise NotImplementedError("canSerialize is not implemented")

    @staticmethod
    @abc.abstractmethod
    def create(type_):
        """Return a serializer for the type, usually within a ValidatedSerializer; None if this class cannot serialize it."""
        raise NotImplementedError("create is not implemented")

    @abc.abstractmethod
    def default(self):
        """Return the default of a parameter without a default of its own."""
        raise NotImplementedError("default is not implemented")

    @abc.abstractmethod
    def isIn(self, parameterNode, name: str) -> bool:
        """Return whether the node has a value of that name."""
        raise NotImplementedError("isIn is not implemented")

    @abc.abstractmethod
    def write(self, parameterNode, name: str, value) -> None:
        """Store the value in the node."""
        raise NotImplementedError("write is not implemented")

    @abc.abstractmethod
    def read(self, parameterNode, name: str):
        """Return the value in the node."""
        raise NotImplementedError("read is not implemented")

    @abc.abstractmethod
    def remove(self, parameterNode, name: str) -> None:
        """Remove all entries of the value from the node."""
        raise NotImplementedError("remove is not implemented")

    @staticmethod
    def supportsCaching() -> bool:
        """Return whether a value that was read once may be reused until the node changes.

        True is right for immutable values and for values that write their own changes to the node.
        """
        return False


class ValidatedSerializer(Serializer):
    """A serializer whose values are checked by validators before they are written."""

    @staticmethod
    def canSerialize(type_) -> bool:
        # It wraps another serializer, so it is never selected for a type.
        return False

    @staticmethod
    def create(type_):
        raise TypeError("A ValidatedSerializer wraps another serializer: it is not created from a type")

    def __init__(self, serializer, validators):
        validators = list(validators or [])
        if isinstance(serializer, ValidatedSerializer):
            # One layer is enough; the validators of the inner one (NotNone, IsInstance) are applied first.
            validators = list(serializer.validators) + validators
            serializer = serializer.serializer
        self.serializer = serializer
        self.validators = validators

    def validate(self, value) -> None:
        """Raise an exception if one of the validators refuses the value."""
        for validator in self.validators:
            validator.validate(value)

    def default(self):
        return self.serializer.default()

    def isIn(self, parameterNode, name: str) -> bool:
        return self.serializer.isIn(parameterNode, name)

    def write(self, parameterNode, name: str, value) -> None:
        self.validate(value)
        self.serializer.write(parameterNode, name, value)

    def read(self, parameterNode, name: str):
        return self.serializer.read(parameterNode, name)

    def remove(self, parameterNode, name: str) -> None:
        self.serializer.remove(parameterNode, name)

    def supportsCaching(self) -> bool:
        return self.serializer.supportsCaching()


_registeredSerializers = []


def parameterNodeSerializer(classtype=None):
    """Class decorator: let wrappers and packs find this serializer for the types that it can serialize."""

    def register(cls):
        if not (isinstance(cls, type) and issubclass(cls, Serializer)):
            raise TypeError(f"{cls} must derive from Serializer")
        _registeredSerializers.append(cls)
        return cls

    # The decorator may be written with or without parentheses.
    return register if classtype is None else register(classtype)


def _isSerializer(annotation) -> bool:
    return isinstance(annotation, Serializer) or (isinstance(annotation, type) and issubclass(annotation, Serializer))


def extractSerializer(annotations):
    """Split ``annotations`` into the serializer among them (or None) and the list of all others."""
    found = [annotation for annotation in annotations if _isSerializer(annotation)]
    if len(found) > 1:
        raise ValueError("A parameter can have only one serializer annotation")
    return (found[0] if found else None), [annotation for annotation in annotations if not _isSerializer(annotation)]


def createSerializer(type_, annotations):
    """Return the validated serializer of a type, and the annotations that neither validate nor serialize."""
    validators, annotations = extractValidators(annotations)
    serializer, annotations = extractSerializer(annotations)
    if serializer is None:
        registered = next((candidate for candidate in _registeredSerializers if candidate.canSerialize(type_)), None)
        if registered is None:
            raise TypeError(f"No serializer is registered for the type {type_}")
        serializer = registered.create(type_)
    return ValidatedSerializer(serializer, validators), annotations


def createSerializerFromAnnotatedType(annotatedType):
    """Return the validated serializer of a type within a container."""
    type_, annotations = splitAnnotations(annotatedType)
    serializer, unused = createSerializer(type_, annotations)
    if unused:
        logging.warning(f"Unused annotations of {type_}: {unused}")
    return serializer
