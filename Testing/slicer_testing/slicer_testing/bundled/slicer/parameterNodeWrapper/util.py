"""Functions for the types of parameters: their annotations, and the MRML nodes that they admit."""

import types
import typing

import slicer

__all__ = ["findFirstAnnotation", "getNodeTypes", "isNodeOrUnionOfNodes", "splitAnnotations", "unannotatedType"]


def splitAnnotations(possiblyAnnotatedType):
    """Split ``Annotated[T, a, b]`` into ``(T, (a, b))``; for a type without annotations return ``(T, ())``."""
    if typing.get_origin(possiblyAnnotatedType) is typing.Annotated:
        return possiblyAnnotatedType.__origin__, possiblyAnnotatedType.__metadata__
    return possiblyAnnotatedType, ()


def unannotatedType(possiblyAnnotatedType):
    """Return the type without its annotations."""
    return splitAnnotations(possiblyAnnotatedType)[0]


def findFirstAnnotation(annotationsList, annotationType):
    """Return the first annotation that is an instance of ``annotationType``, or None."""
    return next((annotation for annotation in annotationsList if isinstance(annotation, annotationType)), None)


def splitPossiblyDottedName(possiblyDottedName):
    """Split off the first part of a name: "a.b.c" gives ("a", "b.c"), and "a" gives ("a", None)."""
    first, dot, rest = possiblyDottedName.partition(".")
    return first, (rest if dot else None)


def isUnion(datatype) -> bool:
    """Return whether the type is ``Union[A, B]``, ``Optional[A]`` or ``A | B``."""
    return typing.get_origin(datatype) in (typing.Union, types.UnionType)


def isNodeClass(datatype) -> bool:
    """Return whether the type is vtkMRMLNode or a class that derives from it."""
    return isinstance(datatype, type) and issubclass(datatype, slicer.vtkMRMLNode)


def _alternatives(datatype):
    """Return the members of a union without their annotations; for any other type, the type alone."""
    datatype = unannotatedType(datatype)
    if isUnion(datatype):
        return [unannotatedType(member) for member in typing.get_args(datatype)]
    return [datatype]


def isNodeOrUnionOfNodes(datatype) -> bool:
    """Return whether the values are MRML nodes: one node class, or a union of node classes and None."""
    members = _alternatives(datatype)
    return any(map(isNodeClass, members)) and all(isNodeClass(member) or member is type(None) for member in members)


def _nodeClassName(nodeClass) -> str:
    # The application gets the class name from an instance. A class that cannot be instantiated fails there, and a
    # module must not find that it works here.
    try:
        return nodeClass().GetClassName()
    except TypeError as error:
        raise TypeError(f"{nodeClass.__name__} is an abstract node class: a widget cannot be connected to it") from error


def getNodeTypes(datatype) -> tuple:
    """Return the class names of the nodes that a type admits, in the form of a node selector's ``nodeTypes``."""
    datatype = unannotatedType(datatype)
    if not isNodeClass(datatype) and not isUnion(datatype):
        raise TypeError(f"{datatype} is neither a node class nor a union of node classes")
    return tuple(_nodeClassName(member) for member in _alternatives(datatype) if isNodeClass(member))
