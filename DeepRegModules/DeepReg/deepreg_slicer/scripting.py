"""Registration from scripts: the common part of the modules' logics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slicer.i18n import tr as _

from deepreg_engine.errors import EngineError
from deepreg_engine.methods.common.presets import AUTOMATIC_PRESET as AUTOMATIC
from deepreg_engine.methods.common.presets import find_preset
from deepreg_engine.methods.registry import find_method
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.request import Output, Outputs
from deepreg_slicer.slot_nodes import nameOf, outputSlots, wantedField


def parametersOf(method: str, preset: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return all parameters of a method's preset, with some changed; of the preset "auto" only those that are changed.

    Raises:
        RuntimeError: with a text that names the unknown name or the value that is not allowed.
    """
    try:
        if preset == AUTOMATIC.name:
            changed = find_method(method).parameters().replaced(changes).to_dict()
            return {name: changed[name] for name in changes}
        return find_preset(find_method(method).presets, preset).parameters.replaced(changes).to_dict()
    except EngineError as error:
        raise RuntimeError(engineText(error.line())) from error


def outputsNamed(names: Iterable[str], method: str, outputs: type[Outputs] = Outputs) -> Outputs:
    """Return the outputs that are wanted, all of them new nodes.

    Args:
        names: of the requested outputs. Outputs that share a tick box in the panel have its name: "features" for all volumes with features.
        method: name of the method.
        outputs: class of its outputs.

    Raises:
        RuntimeError: if one is not known.
    """
    groups: dict[str, list[str]] = {name: [name] for name in outputs.more}
    for slot in outputSlots(method):
        groups.setdefault(wantedField(slot).removesuffix("Wanted"), []).append(nameOf(slot))
    names = tuple(names)
    unknown = sorted(set(names) - set(groups))
    if unknown:
        text = _("there is no output {name}; there are {names}")
        raise RuntimeError(text.format(name=repr(unknown[0]), names=", ".join(sorted(groups))))
    return outputs(method, **{member: Output(name in names) for name, members in groups.items() for member in members})
