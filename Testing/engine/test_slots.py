"""Inputs and outputs are declared once, and consistently."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from deepreg_engine.methods.slots import KINDS, ROLES, SLOTS, inputs, outputs, slot, slots

METHODS = ("linear", "dense", "points", "descent")


def test_names_are_unique_and_every_slot_is_described():
    names = [each.name for each in SLOTS]
    assert len(names) == len(set(names))
    nodes = [each.node for each in SLOTS if each.node]
    assert len(nodes) == len(set(nodes))
    for each in SLOTS:
        assert each.kind in KINDS
        assert each.role in ROLES
        assert each.title
        assert each.help
        assert set(each.methods) <= set(METHODS)
        assert set(each.required) <= set(each.methods)


@pytest.mark.parametrize("method", METHODS)
def test_partners_belong_to_the_same_methods(method):
    for each in slots(method):
        if each.partner:
            assert method in slot(each.partner).methods
        assert all(slot(name).is_output for name in each.alone_for)


def test_new_nodes_have_a_name_and_a_class_or_follow_an_input():
    for each in SLOTS:
        if each.is_output and each.node:
            assert each.node_name.format(fixed="a", moving="b", labels="c")
            assert each.node_class or each.kind == "labels"


def test_inputs_and_outputs_make_up_all_slots():
    for method in METHODS:
        assert inputs(method) + outputs(method) == sorted(slots(method), key=lambda each: each.is_output)
    assert slot("fixed_mask").option == "--fixed-mask"


def test_the_page_of_inputs_and_outputs_is_made_from_the_declarations():
    path = Path(__file__).resolve().parents[1] / "slot_tables.py"
    spec = importlib.util.spec_from_file_location("slot_tables", path)
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    assert tables.PAGE.read_text(encoding="utf-8") == tables.page(), "run python Testing/slot_tables.py"
