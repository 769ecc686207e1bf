"""ctkDirectoryButton: a button that shows a folder and opens a dialog to change it."""

from __future__ import annotations

from PySide6.QtCore import QDir, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QSizePolicy, QStyle, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_push_button import ctkPushButton
from slicer_testing.widgets.ctk_values import enumeration, integer


@slicer_widget
class ctkDirectoryButton(QWidget):
    """A button with a folder. ``directorySelected`` reports each selection, ``directoryChanged`` only a new folder."""

    ShowDirsOnly, DontResolveSymlinks, DontConfirmOverwrite = 0x01, 0x02, 0x04
    DontUseSheet, DontUseNativeDialog, ReadOnly, HideNameFilterDetails = 0x08, 0x10, 0x20, 0x40

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, *arguments: object) -> None:
        """Make a button.

        Args:
            arguments: an icon and a folder, which are optional, and the parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self._directory = QDir(next((one for one in arguments if isinstance(one, str)), "."))
        self._caption = ""
        self._text = ""
        self._options = self.ShowDirsOnly
        self._accept_mode = QFileDialog.AcceptMode.AcceptOpen
        self._button = ctkPushButton(self)
        self._button.setElideMode(Qt.TextElideMode.ElideMiddle)
        policy = QSizePolicy.Policy
        self._button.setSizePolicy(QSizePolicy(policy.Expanding, policy.Fixed, QSizePolicy.ControlType.PushButton))
        self._button.setIcon(
            next((one for one in arguments if isinstance(one, QIcon)), self.style().standardIcon(QStyle.StandardPixmap.SP_DirIcon))
        )
        self._button.clicked.connect(self.browse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self.setSizePolicy(QSizePolicy(policy.Expanding, policy.Fixed, QSizePolicy.ControlType.ButtonBox))
        self._show_text()

    def directory(self) -> str:
        return self._directory.path()

    def setDirectory(self, directory: str) -> None:
        """Set the folder; it need not exist."""
        new = QDir(str(directory))
        changed = new != self._directory
        if changed:
            self._directory = new  # as given; the displayed and emitted path is absolute
            self._show_text()
        self.directorySelected.emit(new.absolutePath())
        if changed:
            self.directoryChanged.emit(self._directory.absolutePath())

    def browse(self) -> str:
        """Ask the user for a folder and return it, "" if the user cancels."""
        from slicer_testing.pythonqt.dialogs import ask_file

        directory = ask_file("folder", self._caption or self.toolTip(), self._directory.path(), parent=self)
        if directory:
            self.setDirectory(directory)
        return directory

    def _show_text(self) -> None:
        self._button.setText(self._text or self._directory.absolutePath())

    def caption(self) -> str:
        return self._caption

    def setCaption(self, caption: str) -> None:
        """Set the title of the dialog."""
        self._caption = caption

    def text(self) -> str:
        return self._text

    def setText(self, text: str) -> None:
        """Set a text to show instead of the folder."""
        self._text = text
        self._show_text()

    def icon(self) -> QIcon:
        return self._button.icon()

    def setIcon(self, icon: QIcon) -> None:
        self._button.setIcon(icon)

    def options(self) -> int:
        return self._options

    def setOptions(self, options: int) -> None:
        self._options = integer(options)

    def acceptMode(self) -> QFileDialog.AcceptMode:
        return self._accept_mode

    def setAcceptMode(self, mode: QFileDialog.AcceptMode) -> None:
        self._accept_mode = enumeration(QFileDialog.AcceptMode, mode)

    def elideMode(self) -> Qt.TextElideMode:
        return self._button.elideMode()

    def setElideMode(self, mode: Qt.TextElideMode) -> None:
        self._button.setElideMode(mode)
