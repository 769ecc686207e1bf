"""Packages that are missing or damaged: one line that names the package and says what to do, from command line and worker."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import SimpleITK as sitk
from command_line import ENVIRONMENT
from worker_process import Process

from deepreg_engine import packages
from deepreg_engine.errors import explain

# What stands at the begin of a package's __init__.py, and what the line says about it.
DAMAGED = {
    "torch, a symbol": (
        "torch",
        "raise ImportError('libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent')",
        "PyTorch is damaged (libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent): reinstall it",
    ),
    "torch, a library on Windows": (
        "torch",
        "raise OSError('[WinError 127] Procedure not found. Error loading \"shm.dll\" or one of its dependencies.')",
        'PyTorch is damaged ([WinError 127] Procedure not found. Error loading "shm.dll" or one of its dependencies)',
    ),
    "torch, a library on Linux": (
        "torch",
        "import ctypes; ctypes.CDLL('libtorch_global_deps.so')",
        "PyTorch is damaged (libtorch_global_deps.so: cannot open shared object file: No such file or directory)",
    ),
    "torch, its extension": ("torch", "from torch._C import Tensor", "PyTorch is damaged (No module named 'torch._C')"),
    "torch, what it needs": ("torch", "import typing_extension_s", "PyTorch is damaged (No module named 'typing_extension_s')"),
    "numpy": (
        "numpy",
        "try:\n    from numpy import _multiarray\nexcept ImportError as error:\n    raise ImportError('\\n\\nPLEASE READ THIS') from error",
        "the Python package numpy is damaged (cannot import name '_multiarray' from partially initialized module 'numpy'",
    ),
    "SimpleITK": ("SimpleITK", "from . import _SimpleITK", "the Python package SimpleITK is damaged (cannot import name '_SimpleITK'"),
    "safetensors": ("safetensors", "def", "the Python package safetensors is damaged (invalid syntax"),
}


@pytest.fixture
def environment(tmp_path):
    """Return a function that puts a stand-in for a package before the installed one, and returns the environment of a process."""

    def shadowed(name: str, content: str) -> dict[str, str]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(content, encoding="utf-8")
        return {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])}

    return shadowed


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two small images to register."""
    folder = tmp_path_factory.mktemp("images")
    for name in ("a", "b"):
        sitk.WriteImage(sitk.GaussianSource(sitk.sitkFloat32, [12, 13, 14], [2.0] * 3, [6.0] * 3), str(folder / f"{name}.nrrd"))
    return [str(folder / f"{name}.nrrd") for name in ("a", "b")]


@pytest.mark.parametrize("case", DAMAGED)
def test_the_command_line_names_a_damaged_package_on_one_line(environment, images, tmp_path, case):
    name, content, line = DAMAGED[case]
    inputs = ["--fixed", images[0], "--moving", images[1], "--features", "self-similarity", "--set", "initial=none"]
    command = [sys.executable, "-m", "deepreg_engine", "register", "dense", *inputs, "--transform", str(tmp_path / "t.nrrd")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(name, content), timeout=60)
    assert done.returncode == 2
    message = [text for text in done.stderr.splitlines() if " %  " not in text]
    assert len(message) == 1, done.stderr
    assert message[0].startswith(f"deepreg-engine register dense: {line}") or message[0].startswith(f"deepreg-engine: {line}")
    assert message[0].endswith("reinstall it")
    assert not (tmp_path / "t.nrrd").exists()


def test_the_worker_names_a_damaged_package_and_works_on(environment, images, tmp_path):
    name, content, line = DAMAGED["torch, a library on Windows"]
    worker = Process(environment=environment(name, content))
    try:
        assert worker.next()["kind"] == "ready"
        arguments = {"fixed": images[0], "moving": images[1], "transform": str(tmp_path / "t.nrrd")}
        for number, (operation, given) in enumerate((("info", {}), ("register", {"method": "dense", **arguments}), ("self-test", {}))):
            error = worker.ask(operation, number, **given)
            assert (error["kind"], error["code"], error["option"]) == ("error", "package", "torch")
            assert f"{error['message']}: {error['advice']}".startswith(line)
            assert error["advice"] == "reinstall it"
        assert worker.ask("ping", 9)["kind"] == "result"
    finally:
        worker.process.kill()


def test_a_folder_that_a_deinstallation_left_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "left_behind" / "lib").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(packages, "NEEDED", ("left_behind", "numpy", "not_there_at_all"))
    assert packages.missing_packages() == ["left_behind", "not_there_at_all"]
    import left_behind

    monkeypatch.setattr(packages, "_KNOWN", ("left_behind",))
    with pytest.raises(AttributeError) as caught:
        left_behind.Tensor  # noqa: B018
    assert explain(caught.value, "").line().startswith("the Python package left_behind is damaged (module 'left_behind' has no attribute")


def test_other_errors_are_not_those_of_packages(tmp_path):
    def missing():
        import not_there_at_all  # noqa: F401

    def unreadable():
        (tmp_path / "none").read_text()

    def wrong():
        import numpy

        numpy.zeros(-1)

    def own():
        from deepreg_engine import nothing_of_that_name  # noqa: F401

    found = {}
    for call in (missing, unreadable, wrong, own):
        try:
            call()
        except Exception as error:  # noqa: BLE001
            found[call.__name__] = explain(error, "report it")
    assert found["missing"].line() == "the Python package not_there_at_all is not installed: install it, then try again"
    assert found["missing"].option == "not_there_at_all"
    assert "check the disk" in found["unreadable"].line()
    assert "internal error (ValueError" in found["wrong"].line()
    assert "internal error (ImportError" in found["own"].line()
    pages = explain(OSError('[WinError 1455] The paging file is too small. Error loading "caffe2_detectron_ops.dll"'), "")
    assert pages.code == "memory"
