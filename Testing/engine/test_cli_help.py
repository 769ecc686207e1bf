"""The help pages: complete, readable, and true."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest
from command_line import succeed

from deepreg_engine.cli import make_parser
from deepreg_engine.methods.dense.presets import DENSE_PRESETS, dense_preset

COMMANDS = (
    "",
    "register",
    "register auto",
    "register linear",
    "register dense",
    "register points",
    "register descent",
    "content",
    "warp",
    "evaluate",
    "report",
    "features",
    "keypoints",
    "phantom",
    "models",
    "models list",
    "models verify",
    "models import",
    "train",
    "train dense",
    "train points",
    "train descent",
    "cross-validate",
    "cross-validate dense",
    "cross-validate points",
    "cross-validate descent",
    "cohort",
    "cohort plan",
    "cohort run",
    "cohort status",
    "cohort report",
    "demo",
    "worker",
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [80, 110, 200])
def test_help_pages(command, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    page = succeed(*command.split(), "--help")
    assert page.startswith(f"usage: deepreg-engine {command}".rstrip())
    assert max(len(line) for line in page.splitlines()) <= min(columns, 110)
    if command == "register dense":
        for preset in DENSE_PRESETS:
            assert re.search(rf"^  {preset.name} +\w", page, re.MULTILINE)
        for name in dense_preset("quick").parameters.to_dict():
            assert re.search(rf"^    {name} = ", page, re.MULTILINE)


def parsers(parser):
    """A parser and all below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


def test_every_argument_is_explained():
    found = list(parsers(make_parser()))
    assert {parser.prog.removeprefix("deepreg-engine").strip() for parser in found} == set(COMMANDS)
    for parser in found:
        assert parser.description, parser.prog
        for action in parser._actions:
            assert action.help or isinstance(action, argparse._SubParsersAction), (parser.prog, action.dest)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [80, 110])
def test_the_examples_are_command_lines(command, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    page = succeed(*command.split(), "--help")
    examples = [line for line in page.replace("\\\n", "").splitlines() if line.startswith("  deepreg-engine ")]
    assert examples or command in ("", "models list", "models verify", "worker")
    for example in examples:
        make_parser().parse(shlex.split(example)[1:])


def test_version():
    assert re.fullmatch(r"deepreg-engine \d+\.\d+\.\d+\n", succeed("--version"))
