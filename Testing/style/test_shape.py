"""Limits of length and complexity of the code, and documentation of all public functions."""

from __future__ import annotations

import ast
import re
import tomllib

from sources import BUNDLED, ENGINE, MODULES, ROOT, parsed, python_files, relative

LONGEST = 400
# A generated list (Testing/engine_texts.py).
GENERATED = MODULES / "DeepReg" / "deepreg_slicer" / "engine_catalogue.py"
FILES = [path for path in python_files(MODULES, ROOT / "Testing") if BUNDLED not in path.parents and path != GENERATED]


def test_no_file_is_long():
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_limits_of_complexity_hold_everywhere():
    """ruff checks the limits (C901, PLR0913); this test checks that nothing is exempt from them."""
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert {"C901", "PLR0913"} <= set(ruff["select"])
    assert ruff["mccabe"]["max-complexity"] <= 12
    assert ruff["pylint"]["max-args"] <= 8
    assert set(ruff["per-file-ignores"]) == {"Testing/slicer_testing/slicer_testing/bundled/**"}
    exempt = re.compile(r"# (ruff: )?noqa(?!: ?[A-Z])|# noqa:.*(C901|PLR0913)")
    lines = [f"{relative(path)}: {line.strip()}" for path in FILES for line in path.read_text(encoding="utf-8").splitlines()
             if path.parent.name != "style" and exempt.search(line)]  # fmt: skip
    assert lines == []


def protocol_methods() -> set[str]:
    """Names of the methods that a protocol of the engine documents for all classes that have them."""
    classes = [node for path in python_files(ENGINE) for node in parsed(path).body if isinstance(node, ast.ClassDef)]
    protocols = [node for node in classes if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)]
    return {part.name for node in protocols for part in node.body if isinstance(part, ast.FunctionDef) and ast.get_docstring(part)}


def test_what_is_public_is_documented():
    """Modules, classes, functions and methods of the engine, except methods that a base class or a protocol documents."""
    missing, known = [], protocol_methods()
    for path in python_files(ENGINE):
        tree = parsed(path)
        public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")]
        for node in list(public):
            if isinstance(node, ast.ClassDef) and not node.bases:
                methods = (part for part in node.body if isinstance(part, ast.FunctionDef))
                public += [part for part in methods if not part.name.startswith("_") and part.name not in known]
        missing += [f"{relative(path)}:{node.lineno}: {node.name}" for node in public if not ast.get_docstring(node)]
        if path.name != "__init__.py" and not ast.get_docstring(tree):
            missing.append(f"{relative(path)}: the module")
    assert missing == []


def test_docstrings_of_functions_begin_with_a_verb():
    """In the modules' folders; those of properties name the value."""
    wrong = []
    for path in python_files(MODULES):
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.FunctionDef) or any("property" in ast.unparse(each) for each in node.decorator_list):
                continue
            first = (ast.get_docstring(node) or "").split(" ", 1)[0]
            if first in ("A", "All", "An", "Each", "Its", "The", "What", "Where", "Whether", "Which"):
                wrong.append(f"{relative(path)}: {node.name}: {first} ...")
    assert wrong == []
