"""The images of a registration: they are chosen and exchanged, and what each of them is can be corrected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_engine.content.description import BODY_PARTS, MODALITIES
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.wording import capitalized

_SIDES = ("fixed", "moving")
# Titles that are shorter here.
_SHORT = {"organ": _("Crop"), "unknown": _("Unknown")}
# What a volume is: part of the name of its combo box and of its field, field of the content, and the choices.
_PARTS: tuple[tuple[str, str, Mapping[str, str]], ...] = (("Modality", "modality", MODALITIES), ("BodyPart", "body_part", BODY_PARTS))


class ImagesSection:
    """The widgets below Images.

    Args:
        panel: of the module.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self._ui.swapButton.connect("clicked(bool)", self.swap)
        for side in _SIDES:
            for part, _name, _choices in _PARTS:
                box = self._box(side, part)
                box.connect("activated(int)", lambda index, side=side, part=part: self._onCorrected(side, part, index))

    def _box(self, side: str, part: str) -> Any:
        return getattr(self._ui, f"{side}{part}ComboBox")

    def _onCorrected(self, side: str, part: str, index: int) -> None:
        if self._panel.node is not None and not self._panel.updating:
            setattr(self._panel.node, f"{side}{part}", str(self._box(side, part).itemData(index) or ""))

    def choose(self) -> None:
        """Choose the volumes of the scene if none is chosen and there are just two."""
        node = self._panel.node
        if node is None or node.fixedVolume is not None or node.movingVolume is not None:
            return
        volumes = [volume for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if isPlainVolume(volume)]
        if len(volumes) == 2:
            node.fixedVolume, node.movingVolume = volumes

    def swap(self, *_arguments: Any) -> None:
        """Exchange the fixed and the moving volume, with all that is known of them."""
        node = self._panel.node
        if node is None:
            return
        state = node.parameterNode.StartModify()
        try:
            node.fixedVolume, node.movingVolume = node.movingVolume, node.fixedVolume
            node.fixedModality, node.movingModality = node.movingModality, node.fixedModality
            node.fixedBodyPart, node.movingBodyPart = node.movingBodyPart, node.fixedBodyPart
        finally:
            node.parameterNode.EndModify(state)

    def update(self) -> None:
        """Update the widgets."""
        node = self._panel.node
        self._ui.swapButton.setEnabled(node.fixedVolume is not None or node.movingVolume is not None)
        for side in _SIDES:
            self._showContent(side, getattr(node, f"{side}Volume"))

    def _showContent(self, side: str, volume: Any) -> None:
        """Show what a volume is: first in each box is what is seen."""
        content = self._panel.contents.seen(volume)
        getattr(self._ui, f"{side}SizeLabel").text = sizeText(volume)
        for part, name, choices in _PARTS:
            box, found = self._box(side, part), getattr(content, name) if content is not None else ""
            box.setEnabled(content is not None)
            titles = {value: _SHORT.get(value) or capitalized(engineText(title)) for value, title in choices.items()}
            others = [(title, value) for value, title in titles.items() if value not in (found, "unknown")]
            rows = [(titles[found], ""), *others] if content is not None else []
            if rows != [(box.itemText(number), str(box.itemData(number) or "")) for number in range(box.count)]:
                box.clear()
                for title, value in rows:
                    box.addItem(title, value)
            index = max(0, box.findData(getattr(self._panel.node, f"{side}{part}")))
            if box.currentIndex != index and content is not None:
                box.setCurrentIndex(index)
            if content is not None:
                detected = _("Detected: {what}. Choose another if this is wrong.").format(what=rows[0][0])
                box.toolTip = "\n".join((detected, *_reasons(content)))


def _reasons(content: Any) -> list[str]:
    """Return why a volume is taken for what it is, one line each."""
    return [capitalized(engineText(reason)) for reason in content.reasons]


def isPlainVolume(node: Any) -> bool:
    """Return whether a volume is one that a user has loaded."""
    if node.GetClassName() != "vtkMRMLScalarVolumeNode" or node.GetImageData() is None:
        return False
    return not node.GetHideFromEditors() and not node.GetAttribute(f"{PREFIX}Output")


def sizeText(volume: Any) -> str:
    """Return the field of view of a volume, "" without one."""
    image = volume.GetImageData() if volume is not None else None
    if image is None:
        return ""
    lengths = [round(number * step) for number, step in zip(image.GetDimensions(), volume.GetSpacing(), strict=True)]
    return "{}\u00d7{}\u00d7{} mm".format(*lengths)
