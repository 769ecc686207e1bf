"""ctkMessageBox: a message that the user can choose not to see again."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QMessageBox

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration, integer

_INVALID = QMessageBox.ButtonRole.InvalidRole
_ACCEPT = QMessageBox.ButtonRole.AcceptRole


@slicer_widget
class ctkMessageBox(QMessageBox):
    """A message box with a check box "don't show again", stored in the settings under ``dontShowAgainSettingsKey``.

    Only buttons of ``dontShowAgainButtonRoles`` are stored; the next time, the stored button is the answer without a dialog.
    """

    def __init__(self, *arguments: object) -> None:
        """Make a message box: with a parent alone, or as a QMessageBox with icon, title, text, buttons and parent."""
        super().__init__(*arguments)
        self._key = ""
        self._roles = [_ACCEPT]
        self._check_box = QCheckBox(self)
        self._check_box.setObjectName("ctk_msgbox_dontshowcheckbox")
        self._check_box.setText("Don't show this message again")
        self._check_box.hide()
        self._shows_check_box = False
        self.finished.connect(self.onFinished)

    def dontShowAgain(self) -> bool:
        return self._check_box.isChecked()

    def setDontShowAgain(self, dont_show: bool) -> None:
        """Check the box, as the user would; it is stored when the message is answered."""
        self._check_box.setChecked(bool(dont_show))

    def isDontShowAgainVisible(self) -> bool:
        return self._shows_check_box

    def setDontShowAgainVisible(self, visible: bool) -> None:
        self._shows_check_box = bool(visible)
        if not visible:
            self._check_box.hide()
            return
        button = self._button(_ACCEPT.value)
        if button is not None and button.text():
            self._check_box.setText(f"Don't show this message again and always {button.text()}")
        self.setCheckBox(self._check_box)
        self._check_box.show()

    def dontShowAgainSettingsKey(self) -> str:
        return self._key

    def setDontShowAgainSettingsKey(self, key: str) -> None:
        """Set the key of the settings that stores the answer, and show the check box."""
        if key == self._key:
            return
        self._key = key
        if key:
            self._check_box.setChecked(self._remembered() != _INVALID.value)
        self.setDontShowAgainVisible(bool(key))

    def dontShowAgainButtonRoles(self) -> list[QMessageBox.ButtonRole]:
        return list(self._roles)

    def setDontShowAgainButtonRoles(self, roles: list[QMessageBox.ButtonRole]) -> None:
        self._roles = [enumeration(QMessageBox.ButtonRole, role) for role in roles]

    def addDontShowAgainButtonRole(self, role: QMessageBox.ButtonRole) -> None:
        """Also store buttons of this role."""
        role = enumeration(QMessageBox.ButtonRole, role)
        if role not in self._roles:
            self._roles.append(role)

    def onFinished(self, result: int) -> None:
        """Store the answer; called when the message is closed."""
        clicked = self.clickedButton()
        if not self._key or clicked is None or self.buttonRole(clicked) not in self._roles:
            return
        QSettings().setValue(self._key, int(result) if self._check_box.isChecked() else _INVALID.value)

    def _remembered(self) -> int:
        value = QSettings().value(self._key, _INVALID.value)
        return int(value) if value is not None else _INVALID.value

    def _button(self, button_or_role: int) -> QAbstractButton | None:
        if not self.buttons() and button_or_role != _INVALID.value:
            self.addButton(QMessageBox.StandardButton.Ok)
        for button in self.buttons():
            if integer(self.standardButton(button)) == button_or_role or integer(self.buttonRole(button)) == button_or_role:
                return button
        return None

    def _automatic_button(self) -> QAbstractButton | None:
        """Return the stored button; None if the message has to be shown."""
        if not self._check_box.isChecked():
            return None
        remembered = self._remembered() if self._key else _INVALID.value
        return self._button(_ACCEPT.value if remembered == _INVALID.value else remembered)

    def exec(self) -> Any:
        """Show the message, wait and return the answer; or return the stored one."""
        button = self._automatic_button()
        if button is None:
            return super().exec()
        button.click()
        return self.standardButton(button)

    def exec_(self) -> Any:
        return self.exec()

    def setVisible(self, visible: bool) -> None:
        super().setVisible(visible)
        button = self._automatic_button() if visible else None
        if button is not None:
            QTimer.singleShot(0, button, button.click)
