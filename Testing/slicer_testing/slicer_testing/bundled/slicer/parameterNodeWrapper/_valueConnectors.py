"""Connectors of widgets that hold one plain value: check boxes, numbers, choices, text, paths, colours."""

import enum
import logging

from ._annotations import Decimals, SingleStep
from ._guiConnectorBase import SingleSignalConnector, isWidgetOfClass, parameterNodeGuiConnector
from ._valueSerializers import PATH_TYPES
from .types import FloatRange
from .util import findFirstAnnotation, splitAnnotations, unannotatedType
from .validators import Choice, Maximum, Minimum, RangeBounds, WithinRange

# The limits of Qt's integers, for a parameter without limits of its own.
INT_MINIMUM = -(2**31)
INT_MAXIMUM = 2**31 - 1


def _limits(annotations):
    """Return the smallest and the largest value that the annotations allow; None where they have no limit."""
    within = findFirstAnnotation(annotations, WithinRange)
    if within is not None:
        return within.minimum, within.maximum
    minimum = findFirstAnnotation(annotations, Minimum)
    maximum = findFirstAnnotation(annotations, Maximum)
    return (None if minimum is None else minimum.minimum), (None if maximum is None else maximum.maximum)


def _applySteps(widget, annotations, withDecimals: bool) -> None:
    """Set decimals and single step of the widget, if there are annotations for them."""
    decimals = findFirstAnnotation(annotations, Decimals)
    # First, since spin boxes round their limits to the decimals.
    if withDecimals and decimals is not None:
        widget.decimals = decimals.value
    singleStep = findFirstAnnotation(annotations, SingleStep)
    if singleStep is not None:
        widget.singleStep = singleStep.value


def _applyLimits(widget, annotations, lowest, highest, mustBeBounded: bool) -> None:
    """Set minimum and maximum of the widget; ``lowest`` and ``highest`` apply where the annotations have no limit."""
    minimum, maximum = _limits(annotations)
    if mustBeBounded and (minimum is None or maximum is None):
        raise RuntimeError(
            f"A {type(widget).__name__} cannot be connected to a number without limits: "
            "annotate it with WithinRange, or with Minimum and Maximum"
        )
    widget.minimum = lowest if minimum is None else minimum
    widget.maximum = highest if maximum is None else maximum


@parameterNodeGuiConnector
class QCheckBoxToBoolConnector(SingleSignalConnector):
    """Connects a check box to a bool."""

    signalName = "toggled"
    propertyName = "checked"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return unannotatedType(datatype) is bool and isWidgetOfClass(widget, "QCheckBox", "ctkCheckBox")

    @staticmethod
    def create(widget, datatype):
        return QCheckBoxToBoolConnector(widget) if QCheckBoxToBoolConnector.canRepresent(widget, datatype) else None


@parameterNodeGuiConnector
class QCheckablePushButtonToBoolConnector(SingleSignalConnector):
    """Connects a checkable button to a bool."""

    signalName = "toggled"
    propertyName = "checked"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return unannotatedType(datatype) is bool and isWidgetOfClass(widget, "QPushButton")

    @staticmethod
    def create(widget, datatype):
        if not QCheckablePushButtonToBoolConnector.canRepresent(widget, datatype):
            return None
        return QCheckablePushButtonToBoolConnector(widget)

    def __init__(self, widget):
        super().__init__(widget)
        if not widget.checkable:
            logging.warning(f"The button '{widget.text}' is made checkable, since it is connected to a bool")
            widget.checkable = True


@parameterNodeGuiConnector
class QSliderOrSpinBoxToIntConnector(SingleSignalConnector):
    """Connects a slider or spin box of integers to an int."""

    signalName = "valueChanged"
    propertyName = "value"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return unannotatedType(datatype) is int and isWidgetOfClass(widget, "QSlider", "QSpinBox")

    @staticmethod
    def create(widget, datatype):
        if not QSliderOrSpinBoxToIntConnector.canRepresent(widget, datatype):
            return None
        return QSliderOrSpinBoxToIntConnector(widget, splitAnnotations(datatype)[1])

    def __init__(self, widget, annotations):
        super().__init__(widget)
        _applySteps(widget, annotations, withDecimals=False)
        # A slider of four thousand million steps is unusable.
        _applyLimits(widget, annotations, INT_MINIMUM, INT_MAXIMUM, mustBeBounded=isWidgetOfClass(widget, "QSlider"))


