"""The presets in a method's panel: apply, save and remove presets, and show the parameters that differ from the preset."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_engine.methods.common.parameters import words
from deepreg_slicer.engine_texts import engineText, sentence
from deepreg_slicer.parameter_pack import setValues
from deepreg_slicer.presets import AUTOMATIC, PresetLibrary


class PresetSection:
    """The presets of a panel.

    Args:
        panel: the method's panel.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self.library = PresetLibrary(panel.method, panel.engine.presets, panel.engine.parameters)
        self.fill()
        menu = qt.QMenu(self._ui.presetMenuButton)
        self.saveAction = menu.addAction(_("Save as preset..."))
        self.removeAction = menu.addAction(_("Remove preset"))
        self._ui.presetMenuButton.setMenu(menu)
        self._ui.presetComboBox.connect("activated(int)", self._onChosen)
        self.saveAction.connect("triggered()", self.save)
        self.removeAction.connect("triggered()", self.remove)

    def fill(self) -> None:
        """Offer the presets that exist now."""
        box = self._ui.presetComboBox
        blocked = box.blockSignals(True)
        box.clear()
        for preset in self.library.all():
            box.addItem(preset.title if preset.own else engineText(preset.title), preset.name)
            box.setItemData(box.count - 1, engineText(preset.help), qt.Qt.ToolTipRole)
        box.blockSignals(blocked)

    def apply(self, preset: Any) -> None:
        """Take the parameters of a preset. What the user has set of the inputs is kept, unless the preset is applied again."""
        if preset is None:
            return
        panel = self._panel
        node, mrml, present = panel.node, panel.node.parameterNode, panel.values()
        former = self.library.find(node.preset)
        kept = {}
        if former is not None and former.name != preset.name:
            kept = {name: present[name] for name in panel.inputParameters if present[name] != former.values.get(name)}
        state = mrml.StartModify()
        try:
            setValues(node.parameters, panel.engine.parameters, {**preset.values, **kept})
            node.preset = preset.name
        finally:
            mrml.EndModify(state)

    def values(self) -> dict[str, Any]:
        """Return the parameters for a request: all of them, or those that differ from the automatic preset, which the engine replaces."""
        values = self._panel.values()
        if self._panel.node.preset != AUTOMATIC.name:
            return values
        usual = self.library.find(AUTOMATIC.name).values
        return {name: value for name, value in values.items() if value != usual[name]}

    def _onChosen(self, index: int) -> None:
        if self._panel.node is not None and index >= 0:
            self.apply(self.library.find(self._ui.presetComboBox.itemData(index)))

    def save(self, title: str | bool = "") -> None:
        """Keep the present parameters as a preset of the user's own; without a title the user is asked for one."""
        panel = self._panel
        if not isinstance(title, str) or not title:
            answer = qt.QInputDialog.getText(None, _("Save preset"), _("Name of the preset:"))
            title = answer if isinstance(answer, str) else (answer[0] if answer and answer[-1] else "")
        if not title:
            return
        try:
            preset = self.library.save(title, panel.values())
        except ValueError as error:
            slicer.util.errorDisplay(str(error), windowTitle=panel.title)
            return
        self.fill()
        panel.node.preset = preset.name
        panel.update()

    def remove(self, *_arguments: Any) -> None:
        """Remove the user's own preset that is chosen; the parameters stay."""
        panel = self._panel
        preset = self.library.find(panel.node.preset)
        if preset is not None and preset.own:
            self.library.remove(preset.name)
            self.fill()
            panel.node.preset = AUTOMATIC.name
            panel.update()

    def show(self) -> None:
        """Show the preset of the parameter set, its help, and the parameters that differ from it."""
        panel = self._panel
        preset = self.library.find(panel.node.preset)
        box, label = self._ui.presetComboBox, self._ui.presetHelpLabel
        index = box.findData(preset.name) if preset is not None else -1
        if box.currentIndex != index:
            box.setCurrentIndex(index)
        self.removeAction.setEnabled(preset is not None and preset.own)
        if preset is None:
            label.text = _("The preset {name} is not on this computer; its parameters are kept.").format(name=panel.node.preset)
            return
        values = panel.values()
        changed = [name for name, value in values.items() if preset.values.get(name) != value and name not in panel.inputParameters]
        more = _("Changed under Advanced: {names}.").format(names=", ".join(engineText(words(name)) for name in changed)) if changed else ""
        label.text = " ".join(text for text in (sentence(preset.help), more) if text)
