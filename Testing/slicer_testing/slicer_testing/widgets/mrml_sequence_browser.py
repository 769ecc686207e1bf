"""Controls of a sequence browser: the current item, and playback."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QColor, QFontDatabase, QIcon, QKeySequence, QPainter, QPixmap, QShortcut
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QSlider, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_widget import qMRMLWidget

_SHORTCUTS = {"PlayPause": "Ctrl+Shift+Down", "PreviousFrame": "Ctrl+Shift+Left", "NextFrame": "Ctrl+Shift+Right"}


class _BrowserWidget(qMRMLWidget):
    """Follows a browser and its master sequence."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._browser: Any = None

    def setMRMLSequenceBrowserNode(self, browserNode: Any) -> None:
        """Control a browser, or none for None."""
        if browserNode is not None and not browserNode.IsA("vtkMRMLSequenceBrowserNode"):
            browserNode = None
        self._observations.drop_all()
        self._browser = browserNode
        self._observations.add(browserNode, "ModifiedEvent", self._update)
        self._update()

    def _sequence(self) -> Any:
        return self._browser.GetMasterSequenceNode() if self._browser is not None else None

    def _update(self) -> None:
        raise NotImplementedError


@slicer_widget
class qMRMLSequenceBrowserSeekWidget(_BrowserWidget):
    """A slider over the items, with the value of the index."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.setObjectName("slider_IndexValue")
        self._name, self._value, self._unit = QLabel(self), QLabel(self), QLabel(self)
        for label, name in ((self._name, "IndexName"), (self._value, "IndexValue"), (self._unit, "IndexUnit")):
            label.setObjectName(f"label_{name}")
        # Digits of equal width, so that the slider does not jump while a sequence plays.
        self._value.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget, stretch in ((self._name, 0), (self._slider, 1), (self._value, 0), (self._unit, 0)):
            layout.addWidget(widget, stretch)
        self._slider.valueChanged.connect(self.setSelectedItemNumber)
        self._update()

    def slider(self) -> QSlider:
        """Return the slider."""
        return self._slider

    def setSelectedItemNumber(self, itemNumber: int) -> None:
        """Select an item; an invalid number selects none."""
        if self._browser is None:
            return
        sequence = self._sequence()
        there_is = sequence is not None and 0 <= itemNumber < sequence.GetNumberOfDataNodes()
        self._browser.SetSelectedItemNumber(itemNumber if there_is else -1)

    def _update(self) -> None:
        sequence = self._sequence()
        self.setEnabled(sequence is not None)
        if sequence is None:
            for label in (self._name, self._value, self._unit):
                label.clear()
            return
        self._name.setText(sequence.GetIndexName())
        count, item = sequence.GetNumberOfDataNodes(), self._browser.GetSelectedItemNumber()
        self._slider.blockSignals(True)
        self._slider.setEnabled(count > 0 and not self._browser.GetRecordingActive())
        self._slider.setRange(0, max(count - 1, 0))
        self._slider.setValue(max(item, 0))
        self._slider.blockSignals(False)
        value = unit = ""
        if 0 <= item < count:
            if self._browser.GetIndexDisplayMode() == self._browser.IndexDisplayAsIndexValue:
                value, unit = self._browser.GetFormattedIndexValue(item), sequence.GetIndexUnit()
            else:
                value = f"{item + 1}/{count}"
        self._value.setText(value)
        self._unit.setText(unit)
        self._value.setMinimumWidth(max(self._value.minimumWidth(), self._value.sizeHint().width()) if value else 0)


@slicer_widget
class qMRMLSequenceBrowserPlayWidget(_BrowserWidget):
    """Buttons of a recorder (first, previous, play, next, last, loop, record), and the rate."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._recording_visible = True
        self._keys: dict[str, QShortcut] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._buttons = {}
        for name, tip in (
            ("VcrFirst", "First frame"),
            ("VcrPrevious", "Previous frame"),
            ("VcrPlayPause", "Play/Pause"),
            ("VcrNext", "Next frame"),
            ("VcrLast", "Last frame"),
            ("VcrLoop", "Repeat"),
            ("VcrRecord", "Record"),
            ("Snapshot", "Record a snapshot"),
        ):
            button = self._buttons[name] = QPushButton(self)
            button.setObjectName(f"pushButton_{name}")
            button.setIcon(_icon(name))
            button.setIconSize(QSize(16, 16))
            button.setFixedWidth(28)
            button.setToolTip(tip)
            layout.addWidget(button)
        for name in ("VcrPlayPause", "VcrLoop", "VcrRecord"):
            self._buttons[name].setCheckable(True)
        self._rate = QDoubleSpinBox(self)
        self._rate.setObjectName("doubleSpinBox_VcrPlaybackRate")
        self._rate.setRange(0.1, 100)
        self._rate.setSuffix(" fps")
        self._rate.setToolTip("Playback rate")
        layout.addWidget(self._rate)
        for name in ("VcrFirst", "VcrPrevious", "VcrNext", "VcrLast"):
            self._buttons[name].clicked.connect(getattr(self, f"on{name}"))
        self._buttons["Snapshot"].clicked.connect(self.onRecordSnapshot)
        self._buttons["VcrPlayPause"].toggled.connect(self.setPlaybackEnabled)
        self._buttons["VcrLoop"].toggled.connect(self.setPlaybackLoopEnabled)
        self._buttons["VcrRecord"].toggled.connect(self.setRecordingEnabled)
        self._rate.valueChanged.connect(self.setPlaybackRateFps)
        for name, keys in _SHORTCUTS.items():
            self._set_shortcut(name, keys)
        self._update()

    def _update(self) -> None:
        sequence = self._sequence()
        self.setEnabled(sequence is not None)
        if sequence is None:
            return
        browser = self._browser
        recording, playing = browser.GetRecordingActive(), browser.GetPlaybackActive()
        can_play = sequence.GetNumberOfDataNodes() > 0 and not recording
        states = {"VcrPlayPause": playing, "VcrLoop": browser.GetPlaybackLooped(), "VcrRecord": recording}
        for name, button in self._buttons.items():
            button.blockSignals(True)
            if name in states:
                button.setChecked(bool(states[name]))
            button.setEnabled(can_play)
            button.blockSignals(False)
        self._buttons["VcrPlayPause"].setIcon(_icon("Pause" if playing else "VcrPlayPause"))
        self._rate.blockSignals(True)
        self._rate.setValue(browser.GetPlaybackRateFps())
        self._rate.blockSignals(False)
        may_record = bool(browser.IsAnySequenceNodeRecording()) and self._recording_visible
        self._buttons["VcrRecord"].setEnabled(not playing)
        self._buttons["Snapshot"].setEnabled(not playing and not recording)
        for name in ("VcrRecord", "Snapshot"):
            self._buttons[name].setVisible(may_record)

    # -- actions of the buttons

    def onVcrFirst(self) -> None:
        """Go to the first item."""
        if self._browser is not None:
            self._browser.SelectFirstItem()

    def onVcrLast(self) -> None:
        """Go to the last item."""
        if self._browser is not None:
            self._browser.SelectLastItem()

    def onVcrPrevious(self) -> None:
        """Go to the previous item."""
        if self._browser is not None:
            self._browser.SelectNextItem(-1)

    def onVcrNext(self) -> None:
        """Go to the next item."""
        if self._browser is not None:
            self._browser.SelectNextItem(1)

    def onVcrPlayPause(self) -> None:
        """Start or stop playing."""
        if self._browser is not None:
            self.setPlaybackEnabled(not self._browser.GetPlaybackActive())

    def onRecordSnapshot(self) -> None:
        """Append the current state of the nodes as an item."""
        if self._browser is not None:
            self._browser.SaveProxyNodesState()

    def setPlaybackEnabled(self, play: bool) -> None:
        """Start or stop playing; recording stops."""
        if self._browser is not None:
            self._browser.SetRecordingActive(False)
            self._browser.SetPlaybackActive(bool(play))

    def setRecordingEnabled(self, record: bool) -> None:
        """Start or stop recording; playing stops."""
        if self._browser is not None:
            self._browser.SetPlaybackActive(False)
            self._browser.SetRecordingActive(bool(record))

    def setPlaybackLoopEnabled(self, loopEnabled: bool) -> None:
        """Continue with the first item after the last one, or stop there."""
        if self._browser is not None:
            self._browser.SetPlaybackLooped(bool(loopEnabled))

    def setPlaybackRateFps(self, playbackRateFps: float) -> None:
        """Set the number of items per second."""
        if self._browser is not None:
            self._browser.SetPlaybackRateFps(float(playbackRateFps))

    # -- properties

    def RecordingControlsVisible(self) -> bool:
        """Return whether the buttons for recording are shown if a sequence can be recorded."""
        return self._recording_visible

    def setRecordingControlsVisible(self, show: bool) -> None:
        """Show the buttons for recording if a sequence can be recorded."""
        self._recording_visible = bool(show)
        self._update()

    def _set_shortcut(self, name: str, keys: str) -> None:
        former = self._keys.pop(name, None)
        if former is not None:
            former.setParent(None)
        self._keys[name] = QShortcut(QKeySequence(keys), self)
        function = {"PlayPause": self.onVcrPlayPause, "PreviousFrame": self.onVcrPrevious, "NextFrame": self.onVcrNext}[name]
        self._keys[name].activated.connect(function)
        button = self._buttons[{"PlayPause": "VcrPlayPause", "PreviousFrame": "VcrPrevious", "NextFrame": "VcrNext"}[name]]
        button.setToolTip(f"{button.toolTip().partition(' (')[0]} ({keys})")

    def PlayPauseShortcut(self) -> str:
        """Return the shortcut that starts and stops playing."""
        return self._keys["PlayPause"].key().toString()

    def setPlayPauseShortcut(self, keySequence: str) -> None:
        """Set the shortcut that starts and stops playing."""
        self._set_shortcut("PlayPause", keySequence)

    def PreviousFrameShortcut(self) -> str:
        """Return the shortcut for the previous item."""
        return self._keys["PreviousFrame"].key().toString()

    def setPreviousFrameShortcut(self, keySequence: str) -> None:
        """Set the shortcut for the previous item."""
        self._set_shortcut("PreviousFrame", keySequence)

    def NextFrameShortcut(self) -> str:
        """Return the shortcut for the next item."""
        return self._keys["NextFrame"].key().toString()

    def setNextFrameShortcut(self, keySequence: str) -> None:
        """Set the shortcut for the next item."""
        self._set_shortcut("NextFrame", keySequence)


