"""Serializers of single values: numbers, text, paths, enums, colours, MRML nodes, and None."""

import enum
import pathlib

import slicer

from ._serializerBase import Serializer, ValidatedSerializer, parameterNodeSerializer
from .util import isNodeClass
from .validators import IsInstance, IsNone, NotNone

PATH_TYPES = (pathlib.Path, pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath)


class _SingleEntrySerializer(Serializer):
    """Base class for a value that is one text in the parameter node; subclasses convert between value and text."""

    def isIn(self, parameterNode, name: str) -> bool:
        return parameterNode.HasParameter(name)

    def remove(self, parameterNode, name: str) -> None:
        parameterNode.UnsetParameter(name)

    def supportsCaching(self) -> bool:
        return True


@parameterNodeSerializer
class NumberSerializer(_SingleEntrySerializer):
    """Serializer of int and float."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return type_ in (int, float)

    @staticmethod
    def create(type_):
        if not NumberSerializer.canSerialize(type_):
            return None
        # An int is accepted as a float, but not the reverse.
        accepted = (int, float) if type_ is float else int
        return ValidatedSerializer(NumberSerializer(type_), [NotNone(), IsInstance(accepted)])

    def __init__(self, type):
        self.type = type

    def default(self):
        return self.type()

    def write(self, parameterNode, name: str, value) -> None:
        text = str(value)
        # A bool is an instance of int, but its text is not a number, so it is refused before it is written.
        self.type(text)
        parameterNode.SetParameter(name, text)

    def read(self, parameterNode, name: str):
        return self.type(parameterNode.GetParameter(name))


@parameterNodeSerializer
class StringSerializer(_SingleEntrySerializer):
    """Serializer of str."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return type_ is str

    @staticmethod
    def create(type_):
        if not StringSerializer.canSerialize(type_):
            return None
        return ValidatedSerializer(StringSerializer(), [NotNone(), IsInstance(str)])

    def default(self):
        return ""

    def write(self, parameterNode, name: str, value) -> None:
        parameterNode.SetParameter(name, str(value))

    def read(self, parameterNode, name: str):
        return parameterNode.GetParameter(name)


@parameterNodeSerializer
class PathSerializer(_SingleEntrySerializer):
    """Serializer of the path classes of pathlib."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return type_ in PATH_TYPES

    @staticmethod
    def create(type_):
        if not PathSerializer.canSerialize(type_):
            return None
        return ValidatedSerializer(PathSerializer(type_), [NotNone(), IsInstance(type_)])

    def __init__(self, pathtype):
        self.type = pathtype

    def default(self):
        return self.type()

    def write(self, parameterNode, name: str, value) -> None:
        parameterNode.SetParameter(name, str(value))

    def read(self, parameterNode, name: str):
        return self.type(parameterNode.GetParameter(name))


@parameterNodeSerializer
class BoolSerializer(_SingleEntrySerializer):
    """Serializer of bool, as the words True and False."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return type_ is bool

    @staticmethod
    def create(type_):
        if not BoolSerializer.canSerialize(type_):
            return None
        return ValidatedSerializer(BoolSerializer(), [NotNone(), IsInstance(bool)])

    def default(self):
        return False

    def write(self, parameterNode, name: str, value) -> None:
        parameterNode.SetParameter(name, "True" if value else "False")

    def read(self, parameterNode, name: str) -> bool:
        return parameterNode.GetParameter(name) == "True"


@parameterNodeSerializer
class EnumSerializer(_SingleEntrySerializer):
    """Serializer of the members of an enum, stored by name, so that their values may have any type."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return isinstance(type_, type) and issubclass(type_, enum.Enum)

    @staticmethod
    def create(type_):
        if not EnumSerializer.canSerialize(type_):
            return None
        return ValidatedSerializer(EnumSerializer(type_), [NotNone(), IsInstance(type_)])

    def __init__(self, enum_):
        self.enum = enum_
        if not len(enum_):
            raise ValueError(f"{enum_} has no members, so no value of it can be stored")

    def default(self):
        return next(iter(self.enum))

    def write(self, parameterNode, name: str, value) -> None:
        parameterNode.SetParameter(name, value.name)

    def read(self, parameterNode, name: str):
        key = parameterNode.GetParameter(name)
        if key not in self.enum.__members__:
            raise ValueError(f"The parameter node has {key!r} for {name}, which is not a name in {self.enum}")
        return self.enum[key]


@parameterNodeSerializer
class QColorSerializer(_SingleEntrySerializer):
    """Serializer of colours, stored as #rrggbb, or #aarrggbb if they are translucent."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return isinstance(type_, type) and type_.__name__ == "QColor" and type_ is QColorSerializer._colorClass()

    @staticmethod
    def create(type_):
        if not QColorSerializer.canSerialize(type_):
            return None
        return ValidatedSerializer(QColorSerializer(), [NotNone(), IsInstance(type_)])

    @staticmethod
    def _colorClass():
        # Imported when needed: a logic without colours can be used without Qt.
        import qt

        return qt.QColor

    def default(self):
        return self._colorClass()("#000000")

    def write(self, parameterNode, name: str, value) -> None:
        red, green, blue, alpha = value.red(), value.green(), value.blue(), value.alpha()
        opacity = "" if alpha == 255 else f"{alpha:02x}"
        parameterNode.SetParameter(name, f"#{opacity}{red:02x}{green:02x}{blue:02x}")

    def read(self, parameterNode, name: str):
        return self._colorClass()(parameterNode.GetParameter(name))

    def supportsCaching(self) -> bool:
        # A colour can be changed in place without the node being notified.
        return False


@parameterNodeSerializer
class NodeSerializer(_SingleEntrySerializer):
    """Serializer of MRML nodes, stored as node references, which the scene updates when it is saved, loaded or imported."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return isNodeClass(type_)

    @staticmethod
    def create(type_):
        if not NodeSerializer.canSerialize(type_):
            return None
        return ValidatedSerializer(NodeSerializer(), [IsInstance(type_)])

    def default(self):
        return None

    def write(self, parameterNode, name: str, value) -> None:
        with slicer.util.NodeModify(parameterNode):
            # A reference to no node is not stored, so an empty parameter of the same name marks that None was written.
            parameterNode.SetParameter(name, "")
            parameterNode.SetNodeReferenceID(name, None if value is None else value.GetID())

    def read(self, parameterNode, name: str):
        return parameterNode.GetNodeReference(name)

    def remove(self, parameterNode, name: str) -> None:
        with slicer.util.NodeModify(parameterNode):
            parameterNode.UnsetParameter(name)
            parameterNode.RemoveNodeReferenceIDs(name)


@parameterNodeSerializer
class NoneSerializer(_SingleEntrySerializer):
    """Serializer of None, which is useful as a member of a union."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return type_ is type(None)

    @staticmethod
    def create(type_):
        if not NoneSerializer.canSerialize(type_):
            return None
        return ValidatedSerializer(NoneSerializer(), [IsNone()])

    def default(self):
        return None

    def write(self, parameterNode, name: str, value) -> None:
        parameterNode.SetParameter(name, "True")

    def read(self, parameterNode, name: str):
        return None
