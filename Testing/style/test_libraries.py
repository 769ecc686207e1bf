"""Where the engine uses parts of libraries that do not work on every system: each has one module that does it right."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sources import ENGINE, MODULES, ROOT, parsed, python_files, relative

# Methods and functions that need a torch that was built for the installed numpy.
_BRIDGE = {"from_numpy", "numpy", "as_tensor", "__array__"}
# On Windows, these find no file whose name is not ASCII.
_FILES = {"ReadImage", "WriteImage", "ReadTransform", "WriteTransform", "ImageFileReader", "ImageFileWriter", "ImageSeriesReader"}
_FILES |= {"ImageSeriesWriter"}


def bridged(tree: ast.AST) -> list[int]:
    """Lines at which arrays and tensors are converted by torch's bridge."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        named = {each.id for argument in node.args for each in ast.walk(argument) if isinstance(each, ast.Name)}
        if node.func.attr in _BRIDGE or (
            owner == "torch" and (node.func.attr == "asarray" or node.func.attr == "tensor" and "np" in named)
        ):
            found.append(node.lineno)
    return found


def opened(tree: ast.AST) -> list[int]:
    """Lines at which SimpleITK opens a file."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in _FILES and _name(node) == "sitk"]


def dangling(tree: ast.AST) -> list[int]:
    """Lines at which SimpleITK's view of an image's memory may outlive the image: it does not keep the image alive."""
    kept = (ast.Name, ast.Attribute)
    views = [node for node in ast.walk(tree) if _is_view(node) and not isinstance(node.args[0], kept)]
    returned = [node for node in ast.walk(tree) if isinstance(node, ast.Return) and _is_view(node.value)]
    return [node.lineno for node in (*views, *returned)]


def _is_view(node: object) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "GetArrayViewFromImage"


def _name(node: ast.Attribute) -> str:
    return node.value.id if isinstance(node.value, ast.Name) else ""


@pytest.mark.parametrize(("lines", "own"), [(bridged, "arrays.py"), (opened, "geometry/itk_files.py")])
def test_one_module_does_it(lines, own):
    wrong = [f"{relative(path)}:{line}" for path in python_files(ENGINE) if path != ENGINE / Path(own) for line in lines(parsed(path))]
    assert wrong == []
    assert own == "arrays.py" or lines(parsed(ENGINE / own))


def test_views_do_not_outlive_their_images():
    wrong = [f"{relative(path)}:{line}" for path in python_files(MODULES, ROOT / "Testing") for line in dangling(parsed(path))]
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("torch.from_numpy(a)", bridged),
        ("x.cpu().numpy()", bridged),
        ("torch.tensor(np.asarray(a), dtype=d)", bridged),
        ("torch.as_tensor(a)", bridged),
        ("sitk.ReadImage(str(path))", opened),
        ("reader = sitk.ImageFileReader()", opened),
        ("array = sitk.GetArrayViewFromImage(cropped(image))", dangling),
        ("return sitk.GetArrayViewFromImage(image)", dangling),
    ],
)
def test_it_would_be_found(source, found):
    assert found(ast.parse(source)) == [1]


def test_numbers_of_python_may_become_tensors():
    assert bridged(ast.parse("torch.tensor([1.0, 2.0])")) == []
