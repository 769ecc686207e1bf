"""Registration from scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deepreg_slicer import results
from deepreg_slicer.bring_along import Brought
from deepreg_slicer.content import contentOf
from DeepRegRegisterLib.bring_section import makeTask
from DeepRegRegisterLib.plan import planOf
from DeepRegRegisterLib.run import RegisterResult, makeRequest, makeRun


def register(fixed: Any, moving: Any, task: str, quality: float, bring: Iterable[Any], device: str, **more: Any) -> RegisterResult:
    """Register, bring nodes along, and wait; see ``DeepRegRegisterLogic.register``."""
    nodes = {"fixed": fixed, "moving": moving, "fixedMask": more.pop("region", None), "fixedMaskSegment": more.pop("regionSegment", "")}
    contents = (contentOf(fixed), contentOf(moving)) if fixed is not None and moving is not None else (None, None)
    plan = planOf(task, quality, contents, clouds=any(more.get(name) is not None for name in ("fixedPoints", "movingPoints")))
    result = makeRun(makeRequest(plan, {**nodes, **more}, device), plan).compute()
    bring = list(bring)
    if bring:
        brought = applyTo(result.nodes["transform"], bring, fixed)
        result.brought, result.structures, result.notes = brought.nodes, brought.structures, brought.notes
    return result


def applyTo(transform: Any, nodes: Iterable[Any], fixed: Any = None) -> Brought:
    """Apply a result to nodes, and wait; see ``DeepRegRegisterLogic.applyTo``."""
    brought = makeTask(transform, fixed or results.endsOf(transform)[0], list(nodes)).compute()
    results.mark(transform, [*brought.nodes.values(), brought.structures])
    return brought
