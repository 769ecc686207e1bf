"""argparse, with one line for a mistake and the nearest right name in it."""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import textwrap
from collections.abc import Iterable
from typing import NoReturn

from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.parameters import Parameters
from deepreg_engine.methods.presets import Preset


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help pages as wide as the terminal, up to a width that is still easy to read."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=page_width())


def page_width() -> int:
    """Columns of a help page."""
    return min(shutil.get_terminal_size((100, 24)).columns, 110)


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are :class:`ParameterError`, to be shown like every other."""

    def __init__(self, **settings: object) -> None:
        super().__init__(formatter_class=Formatter, allow_abbrev=False, **settings)

    def parse_args(self, arguments: list[str] | None = None, namespace: argparse.Namespace | None = None) -> argparse.Namespace:
        options, unknown = self.parse_known_args(arguments, namespace)
        if unknown:
            deepest = getattr(options, "parser", self)
            deepest.error(f"unknown {unknown[0]!r}" + deepest.hint(unknown[0]))
        return options

    def hint(self, option: str) -> str:
        """The nearest option, as the end of a sentence."""
        known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        near = difflib.get_close_matches(option.split("=")[0], known, n=1, cutoff=0.5)
        return f": did you mean {near[0]}?" if near else ""

    def error(self, message: str) -> NoReturn:
        choice = re.match(r"argument (\S+): invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if choice:
            name, given, known = choice[1], choice[2], [word.strip(" '") for word in choice[3].split(",")]
            near = difflib.get_close_matches(given, known, n=1, cutoff=0.4)
            what = f"there is no {name.strip('<>')} {given!r}"
            raise ParameterError(what, f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}")
        raise ParameterError(message.replace("the following arguments are required:", "still needed:"), f"see {self.prog} --help")


def paragraph(text: str, indent: str = "") -> str:
    """Text of a help page, filled to its width."""
    return textwrap.fill(" ".join(text.split()), page_width() - 2, initial_indent=indent, subsequent_indent=indent)


def parameter_table(kind: type[Parameters]) -> str:
    """All parameters that --set takes, for a help page."""
    lines, group = [], None
    for entry in kind.describe():
        if entry.group != group:
            group = entry.group
            lines.append(f"  {group}")
        allowed = f" [{entry.range_text()}]" if entry.range_text() else ""
        default = f"{entry.default:g}" if isinstance(entry.default, float) else entry.default
        lines.append(paragraph(f"{entry.name} = {default}{allowed}", "    "))
        lines.append(paragraph(entry.help, "        "))
    return "\n".join(lines)


def preset_table(presets: Iterable[Preset]) -> str:
    """The presets, for a help page."""
    return "\n".join(f"  {preset.name:<12} {preset.help}" for preset in presets)
