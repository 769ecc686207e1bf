"""The connection of a parameter node with the widgets of a panel, also for a scene that another version has saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, Default

_PROPERTY = "SlicerParameterName"


def connectWidgets(node: Any, ui: Any) -> Any:
    """Connect the widgets whose property ``SlicerParameterName`` names a parameter; returns the tag for ``disconnectGui``.

    A widget for a parameter that the node lacks, because the application has no such nodes, is disabled.

    Args:
        node: the parameter node.
        ui: has the widgets as attributes.
    """
    known: dict[str, Any] = {}
    for widget in vars(ui).values():
        name = widget.property(_PROPERTY)
        if name in node.allParameters:
            known[name] = widget
        elif name:
            widget.setEnabled(False)
    return node.connectParametersToGui(known)


def replaceUnknownChoices(node: Any) -> str:
    """Give parameters whose saved choice this version does not know their defaults; returns a sentence that names them, "" for none."""
    replaced = []
    for name, choices, default in _choices(node):
        value = node.getValue(name)
        if value not in choices:
            node.setValue(name, default)
            replaced.append(_("{name} = {value} (now {default})").format(name=name.rpartition(".")[2], value=value, default=default))
    if not replaced:
        return ""
    return _("The scene has choices that this version does not know: {names}.").format(names=", ".join(replaced))


def _choices(node: Any, prefix: str = "") -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    """Yield dotted name, allowed values and default of the parameters with choices, also of those in packs."""
    for name in node.allParameters:
        annotated = node.dataType(name)
        rules = getattr(annotated, "__metadata__", ())
        allowed = next((rule.choices for rule in rules if isinstance(rule, Choice)), None)
        if allowed is not None:
            default = next((rule.value for rule in rules if isinstance(rule, Default)), allowed[0])
            yield f"{prefix}{name}", tuple(allowed), default
        plain = getattr(annotated, "__origin__", annotated)
        if not prefix and hasattr(plain, "allParameters") and hasattr(plain, "dataType"):
            yield from _choices(plain, f"{name}.")
