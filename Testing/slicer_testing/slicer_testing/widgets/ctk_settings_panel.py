"""ctkSettingsPanel: widgets whose properties are stored in the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import getter, setter, slicer_widget
from slicer_testing.widgets.ctk_values import integer


@dataclass
class _Property:
    """A property of an object that is stored in the settings."""

    target: QObject
    name: str
    label: str
    options: int
    settings: QSettings | None
    default: Any = None
    previous: Any = None

    def value(self) -> Any:
        read = getter(type(self.target), self.name)
        return getattr(self.target, read)() if read else self.target.property(self.name)

    def set_value(self, value: Any) -> None:
        # Settings are read from a file as texts.
        kind = type(self.value())
        if isinstance(value, str) and kind is bool:
            value = value.lower() in ("true", "1")
        elif isinstance(value, str) and kind in (int, float):
            value = kind(float(value))
        elif value is None and kind is list:
            value = []
        write = setter(self.name)
        if hasattr(type(self.target), write):
            getattr(self.target, write)(value)
        else:
            self.target.setProperty(self.name, value)


@slicer_widget
class ctkSettingsPanel(QWidget):
    """A page of settings. ``resetSettings`` restores the values at the last call of ``applySettings``."""

    OptionNone, OptionRequireRestart = 0, 1

    settingChanged = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings: QSettings | None = None
        self._properties: dict[str, _Property] = {}

    def settings(self) -> QSettings | None:
        return self._settings

    def setSettings(self, settings: QSettings | None) -> None:
        """Set the settings that store the properties, and read them."""
        if settings is not self._settings:
            self._settings = settings
            self.reloadSettings()

    def registerProperty(
        self,
        key: str,
        target: QObject,
        name: str,
        signal: str | bytes,
        label: str = "",
        options: int = 0,
        settings: QSettings | None = None,
    ) -> None:
        """Store a property of an object in the settings.

        Args:
            key: key in the settings.
            target: the object.
            name: name of the property.
            signal: signal of its changes, such as ``toggled(bool)``.
            label: name for the user.
            options: ``OptionRequireRestart`` if a change needs a restart.
            settings: settings that store it; those of the panel if None.
        """
        from slicer_testing.pythonqt.connections import connect

        kept = _Property(target, name, label, integer(options), settings)
        kept.default = kept.previous = kept.value()
        self._properties[key] = kept
        stored = self._store(kept)
        if stored is not None and stored.contains(key):
            kept.set_value(stored.value(key))
            kept.previous = kept.value()
        text = signal.decode() if isinstance(signal, bytes) else str(signal)
        connect(target, text.removeprefix("2"), lambda *_values: self._update_setting(key))
        self._update_setting(key)

    def applySettings(self) -> None:
        """Keep the current values for ``resetSettings``."""
        for kept in self._properties.values():
            kept.previous = kept.value()

    def resetSettings(self) -> None:
        """Restore the values of the last ``applySettings``."""
        for key, kept in self._properties.items():
            self._set_setting(key, kept.previous)

    def restoreDefaultSettings(self) -> None:
        """Restore the initial values of the properties."""
        for key, kept in self._properties.items():
            self._set_setting(key, kept.default)

    def reloadSettings(self) -> None:
        """Read all properties from the settings."""
        for key, kept in self._properties.items():
            stored = self._store(kept)
            if stored is None:
                continue
            if stored.contains(key):
                kept.set_value(stored.value(key))
                kept.previous = kept.value()
            else:
                self._update_setting(key)

    def _store(self, kept: _Property) -> QSettings | None:
        return kept.settings if kept.settings is not None else self._settings

    def _update_setting(self, key: str) -> None:
        self._set_setting(key, self._properties[key].value())

    def _set_setting(self, key: str, value: Any) -> None:
        kept = self._properties[key]
        stored = self._store(kept)
        if stored is None:
            return
        old = stored.value(key)
        stored.setValue(key, value)
        if kept.value() != value:
            kept.set_value(value)
        if old != value and str(old).lower() != str(value).lower():
            self.settingChanged.emit(key, value)

    def _changed_settings(self) -> list[str]:
        return [key for key, kept in self._properties.items() if kept.value() != kept.previous]
