"""The automatic choice of method and preset: by what two images show, and by what they have in common."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from deepreg_engine.content.description import Content
from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.common.presets import find_preset
from deepreg_engine.methods.registry import METHODS
from deepreg_engine.methods.suggestion import QUALITIES, Relation, quality_of, suggest
from deepreg_engine.methods.which_method import ROWS

CT = Content("ct", "", "abdomen", (350.0, 250.0, 300.0), (1.0, 1.0, 3.0))
CHEST = replace(CT, body_part="chest")
HEAD = Content("mr", "t1", "head", (150.0, 190.0, 170.0), (1.0, 1.0, 1.0))
CROP = Content("mr", "", "organ", (36.0, 50.0, 36.0), (1.0, 1.0, 1.0))
ONE, TWO = Relation(True, True, ("one",)), Relation(False, True, ("two",))


def test_each_row_names_presets_and_parameters_that_exist():
    for row in ROWS:
        assert {row.balanced.method, *row.presets} == set(METHODS), row.name
        for choice in (row.fast, row.balanced, row.best):
            method = METHODS[choice.method]
            find_preset(method.presets, choice.preset).parameters.replaced(choice.parameters)
            method.options().replaced(choice.options)
        for name, preset in row.presets.items():
            find_preset(METHODS[name].presets, preset)


def test_the_page_is_made_from_the_table():
    path = Path(__file__).resolve().parents[1] / "which_method_table.py"
    spec = importlib.util.spec_from_file_location("which_method_table", path)
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    assert table.PAGE.read_text(encoding="utf-8") == table.page(), "run python Testing/which_method_table.py"


def test_the_balanced_choice_is_the_winner_of_its_figures():
    for row in ROWS:
        if row.figures:
            assert next(iter(row.figures)) == row.balanced.title, row.name
            values = [float(value.split()[0]) for value in row.figures.values()]
            best = max(values) if "Dice" in row.measured else min(values)
            assert abs(values[0] - best) <= 0.05 * best, row.name


@pytest.mark.parametrize(
    ("pair", "relation", "chosen"),
    [
        ((CT, CT), ONE, "dense follow-up-ct"),
        ((CT, CT), TWO, "dense abdomen-ct"),
        ((CT, CT), None, "dense abdomen-ct"),
        ((CHEST, CHEST), ONE, "dense thorax-ct"),
        ((CHEST, CHEST), None, "dense abdomen-ct"),
        ((HEAD, HEAD), ONE, "dense brain-mr"),
        ((HEAD, HEAD), TWO, "dense people-mr"),
        ((CROP, CROP), TWO, "dense people-mr"),
        ((HEAD, replace(HEAD, contrast="t2")), None, "descent brain-mr"),
        ((HEAD, replace(HEAD, contrast="")), Relation(True, False), "descent brain-mr"),
        ((HEAD, HEAD), Relation(True, False), "dense brain-mr"),  # the contrasts are known
        ((replace(HEAD, body_part="abdomen"), CT), None, "descent mr-ct"),
        ((replace(HEAD, modality="us"), HEAD), None, "dense mr-ct"),
        ((replace(HEAD, modality="unknown"), replace(CT, modality="unknown")), None, "dense abdomen-ct"),
    ],
)
def test_what_images_show_decides(pair, relation, chosen):
    found = suggest(*pair, relation)
    assert f"{found.method} {found.preset}" == chosen
    assert found.task == ("rigid" if found.method == "linear" else "deformable")
    assert found.reason
    assert "\n" not in found.reason
    assert {row.name: row for row in ROWS}[found.row].balanced.preset == found.preset


def test_a_chosen_method_gets_its_preset_for_the_pair():
    others = HEAD, replace(HEAD, contrast="t2")
    assert suggest(*others, method="descent").preset == "brain-mr"
    assert suggest(*others, method="dense").preset == "brain-mr"
    assert suggest(CT, CT, TWO, method="descent").preset == "mr-ct"
    assert suggest(CT, CT, ONE, method="linear").preset == "affine"
    assert suggest(*others, method="linear").task == "rigid"
    assert suggest(CHEST, CHEST, ONE, method="points").preset == suggest(CHEST, CHEST, TWO, method="points").preset == "lung"


def test_the_quality_changes_the_choice():
    fast, best = (suggest(CT, CT, ONE, quality=quality) for quality in ("fast", 1.0))
    assert fast.preset == "quick"
    assert best.preset != "quick"
    assert (
        suggest(CT, CT, task="rigid", quality=0.0).parameters["working_voxels"]
        < 1.0
        < suggest(CT, CT, task="rigid", quality=1.0).parameters["working_voxels"]
    )
    assert [quality_of(word) for word in QUALITIES] == sorted(QUALITIES.values())
    for wrong in ("good", 1.2, -0.1, "nan", None):
        with pytest.raises(ParameterError, match="not a quality"):
            quality_of(wrong)


def test_tasks():
    for task in ("rigid", "similarity", "affine"):
        found = suggest(CT, CT, task=task)
        assert (found.task, found.method, found.preset) == (task, "linear", task)
    assert suggest(CT, CT, task="points").method == "points"
    assert suggest(None, None, clouds=True).method == "points"
    # Mutual information misaligns ultrasound.
    assert suggest(replace(HEAD, modality="us"), HEAD).parameters == {"initial": "geometry"}
    with pytest.raises(ParameterError, match="there is no task 'elastic'"):
        suggest(CT, CT, task="elastic")
    with pytest.raises(ParameterError, match="Dense registration has no task rigid"):
        suggest(CT, CT, task="rigid", method="dense")


def test_lengths_follow_the_size_also_where_a_preset_fixes_them():
    """A crop of a head keeps the lengths of people; a mouse's brain, with fine voxels, gets shorter ones."""
    mouse = replace(CROP, size_mm=(11.0, 16.0, 9.0), spacing_mm=(0.1, 0.1, 0.1))
    assert suggest(CROP, CROP, TWO).parameters == {}
    assert suggest(mouse, mouse, TWO).parameters["length_scale"] == pytest.approx(11.0 / 250.0, rel=1e-3)
    assert suggest(mouse, mouse, ONE).parameters == {}  # the preset's lengths follow the size by themselves
