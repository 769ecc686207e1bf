"""parameterPack: a class of several typed parameters that is itself the type of one parameter."""

import typing

from ._annotations import warnOfUnused
from ._packMembers import MARK, PACK_CLASS, implName, isParameterPack, packClassOf, readMember, serializerName, storeMember
from ._packSerializer import ParameterPackSerializer
from .default import extractDefault
from .parameterInfo import ParameterInfo
from .serializers import createSerializer
from .util import splitAnnotations, splitPossiblyDottedName, unannotatedType

__all__ = ["isParameterPack", "nestedParameterNames", "parameterPack"]


def nestedParameterNames(parameterPackClassOrInstance) -> list[str]:
    """Return the dotted names of all parameters that are not packs themselves, e.g. "topLeft.x"."""
    pack = parameterPackClassOrInstance
    if not isParameterPack(pack):
        pack = unannotatedType(pack)
    names = []
    for name, info in pack.allParameters.items():
        if isParameterPack(unannotatedType(info.unalteredType)):
            names += [f"{name}.{inner}" for inner in nestedParameterNames(info.unalteredType)]
        else:
            names.append(name)
    return names


def checkMember(packClassOrInstance, memberName: str) -> None:
    """Raise ValueError unless the dotted name is that of a member of the pack."""
    top, rest = splitPossiblyDottedName(memberName)
    if not hasattr(packClassOrInstance, top):
        raise ValueError(f"{packClassOrInstance} has no member '{top}'")
    if rest is None:
        return
    info = packClassOrInstance.allParameters.get(top)
    inner = None if info is None else unannotatedType(info.unalteredType)
    if not isParameterPack(inner):
        raise ValueError(f"'{top}' of {packClassOrInstance} is not a parameter pack, so it has no member '{rest}'")
    checkMember(inner, rest)


def _makeProperty(name: str) -> property:
    def getter(self):
        return readMember(self, name)

    def setter(self, value):
        getattr(type(self), serializerName(name)).validate(value)
        storeMember(self, name, value)
        # A pack in a parameter node writes itself.
        binding = self.__dict__.get("_parameterPack_binding")
        if binding is not None:
            binding.save(self)

    return property(getter, setter)


def _fresh(value):
    """Return a default for a new instance: mutable defaults are copied, since all packs would share them otherwise."""
    if isParameterPack(value) and not isinstance(value, type):
        copy = type(value).__new__(type(value))
        for name in value.allParameters:
            storeMember(copy, name, _fresh(readMember(value, name)))
        return copy
    if type(value) is list:
        return [_fresh(item) for item in value]
    if type(value) is dict:
        return {key: _fresh(item) for key, item in value.items()}
    return value


def _setDefaults(pack, names) -> None:
    for name in names:
        setattr(pack, name, _fresh(pack.allParameters[name].default))


def _init(self, *args, **kwargs):
    names = list(self.allParameters)
    if len(args) > len(names):
        raise TypeError(f"{type(self).__name__} takes {len(names)} values, but {len(args)} were given")
    values = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name not in names:
            raise TypeError(f"{type(self).__name__} has no parameter '{name}'")
        if name in values:
            raise TypeError(f"{type(self).__name__} was given two values for '{name}'")
        values[name] = value
    for name, value in values.items():
        setattr(self, name, value)
    _setDefaults(self, [name for name in names if name not in values])


def _eq(self, other):
    if packClassOf(other) is not packClassOf(self):
        return False
    return all(readMember(self, name) == readMember(other, name) for name in self.allParameters)


def _str(self) -> str:
    def text(value):
        return f'"{value}"' if isinstance(value, str) else str(value)

    members = ", ".join(f"{name}={text(readMember(self, name))}" for name in self.allParameters)
    return f"{packClassOf(self).__name__}({members})"


def _getValue(self, membername: str):
    """Return the value of a member by its name, which may be dotted."""
    top, rest = splitPossiblyDottedName(membername)
    if not hasattr(self, top):
        raise ValueError(f"{self} has no member '{top}'")
    value = getattr(self, top)
    return value if rest is None else _getValue(value, rest)


def _setValue(self, membername: str, value) -> None:
    """Set the value of a member by its name, which may be dotted."""
    top, rest = splitPossiblyDottedName(membername)
    if not hasattr(self, top):
        raise ValueError(f"{self} has no member '{top}'")
    if rest is None:
        setattr(self, top, value)
    else:
        _setValue(getattr(self, top), rest, value)


def _makeDataType(packClass):
    def dataType(membername: str):
        """Return the type of a member, with its annotations, by its name, which may be dotted."""
        checkMember(packClass, membername)
        top, rest = splitPossiblyDottedName(membername)
        datatype = packClass.allParameters[top].unalteredType
        return datatype if rest is None else unannotatedType(datatype).dataType(rest)

    return staticmethod(dataType)


def _describeParameter(packClass, name: str, annotatedType) -> ParameterInfo:
    type_, annotations = splitAnnotations(annotatedType)
    serializer, annotations = createSerializer(type_, annotations)
    annotatedDefault, unused = extractDefault(annotations)
    if hasattr(packClass, name):
        default = getattr(packClass, name)
    elif annotatedDefault is not None:
        default = annotatedDefault.value
    else:
        default = serializer.default()
    warnOfUnused(unused, packClass, name)
    try:
        serializer.validate(default)
    except Exception as error:
        raise ValueError(f"The default {default!r} of {packClass.__name__}.{name} is not allowed: {error}") from error
    return ParameterInfo(name, serializer, default, annotatedType)


def _makePack(packClass):
    hints = typing.get_type_hints(packClass, include_extras=True)
    if not hints:
        raise ValueError(f"The parameter pack {packClass.__name__} has no parameters")

    added = {"getValue": _getValue, "setValue": _setValue, "dataType": _makeDataType(packClass), MARK: True}
    reserved = {"allParameters", *added}
    for name in hints:
        reserved |= {implName(name), serializerName(name)}
    for name in reserved:
        if name in hints or hasattr(packClass, name):
            raise ValueError(f"'{name}' is reserved in the parameter pack {packClass.__name__}")

    allParameters = {name: _describeParameter(packClass, name, hint) for name, hint in hints.items()}
    for name, info in allParameters.items():
        setattr(packClass, name, _makeProperty(name))
        setattr(packClass, serializerName(name), info.serializer)

    # Members that the class defines itself are kept. Its own constructor finds all parameters at their defaults.
    ownInit = packClass.__dict__.get("__init__")
    if ownInit is None:
        packClass.__init__ = _init
    else:

        def initAfterDefaults(self, *args, **kwargs):
            _setDefaults(self, self.allParameters)
            ownInit(self, *args, **kwargs)

        packClass.__init__ = initAfterDefaults
    for name, method in {"__eq__": _eq, "__str__": _str, "__repr__": _str}.items():
        if name not in packClass.__dict__:
            setattr(packClass, name, method)

    packClass.allParameters = allParameters
    setattr(packClass, PACK_CLASS, packClass)
    for name, member in added.items():
        setattr(packClass, name, member)
    return packClass


def parameterPack(classtype=None):
    """Class decorator: make a parameter pack of a class whose members have type hints."""
    # The decorator may be written with or without parentheses.
    return _makePack if classtype is None else _makePack(classtype)
