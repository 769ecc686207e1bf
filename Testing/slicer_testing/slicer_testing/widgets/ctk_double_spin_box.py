"""ctkDoubleSpinBox: a spin box that keeps the exact value and can change its number of decimals."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSizePolicy, QStyle, QStyleOptionSpinBox, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import bounded, enumeration, integer, rounded, significant_decimals

_MOST_DECIMALS = 323  # of QDoubleSpinBox


class _SpinBox(QDoubleSpinBox):
    """The inner spin box; its owner decides how decimals are typed and shown."""

    def __init__(self, owner: ctkDoubleSpinBox) -> None:
        super().__init__(owner)
        self._owner = owner
        self._inverted = False

    def stepBy(self, steps: int) -> None:
        super().stepBy(-steps if self._inverted else steps)

    def stepEnabled(self) -> QDoubleSpinBox.StepEnabledFlag:
        flags = super().stepEnabled()
        if not self._inverted or self.isReadOnly() or self.wrapping():
            return flags
        swapped = QDoubleSpinBox.StepEnabledFlag.StepNone
        if self.value() < self.maximum():
            swapped |= QDoubleSpinBox.StepEnabledFlag.StepDownEnabled
        if self.value() > self.minimum():
            swapped |= QDoubleSpinBox.StepEnabledFlag.StepUpEnabled
        return swapped

    def textFromValue(self, value: float) -> str:
        text = super().textFromValue(value) or "0"
        point = self.locale().decimalPoint()
        if self._owner._option & ctkDoubleSpinBox.DecimalPointAlwaysVisible and point not in text:
            text += point
        return text

    def valueFromText(self, text: str) -> float:
        if not self._owner._option & ctkDoubleSpinBox.DecimalsByKey:
            return super().valueFromText(text)
        value, good = self.locale().toDouble(self._stripped(text))
        return value if good else self.minimum()

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Accept more decimals than are shown, if the owner allows it."""
        if not self._owner._option & ctkDoubleSpinBox.DecimalsByKey:
            return super().validate(text, position)
        stripped = self._stripped(text)
        if stripped in ("", "-", "+", ".", "-.", "+."):
            return QValidator.State.Intermediate, text, position
        value, good = self.locale().toDouble(stripped)
        if not good or self._decimals_of(stripped) > self._owner._bound_decimals(_MOST_DECIMALS):
            return QValidator.State.Invalid, text, position
        if self.minimum() <= value <= self.maximum():
            return QValidator.State.Acceptable, text, position
        outside = self.minimum() == self.maximum() or value > max(self.maximum(), 0.0) or value < min(self.minimum(), 0.0)
        return (QValidator.State.Invalid if outside else QValidator.State.Intermediate), text, position

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._owner._change_decimals_by_key(event):
            super().keyPressEvent(event)

    def _stripped(self, text: str) -> str:
        return text.removeprefix(self.prefix()).removesuffix(self.suffix()).strip()

    def _decimals_of(self, text: str) -> int:
        return len(text.partition(self.locale().decimalPoint())[2])

    def _typed(self, text: str) -> None:
        """Set the number of decimals to that of the typed text."""
        owner = self._owner
        if not owner._option & ctkDoubleSpinBox.DecimalsByKey:
            return
        state, _, _ = self.validate(text, 0)
        if state != QValidator.State.Acceptable:
            return
        stripped = self._stripped(text)
        decimals = owner._bound_decimals(self._decimals_of(stripped))
        if decimals != self.decimals():
            cursor = self.lineEdit().cursorPosition()
            owner._force_update = True
            owner._show(self.locale().toDouble(stripped)[0], decimals)
            owner._force_update = False
            self.lineEdit().setCursorPosition(cursor)


