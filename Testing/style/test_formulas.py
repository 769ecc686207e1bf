"""docs/formulas.md names files and functions that exist, and every formula of the table has its section."""

from __future__ import annotations

import ast
import re

from sources import ROOT

PAGE = (ROOT / "docs" / "formulas.md").read_text(encoding="utf-8")
# The eight formulas that a newcomer looks for, and the function whose docstring has them.
EIGHT = {
    "Cost volume": "correlate",
    "Min-convolution": "min_convolution",
    "Mean field": "mean_field",
    "Soft arg-min": "expected_displacement",
    "Non-local label loss": "label_loss",
    "EdgeConv": "EdgeConv",
    "E-step with feature prior": "expectation",
    "Descent step": "descent_step",
}
LINK = re.compile(r"\[[\w.]+\]\(\.\./(DeepRegModules/[\w/.]+)\)")
# In running text: `name`, but no `setting=value`, command or file.
NAME = re.compile(r"`([A-Za-z_]\w*)`")
# Parameters of the methods that the text names, which are no functions.
PARAMETERS = {"message_weight", "sharpness"}


def defined() -> dict[str, dict[str, str]]:
    """Names of functions and classes in each file that the page links to, with their docstrings."""
    found = {}
    for path in sorted(set(LINK.findall(PAGE))):
        assert (ROOT / path).is_file(), path
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        found[path] = {node.name: ast.get_docstring(node) or "" for node in nodes}
    return found


def sections() -> dict[str, str]:
    """Text below each heading."""
    parts = re.split(r"^#+ (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_function_is_in_one_of_the_linked_files():
    known = set().union(*defined().values())
    missing = set(NAME.findall(PAGE)) - PARAMETERS - known
    assert not missing


def test_each_formula_stands_beside_its_function_and_file():
    names, texts = defined(), sections()
    for title, function in EIGHT.items():
        text = texts[title]
        assert f"`{function}`" in text, title
        assert "$$" in text, title
        assert any(function in names[path] for path in LINK.findall(text)), title
        assert any(" = " in names[path].get(function, "") for path in LINK.findall(text)), f"the docstring of {function} lacks its formula"
        anchor = title.lower().replace(" ", "-")
        assert f"[{title}](#{anchor})" in PAGE


def test_the_three_families_of_papers_are_named():
    for venue in ("MICCAI 2019", "GLMI", "IPMI 2021", "MIDL 2019", "Medical Image Analysis 2021"):
        assert venue in PAGE
    citations = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    for title in ("Regularized Dynamic Graph CNNs", "supervised iterative descent"):
        assert title in citations
