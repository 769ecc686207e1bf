"""Parameter packs in a parameter node: each parameter under ``name.parameter``."""

import slicer

from ._packMembers import isParameterPack, readMember, storeMember
from ._serializerBase import Serializer, ValidatedSerializer, parameterNodeSerializer
from .validators import IsInstance, NotNone


class _Binding:
    """The place in a parameter node that a pack is read from and writes its changes to."""

    def __init__(self, parameterNode, serializer, name: str):
        self._parameterNode = parameterNode
        self._serializer = serializer
        self._name = name

    def save(self, pack) -> None:
        """Write the pack and read it again, so that the lists and packs in it are observed ones too."""
        with slicer.util.NodeModify(self._parameterNode):
            try:
                self._serializer.write(self._parameterNode, self._name, pack)
            finally:
                self._serializer.readMembers(self._parameterNode, self._name, pack)


def _makeObservedClass(packClass):
    """Return the class of the packs that are read from a parameter node: a subclass that refuses new attributes."""

    class ObservedParameterPack(packClass):
        def __setattr__(self, key, value):
            if not hasattr(self, key):
                raise AttributeError(f"{packClass.__name__} in a parameter node has no attribute '{key}', and a new one would not be saved")
            super().__setattr__(key, value)

        def __repr__(self) -> str:
            return f"Observed({packClass.__repr__(self)})"

        __str__ = __repr__

    return ObservedParameterPack


@parameterNodeSerializer
class ParameterPackSerializer(Serializer):
    """Serializer of every parameter pack."""

    @staticmethod
    def canSerialize(type_) -> bool:
        return isinstance(type_, type) and isParameterPack(type_)

    @staticmethod
    def create(type_):
        if not ParameterPackSerializer.canSerialize(type_):
            return None
        return ValidatedSerializer(ParameterPackSerializer(type_), [NotNone(), IsInstance(type_)])

    def __init__(self, type_):
        self.type = type_
        self._observedClass = _makeObservedClass(type_)

    def _members(self, name: str):
        """Yield for each parameter its name in the pack, its name in the node, and its serializer."""
        return [(member, f"{name}.{member}", info.serializer) for member, info in self.type.allParameters.items()]

    def default(self):
        return self.type()

    def isIn(self, parameterNode, name: str) -> bool:
        _, nodeName, serializer = self._members(name)[0]
        return serializer.isIn(parameterNode, nodeName)

    def write(self, parameterNode, name: str, value) -> None:
        with slicer.util.NodeModify(parameterNode):
            for member, nodeName, serializer in self._members(name):
                serializer.write(parameterNode, nodeName, readMember(value, member))

    def readMembers(self, parameterNode, name: str, pack) -> None:
        """Fill an existing pack with the values of the node."""
        for member, nodeName, serializer in self._members(name):
            storeMember(pack, member, serializer.read(parameterNode, nodeName))

    def read(self, parameterNode, name: str):
        # Not through __init__: a constructor of the module's own may need other arguments.
        pack = self._observedClass.__new__(self._observedClass)
        self.readMembers(parameterNode, name, pack)
        pack.__dict__["_parameterPack_binding"] = _Binding(parameterNode, self, name)
        return pack

    def remove(self, parameterNode, name: str) -> None:
        with slicer.util.NodeModify(parameterNode):
            for _, nodeName, serializer in self._members(name):
                serializer.remove(parameterNode, nodeName)

    def supportsCaching(self) -> bool:
        return all(info.serializer.supportsCaching() for info in self.type.allParameters.values())
