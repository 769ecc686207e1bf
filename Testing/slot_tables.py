"""Write docs/inputs_outputs.md from the declarations of inputs, outputs and options: python Testing/slot_tables.py

A test compares the page with what this would write.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "DeepRegModules" / "DeepReg"))

from deepreg_engine.jobs.request import SUFFIXES, suffixes  # noqa: E402
from deepreg_engine.methods.registry import METHODS  # noqa: E402
from deepreg_engine.methods.slots import SLOTS, Slot  # noqa: E402

PAGE = ROOT / "docs" / "inputs_outputs.md"
_ABOUT = """# Inputs and outputs of a registration

This page is made from the declarations in `deepreg_engine/methods/slots.py` by `python Testing/slot_tables.py`. The name in the first
column is the option of the command line (`--fixed-mask`), the argument of the worker (`fixed_mask`) and the entry in the report (of
outputs with hyphens); the title is what a panel shows.
"""
_INPUT_KINDS = {
    "image": "image",
    "mask": "label map",
    "labels": "label map",
    "points": "points",
    "cloud": "points or label map",
    "names": "JSON",
}


def page() -> str:
    """The text of the page."""
    inputs = [each for each in SLOTS if not each.is_output]
    outputs = [each for each in SLOTS if each.is_output]
    parts = [_ABOUT, "## Inputs\n", _table(inputs), "## Outputs\n", _table(outputs), "## Options of a method\n", _options()]
    return "\n".join(parts)


def _table(slots: Sequence[Slot]) -> str:
    lines = ["| option | title | meaning | files | methods |", "|---|---|---|---|---|"]
    for each in slots:
        files = _files(each) if each.is_output else _INPUT_KINDS[each.kind]
        lines.append(f"| `{each.option}` | {each.title} | {each.help} | {files} | {', '.join(each.methods)} |")
    return "\n".join(lines) + "\n"


def _files(each: Slot) -> str:
    """The endings of an output's files, and those that only one method writes."""
    common = SUFFIXES.get(each.kind, ("folder",))
    more = {
        method: [ending for ending in suffixes(each, method) if ending not in common] for method in each.methods if each.kind in SUFFIXES
    }
    return "; ".join([", ".join(common), *(f"{method} also {', '.join(endings)}" for method, endings in more.items() if endings)])


def _options() -> str:
    lines = ["| option | method | default | allowed | what it does |", "|---|---|---|---|---|"]
    for method in METHODS.values():
        for each in method.options.describe():
            allowed = each.range_text().replace("|", "\\|")
            lines.append(f"| `--{each.name.replace('_', '-')}` | {method.name} | {each.default} | {allowed} | {each.help} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
