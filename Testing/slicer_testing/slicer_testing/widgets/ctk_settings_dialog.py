"""ctkSettingsDialog: pages of settings."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSettings, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QAbstractButton,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_settings_panel import ctkSettingsPanel

_BUTTON = QDialogButtonBox.StandardButton


@slicer_widget
class ctkSettingsDialog(QDialog):
    """A list of pages at the left and the selected page at the right. Changes are effective at once; Cancel reverts them."""

    settingChanged = Signal(str, object)
    restartRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings: QSettings | None = None
        self._panels: list[tuple[QTreeWidgetItem, ctkSettingsPanel]] = []
        self._tree = QTreeWidget(self)
        self._tree.setObjectName("SettingsTreeWidget")
        self._tree.setHeaderHidden(True)
        self._stack = QStackedWidget(self)
        self._stack.setObjectName("SettingsStackedWidget")
        self._restart_label = QLabel(self)
        self._restart_label.hide()
        self._buttons = QDialogButtonBox(_BUTTON.Ok | _BUTTON.Cancel | _BUTTON.Reset | _BUTTON.RestoreDefaults, parent=self)
        self._buttons.setObjectName("SettingsButtonBox")
        pages = QHBoxLayout()
        pages.addWidget(self._tree)
        pages.addWidget(self._stack, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(pages)
        layout.addWidget(self._restart_label)
        layout.addWidget(self._buttons)
        self._tree.currentItemChanged.connect(self._on_current_item)
        self._tree.expanded.connect(self.adjustTreeWidgetToContents)
        self._tree.collapsed.connect(self.adjustTreeWidgetToContents)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._buttons.clicked.connect(self._on_button)
        self.setResetButton(False)
        self.setSettings(QSettings(self))

    # Pages

    def addPanel(self, *arguments: Any) -> None:
        """Add a page.

        Args:
            arguments: a label and an icon, which are optional, the page, and optionally its parent page.
        """
        panels = [one for one in arguments if isinstance(one, ctkSettingsPanel)]
        panel = panels[0]
        for one in arguments:
            if isinstance(one, str):
                panel.setWindowTitle(one)
            elif isinstance(one, QIcon):
                panel.setWindowIcon(one)
        above = self._item(panels[1]) if len(panels) > 1 else None
        item = QTreeWidgetItem(above if above is not None else self._tree.invisibleRootItem(), [panel.windowTitle()])
        item.setIcon(0, panel.windowIcon())
        self._panels.append((item, panel))
        self._stack.addWidget(panel)
        self.adjustTreeWidgetToContents()
        panel.settingChanged.connect(self._on_setting)
        panel.setSettings(self._settings)

    def currentPanel(self) -> ctkSettingsPanel | None:
        return next((panel for item, panel in self._panels if item is self._tree.currentItem()), None)

    def setCurrentPanel(self, panel: ctkSettingsPanel | str) -> None:
        """Show a page, given as an object or by its label."""
        item = self._item(panel)
        if item is not None:
            self._tree.setCurrentItem(item)

    def _item(self, panel: ctkSettingsPanel | str) -> QTreeWidgetItem | None:
        return next((item for item, one in self._panels if one is panel or one.windowTitle() == panel), None)

    def _on_current_item(self, item: QTreeWidgetItem | None, _previous: QTreeWidgetItem | None) -> None:
        panel = self.currentPanel()
        if panel is not None:
            self._stack.setCurrentWidget(panel)

    def adjustTreeWidgetToContents(self, *_index: object) -> None:
        """Fit the width of the list to its contents."""
        tree = self._tree
        tree.resizeColumnToContents(0)
        room = tree.fontMetrics().horizontalAdvance("*") + tree.indentation() // 2 + 2 * tree.frameWidth()
        tree.setFixedWidth(tree.sizeHintForColumn(0) + room)

    # Settings

    def settings(self) -> QSettings | None:
        return self._settings

    def setSettings(self, settings: QSettings | None) -> None:
        self._buttons.button(_BUTTON.Reset).setEnabled(False)
        self._settings = settings
        for _, panel in self._panels:
            panel.setSettings(settings)

    def applySettings(self) -> None:
        self._for_all("applySettings")

    def resetSettings(self) -> None:
        self._for_all("resetSettings")

    def reloadSettings(self) -> None:
        self._for_all("reloadSettings")

    def restoreDefaultSettings(self) -> None:
        """Clear the settings and reset those of the pages to their initial values."""
        if self._settings is not None:
            self._settings.clear()
        for _, panel in self._panels:
            panel.restoreDefaultSettings()

    def _for_all(self, action: str) -> None:
        for _, panel in self._panels:
            getattr(panel, action)()
        self._buttons.button(_BUTTON.Reset).setEnabled(False)
        self._update_titles()

    def _on_setting(self, key: str, value: Any) -> None:
        self._buttons.button(_BUTTON.Reset).setEnabled(True)
        self._update_titles()
        self.settingChanged.emit(key, value)

    def _update_titles(self) -> None:
        names = []
        for item, panel in self._panels:
            changed = panel._changed_settings()
            item.setText(0, panel.windowTitle() + ("*" if changed else ""))
            kept = [(key, panel._properties[key]) for key in changed]
            names += [one.label or key for key, one in kept if one.options & ctkSettingsPanel.OptionRequireRestart]
        self._restart_label.setText("Restart required for: " + ", ".join(names))
        self._restart_label.setVisible(bool(names))

    def isRestartRequired(self) -> bool:
        return self._restart_label.isVisibleTo(self)

    def resetButton(self) -> bool:
        return self._buttons.button(_BUTTON.Reset).isVisibleTo(self._buttons)

    def setResetButton(self, show: bool) -> None:
        self._buttons.button(_BUTTON.Reset).setVisible(bool(show))

    # Closing

    def accept(self) -> None:
        """Keep the changes and close."""
        restart = False
        if self.isRestartRequired():
            choices = QMessageBox.StandardButton
            text = "For settings to be taken into account, the application\nmust be restarted. Restart the application now ?\n"
            buttons = choices.Yes | choices.No | choices.Cancel
            answer = QMessageBox.question(self, "Restart required", text, buttons, choices.No)
            if answer == choices.Cancel:
                return
            restart = answer == choices.Yes
        self.applySettings()
        super().accept()
        if restart:
            self.restartRequested.emit()

    def reject(self) -> None:
        """Revert the changes and close."""
        self.resetSettings()
        super().accept()  # as in the application

    def _on_button(self, button: QAbstractButton) -> None:
        kind = self._buttons.standardButton(button)
        if kind == _BUTTON.Reset:
            self.resetSettings()
        elif kind == _BUTTON.RestoreDefaults:
            choices = QMessageBox.StandardButton
            text = "Are you sure you want to reset\nall settings to their default values?\n"
            buttons = choices.RestoreDefaults | choices.Cancel
            answer = QMessageBox.warning(self, "Restore all settings", text, buttons, choices.Cancel)
            if answer == choices.RestoreDefaults:
                self.restoreDefaultSettings()
