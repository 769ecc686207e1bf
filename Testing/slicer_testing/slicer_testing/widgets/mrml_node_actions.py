"""The entries of a node selector for actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtGui import QAction


class NodeActions:
    """The actions of a selector, and their entries.

    Attributes:
        enabled: whether an action is offered, by its name.
        own: actions that a module has added.
    """

    def __init__(self) -> None:
        self.enabled = {"CREATE": True, "DELETE": True, "EDIT": False, "RENAME": False}
        self.own: list[QAction] = []

    def entries(self, types: Sequence[str], label_of: Callable[[str], str]) -> list[tuple[str, str]]:
        """Return the text and the action of each entry, after a separator; an empty list without actions.

        Args:
            types: classes that the selector offers.
            label_of: function that returns the label of a class; "" stands for nodes of several classes.
        """
        if not any(self.enabled.values()) and not self.own:
            return []
        label = label_of(types[0] if len(types) == 1 else "")
        entries = [("", "SEPARATOR")]
        if self.enabled["RENAME"]:
            entries.append((f"Rename current {label}", "RENAME/"))
        if self.enabled["EDIT"]:
            entries.append((f"Edit current {label}", "EDIT/"))
        if self.enabled["CREATE"]:
            for node_type in types:
                entries.append((f"Create new {label_of(node_type)}", f"CREATE/{node_type}"))
                if self.enabled["RENAME"]:
                    entries.append((f"Create new {label_of(node_type)} as...", f"CREATE_AS/{node_type}"))
        if self.enabled["DELETE"]:
            entries.append((f"Delete current {label}", "DELETE/"))
        return entries + [(action.text(), _data(action)) for action in self.own]

    def add(self, action: QAction) -> bool:
        """Add an action of a module, unless its text exists already or is that of an enabled action.

        Returns:
            Whether it was added.
        """
        if any(on and _data(action).startswith(name) for name, on in self.enabled.items()):
            return False
        if any(known.text() == action.text() for known in self.own):
            return False
        self.own.append(action)
        return True

    def own_for(self, data: str) -> QAction | None:
        """Return the module's action of an entry."""
        return next((action for action in self.own if _data(action) == data), None)


def _data(action: QAction) -> str:
    return str(action.data()) if action.data() is not None else action.text()
