"""Allowed imports: layers of the engine, no circles, no torch in the window's process, no Slicer in the engine."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from sources import BUNDLED, ENGINE, HOST, MODULES, circles, imported, module_name, parsed, python_files, relative, top_level_names

# A floor of the engine imports only from floors with a smaller number. Two packages on one floor do not import each other.
FLOORS = {
    "packages": -1,
    "arrays": -1,
    "errors": 0,
    "progress": 0,
    "texts": 0,
    "geometry": 1,
    "solvers": 2,
    "phantoms": 2,
    "content": 2,
    "features": 3,
    "models": 4,
    "methods": 5,
    "training": 6,
    "metrics": 6,
    "verdict": 7,
    "reporting": 8,
    "jobs": 9,
    "worker": 10,
    "cohort": 10,
    "commands": 11,
    "cli": 12,
    "__main__": 13,
}
# Methods compute on images and points of any origin: phantoms are for training, samples and tests.
NOT_PHANTOMS = ("features", "models", "methods", "metrics", "verdict", "reporting")


@cache
def engine_graph() -> dict[str, set[str]]:
    """What each module of the engine imports of it."""
    files = {module_name(path): path for path in python_files(ENGINE)}
    return {name: imported(path, set(files)) for name, path in files.items()}


def floor_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_package_of_the_engine_has_a_floor():
    assert {floor_of(module) for module in engine_graph()} - {""} == set(FLOORS)


def test_a_floor_imports_only_from_below():
    wrong = []
    for module, others in engine_graph().items():
        here = floor_of(module)
        for other in sorted(others):
            there = floor_of(other)
            if there in ("", here):
                continue  # the package's version, or the same package
            if not here or FLOORS[there] >= FLOORS[here] or (there == "phantoms" and here in NOT_PHANTOMS):
                wrong.append(f"{module} imports {other}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_no_circles_in_the_engine():
    assert circles(engine_graph()) == []


def test_no_circles_on_slicers_side():
    files = {module_name(path): path for path in python_files(MODULES) if ENGINE not in path.parents}
    assert circles({name: imported(path, set(files)) for name, path in files.items()}) == []


def test_no_circles_in_the_host():
    files = {module_name(path): path for path in python_files(HOST) if BUNDLED not in path.parents}
    assert circles({name: imported(path, set(files)) for name, path in files.items()}) == []


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_the_engine_needs_no_slicer():
    slicers = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "PythonQt", "PySide6", "deepreg_slicer"}
    assert [relative(path) for path in python_files(ENGINE) if top_level_names(path) & slicers] == []


def test_the_window_needs_no_torch():
    """The window's process imports neither torch nor a module of the engine that imports torch."""
    graph = engine_graph()
    heavy = {module_name(path) for path in python_files(ENGINE) if _imports_when_loaded(path) & {"torch", "safetensors"}}
    for path in python_files(MODULES):
        if ENGINE in path.parents:
            continue
        names = top_level_names(path)
        assert not names & {"torch", "torchvision", "safetensors"}, relative(path)
        assert not imported(path, set(graph)) & heavy, relative(path)


def _imports_when_loaded(path: Path) -> set[str]:
    """The packages that loading a file imports: its imports outside functions."""
    found = set()
    nodes = list(ast.iter_child_nodes(parsed(path)))
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
        elif not isinstance(node, ast.FunctionDef | ast.Lambda) and "TYPE_CHECKING" not in ast.dump(getattr(node, "test", node))[:40]:
            nodes += ast.iter_child_nodes(node)
    return found
