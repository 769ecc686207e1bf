"""A parser of command lines that reports each error on one line, with the closest known name, and the texts of its help pages."""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from deepreg_engine.errors import EngineError, ParameterError
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.methods.common.presets import Preset


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
    """Formats help pages as wide as the terminal, up to 110 columns."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=page_width())


def page_width() -> int:
    """Return the number of columns of a help page."""
    return min(shutil.get_terminal_size((100, 24)).columns, 110)


class Parser(argparse.ArgumentParser):
    """A parser that raises :class:`UsageError` for every mistake."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=Formatter, allow_abbrev=False, exit_on_error=False, **settings)
        #: Names of the parameters that ``--set`` changes.
        self.settings: frozenset[str] = frozenset()
        #: Changes the arguments before they are parsed.
        self.prepare: Callable[[tuple[str, ...]], tuple[str, ...]] = tuple
        self._given: tuple[str, ...] = ()
        self._found = argparse.Namespace()

    def parse(self, arguments: list[str] | None = None) -> argparse.Namespace:
        """Return the options of a command line; ``parser`` among them is the parser of the command.

        Raises:
            UsageError: if it cannot be understood, or a value is empty.
        """
        options, unknown = self.parse_known_args(arguments)
        deepest = getattr(options, "parser", self)
        if unknown:
            deepest._refuse(unknown[0])
        for name, value in vars(options).items():
            # "--report $REPORT" with a variable that is not set. As no report at all, it would be noticed only after the run.
            if value == "" or (isinstance(value, list) and "" in value):
                raise UsageError(deepest.prog, f"the value of {deepest._shown(name)} is empty", "give one, or leave the option out")
        return options

    def parse_known_args(
        self, args: Iterable[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        self._given = self.prepare(tuple(sys.argv[1:] if args is None else args))
        self._found = namespace or argparse.Namespace()
        try:
            return super().parse_known_args(self._given, self._found)
        except argparse.ArgumentError as error:
            if error.argument_name:
                raise UsageError(self.prog, f"{error.argument_name}: {error.message}", f"see {self.prog} --help") from error
            self.error(error.message)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError for something that is missing; argparse reports everything else as an ArgumentError."""
        missing = self._missing()
        if missing and (misspelt := self._misspelt()):  # the missing option may be present but misspelt
            self._refuse(misspelt)
        raise UsageError(self.prog, f"still needed: {missing}" if missing else message, f"see {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            message = f"there is no {_title(action).strip('<>')} {str(value)!r}"
            raise UsageError(self.prog, message, _nearest(str(value), [str(choice) for choice in action.choices]))

    def _missing(self) -> str:
        """Return the required options that were not found, or else the group of which one is required; "" if there are none."""

        def found(action: argparse.Action) -> bool:
            return getattr(self._found, action.dest, action.default) is not action.default

        missing = [_title(action) for action in self._actions if action.required and not found(action)]
        if missing:
            return ", ".join(missing)
        for group in self._mutually_exclusive_groups:
            if group.required and not any(found(action) for action in group._group_actions):
                return "one of " + " ".join(_title(action) for action in group._group_actions)
        return ""

    def typed(self, error: EngineError) -> str:
        """Return the options that an error concerns, as the user types them; "" if it concerns none of this command.

        These are the changes with which the command would work, or else the option that is wrong. Names that are neither options nor
        parameters of the command, such as parameters of a registration within a cross-validation, are left out.
        """
        if error.changes:
            return " ".join(filter(None, (self._as_option(name, _setting(value)) for name, value in error.changes.items())))
        return self._as_option(error.option) if error.option else ""

    def _as_option(self, name: str, value: str = "") -> str:
        actions = {action.dest: action for action in self._actions}
        if name in actions:
            return " ".join((*actions[name].option_strings[-1:], value)).strip()
        return f"--set {name}={value or 'VALUE'}" if name in self.settings else ""

    def _misspelt(self) -> str:
        """Return the first argument that has the form of an option but is unknown to this command; "" if there is none."""
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
        """Return an argument as the user types it."""
        return next((_title(action) for action in self._actions if action.dest == name), name)


def _title(action: argparse.Action) -> str:
    """Return an argument as the user types it: its option, or the word that stands for it on the help page."""
    return (action.option_strings or [str(action.metavar or action.dest)])[-1]


def _setting(value: object) -> str:
    """Return a parameter's value as ``--set`` reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _nearest(given: str, known: list[str]) -> str:
    """Return advice for an unknown name: the nearest known one, and all if they are few."""
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.4)
    if not near:
        return f"there are {', '.join(known)}"
    return f"did you mean {near[0]}?" + (f" (there are {', '.join(known)})" if 1 < len(known) < 5 else "")


def seed(text: str) -> int:
    """Return the value of --seed.

    Raises:
        ArgumentTypeError: if it is not a whole number of 0 or more.
    """
    if not (text.isascii() and text.strip().isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def count(what: str, most: int = 100_000) -> Callable[[str], int]:
    """Return the type of an option that takes a number of ``what``, 1 to ``most``."""

    def convert(text: str) -> int:
        if not (text.isascii() and text.strip().isdigit() and 1 <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {what}, 1 to {most}")
        return int(text)

    return convert


def paragraph(text: str, indent: str = "") -> str:
    """Return the text of a help page, filled to its width."""
    return textwrap.fill(" ".join(text.split()), page_width() - 2, initial_indent=indent, subsequent_indent=indent)


def examples(*commands: str) -> str:
    """Return command lines for a help page, with line breaks between options as in a shell."""
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
    """Return all parameters that --set takes, for a help page."""
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
    """Return the presets, for a help page."""
    lines = [f"  {preset.name:<12} {preset.help}" for preset in presets]
    return "\n".join(textwrap.fill(line, page_width() - 2, subsequent_indent=" " * 15) for line in lines)
