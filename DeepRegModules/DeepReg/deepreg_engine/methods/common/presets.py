"""Presets: named parameters for common tasks. No torch."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.common.parameters import Parameters


@dataclass(frozen=True)
class Preset:
    """A named set of parameters.

    Args:
        name: on the command line and in files.
        title: in a panel.
        help: its purpose in one sentence.
        parameters: the values.
    """

    name: str
    title: str
    help: str
    parameters: Parameters


#: Stands for the preset that is chosen by what the images show.
AUTOMATIC_PRESET = Preset("auto", "Automatic", "the preset that suits what both images show", Parameters())


def find_preset(presets: Sequence[Preset], name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        ParameterError: if there is none; the advice names the most similar.
    """
    names = [preset.name for preset in presets]
    if name in names:
        return presets[names.index(name)]
    near = difflib.get_close_matches(name, names, n=1)
    raise ParameterError(f"there is no preset {name!r}", f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}", "preset")
