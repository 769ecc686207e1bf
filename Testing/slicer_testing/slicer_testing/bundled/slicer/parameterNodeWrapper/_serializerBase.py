"""What a serializer is, and how the right one is found for a type."""

import abc
import logging

from .util import splitAnnotations
from .validators import extractValidators


class Serializer(abc.ABC):
    """Reads and writes the values of one type in a parameter node, under a given name.

    A value may take more than one entry of the node: those are called ``name.something``, which cannot clash with
    another parameter, since a dot is not allowed in a Python name.
    """

    @staticmethod
    @abc.abstractmethod
    def canSerialize(type_) -> bool:
        """Whether this class can serve the type; for a container, whatever the type of its elements."""
        raise NotImplementedError("canSerialize is not implemented")

    @staticmethod
    @abc.abstractmethod
    def create(type_):
        """A serializer for the type, usually within a ValidatedSerializer; None if this class does not serve it."""
        raise NotImplementedError("create is not implemented")

    @abc.abstractmethod
    def default(self):
        """The first value of a parameter that says nothing of it."""
        raise NotImplementedError("default is not implemented")

    @abc.abstractmethod
    def isIn(self, parameterNode, name: str) -> bool:
        """Whether the node has a value of that name."""
        raise NotImplementedError("isIn is not implemented")

    @abc.abstractmethod
    def write(self, parameterNode, name: str, value) -> None:
        """Store the value in the node."""
        raise NotImplementedError("write is not implemented")

    @abc.abstractmethod
    def read(self, parameterNode, name: str):
        """The value that the node has."""
        raise NotImplementedError("read is not implemented")

    @abc.abstractmethod
    def remove(self, parameterNode, name: str) -> None:
        """Take every trace of the value out of the node."""
        raise NotImplementedError("remove is not implemented")

    @staticmethod
    def supportsCaching() -> bool:
        """Whether a value that was read once may be given out again until the node changes.

        True is right for immutable values and for values that write their own changes to the node.
        """
        return False


class ValidatedSerializer(Serializer):
    """A serializer whose values pass through validators before they are written."""

    @staticmethod
    def canSerialize(type_) -> bool:
        # It serves what it wraps, so it must never be chosen for a type by itself.
        return False

    @staticmethod
    def create(type_):
        raise TypeError("A ValidatedSerializer wraps another serializer: it is not created from a type")

    def __init__(self, serializer, validators):
        validators = list(validators or [])
        if isinstance(serializer, ValidatedSerializer):
            # One layer is enough; the validators of the inner one (NotNone, IsInstance) must speak first.
            validators = list(serializer.validators) + validators
            serializer = serializer.serializer
        self.serializer = serializer
        self.validators = validators

    def validate(self, value) -> None:
        """Raise if one of the validators refuses the value."""
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

    # It may be written with or without parentheses.
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
    """The validated serializer of a type, and the annotations that neither validate nor serialize."""
    validators, annotations = extractValidators(annotations)
    serializer, annotations = extractSerializer(annotations)
    if serializer is None:
        registered = next((candidate for candidate in _registeredSerializers if candidate.canSerialize(type_)), None)
        if registered is None:
            raise TypeError(f"No serializer is registered for the type {type_}")
        serializer = registered.create(type_)
    return ValidatedSerializer(serializer, validators), annotations


def createSerializerFromAnnotatedType(annotatedType):
    """The validated serializer of a type as it stands within a container."""
    type_, annotations = splitAnnotations(annotatedType)
    serializer, unused = createSerializer(type_, annotations)
    if unused:
        logging.warning(f"Unused annotations of {type_}: {unused}")
    return serializer
