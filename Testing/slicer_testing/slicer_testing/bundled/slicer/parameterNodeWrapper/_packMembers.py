"""The members of parameter packs and the attributes that hold their values."""

MARK = "_is_parameterPack"
# Packs in a parameter node are instances of a subclass of their pack, which refers to the pack by this attribute.
PACK_CLASS = "_parameterPack_class"


def isParameterPack(obj) -> bool:
    """Return whether the object is a parameter pack: the class or an instance of it."""
    return getattr(obj, MARK, False)


def packClassOf(pack):
    """Return the class that was decorated as a pack, also for an instance in a parameter node; None for anything else."""
    return getattr(type(pack), PACK_CLASS, None)


def implName(name: str) -> str:
    """Return the attribute of an instance that holds the value of a parameter."""
    return f"_parameterPack_{name}_impl"


def serializerName(name: str) -> str:
    """Return the attribute of the class that holds the serializer of a parameter."""
    return f"_parameterPack_{name}_serializer"


def readMember(pack, name: str):
    """Return the value of a parameter of the pack, independent of the properties that its class defines."""
    return getattr(pack, implName(name))


def storeMember(pack, name: str, value) -> None:
    """Set the value of a parameter without a check and without writing it to a parameter node."""
    pack.__dict__[implName(name)] = value
