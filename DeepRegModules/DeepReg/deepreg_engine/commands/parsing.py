"""argparse, with one line for a mistake and the nearest right name in it."""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import NoReturn

from deepreg_engine.errors import EngineError, ParameterError
from deepreg_engine.methods.parameters import Parameters
from deepreg_engine.methods.presets import Preset


class UsageError(ParameterError):
    """A command line that cannot be understood.

    Args:
        program: the command, as far as it was understood.
        message, advice: see :class:`EngineError`.
    """

    def __init__(self, program: str, message: str, advice: str) -> None:
        super().__init__(message, advice)
        self.program = program


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help pages as wide as the terminal, up to a width that is still easy to read."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=page_width())


def page_width() -> int:
    """Columns of a help page."""
    return min(shutil.get_terminal_size((100, 24)).columns, 110)


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are :class:`UsageError`, to be shown like every other."""

    _given: tuple[str, ...] = ()

    def __init__(self, **settings: object) -> None:
        super().__init__(formatter_class=Formatter, allow_abbrev=False, **settings)

    def parse_args(self, arguments: list[str] | None = None, namespace: argparse.Namespace | None = None) -> argparse.Namespace:
        options, unknown = self.parse_known_args(arguments, namespace)
        deepest = getattr(options, "parser", self)
        if unknown:
            deepest._refuse(unknown[0])
        for name, value in vars(options).items():
            # "--report $REPORT" with a variable that is not set: taken for no report, it would come out only after the run.
            if value == "" or (isinstance(value, list) and "" in value):
                raise UsageError(deepest.prog, f"the value of {deepest._shown(name)} is empty", "give one, or leave the option out")
        return options

    def parse_known_args(
        self, args: list[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        self._given = tuple(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        choice = re.match(r"argument (\S+): invalid choice: (.*?) \(choose from (.*)\)", message)
        if choice:
            given, known = choice[2].split(", maybe")[0].strip("'"), [word.strip(" '") for word in choice[3].split(",")]
            raise UsageError(self.prog, f"there is no {choice[1].strip('<>')} {given!r}", _nearest(given, known))
        if "required" in message:  # what is missing may be there, misspelt
            misspelt = self._misspelt()
            if misspelt:
                self._refuse(misspelt)
        message = message.replace("the following arguments are required:", "still needed:")
        message = re.sub(r"one of the arguments (.*) is required", r"still needed: one of \1", message)
        raise UsageError(self.prog, message.removeprefix("argument "), f"see {self.prog} --help")

    def typed(self, error: EngineError) -> str:
        """The options that an error names, as the user types them; "" if it names none of this command.

        The changes that would help go before the option concerned. A name that is no option of this command is a parameter of ``--set``.
        """
        if error.changes:
            return " ".join(self._as_option(name, _setting(value)) for name, value in error.changes.items()).strip()
        return self._as_option(error.option) if error.option else ""

    def _as_option(self, name: str, value: str = "") -> str:
        actions = {action.dest: action for action in self._actions}
        if name in actions:
            return " ".join((*actions[name].option_strings[-1:], value)).strip()
        return f"--set {name}={value or 'VALUE'}" if "set" in actions else ""

    def _misspelt(self) -> str:
        """The first argument that looks like an option of this command and is none; "" if there is none."""
        commands = any(isinstance(action, argparse._SubParsersAction) for action in self._actions)
        for argument in self._given:
            option = argument.split("=")[0]
            if argument == "--" or (commands and not argument.startswith("-")):
                break
            if argument.startswith("--") and " " not in option and option not in self._option_string_actions:
                return argument
        return ""

    def _refuse(self, argument: str) -> NoReturn:
        known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        near = difflib.get_close_matches(argument.split("=")[0], known, n=1, cutoff=0.5) if argument.startswith("-") else []
        raise UsageError(self.prog, f"unknown {argument!r}", f"did you mean {near[0]}?" if near else f"see {self.prog} --help")

    def _shown(self, name: str) -> str:
        """An argument as the user types it."""
        action = next((action for action in self._actions if action.dest == name), None)
        return name if action is None else (action.option_strings or [action.metavar or name])[-1]


def _setting(value: object) -> str:
    """A parameter's value as ``--set`` reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _nearest(given: str, known: list[str]) -> str:
    """Advice for a name that is none of those known: the nearest, and all where they are few."""
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.4)
    if not near:
        return f"there are {', '.join(known)}"
    return f"did you mean {near[0]}?" + (f" (there are {', '.join(known)})" if 1 < len(known) < 5 else "")


def seed(text: str) -> int:
    """The value of --seed.

    Raises:
        ArgumentTypeError: if it is not a whole number of 0 or more.
    """
    if not (text.isascii() and text.strip().isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def count(what: str, most: int = 100_000) -> Callable[[str], int]:
    """The type of an option that takes a number of something, 1 or more."""

    def convert(text: str) -> int:
        if not (text.isascii() and text.strip().isdigit() and 1 <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {what}, 1 to {most}")
        return int(text)

    return convert


def paragraph(text: str, indent: str = "") -> str:
    """Text of a help page, filled to its width."""
    return textwrap.fill(" ".join(text.split()), page_width() - 2, initial_indent=indent, subsequent_indent=indent)


def examples(*commands: str) -> str:
    """Command lines for a help page, broken between options as a shell takes them."""
    lines = ["examples:"]
    for command in commands:
        words = re.split(r" (?=--)", f"  deepreg-engine {command}")
        line = words[0]
        for word in words[1:]:
            if len(line) + len(word) + 3 > page_width() - 2:
                lines.append(line + " \\")
                line = " " * 6 + word
            else:
                line += " " + word
        lines.append(line)
    return "\n".join(lines)


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
    lines = [f"  {preset.name:<12} {preset.help}" for preset in presets]
    return "\n".join(textwrap.fill(line, page_width() - 2, subsequent_indent=" " * 15) for line in lines)
