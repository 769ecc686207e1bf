"""Parameters and presets: descriptions, checks, and accepted spellings."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.common.parameters import Parameters, parameter, parse_settings
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.presets import DEFAULT_DENSE_PRESET, DENSE_PRESETS, dense_preset
from deepreg_engine.training.dense.parameters import DenseTraining
from deepreg_engine.training.descent.parameters import DescentTraining
from deepreg_engine.training.points.parameters import PointTraining

DESCRIPTIONS = DenseParameters.describe()
NUMBERS = [d for d in DESCRIPTIONS if d.type in (int, float)]


@dataclass(frozen=True)
class Sample(Parameters):
    """One parameter of each kind."""

    count: int = parameter(3, "how many", minimum=1, maximum=5, group="Numbers")
    length: float = parameter(1.5, "how long", unit="mm", minimum=0.0)
    free: float = parameter(0.0, "anything")
    wanted: bool = parameter(True, "whether")
    colour: str = parameter("red", "which", choices=("red", "green"))
    name: str = parameter("x", "called")


def line_of(parameters=None, **changes):
    """The one line that the user reads when these changes are refused."""
    with pytest.raises(ParameterError) as caught:
        (parameters or Sample()).replaced(changes)
    return caught.value.line()


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=lambda d: d.name)
def test_every_parameter_is_described(description):
    assert len(description.help) > 10
    assert description.help == description.help.strip()
    assert not description.help.endswith(".")
    assert description.group
    assert type(description.default) is description.type
    if description.choices:
        assert description.default in description.choices
        assert description.type is str


@pytest.mark.parametrize("description", NUMBERS, ids=lambda d: d.name)
def test_every_number_has_a_range_and_its_default_lies_in_it(description):
    assert description.minimum <= description.default <= description.maximum
    for edge in (description.minimum, description.maximum):
        assert getattr(DenseParameters().replaced({description.name: edge}), description.name) == edge
        assert f"{edge:g}" in description.range_text()
    for value in (description.minimum - 1, description.maximum + 1, str(description.maximum + 1), math.nan, "nan", "inf", "-inf"):
        line = line_of(DenseParameters(), **{description.name: value})
        assert line.startswith(f"{description.name} = {value} is ")
        assert line.endswith(f"allowed: {description.range_text()}")


def test_names_are_unique_and_defaults_are_those_of_the_class():
    assert DenseParameters().to_dict() == {d.name: d.default for d in DESCRIPTIONS}


def test_text_becomes_the_parameters_type():
    changed = Sample().replaced({"count": " 4 ", "length": "2.5", "wanted": "no", "colour": " green ", "name": "y"})
    assert changed == Sample(4, 2.5, 0.0, False, "green", "y")
    assert type(changed.count) is int
    assert type(Sample().replaced({"length": 2}).length) is float
    assert type(Sample().replaced({"count": 2.0}).count) is int
    assert type(Sample().replaced({"count": np.int64(2)}).count) is int
    assert Sample().replaced({"length": "1e-3"}).length == 0.001
    assert Sample().replaced({}) == Sample()


@pytest.mark.parametrize("word", ["true", "True", "YES", "on", "1", True, 1])
def test_words_for_yes(word):
    assert Sample(wanted=False).replaced({"wanted": word}).wanted is True


@pytest.mark.parametrize("word", ["false", "No", "OFF", "0", " false ", False, 0])
def test_words_for_no(word):
    assert Sample().replaced({"wanted": word}).wanted is False


@pytest.mark.parametrize("word", ["maybe", "2", "nein", None, 3])
def test_other_words_are_neither(word):
    assert line_of(wanted=word) == f"wanted = {word} is neither yes nor no: write true or false"


@pytest.mark.parametrize("value", ["3.5", 3.5, "three", "nan", math.nan, "inf", None, [1], "0x3", "1e0", math.inf, -math.inf])
def test_what_is_no_whole_number(value):
    assert line_of(count=value) == f"count = {value} is not a whole number: allowed: 1 to 5"


@pytest.mark.parametrize("value", ["long", None, "1,5", "1.5 mm", [1.0]])
def test_what_is_no_number(value):
    assert line_of(length=value) == f"length = {value} is not a number: allowed: at least 0 mm"
    assert line_of(free=value) == f"free = {value} is not a number: it is a float"


def test_nothing_is_no_value():
    """As --set name= gives it."""
    assert line_of(count="").endswith("is not a whole number: allowed: 1 to 5")
    assert line_of(length=" ").endswith("is not a number: allowed: at least 0 mm")
    assert line_of(wanted="").endswith("is neither yes nor no: write true or false")
    assert line_of(colour="").endswith("is not a choice: allowed: red | green")


@pytest.mark.parametrize("value", [math.nan, "nan", math.inf, "-inf", "1e999"])
def test_numbers_have_to_be_finite(value):
    assert line_of(free=value) == f"free = {value} is not a finite number: it is a float"


@pytest.mark.parametrize(("name", "value"), [("count", 0), ("count", "6"), ("length", -0.001)])
def test_out_of_range(name, value):
    assert line_of(**{name: value}).startswith(f"{name} = {value} is out of range: allowed: ")


@pytest.mark.parametrize(
    ("options", "counts", "does_not"),
    [
        (DenseTraining(), "size structures", "channels controls radius sharpness"),
        (DenseTraining(network="context"), "channels controls radius sharpness", "size structures"),
        (DescentTraining(network="tissue"), "motion phantoms", "width channels shapes"),
        (DescentTraining(), "motion phantoms width channels shapes", ""),
        (PointTraining(), "candidates batch", ""),
    ],
)
def test_only_parameters_that_count_with_a_network_are_used(options, counts, does_not):
    used = options.used()
    assert set(counts.split()) <= set(used)
    assert not set(does_not.split()) & set(used)
    assert used == {name: value for name, value in options.to_dict().items() if name in used}
    assert len(used) + len(does_not.split()) <= len(options.to_dict())
    assert {"steps", "seed"} <= set(used)


def test_choices():
    assert line_of(colour="gren") == "colour = gren is not a choice: did you mean green?"
    assert line_of(colour="zzz") == "colour = zzz is not a choice: allowed: red | green"
    assert line_of(colour="Red") == "colour = Red is not a choice: did you mean red?"


def test_misspelt_names():
    assert line_of(lenght=1) == "there is no parameter 'lenght': did you mean length?"
    assert line_of(zzzz=1) == "there is no parameter 'zzzz': there are count, length, free, wanted, colour, name"
    assert line_of(DenseParameters(), capturerange=3) == "there is no parameter 'capturerange': did you mean capture_range?"


def test_parameters_do_not_change():
    before = Sample()
    before.replaced({"count": 5})
    assert before.count == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.count = 4


def test_settings_are_parsed():
    assert parse_settings(["a=1", " b = two words ", "c=x=y", "d="]) == {"a": "1", "b": "two words", "c": "x=y", "d": ""}
    assert parse_settings([]) == {}
    for bad in ("a", "", "=3", " = 3"):
        with pytest.raises(ParameterError) as caught:
            parse_settings(["good=1", bad])
        assert caught.value.line() == f"{bad!r} is not a setting: write name=value"


@settings(deadline=None, derandomize=True)
@given(
    name=st.sampled_from([d.name for d in DESCRIPTIONS]),
    value=st.one_of(st.text(max_size=20), st.floats(), st.integers(), st.none(), st.booleans()),
)
def test_any_value_is_taken_or_refused_in_words(name, value):
    """Whatever is typed: a value of the right type within its range, or a ParameterError."""
    description = next(d for d in DESCRIPTIONS if d.name == name)
    refused = None
    try:
        result = getattr(DenseParameters().replaced({name: value}), name)
    except ParameterError as error:
        refused = error
    if refused is not None:
        assert refused.line()
        assert refused.code == "parameter"
        return
    assert type(result) is description.type
    if description.minimum is not None:
        assert description.minimum <= result <= description.maximum
    if description.choices:
        assert result in description.choices


@settings(deadline=None, derandomize=True)
@given(text=st.text(max_size=30))
def test_any_setting_is_parsed_or_refused_in_words(text):
    try:
        (name,) = parse_settings([text])
    except ParameterError:
        return
    assert name == name.strip() != ""


# ----------------------------------------------------------------------------------------------------------------- presets


def test_presets_are_unique_and_described():
    assert len({preset.name for preset in DENSE_PRESETS}) == len({preset.title for preset in DENSE_PRESETS}) == len(DENSE_PRESETS)
    for preset in DENSE_PRESETS:
        assert preset.name == preset.name.lower().strip()
        assert " " not in preset.name
        assert preset.help
        assert DenseParameters().replaced(preset.parameters.to_dict()) == preset.parameters


def test_presets_are_found_by_name():
    for preset in DENSE_PRESETS:
        assert dense_preset(preset.name) is preset
    assert dense_preset(DEFAULT_DENSE_PRESET) in DENSE_PRESETS


def test_the_nearest_preset_is_offered():
    for preset in DENSE_PRESETS:
        with pytest.raises(ParameterError) as caught:
            dense_preset(preset.name + "s")
        assert caught.value.line() == f"there is no preset {preset.name + 's'!r}: did you mean {preset.name}?"
    with pytest.raises(ParameterError) as caught:
        dense_preset("zzzz")
    assert all(preset.name in caught.value.advice for preset in DENSE_PRESETS)


def test_no_torch_is_needed():
    """A panel shows parameters and presets before PyTorch is installed."""
    code = "import sys, deepreg_engine.methods.common.presets, deepreg_engine.training.base; sys.exit('torch' in sys.modules)"
    folder = next(path for path in sys.path if path.endswith("DeepReg"))
    assert subprocess.run([sys.executable, "-c", code], cwd=folder, check=False).returncode == 0
