"""createGui: makes the widget for a type, a pack or a whole wrapper. Modules can add creators of their own."""

import abc
import enum

import slicer

from ._annotations import Label
from ._packConnector import SlicerPackParameterNamePropertyName
from ._packMembers import isParameterPack
from ._valueSerializers import PATH_TYPES
from .types import FloatRange
from .util import findFirstAnnotation, isNodeOrUnionOfNodes, splitAnnotations, unannotatedType
from .validators import Choice, Maximum, Minimum, WithinRange
from .wrapper import SlicerParameterNamePropertyName, isParameterNodeWrapper

__all__ = ["GuiCreator", "createGui", "parameterNodeGuiCreator", "Label"]

# How well a creator's widget shows a type, from 0 (not at all) to 100. The built-in creators stay at or below 90, so that
# a module's own creator can take precedence.
CanRepresentWithChoice = 90
CanRepresentWithMinMax = 85
CanRepresentButIgnoringValidators = 80
CannotRepresent = 0


class GuiCreator(abc.ABC):
    """Makes the widget for a type."""

    @staticmethod
    @abc.abstractmethod
    def representationValue(datatype) -> int:
        """Return how well the widget of this creator shows the type with its annotations: from 0 (not at all) to 100."""
        raise NotImplementedError("Must implement representationValue")

    @staticmethod
    @abc.abstractmethod
    def create(datatype):
        """Return a new widget for a type that this creator can show."""
        raise NotImplementedError("Must implement create")


_registeredGuiCreators = []


def parameterNodeGuiCreator(classtype=None):
    """Class decorator: let createGui find this creator."""

    def register(cls):
        if not (isinstance(cls, type) and issubclass(cls, GuiCreator)):
            raise TypeError(f"{cls} must derive from GuiCreator")
        _registeredGuiCreators.append(cls)
        return cls

    # The decorator may be written with or without parentheses.
    return register if classtype is None else register(classtype)


def createGui(datatype):
    """Return a new widget for a type, which may be annotated, for a parameter pack, or for a parameter node wrapper."""
    best = max(_registeredGuiCreators, key=lambda creator: creator.representationValue(datatype))
    if best.representationValue(datatype) <= CannotRepresent:
        raise RuntimeError(f"No widget is known for the type {datatype}")
    return best.create(datatype)


@parameterNodeGuiCreator
class ChoiceGuiCreator(GuiCreator):
    """Makes a combo box for values with the Choice annotation."""

    @staticmethod
    def representationValue(datatype) -> int:
        type_, annotations = splitAnnotations(datatype)
        hasChoice = findFirstAnnotation(annotations, Choice) is not None
        return CanRepresentWithChoice if hasChoice and type_ in (int, float, str, bool) else CannotRepresent

    @staticmethod
    def create(datatype):
        import qt

        return qt.QComboBox()


@parameterNodeGuiCreator
class EnumGuiCreator(GuiCreator):
    """Makes a combo box for enums."""

    @staticmethod
    def representationValue(datatype) -> int:
        type_ = unannotatedType(datatype)
        return CanRepresentWithChoice if isinstance(type_, type) and issubclass(type_, enum.Enum) else CannotRepresent

    @staticmethod
    def create(datatype):
        import qt

        return qt.QComboBox()


@parameterNodeGuiCreator
class BoolGuiCreator(GuiCreator):
    """Makes a check box for bool."""

    @staticmethod
    def representationValue(datatype) -> int:
        return CanRepresentButIgnoringValidators if unannotatedType(datatype) is bool else CannotRepresent

    @staticmethod
    def create(datatype):
        import qt

        return qt.QCheckBox()


@parameterNodeGuiCreator
class FloatGuiCreator(GuiCreator):
    """Makes a slider for a float with two limits, otherwise a spin box."""

    @staticmethod
    def representationValue(datatype) -> int:
        return CanRepresentWithMinMax if unannotatedType(datatype) is float else CannotRepresent

    @staticmethod
    def create(datatype):
        import ctk
        import qt

        annotations = splitAnnotations(datatype)[1]
        hasBothEnds = all(findFirstAnnotation(annotations, end) is not None for end in (Minimum, Maximum))
        if hasBothEnds or findFirstAnnotation(annotations, WithinRange) is not None:
            return ctk.ctkSliderWidget()
        return qt.QDoubleSpinBox()