@parameterNodeGuiConnector
class QDoubleSpinBoxCtkSliderWidgetToFloatConnector(SingleSignalConnector):
    """Connects a slider or spin box of real numbers to a float."""

    signalName = "valueChanged"
    propertyName = "value"

    sliders = ("ctkSliderWidget", "qMRMLSliderWidget")
    spinBoxes = ("QDoubleSpinBox", "ctkDoubleSpinBox", "qMRMLSpinBox")

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        cls = QDoubleSpinBoxCtkSliderWidgetToFloatConnector
        return unannotatedType(datatype) is float and isWidgetOfClass(widget, "ctkDoubleSlider", *cls.sliders, *cls.spinBoxes)

    @staticmethod
    def create(widget, datatype):
        if not QDoubleSpinBoxCtkSliderWidgetToFloatConnector.canRepresent(widget, datatype):
            return None
        return QDoubleSpinBoxCtkSliderWidgetToFloatConnector(widget, splitAnnotations(datatype)[1])

    def __init__(self, widget, annotations):
        super().__init__(widget)
        # A bare ctkDoubleSlider shows no number, so it has no decimals.
        _applySteps(widget, annotations, withDecimals=not isWidgetOfClass(widget, "ctkDoubleSlider"))
        _applyLimits(widget, annotations, float("-inf"), float("inf"), mustBeBounded=isWidgetOfClass(widget, *self.sliders))


class _ComboBoxConnector(SingleSignalConnector):
    """Base class: a combo box that is filled with the values that a parameter may have."""

    signalName = "currentIndexChanged"

    def __init__(self, widget, labelsAndValues):
        super().__init__(widget)
        self._values = [value for _, value in labelsAndValues]
        widget.clear()
        for label, _ in labelsAndValues:
            widget.addItem(label)

    def read(self):
        return self._values[self._widget.currentIndex]

    def write(self, value) -> None:
        if value not in self._values:
            raise ValueError(f"The value {value!r} is not one of the choices {self._values!r}")
        self._widget.currentIndex = self._values.index(value)


@parameterNodeGuiConnector
class QComboBoxToStringableConnector(_ComboBoxConnector):
    """Connects a combo box to a number, text or bool with the Choice annotation."""

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return unannotatedType(datatype) in (int, float, str, bool) and isWidgetOfClass(widget, "QComboBox", "ctkComboBox")

    @staticmethod
    def create(widget, datatype):
        if not QComboBoxToStringableConnector.canRepresent(widget, datatype):
            return None
        choice = findFirstAnnotation(splitAnnotations(datatype)[1], Choice)
        if choice is None:
            raise RuntimeError(f"A combo box needs choices: annotate the parameter with Choice, not only as {datatype}")
        return QComboBoxToStringableConnector(widget, [(str(value), value) for value in choice.choices])


@parameterNodeGuiConnector
class QComboBoxToEnumConnector(_ComboBoxConnector):
    """Connects a combo box to an enum; the texts are those of the enum's ``label()``, or else the names."""

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        enumClass = unannotatedType(datatype)
        if not (isinstance(enumClass, type) and issubclass(enumClass, enum.Enum)):
            return False
        return isWidgetOfClass(widget, "QComboBox", "ctkComboBox")

    @staticmethod
    def create(widget, datatype):
        if not QComboBoxToEnumConnector.canRepresent(widget, datatype):
            return None
        enumClass = unannotatedType(datatype)
        label = getattr(enumClass, "label", lambda member: member.name)
        return QComboBoxToEnumConnector(widget, [(label(member), member) for member in enumClass])


@parameterNodeGuiConnector
class QLineEditToStrConnector(SingleSignalConnector):
    """Connects a line of text to a str."""

    signalName = "textChanged"
    propertyName = "text"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return unannotatedType(datatype) is str and isWidgetOfClass(widget, "QLineEdit")

    @staticmethod
    def create(widget, datatype):
        return QLineEditToStrConnector(widget) if QLineEditToStrConnector.canRepresent(widget, datatype) else None


