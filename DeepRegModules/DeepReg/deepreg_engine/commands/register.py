"""``register`` and ``register METHOD``: the transform between two images or two point clouds. Options are derived from the slots and
parameters."""

from __future__ import annotations

import argparse
import difflib
import itertools
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from deepreg_engine.commands.parsing import Parser, count, examples, paragraph, parameter_table, preset_table
from deepreg_engine.commands.progress import ProgressBar
from deepreg_engine.commands.register_pages import PAGES
from deepreg_engine.commands.tables import result_lines
from deepreg_engine.errors import ParameterError
from deepreg_engine.geometry.files import suffix
from deepreg_engine.geometry.images import IMAGE_SUFFIXES
from deepreg_engine.geometry.points import POINT_SUFFIXES
from deepreg_engine.jobs.registration import run_registration
from deepreg_engine.jobs.request import AUTOMATIC_METHOD, SUFFIXES, Request, alignments, make_request, option_names, suffixes
from deepreg_engine.methods.base import Method
from deepreg_engine.methods.common.parameters import DEVICES, Description, parse_settings
from deepreg_engine.methods.common.presets import AUTOMATIC_PRESET, find_preset
from deepreg_engine.methods.registry import METHODS
from deepreg_engine.methods.slots import AUTOMATIC, Slot, outputs, slots
from deepreg_engine.methods.suggestion import QUALITIES, TASKS, quality_of
from deepreg_engine.verdict.line import level_of, verdict_line

_METAVARS = {"image": "IMAGE", "labels": "LABELS", "mask": "MASK", "points": "POINTS", "cloud": "POINTS", "names": "JSON"}


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    about = (
        "Find the transform between two images or two point clouds. Without a method, the method and its preset are chosen by what the "
        "images show; a line reports the choice and its reason."
    )
    pages = "The options of both forms are on their pages: deepreg-engine register auto --help, deepreg-engine register METHOD --help"
    epilog = f"{examples(*PAGES[AUTOMATIC].examples, PAGES['dense'].examples[0])}\n\n{paragraph(pages)}"
    parser = commands.add_parser(
        "register",
        help="find the transform between two images or point clouds",
        usage="deepreg-engine register FIXED MOVING --transform OUT [options]\n       deepreg-engine register METHOD [options]",
        description=paragraph(about),
        epilog=epilog,
    )
    parser.set_defaults(parser=parser)
    parser.prepare = with_method
    methods = parser.add_subparsers(title="methods", metavar="<method>", dest="method", required=True, prog="deepreg-engine register")
    for method in (AUTOMATIC_METHOD, *METHODS.values()):
        _add_method(methods, method)


def _add_method(methods: argparse._SubParsersAction, method: Method) -> None:
    page = PAGES[method.name]
    own = (
        "presets:\n" + preset_table((AUTOMATIC_PRESET, *method.presets)),
        f"parameters for --set, with the values of {method.default_preset}:\n" + parameter_table(method.parameters),
    )
    epilog = "\n\n".join((paragraph(page.notes), examples(*page.examples), *(own if method.presets else ())))
    command = f"deepreg-engine register {method.name} "
    indent = "\n" + " " * len(f"usage: {command}")
    usage = "\n       ".join(command + line.replace("\n", indent) for line in page.usage)
    parser: Parser = methods.add_parser(method.name, help=method.summary, usage=usage, description=paragraph(page.about), epilog=epilog)
    clouds = slots(method.name, ("register",), ("cloud",))
    options = {each.name: each for one in (METHODS.values() if method is AUTOMATIC_METHOD else [method]) for each in one.options.describe()}
    if clouds:
        group = parser.add_argument_group("points")
        _add_slots(group, method, clouds)
        _add_options(group, [options.pop(name) for name in ("source", "source_spacing", "thin") if name in options])
    group = parser.add_argument_group("images")
    _add_slots(group, method, [each for each in slots(method.name, ("register", "guide")) if each.kind != "cloud"])
    _add_options(group, [options.pop(name) for name in ("refine", "refine_preset") if name in options])
    _add_how(parser, method)
    group = parser.add_argument_group("results", f"Images can be {', '.join(IMAGE_SUFFIXES)}.")
    _add_slots(group, method, [*slots(method.name, ("apply",)), *outputs(method.name)])
    _add_options(group, list(options.values()))
    _add_slots(parser.add_argument_group("to measure the result (these do not influence it)"), method, slots(method.name, ("evaluate",)))
    parser.set_defaults(run=partial(run, method), parser=parser)