@parameterNodeGuiCreator
class IntGuiCreator(GuiCreator):
    """Makes a spin box for int, since Qt's slider shows no number and CTK's is for real numbers."""

    @staticmethod
    def representationValue(datatype) -> int:
        return CanRepresentWithMinMax if unannotatedType(datatype) is int else CannotRepresent

    @staticmethod
    def create(datatype):
        import qt

        return qt.QSpinBox()


@parameterNodeGuiCreator
class StrGuiCreator(GuiCreator):
    """Makes a line of text for str."""

    @staticmethod
    def representationValue(datatype) -> int:
        return CanRepresentButIgnoringValidators if unannotatedType(datatype) is str else CannotRepresent

    @staticmethod
    def create(datatype):
        import qt

        return qt.QLineEdit()


@parameterNodeGuiCreator
class FloatRangeGuiCreator(GuiCreator):
    """Makes a slider with two handles for FloatRange."""

    @staticmethod
    def representationValue(datatype) -> int:
        return CanRepresentWithMinMax if unannotatedType(datatype) is FloatRange else CannotRepresent

    @staticmethod
    def create(datatype):
        import ctk

        return ctk.ctkRangeWidget()


@parameterNodeGuiCreator
class PathGuiCreator(GuiCreator):
    """Makes a path line for the classes of pathlib."""

    @staticmethod
    def representationValue(datatype) -> int:
        return CanRepresentButIgnoringValidators if unannotatedType(datatype) in PATH_TYPES else CannotRepresent

    @staticmethod
    def create(datatype):
        import ctk

        return ctk.ctkPathLineEdit()


@parameterNodeGuiCreator
class NodesGuiCreator(GuiCreator):
    """Makes a node selector for node classes and unions of them."""

    @staticmethod
    def representationValue(datatype) -> int:
        return CanRepresentButIgnoringValidators if isNodeOrUnionOfNodes(datatype) else CannotRepresent

    @staticmethod
    def create(datatype):
        return slicer.qMRMLNodeComboBox()


def _fillForm(widget, formLayout, parameters, propertyName: str) -> None:
    """Add a row for each parameter to the form, and let the widget pass its scene to the new widgets."""
    for name, info in parameters.items():
        editor = createGui(info.unalteredType)
        editor.setProperty(propertyName, name)
        label = findFirstAnnotation(splitAnnotations(info.unalteredType)[1], Label)
        formLayout.addRow(name if label is None else label.label, editor)
        if hasattr(editor, "setMRMLScene"):
            widget.mrmlSceneChanged.connect(editor.setMRMLScene)


@parameterNodeGuiCreator
class ParameterPackGuiCreator(GuiCreator):
    """Makes a collapsible form for parameter packs."""

    @staticmethod
    def representationValue(datatype) -> int:
        return CanRepresentButIgnoringValidators if isParameterPack(unannotatedType(datatype)) else CannotRepresent

    @staticmethod
    def create(datatype):
        import ctk
        import qt

        widget = slicer.qSlicerWidget()
        layout = qt.QVBoxLayout(widget)
        collapsible = ctk.ctkCollapsibleButton()
        layout.addWidget(collapsible)
        _fillForm(widget, qt.QFormLayout(collapsible), unannotatedType(datatype).allParameters, SlicerPackParameterNamePropertyName)
        return widget


@parameterNodeGuiCreator
class ParameterWrapperGuiCreator(GuiCreator):
    """Makes a form for parameter node wrappers."""

    @staticmethod
    def representationValue(datatype) -> int:
        return CanRepresentButIgnoringValidators if isParameterNodeWrapper(datatype) else CannotRepresent

    @staticmethod
    def create(datatype):
        import qt

        widget = slicer.qSlicerWidget()
        _fillForm(widget, qt.QFormLayout(widget), datatype.allParameters, SlicerParameterNamePropertyName)
        return widget
