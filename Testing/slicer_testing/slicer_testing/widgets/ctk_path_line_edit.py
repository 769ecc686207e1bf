"""ctkPathLineEdit: a path that is typed, or selected in a dialog or from the history."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QDir, QFileInfo, QRegularExpression, QSettings, QSignalBlocker, QSize, Signal
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import QComboBox, QCompleter, QFileSystemModel, QHBoxLayout, QLineEdit, QSizePolicy, QToolButton, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_name_filters import extensions, pattern
from slicer_testing.widgets.ctk_values import integer


@slicer_widget
class ctkPathLineEdit(QWidget):
    """An edit for the path of a file or folder.

    A text that the name filters do not allow (without filters: an empty text) is shown, but ``currentPathChanged`` is not emitted.
    The history is stored in the settings under ``settingKey``, or under the object's name.
    """

    Dirs, Files, Drives, NoSymLinks = 0x001, 0x002, 0x004, 0x008
    AllEntries, TypeMask = 0x007, 0x00F
    Readable, Writable, Executable, PermissionMask = 0x010, 0x020, 0x040, 0x070
    Modified, Hidden, System, AccessMask = 0x080, 0x100, 0x200, 0x3F0
    AllDirs, CaseSensitive = 0x400, 0x800
    NoDotAndDotDot, NoDot, NoDotDot = 0x1000, 0x2000, 0x4000
    NoFilter = -1
    ShowDirsOnly, DontResolveSymlinks, DontConfirmOverwrite = 0x01, 0x02, 0x04
    DontUseSheet, DontUseNativeDialog, ReadOnly, HideNameFilterDetails = 0x08, 0x10, 0x20, 0x40
    AdjustToContents, AdjustToContentsOnFirstShow, AdjustToMinimumContentsLength = 0, 1, 2

    validInputChanged = Signal(bool)
    currentPathChanged = Signal(str)

    _last_folder: ClassVar[str] = ""
    _most_in_history: ClassVar[int] = 5

    def __init__(self, *arguments: object) -> None:
        """Make a path edit.

        Args:
            arguments: the parent alone, or the label, name filters, filters and parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self._label = next((one for one in arguments if isinstance(one, str)), "")
        self._name_filters = list(next((one for one in arguments if isinstance(one, (list, tuple))), []))
        default = self.AllEntries | self.NoDotAndDotDot | self.Readable | self.Executable
        self._filters = next((integer(one) for one in arguments if isinstance(one, int) or hasattr(one, "value")), default)
        self._options = 0
        self._setting_key = ""
        self._has_valid_input = False
        self._minimum_length = 0
        self._size_policy = self.AdjustToContentsOnFirstShow
        self._combo_box: QComboBox | None = None
        self._line_edit: QLineEdit | None = None
        self._file_model: QFileSystemModel | None = None
        self._validator = QRegularExpressionValidator(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._make_editor(with_history=True)
        self._browse_button = QToolButton(self)
        self._browse_button.setText("...")
        self._browse_button.setToolTip("Open a dialog")
        self._browse_button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Ignored)
        self._browse_button.clicked.connect(self.browse)
        layout.addWidget(self._browse_button)
        self.setSizePolicy(QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed, QSizePolicy.ControlType.LineEdit))

    def _make_editor(self, with_history: bool) -> None:
        path = self.currentPath()
        old = self._combo_box or self._line_edit
        if with_history:
            editor = self._combo_box = QComboBox(self)
            editor.setEditable(True)
            editor.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
            editor.setCompleter(None)
            self._line_edit = editor.lineEdit()
        else:
            self._combo_box = None
            editor = self._line_edit = QLineEdit(self)
        if old is not None:
            self.layout().removeWidget(old)
            old.setParent(None)
            old.deleteLater()
        self.layout().insertWidget(0, editor)
        self._update_filter()
        self._line_edit.setValidator(self._validator)
        self.retrieveHistory()
        self.setCurrentPath(path)
        self._line_edit.textChanged.connect(self._on_text)
        self._line_edit.textEdited.connect(self._make_completer)
        self.setFocusProxy(editor)
        self.updateGeometry()

    def _make_completer(self) -> None:
        """Make the completer when the user types: the model of the file system is too expensive for each edit."""
        if self._line_edit.completer() is not None:
            return
        model = self._file_model = QFileSystemModel(self)
        model.setOption(QFileSystemModel.Option.DontWatchForChanges)
        model.setOption(QFileSystemModel.Option.DontUseCustomDirectoryIcons)
        self._filter_model()
        model.setRootPath("")
        completer = QCompleter(self)
        completer.setModel(model)
        self._line_edit.setCompleter(completer)

    def _filter_model(self) -> None:
        if self._file_model is None:
            return
        kinds = QDir.Filter
        show = kinds.AllDirs | kinds.Drives | kinds.NoDotAndDotDot
        self._file_model.setFilter(show | kinds.Files if self._filters & self.Files else show)
        self._file_model.setNameFilterDisables(False)
        self._file_model.setNameFilters(extensions(self._name_filters))

    def _update_filter(self) -> None:
        self._validator.setRegularExpression(QRegularExpression(pattern(self._name_filters)))
        self._filter_model()

    # Path

    def currentPath(self) -> str:
        return self._line_edit.text() if self._line_edit is not None else ""

    def setCurrentPath(self, path: str) -> None:
        self._line_edit.setText(str(path) if path is not None else "")

    def _on_text(self, text: str) -> None:
        was_valid = self._has_valid_input
        self._has_valid_input = self._line_edit.hasAcceptableInput()
        if self._has_valid_input:
            info = QFileInfo(text)
            ctkPathLineEdit._last_folder = info.absolutePath() if info.isFile() else info.absoluteFilePath()
            self.currentPathChanged.emit(self.currentPath())
        else:
            ctkPathLineEdit._last_folder = text
        if self._has_valid_input != was_valid:
            self.validInputChanged.emit(self._has_valid_input)
        if self._size_policy == self.AdjustToContents:
            self.updateGeometry()

    def browse(self) -> None:
        """Ask the user for a file to open, a file to save or a folder, depending on ``filters``."""
        from slicer_testing.pythonqt.dialogs import ask_file

        start = self.currentPath() or self._last_folder
        if not self._filters & self.Files:
            path = ask_file("folder", "Select a directory...", start, parent=self)
        elif self._filters & self.Writable:
            path = ask_file("save", "Select a file to save ", start, ";;".join(self._name_filters), parent=self)
        else:
            path = ask_file("open", "Open a file", start, ";;".join(self._name_filters), parent=self)
        if path:
            self.setCurrentPath(path)

    # History

    def comboBox(self) -> QComboBox | None:
        """Return the combo box with the history; None without it."""
        return self._combo_box

    def retrieveHistory(self) -> None:
        """Read the history from the settings; the newest path is set if there is no current one."""
        if self._combo_box is None:
            return
        path = self.currentPath()
        with QSignalBlocker(self):
            self._combo_box.clear()
            self._combo_box.addItems(self._history()[: self._most_in_history])
        if path:
            with QSignalBlocker(self):
                self.setCurrentPath(path)
        else:
            self._combo_box.setCurrentIndex(0)

    def addCurrentPathToHistory(self) -> None:
        """Add the path at the top of the history, here and in the settings."""
        path = self.currentPath()
        if self._combo_box is None or not path:
            return
        QSettings().setValue(self._key(), [path, *(one for one in self._history() if one != path)])
        combo_box = self._combo_box
        with QSignalBlocker(combo_box), QSignalBlocker(self._line_edit):
            index = combo_box.findText(path)
            if index >= 0:
                combo_box.removeItem(index)
            while combo_box.count() >= self._most_in_history:
                combo_box.removeItem(combo_box.count() - 1)
            combo_box.insertItem(0, path)
            combo_box.setCurrentIndex(0)

    def _key(self) -> str:
        return f"ctkPathLineEdit/{self._setting_key or self.objectName()}"

    def _history(self) -> list[str]:
        stored = QSettings().value(self._key())
        if not stored:
            return []
        return [stored] if isinstance(stored, str) else [str(one) for one in stored]

    def settingKey(self) -> str:
        return self._setting_key

    def setSettingKey(self, key: str) -> None:
        """Set the key of the settings with the history, and read the history."""
        self._setting_key = key
        self.retrieveHistory()

    # Properties

    def label(self) -> str:
        return self._label

    def setLabel(self, label: str) -> None:
        self._label = label

    def nameFilters(self) -> list[str]:
        return list(self._name_filters)

    def setNameFilters(self, name_filters: list[str]) -> None:
        """Set the name filters of the files that are listed and allowed."""
        self._name_filters = [name_filters] if isinstance(name_filters, str) else list(name_filters or [])
        self._update_filter()

    def filters(self) -> int:
        return self._filters

    def setFilters(self, filters: int) -> None:
        """Set the kind of path: ``Dirs`` or ``Files``, with ``Writable`` for saving."""
        self._filters = integer(filters)
        self._update_filter()

    def options(self) -> int:
        return self._options

    def setOptions(self, options: int) -> None:
        self._options = integer(options)

    def showBrowseButton(self) -> bool:
        return self._browse_button.isVisibleTo(self)

    def setShowBrowseButton(self, show: bool) -> None:
        self._browse_button.setVisible(bool(show))

    def showHistoryButton(self) -> bool:
        return self._combo_box is not None

    def setShowHistoryButton(self, show: bool) -> None:
        """Show a combo box with the history, or a plain line edit."""
        self._make_editor(bool(show))

    def minimumContentsLength(self) -> int:
        return self._minimum_length

    def setMinimumContentsLength(self, length: int) -> None:
        self._minimum_length = max(0, int(length))
        self.updateGeometry()

    def sizeAdjustPolicy(self) -> int:
        return self._size_policy

    def setSizeAdjustPolicy(self, policy: int) -> None:
        self._size_policy = integer(policy)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        return self._hint(self.currentPath() if self._size_policy != self.AdjustToMinimumContentsLength else "")

    def minimumSizeHint(self) -> QSize:
        return self._hint("")

    def _hint(self, text: str) -> QSize:
        editor = self._combo_box or self._line_edit
        metrics = self._line_edit.fontMetrics()
        letters = max(self._minimum_length, 0 if text else 7)
        width = max(metrics.horizontalAdvance(text) + 8, metrics.horizontalAdvance("x" * letters))
        frame = 32 if self._combo_box is not None else 10
        button = self._browse_button.minimumSizeHint().width() if self.showBrowseButton() else 0
        return QSize(width + frame + button, editor.minimumSizeHint().height())
