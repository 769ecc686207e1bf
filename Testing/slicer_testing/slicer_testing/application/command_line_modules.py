"""Command-line modules of an extension: a script or program beside an XML file that describes it.

They have the frame of their panel, so that scripted modules can show its progress bar. They cannot run: the MRML libraries of the wheel
keep a command-line module's parameters only for descriptions that C++ code registers.
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
    """A command-line module, described by its XML file.

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
        """Return the module's panel, made at the first call."""
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self) -> Any:
        """Make another panel and return it."""
        made = widget("qSlicerCLIModuleWidget")()
        made.setMRMLScene(slicer.mrmlScene)
        return made


def find(attribute: str, folders: Iterable[Path]) -> CommandLineModule | None:
    """Return the command-line module for a name of ``slicer.modules``; None if no folder has one.

    Args:
        attribute: name in lower case.
        folders: folders with modules, or with folders that hold one module each.
    """
    for folder in folders:
        for path in sorted((*folder.glob("*.xml"), *folder.glob("*/*.xml"))):
            if path.stem.lower() == attribute:
                root = ElementTree.parse(path).getroot()
                if root.tag == "executable":
                    return CommandLineModule(path, root)
    return None
