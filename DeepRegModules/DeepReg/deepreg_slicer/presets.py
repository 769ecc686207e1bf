"""Presets of a method: those that come with it, and those that the user has saved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import qt
from slicer.i18n import tr as _

from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.common.presets import AUTOMATIC_PRESET as AUTOMATIC


@dataclass(frozen=True)
class PanelPreset:
    """A named set of parameters.

    Args:
        name: as kept in the scene.
        title: as shown.
        help: its purpose.
        values: name to value of all parameters.
        own: whether the user has saved it.
    """

    name: str
    title: str
    help: str
    values: dict[str, Any]
    own: bool = False


class PresetLibrary:
    """All presets of one method; the user's are kept in the application's settings.

    Args:
        method: its name, for the settings.
        shipped: the engine's presets.
        parameters: the engine's class of parameters.
    """

    def __init__(self, method: str, shipped: tuple[Any, ...], parameters: type) -> None:
        self._key = f"DeepReg/Presets/{method}"
        self._parameters = parameters
        automatic = PanelPreset(AUTOMATIC.name, AUTOMATIC.title, AUTOMATIC.help, parameters().to_dict())
        self._shipped = [automatic, *(PanelPreset(p.name, p.title, p.help, p.parameters.to_dict()) for p in shipped)]

    def all(self) -> list[PanelPreset]:
        """Return all presets: the automatic one, those that come with the method, and the user's."""
        return [*self._shipped, *self._own()]

    def find(self, name: str) -> PanelPreset | None:
        """Return the preset of that name."""
        return next((preset for preset in self.all() if preset.name == name), None)

    def save(self, title: str, values: dict[str, Any]) -> PanelPreset:
        """Keep parameters under a title; a preset of the user's with the same title is replaced.

        Raises:
            ValueError: if the title is empty or belongs to a shipped preset.
        """
        title = " ".join(title.split())
        if not title:
            raise ValueError(_("a preset needs a name"))
        if any(title.lower() in (preset.title.lower(), preset.name.lower()) for preset in self._shipped):
            raise ValueError(_("{title} is a preset that comes with the method: choose another name").format(title=title))
        kept = self._read()
        kept[title] = self._parameters(**values).to_dict()
        qt.QSettings().setValue(self._key, json.dumps(kept))
        return self.find(title)

    def remove(self, name: str) -> None:
        """Remove a preset of the user's own."""
        kept = self._read()
        if kept.pop(name, None) is not None:
            qt.QSettings().setValue(self._key, json.dumps(kept))

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            kept = json.loads(qt.QSettings().value(self._key) or "{}")
        except (TypeError, ValueError):
            return {}
        return {str(title): values for title, values in kept.items() if isinstance(values, dict)} if isinstance(kept, dict) else {}

    def _own(self) -> list[PanelPreset]:
        presets = []
        known = {description.name for description in self._parameters.describe()}
        for title, values in sorted(self._read().items()):
            try:  # an older or newer version may have had other parameters
                whole = self._parameters(**{name: value for name, value in values.items() if name in known}).to_dict()
            except ParameterError:
                continue
            presets.append(PanelPreset(title, title, _("saved by you"), whole, own=True))
        return presets
