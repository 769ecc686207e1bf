"""Fields of errors, and how the command line shows the options that they name."""

from __future__ import annotations

import pytest

from deepreg_engine.commands.parsing import Parser
from deepreg_engine.errors import Cancelled, EngineError, InputError, NotEnoughMemoryError, explain


def parser(settings=True):
    made = Parser(prog="deepreg-engine try")
    made.add_argument("image")
    made.add_argument("--fixed-mask")
    if settings:
        made.add_argument("--set", action="append")
        made.settings = frozenset({"smoothness", "working_spacing", "symmetric", "steps"})
    return made


@pytest.mark.parametrize(
    ("option", "changes", "typed"),
    [
        ("fixed_mask", {}, "--fixed-mask"),
        ("smoothness", {}, "--set smoothness=VALUE"),
        ("smoothness", {"working_spacing": 4.4, "symmetric": True}, "--set working_spacing=4.4 --set symmetric=true"),
        ("", {"fixed_mask": "a.nrrd", "steps": 20}, "--fixed-mask a.nrrd --set steps=20"),
        ("capture_range", {"capture_range": 9.0, "smoothness": 2.0}, "--set smoothness=2"),
        ("moving_landmarks", {}, ""),
        ("image", {}, ""),
        ("", {}, ""),
    ],
)
def test_the_command_line_names_options_and_parameters(option, changes, typed):
    assert parser().typed(EngineError("wrong", "do this", option, changes)) == typed


def test_a_command_without_parameters_names_none():
    assert parser(settings=False).typed(EngineError("wrong", "do this", "smoothness")) == ""


def test_an_error_about_a_file_keeps_its_kind_and_fields():
    error = InputError("a grid is empty", "give another", "fixed", {"steps": 1}).about("the image a.nrrd")
    assert type(error) is InputError
    assert error.line() == "the image a.nrrd: a grid is empty: give another"
    assert (error.option, error.changes) == ("fixed", {"steps": 1})


def test_errors_of_python_become_errors_that_a_user_can_act_on():
    assert isinstance(explain(KeyboardInterrupt(), ""), Cancelled)
    assert isinstance(explain(MemoryError(), ""), NotEnoughMemoryError)
    assert explain(ValueError("x"), "report it").line() == "internal error (ValueError: x): report it"