@parameterNodeGuiConnector
class QTextEditPlainTextToStrConnector(SingleSignalConnector):
    """Connects a text editor to a str, which gets the plain text."""

    signalName = "textChanged"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return unannotatedType(datatype) is str and isWidgetOfClass(widget, "QTextEdit")

    @staticmethod
    def create(widget, datatype):
        if not QTextEditPlainTextToStrConnector.canRepresent(widget, datatype):
            return None
        return QTextEditPlainTextToStrConnector(widget)

    def read(self) -> str:
        return self._widget.toPlainText()

    def write(self, value: str) -> None:
        # Setting the text again would move the cursor to the start while the user types.
        if value != self._widget.toPlainText():
            self._widget.setPlainText(value)


@parameterNodeGuiConnector
class QLabelToStrConnector(SingleSignalConnector):
    """Connects a label to a str; the label only shows it."""

    propertyName = "text"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return unannotatedType(datatype) is str and isWidgetOfClass(widget, "QLabel")

    @staticmethod
    def create(widget, datatype):
        return QLabelToStrConnector(widget) if QLabelToStrConnector.canRepresent(widget, datatype) else None

    def _connect(self):
        """Do nothing: a label has no signal for a change of its text."""

    def _disconnect(self):
        """Do nothing: there is no connection."""


@parameterNodeGuiConnector
class ctkRangeWidgetToRangeConnector(SingleSignalConnector):
    """Connects a slider with two handles to a FloatRange, which must have RangeBounds."""

    signalName = "valuesChanged"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return unannotatedType(datatype) is FloatRange and isWidgetOfClass(
            widget, "ctkRangeWidget", "qMRMLRangeWidget", "ctkDoubleRangeSlider"
        )

    @staticmethod
    def create(widget, datatype):
        if not ctkRangeWidgetToRangeConnector.canRepresent(widget, datatype):
            return None
        return ctkRangeWidgetToRangeConnector(widget, splitAnnotations(datatype)[1])

    def __init__(self, widget, annotations):
        super().__init__(widget)
        bounds = findFirstAnnotation(annotations, RangeBounds)
        if bounds is None:
            raise RuntimeError(f"A {type(widget).__name__} cannot be connected to a range without limits: annotate it with RangeBounds")
        _applySteps(widget, annotations, withDecimals=not isWidgetOfClass(widget, "ctkDoubleRangeSlider"))
        widget.setRange(bounds.minimum, bounds.maximum)

    def read(self) -> FloatRange:
        return FloatRange(self._widget.minimumValue, self._widget.maximumValue)

    def write(self, value: FloatRange) -> None:
        self._widget.setValues(value.minimum, value.maximum)


class _PathConnector(SingleSignalConnector):
    """Base class: a widget with a path as text, and one of the path classes."""

    def __init__(self, widget, pathClass):
        super().__init__(widget)
        self._pathClass = pathClass

    def read(self):
        return self._pathClass(super().read())

    def write(self, value) -> None:
        super().write(str(value))


@parameterNodeGuiConnector
class ctkPathLineEditToPathConnector(_PathConnector):
    """Connects a line with the path of a file or directory to a path of pathlib."""

    signalName = "currentPathChanged"
    propertyName = "currentPath"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return unannotatedType(datatype) in PATH_TYPES and isWidgetOfClass(widget, "ctkPathLineEdit")

    @staticmethod
    def create(widget, datatype):
        if not ctkPathLineEditToPathConnector.canRepresent(widget, datatype):
            return None
        return ctkPathLineEditToPathConnector(widget, unannotatedType(datatype))


@parameterNodeGuiConnector
class ctkDirectoryButtonToPathConnector(_PathConnector):
    """Connects a button that selects a directory to a path of pathlib."""

    signalName = "directoryChanged"
    propertyName = "directory"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return unannotatedType(datatype) in PATH_TYPES and isWidgetOfClass(widget, "ctkDirectoryButton")

    @staticmethod
    def create(widget, datatype):
        if not ctkDirectoryButtonToPathConnector.canRepresent(widget, datatype):
            return None
        return ctkDirectoryButtonToPathConnector(widget, unannotatedType(datatype))


@parameterNodeGuiConnector
class ctkColorPickerButtonToQColorConnector(SingleSignalConnector):
    """Connects a button that selects a colour to a QColor."""

    signalName = "colorChanged"
    propertyName = "color"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return getattr(unannotatedType(datatype), "__name__", None) == "QColor" and isWidgetOfClass(widget, "ctkColorPickerButton")

    @staticmethod
    def create(widget, datatype):
        if not ctkColorPickerButtonToQColorConnector.canRepresent(widget, datatype):
            return None
        return ctkColorPickerButtonToQColorConnector(widget)
