"""Conversion of the layout descriptions of the scene's layout node to Qt layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.etree import ElementTree

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSplitter, QTabWidget, QVBoxLayout, QWidget

FindViews = Callable[[ElementTree.Element], Sequence[QWidget]]
"""Finds the widgets of a ``<view>`` element; several for compare views."""


def parse(description: str) -> list[ElementTree.Element]:
    """Return the layouts of a description: one, or one for each viewport.

    Args:
        description: XML of a layout; an empty text has no layout.
    """
    if not description.strip():
        return []
    root = ElementTree.fromstring(description)
    return list(root) if root.tag == "viewports" else [root]


class LayoutBuilder:
    """Arranges views in containers by a layout description.

    Args:
        find_views: finds the widgets of a ``<view>`` element.
        spacing: between views, in pixels.
    """

    def __init__(self, find_views: FindViews, spacing: int) -> None:
        self._find_views = find_views
        self._spacing = spacing

    def build(self, element: ElementTree.Element, parent: QWidget) -> QWidget:
        """Return the container of a ``<layout>`` element, with its content."""
        kind = element.get("type", "")
        if kind == "tab":
            return self._tabs(element, parent)
        if element.get("split", "false") == "true" and kind in ("horizontal", "vertical"):
            return self._splitter(element, parent)
        container = QWidget(parent)
        layout = {"grid": QGridLayout, "vertical": QVBoxLayout}.get(kind, QHBoxLayout)(container)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(self._spacing)
        for item in element.findall("item"):
            for widget in self._widgets(item, container):
                if isinstance(layout, QGridLayout):
                    layout.addWidget(
                        widget,
                        int(item.get("row", 0)),
                        int(item.get("column", 0)),
                        int(item.get("rowspan", 1)),
                        int(item.get("colspan", 1)),
                    )
                else:
                    layout.addWidget(widget, 1)
                widget.show()
        if isinstance(layout, QGridLayout):
            _even_out(layout)
        return container

    def _tabs(self, element: ElementTree.Element, parent: QWidget) -> QWidget:
        tabs = QTabWidget(parent)
        for item in element.findall("item"):
            for widget in self._widgets(item, tabs):
                tabs.addTab(widget, item.get("name") or widget.objectName())
        return tabs

    def _splitter(self, element: ElementTree.Element, parent: QWidget) -> QWidget:
        splitter = QSplitter(Qt.Orientation.Horizontal if element.get("type") == "horizontal" else Qt.Orientation.Vertical, parent)
        splitter.setHandleWidth(max(3, self._spacing))
        sizes = []
        for item in element.findall("item"):
            for widget in self._widgets(item, splitter):
                splitter.addWidget(widget)
                widget.show()
                sizes.append(int(item.get("splitSize", 0)))
        # Without sizes all parts have the same size.
        splitter.setSizes(sizes if any(sizes) else [1000] * len(sizes))
        return splitter

    def _widgets(self, item: ElementTree.Element, parent: QWidget) -> list[QWidget]:
        widgets: list[QWidget] = []
        for child in item:
            if child.tag == "layout":
                widgets.append(self.build(child, parent))
            else:
                # Compare views have one name, that of the item.
                child.set("multiple", child.get("multiple", item.get("multiple", "false")))
                widgets.extend(self._find_views(child))
        return widgets


def _even_out(layout: QGridLayout) -> None:
    for row in range(layout.rowCount()):
        layout.setRowStretch(row, 1)
    for column in range(layout.columnCount()):
        layout.setColumnStretch(column, 1)