def _add_slots(group: argparse._ArgumentGroup, method: Method, chosen: list[Slot]) -> None:
    for each in chosen:
        required = method.name in each.required
        about = each.help.replace("%", "%%")  # argparse formats help texts
        if each.is_output and each.kind in ("transform", "points"):
            about += f": {', '.join(suffixes(each, method.name))}"
        metavar = _METAVARS[each.kind] if not each.is_output else _output_metavar(each)
        group.add_argument(each.option, required=required, metavar=metavar, help=about + (" (required)" if required else ""))


def _output_metavar(each: Slot) -> str:
    if each.kind == "folder":
        return "FOLDER"
    endings = SUFFIXES[each.kind]
    return f"OUT{endings[0]}" if len(endings) == 1 else "OUT"


def _add_options(group: argparse._ArgumentGroup, described: list[Description]) -> None:
    """Add an option of the command line for each option of the method."""
    for each in described:
        option = f"--{each.name.replace('_', '-')}"
        if each.type is bool:
            group.add_argument(option, action="store_true", help=each.help)
            continue
        about = f"{each.help} (default: {each.default:g})" if each.type is not str else f"{each.help} (default: {each.default})"
        metavar = {int: "N", float: "MM"}.get(each.type, "NAME")
        group.add_argument(option, default=None, metavar=metavar, help=about)


def _add_how(parser: Parser, method: Method) -> None:
    """Add the options of the computation."""
    how = parser.add_argument_group("how")
    if method is AUTOMATIC_METHOD:
        about = f"the kind of transform to find: {', '.join(TASKS)} (default: {AUTOMATIC})"
        how.add_argument("--task", choices=TASKS, metavar="TASK", help=about)
    else:
        about = f"parameters for a task, see below (default: {AUTOMATIC}, by what the images show)"
        how.add_argument("--preset", default=AUTOMATIC, metavar="NAME", help=about)
    about = f"quality of the automatic choice: {', '.join(QUALITIES)}, or a number from 0 to 1 (default: balanced)"
    how.add_argument("--quality", type=_quality, metavar="HOW", help=about)
    about = "change one parameter" + (", see below" if method.presets else " of the chosen method")
    how.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=f"{about}; may be repeated")
    own = METHODS.values() if method is AUTOMATIC_METHOD else [method]
    parser.settings = frozenset(each.name for one in own for each in one.parameters.describe())
    for each in method.parameters.describe():
        if each.name not in method.shortcuts:
            continue
        choices = f": {', '.join(each.choices)}" if each.choices else ""
        if each.name == "initial" and method.aligns:
            choices += ", or a transform file"
        short = {"initial": "alignment before the deformation", "features": "features by name, or a model's file"}
        about = f"{short.get(each.name, each.help)}{choices} (default: the preset's)"
        how.add_argument(f"--{each.name.replace('_', '-')}", metavar="HOW" if each.choices else "NAME", help=about)
    how.add_argument("--device", default="auto", metavar="WHERE", choices=DEVICES, help=f"where to compute: {', '.join(DEVICES)}")
    how.add_argument("--threads", type=count("threads", 1024), default=0, metavar="N", help="threads of the CPU (default: all)")
    how.add_argument("--quiet", action="store_true", help="show no progress")