@slicer_widget
class ctkDoubleSpinBox(QWidget):
    """A number with decimals.

    The value is the exact number that was set, even where fewer decimals are shown; an edit by hand rounds it. ``decimalsOption``
    determines how the number of decimals may change: by Ctrl and plus, minus or 0, by typing, or by the value itself.
    """

    SetAlways, SetIfDifferent = 0, 1
    FixedDecimals = 0x000
    DecimalsByShortcuts = 0x001
    DecimalsByKey = 0x002
    DecimalsByValue = 0x004
    InsertDecimals = 0x008
    ReplaceDecimals = 0x010
    DecimalsAsMax = 0x020
    DecimalsAsMin = 0x040
    DecimalPointAlwaysVisible = 0x080
    SizeHintByMinMax, SizeHintByValue = 0, 1

    valueChanged = Signal((float,), (str,))
    editingFinished = Signal()
    decimalsChanged = Signal(int)

    def __init__(self, *arguments: object) -> None:
        """Make a spin box.

        Args:
            arguments: the set mode, which is optional, and the parent.
        """
        parent = next((one for one in arguments if isinstance(one, QWidget)), None)
        super().__init__(parent)
        self._mode = next((one for one in arguments if isinstance(one, int)), self.SetIfDifferent)
        self._option = self.DecimalsByShortcuts | self.InsertDecimals
        self._default_decimals = 2
        self._hint_policy = self.SizeHintByMinMax
        self._force_update = False
        self._setting_value = False
        self._spin_box = _SpinBox(self)
        self._spin_box.setObjectName("spinBox")
        self._input_value = self._spin_box.value()
        self._input_range = (self._spin_box.minimum(), self._spin_box.maximum())
        self._spin_box.lineEdit().textEdited.connect(self._spin_box._typed)
        self._spin_box.valueChanged.connect(self._on_spin_box_value)
        self._spin_box.editingFinished.connect(self.editingFinished)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._spin_box)
        self.setSizePolicy(QSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed, QSizePolicy.ControlType.ButtonBox))
        self.setFocusProxy(self._spin_box)

    # Value

    def value(self) -> float:
        """Return the exact value."""
        return self._input_value

    def setValue(self, value: float) -> None:
        """Set the value in the mode ``setMode``."""
        if self._mode == self.SetIfDifferent:
            self.setValueIfDifferent(value)
        else:
            self.setValueAlways(value)

    def setValueIfDifferent(self, value: float) -> None:
        """Set the value unless it is the same."""
        if float(value) != self._input_value:
            self.setValueAlways(value)

    def setValueAlways(self, value: float) -> None:
        """Set the value and update the display."""
        value = bounded(self._input_range[0], float(value), self._input_range[1])
        modified = self._input_value != value
        self._input_value = value
        was_setting, self._setting_value = self._setting_value, True
        try:
            self._show(value, self._decimals_for(value))
        finally:
            self._setting_value = was_setting
        # The spin box emits no signal if only decimals have changed that it does not show.
        if modified and value == self._input_value:
            self._emit_value()

    def isSettingValue(self) -> bool:
        """Return whether a value is being set by code, not by the user."""
        return self._setting_value

    def stepUp(self) -> None:
        """Increase the value by one step."""
        self._spin_box.stepUp()

    def stepDown(self) -> None:
        """Decrease the value by one step."""
        self._spin_box.stepDown()

    def _emit_value(self) -> None:
        value = self._input_value
        self.valueChanged.emit(value)
        self.valueChanged[str].emit(f"{value:.{self._spin_box.decimals()}f}")

    def _rounded(self, value: float) -> float:
        return rounded(value, self._spin_box.decimals())

    def _on_spin_box_value(self) -> None:
        shown = self._spin_box.value()
        if self._rounded(self._input_value) == self._rounded(shown) and not self._force_update:
            return  # only the precision differs
        self._force_update = False
        # The limits are exact, even if they are shown rounded.
        for limit in self._input_range:
            if self._rounded(limit) == self._rounded(shown):
                shown = limit
                break
        self._input_value = shown
        self._emit_value()

    def _show(self, value: float, decimals: int) -> None:
        decimals = self._bound_decimals(decimals)
        change = decimals != self._spin_box.decimals()
        if change:
            self._spin_box.setDecimals(decimals)
        self._spin_box.setValue(value)
        if self._hint_policy == self.SizeHintByValue:
            self.updateGeometry()
        if change:
            self.decimalsChanged.emit(decimals)

    # Range and steps

    def minimum(self) -> float:
        return self._input_range[0]

    def setMinimum(self, minimum: float) -> None:
        """Set the minimum; the maximum follows if it is below."""
        self._set_range(minimum, max(minimum, self._input_range[1]))

    def maximum(self) -> float:
        return self._input_range[1]

    def setMaximum(self, maximum: float) -> None:
        """Set the maximum; the minimum follows if it is above."""
        self._set_range(min(maximum, self._input_range[0]), maximum)

    def _set_range(self, minimum: float, maximum: float) -> None:
        limits = (float(min(minimum, maximum)), float(max(minimum, maximum)))
        if self._mode == self.SetIfDifferent and limits == self._input_range:
            return
        self._input_range = limits
        self._spin_box.setRange(*limits)

    def singleStep(self) -> float:
        return self._spin_box.singleStep()

    def setSingleStep(self, step: float) -> None:
        if self._mode == self.SetIfDifferent and self._rounded(step) == self._rounded(self.singleStep()):
            return
        self._spin_box.setSingleStep(step)

    # Decimals

    def decimals(self) -> int:
        return self._spin_box.decimals()

    def setDecimals(self, decimals: int) -> None:
        decimals = int(decimals)
        if self._mode == self.SetIfDifferent and decimals == self.decimals() == self._default_decimals:
            return
        self._default_decimals = decimals
        self._show(self._input_value, self._decimals_for(self._input_value))

    def decimalsOption(self) -> int:
        return self._option

    def setDecimalsOption(self, option: int) -> None:
        option = integer(option)
        if self._mode == self.SetIfDifferent and option == self._option:
            return
        self._option = option
        self.setValueAlways(self._input_value)

    def _bound_decimals(self, decimals: int) -> int:
        if decimals == -1:
            return self.decimals()
        low = self._default_decimals if self._option & self.DecimalsAsMin else 0
        high = self._default_decimals if self._option & self.DecimalsAsMax else _MOST_DECIMALS
        return int(bounded(low, decimals, high))

    def _decimals_for(self, value: float) -> int:
        decimals = self._default_decimals
        if self._option & self.DecimalsByValue:
            decimals = significant_decimals(value, decimals)
        return self._bound_decimals(decimals)

    def _change_decimals_by_key(self, event: QKeyEvent) -> bool:
        if not self._option & self.DecimalsByShortcuts or not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return False
        decimals = {
            Qt.Key.Key_Plus: self.decimals() + 1,
            Qt.Key.Key_Equal: self.decimals() + 1,
            Qt.Key.Key_Minus: max(0, self.decimals() - 1),
            Qt.Key.Key_0: self._default_decimals,
        }.get(event.key())
        if decimals is None:
            return False
        self._show(self._input_value, decimals)  # more decimals restore the precision
        return True

    # Appearance

    def prefix(self) -> str:
        return self._spin_box.prefix()

    def setPrefix(self, prefix: str) -> None:
        self._spin_box.setPrefix(prefix or "")

    def suffix(self) -> str:
        return self._spin_box.suffix()

    def setSuffix(self, suffix: str) -> None:
        self._spin_box.setSuffix(suffix or "")

    def cleanText(self) -> str:
        """Return the text without prefix and suffix."""
        return self._spin_box.cleanText()

    def alignment(self) -> Qt.AlignmentFlag:
        return self._spin_box.alignment()

    def setAlignment(self, alignment: Qt.AlignmentFlag) -> None:
        self._spin_box.setAlignment(enumeration(Qt.AlignmentFlag, alignment))

    def frame(self) -> bool:
        return self._spin_box.hasFrame()

    def setFrame(self, frame: bool) -> None:
        self._spin_box.setFrame(bool(frame))

    def isReadOnly(self) -> bool:
        return self._spin_box.isReadOnly()

    def setReadOnly(self, read_only: bool) -> None:
        symbols = QDoubleSpinBox.ButtonSymbols
        self._spin_box.setReadOnly(bool(read_only))
        self._spin_box.setButtonSymbols(symbols.NoButtons if read_only else symbols.UpDownArrows)

    def invertedControls(self) -> bool:
        return self._spin_box._inverted

    def setInvertedControls(self, inverted: bool) -> None:
        self._spin_box._inverted = bool(inverted)

    def setMode(self) -> int:
        """Return the mode of ``setValue``; despite its name this is the getter of a property."""
        return self._mode

    def setSetMode(self, mode: int) -> None:
        self._mode = integer(mode)

    def sizeHintPolicy(self) -> int:
        return self._hint_policy

    def setSizeHintPolicy(self, policy: int) -> None:
        self._hint_policy = integer(policy)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        return self._value_hint() if self._hint_policy == self.SizeHintByValue else super().sizeHint()

    def minimumSizeHint(self) -> QSize:
        return self._value_hint() if self._hint_policy == self.SizeHintByValue else super().minimumSizeHint()

    def _value_hint(self) -> QSize:
        box = self._spin_box
        option = QStyleOptionSpinBox()
        box.initStyleOption(option)
        width = box.fontMetrics().horizontalAdvance(f"{box.prefix()}{box.cleanText()} {box.suffix()}") + 2
        size = QSize(width, box.lineEdit().sizeHint().height())
        return box.style().sizeFromContents(QStyle.ContentsType.CT_SpinBox, option, size, box)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.FontChange:
            self.updateGeometry()
        super().changeEvent(event)
