"""The members of parameter packs: where an instance keeps their values."""

MARK = "_is_parameterPack"
# Packs that stand in a parameter node belong to a subclass of their pack, and name the pack by this attribute.
PACK_CLASS = "_parameterPack_class"


def isParameterPack(obj) -> bool:
    """Whether the object is a parameter pack: the class or an instance of it."""
    return getattr(obj, MARK, False)


def packClassOf(pack):
    """The class that was decorated as a pack, also for an instance in a parameter node; None for anything else."""
    return getattr(type(pack), PACK_CLASS, None)


def implName(name: str) -> str:
    """The attribute of an instance that holds the value of a parameter."""
    return f"_parameterPack_{name}_impl"


def serializerName(name: str) -> str:
    """The attribute of the class that holds the serializer of a parameter."""
    return f"_parameterPack_{name}_serializer"


def readMember(pack, name: str):
    """The value of a parameter of the pack, whatever properties its class may define."""
    return getattr(pack, implName(name))


def storeMember(pack, name: str, value) -> None:
    """Set the value of a parameter without a check and without writing it to a parameter node."""
    pack.__dict__[implName(name)] = value
