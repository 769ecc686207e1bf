"""Write deepreg_slicer/engine_catalogue.py, the engine's texts for translators: python Testing/engine_texts.py

Slicer's tool collects the texts of ``translate("context", "text")`` in Python files. The engine knows nothing of translation: its texts are
collected here, from its declarations (parameters, slots, presets, features, limits) and from its source: messages of errors and their
advice, notes, stages of progress, and texts of the report's page. In texts that are made with values each value has a placeholder.

A test compares the file with what this would write.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "DeepRegModules" / "DeepReg"
ENGINE = LIBRARY / "deepreg_engine"
CATALOGUE = LIBRARY / "deepreg_slicer" / "engine_catalogue.py"
sys.path.insert(0, str(LIBRARY))

_HEAD = '''"""Texts of the engine for translators. Made by ``python Testing/engine_texts.py``; do not edit."""


def translate(context: str, text: str) -> str:
    """Return the text unchanged: Slicer's translation tool finds the texts to translate by calls of this function."""
    return text


TEXTS = (
'''
# Names of variables whose values are texts for users, wherever they are set.
_VARIABLES = re.compile(r"^_?(advice|hint|note|notes|problem|reason|warning|remarks|why|how|next_step)$|_(ADVICE|HINT)$")
# Functions that return texts for users.
_FUNCTIONS = re.compile(r"_(note|advice|fault|of_nifti|of_meta_image|of_nrrd)$|^_advice$")
# Calls whose texts are for users, by the function's name: positions of the texts.
_CALLS = {
    "tr": (0,),
    "counted": (1, 2),
    "progress": (1,),
    "_progress": (1,),
    "_report": (0, 1),
    "log": (0,),
    "_log": (0,),
    "ChoiceText": (0, 1),
}
# Parameters of functions whose values are parts of errors and notes.
_PARTS = ("what", "role", "side", "message", "advice", "hint", "note")
# Words of an expression that say nothing about its value.
_UNTELLING = {
    "join",
    "str",
    "len",
    "sorted",
    "int",
    "lower",
    "upper",
    "describe",
    "format",
    "strip",
    "decode",
    "capitalize",
    "round",
    "for",
    "in",
    "if",
    "else",
}
# Commands are for the command line, phantoms and weights have no panel.
_LEFT_OUT = ("commands", "cli.py", "__main__.py")


def catalogue() -> str:
    """Return the content of the file."""
    lines = [f'    translate("DeepRegEngine", {_literal(text)}),\n' for text in sorted(texts())]
    return _HEAD + "".join(lines) + ")\n"


def texts() -> set[str]:
    """Return all texts of the engine that a panel or the page of a report shows."""
    found = {*_declared(), *_written()}
    return {text for text in found if re.search(r"[A-Za-z]{2}", re.sub(r"\{\w+\}", "", text))}


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


# ---------------------------------------------------------------------------------------------------------------- declarations


def _declared() -> Iterator[str]:
    """Texts that are declared as data."""
    from deepreg_engine.features.registry import features
    from deepreg_engine.methods.common.steps import TEXTS
    from deepreg_engine.methods.points.parameters import PointsOptions
    from deepreg_engine.methods.registry import METHODS
    from deepreg_engine.methods.slots import SLOTS
    from deepreg_engine.reporting.limits import LIMITS, SOURCE, WORDS
    from deepreg_engine.training.registry import TRAININGS, training_presets
    from deepreg_engine.verdict.checks import TITLES
    from deepreg_engine.verdict.line import WORDS as LEVELS
    from deepreg_engine.verdict.remarks import REMARKS

    for method in METHODS.values():
        yield method.title
        yield from _of_parameters(method.parameters)
        yield from _of_presets(method.presets)
    for name, parameters in TRAININGS.items():
        yield from _of_parameters(parameters)
        yield from _of_presets(training_presets(name))
    yield from _of_parameters(PointsOptions)
    for slot in SLOTS:
        yield from (slot.title, slot.help, slot.node_name)
    for feature in features():
        yield from (feature.title, feature.origin, feature.intended_use)
    yield from (limit.title for limit in LIMITS)
    yield from TEXTS
    yield from (*WORDS, *WORDS.values(), SOURCE)
    yield from (*TITLES.values(), *LEVELS.values())
    for remark in REMARKS:
        yield from (remark.title, remark.reason, remark.next_step)


def _of_parameters(kind: type) -> Iterator[str]:
    from deepreg_engine.methods.common.parameters import words

    for parameter in kind.describe():
        yield from (words(parameter.name), parameter.help, parameter.group)


def _of_presets(presets: Iterable) -> Iterator[str]:
    for preset in presets:
        yield from (preset.title, preset.help)


# ---------------------------------------------------------------------------------------------------------------------- source


def _written() -> Iterator[str]:
    """Texts within the engine's functions."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ENGINE.rglob("*.py"))}
    shown = {path: tree for path, tree in trees.items() if path.relative_to(ENGINE).parts[0] not in _LEFT_OUT}
    errors = _error_classes(trees.values())
    parts = _functions_with_parts(shown.values())
    for tree in shown.values():
        yield from _Collector(tree, errors, parts).texts()


def _error_classes(trees: Iterable[ast.Module]) -> set[str]:
    known = {"EngineError"}
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while True:
        more = {each.name for each in classes if {base.id for base in each.bases if isinstance(base, ast.Name)} & known} - known
        if not more:
            return known
        known |= more


def _functions_with_parts(trees: Iterable[ast.Module]) -> dict[str, dict[str, int]]:
    """Functions with parameters that become parts of texts: name to the parameters' positions in a call."""
    found: dict[str, dict[str, int]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                names = [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")]
                places = {name: place for place, name in enumerate(names) if name in _PARTS}
                if places:
                    found.setdefault(node.name, {}).update(places)
    return found


class _Collector:
    """Collects the texts of one file.

    Args:
        tree: of the file.
        errors: names of the classes of errors.
        parts: see :func:`_functions_with_parts`.
    """

    def __init__(self, tree: ast.Module, errors: set[str], parts: dict[str, dict[str, int]]) -> None:
        self._tree, self._errors, self._parts = tree, errors, parts
        self._values: dict[str, list[ast.expr]] = {}
        for node in ast.walk(tree):
            for name, value in _assigned(node):
                self._values.setdefault(name, []).append(value)
        self._seen: set[int] = set()

    def texts(self) -> Iterator[str]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                yield from self._of_call(node)
            elif isinstance(node, ast.FunctionDef) and _FUNCTIONS.search(node.name):
                for each in ast.walk(node):
                    if isinstance(each, ast.Return) and each.value is not None:
                        yield from self._of(each.value)
            else:
                for name, value in _assigned(node):
                    if _VARIABLES.search(name):
                        yield from self._of(value)

    def _of_call(self, call: ast.Call) -> Iterator[str]:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id if isinstance(call.func, ast.Name) else ""
        places: Iterable[int] = _CALLS.get(name, ())
        keywords = set(_PARTS)
        if name in self._errors or (name == "type" or isinstance(call.func, ast.Call)):
            places = (0, 1)
        elif name in self._parts:
            places = (*places, *self._parts[name].values())
        elif name == "append" and isinstance(call.func, ast.Attribute) and _VARIABLES.search(_last_name(call.func.value)):
            places = (0,)
        for place in places:
            if place < len(call.args):
                yield from self._of(call.args[place])
        for keyword in call.keywords:
            if keyword.arg in keywords and (name in self._errors or name in self._parts):
                yield from self._of(keyword.value)

    def _of(self, value: ast.expr) -> Iterator[str]:
        """The texts that an expression can have; texts of other variables are followed."""
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, ast.Constant):
            if isinstance(value.value, str):
                yield value.value
        elif isinstance(value, ast.JoinedStr):
            yield _template(value)
            for part in value.values:
                if isinstance(part, ast.FormattedValue):
                    yield from self._inner(part.value)
        elif isinstance(value, ast.Name):
            for each in self._values.get(value.id, ()):
                yield from self._of(each)
        else:
            for each in _alternatives(value):
                yield from self._of(each)

    def _inner(self, value: ast.expr) -> Iterator[str]:
        """Texts within the values of a text, such as those of a condition."""
        if isinstance(value, ast.IfExp | ast.BoolOp):
            yield from self._of(value)


def _alternatives(value: ast.expr) -> list[ast.expr]:
    if isinstance(value, ast.IfExp):
        return [value.body, value.orelse]
    if isinstance(value, ast.BoolOp):
        return value.values
    if isinstance(value, ast.Tuple | ast.List):
        return value.elts
    return []


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names that a statement sets, with their values."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from ((_last_name(one), value) for one, value in zip(target.elts, node.value.elts, strict=False))
            else:
                yield _last_name(target), node.value
    elif isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value is not None:
        yield _last_name(node.target), node.value


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _template(text: ast.JoinedStr) -> str:
    """A text with a placeholder for each of its values."""
    made, known = "", {}
    for part in text.values:
        if isinstance(part, ast.Constant):
            made += str(part.value)
        elif isinstance(part, ast.FormattedValue):
            source = ast.unparse(part)
            if source not in known:
                name = _value_name(part.value)
                count = sum(1 for each in known.values() if each.rstrip("0123456789") == name)
                known[source] = f"{name}{count + 1}" if count else name
            made += f"{{{known[source]}}}"
    return made


def _value_name(value: ast.expr) -> str:
    """A name for a value, the last word of its expression that says something about it."""
    source = re.sub(r"'[^']*'|\"[^\"]*\"", "", ast.unparse(value))
    words = [word for word in re.findall(r"[A-Za-z_]\w*", source) if word not in _UNTELLING]
    word = re.sub(r"^Get|AsString$", "", words[-1]).strip("_") if words else "value"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower()


if __name__ == "__main__":
    CATALOGUE.write_text(catalogue(), encoding="utf-8")
    print(f"written: {CATALOGUE.relative_to(ROOT)}")