def _icon(name: str) -> QIcon:
    pixmap = QPixmap(32, 32)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(200, 50, 50) if name in ("VcrRecord", "Snapshot") else QColor(70, 70, 70))
    if name in ("VcrRecord", "Snapshot"):
        painter.drawEllipse(QPointF(16, 16), 10, 10)
        if name == "Snapshot":
            painter.setBrush(Qt.GlobalColor.white)
            painter.drawEllipse(QPointF(16, 16), 5, 5)
    elif name == "VcrLoop":
        painter.setPen(QColor(70, 70, 70))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        pen = painter.pen()
        pen.setWidth(4)
        painter.setPen(pen)
        painter.drawArc(6, 6, 20, 20, 60 * 16, 300 * 16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(70, 70, 70))
        painter.drawPolygon([QPointF(18, 1), QPointF(28, 7), QPointF(18, 13)])
    elif name == "Pause":
        painter.drawRect(8, 6, 6, 20)
        painter.drawRect(18, 6, 6, 20)
    else:
        if name in ("VcrFirst", "VcrPrevious"):
            painter.translate(32, 0)
            painter.scale(-1, 1)
        painter.drawPolygon([QPointF(9, 5), QPointF(25, 16), QPointF(9, 27)])
        if name != "VcrPlayPause":
            painter.drawRect(4 if name in ("VcrNext", "VcrPrevious") else 25, 5, 4, 22)
    painter.end()
    return QIcon(pixmap)
