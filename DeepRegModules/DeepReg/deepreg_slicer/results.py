"""The results of registrations in a scene: their names, and the nodes that belong to each. All is kept in attributes of the nodes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.parents import isResult
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.request import inScene

#: Attributes: number of a run, the same of all its nodes; name of a result, of its transform.
RUN, TITLE = f"{PREFIX}Run", f"{PREFIX}Title"
# Kinds of nodes that a result can have.
_KINDS = tuple(f"vtkMRML{kind}Node" for kind in ("Transform", "Volume", "Segmentation", "Markups", "Model", "Table"))


def results() -> list[Any]:
    """Return the transforms of all results in the scene, in its order."""
    return [node for node in slicer.util.getNodesByClass("vtkMRMLTransformNode") if isResult(node) and not node.GetHideFromEditors()]


def titleOf(transform: Any) -> str:
    """Return the name of a result."""
    return transform.GetAttribute(TITLE) or transform.GetName()


def newTitle(preset: str, others: Iterable[str] | None = None) -> str:
    """Return the name of a new result: its preset and the time, and a number if there is one of that name.

    Args:
        preset: its title.
        others: names that are taken; those of all results by default.
    """
    taken = set(others if others is not None else (titleOf(node) for node in results()))
    title = f"{preset} {time.strftime('%H:%M')}"
    return _unique(title, taken)


def _unique(title: str, taken: set[str]) -> str:
    if title not in taken:
        return title
    return next(name for number in range(2, len(taken) + 3) if (name := f"{title} ({number})") not in taken)


def nodesOf(transform: Any) -> list[Any]:
    """Return all nodes of a result: its transform first, then the other outputs of its run and the nodes that were brought along."""
    run, created = transform.GetAttribute(RUN), transform.GetAttribute(f"{PREFIX}Created")
    found = [transform]
    for kind in _KINDS:
        for node in slicer.util.getNodesByClass(kind):
            same = node.GetAttribute(RUN) == run if run else created and node.GetAttribute(f"{PREFIX}Created") == created
            if same and not any(node is each for each in found):
                found.append(node)
    return found


def nodeOf(transform: Any, output: str) -> Any:
    """Return the node of an output of a result, None without one: "volume", "inverse", ...; the latest if there are several."""
    return next((node for node in reversed(nodesOf(transform)) if node.GetAttribute(f"{PREFIX}Output") == output), None)


def brought(transform: Any) -> list[Any]:
    """Return the nodes that came along with a result."""
    return [node for node in nodesOf(transform) if node.GetAttribute(f"{PREFIX}Output") == "brought"]


def endsOf(transform: Any) -> tuple[Any, Any]:
    """Return the fixed and the moving node from which a result was made; None for those that are not in the scene."""
    nodes = [transform.GetNodeReference(role) for role in ("deepRegFixed", "deepRegMoving")]
    return tuple(node if inScene(node) else None for node in nodes)


def rename(transform: Any, title: str) -> str:
    """Give a result a name, and replace the former one in the names of its nodes; returns the name, which no other result has.

    Raises:
        ValueError: if it is empty.
    """
    title = " ".join(title.split())
    if not title:
        raise ValueError(_("a result needs a name"))
    former = titleOf(transform)
    if title == former:
        return title
    title = _unique(title, {titleOf(node) for node in results() if node is not transform})
    for node in nodesOf(transform):
        if f"({former})" in node.GetName():
            node.SetName(node.GetName().replace(f"({former})", f"({title})"))
    transform.SetAttribute(TITLE, title)
    return title


def mark(transform: Any, nodes: Iterable[Any]) -> None:
    """Record that nodes belong to a result."""
    if not transform.GetAttribute(RUN):  # a result of another module
        run = uuid.uuid4().hex
        for node in nodesOf(transform):
            node.SetAttribute(RUN, run)
    for node in nodes:
        if node is not None:
            node.SetAttribute(RUN, transform.GetAttribute(RUN))