def chosen_parameters(method: Method, preset: str, settings: list[str], shortcuts: dict[str, Any] | None = None) -> Any:
    """Return a preset's parameters with the user's changes.

    Args:
        method: whose parameters.
        preset: its name.
        settings: texts ``name=value``.
        shortcuts: values of parameters with an option of their own; None is left out.

    Raises:
        ParameterError: if a name or value is not allowed.
    """
    changes = {name: value for name, value in (shortcuts or {}).items() if value is not None}
    return find_preset(method.presets, preset).parameters.replaced(parse_settings(settings)).replaced(changes)


def with_method(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments of ``register`` with the method "auto" if none is named, and files in front as those of their options."""
    if arguments[:1] in (("-h",), ("--help",)) or (arguments and arguments[0] in (AUTOMATIC, *METHODS)):
        places = 1 if arguments[:1] == (AUTOMATIC,) else len(arguments)
    elif not arguments or arguments[0].startswith("-") or _is_file(arguments[0]):
        arguments, places = (AUTOMATIC, *arguments), 1
    else:
        return arguments
    files = list(itertools.takewhile(lambda text: not text.startswith("-"), arguments[places : places + 2]))
    kind = "-points" if files and all(suffix(file) in POINT_SUFFIXES for file in files) else ""
    options = [f"--fixed{kind}", f"--moving{kind}"][: len(files)]
    if set(options) & set(arguments):  # the file in front stands for something else
        return arguments
    pairs = itertools.chain.from_iterable(zip(options, files, strict=True))
    return (*arguments[:places], *pairs, *arguments[places + len(files) :])


def _is_file(text: str) -> bool:
    """Return whether an argument is the path of a file rather than a misspelt method."""
    return Path(text).exists() or bool(Path(text).suffix) or os.sep in text


def _quality(text: str) -> float:
    try:
        return quality_of(text)
    except ParameterError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.advice}") from error


def _split_initial(method: Method, initial: str | None) -> tuple[str | None, str]:
    """Return the name of an alignment and the file of a transform, one of which is given.

    Raises:
        ParameterError: if it is neither.
    """
    known = alignments(method)
    if not initial or initial in known or not method.aligns:
        return initial, ""
    if not Path(initial).exists() and not Path(initial).suffix:
        near = difflib.get_close_matches(initial, known, n=1)
        advice = f"did you mean {near[0]}?" if near else f"use {', '.join(known)}, or a transform's file"
        raise ParameterError(f"{initial} is neither an alignment nor a file", advice, "initial")
    return None, initial


def request_of(method: Method, options: argparse.Namespace) -> Request:
    """Return the request of a command line.

    Raises:
        ParameterError: if a name or value is not allowed.
    """
    given = vars(options)
    alignment, initial = _split_initial(method, given["initial"])
    shortcuts = {**{name: given[name] for name in method.shortcuts}, "initial": alignment}
    preset = given.get("preset") or AUTOMATIC
    if preset == AUTOMATIC:
        changes = {**parse_settings(options.set), **{name: value for name, value in shortcuts.items() if value is not None}}
        if method is not AUTOMATIC_METHOD:
            method.parameters().replaced(changes)  # raises on an unknown name before a file is read
        parameters: Any = changes
    else:
        parameters = chosen_parameters(method, preset, options.set, shortcuts)
    names = [*(each.name for each in slots(method.name)), *option_names(method), "task", "quality"]
    values = {name: given[name] for name in names if given.get(name) is not None and given[name] is not False}
    return make_request(
        method.name, parameters=parameters, preset=preset, initial=initial, device=options.device, threads=options.threads, **values
    )


def run(method: Method, options: argparse.Namespace) -> None:
    """Register, and print the results."""
    request = request_of(method, options)
    with ProgressBar(quiet=options.quiet) as progress:
        report = run_registration(request, progress)
    sys.stdout.write("\n".join(result_lines(report)) + "\n")
    if level_of(report) != "good":
        sys.stdout.flush()
        print(f"{options.parser.prog}: {verdict_line(report)}", file=sys.stderr)
