"""Command-line modules that an extension brings along: a script or program beside an XML file that describes it.

They have their panel's frame, so that scripted modules can show its progress bar. They cannot run: the MRML libraries from the wheel
keep a command-line module's parameters only for descriptions that C++ hands to them.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import slicer

from slicer_testing.registry import stands_for, widget


@stands_for("qSlicerCLIModule")
class CommandLineModule:
    """A module as its XML file describes it.

    Args:
        path: of the XML file.
        root: its root element.
    """

    def __init__(self, path: Path, root: ElementTree.Element) -> None:
        def text(tag: str) -> str:
            return (root.findtext(tag) or "").strip()

        self.name = path.stem
        self.path = str(path)
        self.title = text("title") or path.stem
        self.categories = [text("category")]
        self.contributors = [text("contributor")]
        self.helpText = text("description")
        self.acknowledgementText = text("acknowledgements")
        self._widget: Any = None

    def logic(self) -> Any:
        raise NotImplementedError(f"running the command-line module {self.name} is not implemented by slicer_testing")

    cliModuleLogic = logic

    def widgetRepresentation(self) -> Any:
        """The module's panel, made at the first call."""
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self) -> Any:
        """Another panel."""
        made = widget("qSlicerCLIModuleWidget")()
        made.setMRMLScene(slicer.mrmlScene)
        return made


def find(attribute: str, folders: Iterable[Path]) -> CommandLineModule | None:
    """The command-line module that ``slicer.modules`` has under a name in lower case; None if no folder has one.

    Args:
        attribute: name in lower case.
        folders: each with modules, or with folders that hold one each.
    """
    for folder in folders:
        for path in sorted((*folder.glob("*.xml"), *folder.glob("*/*.xml"))):
            if path.stem.lower() == attribute:
                root = ElementTree.parse(path).getroot()
                if root.tag == "executable":
                    return CommandLineModule(path, root)
    return None
