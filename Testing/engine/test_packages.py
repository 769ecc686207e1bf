"""Packages that are missing or damaged: command line and worker report the package and the advice in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest
import SimpleITK as sitk
from command_line import ENVIRONMENT, call, check_refusal
from sources import ROOT
from worker_process import Process

from deepreg_engine import packages
from deepreg_engine.commands.console import c_locale
from deepreg_engine.errors import PackageError, explain
from deepreg_engine.jobs.job import Job
from deepreg_engine.jobs.operations import OPERATIONS

# The beginning of a package's __init__.py, and the reason in the error.
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


OLD = {"torch": "2.1.2+cpu", "numpy": "2.4.6", "psutil": "5.8.0"}


@pytest.fixture
def old_versions(monkeypatch):
    """PyTorch and psutil are too old; others have no description of their version."""

    def version(name):
        if name not in OLD:
            raise packages.importlib.metadata.PackageNotFoundError(name)
        return OLD[name]

    monkeypatch.setattr(packages.importlib.metadata, "version", version)


@pytest.mark.usefixtures("old_versions")
def test_packages_that_are_too_old_are_named_with_the_version_that_is_needed(images, tmp_path):
    assert packages.outdated_packages() == {"torch": "2.1.2+cpu", "psutil": "5.8.0"}
    for operation, arguments in (
        ("self-test", {}),
        ("register", {"method": "dense", "fixed": images[0], "moving": images[1], "transform": str(tmp_path / "t.nrrd")}),
        ("train", {"method": "dense", "data": [], "folder": str(tmp_path)}),
    ):
        with pytest.raises(PackageError) as caught:
            OPERATIONS[operation](arguments, Job("1", lambda event: None))
        assert caught.value.line() == "PyTorch 2.1.2+cpu is too old, 2.2 or newer is needed: install a newer version"
        assert caught.value.option == "torch"
    inputs = ["--fixed", images[0], "--moving", images[1], "--transform", tmp_path / "t.nrrd"]
    check_refusal(call("register", "dense", *inputs), "PyTorch 2.1.2+cpu is too old, 2.2 or newer is needed")


@pytest.mark.parametrize(
    ("version", "numbers"), [("2.2.2+cpu", (2, 2, 2)), ("2.10.0a0+git", (2, 10, 0)), ("1.26", (1, 26)), ("unknown", ()), ("", ())]
)
def test_numbers_of_a_version(version, numbers):
    assert packages.release(version) == numbers


@pytest.mark.parametrize("broken", [None, OSError("cannot be read"), packages.importlib.metadata.PackageNotFoundError("torch")])
def test_a_version_that_cannot_be_read_stops_no_run(monkeypatch, broken):
    def version(name):
        if isinstance(broken, Exception):
            raise broken
        return broken

    monkeypatch.setattr(packages.importlib.metadata, "version", version)
    assert packages.outdated_packages() == {}


def test_needed_versions_are_those_of_the_package():
    with open(ROOT / "pyproject.toml", "rb") as stream:
        needed = tomllib.load(stream)["project"]["dependencies"]
    assert sorted(needed) == sorted(f"{name}>={oldest}" for name, oldest in packages.OLDEST.items())


def test_the_notice_of_a_torch_for_numpy_1_is_not_printed():
    """It is a page that could be taken for an error."""
    program = (
        "import sys\n"
        "from deepreg_engine.commands.console import end_process\n"
        "def main():\n"
        "    sys.stderr.write('\\nA module that was compiled using NumPy 1.x cannot be run in\\nNumPy 2.4.6 ...\\nTraceback\\n')\n"
        "    print('a line', file=sys.stderr)\n"
        "    return 0\n"
        "end_process(main)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert (done.returncode, done.stderr) == (0, "a line\n")


def test_what_libraries_read_of_the_process_of_a_command():
    program = (
        "import os\n"
        "from deepreg_engine.commands.console import end_process\n"
        "end_process(lambda: print('ITK_AUTOLOAD_PATH' in os.environ) or 0)\n"
    )
    environment = {**ENVIRONMENT, "ITK_AUTOLOAD_PATH": "/Slicer/lib/ITKFactories"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout == "False\n"
    assert [c_locale(system) for system in ("win32", "darwin", "linux")] == [".UTF8", "", ""]


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
    for action in (missing, unreadable, wrong, own):
        try:
            action()
        except Exception as error:  # noqa: BLE001
            found[action.__name__] = explain(error, "report it")
    assert found["missing"].line() == "the Python package not_there_at_all is not installed: install it, then try again"
    assert found["missing"].option == "not_there_at_all"
    assert "check the disk" in found["unreadable"].line()
    assert "internal error (ValueError" in found["wrong"].line()
    assert "internal error (ImportError" in found["own"].line()
    pages = explain(OSError('[WinError 1455] The paging file is too small. Error loading "caffe2_detectron_ops.dll"'), "")
    assert pages.code == "memory"
