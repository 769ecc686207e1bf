"""parameterNodeWrapper: a class whose typed members are the parameters of a vtkMRMLScriptedModuleNode."""

import typing

from ._annotations import warnOfUnused
from ._guiBinding import GuiBinding, SlicerParameterNamePropertyName, findChildWidgetForParameter, widgetsByParameter
from ._slots import NodeWatch, Slot
from .default import Default, extractDefault
from .parameterInfo import ParameterInfo
from .parameterPack import checkMember
from .serializers import createSerializer
from .util import splitAnnotations, splitPossiblyDottedName, unannotatedType

__all__ = ["parameterNodeWrapper", "SlicerParameterNamePropertyName", "findChildWidgetForParameter", "isParameterNodeWrapper"]


def isParameterNodeWrapper(classOrObj) -> bool:
    """Return whether the object is a parameter node wrapper: the class or an instance of it."""
    return getattr(classOrObj, "_is_parameter_node_wrapper", False)


def _checkName(wrapper, name: str) -> None:
    """Raise ValueError unless the dotted name is that of a parameter of the wrapper (class or instance)."""
    top, rest = splitPossiblyDottedName(name)
    if top not in wrapper.allParameters:
        raise ValueError(f"There is no parameter '{top}'; the parameters are {', '.join(wrapper.allParameters)}")
    if rest is not None:
        checkMember(unannotatedType(wrapper.allParameters[top].unalteredType), rest)


class _Methods:
    """The methods of every wrapper. They are added to the decorated class, whose base classes do not change."""

    def __init__(self, parameterNode, prefix=None):
        """Wrap a node; ``prefix`` separates the parameters of several wrappers of one node."""
        if parameterNode is None:
            raise AssertionError("A parameter node is needed")
        self.parameterNode = parameterNode
        self._slots = {name: Slot(info, parameterNode, prefix or "") for name, info in self.allParameters.items()}
        self._nodeWatch = NodeWatch(parameterNode, self._slots.values())
        self._guiBinding = GuiBinding(self)

    def _slot(self, paramName: str):
        _checkName(self, paramName)
        return self._slots[splitPossiblyDottedName(paramName)[0]]

    def default(self, paramName: str):
        """Return the Default of a parameter."""
        return self._slot(paramName).default

    def isCached(self, paramName: str) -> bool:
        """Return whether the value of a parameter is cached until the node changes."""
        return self._slot(paramName).isCached

    def getValue(self, name: str):
        """Return the value of a parameter by its name, which may be dotted to reach into packs."""
        value = self._slot(name).read()
        rest = splitPossiblyDottedName(name)[1]
        return value if rest is None else value.getValue(rest)

    def setValue(self, name: str, value) -> None:
        """Set the value of a parameter by its name, which may be dotted to reach into packs."""
        slot = self._slot(name)
        rest = splitPossiblyDottedName(name)[1]
        if rest is None:
            slot.write(value)
        else:
            slot.read().setValue(rest, value)

    def connectGui(self, gui) -> int:
        """Connect all widgets with the property "SlicerParameterName", and return a tag for disconnectGui."""
        return self._guiBinding.connect(widgetsByParameter(gui))

    def connectParametersToGui(self, mapping) -> int:
        """Connect parameters to widgets, given as ``{name: widget}``, and return a tag for disconnectGui."""
        return self._guiBinding.connect(mapping)

    def disconnectGui(self, guiTag) -> None:
        """Remove the connections that one of the connect methods made."""
        self._guiBinding.disconnect(guiTag)

    # Methods of the node that the wrapper has too, so that slicer.util.NodeModify and
    # VTKObservationMixin accept it instead of the node.

    def StartModify(self):
        """Begin a batch of changes that observers are notified of once."""
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified):
        """End a batch of changes."""
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event, callback, priority=0.0):
        """Observe the node, and return a tag."""
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        """Remove an observer by the tag of AddObserver."""
        return self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        """Notify the observers of the node that it changed."""
        return self.parameterNode.Modified()


def _makeDataType(wrapperClass):
    def dataType(membername: str):
        """Return the type of a parameter, with its annotations, by its name, which may be dotted."""
        _checkName(wrapperClass, membername)
        top, rest = splitPossiblyDottedName(membername)
        datatype = wrapperClass.allParameters[top].unalteredType
        return datatype if rest is None else unannotatedType(datatype).dataType(rest)

    return staticmethod(dataType)


def _makeProperty(name: str) -> property:
    return property(lambda self: self._slots[name].read(), lambda self, value: self._slots[name].write(value))


def _describeParameter(wrapperClass, name: str, annotatedType) -> ParameterInfo:
    type_, annotations = splitAnnotations(annotatedType)
    try:
        serializer, annotations = createSerializer(type_, annotations)
    except Exception as error:
        raise TypeError(f"{wrapperClass.__name__}.{name} has a type that cannot be stored in a parameter node") from error
    default, unused = extractDefault(annotations)
    if hasattr(wrapperClass, name):
        default = Default(getattr(wrapperClass, name))
    elif default is None:
        default = Default(serializer.default())
    warnOfUnused(unused, wrapperClass, name)
    return ParameterInfo(name, serializer, default, annotatedType)


def _makeWrapper(wrapperClass):
    hints = typing.get_type_hints(wrapperClass, include_extras=True)
    added = {name: method for name, method in vars(_Methods).items() if not name.startswith("__")}
    added |= {"allParameters": None, "dataType": None, "_is_parameter_node_wrapper": True}
    # Also the attributes that an instance keeps for itself, such as the node that it wraps.
    for name in (*added, "parameterNode", "_slots", "_nodeWatch", "_guiBinding"):
        if name in hints or hasattr(wrapperClass, name):
            raise ValueError(f"'{name}' is reserved in the parameter node wrapper {wrapperClass.__name__}")

    added["allParameters"] = {name: _describeParameter(wrapperClass, name, hint) for name, hint in hints.items()}
    added["dataType"] = _makeDataType(wrapperClass)
    added["__init__"] = _Methods.__init__
    added |= {name: _makeProperty(name) for name in hints}
    for name, member in added.items():
        setattr(wrapperClass, name, member)
    return wrapperClass


def parameterNodeWrapper(classtype=None):
    """Class decorator: make typed access to a parameter node of a class whose members have type hints."""
    # The decorator may be written with or without parentheses.
    return _makeWrapper if classtype is None else _makeWrapper(classtype)
